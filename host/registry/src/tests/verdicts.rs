//! What hosts concluded about a revision, and for how long it is known.

use super::memory;
use crate::testing::{FaultyStore, draft, live, publish_live, publisher};
use crate::{HostReport, Name, Outcome, Probation, Registry, Tally, gc};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The stores of these tests stamp objects with the system's time.
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn says(registry: &Registry, host: &str, revision: u64, outcome: Outcome) {
    let release = draft("one", 1).id();
    let verdict = Probation { release, revision, outcome, at_ms: 1, reason: "r".repeat(5_000) };
    registry.write_verdict(&live(), &Name::new(host).unwrap(), &verdict).await.unwrap();
}

async fn tally(registry: &Registry, revision: u64) -> Tally {
    registry.verdicts(&live(), revision).await.unwrap()
}

#[tokio::test]
async fn verdicts_are_counted_by_revision_and_host() {
    let (store, registry) = memory();
    assert_eq!(tally(&registry, 3).await, Tally::default());
    says(&registry, "a", 3, Outcome::Running).await;
    assert_eq!(store.paths().await, Vec::<String>::new(), "what goes on is no verdict");
    says(&registry, "a", 3, Outcome::Returned).await;
    says(&registry, "a", 3, Outcome::Returned).await;
    assert_eq!(tally(&registry, 3).await, Tally { returned: 1, ..Tally::default() }, "a host counts once");
    says(&registry, "b", 3, Outcome::Returned).await;
    says(&registry, "c", 3, Outcome::Passed).await;
    says(&registry, "d", 3, Outcome::Passed).await;
    assert_eq!(tally(&registry, 3).await, Tally { passed: 1, returned: 2, running: 0 });
    assert_eq!(tally(&registry, 2).await, Tally::default());
    assert_eq!(tally(&registry, 33).await, Tally::default());
    let other = Name::new("staging").unwrap();
    assert_eq!(registry.verdicts(&other, 3).await.unwrap(), Tally::default());
    // Junk says nothing, and a verdict is no host.
    store.tamper("pipelines/clickstream/hosts/verdicts/live/0000000000000003/junk/x.json", "x").await;
    assert_eq!(tally(&registry, 3).await.returned, 2);
    registry.write_host(&Name::new("a").unwrap(), &HostReport::new(live(), 1)).await.unwrap();
    let hosts = registry.hosts(now_ms()).await.unwrap();
    assert_eq!((hosts.live.len(), hosts.gone, hosts.unreadable.len()), (1, 0, 0));
    let kept = store.read("pipelines/clickstream/hosts/verdicts/live/0000000000000003/returned/a.json").await;
    let kept: Probation = serde_json::from_slice(&kept).unwrap();
    assert_eq!((kept.revision, kept.reason.len()), (3, 1_000));
}

#[test]
fn one_host_decides_unless_the_release_passed_on_another() {
    for (passed, returned, has_passed, has_failed) in [
        (0, 0, false, false),
        (1, 0, true, false),
        (0, 1, false, true),
        (1, 1, true, false),
        (0, 2, false, true),
        (9, 2, false, true),
    ] {
        let tally = Tally { passed, returned, running: 3 };
        assert_eq!((tally.has_passed(), tally.has_failed()), (has_passed, has_failed), "{tally:?}");
        assert_eq!(tally.is_open(), passed + returned == 0, "{tally:?}");
        assert!(!Tally { running: 0, ..tally }.is_open());
    }
}

#[tokio::test]
async fn a_verdict_stays_while_the_channel_holds_the_revision() {
    let (store, registry) = memory();
    for text in ["one", "two"] {
        publish_live(&registry, &draft(text, 1), &publisher(1), now_ms()).await.unwrap();
    }
    for revision in [1, 2] {
        says(&registry, "a", revision, Outcome::Returned).await;
        says(&registry, "a", revision, Outcome::Passed).await;
    }
    let both = Tally { passed: 1, returned: 1, running: 0 };
    gc(registry.store(), now_ms() + DAY_MS - 60_000, false).await.unwrap();
    assert_eq!(tally(&registry, 1).await, both, "a day is not over");
    let collected = gc(registry.store(), now_ms() + 400 * DAY_MS, false).await.unwrap();
    assert_eq!((collected.hosts, tally(&registry, 1).await), (2, Tally::default()));
    assert_eq!(tally(&registry, 2).await, both, "the channel still holds it, after more than a year");
    assert_nothing_else_went(&store).await;
}

async fn assert_nothing_else_went(store: &FaultyStore) {
    let paths = store.paths().await;
    for part in ["/channels/live.json", "/history/live/0000000000000001.json", "/history/live/0000000000000002.json"] {
        assert!(paths.iter().any(|path| path.ends_with(part)), "{part}: {paths:?}");
    }
}
