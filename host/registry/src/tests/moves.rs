//! Promote, roll back, and what the history tells of them.

use super::{kind, memory, registry};
use crate::testing::{Fault, FaultyStore, draft, live, moving, operator, publish_live, publisher, publishing};
use crate::{Action, ErrorKind, HostReport, Move, Name, Outcome, Probation, Refusal, Registry, ReleaseId, Tally};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Hosts' files are stamped with the system's time.
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn publish(registry: &Registry, text: &str) -> ReleaseId {
    publish_live(registry, &draft(text, 1), &publisher(1), now_ms()).await.unwrap().pointer.release
}

/// Lets `hosts` hosts say how the probation of what the channel holds went.
async fn hosts_say(registry: &Registry, outcome: Outcome, hosts: u32) {
    hosts_say_as(registry, outcome, hosts, "host").await;
}

/// The same, the hosts named like this.
async fn hosts_say_as(registry: &Registry, outcome: Outcome, hosts: u32, name: &str) {
    let pointer = registry.pointer(&live()).await.unwrap().unwrap();
    for number in 0..hosts {
        let probation = Probation {
            release: pointer.release,
            revision: pointer.revision,
            outcome,
            at_ms: 1,
            reason: String::new(),
        };
        let report = HostReport { probations: vec![probation], ..HostReport::new(live(), 1) };
        registry.write_host(&Name::new(&format!("{name}-{number}")).unwrap(), &report).await.unwrap();
    }
}

async fn roll_back(registry: &Registry) -> crate::Result<ReleaseId> {
    Ok(registry.rollback(&moving(now_ms()), Some(&publisher(1))).await?.pointer.release)
}

#[tokio::test]
async fn pressing_it_twice_never_returns_to_the_bad_one() {
    let (_store, registry) = memory();
    let mut good = Vec::new();
    for text in ["a", "b", "c"] {
        good.push(publish(&registry, text).await);
        hosts_say(&registry, Outcome::Passed, 1).await;
    }
    let bad = publish(&registry, "bad").await;
    hosts_say(&registry, Outcome::Returned, 3).await;
    let moved = registry.rollback(&moving(now_ms()), Some(&publisher(1))).await.unwrap();
    assert_eq!(moved.pointer.release, good[2]);
    assert_eq!(moved.pointer.previous, Some(good[1]), "and if that is bad too");
    assert_eq!(moved.pointer.action, Action::RollBack);
    let left = moved.pointer.left.clone().unwrap();
    assert_eq!((left.release, left.probation), (bad, Some(Tally { returned: 3, ..Tally::default() })));
    assert_eq!(moved.before.unwrap().release, bad);
    assert_eq!(roll_back(&registry).await.unwrap(), good[1]);
    assert_eq!(roll_back(&registry).await.unwrap(), good[0]);
    assert_eq!(kind(roll_back(&registry).await), ErrorKind::Refused(Refusal::NothingToRollBackTo));
    let pointer = registry.pointer(&live()).await.unwrap().unwrap();
    assert_eq!(pointer.bad, [bad, good[2], good[1]]);
}

#[tokio::test]
async fn a_rollback_prefers_what_passed() {
    let (_store, registry) = memory();
    let passed = publish(&registry, "passed").await;
    hosts_say(&registry, Outcome::Passed, 2).await;
    publish(&registry, "failed").await;
    hosts_say(&registry, Outcome::Returned, 2).await;
    publish(&registry, "nobody saw it").await;
    hosts_say(&registry, Outcome::Running, 2).await;
    publish(&registry, "current").await;
    assert_eq!(roll_back(&registry).await.unwrap(), passed);
    // Nothing else passed: the one that nobody saw is better than nothing, the one that failed is not.
    assert_eq!(roll_back(&registry).await.unwrap(), draft("nobody saw it", 1).id());
    assert_eq!(kind(roll_back(&registry).await), ErrorKind::Refused(Refusal::NothingToRollBackTo));
}

#[tokio::test]
async fn one_host_that_went_back_is_the_hosts_fault() {
    let (_store, registry) = memory();
    let passed = publish(&registry, "passed").await;
    hosts_say(&registry, Outcome::Passed, 3).await;
    let report = HostReport {
        probations: vec![Probation {
            release: passed,
            revision: 1,
            outcome: Outcome::Returned,
            at_ms: 1,
            reason: "slow".into(),
        }],
        ..HostReport::new(live(), 1)
    };
    registry.write_host(&Name::new("host-9").unwrap(), &report).await.unwrap();
    let second = publish_live(&registry, &draft("second", 1), &publisher(1), now_ms()).await.unwrap();
    let left = second.pointer.left.unwrap();
    assert_eq!(left.probation, Some(Tally { passed: 3, returned: 1, running: 0 }));
    assert!(left.probation.unwrap().has_passed());
    assert_eq!(roll_back(&registry).await.unwrap(), passed);
}

#[tokio::test]
async fn a_bad_release_needs_force_on_every_channel() {
    let (_store, registry) = memory();
    publish(&registry, "good").await;
    let bad = publish(&registry, "bad").await;
    roll_back(&registry).await.unwrap();
    let staging = Move { channel: Name::new("staging").unwrap(), ..moving(now_ms()) };
    for how in [moving(now_ms()), staging] {
        let refused = registry.promote(bad, Action::Promote, &how, Some(&publisher(1))).await;
        assert_eq!(kind(refused), ErrorKind::Refused(Refusal::BadRelease), "{}", how.channel);
        let forced = Move { force: true, ..how };
        registry.promote(bad, Action::Promote, &forced, Some(&publisher(1))).await.unwrap();
    }
    // Forced or not, a rollback never goes there again.
    let third = publish(&registry, "third").await;
    let pointer = registry.pointer(&live()).await.unwrap().unwrap();
    assert_eq!(pointer.release, third);
    assert_eq!(pointer.previous, Some(draft("good", 1).id()), "hosts do not fall back to a bad one either");
    assert_eq!(roll_back(&registry).await.unwrap(), draft("good", 1).id());
}

#[tokio::test]
async fn an_operator_goes_back_and_forth_and_nowhere_else() {
    let store = FaultyStore::memory();
    let (publisher, operator) = (publisher(1), operator(2));
    let registry = registry(&store, &[&publisher, &operator]);
    let first = publish(&registry, "first").await;
    let second = publish(&registry, "second").await;
    let never_held = registry.publish(&draft("third", 1), publishing(&publisher, 1)).await.unwrap();

    let back = registry.rollback(&moving(now_ms()), Some(&operator)).await.unwrap().pointer;
    assert_eq!((back.release, back.by_publisher), (first, false));
    let seen = registry.pointer(&live()).await.unwrap().unwrap();
    assert_eq!(seen.signer, Some(operator.public().id()), "a host takes it");
    // From an operator's pointer to the next one: proofs are handed on.
    let forced = Move { force: true, ..moving(now_ms()) };
    let forth = registry.promote(second, Action::Promote, &forced, Some(&operator)).await.unwrap().pointer;
    assert_eq!((forth.release, forth.previous), (second, Some(first)));
    assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().release, second);

    let before = store.writes();
    let refused = registry.promote(never_held, Action::Promote, &moving(now_ms()), Some(&operator)).await;
    assert_eq!(kind(refused), ErrorKind::Refused(Refusal::NeedsPublisher));
    let refused = registry.publish(&draft("fourth", 1), publishing(&operator, 1)).await;
    assert_eq!(kind(refused), ErrorKind::Refused(Refusal::KeyPurpose));
    let staging = Move { channel: Name::new("staging").unwrap(), ..moving(now_ms()) };
    let refused = registry.promote(first, Action::Promote, &staging, Some(&operator)).await;
    assert_eq!(kind(refused), ErrorKind::Refused(Refusal::NeedsPublisher), "held by another channel is not held");
    // The one write is the history's entry that a move makes sure of.
    assert!(store.writes() <= before + 1);
}

#[tokio::test(start_paused = true)]
async fn two_who_roll_back_at_once_go_back_once() {
    let (store, registry) = memory();
    for text in ["a", "b", "c"] {
        publish(&registry, text).await;
    }
    let other = super::registry(&store.sibling(), &[&publisher(1)]);
    let how = moving(now_ms());
    let key = publisher(1);
    // One has read the pointer when the other begins.
    store.fail_next([Fault::None, Fault::Slow(Duration::from_secs(1))]);
    let (one, two) = tokio::join!(registry.rollback(&how, Some(&key)), other.rollback(&how, Some(&key)));
    let lost: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(lost.iter().map(crate::Error::kind).collect::<Vec<_>>(), [ErrorKind::Conflict]);
    assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().release, draft("b", 1).id());
}

#[tokio::test]
async fn an_operator_moves_without_what_it_cannot_prove() {
    let store = FaultyStore::memory();
    let (one, two, operator) = (publisher(1), publisher(3), operator(2));
    let all = registry(&store, &[&one, &two, &operator]);
    let first = publish_live(&all, &draft("first", 1), &one, 1).await.unwrap().pointer.release;
    publish_live(&all, &draft("second", 2), &two, 2).await.unwrap();
    let third = publish_live(&all, &draft("third", 3), &one, 3).await.unwrap().pointer.release;
    // The second publisher's key is trusted no more; its release can neither run nor prove anything.
    let fewer = registry(&store, &[&one, &operator]);
    let moved = fewer.promote(first, Action::Promote, &moving(4), Some(&operator)).await.unwrap().pointer;
    assert_eq!((moved.release, moved.previous), (first, Some(third)));
    assert_eq!(fewer.pointer(&live()).await.unwrap().unwrap().release, first);
    let refused = fewer.promote(draft("second", 2).id(), Action::Promote, &moving(5), Some(&operator)).await;
    assert_eq!(super::untrusted(refused), crate::Untrusted::UnknownKey);
}

#[tokio::test]
async fn a_mover_is_told_what_it_did_not_look_at() {
    let (store, registry) = memory();
    let first = publish(&registry, "first").await;
    let how = |expected| Move { expected: Some(expected), ..moving(now_ms()) };
    let before = store.writes();
    for expected in [0, 2] {
        let lost = registry.promote(first, Action::Promote, &how(expected), Some(&publisher(1))).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Conflict);
        assert!(lost.to_string().contains("revision 1) by ann"), "{lost}");
    }
    assert_eq!(store.writes(), before);
    assert_eq!(
        registry.promote(first, Action::Promote, &how(1), Some(&publisher(1))).await.unwrap().pointer.revision,
        2
    );
    assert_eq!(kind(registry.rollback(&how(1), Some(&publisher(1))).await), ErrorKind::Conflict);
}

#[tokio::test]
async fn nothing_is_moved_to_what_is_not_there_or_not_trusted() {
    let (store, registry) = memory();
    let missing = draft("never published", 1).id();
    let how = moving(1);
    assert_eq!(kind(registry.promote(missing, Action::Promote, &how, Some(&publisher(1))).await), ErrorKind::NotFound);
    assert_eq!(
        kind(registry.rollback(&how, Some(&publisher(1))).await),
        ErrorKind::Refused(Refusal::NothingToRollBackTo)
    );
    let other = super::registry(&store, &[&publisher(3)]);
    let id = other.publish(&draft("other's", 1), publishing(&publisher(3), 1)).await.unwrap();
    let refused = registry.promote(id, Action::Promote, &how, Some(&publisher(1))).await;
    assert_eq!(super::untrusted(refused), crate::Untrusted::UnknownKey);
    for (by, why) in [("a\u{1b}[2J", "x"), ("x", "line\nbreak"), (&*"x".repeat(501), "x")] {
        let how = Move { by: by.to_owned(), why: why.to_owned(), ..moving(1) };
        let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
        assert_eq!(kind(registry.promote(id, Action::Promote, &how, Some(&publisher(1))).await), ErrorKind::Invalid);
    }
    assert!(registry.pointer(&live()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_history_tells_what_was_live_when() {
    let (store, registry) = memory();
    let mut ids = Vec::new();
    for (text, at_ms) in [("a", 100), ("b", 200), ("c", 150), ("d", 400)] {
        let moved = publish_live(&registry, &draft(text, at_ms), &publisher(1), at_ms).await.unwrap();
        ids.push(moved.pointer.release);
    }
    let at = |at_ms| {
        let registry = &registry;
        async move { registry.release_at(&live(), at_ms).await.unwrap().map(|pointer| pointer.release) }
    };
    assert_eq!(at(99).await, None);
    assert_eq!(at(100).await, Some(ids[0]));
    assert_eq!(at(199).await, Some(ids[0]));
    assert_eq!(at(200).await, Some(ids[2]), "a mover's clock that is behind does not go back in the channel's time");
    assert_eq!(at(u64::MAX).await, Some(ids[3]));
    let revisions = |history: Vec<crate::Revision>| history.iter().map(|entry| entry.revision).collect::<Vec<_>>();
    assert_eq!(revisions(registry.history(&live(), 100).await.unwrap()), [4, 3, 2, 1]);
    assert_eq!(revisions(registry.history(&live(), 2).await.unwrap()), [4, 3]);
    // What is missing or damaged is shown as that, and not passed over when it may be the answer.
    let entry = |revision: u64| format!("pipelines/clickstream/history/live/{revision:016}.json");
    store.remove(&entry(3)).await;
    store.tamper(&entry(2), "damaged").await;
    let history = registry.history(&live(), 100).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|entry| entry.pointer.as_ref().map_err(crate::Error::kind).err()).collect();
    let damaged = Some(ErrorKind::Untrusted(crate::Untrusted::Malformed));
    assert_eq!(kinds, [None, Some(ErrorKind::NotFound), damaged, None]);
    assert!(registry.release_at(&live(), 300).await.is_err());
    assert_eq!(kind(registry.history(&Name::new("nobody").unwrap(), 1).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_host_that_cannot_compile_finds_the_newest_compiled_release() {
    let (_store, registry) = memory();
    let mut ids = Vec::new();
    for text in ["a", "b", "bad", "d"] {
        ids.push(publish(&registry, text).await);
        if text == "bad" {
            roll_back(&registry).await.unwrap();
        }
    }
    let engine = "5".repeat(64).parse().unwrap();
    let pointer = registry.pointer(&live()).await.unwrap().unwrap();
    assert_eq!(registry.newest_compiled(&pointer, engine, 100, &[]).await.unwrap(), None);
    for id in [ids[0], ids[2]] {
        let release = registry.release(id).await.unwrap();
        let wasm = release.manifest.plugins[0].wasm.digest;
        let compiled = crate::DraftCompiled {
            engine,
            artifacts: [(wasm, bytes::Bytes::from_static(b"code"))].into(),
            at_ms: 1,
            by: "ann".into(),
        };
        registry.add_compiled(id, &[compiled], publishing(&publisher(1), 1)).await.unwrap();
    }
    assert_eq!(registry.newest_compiled(&pointer, engine, 100, &[]).await.unwrap(), Some(ids[0]), "not the bad one");
    assert_eq!(registry.newest_compiled(&pointer, engine, 1, &[]).await.unwrap(), None);
    let newest = async |except: &[ReleaseId]| {
        let pointer = registry.pointer(&live()).await.unwrap().unwrap();
        registry.newest_compiled(&pointer, crate::testing::engine(), 100, except).await.unwrap()
    };
    assert_eq!(newest(&[]).await, Some(ids[3]));
    assert_eq!(newest(&[ids[3]]).await, Some(ids[1]), "not what hosts have left");
    // What hosts had gone back from when the channel was moved on is in its history.
    hosts_say(&registry, Outcome::Returned, 1).await;
    let last = publish(&registry, "e").await;
    assert_eq!(newest(&[]).await, Some(last));
    assert_eq!(newest(&[last]).await, Some(ids[1]));
}

#[tokio::test]
async fn what_hosts_fall_back_to_has_passed_as_far_as_the_mover_can_see() {
    // What hosts say of the second release when the third one comes, and whether hosts that take the third one fall
    // back to the second; to the first one otherwise.
    for (said, second) in [
        (&[][..], true),
        (&[(Outcome::Running, 1)], false),
        (&[(Outcome::Running, 2), (Outcome::Passed, 1)], true),
        (&[(Outcome::Returned, 1)], false),
        (&[(Outcome::Returned, 1), (Outcome::Passed, 1)], true),
        (&[(Outcome::Returned, 2), (Outcome::Passed, 5)], false),
    ] {
        let (_store, registry) = memory();
        let ids = [publish(&registry, "first").await, publish(&registry, "second").await];
        for (outcome, hosts) in said {
            hosts_say_as(&registry, *outcome, *hosts, &format!("{outcome:?}").to_lowercase()).await;
        }
        publish(&registry, "third").await;
        let pointer = registry.pointer(&live()).await.unwrap().unwrap();
        assert_eq!(pointer.previous, Some(ids[usize::from(second)]), "{said:?}");
    }
}

#[tokio::test]
async fn verdicts_count_when_their_hosts_are_long_gone() {
    let (_store, registry) = memory();
    let first = publish(&registry, "first").await;
    publish(&registry, "second").await;
    let pointer = registry.pointer(&live()).await.unwrap().unwrap();
    let host = Name::new("host-1").unwrap();
    let verdict = Probation {
        release: pointer.release,
        revision: pointer.revision,
        outcome: Outcome::Returned,
        at_ms: 1,
        reason: String::new(),
    };
    registry.write_verdict(&live(), &host, &verdict).await.unwrap();
    let day_later = now_ms() + 24 * 60 * 60 * 1000;
    let moved = publish_live(&registry, &draft("third", 1), &publisher(1), day_later).await.unwrap().pointer;
    assert_eq!(moved.left.unwrap().probation, Some(Tally { returned: 1, ..Tally::default() }));
    assert_eq!(moved.previous, Some(first));
    assert_eq!(roll_back(&registry).await.unwrap(), first, "not to the one that a host went back from");
}

#[tokio::test]
async fn a_forced_move_says_so_and_the_next_one_does_not() {
    let (_store, registry) = memory();
    let id = publish(&registry, "a").await;
    let forced = Move { force: true, ..moving(now_ms()) };
    let signer = publisher(1);
    assert!(registry.promote(id, Action::Promote, &forced, Some(&signer)).await.unwrap().pointer.forced);
    publish(&registry, "b").await;
    assert!(!registry.pointer(&live()).await.unwrap().unwrap().forced);
    let back = registry.rollback(&forced, Some(&signer)).await.unwrap().pointer;
    assert!(!back.forced, "nobody insists on what a rollback finds");
}
