//! Where the time of `handler_ms_10k` goes: what `lambda::prepare` does, in the same order and with the same
//! functions, but a hundred records at a time, so that a clock can be read between the parts.
//!
//! - `envelope`: the event's text into records (`lambda::records`), base64 of each, and a look for KPL, gzip and
//!   CloudWatch.
//! - `plugins`: the steps, with the runner's book-keeping and the validating pass over a record's JSON, which the
//!   first step that reads a field asks for (its own row says how much that is).
//! - `check`: what [document] says of the outcome, the id, and the final bytes.
//! - `entries`: base64 of them.
//!
//! The parts need not add up to the whole exactly: a hundred documents at a time are further from the processor's
//! caches than one, and what the handler keeps in case an event fails is not here.

use super::ours::{Mask, Work, decode};
use super::through::cpu;
use bytes::Bytes;
use document::Meter;
use lambda::{Record, unpacking};
use pipeline::{Content, Event, InputNotes, Outcome, Pipeline, Plugin, Runner, Transformed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use unpack::Unpacked;

/// Records between two looks at the clock, which takes about half a microsecond.
const CHUNK: usize = 100;

/// The parts, in the order of the rows.
pub(crate) const PARTS: [&str; 4] = ["envelope", "plugins", "check", "entries"];
const ENVELOPE: usize = 0;
const PLUGINS: usize = 1;
const CHECK: usize = 2;
const ENTRIES: usize = 3;

/// The handler's work in parts.
pub(crate) struct Split {
    event: Bytes,
    pipeline: Arc<Pipeline>,
    unpack: unpack::Settings,
    runner: Runner,
    passed: Arc<Mutex<Vec<Event>>>,
}

/// Keeps what the last step emits, so that the runner does not go on to the check.
struct Last {
    step: Box<dyn Plugin>,
    passed: Arc<Mutex<Vec<Event>>>,
}

/// Adds the time since the last look to a part.
struct Laps {
    last: Duration,
    parts: [Duration; PARTS.len()],
}

impl Split {
    pub(crate) fn new(mask: &Mask, event: Bytes, parts: &[&str]) -> Split {
        let (pipeline, mut plugins) = mask.load(parts);
        let passed = Arc::default();
        let step = plugins.pop().expect("there are steps");
        plugins.push(Box::new(Last { step, passed: Arc::clone(&passed) }));
        let runner = Runner::new(Arc::clone(&pipeline), plugins, "lambda-stream");
        Split { event, unpack: unpacking::settings(&pipeline), pipeline, runner, passed }
    }

    fn once(&mut self, laps: &mut Laps) -> Vec<String> {
        laps.last = cpu();
        let deadline = Instant::now() + Duration::from_secs(900);
        let batch = lambda::records(self.event.clone()).expect("an event");
        self.runner.begin_batch(&batch.stream);
        let mut id = String::new();
        let mut documents: Vec<Vec<u8>> = Vec::new();
        let mut notes = InputNotes::default();
        for records in batch.records.chunks(CHUNK) {
            let events: Vec<Event> = records.iter().map(|record| entered(record, &self.unpack, &mut notes)).collect();
            laps.end(ENVELOPE);
            for event in events {
                let outcome = self.runner.process(event, 0, Some(deadline));
                assert!(matches!(outcome, Outcome::Drop(_)), "the last step keeps what it emits: {outcome:?}");
            }
            let passed = std::mem::take(&mut *self.passed.lock().expect("nobody panicked"));
            laps.end(PLUGINS);
            documents.extend(passed.into_iter().map(|event| self.check(event, &batch.stream, &mut id)));
            laps.end(CHECK);
        }
        let entries = documents.drain(..).map(|bytes| base64_simd::STANDARD.encode_to_string(&bytes)).collect();
        laps.end(ENTRIES);
        std::hint::black_box((self.runner.take_report(), notes));
        laps.end(PLUGINS);
        entries
    }

    /// As the runner does for a pipeline that forbids nothing.
    fn check(&self, event: Event, stream: &str, id: &mut String) -> Vec<u8> {
        let Content::Json(mut document) = event.content else { panic!("the steps read it") };
        id.clear();
        for part in [stream, "/", &event.identity.id] {
            id.push_str(part);
        }
        self.pipeline.document.rules.check(&mut document, id, &mut Meter::unlimited()).expect("a good document").bytes
    }
}

impl Work for Split {
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        let mut laps = Laps { last: cpu(), parts: Default::default() };
        for _ in 0..runs {
            let entries = self.once(&mut laps);
            drop(std::hint::black_box(entries));
            laps.end(ENTRIES);
        }
        laps.parts.into()
    }

    fn documents(&mut self) -> Vec<Vec<u8>> {
        decode(&self.once(&mut Laps { last: cpu(), parts: Default::default() }))
    }
}

impl Plugin for Last {
    fn transform(&mut self, event: &Event, deadline: Option<Instant>) -> Transformed {
        let mut transformed = self.step.transform(event, deadline);
        if let Ok(outputs) = &mut transformed.result {
            let mut passed = self.passed.lock().expect("nobody panicked");
            passed.extend(outputs.drain(..).map(|output| output.event));
        }
        transformed
    }
}

impl Laps {
    fn end(&mut self, part: usize) {
        let now = cpu();
        self.parts[part] += now - self.last;
        self.last = now;
    }
}

/// A record as the event it is.
fn entered(record: &Record, settings: &unpack::Settings, notes: &mut InputNotes) -> Event {
    let data = record.data.decode().expect("base64");
    let Ok(Unpacked::Plain) = unpacking::unpack(&data, settings, notes) else { panic!("the records are plain") };
    Event::new(record.id.clone(), record.partition_key.clone(), record.arrived_at_ms, data)
}
