//! Somebody who can write the bucket, and has no key, or the wrong one.

use super::{kind, memory, registry, untrusted};
use crate::testing::{
    FaultyStore, draft, engine, live, moving, pipeline, publish_live, publisher, publishing, trusting,
};
use crate::{
    Action, Blob, Cache, Code, Compiled, Draft, DraftCompiled, ErrorKind, Move, Name, Pointer, Purposes, Registry,
    Release, SigningKey, Trust, Untrusted,
};
use bytes::Bytes;

/// Everything that a host reads to run what the channel holds.
async fn load(registry: &Registry) -> crate::Result<()> {
    let pointer = registry.pointer(&live()).await?.expect("the channel holds something");
    let fetched = registry.fetch(pointer.release, Some(engine()), u64::MAX, &Cache::none()).await?;
    assert!(fetched.code.values().all(|code| matches!(code, Code::Compiled(_))));
    Ok(())
}

#[tokio::test]
async fn no_flipped_byte_is_ever_loaded() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    load(&registry).await.unwrap();
    let wasm: Vec<String> =
        draft("one", 1).manifest().plugins.iter().map(|plugin| plugin.wasm.digest.to_string()).collect();
    let mut flipped = 0;
    for path in store.paths().await {
        // Read when code is compiled here, and never by a host that runs compiled code.
        if path.contains("/history/") || wasm.iter().any(|digest| path.contains(digest)) {
            continue;
        }
        let good = store.read(&path).await;
        for at in 0..good.len() {
            for bit in [0, 5, 7] {
                let mut bytes = good.to_vec();
                bytes[at] ^= 1 << bit;
                store.tamper(&path, bytes).await;
                let result = load(&registry).await;
                let kind = result.map_err(|error| super::sentence(&error).kind());
                assert!(matches!(kind, Err(ErrorKind::Untrusted(_))), "{path}: bit {bit} of byte {at}: {kind:?}");
                flipped += 1;
            }
        }
        for bytes in [&good[..good.len() - 1], &good[..good.len() / 2], b"", &[&good[..], b"\n"].concat()] {
            store.tamper(&path, bytes.to_vec()).await;
            assert!(load(&registry).await.is_err(), "{path}: {} bytes", bytes.len());
        }
        store.tamper(&path, good).await;
    }
    load(&registry).await.unwrap();
    assert!(flipped > 3_000, "{flipped}");
}

#[tokio::test]
async fn no_flipped_byte_of_a_component_is_compiled() {
    let (store, registry) = memory();
    let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
    let path = format!("blobs/sha256/{}", draft("one", 1).manifest().plugins[0].wasm.digest);
    let good = store.read(&path).await;
    for at in 0..good.len() {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        store.tamper(&path, bytes).await;
        assert_eq!(untrusted(registry.fetch(id, None, u64::MAX, &Cache::none()).await), Untrusted::Digest);
    }
    store.tamper(&path, good.slice(1..)).await;
    assert_eq!(untrusted(registry.fetch(id, None, u64::MAX, &Cache::none()).await), Untrusted::Size);
    store.tamper(&path, vec![0; 100_000]).await;
    assert_eq!(untrusted(registry.fetch(id, None, u64::MAX, &Cache::none()).await), Untrusted::Size);
    store.remove(&path).await;
    assert_eq!(kind(registry.fetch(id, None, u64::MAX, &Cache::none()).await), ErrorKind::NotFound);
    // Publishing again with every blob rewritten repairs it; without, a wrong size is repaired too.
    store.tamper(&path, vec![0; good.len()]).await;
    let key = publisher(1);
    let how = crate::Publishing { rewrite: true, ..publishing(&key, 1) };
    registry.publish(&draft("one", 1), how).await.unwrap();
    registry.fetch(id, None, u64::MAX, &Cache::none()).await.unwrap();
}

#[tokio::test]
async fn signed_texts_in_the_wrong_place_are_refused() {
    let (store, registry) = memory();
    let key = publisher(1);
    let one = publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    let two = registry.publish(&draft("two", 2), publishing(&key, 2)).await.unwrap();
    let staging = Move { channel: Name::new("staging").unwrap(), ..moving(3) };
    registry.promote(two, Action::Promote, &staging, Some(&key)).await.unwrap();

    let at = |path: &str| format!("pipelines/clickstream/{path}");
    let manifest = |id| at(&format!("releases/{id}/manifest.json"));
    let list = |id, engine| at(&format!("releases/{id}/compiled/{engine}.json"));
    let swap = |from: String, to: String| {
        let (store, registry) = (&store, &registry);
        async move {
            let (good, other) = (store.read(&to).await, store.read(&from).await);
            store.tamper(&to, other).await;
            let why = untrusted(load(registry).await);
            store.tamper(&to, good).await;
            load(registry).await.unwrap();
            why
        }
    };
    assert_eq!(swap(at("channels/staging.json"), at("channels/live.json")).await, Untrusted::Place);
    assert_eq!(swap(manifest(two), manifest(one)).await, Untrusted::Digest, "another release's manifest");
    assert_eq!(swap(list(two, engine()), list(one, engine())).await, Untrusted::Place, "another release's artifacts");
    assert_eq!(swap(manifest(one), at("channels/live.json")).await, Untrusted::Signature, "another form");
    assert_eq!(swap(at("channels/live.json"), manifest(one)).await, Untrusted::Signature);
    assert_eq!(swap(list(one, engine()), manifest(one)).await, Untrusted::Signature);

    // Another engine's list, for the engine that is asked for.
    let other_engine = "a".repeat(64).parse().unwrap();
    let wasm = draft("one", 1).manifest().plugins[0].wasm.digest;
    let compiled = DraftCompiled {
        engine: other_engine,
        artifacts: [(wasm, Bytes::from_static(b"for another engine"))].into(),
        at_ms: 1,
        by: "ann".into(),
    };
    registry.add_compiled(one, &[compiled], publishing(&key, 1)).await.unwrap();
    assert_eq!(swap(list(one, other_engine), list(one, engine())).await, Untrusted::Place);

    // Another pipeline's: the same texts, whole, under another name.
    for path in store.paths().await.iter().filter(|path| path.starts_with("pipelines/clickstream/")) {
        let to = path.replace("pipelines/clickstream/", "pipelines/other/");
        store.tamper(&to, store.read(path).await).await;
    }
    let other = Registry::new(store.store(), Name::new("other").unwrap(), trusting(&[&key]));
    assert_eq!(untrusted(other.pointer(&live()).await), Untrusted::Place);
    assert_eq!(untrusted(other.release(one).await), Untrusted::Place);
    assert_eq!(untrusted(other.compiled(one, engine()).await), Untrusted::Place);
}

/// A host that trusts one key for some purposes, and a store that its owner filled.
fn beyond_its_purpose(purposes: &str) -> (SigningKey, Trust) {
    let seed = [5; 32];
    let owner = SigningKey::from_seed(seed, Purposes::PUBLISHER).unwrap();
    let trust = trusting(&[&SigningKey::from_seed(seed, purposes.parse().unwrap()).unwrap()]);
    (owner, trust)
}

#[tokio::test]
async fn a_key_is_good_for_its_purposes_only() {
    for (purposes, pointer, manifest, compiled) in [
        ("release", Err(Untrusted::KeyPurpose), Ok(()), Err(Untrusted::KeyPurpose)),
        ("channel", Ok(()), Err(Untrusted::KeyPurpose), Err(Untrusted::KeyPurpose)),
        ("compiled", Err(Untrusted::KeyPurpose), Err(Untrusted::KeyPurpose), Ok(())),
        ("operate", Err(Untrusted::NeverHeld), Err(Untrusted::KeyPurpose), Err(Untrusted::KeyPurpose)),
        ("release+channel+compiled", Ok(()), Ok(()), Ok(())),
    ] {
        let (owner, trust) = beyond_its_purpose(purposes);
        let store = FaultyStore::memory();
        // The owner believes itself.
        let own = registry(&store, &[&owner]);
        let id = publish_live(&own, &draft("one", 1), &owner, 1).await.unwrap().pointer.release;
        let why = |error: crate::Error| match error.kind() {
            ErrorKind::Untrusted(why) => why,
            other => panic!("{other:?}"),
        };
        let read = |path: String| {
            let store = &store;
            async move { store.read(&path).await }
        };
        let bytes = read("pipelines/clickstream/channels/live.json".into()).await;
        assert_eq!(Pointer::verify(&bytes, &trust, &pipeline(), &live()).map(drop).map_err(why), pointer, "{purposes}");
        let bytes = read(format!("pipelines/clickstream/releases/{id}/manifest.json")).await;
        assert_eq!(Release::verify(&bytes, &trust, &pipeline(), id).map(drop).map_err(why), manifest, "{purposes}");
        let bytes = read(format!("pipelines/clickstream/releases/{id}/compiled/{}.json", engine())).await;
        let list = Compiled::verify(&bytes, &trust, &pipeline(), id, engine());
        assert_eq!(list.map(drop).map_err(why), compiled, "{purposes}");
    }
}

#[tokio::test]
async fn a_host_that_trusts_nobodys_machine_code_compiles() {
    let (owner, trust) = beyond_its_purpose("release+channel");
    let store = FaultyStore::memory();
    let id = publish_live(&registry(&store, &[&owner]), &draft("one", 1), &owner, 1).await.unwrap().pointer.release;
    for trust in [trust, Trust::Unsigned] {
        let host = Registry::new(store.store(), pipeline(), trust);
        assert!(host.compiled(id, engine()).await.unwrap().is_none());
        let fetched = host.fetch(id, Some(engine()), u64::MAX, &Cache::none()).await.unwrap();
        assert!(fetched.code.values().all(|code| matches!(code, Code::Wasm(_))));
    }
}

#[tokio::test]
async fn an_unsigned_store_is_for_those_who_say_so() {
    let store = FaultyStore::memory();
    let open = Registry::new(store.store(), pipeline(), Trust::Unsigned);
    let key = publisher(1);
    let how = crate::Publishing { signer: None, ..publishing(&key, 1) };
    let id = open.publish(&draft("one", 1), how).await.unwrap();
    open.promote(id, Action::Publish, &moving(1), None).await.unwrap();
    assert_eq!(open.pointer(&live()).await.unwrap().unwrap().release, id);
    let strict = registry(&store, &[&publisher(1)]);
    assert_eq!(untrusted(strict.pointer(&live()).await), Untrusted::Unsigned);
    assert_eq!(untrusted(strict.release(id).await), Untrusted::Unsigned);
    assert_eq!(untrusted(strict.compiled(id, engine()).await), Untrusted::Unsigned);
    // Signing it later leaves the release what it is.
    assert_eq!(strict.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap(), id);
    assert_eq!(strict.release(id).await.unwrap().signer, Some(publisher(1).public().id()));
}

#[tokio::test]
async fn texts_of_the_future_say_so() {
    let (store, registry) = memory();
    let key = publisher(1);
    let id = publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    let path = "pipelines/clickstream/channels/live.json";
    let good = String::from_utf8(store.read(path).await.to_vec()).unwrap();
    store.tamper(path, good.replace("{\"paddlewheel\":1,", "{\"paddlewheel\":2,\"new\":true,")).await;
    assert_eq!(untrusted(registry.pointer(&live()).await), Untrusted::UnknownVersion);
    let payload = good.split_once('\n').unwrap().1.replace("\"version\":1", "\"version\":2");
    store.tamper(path, crate::envelope::seal(crate::envelope::Form::Channel, &payload, Some(&key)).unwrap()).await;
    assert_eq!(untrusted(registry.pointer(&live()).await), Untrusted::UnknownVersion);
    // What a later version adds without raising its number is not in the way.
    let payload = good.split_once('\n').unwrap().1.replace("{\"kind\"", "{\"colour\":\"blue\",\"kind\"");
    store.tamper(path, crate::envelope::seal(crate::envelope::Form::Channel, &payload, Some(&key)).unwrap()).await;
    assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().release, id);
}

#[test]
fn a_manifest_out_of_bounds_is_neither_written_nor_read() {
    let good = draft("one", 1).manifest().clone();
    let wasm = Bytes::from_static(b"wasm");
    let huge = Blob { bytes: crate::BLOB_BYTES_MAX + 1, ..Blob::of(&wasm) };
    let mut manifest = good.clone();
    manifest.plugins[0].wasm = huge;
    assert_eq!(kind(Draft::new(manifest.clone(), [wasm.clone()])), ErrorKind::Invalid);
    let mut many = good.clone();
    many.plugins = vec![many.plugins[0].clone(); crate::PARTS_MAX + 1];
    let mut long = good.clone();
    long.config = "x".repeat(1024 * 1024);
    let mut heavy = good.clone();
    heavy.plugins = (0..5_u8)
        .map(|number| {
            let blob = Blob { bytes: crate::BLOB_BYTES_MAX, ..Blob::of(&[number]) };
            crate::Plugin { wasm: blob, ..good.plugins[0].clone() }
        })
        .collect();
    for manifest in [&manifest, &many, &long, &heavy] {
        assert_eq!(kind(manifest.payload()), ErrorKind::Invalid);
    }
    // Signed all the same, by a publisher whose tool is broken.
    let key = publisher(1);
    for manifest in [manifest, many, heavy] {
        let payload = serde_json::to_value(&manifest).unwrap();
        let mut payload = payload.as_object().unwrap().clone();
        payload.insert("kind".into(), "release".into());
        payload.insert("version".into(), 1.into());
        let payload = serde_json::to_string(&payload).unwrap();
        let id = crate::ReleaseId(crate::Digest::of(payload.as_bytes()));
        let text = crate::envelope::seal(crate::envelope::Form::Release, &payload, Some(&key)).unwrap();
        let read = Release::verify(text.as_bytes(), &trusting(&[&key]), &pipeline(), id);
        assert_eq!(untrusted(read), Untrusted::Malformed);
    }
}
