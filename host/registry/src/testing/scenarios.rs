//! Stories that every kind of store must get through: run over memory and a folder here, over S3 where there is one.

use super::{draft, live, moving, publish_live, publisher, publishing};
use crate::{Action, Cache, Code, ErrorKind, HostReport, Move, Name, Registry, Watch};

/// Two publishers move one channel `rounds` times at once, each having looked at it before: in each round one wins and
/// the other is told, and nothing that was won is lost. Both registries are of one store; the
/// channel `live` must hold nothing.
///
/// # Panics
/// When that is not so.
pub async fn race(one: Registry, other: Registry, rounds: u64) {
    let key = publisher(1);
    let ids = [
        one.publish(&draft("one", 1), publishing(&key, 1)).await.expect("the first one publishes"),
        other.publish(&draft("other", 1), publishing(&key, 1)).await.expect("the other one publishes"),
    ];
    let mut winners = Vec::new();
    for round in 0..rounds {
        let race = |registry: Registry, id, by: &str| {
            let how = Move { expected: Some(round), by: by.to_owned(), ..moving(round) };
            tokio::spawn(async move { registry.promote(id, Action::Promote, &how, Some(&publisher(1))).await })
        };
        let (a, b) = (race(one.clone(), ids[0], "one"), race(other.clone(), ids[1], "other"));
        let results = [a.await.expect("no panic"), b.await.expect("no panic")];
        let won: Vec<_> = results.iter().flatten().collect();
        assert_eq!(won.len(), 1, "round {round}: one wins, {results:?}");
        assert_eq!(won[0].pointer.revision, round + 1, "round {round}");
        for lost in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(lost.kind(), ErrorKind::Conflict, "round {round}: {lost}");
        }
        winners.push((won[0].pointer.release, won[0].pointer.by.clone()));
    }
    let history = one.history(&live(), rounds + 1).await.expect("the history is there");
    let told: Vec<_> = history
        .iter()
        .rev()
        .map(|entry| entry.pointer.as_ref().expect("every revision is there"))
        .map(|pointer| (pointer.release, pointer.by.clone()))
        .collect();
    assert_eq!(told, winners, "the history tells every move, in order");
}

/// A channel is published, watched, fetched, moved, rolled back and listed. `live` must hold nothing.
///
/// # Panics
/// When something is not as it should be.
pub async fn life_of_a_channel(registry: Registry) {
    let key = publisher(1);
    let first = publish_live(&registry, &draft("first", 1), &key, 1).await.expect("published");
    let mut watch = Watch::new(live(), 0);
    let seen = watch.look(&registry).await.expect("the channel is there").expect("it is new");
    assert_eq!((seen.revision, seen.release), (1, first.pointer.release));
    assert!(watch.look(&registry).await.expect("the channel is there").is_none(), "nothing moved");

    let engine = super::engine();
    let fetched =
        registry.fetch(seen.release, Some(engine), u64::MAX, &Cache::none()).await.expect("the release is whole");
    assert!(fetched.code.values().all(|code| matches!(code, Code::Compiled(_))));
    let other_engine = "0".repeat(64).parse().expect("64 digits");
    let fetched =
        registry.fetch(seen.release, Some(other_engine), u64::MAX, &Cache::none()).await.expect("the release is whole");
    assert!(fetched.code.values().all(|code| matches!(code, Code::Wasm(_))));
    assert_eq!(fetched.test_records.as_deref(), Some(&b"records first"[..]));

    let second = publish_live(&registry, &draft("second", 2), &key, 2).await.expect("published");
    let seen = watch.look(&registry).await.expect("the channel is there").expect("it was moved");
    assert_eq!((seen.revision, seen.release), (2, second.pointer.release));
    assert_eq!(seen.previous, Some(first.pointer.release));

    let back = registry.rollback(&moving(3), Some(&key)).await.expect("there is a release to go back to");
    assert_eq!((back.pointer.revision, back.pointer.release), (3, first.pointer.release));
    assert!(back.pointer.calls_bad(second.pointer.release));
    let seen = watch.look(&registry).await.expect("the channel is there").expect("it was moved");
    assert_eq!(seen.release, first.pointer.release);

    let host = Name::new("host-1").expect("a name");
    let report = HostReport { revision: 3, ..HostReport::new(live(), 4) };
    registry.write_host(&host, &report).await.expect("written");
    registry.write_host(&host, &report).await.expect("written again");
    let page = registry.releases(0, 10).await.expect("listed");
    assert_eq!((page.rows.len(), page.total), (2, 2));
    assert!(page.rows.iter().all(|row| row.release.is_ok() && row.engines == [engine]));
    assert_eq!(registry.channels().await.expect("listed"), [live()]);
    assert_eq!(registry.history(&live(), 10).await.expect("listed").len(), 3);
}
