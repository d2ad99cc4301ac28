//! What a host takes for its channel's pointer, and what it never does.

use super::{kind, memory, registry, untrusted};
use crate::pointer::{self, POINTER_BYTES_MAX, PointerBody};
use crate::testing::{FaultyStore, draft, live, moving, operator, pipeline, publish_live, publisher, trusting};
use crate::{
    Action, ErrorKind, Left, Name, OPERATOR_MOVES_MAX, Pointer, REVISION_MAX, Refusal, ReleaseId, SigningKey, Trust,
    Untrusted, Watch,
};

const PATH: &str = "pipelines/clickstream/channels/live.json";

fn release(number: u8) -> ReleaseId {
    ReleaseId(crate::Digest::of(&[number]))
}

fn next(revision: u64, to: ReleaseId, previous: Option<ReleaseId>, held: Vec<String>) -> PointerBody {
    PointerBody {
        revision,
        release: to,
        previous,
        left: Some(Left { release: release(9), probation: None }),
        action: Action::Promote,
        at_ms: 1,
        by: "ann".to_owned(),
        why: "a test".to_owned(),
        nonce: "n".to_owned(),
        bad: Vec::new(),
        forced: false,
        held,
    }
}

fn sealed(channel: &str, next: PointerBody, key: &SigningKey) -> String {
    pointer::seal(&pipeline(), &Name::new(channel).unwrap(), next, Some(key)).unwrap()
}

fn verify(text: &str, trust: &Trust) -> crate::Result<Pointer> {
    Pointer::verify(text.as_bytes(), trust, &pipeline(), &live())
}

#[test]
fn an_operators_pointer_must_prove_every_release_it_wants_run() {
    let (publisher, other, operator) = (publisher(1), publisher(3), operator(2));
    let trust = trusting(&[&publisher, &operator]);
    let held = |number: u8| sealed("live", next(1, release(number), None, Vec::new()), &publisher);
    let by_operator = |previous, held| verify(&sealed("live", next(5, release(1), previous, held), &operator), &trust);
    assert!(by_operator(None, vec![held(1)]).is_ok());
    assert!(by_operator(Some(release(2)), vec![held(1), held(2)]).is_ok());
    assert!(by_operator(Some(release(2)), vec![held(2), held(1)]).is_ok());

    assert_eq!(untrusted(by_operator(None, vec![])), Untrusted::NeverHeld);
    assert_eq!(untrusted(by_operator(None, vec![held(2)])), Untrusted::NeverHeld);
    assert_eq!(
        untrusted(by_operator(Some(release(2)), vec![held(1)])),
        Untrusted::NeverHeld,
        "a host may run previous"
    );
    // A publisher's pointer proves its release only: that one may never have run anything else.
    let names_both = sealed("live", next(1, release(1), Some(release(2)), Vec::new()), &publisher);
    assert_eq!(untrusted(by_operator(Some(release(2)), vec![names_both])), Untrusted::NeverHeld);
    // Proofs from elsewhere.
    let staging = sealed("staging", next(1, release(1), None, Vec::new()), &publisher);
    assert_eq!(untrusted(by_operator(None, vec![staging])), Untrusted::Place);
    let stranger = sealed("live", next(1, release(1), None, Vec::new()), &other);
    assert_eq!(untrusted(by_operator(None, vec![stranger])), Untrusted::UnknownKey);
    let own = sealed("live", next(4, release(1), None, vec![held(1)]), &operator);
    assert_eq!(untrusted(by_operator(None, vec![own])), Untrusted::NeverHeld, "an operator's word proves nothing");
    assert_eq!(untrusted(by_operator(None, vec![held(1); 4])), Untrusted::Malformed);
    let mut forged = held(2);
    forged = forged.replace(&release(2).to_string(), &release(1).to_string());
    assert_eq!(untrusted(by_operator(None, vec![forged])), Untrusted::Signature);
    // A publisher needs no proof, and what it holds is not looked at.
    assert!(verify(&sealed("live", next(5, release(1), None, vec!["x".into()]), &publisher), &trust).is_ok());
}

#[test]
fn an_operators_pointer_is_not_far_beyond_a_publishers() {
    let (publisher, operator) = (publisher(1), operator(2));
    let trust = trusting(&[&publisher, &operator]);
    let held = |revision, number| sealed("live", next(revision, release(number), None, Vec::new()), &publisher);
    let most = OPERATOR_MOVES_MAX;
    // A reader that has never seen the channel judges by the pointer alone, after however many years.
    for (revision, held, taken) in [
        (1 + most, vec![held(1, 1)], true),
        (2 + most, vec![held(1, 1)], false),
        (REVISION_MAX, vec![held(1, 1)], false),
        // An old release, proven by an old pointer, and a newer one that says how far publishers have come.
        (36_500 + most, vec![held(1, 1), held(36_500, 2)], true),
        (36_501 + most, vec![held(1, 1), held(36_500, 2)], false),
    ] {
        let read = verify(&sealed("live", next(revision, release(1), None, held), &operator), &trust);
        match taken {
            true => assert_eq!(read.unwrap().revision, revision),
            false => assert_eq!(untrusted(read), Untrusted::Jumped, "{revision}"),
        }
    }
    // A publisher may put anything on the channel, so its revision is no further bounded.
    assert!(verify(&sealed("live", next(REVISION_MAX, release(1), None, vec![]), &publisher), &trust).is_ok());
}

#[tokio::test]
async fn an_operators_key_cannot_end_a_channel() {
    let store = FaultyStore::memory();
    let (publisher, operator) = (publisher(1), operator(2));
    let registry = registry(&store, &[&publisher, &operator]);
    let good = publish_live(&registry, &draft("good", 1), &publisher, 1).await.unwrap().pointer;
    let mut host = Watch::new(live(), 0);
    host.look(&registry).await.unwrap();
    // Whoever stole the key and may write the bucket goes as far as they can.
    let jump = |revision| sealed("live", next(revision, good.release, None, vec![good.text.clone()]), &operator);
    store.tamper(PATH, jump(REVISION_MAX)).await;
    assert_eq!(untrusted(host.look(&registry).await), Untrusted::Jumped);
    store.tamper(PATH, jump(1 + OPERATOR_MOVES_MAX)).await;
    assert_eq!(host.look(&registry).await.unwrap().unwrap().revision, 1 + OPERATOR_MOVES_MAX);
    // Operators are at their bound; a publisher goes on from there, and then operators may again.
    let refused = registry.promote(good.release, Action::Promote, &moving(2), Some(&operator)).await;
    assert_eq!(kind(refused), ErrorKind::Refused(Refusal::NeedsPublisher));
    let next = publish_live(&registry, &draft("next", 2), &publisher, 2).await.unwrap().pointer;
    assert_eq!(host.look(&registry).await.unwrap().unwrap().revision, next.revision);
    // The old release is proven by an old pointer; a newer one beside it raises the bound.
    let back = registry.rollback(&moving(3), Some(&operator)).await.unwrap().pointer;
    assert_eq!((back.release, back.revision), (good.release, 3 + OPERATOR_MOVES_MAX));
    for reader in [&mut host, &mut Watch::new(live(), 0)] {
        assert_eq!(reader.look(&registry).await.unwrap().unwrap().revision, back.revision);
    }
}

#[test]
fn a_pointer_stays_in_its_place_and_its_bounds() {
    let key = publisher(1);
    let trust = trusting(&[&key]);
    assert_eq!(
        untrusted(verify(&sealed("staging", next(1, release(1), None, vec![]), &key), &trust)),
        Untrusted::Place
    );
    let text = sealed("live", next(1, release(1), None, vec![]), &key);
    let elsewhere = Pointer::verify(text.as_bytes(), &trust, &Name::new("other").unwrap(), &live());
    assert_eq!(untrusted(elsewhere), Untrusted::Place);
    assert_eq!(
        untrusted(verify(&sealed("live", next(0, release(1), None, vec![]), &key), &trust)),
        Untrusted::Malformed
    );
    assert!(verify(&sealed("live", next(REVISION_MAX, release(1), None, vec![]), &key), &trust).is_ok());
    let over = pointer::seal(&pipeline(), &live(), next(REVISION_MAX + 1, release(1), None, vec![]), Some(&key));
    assert_eq!(kind(over), ErrorKind::Invalid);
    let many = PointerBody { bad: vec![release(1); 65], ..next(1, release(1), None, vec![]) };
    assert_eq!(untrusted(verify(&sealed("live", many, &key), &trust)), Untrusted::Malformed);
}

#[test]
fn the_longest_pointer_has_room() {
    let (publisher, operator) = (publisher(1), operator(2));
    let name = Name::new(&"n".repeat(128)).unwrap();
    let longest = |revision, held| PointerBody {
        bad: (0..64).map(release).collect(),
        by: "\u{10ffff}".repeat(500),
        why: "\"".repeat(500),
        nonce: "f".repeat(32),
        ..next(revision, release(1), Some(release(2)), held)
    };
    let proof = |number| {
        let next = PointerBody { release: release(number), ..longest(REVISION_MAX, Vec::new()) };
        pointer::seal(&name, &name, next, Some(&publisher)).unwrap()
    };
    let proofs = vec![proof(1), proof(2), proof(3)];
    let text = pointer::seal(&name, &name, longest(REVISION_MAX, proofs), Some(&operator)).unwrap();
    assert!((text.len() as u64) < POINTER_BYTES_MAX, "{}", text.len());
    Pointer::verify(text.as_bytes(), &trusting(&[&publisher, &operator]), &name, &name).unwrap();
}

#[tokio::test]
async fn an_old_pointer_is_not_taken_again() {
    let (store, registry) = memory();
    let key = publisher(1);
    publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap();
    let old = store.read(PATH).await;
    publish_live(&registry, &draft("two", 2), &key, 2).await.unwrap();
    let mut watch = Watch::new(live(), 0);
    assert_eq!(watch.look(&registry).await.unwrap().unwrap().revision, 2);

    store.tamper(PATH, old.clone()).await;
    for _ in 0..3 {
        assert_eq!(untrusted(watch.look(&registry).await), Untrusted::WentBack);
    }
    assert_eq!(watch.pointer().unwrap().revision, 2, "what was accepted stays");
    // A cold host cannot know, unless it was told.
    assert_eq!(Watch::new(live(), 0).look(&registry).await.unwrap().unwrap().revision, 1);
    assert_eq!(untrusted(Watch::new(live(), 2).look(&registry).await), Untrusted::BelowFloor);

    // The next move goes on from the highest revision, which the history knows: every host takes it.
    let moved = publish_live(&registry, &draft("three", 3), &key, 3).await.unwrap();
    assert_eq!(moved.pointer.revision, 3);
    assert_eq!(watch.look(&registry).await.unwrap().unwrap().revision, 3);

    // Junk in the history is no revision.
    store.tamper("pipelines/clickstream/history/live/0000000000000900.json", old).await;
    store.tamper("pipelines/clickstream/history/live/0000000000000901.json", "junk").await;
    assert_eq!(publish_live(&registry, &draft("four", 4), &key, 4).await.unwrap().pointer.revision, 4);

    // A pointer that is gone does not start again at 1.
    store.remove(PATH).await;
    assert_eq!(kind(watch.look(&registry).await), ErrorKind::NotFound);
    assert_eq!(publish_live(&registry, &draft("five", 5), &key, 5).await.unwrap().pointer.revision, 5);
    assert_eq!(watch.look(&registry).await.unwrap().unwrap().revision, 5);
}

#[tokio::test]
async fn a_channel_that_somebody_tampered_with_is_repaired_on_purpose() {
    let (store, registry) = memory();
    let key = publisher(1);
    let good = publish_live(&registry, &draft("good", 1), &key, 1).await.unwrap().pointer.release;
    let bad = publish_live(&registry, &draft("bad", 2), &key, 2).await.unwrap().pointer.release;
    registry.rollback(&moving(3), Some(&key)).await.unwrap();
    let repair = crate::Move { replace_untrusted: true, ..moving(4) };
    for (damage, revision) in [(&b"junk"[..], 4), (b"", 5)] {
        store.tamper(PATH, damage).await;
        let refused = registry.promote(good, Action::Promote, &moving(4), Some(&key)).await;
        assert_eq!(untrusted(refused), Untrusted::Malformed, "not by accident");
        let moved = registry.promote(good, Action::Promote, &repair, Some(&key)).await.unwrap();
        assert_eq!((moved.pointer.revision, moved.pointer.at_ms), (revision, 4));
        assert!(moved.pointer.calls_bad(bad), "what is bad is known from the history");
    }
    assert_eq!(registry.history(&live(), 10).await.unwrap().len(), 5);
    // Two who repair at once: one wins.
    store.tamper(PATH, "junk").await;
    let how = crate::Move { expected: Some(0), ..repair };
    let (a, b) = tokio::join!(
        registry.promote(good, Action::Promote, &how, Some(&key)),
        registry.promote(good, Action::Promote, &how, Some(&key))
    );
    assert_eq!([&a, &b].iter().filter(|result| result.is_ok()).count(), 1);
    // An old pointer that somebody brought back does not make a bad release good.
    let old = store.read("pipelines/clickstream/history/live/0000000000000001.json").await;
    store.tamper(PATH, old).await;
    let moved = registry.promote(good, Action::Promote, &moving(5), Some(&key)).await.unwrap().pointer;
    assert!(moved.revision > 6 && moved.calls_bad(bad), "{moved:?}");
}

#[tokio::test]
async fn two_pointers_of_one_revision_are_a_fork() {
    let (store, registry) = memory();
    let key = publisher(1);
    publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap();
    let mut watch = Watch::new(live(), 0);
    watch.look(&registry).await.unwrap();
    let good = store.read(PATH).await;
    store.tamper(PATH, sealed("live", next(1, release(1), None, vec![]), &key)).await;
    assert_eq!(untrusted(watch.look(&registry).await), Untrusted::Fork);
    // The good one again, in an object that is another one: nothing moved.
    store.tamper(PATH, good).await;
    assert!(watch.look(&registry).await.unwrap().is_none());
}

#[tokio::test]
async fn a_look_at_what_did_not_move_is_one_cheap_request() {
    let (store, registry) = memory();
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let mut watch = Watch::new(live(), 0);
    watch.look(&registry).await.unwrap();
    let before = store.requests();
    // Half an answer would be noticed; one without a body cannot break off.
    store.fail_next([crate::testing::Fault::HalfAnswer]);
    let mut cold = watch.clone();
    store.revive();
    for _ in 0..10 {
        assert!(watch.look(&registry).await.unwrap().is_none());
        assert!(cold.look(&registry).await.unwrap().is_none());
    }
    assert_eq!(store.requests(), before + 20);
}

#[tokio::test]
async fn a_mover_that_does_not_trust_the_pointer_does_not_move_it() {
    let store = FaultyStore::memory();
    let (one, two) = (publisher(1), publisher(2));
    let knows_one = registry(&store, &[&one]);
    let knows_two = registry(&store, &[&two]);
    publish_live(&knows_one, &draft("one", 1), &one, 1).await.unwrap();
    let before = store.read(PATH).await;
    assert_eq!(untrusted(publish_live(&knows_two, &draft("two", 2), &two, 2).await), Untrusted::UnknownKey);
    store.tamper(PATH, "junk").await;
    let refused = knows_one.rollback(&moving(3), Some(&one)).await;
    assert_eq!(untrusted(refused), Untrusted::Malformed);
    store.tamper(PATH, before).await;
    let knows_both = registry(&store, &[&one, &two]);
    assert_eq!(publish_live(&knows_both, &draft("two", 2), &two, 2).await.unwrap().pointer.revision, 2);
}
