//! The event source mapping: takes batches from each shard in order, and does with the answers what AWS does.
//!
//! Rules that are AWS's own are in the documentation of [`Mapping`]. Where AWS says nothing, this takes what ends
//! soonest: halving a batch is always free, and an answer that makes no progress under bisect halves the batch, as an
//! error does.

use super::event::{EVENT_BYTES_MAX, FRAME_BYTES, event, record_bytes};
use super::failure::{Condition, FailureRecord, Story};
use super::response::Outcome;
use super::stream::Stream;
use std::collections::VecDeque;
use std::ops::Range;

/// Records in a batch, at most.
pub const BATCH_SIZE_MAX: usize = 10_000;
/// Invocations of one [`EventSource::run`] by default: unlimited retries of a record that always fails must end here.
pub const INVOCATIONS_MAX: usize = 100_000;

/// The settings of a mapping, with AWS's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// `BatchSize`: records in a batch, from 1 to 10,000 (or the nearest of these). An event is at most 6 MB besides.
    pub batch_size: usize,
    /// `FunctionResponseTypes: [ReportBatchItemFailures]`. Without it every answer but an error is a success.
    pub report_batch_item_failures: bool,
    /// `BisectBatchOnFunctionError`: a batch that failed is halved; a partial answer is cut where it says.
    pub bisect_batch_on_function_error: bool,
    /// `MaximumRetryAttempts`; `None` is -1, without end. Cutting a batch uses none up.
    pub maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, in milliseconds; `None` is -1, without end. Older records are given up unsent.
    pub maximum_record_age_ms: Option<u64>,
    /// Where a run stops that would go on for ever. Not a setting of AWS.
    pub invocations_max: usize,
}

impl Default for Mapping {
    fn default() -> Mapping {
        Mapping {
            batch_size: 100,
            report_batch_item_failures: false,
            bisect_batch_on_function_error: false,
            maximum_retry_attempts: None,
            maximum_record_age_ms: None,
            invocations_max: INVOCATIONS_MAX,
        }
    }
}

/// One call of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The shard.
    pub shard: usize,
    /// Positions of the records in it.
    pub records: Range<usize>,
    /// Retries used before this call, 0 for the first try.
    pub retry: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// What happened in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// All calls of the function, in order.
    pub invocations: Vec<Invocation>,
    /// What the on-failure destination was given, in order.
    pub failures: Vec<FailureRecord>,
    /// False when the run stopped at its bound on invocations.
    pub complete: bool,
}

impl Journal {
    /// How often records were sent again: invocations whose first record had been sent before.
    pub fn rewinds(&self) -> usize {
        let mut ends: Vec<usize> = Vec::new();
        let mut rewinds = 0;
        for Invocation { shard, records, .. } in &self.invocations {
            ends.resize(ends.len().max(shard + 1), 0);
            rewinds += usize::from(records.start < ends[*shard]);
            ends[*shard] = ends[*shard].max(records.end);
        }
        rewinds
    }
}

/// A stream with a mapping on it. It keeps its checkpoints: put more records and run it again.
#[derive(Debug, Clone)]
pub struct EventSource {
    stream: Stream,
    mapping: Mapping,
    shards: Vec<Progress>,
}

/// How far one shard is.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// The position after the last record that was taken into a batch.
    taken: usize,
    /// Batches and pieces of batches that are not settled, in order.
    open: VecDeque<Batch>,
}

#[derive(Debug, Clone)]
struct Batch {
    records: Range<usize>,
    retries: u32,
    /// Calls that saw these records as they stand; a piece of a batch starts at 0.
    invocations: u32,
    function_error: bool,
}

impl EventSource {
    /// Puts `mapping` on `stream`, from its oldest record on.
    pub fn new(stream: Stream, mapping: Mapping) -> EventSource {
        let shards = vec![Progress::default(); stream.shard_count()];
        EventSource { stream, mapping, shards }
    }

    /// The stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream, to put records into.
    pub fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The checkpoint of `shard`: all records before this position are settled.
    pub fn checkpoint(&self, shard: usize) -> usize {
        let progress = &self.shards[shard];
        progress.open.front().map_or(progress.taken, |batch| batch.records.start)
    }

    /// Forgets all records before the checkpoints, for a source that runs for long.
    pub fn forget_settled(&mut self) {
        for shard in 0..self.shards.len() {
            self.stream.forget(shard, self.checkpoint(shard));
        }
    }

    /// Calls `function` with one event after the other, the shards in turn, until every record is settled. The clock
    /// tells milliseconds since the Unix epoch; nothing sleeps, so only the clock makes records old.
    ///
    /// `function` gives the bytes of its answer, or the text of its error.
    pub async fn run<F>(&mut self, clock: impl Fn() -> u64, mut function: F) -> Journal
    where
        F: AsyncFnMut(Vec<u8>) -> Result<Vec<u8>, String>,
    {
        let mut journal = Journal::default();
        loop {
            let mut idle = true;
            for shard in 0..self.shards.len() {
                let Some(batch) = self.next_batch(shard, clock(), &mut journal) else {
                    continue;
                };
                if journal.invocations.len() == self.mapping.invocations_max {
                    self.shards[shard].open.push_front(batch);
                    return journal;
                }
                idle = false;
                let records = self.stream.records(shard, batch.records.clone());
                let answer = function(event(&self.stream, shard, records)).await;
                self.settle(shard, batch, answer, clock(), &mut journal);
            }
            if idle {
                journal.complete = true;
                return journal;
            }
        }
    }

    /// The next batch to send, after giving up what cannot be sent any more.
    fn next_batch(&mut self, shard: usize, now_ms: u64, journal: &mut Journal) -> Option<Batch> {
        loop {
            let batch = self.shards[shard].open.pop_front();
            let mut batch = batch.or_else(|| self.take(shard, now_ms, journal))?;
            let old = self.too_old(shard, &batch.records, now_ms);
            if old > 0 {
                let given_up = batch.records.start..batch.records.start + old;
                batch.records.start += old;
                self.give_up(shard, given_up, &batch, (Condition::RecordAgeExceeded, now_ms), journal);
            }
            if !batch.records.is_empty() {
                return Some(batch);
            }
        }
    }

    /// Takes new records: as many as a batch and an event hold.
    fn take(&mut self, shard: usize, now_ms: u64, journal: &mut Journal) -> Option<Batch> {
        let end = self.stream.end(shard);
        while self.shards[shard].taken < end {
            let start = self.shards[shard].taken;
            let count = self.fitting(shard, start..end);
            let batch =
                Batch { records: start..start + count.max(1), retries: 0, invocations: 0, function_error: false };
            self.shards[shard].taken = batch.records.end;
            if count > 0 {
                return Some(batch);
            }
            self.give_up(shard, batch.records.clone(), &batch, (Condition::PayloadTooLarge, now_ms), journal);
        }
        None
    }

    /// How many of the records, from the first on, one event can hold.
    fn fitting(&self, shard: usize, range: Range<usize>) -> usize {
        let mut bytes = FRAME_BYTES - 1; // The last record has no comma.
        let batch_size = self.mapping.batch_size.clamp(1, BATCH_SIZE_MAX);
        self.stream
            .records(shard, range)
            .iter()
            .take(batch_size)
            .take_while(|record| {
                bytes += record_bytes(&self.stream, shard, record);
                bytes <= EVENT_BYTES_MAX
            })
            .count()
    }

    /// How many records at the front of `range` are over the maximum age.
    fn too_old(&self, shard: usize, range: &Range<usize>, now_ms: u64) -> usize {
        let Some(age_ms) = self.mapping.maximum_record_age_ms else {
            return 0;
        };
        let records = self.stream.records(shard, range.clone()).iter();
        records.take_while(|record| now_ms.saturating_sub(record.arrived_at_ms) > age_ms).count()
    }

    /// Does with `batch` what its answer asks for.
    fn settle(
        &mut self,
        shard: usize,
        mut batch: Batch,
        answer: Result<Vec<u8>, String>,
        now_ms: u64,
        journal: &mut Journal,
    ) {
        let records = self.stream.records(shard, batch.records.clone());
        let numbers = records.iter().map(|record| record.sequence_number.as_str());
        let outcome = Outcome::of(answer, numbers, self.mapping.report_batch_item_failures);
        batch.invocations += 1;
        batch.function_error = matches!(outcome, Outcome::FunctionError(_));
        let settled = match outcome {
            Outcome::Success => batch.records.len(),
            Outcome::Partial(first) => first,
            Outcome::Unusable(_) | Outcome::FunctionError(_) => 0,
        };
        let records = batch.records.clone();
        journal.invocations.push(Invocation { shard, records, retry: batch.retries, outcome });
        batch.records.start += settled;
        if !batch.records.is_empty() {
            self.try_again(shard, batch, settled > 0, now_ms, journal);
        }
    }

    /// Cuts, retries or gives up what is left of a batch; `progress` says that it got shorter.
    fn try_again(&mut self, shard: usize, batch: Batch, progress: bool, now_ms: u64, journal: &mut Journal) {
        let open = &mut self.shards[shard].open;
        let bisect = self.mapping.bisect_batch_on_function_error;
        if bisect && progress {
            // Cut where the answer said; the rest starts anew.
            open.push_front(Batch { invocations: 0, ..batch });
        } else if bisect && batch.records.len() > 1 {
            let middle = batch.records.start + batch.records.len() / 2;
            open.push_front(Batch { records: middle..batch.records.end, invocations: 0, ..batch });
            open.push_front(Batch { records: batch.records.start..middle, invocations: 0, ..batch });
        } else if self.mapping.maximum_retry_attempts.is_none_or(|most| batch.retries < most) {
            open.push_front(Batch { retries: batch.retries.saturating_add(1), ..batch });
        } else {
            let reason = (Condition::RetryAttemptsExhausted, now_ms);
            self.give_up(shard, batch.records.clone(), &batch, reason, journal);
        }
    }

    fn give_up(
        &self,
        shard: usize,
        records: Range<usize>,
        batch: &Batch,
        (condition, now_ms): (Condition, u64),
        journal: &mut Journal,
    ) {
        let Batch { invocations, function_error, .. } = *batch;
        let story = Story { condition, invocations, function_error, now_ms };
        journal.failures.push(FailureRecord::new(&self.stream, shard, records, &story));
    }
}
