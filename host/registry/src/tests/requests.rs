//! Requests that fail: which are tried again, how often, and what the caller is told.

use super::{kind, memory, registry};
use crate::testing::{Fault, FaultyStore, draft, engine, live, moving, publish_live, publisher, publishing};
use crate::{Action, Cache, ErrorKind, Watch};
use std::time::Duration;

/// Tries of one request, as `Patience::default` has it.
const TRIES: usize = 4;

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_a_few_times() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    for fault in [Fault::Unavailable, Fault::HalfAnswer, Fault::Slow(Duration::from_secs(60)), Fault::AnswerLost] {
        store.fail_next(vec![fault.clone(); TRIES - 1]);
        let before = store.requests();
        assert!(registry.pointer(&live()).await.unwrap().is_some(), "{fault:?}");
        assert_eq!(store.requests() - before, TRIES as u64);
        store.fail_next(vec![fault.clone(); TRIES]);
        let error = registry.pointer(&live()).await.unwrap_err();
        assert!(error.is_transient(), "{fault:?}: {error}");
        assert_eq!(store.requests() - before, 2 * TRIES as u64, "no more than that");
    }
    store.fail_next([Fault::Slow(Duration::from_secs(4))]);
    assert!(registry.pointer(&live()).await.is_ok(), "slow is not too slow");
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_told_at_once() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let before = store.requests();
    store.fail_next([Fault::Forbidden]);
    assert_eq!(kind(registry.pointer(&live()).await), ErrorKind::PermissionDenied);
    store.fail_next([Fault::Missing]);
    assert!(registry.pointer(&live()).await.unwrap().is_none());
    assert_eq!(store.requests() - before, 2);
    store.fail_next([Fault::Forbidden]);
    let id = draft("one", 1).id();
    assert_eq!(kind(registry.fetch(id, None, u64::MAX, &Cache::none()).await), ErrorKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn every_single_fault_on_the_way_is_survived_or_told() {
    let faults = [
        Fault::Forbidden,
        Fault::Missing,
        Fault::Busy,
        Fault::Stale,
        Fault::Unavailable,
        Fault::AnswerLost,
        Fault::HalfAnswer,
        Fault::Slow(Duration::from_secs(60)),
    ];
    let key = publisher(1);
    for fault in faults {
        for nth in 0.. {
            let (store, registry) = memory();
            publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap();
            let before = store.requests();
            store.fail_next(vec![Fault::None; nth].into_iter().chain([fault.clone()]));
            let result = publish_live(&registry, &draft("two", 2), &key, 2).await;
            let asked = store.requests() - before;
            store.revive();
            let pointer = registry.pointer(&live()).await.unwrap().unwrap();
            let whole = registry.fetch(pointer.release, Some(engine()), u64::MAX, &Cache::none()).await;
            assert!(whole.is_ok(), "{fault:?} at request {nth}: what the channel holds is whole");
            let history = registry.history(&live(), 100).await.unwrap();
            match &result {
                Ok(moved) => {
                    assert_eq!(moved.pointer.release, draft("two", 2).id());
                    assert_eq!((pointer.revision, pointer.release), (2, draft("two", 2).id()));
                }
                Err(error) => {
                    super::sentence(error);
                    assert_eq!((pointer.revision, history.len()), (1, 1), "{fault:?} at request {nth}: {error}");
                }
            }
            let transient = matches!(
                fault,
                Fault::Unavailable | Fault::AnswerLost | Fault::HalfAnswer | Fault::Slow(_) | Fault::Busy
            );
            assert!(result.is_ok() || !transient, "{fault:?} at request {nth}: {result:?}");
            if asked <= nth as u64 {
                assert!(nth > 20, "there are more requests than that");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_made_twice() {
    let (store, registry) = memory();
    let key = publisher(1);
    let id = publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    // Requests of a move: the manifest, the channels, the pointer, the history's entry and listing, the hosts.
    for nth in 0..12 {
        let before = registry.pointer(&live()).await.unwrap().unwrap().revision;
        store.fail_next(vec![Fault::None; nth].into_iter().chain([Fault::AnswerLost]));
        let moved = registry.promote(id, Action::Promote, &moving(1), Some(&key)).await.unwrap();
        store.revive();
        assert_eq!(moved.pointer.revision, before + 1, "request {nth}");
        assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().revision, before + 1, "request {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn won_and_overtaken_is_won() {
    // Our pointer is written, the answer is lost, and somebody moves on from it before we look again.
    let store = FaultyStore::memory();
    let key = publisher(1);
    let (ours, theirs) = (registry(&store, &[&key]), registry(&store.sibling(), &[&key]));
    let id = publish_live(&ours, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    // Ours: 6 requests before the pointer is written; then the answer is lost, and the second try is slow.
    let slow = Fault::Slow(Duration::from_secs(4));
    store.fail_next(vec![Fault::None; 6].into_iter().chain([Fault::AnswerLost, slow]));
    let how = crate::Move { expected: Some(1), by: "us".into(), ..moving(5) };
    let us = tokio::spawn(async move { ours.promote(id, Action::Promote, &how, Some(&publisher(1))).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pointer = theirs.pointer(&live()).await.unwrap().unwrap();
    assert_eq!((pointer.revision, pointer.by.as_str()), (2, "us"), "the plan of faults fits the requests");
    let them = theirs.promote(id, Action::Promote, &moving(6), Some(&key)).await.unwrap();
    assert_eq!(them.pointer.revision, 3);
    assert_eq!(us.await.unwrap().unwrap().pointer.revision, 2, "we are told that we won");
}

#[tokio::test(start_paused = true)]
async fn a_watch_survives_whatever_the_store_does() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let patience = crate::Patience { tries: 1, ..crate::Patience::default() };
    let registry = registry.with_patience(patience);
    let mut watch = Watch::new(live(), 0);
    watch.look(&registry).await.unwrap();
    let before = store.requests();
    let faults = [Fault::Forbidden, Fault::Missing, Fault::Unavailable, Fault::AnswerLost];
    for fault in faults {
        store.fail_next([fault.clone()]);
        assert!(watch.look(&registry).await.is_err(), "{fault:?}");
        assert!(watch.look(&registry).await.unwrap().is_none(), "{fault:?}");
    }
    assert_eq!(store.requests() - before, 8, "one request a look");
}

#[tokio::test]
async fn a_release_that_does_not_fit_is_not_begun() {
    let (store, registry) = memory();
    let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
    let bytes: u64 = draft("one", 1).manifest().blobs().iter().map(|blob| blob.bytes).sum();
    let before = store.requests();
    assert_eq!(kind(registry.fetch(id, None, bytes - 1, &Cache::none()).await), ErrorKind::TooLarge);
    assert_eq!(store.requests() - before, 1, "the manifest was read, and no blob");
    registry.fetch(id, None, bytes, &Cache::none()).await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let (store, registry) = memory();
    let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
    store.tamper("pipelines/clickstream/channels/live.json", vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!(kind(registry.pointer(&live()).await), ErrorKind::TooLarge);
    store.tamper(&format!("pipelines/clickstream/releases/{id}/manifest.json"), vec![b' '; 1024 * 1024 + 1]).await;
    assert_eq!(kind(registry.release(id).await), ErrorKind::TooLarge);
    let list = format!("pipelines/clickstream/releases/{id}/compiled/{}.json", engine());
    store.tamper(&list, vec![b' '; 256 * 1024 + 1]).await;
    assert_eq!(kind(registry.compiled(id, engine()).await), ErrorKind::TooLarge);
}
