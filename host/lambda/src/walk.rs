//! One record on its way to what becomes of it: taken apart, each event run, and settled as a whole.
//!
//! The function, `paddle run`, the tests of a project, a release's trial and the comparison at `publish` all walk this
//! way; they differ in where a record comes from (a [`Source`]) and in what they do with what came of it (a [`Sink`]).

use crate::unpacking;
use bytes::Bytes;
use bytestring::ByteString;
use pipeline::settings::EdgePolicy;
use pipeline::{Dropped, Event, Failed, Failure, FailureKind, InputNotes, Outcome, Pipeline, Report, Runner};
use std::time::Instant;
use unpack::{Part, Unpacked};

/// Bytes of documents that one record may become. Beyond, it is a dead letter: a fan-out must not fill the memory.
const RECORD_DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// What the pipeline says about records.
#[derive(Debug)]
pub struct Rules {
    unpack: unpack::Settings,
    on_failure: EdgePolicy,
}

impl Rules {
    /// Those of a pipeline.
    pub fn of(pipeline: &Pipeline) -> Rules {
        Rules { unpack: unpacking::settings(pipeline), on_failure: pipeline.input.on_failure }
    }
}

/// A record, wherever it comes from.
pub struct Source<'r> {
    /// The id of its event, or what those of its parts begin with.
    pub id: &'r ByteString,
    /// Its partition key; a part of an aggregate may have its own.
    pub partition_key: &'r ByteString,
    /// Milliseconds since the Unix epoch.
    pub arrived_at_ms: u64,
    /// Its bytes; or why they cannot be decoded, and the text that they stand in.
    pub data: Result<Bytes, (Failure, Bytes)>,
}

/// An event as it entered the pipeline, or a record or part that cannot be taken apart.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Which part of its record it is; none for a record that is one event.
    pub part: Option<usize>,
    /// The event's id.
    pub id: ByteString,
    /// The event's partition key.
    pub partition_key: ByteString,
    /// Milliseconds since the Unix epoch.
    pub arrived_at_ms: u64,
    /// The event's bytes.
    pub data: Bytes,
    /// Why it is no event.
    pub refused: Option<Failure>,
}

/// The events of a record. Most records are one, which costs no list.
#[derive(Debug)]
pub enum Events {
    /// The record is one event, or cannot be taken apart.
    One(Entered),
    /// Its parts.
    Parts(Vec<Entered>),
}

impl Events {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Events::One(_) => 1,
            Events::Parts(parts) => parts.len(),
        }
    }

    /// All of them, in their order.
    pub fn into_vec(self) -> Vec<Entered> {
        match self {
            Events::One(entered) => vec![entered],
            Events::Parts(parts) => parts,
        }
    }
}

/// Takes a record apart, and counts what was noticed.
#[inline]
pub fn events(source: Source<'_>, rules: &Rules, noticed: &mut InputNotes) -> Events {
    let Source { id, partition_key, arrived_at_ms, data } = source;
    let whole = |data, refused| {
        let (id, partition_key) = (id.clone(), partition_key.clone());
        Events::One(Entered { part: None, id, partition_key, arrived_at_ms, data, refused })
    };
    let data = match data {
        Ok(data) => data,
        Err((failure, text)) => return whole(text, Some(failure)),
    };
    let parts = match unpacking::unpack(&data, &rules.unpack, noticed) {
        Ok(Unpacked::Plain) => return whole(data, None),
        Ok(Unpacked::Parts(parts)) => parts,
        Err(failure) => return whole(data, Some(failure)),
    };
    let part = |(at, part): (usize, Part)| Entered {
        part: Some(at),
        id: format!("{id}/{at}").into(),
        partition_key: part.partition_key.map_or_else(|| partition_key.clone(), ByteString::from),
        arrived_at_ms,
        data: part.data,
        refused: part.refusal.map(|refusal| Failure::new(FailureKind::Unpack, refusal.message)),
    };
    Events::Parts(parts.into_iter().enumerate().map(part).collect())
}

/// Why a record with documents of so many bytes is a dead letter; none if it is not.
fn oversize(bytes: usize) -> Option<Failure> {
    let reason = "the record became more than 16 MiB of documents";
    (bytes > RECORD_DOCUMENT_BYTES_MAX).then(|| Failure::new(FailureKind::Oversize, reason))
}

/// Takes what became of the events of a record.
pub trait Sink {
    /// What it keeps of an event while that runs.
    type Kept;

    /// An event is about to run.
    fn keep(&mut self, entered: &Entered) -> Self::Kept;

    /// The event is delivered, dropped or a dead letter, if its record settles.
    fn settle(&mut self, kept: Self::Kept, outcome: Outcome);
}

/// How a record ended.
pub enum Walked<K> {
    /// Each of its events settled.
    Settled,
    /// It goes back, with all of its events.
    Back {
        /// What was kept of the event that goes back.
        kept: K,
        /// Why: [`Outcome::Retry`] or [`Outcome::Unsettled`].
        outcome: Outcome,
        /// The events behind it, which were not run.
        rest: Vec<Entered>,
    },
    /// It became more than a record may, and is one dead letter.
    Oversize(Failure),
}

/// What a record needs on its way.
pub struct Walk<'w> {
    /// Those of the runner's pipeline.
    pub rules: &'w Rules,
    /// Runs its events.
    pub runner: &'w mut Runner,
    /// Where failures outside of steps are counted.
    pub report: &'w mut Report,
    /// Milliseconds since the Unix epoch, for `retry_for_s`.
    pub now_ms: u64,
    /// When plugins must be done; none for never.
    pub deadline: Option<Instant>,
}

impl Walk<'_> {
    /// Runs the events of a record, one after the other, until one of them goes back or they become too much.
    #[inline]
    pub fn record<S: Sink>(&mut self, events: Events, sink: &mut S) -> Walked<S::Kept> {
        let mut bytes = 0;
        let mut parts = match events {
            Events::One(entered) => return self.next(entered, &mut bytes, sink).unwrap_or(Walked::Settled),
            Events::Parts(parts) => parts.into_iter(),
        };
        while let Some(entered) = parts.next() {
            match self.next(entered, &mut bytes, sink) {
                None => {}
                Some(Walked::Back { kept, outcome, .. }) => {
                    return Walked::Back { kept, outcome, rest: parts.collect() };
                }
                Some(walked) => return walked,
            }
        }
        Walked::Settled
    }

    /// Runs the next event of a record that has become so many bytes; none when it settled.
    #[inline]
    fn next<S: Sink>(&mut self, entered: Entered, bytes: &mut usize, sink: &mut S) -> Option<Walked<S::Kept>> {
        let kept = sink.keep(&entered);
        let outcome = self.event(entered);
        match &outcome {
            Outcome::Retry(_) | Outcome::Unsettled(_) => {
                return Some(Walked::Back { kept, outcome, rest: Vec::new() });
            }
            Outcome::Emit(documents) => {
                *bytes += documents.iter().map(|document| document.bytes.len()).sum::<usize>();
            }
            Outcome::Drop(_) | Outcome::DeadLetter(_) => {}
        }
        if let Some(failure) = oversize(*bytes) {
            return Some(Walked::Oversize(failure));
        }
        sink.settle(kept, outcome);
        None
    }

    /// Runs one event to its end.
    #[inline]
    pub fn event(&mut self, entered: Entered) -> Outcome {
        let Entered { id, partition_key, arrived_at_ms, data, refused, .. } = entered;
        match refused {
            None => {
                let event = Event::new(id, partition_key, arrived_at_ms, data);
                self.runner.process(event, self.now_ms, self.deadline)
            }
            Some(failure) => self.refuse(failure, data),
        }
    }

    /// What cannot be taken apart: what `[input] on_failure` says.
    fn refuse(&mut self, failure: Failure, data: Bytes) -> Outcome {
        match self.rules.on_failure {
            EdgePolicy::Drop => {
                *self.report.edge_failures.entry(failure.kind).or_default() += 1;
                Outcome::Drop(Dropped { step: None, failure: Some(failure) })
            }
            EdgePolicy::DeadLetter => dead_letter(failure, data, self.report),
        }
    }
}

/// Makes one dead letter of what failed outside of the steps: a part of a record, or all of it.
pub fn dead_letter(failure: Failure, data: Bytes, report: &mut Report) -> Outcome {
    *report.edge_failures.entry(failure.kind).or_default() += 1;
    *report.edge_dead_letters.entry(failure.kind).or_default() += 1;
    Outcome::DeadLetter(Box::new(Failed { entered: data, ..Failed::outside(failure) }))
}
