//! What a window holds at most, and that records which it leaves are run by the next one.

use super::fakes::{NOW_MS, Retries, event, loaded};
use crate::kinesis;
use crate::outcomes::{PendingDeadLetter, Time};
use crate::time::Clock;
use crate::walk::Rules;
use crate::window::{Bounds, Window};
use crate::workers::Workers;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// What may be in a record.
#[derive(Clone, Copy)]
enum Data {
    /// An event that grows by so many bytes.
    Grow(usize),
    /// An event that is kept with its so many bytes.
    Reject(usize),
    /// A probe of CloudWatch Logs.
    Control,
}

impl Data {
    fn bytes(self, n: usize) -> Vec<u8> {
        match self {
            Data::Grow(bytes) => json!({ "do": "grow", "n": n, "bytes": bytes }).to_string().into_bytes(),
            Data::Reject(bytes) => json!({ "do": "reject", "text": "x".repeat(bytes) }).to_string().into_bytes(),
            Data::Control => unpack::build::gzip(&unpack::build::cloudwatch_control()),
        }
    }
}

/// Runs a batch window by window. Gives how often the step was run.
async fn check(name: &str, data: &[Data], workers: usize, bytes_max: usize) -> u64 {
    let records: Vec<_> = data.iter().enumerate().map(|(n, data)| (n as u64, data.bytes(n))).collect();
    let batch = Arc::new(kinesis::records(event(&records)).unwrap());
    let loaded = Arc::new(loaded(&Retries::default(), &Arc::default()));
    let rules = Arc::new(Rules::of(&loaded.pipeline));
    let mut threads = Workers::start(&loaded, workers).unwrap();
    let clock = Clock::system();
    let far = (clock.now)() + Duration::from_secs(600);
    let time = Time { now_ms: NOW_MS, deadline: far, has_all: None };
    let (mut first, mut delivered, mut dead, mut controls, mut runs) = (0, Vec::new(), 0, 0, 0);
    while first < batch.records.len() {
        let bounds = Bounds { bytes_max, begin_until: far, time };
        let window = Arc::new(Window::new(Arc::clone(&batch), Arc::clone(&rules), first, bounds, clock.clone()));
        let mut outcomes = threads.run(&window).await.unwrap();
        let documents: usize = outcomes.documents.iter().map(|document| document.bytes.len()).sum();
        let held = documents + outcomes.dead_letters.iter().map(PendingDeadLetter::held_bytes).sum::<usize>();
        let documents = outcomes.documents.iter().map(|document| document.bytes.len());
        let largest =
            documents.chain(outcomes.dead_letters.iter().map(PendingDeadLetter::held_bytes)).max().unwrap_or(0);
        assert!(held < bytes_max + workers * largest, "{name}: {held} bytes in a window of {bytes_max}");
        let end = window.end();
        outcomes.end_at(end);
        let settled: Vec<usize> = outcomes.counts.iter().map(|tally| tally.record).collect();
        assert_eq!(settled, (first..end).collect::<Vec<_>>(), "{name}: each record of the window, once and in order");
        delivered.extend(outcomes.documents.iter().map(|document| document.record));
        dead += outcomes.dead_letters.len();
        controls +=
            outcomes.notes.iter().filter(|(record, _)| *record < end).map(|(_, n)| n.control_messages).sum::<u64>();
        runs += outcomes.report.steps[0].events;
        assert!(end > first, "{name}: each window is of use");
        first = end;
    }
    let of = |is: fn(&Data) -> bool| (0..data.len()).filter(move |&at| is(&data[at]));
    assert_eq!(delivered, of(|data| matches!(data, Data::Grow(_))).collect::<Vec<_>>(), "{name}");
    assert_eq!(dead, of(|data| matches!(data, Data::Reject(_))).count(), "{name}");
    assert_eq!(controls, of(|data| matches!(data, Data::Control)).count() as u64, "{name}");
    runs
}

#[tokio::test]
async fn a_window_is_full_to_the_record_however_records_grow() {
    const WINDOW: usize = 1 << 20;
    let mixed = [Data::Grow(700_000), Data::Control, Data::Grow(10), Data::Reject(50_000), Data::Grow(200_000)];
    for (name, data) in [
        ("records that grow", vec![Data::Grow(300_000); 40]),
        ("records that grow beyond a window", vec![Data::Grow(990_000); 24]),
        ("small ones, then one that grows", [vec![Data::Grow(1); 200], vec![Data::Grow(990_000); 20]].concat()),
        ("dead letters", vec![Data::Reject(40_000); 60]),
        ("of all kinds", mixed.iter().copied().cycle().take(120).collect()),
        ("nothing in them", vec![Data::Control; 40]),
    ] {
        for workers in [1, 3] {
            check(name, &data, workers, WINDOW).await;
        }
    }
}

/// A window that will not hold the rest of the batch hands out records one by one, so that no worker stops in the
/// middle of what it took and has what others ran behind it run again, however slow it is.
#[tokio::test]
async fn records_that_grow_are_run_once() {
    for (bytes, count) in [(20_000, 600), (300_000, 40), (2_000, 3_000)] {
        for workers in [1, 3] {
            let runs = check("of one size", &vec![Data::Grow(bytes); count], workers, 4 << 20).await;
            assert_eq!(runs, count as u64, "{bytes} bytes each");
        }
    }
}
