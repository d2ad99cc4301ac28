//! Records through a pipeline, here and on this thread: unpacked and run by the code that the function runs.

use crate::input::{Data, Record};
use crate::time;
use anyhow::Result;
use bytes::Bytes;
use pipeline::settings::Policy;
use pipeline::{
    Dropped, Emitted, Event, Failed, Failure, FailureKind, Observe, Outcome, Pipeline, Report, Runner, Unsettled,
};
use std::sync::Arc;
use unpack::{Part, Unpacked};

/// What a stream is called that nobody named.
const STREAM_DEFAULT: &str = "local";

/// A pipeline on one thread, and what it did so far.
pub(crate) struct Local {
    pub(crate) pipeline: Arc<Pipeline>,
    runner: Runner,
    unpack: unpack::Settings,
    report: Report,
    fixed_ms: Option<u64>,
    stream: String,
}

/// An event as it entered the pipeline, or what could not be taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    pub(crate) id: String,
    pub(crate) partition_key: String,
    pub(crate) arrived_at_ms: u64,
    pub(crate) data: Bytes,
    /// Why it is no event.
    pub(crate) refused: Option<Failure>,
}

/// An event and what became of it.
pub(crate) struct Settled {
    pub(crate) entered: Entered,
    pub(crate) outcome: Outcome,
}

impl Local {
    /// `fixed_ms`: what time it always is; none for the machine's clock.
    pub(crate) fn new(loaded: &lambda::Loaded, fixed_ms: Option<u64>) -> Result<Local> {
        let pipeline = Arc::clone(&loaded.pipeline);
        let runner = Runner::new(Arc::clone(&pipeline), (loaded.plugins)()?, STREAM_DEFAULT);
        let unpack = lambda::unpacking::settings(&pipeline);
        let report = Report { pipeline: pipeline.name.clone(), ..Report::default() };
        Ok(Local { pipeline, runner, unpack, report, fixed_ms, stream: STREAM_DEFAULT.to_owned() })
    }

    /// The stream of the latest record.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// Has every call watched.
    pub(crate) fn observe(&mut self, observe: Box<dyn Observe>) {
        self.runner.observe(observe);
    }

    /// Has read and written fields noted.
    pub(crate) fn observe_fields(&mut self) {
        self.runner.observe_fields(true);
    }

    /// The events of a record.
    pub(crate) fn events(&mut self, record: &Record) -> Vec<Entered> {
        self.report.records += 1;
        let stream = record.stream.as_deref().unwrap_or(STREAM_DEFAULT);
        if self.stream != stream {
            self.runner.begin_batch(stream);
            self.stream = stream.to_owned();
        }
        let arrived_at_ms = record.arrived_at_ms.unwrap_or_else(|| self.now_ms());
        let entered = |part: Option<usize>, key: Option<String>, data, refused| Entered {
            id: part.map_or_else(|| record.id.clone(), |part| format!("{}/{part}", record.id)),
            partition_key: key.unwrap_or_else(|| record.partition_key.clone()),
            arrived_at_ms,
            data,
            refused,
        };
        let data = match &record.data {
            Data::Bytes(data) => data,
            Data::Undecodable(text, why) => {
                let failure = Failure::new(FailureKind::Unpack, why.clone());
                return vec![entered(None, None, text.clone(), Some(failure))];
            }
        };
        match lambda::unpacking::unpack(data, &self.unpack, &mut self.report.input) {
            Ok(Unpacked::Plain) => vec![entered(None, None, data.clone(), None)],
            Ok(Unpacked::Parts(parts)) => {
                let part = |(at, part): (usize, Part)| {
                    let refused = part.refusal.map(|refusal| Failure::new(FailureKind::Unpack, refusal.message));
                    entered(Some(at), part.partition_key, part.data, refused)
                };
                parts.into_iter().enumerate().map(part).collect()
            }
            Err(failure) => vec![entered(None, None, data.clone(), Some(failure))],
        }
    }

    /// Runs the events of a record, one after the other, and settles the record as a whole, as the function does: if one of
    /// them goes back, all do, and a record that becomes too much is one dead letter. `ran` is called behind each event.
    pub(crate) fn run_record(&mut self, record: &Record, mut ran: impl FnMut()) -> Vec<Settled> {
        let mut settled: Vec<Settled> = Vec::new();
        for entered in self.events(record) {
            let outcome = match settled.iter().any(|before| goes_back(&before.outcome).is_some()) {
                true => Outcome::Unsettled(Unsettled::Host(String::new())),
                false => self.outcome(&entered),
            };
            settled.push(Settled { entered, outcome });
            ran();
        }
        if let Some(first) = settled.iter().position(|settled| goes_back(&settled.outcome).is_some()) {
            let reason = goes_back(&settled[first].outcome).unwrap_or_default();
            let reason = format!("another event of its record goes back: {reason}");
            for (_, other) in settled.iter_mut().enumerate().filter(|(at, _)| *at != first) {
                other.outcome = Outcome::Unsettled(Unsettled::Host(reason.clone()));
            }
        }
        let bytes = settled.iter().flat_map(|settled| documents(&settled.outcome)).map(|document| document.bytes.len());
        if let Some(failure) = lambda::oversize(bytes.sum()) {
            settled = vec![self.whole(record, settled.swap_remove(0).entered, failure)];
        }
        settled.iter().for_each(|settled| self.count(settled));
        settled
    }

    /// A record that failed as a whole. `first`: the first of its events.
    fn whole(&mut self, record: &Record, first: Entered, failure: Failure) -> Settled {
        let data = match &record.data {
            Data::Bytes(data) => data.clone(),
            Data::Undecodable(text, _) => text.clone(),
        };
        *self.report.edge_failures.entry(failure.kind).or_default() += 1;
        *self.report.edge_dead_letters.entry(failure.kind).or_default() += 1;
        let entered = Entered { id: record.id.clone(), data, ..first };
        Settled { entered, outcome: Outcome::DeadLetter(Box::new(Failed::outside(failure))) }
    }

    /// Runs one event to its end, as if it were a record, and counts how it settled.
    pub(crate) fn run(&mut self, entered: Entered) -> Settled {
        let settled = Settled { outcome: self.outcome(&entered), entered };
        self.count(&settled);
        settled
    }

    /// Runs one event to its end.
    fn outcome(&mut self, entered: &Entered) -> Outcome {
        if let Some(failure) = &entered.refused {
            return self.refuse(failure.clone());
        }
        let (id, key) = (entered.id.as_str().into(), entered.partition_key.as_str().into());
        let event = Event::new(id, key, entered.arrived_at_ms, entered.data.clone());
        self.runner.process(event, self.now_ms(), None)
    }

    /// Counts how an event settled.
    fn count(&mut self, settled: &Settled) {
        let counts = &mut self.report.counts;
        counts.events += 1;
        match &settled.outcome {
            Outcome::Emit(_) => counts.delivered += 1,
            Outcome::Drop(_) => counts.dropped += 1,
            Outcome::DeadLetter(_) => counts.dead_letters += 1,
            Outcome::Retry(_) | Outcome::Unsettled(_) => counts.returned += 1,
        }
        for document in documents(&settled.outcome) {
            let route = &self.pipeline.routes[usize::from(document.route)].name;
            *self.report.documents.entry(route.clone()).or_default() += 1;
            self.report.document_bytes += document.bytes.len() as u64;
        }
    }

    fn refuse(&mut self, failure: Failure) -> Outcome {
        *self.report.edge_failures.entry(failure.kind).or_default() += 1;
        match self.pipeline.input.on_failure {
            Policy::Drop => Outcome::Drop(Dropped { step: None, failure: Some(failure) }),
            Policy::DeadLetter | Policy::Pass | Policy::Retry => {
                *self.report.edge_dead_letters.entry(failure.kind).or_default() += 1;
                Outcome::DeadLetter(Box::new(Failed::outside(failure)))
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.fixed_ms.unwrap_or_else(time::now_ms)
    }

    /// What happened.
    pub(crate) fn into_report(mut self) -> Report {
        self.report.merge(self.runner.take_report());
        self.report
    }
}

/// Why an event goes back to Kinesis, if it does.
fn goes_back(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Retry(failed) => Some(failed.failure.message().to_owned()),
        Outcome::Unsettled(reason) => Some(reason.to_string()),
        Outcome::Emit(_) | Outcome::Drop(_) | Outcome::DeadLetter(_) => None,
    }
}

fn documents(outcome: &Outcome) -> &[Emitted] {
    match outcome {
        Outcome::Emit(documents) => documents,
        Outcome::Drop(_) | Outcome::DeadLetter(_) | Outcome::Retry(_) | Outcome::Unsettled(_) => &[],
    }
}
