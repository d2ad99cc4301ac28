//! A batch from its event to its answer.
//!
//! 1. `kinesis::records` reads the event; what it says of one record concerns that record alone.
//! 2. The journal knows whether the process died with this batch before, and where the batch then begins (`windows`).
//! 3. Window after window, workers run the records in parallel; what comes of them stands in the order of the records.
//! 4. Each window settles before the next begins (`settle`): first its dead letters are written, then its documents are
//!    delivered, and what Firehose refuses becomes dead letters too. The journal notes how far the batch is settled.
//! 5. When all records are settled, or one cannot be, the report is complete, metrics and log lines are out, and the
//!    answer says from which record on Kinesis must send again (`answer`).
//!
//! Kinesis rewinds: it sends everything again from the lowest sequence number that the answer names. So records settle
//! in order, and nothing at or behind the first one that is not settled is begun, written or acknowledged. Whatever
//! ends a batch early (a step that retries, the clock, a store that is away) goes through [`Run::stop`], and the most
//! serious reason is the one that people read.

mod answer;
mod logging;
mod settle;
mod windows;

use crate::batch::Batch;
use crate::delivery::Stopped;
use crate::host::{Active, HandleError, Handled, Host, Invocation};
use crate::kinesis;
use crate::log::Log;
use crate::metrics::Facts;
use crate::outcomes::RecordCounts;
use crate::response::response;
use crate::workers::Workers;
use bytes::Bytes;
use logging::Logged;
use pipeline::Report;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use windows::Progress;

/// Longest reason in a log line, in bytes: a backtrace fits.
const REASON_BYTES_MAX: usize = 4 << 10;

/// One batch in this many notes which fields the steps read and write: noting costs time, and they read the same each
/// time.
const FIELDS_EVERY: u64 = 100;

/// Handles one event for [`Host::handle`]. `ran` is set to what it ran, once that is known.
pub(crate) async fn handle(
    host: &Host,
    event: Bytes,
    invocation: Invocation,
    ran: &mut Option<Arc<Active>>,
) -> Result<Handled, HandleError> {
    let begun = (host.world.clock.now)();
    let batch = Arc::new(kinesis::records(event)?);
    if batch.records.is_empty() {
        let (response, report) = (response(None), Report::default());
        return Ok(Handled { response, report, out_of_time: false, iterator_age_ms: None });
    }
    let active = ran.insert(host.active());
    let mut set = host.check_out(Arc::clone(active)).map_err(HandleError::Bug)?;
    let mut run = Run::new(host, active, Arc::clone(&batch), &invocation, begun);
    let page = run.look_back();
    let ran = run.windows(&mut set.workers).await;
    let answer = run.answer(begun);
    if let (Some(journal), Some(page)) = (&host.world.journal, page) {
        journal.end(&page, ran.is_ok() && answer.is_ok());
    }
    host.world.output.flush();
    ran.map_err(HandleError::Bug)?; // The workers are dropped: what a panic leaves behind is not to be trusted.
    host.check_in(set);
    answer
}

/// One batch on its way.
struct Run<'a> {
    host: &'a Host,
    active: &'a Active,
    batch: Arc<Batch>,
    invocation: &'a Invocation,
    log: Log,
    random: fastrand::Rng,
    /// When nothing new is begun.
    until: Instant,
    now_ms: u64,
    /// How many batches the host had before.
    number: u64,
    observe_fields: bool,
    progress: Progress,
    /// Events of records that were run and go back; a record that was not run counts as one.
    returned: Vec<RecordCounts>,
    /// Why the batch ends before all of its records are settled.
    stopped: Option<Stopped>,
    dead_letter_objects: u32,
    logged: Logged,
    report: Report,
    facts: Facts,
}

impl<'a> Run<'a> {
    fn new(
        host: &'a Host,
        active: &'a Active,
        batch: Arc<Batch>,
        invocation: &'a Invocation,
        begun: Instant,
    ) -> Run<'a> {
        // A function whose time-out is shorter than the reserve still has to make progress.
        let reserve = host.settings.deadline_reserve.min(invocation.remaining / 3);
        let report = Report {
            pipeline: active.loaded.pipeline.name.clone(),
            release: active.loaded.release.clone(),
            records: batch.records.len() as u64,
            ..Report::default()
        };
        let mut common = vec![
            ("requestId", json!(invocation.request_id)),
            ("pipeline", json!(active.loaded.pipeline.name)),
            ("shard", json!(batch.shard)),
        ];
        common.extend(active.loaded.release.as_ref().map(|release| ("release", json!(release))));
        let number = host.next_batch();
        Run {
            host,
            active,
            invocation,
            log: host.log.with(common),
            random: host.fork_random(),
            until: begun + invocation.remaining.saturating_sub(reserve),
            now_ms: (host.world.clock.wall_ms)(),
            number,
            observe_fields: number.is_multiple_of(FIELDS_EVERY),
            progress: Progress::default(),
            returned: Vec::new(),
            stopped: None,
            dead_letter_objects: 0,
            logged: Logged::default(),
            report,
            facts: Facts::default(),
            batch,
        }
    }

    /// Window after window, until all records are settled or one cannot be.
    async fn windows(&mut self, workers: &mut Workers) -> anyhow::Result<()> {
        while self.progress.settled < self.batch.records.len() && self.stopped.is_none() {
            let Some(window) = self.next_window() else {
                self.stop(Stopped::Transient("the invocation's time is up".into()));
                break;
            };
            self.facts.windows += 1;
            let outcomes = workers.run(&window).await?;
            self.settle(outcomes, window.end()).await?;
        }
        Ok(())
    }

    /// Ends the batch before all of its records are settled. Of two reasons the more serious one stays.
    fn stop(&mut self, reason: Stopped) {
        self.stopped = Some(Stopped::worse(self.stopped.take(), reason));
    }
}
