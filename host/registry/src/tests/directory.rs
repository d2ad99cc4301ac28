//! A folder as a store: what is ours in it.

use crate::store::directory::{Directory, remove_leftovers};
use crate::testing::{draft, live, pipeline, publish_live, publisher, trusting};
use crate::{ErrorKind, Options, Patience, Registry, Store};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use std::time::{Duration, SystemTime};

fn update(version: &Option<String>) -> PutOptions {
    PutMode::Update(UpdateVersion { e_tag: version.clone(), version: None }).into()
}

async fn version(store: &Directory, path: &Path) -> Option<String> {
    store.head(path).await.unwrap().e_tag
}

#[tokio::test]
async fn an_update_needs_the_version_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::open(folder.path()).unwrap();
    let path = Path::from("a/b.json");
    let put = |text: &'static str, options: PutOptions| {
        store.put_opts(&path, PutPayload::from_static(text.as_bytes()), options)
    };
    assert!(
        matches!(put("new", update(&Some("\"x\"".into()))).await, Err(Error::Precondition { .. })),
        "nothing is there"
    );
    assert!(matches!(put("new", update(&None)).await, Err(Error::Precondition { .. })), "no version is no version");
    put("one", PutMode::Create.into()).await.unwrap();
    assert!(matches!(put("new", PutMode::Create.into()).await, Err(Error::AlreadyExists { .. })));
    let first = version(&store, &path).await;
    let second = put("two", update(&first)).await.unwrap().e_tag;
    assert_eq!(version(&store, &path).await, second);
    assert!(matches!(put("three", update(&first)).await, Err(Error::Precondition { .. })), "an old version");
    put("one", update(&second)).await.unwrap();
    assert_eq!(version(&store, &path).await, first, "the same bytes have the same version, whatever the clock says");
    let listed: Vec<_> = std::fs::read_dir(folder.path().join("a")).unwrap().collect();
    assert_eq!(listed.len(), 1, "no temporary file is left: {listed:?}");
    assert!(folder.path().join("lock").exists(), "the lock's file stays");
}

#[tokio::test]
async fn a_read_is_conditional() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::open(folder.path()).unwrap();
    let path = Path::from("pointer");
    store.put(&path, "one".into()).await.unwrap();
    let unless = |version: Option<String>| GetOptions { if_none_match: version, ..GetOptions::default() };
    let first = version(&store, &path).await;
    assert!(matches!(store.get_opts(&path, unless(first.clone())).await, Err(Error::NotModified { .. })));
    // A rewrite within one tick of the clock, with the same length.
    store.put(&path, "two".into()).await.unwrap();
    let found = store.get_opts(&path, unless(first)).await.unwrap();
    assert_eq!(found.bytes().await.unwrap(), "two");
}

#[tokio::test]
async fn two_hundred_updates_at_once_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::open(folder.path()).unwrap();
    let path = Path::from("count");
    store.put(&path, "0".into()).await.unwrap();
    let writers: Vec<_> = (0..10)
        .map(|_| {
            let (store, path) = (store.clone(), path.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    for attempt in 0.. {
                        assert!(attempt < 10_000, "every update loses");
                        let found = store.get(&path).await.unwrap();
                        let version = found.meta.e_tag.clone();
                        let count: u64 =
                            String::from_utf8(found.bytes().await.unwrap().to_vec()).unwrap().parse().unwrap();
                        match store.put_opts(&path, (count + 1).to_string().into(), update(&version)).await {
                            Ok(_) => break,
                            Err(Error::Precondition { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "200");
}

#[tokio::test]
async fn a_mover_who_stops_waiting_does_not_open_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::open(folder.path()).unwrap();
    let path = Path::from("pointer");
    store.put(&path, "one".into()).await.unwrap();
    let version = version(&store, &path).await;
    let held = std::fs::File::create(folder.path().join("lock")).unwrap();
    held.lock().unwrap();
    let waiting = store.put_opts(&path, "two".into(), update(&version));
    assert!(tokio::time::timeout(Duration::from_millis(30), waiting).await.is_err(), "it waits for the lock");
    drop(held);
    // The update goes on without its caller, and whole.
    for _ in 0..500 {
        if store.get(&path).await.unwrap().bytes().await.unwrap() == "two" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the update never ended");
}

#[test]
fn leftovers_of_the_dead_are_removed_when_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a");
    std::fs::create_dir(&inner).unwrap();
    for name in ["live.json#17", "live.json", "x#y"] {
        std::fs::write(inner.join(name), "x").unwrap();
    }
    let now = SystemTime::now();
    assert_eq!(remove_leftovers(folder.path(), now - Duration::from_secs(60)).unwrap(), 0);
    assert_eq!(remove_leftovers(folder.path(), now + Duration::from_secs(60)).unwrap(), 1);
    assert!(inner.join("live.json").exists() && inner.join("x#y").exists());
}

#[test]
fn urls_are_taken_or_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let open = |url: &str, settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Store::open(url, &Options { settings, ..Options::default() })
    };
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let with = |more: &[(&'static str, &'static str)]| [&keys[..], more].concat();
    let region = ("AWS_REGION", "eu-central-1");
    assert!(open(path, &[]).is_ok());
    assert!(open(&format!("file://{path}"), &[]).is_ok());
    assert!(open("s3://bucket/a/b/", &with(&[region])).is_ok());
    assert!(open("s3://bucket", &with(&[("AWS_DEFAULT_REGION", "eu-central-1")])).is_ok());
    for loopback in ["http://127.0.0.1:5555", "http://[::1]:5555", "http://localhost:5555"] {
        assert!(open("s3://bucket", &with(&[("AWS_ENDPOINT_URL_S3", loopback)])).is_ok(), "{loopback}");
    }
    let kind = |url: &str, settings: &[(&str, &str)]| super::kind(open(url, settings));
    assert_eq!(kind("s3://bucket", &keys), ErrorKind::NoRegion);
    assert_eq!(kind("s3://bucket", &[region]), ErrorKind::Unauthenticated);
    assert_eq!(kind("s3:///prefix", &with(&[region])), ErrorKind::Invalid);
    assert_eq!(kind("s3://bucket/a//b", &with(&[region])), ErrorKind::Invalid);
    for far in [
        "http://example.com",
        "http://127.0.0.1.example.com:80",
        "http://localhost@example.com",
        "http://127.0.0.1:80@example.com",
    ] {
        assert_eq!(kind("s3://bucket", &with(&[("AWS_ENDPOINT_URL", far)])), ErrorKind::Invalid, "{far}");
    }
    for url in ["", "https://bucket", "file://relative"] {
        assert_eq!(kind(url, &keys), ErrorKind::Invalid, "{url}");
    }
    assert_eq!(kind(&format!("{path}/missing"), &[]), ErrorKind::NoBucket);
    assert!(Store::open(&format!("{path}/made/now"), &Options { create_folder: true, ..Options::default() }).is_ok());
}

#[tokio::test]
async fn a_folder_that_is_awaited_is_a_store_that_does_not_answer_until_it_is_there() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("later");
    let patience = Patience { tries: 1, ..Patience::default() };
    let options = Options { await_folder: true, patience, ..Options::default() };
    let store = Store::open(folder.to_str().unwrap(), &options).unwrap();
    let registry = Registry::new(store, pipeline(), trusting(&[&publisher(1)]));
    let error = registry.pointer(&live()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(registry.hosts(1).await.is_err() && registry.channels().await.is_err());
    let host = crate::Name::new("h").unwrap();
    assert!(registry.write_host(&host, &crate::HostReport::new(live(), 1)).await.is_err());
    assert!(!folder.exists(), "a host makes no store");
    std::fs::create_dir(&folder).unwrap();
    assert!(registry.pointer(&live()).await.unwrap().is_none());
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().revision, 1);
}
