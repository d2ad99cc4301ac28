//! A window: the stretch of a batch that is processed before anything of it is delivered, so that memory has a bound.
//!
//! Workers take records from it in small chunks, each chunk once. It ends where its bytes or its time are used up, or
//! at a record that goes back to Kinesis: behind that, nothing may be sent. All three are looked at before each record,
//! so a window holds at most its bytes and one record more for each worker. What was taken and not run belongs to the
//! next window, and what another worker ran behind it is run again there.

use crate::attempt::Worker;
use crate::batch::{Batch, Record};
use crate::journal::{DEATHS_MAX, Page};
use crate::outcomes::{PendingDeadLetter, RecordOutcomes, RecordRun, Time};
use crate::time::Clock;
use crate::walk::Rules;
use anyhow::Result;
use pipeline::{Failure, FailureKind};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Records that a worker takes at once: enough that taking costs nothing, few enough that all workers end together.
const CHUNK_RECORDS_MAX: usize = 16;

/// Bytes, in base64, of such a chunk: documents are about as large.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Records of a window that are run before it is said what the others will become, and how much more than these they
/// may become on average.
const SAMPLE_RECORDS: usize = 16;
const SAMPLE_MARGIN: usize = 2;

/// Bounds of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of documents and dead letters, after which no record is begun, but for the first.
    pub(crate) bytes_max: usize,
    /// When no record is begun any more, but for the first.
    pub(crate) begin_until: Instant,
    /// What records need to know.
    pub(crate) time: Time,
}

/// How a batch runs in which something may have killed the process: by one worker, which notes each record before it
/// runs.
pub(crate) struct Care {
    /// Where records are noted; none when the journal cannot be written.
    pub(crate) page: Option<Arc<Page>>,
    /// How often the process died while it ran a record.
    pub(crate) deaths_of: BTreeMap<usize, u32>,
}

impl Care {
    fn deaths(&self, record: usize) -> u32 {
        self.deaths_of.get(&record).copied().unwrap_or(0)
    }
}

/// See the module.
pub(crate) struct Window {
    batch: Arc<Batch>,
    rules: Arc<Rules>,
    clock: Clock,
    bounds: Bounds,
    first: usize,
    next: Mutex<usize>,
    /// What the records that were run became, and how many these are.
    held_bytes: AtomicUsize,
    run: AtomicUsize,
    /// The first record known not to belong to the window: it goes back, or there was no time to begin it.
    ends_at: AtomicUsize,
    observe_fields: bool,
    begins_batch: bool,
    care: Option<Arc<Care>>,
}

impl Window {
    /// A window of `batch` that begins at record `first`.
    pub(crate) fn new(batch: Arc<Batch>, rules: Arc<Rules>, first: usize, bounds: Bounds, clock: Clock) -> Window {
        Window {
            batch,
            rules,
            clock,
            bounds,
            first,
            next: Mutex::new(first),
            held_bytes: AtomicUsize::new(0),
            run: AtomicUsize::new(0),
            ends_at: AtomicUsize::new(usize::MAX),
            observe_fields: false,
            begins_batch: first == 0,
            care: None,
        }
    }

    /// Whether it is the first window of its batch, wherever that begins.
    pub(crate) fn begins_batch(self, begins_batch: bool) -> Window {
        Window { begins_batch, ..self }
    }

    /// Runs it carefully.
    pub(crate) fn care(self, care: Option<Arc<Care>>) -> Window {
        Window { care, ..self }
    }

    /// Has the steps note which fields they read and write, for the whole batch.
    pub(crate) fn observe_fields(self, on: bool) -> Window {
        Window { observe_fields: on, ..self }
    }

    /// How many workers can be of use.
    pub(crate) fn workers_max(&self) -> usize {
        if self.care.is_some() { 1 } else { self.batch.records.len() - self.first }
    }

    /// The record behind the window's last, once all workers are done.
    pub(crate) fn end(&self) -> usize {
        let taken = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        taken.min(self.ends_at.load(Ordering::Relaxed))
    }

    /// Takes chunks until there are no more. Called by each worker.
    ///
    /// # Errors
    /// A worker without plugins, which it could not make anew after a panic.
    pub(crate) fn work(&self, worker: &mut Worker) -> Result<RecordOutcomes> {
        if self.begins_batch {
            worker.begin_batch(&self.batch.stream, self.observe_fields);
        }
        let mut outcomes = RecordOutcomes::default();
        while let Some(chunk) = self.take_chunk() {
            self.run_chunk(chunk, worker, &mut outcomes)?;
        }
        let edges = std::mem::replace(&mut outcomes.report, worker.take_report());
        outcomes.report.merge(edges);
        Ok(outcomes)
    }

    fn run_chunk(&self, chunk: Range<usize>, worker: &mut Worker, outcomes: &mut RecordOutcomes) -> Result<()> {
        let first = chunk.start; // There was room and time for it when it was taken.
        for at in chunk {
            if at > self.ends_at.load(Ordering::Relaxed) {
                break;
            }
            if at != first && (self.is_full() || self.is_late()) {
                self.ends_at.fetch_min(at, Ordering::Relaxed);
                break;
            }
            let (documents, dead_letters) = (outcomes.documents.len(), outcomes.dead_letters.len());
            match &self.care {
                // What was settled before it stays settled, should the process die of it again.
                Some(care) if at != self.first && care.deaths(at) > 0 => {
                    self.ends_at.fetch_min(at, Ordering::Relaxed);
                    break;
                }
                Some(care) => self.run_carefully(at, care, worker, outcomes)?,
                None => worker.run(outcomes, &self.record(at))?,
            }
            if outcomes.returned.is_some() {
                self.ends_at.fetch_min(at, Ordering::Relaxed);
                break;
            }
            let documents = outcomes.documents[documents..].iter().map(|document| document.bytes.len()).sum::<usize>();
            let dead_letters =
                outcomes.dead_letters[dead_letters..].iter().map(PendingDeadLetter::held_bytes).sum::<usize>();
            self.held_bytes.fetch_add(documents + dead_letters, Ordering::Relaxed);
            self.run.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn run_carefully(&self, at: usize, care: &Care, worker: &mut Worker, outcomes: &mut RecordOutcomes) -> Result<()> {
        let (record, deaths) = (self.record(at), care.deaths(at));
        if deaths >= DEATHS_MAX {
            let reason = format!("the process died {} while this record was processed", times(deaths));
            outcomes.give_up(&record, Failure::new(FailureKind::Host, reason));
            return Ok(());
        }
        if let Some(page) = &care.page {
            page.note(at);
        }
        worker.run(outcomes, &record)?;
        if let Some(page) = &care.page {
            page.clear();
        }
        Ok(())
    }

    fn record(&self, at: usize) -> RecordRun<'_> {
        RecordRun { at, record: &self.batch.records[at], rules: &self.rules, time: &self.bounds.time }
    }

    fn take_chunk(&self) -> Option<Range<usize>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *next;
        let first = start == self.first; // Always taken: a window must not be empty.
        if start >= self.batch.records.len() || start > self.ends_at.load(Ordering::Relaxed) {
            return None;
        }
        if !first && (self.is_full() || self.is_late()) {
            return None;
        }
        *next = self.chunk_end(start);
        Some(start..*next)
    }

    fn is_full(&self) -> bool {
        self.held_bytes.load(Ordering::Relaxed) >= self.bounds.bytes_max
    }

    fn is_late(&self) -> bool {
        (self.clock.now)() >= self.bounds.begin_until
    }

    /// A packed record is a chunk of its own: it may become anything. So is every record of a window that may become
    /// full: a worker that stops in the middle of a chunk has what others ran behind it run again.
    fn chunk_end(&self, start: usize) -> usize {
        let records = &self.batch.records[start..];
        if !self.will_hold(records.len()) {
            return start + 1;
        }
        let mut bytes = 0;
        let more = |record: &&Record| {
            bytes += record.encoded_bytes();
            bytes <= CHUNK_BYTES_MAX && !record.looks_packed()
        };
        start + records.iter().take(CHUNK_RECORDS_MAX).take_while(more).count().max(1)
    }

    /// Whether the window has room for so many records more, by what those before them became.
    fn will_hold(&self, records: usize) -> bool {
        let (held, run) = (self.held_bytes.load(Ordering::Relaxed), self.run.load(Ordering::Relaxed));
        run >= SAMPLE_RECORDS && held + records * (held / run) * SAMPLE_MARGIN < self.bounds.bytes_max
    }
}

fn times(count: u32) -> String {
    if count == 2 { "twice".to_owned() } else { format!("{count} times") }
}
