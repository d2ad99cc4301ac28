//! Records one by one through the real pipeline, and how long that takes.

use bytes::Bytes;
use bytestring::ByteString;
use pipeline::{Event, Outcome, Runner};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

/// Records through the pipeline: JSON in, JSON out.
pub(crate) struct Through {
    events: Vec<(ByteString, Bytes)>,
    runner: Runner,
}

impl Through {
    pub(crate) fn new(records: Vec<Bytes>, runner: Runner) -> Through {
        let id = |k: usize| ByteString::from(format!("shardId-000000000006:4959033827149025660855969253836{k:019}"));
        let events = records.into_iter().enumerate().map(|(k, data)| (id(k), data)).collect();
        Through { events, runner }
    }

    /// Hands every document to `take`.
    pub(crate) fn run(&mut self, mut take: impl FnMut(Vec<u8>)) {
        for (id, data) in &self.events {
            let event = Event::new(id.clone(), ByteString::from_static("user"), 0, data.clone());
            match self.runner.process(event, 0, None) {
                Outcome::Emit(documents) => documents.into_iter().for_each(|document| take(document.bytes)),
                Outcome::Drop(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Runs so often; CPU time of all runs.
    pub(crate) fn timed(&mut self, runs: u32) -> Duration {
        timed(runs, || {
            let mut bytes = 0;
            self.run(|document| bytes += document.len());
            bytes
        })
    }
}

/// The records of an event; taking them out is not part of what is timed.
pub(crate) fn records(event: Bytes) -> Vec<Bytes> {
    let batch = lambda::records(event).expect("an event");
    batch.records.iter().map(|record| record.data.decode().expect("base64")).collect()
}

/// CPU time of this process: all threads, so that the engine's clock counts, as garbage collectors do elsewhere.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of so many runs.
pub(crate) fn timed(runs: u32, mut once: impl FnMut() -> usize) -> Duration {
    let before = cpu();
    for _ in 0..runs {
        black_box(once());
    }
    cpu() - before
}
