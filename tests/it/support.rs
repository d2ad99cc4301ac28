//! What tests share: an engine, guests as steps of a pipeline, events.

pub use tests::guests::{MISBEHAVE, file};

use bytes::Bytes;
use bytestring::ByteString;
use engine::{Clock, Engine, Mode, Settings};
use pipeline::settings::{Pipeline, Step};
use pipeline::{Assets, Event, Outcome, Runner};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// The stream that tests read from.
pub const STREAM: &str = "clicks";

/// What the machine's clock says in tests that fix it.
pub const NOW_MS: u64 = 1_795_341_600_000;

/// The two ways in which a component that imports only the contract can run.
pub const WAYS: [Way; 2] = [Way::Flat, Way::Component];

/// How components run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// What they import nothing but the contract for: their core modules alone.
    Flat,
    /// All as wasmtime runs components.
    Component,
}

/// One engine of a kind for all tests: real time limits, fixed clock.
pub fn engine(way: Way) -> &'static Engine {
    static ENGINES: [OnceLock<Engine>; 2] = [OnceLock::new(), OnceLock::new()];
    ENGINES[way as usize].get_or_init(|| {
        let flat = way == Way::Flat;
        let settings = Settings { mode: Mode::Epochs, clock: Clock::Fixed(NOW_MS), instances: 200, flat };
        Engine::new(&settings).expect("an engine")
    })
}

/// A guest's code, compiled once for all tests.
pub fn code(way: Way, path: &str) -> engine::Code {
    static CODES: OnceLock<Mutex<HashMap<(Way, String), engine::Code>>> = OnceLock::new();
    let mut codes = CODES.get_or_init(Mutex::default).lock().expect("no test panics while it compiles");
    let compile = || {
        let wasm = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        engine(way).compile(&wasm).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    codes.entry((way, path.to_owned())).or_insert_with(compile).clone()
}

/// Loads one step, its config as it stands.
pub fn load(way: Way, step: &Step) -> Result<engine::Loaded, engine::LoadError> {
    engine(way).load(&code(way, file(&step.plugin)), step, &tests::filled(step), &Assets::default())
}

/// A runner of the pipeline that a `paddle.toml` describes.
pub fn runner(toml: &str) -> Runner {
    runner_as(Way::Flat, toml)
}

/// The same, its plugins run one way or the other.
pub fn runner_as(way: Way, toml: &str) -> Runner {
    let pipeline = Pipeline::parse(toml).unwrap_or_else(|error| panic!("{error}"));
    let plugin = |step: &Step| load(way, step).unwrap_or_else(|error| panic!("{}: {error}", step.name)).plugin();
    let plugins = pipeline.steps.iter().map(plugin).collect();
    Runner::new(Arc::new(pipeline), plugins, STREAM)
}

/// The `k`-th event, with this text.
pub fn event(k: usize, data: impl Into<Bytes>) -> Event {
    let id = ByteString::from(format!("shardId-000000000000:{}", 1_000 + k));
    Event::new(id, ByteString::from(format!("key-{k}")), NOW_MS, data.into())
}

/// Runs so many events of a script that adds `{"n":1}` to their list, and then more: the instance's memory stays as it
/// was.
pub fn grows_nothing(runner: &mut Runner, first: usize, more: usize) {
    let mut memory = [0; 2];
    for (turn, events) in [first, more].into_iter().enumerate() {
        runner.begin_batch(STREAM);
        for k in 0..events {
            let settled = settle(runner, event(k, r#"{"n":1,"list":["a","b"],"t":"some text"}"#));
            assert!(settled.contains(r#"{"n":1}"#), "{settled}");
        }
        memory[turn] = runner.take_report().steps[0].memory_bytes_max;
    }
    assert_eq!(memory[0], memory[1], "memory after {first} events and after {more} more");
}

/// How an event settled, in one line that tests compare: its documents without their ids, who dropped it, or why it
/// failed.
pub fn settle(runner: &mut Runner, event: Event) -> String {
    match runner.process(event, NOW_MS, None) {
        Outcome::Emit(documents) => {
            documents.iter().map(|document| without_id(&document.bytes)).collect::<Vec<_>>().join(" ")
        }
        Outcome::Drop(dropped) => match dropped.failure {
            None => format!("dropped by step {:?}", dropped.step),
            Some(failure) => format!("dropped for {}", failure.kind),
        },
        Outcome::DeadLetter(failed) => format!("failed: {}", failed.failure.kind),
        Outcome::Retry(failed) => format!("retry: {}", failed.failure.message()),
        Outcome::Unsettled(reason) => format!("unsettled: {reason}"),
    }
}

fn without_id(document: &[u8]) -> String {
    let mut document: serde_json::Value = serde_json::from_slice(document).expect("a document is JSON");
    document.as_object_mut().expect("an object").remove("paddle_id");
    document.to_string()
}

/// The failure of an event that must fail.
pub fn failure(runner: &mut Runner, event: Event) -> pipeline::Failure {
    match runner.process(event, NOW_MS, None) {
        Outcome::DeadLetter(failed) => failed.failure,
        other => panic!("it did not fail: {other:?}"),
    }
}
