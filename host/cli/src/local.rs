//! Records through a pipeline, here and on this thread: unpacked and run by the code that the function runs.

use crate::input::{Data, Record};
use crate::time;
use anyhow::Result;
use lambda::walk::{self, Entered, Events, Rules, Sink, Source, Walk, Walked};
use pipeline::{Emitted, Failure, FailureKind, Observe, Outcome, Pipeline, Report, Runner, Unsettled};
use std::sync::Arc;

/// What a stream is called that nobody named.
const STREAM_DEFAULT: &str = "local";

/// A pipeline on one thread, and what it did so far.
pub(crate) struct Local {
    pub(crate) pipeline: Arc<Pipeline>,
    runner: Runner,
    rules: Rules,
    report: Report,
    fixed_ms: Option<u64>,
    stream: String,
}

/// An event and what became of it.
pub(crate) struct Settled {
    pub(crate) entered: Entered,
    pub(crate) outcome: Outcome,
}

/// Keeps every event of a record with its outcome.
struct Keeping<'r> {
    settled: Vec<Settled>,
    ran: &'r mut dyn FnMut(),
}

impl Sink for Keeping<'_> {
    type Kept = Entered;

    fn keep(&mut self, entered: &Entered) -> Entered {
        entered.clone()
    }

    fn settle(&mut self, entered: Entered, outcome: Outcome) {
        self.settled.push(Settled { entered, outcome });
        (self.ran)();
    }
}

impl Local {
    /// `fixed_ms`: what time it always is; none for the machine's clock.
    pub(crate) fn new(loaded: &lambda::Loaded, fixed_ms: Option<u64>) -> Result<Local> {
        let pipeline = Arc::clone(&loaded.pipeline);
        let runner = Runner::new(Arc::clone(&pipeline), (loaded.plugins)()?, STREAM_DEFAULT);
        let rules = Rules::of(&pipeline);
        let report = Report { pipeline: pipeline.name.clone(), ..Report::default() };
        Ok(Local { pipeline, runner, rules, report, fixed_ms, stream: STREAM_DEFAULT.to_owned() })
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
    pub(crate) fn events(&mut self, record: &Record) -> Events {
        self.report.records += 1;
        let stream = record.stream.as_deref().unwrap_or(STREAM_DEFAULT);
        if self.stream != stream {
            self.runner.begin_batch(stream);
            self.stream = stream.to_owned();
        }
        let source = Source {
            id: &record.id.as_str().into(),
            partition_key: &record.partition_key.as_str().into(),
            arrived_at_ms: record.arrived_at_ms.unwrap_or_else(|| self.now_ms()),
            data: match &record.data {
                Data::Bytes(data) => Ok(data.clone()),
                Data::Undecodable(text, why) => Err((Failure::new(FailureKind::Unpack, why.clone()), text.clone())),
            },
        };
        walk::events(source, &self.rules, &mut self.report.input)
    }

    /// Runs the events of a record, one after the other, and settles the record as a whole, as the function does: if
    /// one of them goes back, all do, and a record that becomes too much is one dead letter. `ran` is called behind
    /// each event.
    pub(crate) fn run_record(&mut self, record: &Record, mut ran: impl FnMut()) -> Vec<Settled> {
        let events = self.events(record);
        let mut keeping = Keeping { settled: Vec::new(), ran: &mut ran };
        let walked = self.walk().record(events, &mut keeping);
        let mut settled = keeping.settled;
        match walked {
            Walked::Settled => {}
            Walked::Back { kept: entered, outcome, rest } => {
                let reason = format!("another event of its record goes back: {}", why_back(&outcome));
                let back = |entered| Settled { entered, outcome: Outcome::Unsettled(Unsettled::Host(reason.clone())) };
                settled = settled.into_iter().map(|settled| back(settled.entered)).collect();
                settled.push(Settled { entered, outcome });
                ran();
                for entered in rest {
                    settled.push(back(entered));
                    ran();
                }
            }
            Walked::Oversize(failure) => settled = vec![self.whole(record, failure)],
        }
        settled.iter().for_each(|settled| self.count(settled));
        settled
    }

    /// A record that failed as a whole.
    fn whole(&mut self, record: &Record, failure: Failure) -> Settled {
        let (Data::Bytes(data) | Data::Undecodable(data, _)) = &record.data;
        let entered = Entered {
            part: None,
            id: record.id.as_str().into(),
            partition_key: record.partition_key.as_str().into(),
            arrived_at_ms: record.arrived_at_ms.unwrap_or_else(|| self.now_ms()),
            data: data.clone(),
            refused: None,
        };
        Settled { entered, outcome: walk::dead_letter(failure, data.clone(), &mut self.report) }
    }

    /// Runs one event to its end, as if it were a record, and counts how it settled.
    pub(crate) fn run(&mut self, entered: Entered) -> Settled {
        let settled = Settled { outcome: self.walk().event(entered.clone()), entered };
        self.count(&settled);
        settled
    }

    fn walk(&mut self) -> Walk<'_> {
        let now_ms = self.now_ms();
        let (rules, runner, report) = (&self.rules, &mut self.runner, &mut self.report);
        Walk { rules, runner, report, now_ms, deadline: None }
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

    fn now_ms(&self) -> u64 {
        self.fixed_ms.unwrap_or_else(time::now_ms)
    }

    /// What happened.
    pub(crate) fn into_report(mut self) -> Report {
        self.report.merge(self.runner.take_report());
        self.report
    }
}

/// Why an event goes back to Kinesis.
fn why_back(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Retry(failed) => failed.failure.message().to_owned(),
        Outcome::Unsettled(reason) => reason.to_string(),
        Outcome::Emit(_) | Outcome::Drop(_) | Outcome::DeadLetter(_) => String::new(),
    }
}

fn documents(outcome: &Outcome) -> &[Emitted] {
    match outcome {
        Outcome::Emit(documents) => documents,
        Outcome::Drop(_) | Outcome::DeadLetter(_) | Outcome::Retry(_) | Outcome::Unsettled(_) => &[],
    }
}
