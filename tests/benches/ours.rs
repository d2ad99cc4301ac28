//! Our own work, in a process of its own: the real pipeline, engine and handler code, with the guest that does the
//! job.
//!
//! `bench serve DIR TASK` and `bench serve dump DIR CASE TASK`, as the programs in `tests/peers`. A task is
//! `job:STEPS` (the whole job), `through:STEPS` (a record's JSON in, a document's JSON out), `split:STEPS` or
//! `index`; steps are parts of the job, with commas between them.

use super::split::Split;
use bytes::Bytes;
use bytestring::ByteString;
use document::Document;
use engine::{Engine, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Assets, Event, Outcome, Runner};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// What is measured.
pub(crate) trait Work {
    /// Does the work so many times; CPU time of all runs for each row that it fills.
    fn turn(&mut self, runs: u32) -> Vec<Duration>;

    /// The documents that one run makes.
    fn documents(&mut self) -> Vec<Vec<u8>>;
}

/// Does what the arguments say, until its input ends.
pub(crate) fn serve(arguments: &[String]) {
    match arguments {
        [dump, folder, case, task] if dump == "dump" => {
            let mut out = std::io::stdout().lock();
            for document in work(task, folder, case).documents() {
                out.write_all(&document).and_then(|()| out.write_all(b"\n")).expect("somebody reads");
            }
        }
        [folder, task] => turns(folder, task),
        other => panic!("unexpected arguments: {other:?}"),
    }
}

/// A process gets turns of one case.
fn turns(folder: &str, task: &str) {
    let mut loaded = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (case, runs) = line.split_once(' ').expect("CASE N");
        let work = loaded.get_or_insert_with(|| work(task, folder, case));
        let times = work.turn(runs.parse().expect("a number"));
        let times: Vec<String> = times.iter().map(|time| time.as_nanos().to_string()).collect();
        println!("{}", times.join(" "));
    }
}

fn work(task: &str, folder: &str, case: &str) -> Box<dyn Work> {
    let event: Bytes = std::fs::read(format!("{folder}/s{}.json", &case[1..])).expect("an event").into();
    let (kind, steps) = task.split_once(':').unwrap_or((task, ""));
    let steps: Vec<&str> = steps.split(',').filter(|step| !step.is_empty()).collect();
    match kind {
        "job" => Box::new(Job::new(&Mask::new(), event, &steps)),
        "through" => Box::new(Through::new(&Mask::new(), records(event), &steps)),
        "split" => Box::new(Split::new(&Mask::new(), event, &steps)),
        "index" => Box::new(Index(records(event))),
        other => panic!("there is no task {other}"),
    }
}

/// The records of an event; taking them out is not part of what is timed.
fn records(event: Bytes) -> Vec<Bytes> {
    let batch = lambda::records(event).expect("an event");
    batch.records.iter().map(|record| record.data.decode().expect("base64")).collect()
}

/// The guest that does the job, compiled once.
pub(crate) struct Mask {
    engine: Engine,
    code: engine::Code,
}

impl Mask {
    fn new() -> Mask {
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
            self.engine.load(&self.code, step, &tests::filled(step), &Assets::default()).expect("it starts").plugin()
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
struct Job {
    event: Bytes,
    pipeline: Arc<Pipeline>,
    runner: Runner,
}

impl Job {
    fn new(mask: &Mask, event: Bytes, parts: &[&str]) -> Job {
        let (pipeline, runner) = mask.runner(parts);
        Job { event, pipeline, runner }
    }

    fn entries(&mut self) -> Vec<String> {
        let event = self.event.clone();
        let prepared = lambda::prepare(event, &self.pipeline, &mut self.runner, 0).expect("an event");
        assert_eq!(prepared.dead_letters, 0, "the records are good");
        prepared.entries
    }
}

impl Work for Job {
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        vec![timed(runs, || self.entries().len())]
    }

    fn documents(&mut self) -> Vec<Vec<u8>> {
        decode(&self.entries())
    }
}

/// Records one by one through the pipeline: JSON in, JSON out.
struct Through {
    events: Vec<(ByteString, Bytes)>,
    runner: Runner,
}

impl Through {
    fn new(mask: &Mask, records: Vec<Bytes>, parts: &[&str]) -> Through {
        let id = |k: usize| ByteString::from(format!("shardId-000000000006:4959033827149025660855969253836{k:019}"));
        let events = records.into_iter().enumerate().map(|(k, data)| (id(k), data)).collect();
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
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        let once = || {
            let mut bytes = 0;
            self.run(|document| bytes += document.len());
            bytes
        };
        vec![timed(runs, once)]
    }

    fn documents(&mut self) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        self.run(|document| documents.push(document));
        documents
    }
}

/// The validating pass alone.
struct Index(Vec<Bytes>);

impl Work for Index {
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        let parse = |data: &Bytes| Document::parse(data.clone()).expect("JSON").overlay_bytes();
        vec![timed(runs, || self.0.iter().map(parse).sum())]
    }

    fn documents(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// The documents of base64 entries.
pub(crate) fn decode(entries: &[String]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| base64_simd::STANDARD.decode_to_vec(entry).expect("we encoded it")).collect()
}

/// CPU time of this process: all threads, so that the engine's clock counts, as garbage collectors do elsewhere.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn timed(runs: u32, mut once: impl FnMut() -> usize) -> Duration {
    let before = cpu();
    for _ in 0..runs {
        black_box(once());
    }
    cpu() - before
}
