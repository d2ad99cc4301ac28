//! What `gc` removes, and what it never does.

use super::{kind, memory, untrusted};
use crate::store::PutBlob;
use crate::testing::{Fault, draft, engine, live, publish_live, publisher, publishing};
use crate::{Cache, Digest, ErrorKind, HostReport, Name, Untrusted, gc};
use bytes::Bytes;
use futures_util::FutureExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The stores of these tests stamp objects with the system's time.
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn only_old_blobs_that_no_release_refers_to_go() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), now_ms()).await.unwrap();
    // A release that no channel holds is a release.
    let unheld = registry.publish(&draft("two", 2), publishing(&publisher(1), now_ms())).await.unwrap();
    let garbage = Bytes::from_static(b"garbage");
    registry.store.put_blob(&garbage, Digest::of(&garbage), PutBlob::Always).await.unwrap();
    store.tamper("blobs/sha256/readme.txt", "not ours").await;
    let host = Name::new("h").unwrap();
    registry.write_host(&host, &HostReport::new(live(), 1)).await.unwrap();
    let before = store.paths().await;

    let young = gc(registry.store(), now_ms() + DAY_MS - 60_000, false).await.unwrap();
    assert_eq!((young.blobs.len(), young.hosts, store.paths().await), (0, 0, before.clone()), "a day is not over");
    assert_eq!(gc(registry.store(), now_ms() + DAY_MS - 60_000, true).await.unwrap(), young);
    let later = now_ms() + 2 * DAY_MS;
    let dry = gc(registry.store(), later, true).await.unwrap();
    assert_eq!(store.paths().await, before, "a dry run changes nothing");
    let done = gc(registry.store(), later, false).await.unwrap();
    assert_eq!(done, dry, "a dry run says what would be");
    assert_eq!((done.blobs.len(), done.bytes, done.hosts, done.kept), (1, 7, 1, 10));
    assert_eq!(done.blobs[0].digest, Digest::of(&garbage));
    for id in [unheld, draft("one", 1).id()] {
        registry.fetch(id, Some(engine()), u64::MAX, &Cache::none()).await.unwrap();
        registry.fetch(id, None, u64::MAX, &Cache::none()).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_read_might_need_anything() {
    for (path, text, why) in [
        ("pipelines/p/releases/x/manifest.json", "damaged", Untrusted::Malformed),
        ("pipelines/p/releases/x/manifest.json", "{\"paddlewheel\":2}\n{}", Untrusted::UnknownVersion),
        (
            "pipelines/p/releases/x/compiled/y.json",
            "{\"paddlewheel\":1}\n{\"kind\":\"compiled\",\"version\":9}",
            Untrusted::UnknownVersion,
        ),
    ] {
        let (store, registry) = memory();
        let garbage = Bytes::from_static(b"garbage");
        registry.store.put_blob(&garbage, Digest::of(&garbage), PutBlob::Always).await.unwrap();
        store.tamper(path, text).await;
        assert_eq!(untrusted(gc(registry.store(), now_ms() + 2 * DAY_MS, false).await), why);
        assert_eq!(store.paths().await.len(), 2, "nothing was removed");
    }
    let (store, registry) = memory();
    store.fail_next([crate::testing::Fault::Forbidden]);
    assert_eq!(kind(gc(registry.store(), 0, false).await), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_publisher_writes_again_what_gc_might_take() {
    let (store, registry) = memory();
    let draft = draft("one", 1);
    let now = now_ms();
    registry.publish(&draft, publishing(&publisher(1), now)).await.unwrap();
    let writes = |from: u64| store.writes() - from;
    // Fresh: nothing is written but what a signed text's conditional write asks for.
    let from = store.writes();
    registry.publish(&draft, publishing(&publisher(1), now)).await.unwrap();
    assert_eq!(writes(from), 2, "the manifest and the list were tried");
    // A day later the blobs are old, and nothing says that a release refers to them: they are written again.
    let from = store.writes();
    registry.publish(&draft, publishing(&publisher(1), now + DAY_MS)).await.unwrap();
    assert_eq!(writes(from), 2 + 5);
    // When a release that stays is known to refer to them, they are left alone.
    let key = publisher(1);
    let mut referred = draft.manifest().blobs();
    let list = registry.compiled(draft.id(), engine()).await.unwrap().unwrap();
    referred.extend(list.artifacts.values());
    let from = store.writes();
    let how = crate::Publishing { referred: &referred, ..publishing(&key, now + DAY_MS) };
    registry.publish(&draft, how).await.unwrap();
    assert_eq!(writes(from), 2);
}

#[tokio::test]
async fn a_blob_that_is_written_again_while_gc_works_stays() {
    let (store, registry) = memory();
    let garbage = Bytes::from_static(b"garbage");
    registry.store.put_blob(&garbage, Digest::of(&garbage), PutBlob::Always).await.unwrap();
    // A day old by a hair, until it is written again.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let now = now_ms() + DAY_MS;
    let publisher = super::registry(&store.sibling(), &[&publisher(1)]);
    // Two listings, then the last look at the blob, which waits.
    store.fail_next([Fault::None, Fault::None, Fault::Slow(Duration::from_millis(200))]);
    let (collected, written) = tokio::join!(gc(registry.store(), now, false), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        publisher.store.put_blob(&garbage, Digest::of(&garbage), PutBlob::UnlessFresh(now)).await
    });
    assert!(written.unwrap(), "it is too old to be left alone");
    assert_eq!((collected.unwrap().blobs.len(), store.paths().await.len()), (0, 1));
    assert_eq!(gc(registry.store(), now + DAY_MS, false).await.unwrap().blobs.len(), 1);
}

#[tokio::test]
async fn a_blob_that_goes_while_a_publisher_works_is_written_again() {
    let (store, registry) = memory();
    let draft = draft("one", 1);
    let blob = draft.manifest().plugins[0].wasm.digest;
    let path = format!("blobs/sha256/{blob}");
    // The blob goes right before the last text is written: the last thing that a publisher does is to look.
    let remove = |at: crate::Progress| {
        if at.objects == at.objects_total - 1 {
            store.remove(&path).now_or_never().expect("memory does not wait");
        }
    };
    let key = publisher(1);
    let how = crate::Publishing { progress: &remove, ..publishing(&key, now_ms()) };
    let before = store.writes();
    registry.publish(&draft, how).await.unwrap();
    assert_eq!(store.writes() - before, 7 + 1, "five blobs and two texts, and one blob again");
    assert!(store.paths().await.contains(&path));
    registry.fetch(draft.id(), None, u64::MAX, &Cache::none()).await.unwrap();
}
