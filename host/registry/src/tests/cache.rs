//! The cache: never trusted, never too large.

use super::memory;
use crate::testing::{draft, engine, live, publish_live, publisher};
use crate::{Blob, Cache, Code, Watch};
use bytes::Bytes;

#[tokio::test]
async fn what_was_fetched_is_not_fetched_again() {
    let (store, registry) = memory();
    let moved = publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"), 1 << 20);
    let id = moved.pointer.release;
    registry.fetch(id, Some(engine()), u64::MAX, &cache).await.unwrap();
    registry.keep_pointer(&moved.pointer, &cache).await;
    let before = store.requests();
    let pointer = registry.cached_pointer(&live(), &cache).await.unwrap();
    let fetched = registry.fetch(pointer.release, Some(engine()), u64::MAX, &cache).await.unwrap();
    assert_eq!(store.requests(), before, "the store was not asked");
    assert!(fetched.code.values().all(|code| matches!(code, Code::Compiled(_))));
    // And a host that started from the cache looks at the store as any other.
    let mut watch = Watch::new(live(), 0);
    assert!(watch.take(pointer).unwrap().is_some());
    assert!(watch.look(&registry).await.unwrap().is_none());
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again() {
    let (store, registry) = memory();
    let moved = publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), 1 << 24);
    let id = moved.pointer.release;
    let good = registry.fetch(id, Some(engine()), u64::MAX, &cache).await.unwrap();
    registry.keep_pointer(&moved.pointer, &cache).await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 6, "manifest, list, two artifacts, test records, pointer: {files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let damages: [Vec<u8>; 5] = [
            Vec::new(),
            bytes[..bytes.len() - 1].to_vec(),
            [&bytes[..], b"x"].concat(),
            bytes.iter().enumerate().map(|(at, byte)| if at == bytes.len() / 2 { byte ^ 1 } else { *byte }).collect(),
            vec![b'x'; 1 << 20],
        ];
        for damage in damages {
            std::fs::write(&file, &damage).unwrap();
            let fetched = registry.fetch(id, Some(engine()), u64::MAX, &cache).await.unwrap();
            assert_eq!(format!("{:?}", fetched.code), format!("{:?}", good.code));
            assert_eq!(fetched.release.manifest, good.release.manifest);
            if file.file_name().unwrap().to_str().unwrap().starts_with("pointer@") {
                assert!(registry.cached_pointer(&live(), &cache).await.is_none());
            } else {
                assert_eq!(std::fs::read(&file).unwrap(), bytes, "{}: repaired", file.display());
            }
        }
        std::fs::write(&file, &bytes).unwrap();
    }
    assert!(store.requests() > 0);
}

#[tokio::test]
async fn the_oldest_go_first_and_the_bound_holds() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), 1_000);
    let blobs: Vec<Bytes> = (0..8_u8).map(|number| Bytes::from(vec![number; 300])).collect();
    for (at, bytes) in blobs.iter().enumerate() {
        cache.keep_blob(Blob::of(bytes).digest, bytes).await;
        // Modification times are what age means; the test does not wait for the clock.
        let file = std::fs::File::open(folder.path().join(Blob::of(bytes).digest.to_string())).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at as u64)).unwrap();
        let total: u64 =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= 1_000, "{total}");
    }
    for (at, bytes) in blobs.iter().enumerate() {
        assert_eq!(cache.blob(Blob::of(bytes)).await.is_some(), at >= 5, "{at}");
    }
    let large = Bytes::from(vec![9; 1_001]);
    cache.keep_blob(Blob::of(&large).digest, &large).await;
    assert!(cache.blob(Blob::of(&large)).await.is_none());
    assert!(cache.blob(Blob::of(&blobs[7])).await.is_some(), "nothing went for what cannot fit");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_nothing_but_requests() {
    let (_store, registry) = memory();
    let moved = publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "x").unwrap();
    let cache = Cache::new(file, 1 << 20);
    registry.fetch(moved.pointer.release, Some(engine()), u64::MAX, &cache).await.unwrap();
    registry.fetch(moved.pointer.release, Some(engine()), u64::MAX, &cache).await.unwrap();
}
