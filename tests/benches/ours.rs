//! Our own work, in a process of its own: the real pipeline, engine and handler code, with the guest that does the
//! job.
//!
//! `bench serve DIR TASK` and `bench serve dump DIR CASE TASK`, as the programs in `tests/peers`. A task is
//! `job:STEPS` (the whole job), `through:STEPS` (a record's JSON in, a document's JSON out), `split:STEPS`,
//! `index` or `journal`; steps are parts of the job, with commas between them.

use super::split::Split;
use super::through::{Through, records, timed};
use bytes::Bytes;
use document::Document;
use engine::{Engine, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Assets, Runner};
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// Records that settle with one answer of Firehose: as many as a request has, where one becomes one document.
const ANSWERED_RECORDS: usize = 500;

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
        "through" => Box::new(Through::new(records(event), Mask::new().runner(&steps).1)),
        "split" => Box::new(Split::new(&Mask::new(), event, &steps)),
        "index" => Box::new(Index(records(event))),
        "journal" => Box::new(Journaled::new(event)),
        other => panic!("there is no task {other}"),
    }
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

impl Work for Through {
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        vec![self.timed(runs)]
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

/// What the journal writes of a batch: at its begin and end, and at every answer of Firehose.
struct Journaled {
    _folder: tempfile::TempDir,
    journal: lambda::Journal,
    batch: Arc<lambda::Batch>,
}

impl Journaled {
    fn new(event: Bytes) -> Journaled {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = lambda::Journal::open(&folder.path().join("journal"), lambda::Clock::system());
        Journaled { _folder: folder, journal, batch: Arc::new(lambda::records(event).expect("an event")) }
    }
}

impl Work for Journaled {
    fn turn(&mut self, runs: u32) -> Vec<Duration> {
        let write = || {
            self.journal.rehearse(&self.batch, ANSWERED_RECORDS);
            self.batch.records.len()
        };
        vec![timed(runs, write)]
    }

    fn documents(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// The documents of base64 entries.
pub(crate) fn decode(entries: &[String]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| base64_simd::STANDARD.decode_to_vec(entry).expect("we encoded it")).collect()
}
