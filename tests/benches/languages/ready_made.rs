//! The job in one language, in a process of its own: JSON in, JSON out, through the real pipeline.
//!
//! `languages serve DIR LANGUAGE` and `languages serve dump DIR CASE LANGUAGE`, as the programs in `tests/peers`.

use bytes::Bytes;
use bytestring::ByteString;
use engine::{Engine, Settings};
use pipeline::{Asset, Assets, Event, Outcome, Runner};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::Duration;
use tests::conformance::{Guest, LANGUAGES};
use toolchain::MAIN;

/// Leaves a plugin in a folder, compiled, for the processes that run it.
pub(crate) fn put(guest: &Guest, folder: &Path) {
    let artifact = engine().precompile(&guest.wasm).expect("it is a plugin");
    std::fs::write(folder.join(guest.language.id()), artifact).expect("a folder of our own");
    if let Some(script) = guest.assets.get(MAIN) {
        std::fs::write(folder.join(format!("{}.script", guest.language.id())), &script.bytes).expect("the same");
    }
}

pub(crate) fn engine() -> Engine {
    Engine::new(&Settings::default()).expect("an engine")
}

/// Does what the arguments say, until its input ends.
pub(crate) fn serve(arguments: &[String]) {
    match arguments {
        [dump, folder, _, language] if dump == "dump" => {
            let mut out = std::io::stdout().lock();
            Job::new(folder, language).run(|document| {
                out.write_all(&document).and_then(|()| out.write_all(b"\n")).expect("somebody reads");
            });
        }
        [folder, language] => {
            let mut job = Job::new(folder, language);
            for line in std::io::stdin().lock().lines() {
                let line = line.expect("a line");
                let (_, runs) = line.split_once(' ').expect("CASE N");
                let before = cpu();
                for _ in 0..runs.parse().expect("a number") {
                    let mut bytes = 0;
                    job.run(|document| bytes += document.len());
                    black_box(bytes);
                }
                println!("{}", (cpu() - before).as_nanos());
            }
        }
        other => panic!("unexpected arguments: {other:?}"),
    }
}

/// CPU time of this process: all threads, so that the engine's clock counts.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Records of the bench, ready to be put in.
pub(crate) fn events(folder: &Path) -> Vec<(ByteString, Bytes)> {
    let event = std::fs::read(folder.join("s419.json")).expect("an event");
    let batch = lambda::records(event.into()).expect("an event");
    let id = |k: usize| ByteString::from(format!("shardId-000000000006:4959033827149025660855969253836{k:019}"));
    batch.records.iter().enumerate().map(|(k, record)| (id(k), record.data.decode().expect("base64"))).collect()
}

struct Job {
    events: Vec<(ByteString, Bytes)>,
    runner: Runner,
}

impl Job {
    fn new(folder: &str, language: &str) -> Job {
        let folder = Path::new(folder);
        let language = LANGUAGES.into_iter().find(|known| known.id() == language).expect("one of the six");
        let assets = match std::fs::read(folder.join(format!("{}.script", language.id()))) {
            Ok(script) => {
                BTreeMap::from([(MAIN.to_owned(), Asset { source: "plugin.js".to_owned(), bytes: script.into() })])
            }
            Err(_) => BTreeMap::new(),
        };
        let guest = Guest { language, wasm: Vec::new(), assets: Assets::new(assets).expect("one, and small") };
        let artifact = std::fs::read(folder.join(language.id())).expect("it was put there");
        let engine = engine();
        let code = engine.load_precompiled(&artifact).expect("of this very engine");
        let runner = guest.start(&engine, &code, "").unwrap_or_else(|error| panic!("{error}"));
        Job { events: events(folder), runner }
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
