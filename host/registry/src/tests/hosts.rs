//! What hosts say.

use super::memory;
use crate::testing::{draft, live};
use crate::{
    ENTRIES_MAX, GONE_AFTER_MS, HostReport, Minute, Name, Outcome, Probation, Refused, Running, StepMinute, Swap,
    Tally, tally,
};
use std::time::{SystemTime, UNIX_EPOCH};

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn full(entries: usize) -> HostReport {
    let release = draft("one", 1).id();
    let refused =
        Refused { release: Some(release), revision: 1, at_ms: 1, kind: "k".into(), reason: "r".repeat(5_000) };
    let swap = Swap { from: None, to: release, at_ms: 1, took_us: 900 };
    let probation = Probation { release, revision: 1, outcome: Outcome::Returned, at_ms: 1, reason: "r".repeat(5_000) };
    HostReport {
        running: Some(Running { release, since_ms: 1 }),
        revision: 7,
        engine: Some(crate::testing::engine()),
        paddle: "0.1.0".into(),
        refused: vec![refused; entries],
        swaps: vec![swap; entries],
        probations: vec![probation; entries],
        minute: Some(Minute {
            span_ms: 60_000,
            events: 9,
            documents: 8,
            dropped: 1,
            failures: [("trap".to_owned(), 2)].into(),
            steps: [("mask".to_owned(), StepMinute { events: 9, time_ns: 2_200 })].into(),
            deadline_stops: 1,
            iterator_age_ms: 50,
        }),
        ..HostReport::new(live(), 5)
    }
}

#[tokio::test]
async fn a_report_is_read_as_it_was_written_and_bounded() {
    let (_store, registry) = memory();
    let name = Name::new("host-1").unwrap();
    registry.write_host(&name, &full(3)).await.unwrap();
    let hosts = registry.hosts(now_ms()).await.unwrap();
    let (read_name, report) = &hosts.live[0];
    assert_eq!((read_name, report.minute.clone(), report.running), (&name, full(3).minute, full(3).running));
    registry.write_host(&name, &full(10_000)).await.unwrap();
    let hosts = registry.hosts(now_ms()).await.unwrap();
    let report = &hosts.live[0].1;
    assert_eq!([report.refused.len(), report.swaps.len(), report.probations.len()], [ENTRIES_MAX; 3]);
    assert_eq!(report.refused[0].reason.len(), 1_000);
}

#[tokio::test]
async fn hosts_that_said_nothing_for_long_are_gone() {
    let (store, registry) = memory();
    for number in 0..20 {
        registry.write_host(&Name::new(&format!("host-{number}")).unwrap(), &full(0)).await.unwrap();
    }
    store.tamper("pipelines/clickstream/hosts/broken.json", "{").await;
    store.tamper("pipelines/clickstream/hosts/huge.json", vec![b' '; 300_000]).await;
    let hosts = registry.hosts(now_ms()).await.unwrap();
    assert_eq!((hosts.live.len(), hosts.unreadable.len(), hosts.gone, hosts.unread), (20, 2, 0, 0));
    hosts.unreadable.iter().for_each(|(_, error)| drop(super::sentence(error).to_string()));
    let hosts = registry.hosts(now_ms() + GONE_AFTER_MS).await.unwrap();
    assert_eq!((hosts.live.len(), hosts.gone), (0, 22));
}

#[test]
fn a_tally_counts_the_last_word_about_this_very_revision() {
    let release = draft("one", 1).id();
    let other = draft("two", 1).id();
    let host = |channel: Name, words: &[(crate::ReleaseId, u64, Outcome)]| {
        let probation = |(release, revision, outcome): &(crate::ReleaseId, u64, Outcome)| Probation {
            release: *release,
            revision: *revision,
            outcome: *outcome,
            at_ms: 1,
            reason: String::new(),
        };
        HostReport { probations: words.iter().map(probation).collect(), ..HostReport::new(channel, 1) }
    };
    let staging = Name::new("staging").unwrap();
    let reports = [
        host(live(), &[(release, 3, Outcome::Running), (release, 3, Outcome::Passed)]),
        host(live(), &[(release, 3, Outcome::Passed), (release, 3, Outcome::Returned)]),
        host(live(), &[(release, 3, Outcome::Running)]),
        host(live(), &[(release, 2, Outcome::Returned), (other, 3, Outcome::Returned)]),
        host(staging, &[(release, 3, Outcome::Passed)]),
        host(live(), &[]),
    ];
    assert_eq!(tally(reports.iter(), &live(), release, 3), Tally { passed: 1, returned: 1, running: 1 });
}
