//! One record: decoded, taken apart, run through the pipeline, and what became of it as a whole.

use crate::kinesis::{Encoded, Record};
use crate::unpacking;
use bytes::Bytes;
use bytestring::ByteString;
use pipeline::settings::Policy;
use pipeline::{
    Event, Failed, Failure, FailureKind, InputNotes, LogLine, Outcome, Pipeline, Report, Runner, Unsettled,
};
use std::borrow::Cow;
use std::time::Instant;
use unpack::{Part, Unpacked};

/// Bytes of documents that one record may become. Beyond, it is a dead letter: a fan-out must not fill the memory.
const RECORD_DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Panics of one worker in one window whose texts are kept: the rest is counted.
const PANICS_MAX: usize = 20;

/// Why a record with documents of so many bytes is a dead letter; none if it is not.
pub fn oversize(bytes: usize) -> Option<Failure> {
    let told = "the record became more than 16 MiB of documents";
    (bytes > RECORD_DOCUMENT_BYTES_MAX).then(|| Failure::new(FailureKind::Oversize, told))
}

/// What the pipeline says about records.
#[derive(Debug)]
pub(crate) struct Rules {
    unpack: unpack::Settings,
    on_failure: Policy,
}

impl Rules {
    pub(crate) fn of(pipeline: &Pipeline) -> Rules {
        Rules { unpack: unpacking::settings(pipeline), on_failure: pipeline.input.on_failure }
    }
}

/// What some records of a window became, in their order.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) tallies: Vec<Tally>,
    pub(crate) documents: Vec<Document>,
    pub(crate) dead_letters: Vec<Draft>,
    /// The first record that goes back to Kinesis; none of its documents and dead letters are here.
    pub(crate) returned: Option<Returned>,
    /// What unpacking noticed, by record, where it noticed something. Not in the report, since a record may be run
    /// twice.
    pub(crate) notes: Vec<(usize, InputNotes)>,
    /// Panics of ours while records were run: how many, and the first of them.
    pub(crate) panics: u64,
    pub(crate) panicked: Vec<Panicked>,
    /// What happened at the steps and the edges; settling is not counted yet.
    pub(crate) report: Report,
}

/// How the events of a record were decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) record: usize,
    pub(crate) emitted: u64,
    pub(crate) dropped: u64,
    pub(crate) dead_letters: u64,
}

impl Tally {
    pub(crate) fn events(&self) -> u64 {
        self.emitted + self.dropped + self.dead_letters
    }
}

/// A panic of ours while a record was run.
#[derive(Debug)]
pub(crate) struct Panicked {
    pub(crate) record: usize,
    pub(crate) failure: Failure,
    /// Whether the record is given up, and not run again.
    pub(crate) is_last: bool,
}

/// How much there was before a record was run.
pub(crate) struct Mark {
    tallies: usize,
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
pub(crate) struct Draft {
    pub(crate) record: usize,
    pub(crate) entered: Entered,
    pub(crate) failed: Box<Failed>,
}

impl Draft {
    /// Bytes it holds, about: data is shared with nobody once its record is done.
    pub(crate) fn held_bytes(&self) -> usize {
        let Failed { input, log, failure, .. } = &*self.failed;
        let log: usize = log.iter().map(|line| line.message.len() + size_of::<LogLine>()).sum();
        let data = self.entered.data.len() + input.as_ref().map_or(0, Bytes::len);
        data + failure.message().len() + log + size_of::<Draft>() + size_of::<Failed>()
    }
}

/// An event as it entered the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    pub(crate) id: ByteString,
    pub(crate) partition_key: ByteString,
    pub(crate) data: Bytes,
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

/// The events of a record. Most records are one.
enum Events {
    One(Bytes),
    Parts(Vec<Part>),
}

impl Done {
    /// Runs one record to its end. A record settles as a whole: if one of its events goes back, all do.
    pub(crate) fn run(&mut self, at: usize, record: &Record, rules: &Rules, runner: &mut Runner, time: &Time) {
        let (documents, dead_letters) = (self.documents.len(), self.dead_letters.len());
        let mut tally = Tally { record: at, ..Tally::default() };
        let mut notes = InputNotes::default();
        let events = events(record, rules, &mut notes);
        if notes != InputNotes::default() {
            self.notes.push((at, notes));
        }
        match events {
            Err((failure, data)) => self.refuse(record, rules, failure, data, None, &mut tally),
            Ok(Events::One(data)) => {
                if let Err(back) = self.event((None, None), data, record, runner, time, &mut tally) {
                    self.returned = Some(Returned { record: at, events: 1, ..back });
                }
            }
            Ok(Events::Parts(parts)) => self.parts(parts, record, rules, runner, time, &mut tally),
        }
        if self.returned.as_ref().is_some_and(|returned| returned.record == at) {
            self.documents.truncate(documents);
            self.dead_letters.truncate(dead_letters);
            if time.has_all == Some(at) && self.returned.as_ref().is_some_and(|back| back.is_cut(tally.events() > 0)) {
                self.returned = None;
                let told = "a whole invocation had not the time for this record";
                self.give_up(at, record, Failure::new(FailureKind::Timeout, told));
            }
            return;
        }
        let bytes: usize = self.documents[documents..].iter().map(|document| document.bytes.len()).sum();
        if let Some(failure) = oversize(bytes) {
            self.documents.truncate(documents);
            self.dead_letters.truncate(dead_letters);
            return self.give_up(at, record, failure);
        }
        self.tallies.push(tally);
    }

    /// How much there is before a record is run.
    pub(crate) fn mark(&self) -> Mark {
        let Done { tallies, documents, dead_letters, notes, .. } = self;
        let (tallies, documents) = (tallies.len(), documents.len());
        Mark { tallies, documents, dead_letters: dead_letters.len(), notes: notes.len() }
    }

    /// Forgets what came of a record that is run again. What happened at the edges stays counted, as at the steps.
    pub(crate) fn go_back_to(&mut self, mark: Mark) {
        self.tallies.truncate(mark.tallies);
        self.documents.truncate(mark.documents);
        self.dead_letters.truncate(mark.dead_letters);
        self.notes.truncate(mark.notes);
        self.returned = None; // Behind a record that goes back, no other is run.
    }

    /// Notes a panic.
    pub(crate) fn panicked(&mut self, panicked: Panicked) {
        self.panics += 1;
        if self.panicked.len() < PANICS_MAX {
            self.panicked.push(panicked);
        }
    }

    /// Makes one dead letter of a record, whatever it holds.
    pub(crate) fn give_up(&mut self, at: usize, record: &Record, failure: Failure) {
        let mut tally = Tally { record: at, ..Tally::default() };
        let data = record.data.decode().unwrap_or_else(|_| record.data.text());
        self.keep(record, None, failure, data, &mut tally);
        self.tallies.push(tally);
    }

    fn parts(
        &mut self,
        parts: Vec<Part>,
        record: &Record,
        rules: &Rules,
        runner: &mut Runner,
        time: &Time,
        tally: &mut Tally,
    ) {
        let events = parts.len() as u64;
        let mut bytes = 0;
        for (part_at, part) in parts.into_iter().enumerate() {
            if let Some(refusal) = part.refusal {
                let failure = Failure::new(FailureKind::Unpack, refusal.message);
                self.refuse(record, rules, failure, part.data, Some(part_at), tally);
                continue;
            }
            let before = self.documents.len();
            let part_of = (Some(part_at), part.partition_key.map(ByteString::from));
            if let Err(back) = self.event(part_of, part.data, record, runner, time, tally) {
                self.returned = Some(Returned { events, ..back });
                return;
            }
            bytes += self.documents[before..].iter().map(|document| document.bytes.len()).sum::<usize>();
            if oversize(bytes).is_some() {
                return; // The caller sees it too, and makes one dead letter of the record.
            }
        }
    }

    /// `part`: which part of the record it is, and that part's own key.
    fn event(
        &mut self,
        part: (Option<usize>, Option<ByteString>),
        data: Bytes,
        record: &Record,
        runner: &mut Runner,
        time: &Time,
        tally: &mut Tally,
    ) -> Result<(), Returned> {
        let back = |step, reason| Err(Returned { record: tally.record, events: 1, step, reason });
        let (part_at, part_key) = part;
        let Entered { id, partition_key, data } = entered(record, part_at, part_key.clone(), data);
        let event = Event::new(id, partition_key, record.arrived_at_ms, data);
        match runner.process(event, time.now_ms, Some(time.deadline)) {
            Outcome::Emit(emitted) => {
                tally.emitted += 1;
                self.documents.extend(emitted.into_iter().map(|emitted| Document {
                    record: tally.record,
                    event: part_at.unwrap_or(0),
                    route: emitted.route,
                    bytes: emitted.bytes.into(),
                }));
            }
            Outcome::Drop(_) => tally.dropped += 1,
            Outcome::DeadLetter(mut failed) => {
                tally.dead_letters += 1;
                let entered = entered(record, part_at, part_key, std::mem::take(&mut failed.entered));
                self.dead_letters.push(Draft { record: tally.record, entered, failed });
            }
            Outcome::Retry(failed) => return back(failed.step, Reason::Failure(failed.failure)),
            Outcome::Unsettled(reason) => return back(None, Reason::Unsettled(reason)),
        }
        Ok(())
    }

    /// A record, or a part of one, that cannot be taken apart: what `[input] on_failure` says.
    fn refuse(
        &mut self,
        record: &Record,
        rules: &Rules,
        failure: Failure,
        data: Bytes,
        part: Option<usize>,
        tally: &mut Tally,
    ) {
        match rules.on_failure {
            Policy::Drop => {
                *self.report.edge_failures.entry(failure.kind).or_default() += 1;
                tally.dropped += 1;
            }
            Policy::DeadLetter | Policy::Pass | Policy::Retry => self.keep(record, part, failure, data, tally),
        }
    }

    fn keep(&mut self, record: &Record, part: Option<usize>, failure: Failure, data: Bytes, tally: &mut Tally) {
        *self.report.edge_failures.entry(failure.kind).or_default() += 1;
        *self.report.edge_dead_letters.entry(failure.kind).or_default() += 1;
        tally.dead_letters += 1;
        let entered = entered(record, part, None, data);
        self.dead_letters.push(Draft { record: tally.record, entered, failed: Box::new(Failed::outside(failure)) });
    }

    /// Adds what another worker did; the order of records is restored by [`Done::sort`].
    pub(crate) fn merge(&mut self, other: Done) {
        self.tallies.extend(other.tallies);
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
        self.tallies.retain(|tally| tally.record < end);
        self.documents.retain(|document| document.record < end);
        self.dead_letters.retain(|draft| draft.record < end);
        self.returned = self.returned.take().filter(|returned| returned.record <= end);
    }

    /// Puts everything in the order of the records. Sorting is stable and finds the workers' runs, so it is a merge.
    pub(crate) fn sort(&mut self) {
        self.tallies.sort_by_key(|tally| tally.record);
        self.documents.sort_by_key(|document| document.record);
        self.dead_letters.sort_by_key(|draft| draft.record);
    }
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

/// What a record holds, or why it cannot be taken apart, with the bytes that say so.
fn events(record: &Record, rules: &Rules, counted: &mut InputNotes) -> Result<Events, (Failure, Bytes)> {
    let data = match record.data.decode() {
        Ok(data) => data,
        Err(reason) => return Err((Failure::new(FailureKind::Unpack, reason), record.data.text())),
    };
    match unpacking::unpack(&data, &rules.unpack, counted) {
        Ok(Unpacked::Plain) => Ok(Events::One(data)),
        Ok(Unpacked::Parts(parts)) => Ok(Events::Parts(parts)),
        Err(failure) => Err((failure, data)),
    }
}

/// An event of a record once more, for the rare document that Firehose refuses: keeping every event's bytes until then would
/// double what a window holds.
pub(crate) fn entered_again(record: &Record, event: usize, rules: &Rules) -> Entered {
    let part = match events(record, rules, &mut InputNotes::default()) {
        Ok(Events::One(data)) => return entered(record, None, None, data),
        Ok(Events::Parts(mut parts)) if event < parts.len() => parts.swap_remove(event),
        Ok(Events::Parts(_)) | Err(_) => unreachable!("the record was taken apart before, and unpacking is a function"),
    };
    entered(record, Some(event), part.partition_key.map(ByteString::from), part.data)
}

fn entered(record: &Record, part: Option<usize>, partition_key: Option<ByteString>, data: Bytes) -> Entered {
    Entered {
        id: part.map_or_else(|| record.id.clone(), |part| format!("{}/{part}", record.id).into()),
        partition_key: partition_key.unwrap_or_else(|| record.partition_key.clone()),
        data,
    }
}

impl Record {
    /// Whether it begins as gzip or a KPL aggregate do: then nobody knows what it will become.
    pub(crate) fn looks_packed(&self) -> bool {
        // The magic numbers 1F 8B and F3 89 9A C2, in base64.
        matches!(&self.data, Encoded::Base64(text) if text.starts_with(b"H4s") || text.starts_with(b"84maw"))
    }

    /// Bytes of its data as the event holds it.
    pub(crate) fn encoded_bytes(&self) -> usize {
        match &self.data {
            Encoded::Base64(text) => text.len(),
            Encoded::Missing => 0,
        }
    }
}
