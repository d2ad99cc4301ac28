//! What became of the records of a window: what is sent, what is written, and what goes back.

use crate::batch::Record;
use crate::walk::{self, Entered, Rules, Sink, Source, Walk, Walked};
use bytes::Bytes;
use bytestring::ByteString;
use pipeline::{Failed, Failure, FailureKind, InputNotes, LogLine, Outcome, Report, Runner, Unsettled};
use std::borrow::Cow;
use std::time::Instant;

/// Panics of one worker in one window whose texts are kept: the rest is counted.
const PANICS_MAX: usize = 20;

/// What some records of a window became, in their order.
#[derive(Default)]
pub(crate) struct RecordOutcomes {
    pub(crate) counts: Vec<RecordCounts>,
    pub(crate) documents: Vec<Document>,
    pub(crate) dead_letters: Vec<PendingDeadLetter>,
    /// The first record that goes back to Kinesis; none of its documents and dead letters are here.
    pub(crate) returned: Option<Returned>,
    /// What unpacking noticed, by record, where it noticed something. Not in the report, since a record may be run
    /// twice.
    pub(crate) notes: Vec<(usize, InputNotes)>,
    /// Panics of ours while records were run: how many, and the first of them.
    pub(crate) panics: u64,
    pub(crate) panicked: Vec<RecordPanic>,
    /// What happened at the steps and the edges; settling is not counted yet.
    pub(crate) report: Report,
}

/// How the events of a record were decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordCounts {
    pub(crate) record: usize,
    pub(crate) emitted: u64,
    pub(crate) dropped: u64,
    pub(crate) dead_letters: u64,
}

impl RecordCounts {
    pub(crate) fn events(&self) -> u64 {
        self.emitted + self.dropped + self.dead_letters
    }
}

/// A panic of ours while a record was run.
#[derive(Debug)]
pub(crate) struct RecordPanic {
    pub(crate) record: usize,
    pub(crate) failure: Failure,
    /// Whether the record is given up, and not run again.
    pub(crate) is_last: bool,
}

/// How much there was before a record was run.
pub(crate) struct Mark {
    counts: usize,
    documents: usize,
    dead_letters: usize,
    notes: usize,
}

/// One document of one event of one record.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) record: usize,
    pub(crate) event: usize,
    pub(crate) route: u16,
    pub(crate) bytes: Bytes,
}

/// A dead letter that is not yet written.
#[derive(Debug)]
pub(crate) struct PendingDeadLetter {
    pub(crate) record: usize,
    pub(crate) entered: Entered,
    pub(crate) failed: Box<Failed>,
}

impl PendingDeadLetter {
    /// Bytes it holds, about: data is shared with nobody once its record is done.
    pub(crate) fn held_bytes(&self) -> usize {
        let Failed { input, log, failure, .. } = &*self.failed;
        let log: usize = log.iter().map(|line| line.message.len() + size_of::<LogLine>()).sum();
        let data = self.entered.data.len() + input.as_ref().map_or(0, Bytes::len);
        data + failure.message().len() + log + size_of::<PendingDeadLetter>() + size_of::<Failed>()
    }
}

/// Why a record goes back to Kinesis.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) record: usize,
    pub(crate) events: u64,
    pub(crate) step: Option<usize>,
    pub(crate) reason: Reason,
}

impl Returned {
    /// Whether the record was cut by the end of the batch. Before that, events of it may have taken the time.
    fn is_cut(&self, has_run: bool) -> bool {
        match self.reason {
            Reason::Unsettled(Unsettled::CutShort) => true,
            Reason::Unsettled(Unsettled::NoTime) => has_run,
            Reason::Unsettled(Unsettled::Host(_)) | Reason::Failure(_) => false,
        }
    }
}

/// Who gives the reason decides how much of it a log shows.
#[derive(Debug)]
pub(crate) enum Reason {
    Failure(Failure),
    Unsettled(Unsettled),
}

impl Reason {
    /// The reason with at most `guest_bytes_max` bytes of what a guest said.
    pub(crate) fn shown(&self, guest_bytes_max: usize) -> Cow<'_, str> {
        match self {
            Reason::Failure(failure) => failure.shown(guest_bytes_max),
            Reason::Unsettled(reason) => reason.to_string().into(),
        }
    }
}

/// Takes what became of one record's events.
struct Settling<'d> {
    record: &'d Record,
    documents: &'d mut Vec<Document>,
    dead_letters: &'d mut Vec<PendingDeadLetter>,
    counts: RecordCounts,
}

/// Which part of its record an event is, and its key, if it is one.
#[derive(Default)]
struct PartOf {
    part: Option<usize>,
    partition_key: Option<ByteString>,
}

impl PartOf {
    /// The event, with the data that it entered the pipeline with.
    fn entered(self, record: &Record, data: Bytes) -> Entered {
        let Record { id, partition_key, arrived_at_ms, .. } = record;
        Entered {
            part: self.part,
            id: self.part.map_or_else(|| id.clone(), |part| format!("{id}/{part}").into()),
            partition_key: self.partition_key.unwrap_or_else(|| partition_key.clone()),
            arrived_at_ms: *arrived_at_ms,
            data,
            refused: None,
        }
    }
}

impl Sink for Settling<'_> {
    type Kept = PartOf;

    fn keep(&mut self, entered: &Entered) -> PartOf {
        PartOf { part: entered.part, partition_key: entered.part.map(|_| entered.partition_key.clone()) }
    }

    fn settle(&mut self, kept: PartOf, outcome: Outcome) {
        let record = self.counts.record;
        match outcome {
            Outcome::Emit(emitted) => {
                self.counts.emitted += 1;
                self.documents.extend(emitted.into_iter().map(|emitted| Document {
                    record,
                    event: kept.part.unwrap_or(0),
                    route: emitted.route,
                    bytes: emitted.bytes.into(),
                }));
            }
            Outcome::Drop(_) => self.counts.dropped += 1,
            Outcome::DeadLetter(mut failed) => {
                self.counts.dead_letters += 1;
                let data = std::mem::take(&mut failed.entered);
                let entered = kept.entered(self.record, data);
                self.dead_letters.push(PendingDeadLetter { record, entered, failed });
            }
            Outcome::Retry(_) | Outcome::Unsettled(_) => unreachable!("what goes back does not settle"),
        }
    }
}

impl RecordOutcomes {
    /// Runs one record to its end. A record settles as a whole: if one of its events goes back, all do.
    pub(crate) fn run(&mut self, run: &RecordRun<'_>, runner: &mut Runner) {
        let RecordRun { at, record, rules, time } = *run;
        let (documents, dead_letters) = (self.documents.len(), self.dead_letters.len());
        let mut notes = InputNotes::default();
        let events = walk::events(record.source(), rules, &mut notes);
        if notes != InputNotes::default() {
            self.notes.push((at, notes));
        }
        let count = events.count() as u64;
        let counts = RecordCounts { record: at, ..RecordCounts::default() };
        let report = &mut self.report;
        let mut walk = Walk { rules, runner, report, now_ms: time.now_ms, deadline: Some(time.deadline) };
        let (all_documents, all_letters) = (&mut self.documents, &mut self.dead_letters);
        let mut sink = Settling { record, documents: all_documents, dead_letters: all_letters, counts };
        let walked = walk.record(events, &mut sink);
        if let Walked::Settled = walked {
            let counts = sink.counts;
            self.counts.push(counts);
            return;
        }
        let has_run = sink.counts.events() > 0;
        self.documents.truncate(documents);
        self.dead_letters.truncate(dead_letters);
        match walked {
            Walked::Settled => {}
            Walked::Oversize(failure) => self.give_up(run, failure),
            Walked::Back { outcome, .. } => {
                let (step, reason) = match outcome {
                    Outcome::Retry(failed) => (failed.step, Reason::Failure(failed.failure)),
                    Outcome::Unsettled(reason) => (None, Reason::Unsettled(reason)),
                    Outcome::Emit(_) | Outcome::Drop(_) | Outcome::DeadLetter(_) => {
                        unreachable!("what settled does not go back")
                    }
                };
                let back = Returned { record: at, events: count, step, reason };
                if time.has_all == Some(at) && back.is_cut(has_run) {
                    let reason = "a whole invocation had not the time for this record";
                    self.give_up(run, Failure::new(FailureKind::Timeout, reason));
                } else {
                    self.returned = Some(back);
                }
            }
        }
    }

    /// Makes one dead letter of a record, whatever it holds.
    pub(crate) fn give_up(&mut self, run: &RecordRun<'_>, failure: Failure) {
        let RecordRun { at, record, .. } = *run;
        let data = record.data.decode().unwrap_or_else(|_| record.data.text());
        let outcome = walk::dead_letter(failure, data, &mut self.report);
        let counts = RecordCounts { record: at, ..RecordCounts::default() };
        let (documents, dead_letters) = (&mut self.documents, &mut self.dead_letters);
        let mut sink = Settling { record, documents, dead_letters, counts };
        sink.settle(PartOf::default(), outcome);
        let counts = sink.counts;
        self.counts.push(counts);
    }

    /// How much there is before a record is run.
    pub(crate) fn mark(&self) -> Mark {
        let RecordOutcomes { counts, documents, dead_letters, notes, .. } = self;
        let (counts, documents) = (counts.len(), documents.len());
        Mark { counts, documents, dead_letters: dead_letters.len(), notes: notes.len() }
    }

    /// Forgets what came of a record that is run again. What happened at the edges stays counted, as at the steps.
    pub(crate) fn go_back_to(&mut self, mark: Mark) {
        self.counts.truncate(mark.counts);
        self.documents.truncate(mark.documents);
        self.dead_letters.truncate(mark.dead_letters);
        self.notes.truncate(mark.notes);
        self.returned = None; // Behind a record that goes back, no other is run.
    }

    /// Notes a panic.
    pub(crate) fn panicked(&mut self, panicked: RecordPanic) {
        self.panics += 1;
        if self.panicked.len() < PANICS_MAX {
            self.panicked.push(panicked);
        }
    }

    /// Adds what another worker did; the order of records is restored by [`RecordOutcomes::sort`].
    pub(crate) fn merge(&mut self, other: RecordOutcomes) {
        self.counts.extend(other.counts);
        self.documents.extend(other.documents);
        self.dead_letters.extend(other.dead_letters);
        self.notes.extend(other.notes);
        self.panics += other.panics;
        self.panicked.extend(other.panicked);
        self.report.merge(other.report);
        self.returned = match (self.returned.take(), other.returned) {
            (Some(one), Some(other)) if other.record < one.record => Some(other),
            (one, other) => one.or(other),
        };
    }

    /// Forgets the records from `end` on, which the window does not include: they are run again.
    pub(crate) fn end_at(&mut self, end: usize) {
        self.counts.retain(|counts| counts.record < end);
        self.documents.retain(|document| document.record < end);
        self.dead_letters.retain(|letter| letter.record < end);
        self.returned = self.returned.take().filter(|returned| returned.record <= end);
    }

    /// Puts everything in the order of the records. Sorting is stable and finds the workers' runs, so it is a merge.
    pub(crate) fn sort(&mut self) {
        self.counts.sort_by_key(|counts| counts.record);
        self.documents.sort_by_key(|document| document.record);
        self.dead_letters.sort_by_key(|letter| letter.record);
    }
}

/// A record that is to be run, and what its batch says about that.
#[derive(Clone, Copy)]
pub(crate) struct RecordRun<'r> {
    /// Where it stands in its batch.
    pub(crate) at: usize,
    pub(crate) record: &'r Record,
    pub(crate) rules: &'r Rules,
    pub(crate) time: &'r Time,
}

/// The times that matter to a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// Milliseconds since the Unix epoch, for `retry_for_s`.
    pub(crate) now_ms: u64,
    /// When the batch must be done with plugins.
    pub(crate) deadline: Instant,
    /// The record that has all the time of its invocation: the first one that it runs.
    pub(crate) has_all: Option<usize>,
}

/// An event of a record once more, for the rare document that Firehose refuses: keeping every event's bytes until then
/// would double what a window holds.
pub(crate) fn entered_again(record: &Record, event: usize, rules: &Rules) -> Entered {
    let mut events = walk::events(record.source(), rules, &mut InputNotes::default()).into_vec();
    assert!(event < events.len(), "the record was taken apart before, and unpacking is a function");
    events.swap_remove(event)
}

impl Record {
    /// As it is walked.
    fn source(&self) -> Source<'_> {
        let failed = |reason| (Failure::new(FailureKind::Unpack, reason), self.data.text());
        Source {
            id: &self.id,
            partition_key: &self.partition_key,
            arrived_at_ms: self.arrived_at_ms,
            data: self.data.decode().map_err(failed),
        }
    }
}
