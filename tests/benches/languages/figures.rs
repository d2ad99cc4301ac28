//! What a language weighs: sizes, loading, starting, memory, and the cases that it passes.

use super::data;
use super::ready_made::engine;
use super::through::cpu;
use bytestring::ByteString;
use engine::{Clock, Engine, Settings};
use pipeline::{Event, Outcome};
use std::time::Duration;
use tests::conformance::{Guest, NOW_MS, cases, run};
use toolchain::MAIN;

/// Events after which memory is read, and how many differ.
const EVENTS: usize = 100_000;
const DIFFERENT: usize = 1_000;

/// Turns of which the median counts: of compiling, and of what takes milliseconds or less.
const FEW: usize = 3;
const MANY: usize = 21;

/// The figures of one language.
pub(crate) struct Figures {
    pub(crate) component_bytes: usize,
    /// The script, where the component is the ready-made runtime.
    pub(crate) script_bytes: Option<usize>,
    pub(crate) compile: Duration,
    pub(crate) load: Duration,
    pub(crate) start: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) cases: usize,
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
    /// Cases that it does not offer, and why.
    pub(crate) lacks: Vec<(String, String)>,
    /// Cases where it answers in its own way, and why.
    pub(crate) differs: Vec<(String, String)>,
}

impl Figures {
    pub(crate) fn of(mask: &Guest, interpreter: &Guest) -> Figures {
        let engine = engine();
        let artifact = engine.precompile(&mask.wasm).expect("it is a plugin");
        let code = engine.load_precompiled(&artifact).expect("of this very engine");
        let mut figures = Figures {
            component_bytes: mask.wasm.len(),
            script_bytes: mask.assets.get(MAIN).map(|script| script.bytes.len()),
            compile: median(FEW, || drop(engine.compile(&mask.wasm).expect("it is a plugin"))),
            load: median(MANY, || drop(engine.load_precompiled(&artifact).expect("of this very engine"))),
            start: median(MANY, || drop(mask.start(&engine, &code, "").expect("it starts"))),
            memory_bytes: memory(mask, &engine, &code),
            cases: 0,
            passed: 0,
            failed: Vec::new(),
            lacks: Vec::new(),
            differs: Vec::new(),
        };
        figures.carry_out(interpreter);
        figures
    }

    fn carry_out(&mut self, interpreter: &Guest) {
        let settings = Settings { clock: Clock::Fixed(NOW_MS), ..Settings::default() };
        let engine = Engine::new(&settings).expect("an engine");
        let code = engine.compile(&interpreter.wasm).expect("it is a plugin");
        for case in cases() {
            self.cases += 1;
            if let Some(why) = case.lacking(interpreter) {
                self.lacks.push((case.name.clone(), why.to_owned()));
                continue;
            }
            if let Some(but) = case.but(interpreter.language) {
                self.differs.push((case.name.clone(), but.why.clone()));
            }
            match run(&case, interpreter, &engine, &code) {
                Ok(()) => self.passed += 1,
                Err(told) => {
                    eprintln!("{}: {}\n{told}", interpreter.language.name(), case.name);
                    self.failed.push(case.name);
                }
            }
        }
    }
}

/// The most memory that an instance had over many events.
fn memory(mask: &Guest, engine: &Engine, code: &engine::Code) -> u64 {
    let mut runner = mask.start(engine, code, "").expect("it starts");
    let records: Vec<_> = (0..DIFFERENT).map(|k| bytes::Bytes::from(data::record(k, None))).collect();
    for k in 0..EVENTS {
        let id = ByteString::from(format!("shardId-000000000006:{k}"));
        let event = Event::new(id, ByteString::from_static("user"), 0, records[k % DIFFERENT].clone());
        match runner.process(event, 0, None) {
            Outcome::Emit(_) | Outcome::Drop(_) => {}
            other => panic!("{other:?}"),
        }
    }
    runner.take_report().steps[0].memory_bytes_max
}

fn median(turns: usize, mut once: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..turns)
        .map(|_| {
            let before = cpu();
            once();
            cpu() - before
        })
        .collect();
    times.sort();
    times[turns / 2]
}
