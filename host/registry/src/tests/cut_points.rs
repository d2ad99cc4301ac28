//! A publisher is killed at each of its writes, before and after it is carried out: the old release stays whole, or the
//! new one is; whoever comes next completes the work.

use super::registry;
use crate::testing::{FaultyStore, draft, engine, live, moving, publish_live, publisher, publishing};
use crate::{Cache, Draft, Registry, ReleaseId, Result, gc};

/// What a killed publisher was doing.
#[derive(Clone, Copy, Debug)]
enum Work {
    PublishAndMove,
    RollBack,
    AddCompiled,
    Gc,
}

async fn work(registry: &Registry, kind: Work, draft: &Draft) -> Result<()> {
    let key = publisher(1);
    match kind {
        Work::PublishAndMove => publish_live(registry, draft, &key, 10).await.map(|_| ()),
        Work::RollBack => registry.rollback(&moving(10), Some(&key)).await.map(|_| ()),
        Work::AddCompiled => {
            let held = registry.pointer(&live()).await?.expect("the channel holds something").release;
            let compiled = crate::DraftCompiled {
                engine: "1".repeat(64).parse().expect("64 digits"),
                artifacts: registry
                    .release(held)
                    .await?
                    .manifest
                    .plugins
                    .iter()
                    .map(|plugin| (plugin.wasm.digest, bytes::Bytes::from(format!("other {}", plugin.step))))
                    .collect(),
                at_ms: 10,
                by: "ann".to_owned(),
            };
            registry.add_compiled(held, &[compiled], publishing(&key, 10)).await
        }
        Work::Gc => gc(registry.store(), u64::MAX / 2, false).await.map(|_| ()),
    }
}

/// What a host finds on the channel: a release that is whole.
async fn whole(registry: &Registry) -> (u64, ReleaseId) {
    let pointer = registry.pointer(&live()).await.expect("the pointer is good").expect("the channel holds something");
    for engine in [None, Some(engine())] {
        let fetched =
            registry.fetch(pointer.release, engine, u64::MAX, &Cache::none()).await.expect("the release is whole");
        assert_eq!(fetched.code.len(), 2);
    }
    let history = registry.history(&live(), 100).await.expect("there is a history");
    assert_eq!(history.len() as u64, pointer.revision);
    assert!(history.iter().all(|entry| entry.pointer.is_ok()), "no revision is missing");
    (pointer.revision, pointer.release)
}

async fn prepared(folder: Option<&std::path::Path>) -> (FaultyStore, Registry) {
    let store = folder.map_or_else(FaultyStore::memory, FaultyStore::folder);
    // One try: a dead process does not try again.
    let patience = crate::Patience { tries: 1, ..crate::Patience::default() };
    let registry = registry(&store, &[&publisher(1)]).with_patience(patience);
    for (text, at_ms) in [("first", 1), ("second", 2)] {
        publish_live(&registry, &draft(text, at_ms), &publisher(1), at_ms).await.unwrap();
    }
    store.tamper(&format!("blobs/sha256/{}", crate::Digest::of(b"garbage")), &b"garbage"[..]).await;
    (store, registry)
}

/// Kills `kind` at every write, and returns how many cut points there were.
async fn every_cut_point(kind: Work, in_folder: bool) -> u64 {
    let third = draft("third", 10);
    let mut points = 0;
    for carried_out in [false, true] {
        for nth in 1.. {
            let folder = in_folder.then(|| tempfile::tempdir().unwrap());
            let (store, registry) = prepared(folder.as_ref().map(|folder| folder.path())).await;
            let before = whole(&registry).await;
            store.kill_at_write(nth, carried_out);
            let killed = work(&registry, kind, &third).await;
            if !store.revive() {
                killed.unwrap();
                break; // It has fewer writes than that.
            }
            points += 1;
            let (revision, _) = whole(&registry).await;
            assert!(revision == before.0 || revision == before.0 + 1, "{kind:?}, write {nth}: one step or none");
            match kind {
                // The work was not done: do it. A rollback that was done after all is not done twice.
                Work::RollBack if revision > before.0 => {}
                _ => work(&registry, kind, &third).await.unwrap(),
            }
            let after = whole(&registry).await;
            match kind {
                Work::PublishAndMove => assert_eq!(after.1, third.id(), "{kind:?}, write {nth}"),
                Work::RollBack => assert_eq!(after, (before.0 + 1, draft("first", 1).id()), "{kind:?}, write {nth}"),
                Work::AddCompiled => {
                    let engine = "1".repeat(64).parse().unwrap();
                    assert!(registry.compiled(after.1, engine).await.unwrap().is_some(), "{kind:?}, write {nth}");
                    registry.fetch(after.1, Some(engine), u64::MAX, &Cache::none()).await.unwrap();
                }
                Work::Gc => assert!(!store.paths().await.iter().any(|path| path.ends_with(&garbage()))),
            }
        }
    }
    points
}

fn garbage() -> String {
    crate::Digest::of(b"garbage").to_string()
}

#[tokio::test]
async fn a_publisher_dies_at_any_write() {
    // Five blobs, the manifest, the list of artifacts, the pointer, and its entry in the history; each before and
    // after.
    assert_eq!(every_cut_point(Work::PublishAndMove, false).await, 2 * 9);
    assert_eq!(every_cut_point(Work::PublishAndMove, true).await, 2 * 9);
}

#[tokio::test]
async fn a_rollback_dies_at_any_write() {
    assert_eq!(every_cut_point(Work::RollBack, false).await, 2 * 2);
    assert_eq!(every_cut_point(Work::RollBack, true).await, 2 * 2);
}

#[tokio::test]
async fn recompiling_dies_at_any_write() {
    assert_eq!(every_cut_point(Work::AddCompiled, false).await, 2 * 3);
}

#[tokio::test]
async fn collecting_garbage_dies_at_any_write() {
    assert_eq!(every_cut_point(Work::Gc, false).await, 2);
}
