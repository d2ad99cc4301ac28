//! Our own work: the real pipeline, engine and handler code, with the guest that does the job.

use super::measure::Work;
use bytes::Bytes;
use bytestring::ByteString;
use document::Document;
use engine::{Engine, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Event, Outcome, Runner};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// The guest that does the job, compiled once.
pub(crate) struct Mask {
    engine: Engine,
    code: engine::Code,
}

impl Mask {
    pub(crate) fn new() -> Mask {
        let engine = Engine::new(&Settings::default()).expect("an engine");
        let wasm = std::fs::read(env!("GUEST_MASK")).expect("the guest was built");
        Mask { code: engine.compile(&wasm).expect("it is a plugin"), engine }
    }

    /// A pipeline of steps of this guest, one for each part of the job, and its plugins.
    pub(crate) fn load(&self, parts: &[&str]) -> (Arc<Pipeline>, Vec<Box<dyn pipeline::Plugin>>) {
        let step =
            |part: &&str| format!("[[step]]\nname = \"{part}\"\nplugin = \"mask\"\nconfig = {{ part = \"{part}\" }}\n");
        let pipeline = Arc::new(Pipeline::parse(&parts.iter().map(step).collect::<String>()).expect("a pipeline"));
        let load = |step: &pipeline::settings::Step| {
            self.engine.load(&self.code, step, &step.config.to_string()).expect("it starts").plugin()
        };
        let plugins = pipeline.steps.iter().map(load).collect();
        (pipeline, plugins)
    }

    /// The same, ready to run: all checks on, id spliced, final bytes included.
    fn runner(&self, parts: &[&str]) -> (Arc<Pipeline>, Runner) {
        let (pipeline, plugins) = self.load(parts);
        (Arc::clone(&pipeline), Runner::new(pipeline, plugins, "lambda-stream"))
    }
}

/// The Lambda's work on one event, without the network: event text in, entries out, on one worker.
pub(crate) struct Job {
    event: Bytes,
    pipeline: Arc<Pipeline>,
    runner: Runner,
}

impl Job {
    pub(crate) fn new(mask: &Mask, event: &Bytes, parts: &[&str]) -> Job {
        let (pipeline, runner) = mask.runner(parts);
        Job { event: event.clone(), pipeline, runner }
    }

    fn entries(&mut self) -> Vec<String> {
        let event = self.event.clone();
        let prepared = lambda::prepare(event, &self.pipeline, &mut self.runner, 0).expect("an event");
        assert_eq!(prepared.dead_letters, 0, "the records are good");
        prepared.entries
    }
}

impl Work for Job {
    fn turn(&mut self, runs: u32) -> Result<Vec<Duration>, String> {
        Ok(vec![timed(runs, || self.entries().len())])
    }

    fn documents(&mut self) -> Result<Vec<Vec<u8>>, String> {
        Ok(decode(&self.entries()))
    }
}

/// Records one by one through the pipeline: JSON in, JSON out.
pub(crate) struct Through {
    events: Vec<(ByteString, Bytes)>,
    runner: Runner,
}

impl Through {
    pub(crate) fn new(mask: &Mask, records: &[Bytes], parts: &[&str]) -> Through {
        let id = |k: usize| ByteString::from(format!("shardId-000000000006:4959033827149025660855969253836{k:019}"));
        let events = records.iter().enumerate().map(|(k, data)| (id(k), data.clone())).collect();
        Through { events, runner: mask.runner(parts).1 }
    }

    /// Hands every document to `take`.
    fn run(&mut self, mut take: impl FnMut(Vec<u8>)) {
        for (id, data) in &self.events {
            let event = Event::new(id.clone(), ByteString::from_static("user"), 0, data.clone());
            match self.runner.process(event, 0, None) {
                Outcome::Emit(documents) => documents.into_iter().for_each(|document| take(document.bytes)),
                Outcome::Drop(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Work for Through {
    fn turn(&mut self, runs: u32) -> Result<Vec<Duration>, String> {
        let once = || {
            let mut bytes = 0;
            self.run(|document| bytes += document.len());
            bytes
        };
        Ok(vec![timed(runs, once)])
    }

    fn documents(&mut self) -> Result<Vec<Vec<u8>>, String> {
        let mut documents = Vec::new();
        self.run(|document| documents.push(document));
        Ok(documents)
    }
}

/// The validating pass alone.
pub(crate) struct Index(pub(crate) Vec<Bytes>);

impl Work for Index {
    fn turn(&mut self, runs: u32) -> Result<Vec<Duration>, String> {
        let parse = |data: &Bytes| Document::parse(data.clone()).expect("JSON").overlay_bytes();
        Ok(vec![timed(runs, || self.0.iter().map(parse).sum())])
    }
}

/// The documents of base64 entries.
pub(crate) fn decode(entries: &[String]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| base64_simd::STANDARD.decode_to_vec(entry).expect("we encoded it")).collect()
}

/// CPU time of the thread that works.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn timed(runs: u32, mut once: impl FnMut() -> usize) -> Duration {
    let before = cpu();
    for _ in 0..runs {
        black_box(once());
    }
    cpu() - before
}
