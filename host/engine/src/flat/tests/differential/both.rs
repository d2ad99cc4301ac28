//! One component, run both ways on the same events: all that a caller sees of it, in words.

use crate::{Clock, Engine, LoadError, Mode, Settings};
use bytes::Bytes;
use pipeline::settings::{Pipeline, Step};
use pipeline::{Asset, Assets, Event, FailureKind, Filled, Hidden, Output, Signal, Transformed};
use std::collections::BTreeMap;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, a world for modules that are joined to the plugin, and a world with clocks.
const WIT: &str = concat!(
    include_str!("../../../../../../wit/transform.wit"),
    "world helper { import log; }
     world timed { import events; import log; import assets; import wasi:clocks/wall-clock@0.2.6;
       import wasi:clocks/monotonic-clock@0.2.6; import wasi:random/random@0.2.6; export plugin; }
     package wasi:clocks@0.2.6 {
       interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
       interface monotonic-clock { type instant = u64; now: func() -> instant; }
     }
     package wasi:random@0.2.6 { interface random { get-random-u64: func() -> u64; } }"
);

/// An output's route is compared as far as this: what is longer is no route's name, and the flat way does not copy it.
const ROUTE_BYTES_COMPARED: usize = 1_024;

/// Outputs that are put in words, each; of longer lists the first, the last and the number.
const OUTPUTS_SHOWN: usize = 16;

/// A core module with the contract's types attached: those of a world.
fn embedded(wat: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("transform.wit", WIT).expect("the WIT above is valid");
    let world = resolve.select_world(&[package], Some(world)).expect("the WIT above has this world");
    let mut module = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a section is added");
    module
}

/// A component of one core module.
pub(super) fn component(wat: &str) -> Vec<u8> {
    joined(wat, "transformer", None)
}

/// A component of a core module, and of a second one (`helper`) that the first calls.
pub(super) fn joined(wat: &str, world: &str, helper: Option<&str>) -> Vec<u8> {
    let encoder = ComponentEncoder::default().module(&embedded(wat, world)).expect("the module fits the world");
    let encoder = match helper {
        Some(helper) => encoder.adapter("helper", &embedded(helper, "helper")),
        None => Ok(encoder),
    };
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.unwrap_or_else(|error| panic!("{error:#}\n{wat}"))
}

/// Two engines that differ in the way alone.
pub(super) struct Both {
    pub(super) flat: Engine,
    pub(super) whole: Engine,
}

impl Both {
    pub(super) fn new(mode: Mode, clock: Clock) -> Both {
        let engine = |flat| {
            Engine::new(&Settings { mode, clock, instances: 4, flat }).expect("address space for four instances")
        };
        Both { flat: engine(true), whole: engine(false) }
    }

    pub(super) fn counting_fuel() -> Both {
        Both::new(Mode::Fuel, Clock::Fixed(1))
    }

    /// How the events end each way, which must be the same. `about`: what is shown when it is not.
    pub(super) fn run(&self, component: &[u8], step: &str, events: &[Vec<u8>], about: &str) -> Vec<String> {
        let step = step_of(step);
        let flat = run(&self.flat, component, &step, events);
        let whole = run(&self.whole, component, &step, events);
        for (at, (flat, whole)) in flat.iter().zip(&whole).enumerate() {
            assert_eq!(flat, whole, "event {at}: flat, then as a component\n{about}");
        }
        assert_eq!(flat.len(), whole.len(), "{flat:?}\n{whole:?}\n{about}");
        flat
    }
}

/// The one step of a pipeline, with these settings.
pub(super) fn step_of(settings: &str) -> Step {
    let mut pipeline = Pipeline::parse(&format!("[[step]]\nplugin = \"hostile\"\n{settings}\n")).expect("it is valid");
    pipeline.steps.remove(0)
}

pub(super) fn config(json: &str) -> Filled {
    Filled { json: json.into(), hidden: Hidden::default() }
}

/// Two files for plugins to ask for.
fn assets() -> Assets {
    let asset = |bytes: &'static [u8]| Asset { source: "plugins/one".into(), bytes: Bytes::from_static(bytes) };
    let files = [("one.txt", asset(b"one")), ("two", asset(b"\xff\x00\xfe"))];
    let files: BTreeMap<String, Asset> = files.into_iter().map(|(name, asset)| (name.to_owned(), asset)).collect();
    Assets::new(files).expect("two small files are allowed")
}

/// How the events end one way, or why the component did not start.
pub(super) fn run(engine: &Engine, component: &[u8], step: &Step, events: &[Vec<u8>]) -> Vec<String> {
    let code = match engine.compile(component) {
        Ok(code) => code,
        Err(error) => return vec![format!("not compiled: {error}")],
    };
    assert_eq!(code.is_flat(), engine.inner.settings.flat, "it takes the way that it is to take");
    let loaded = match engine.load(&code, step, &config("{\"config\":1}"), &assets()) {
        Ok(loaded) => loaded,
        // The words differ as those for traps do.
        Err(LoadError::InitBroke(_)) => return vec!["its `init` broke".to_owned()],
        Err(LoadError::Start(_)) => return vec!["it did not start".to_owned()],
        Err(error) => return vec![error.to_string()],
    };
    let mut plugin = loaded.plugin();
    let event = |(at, text): (usize, &Vec<u8>)| {
        Event::new(format!("shardId-0:{at}").into(), "key".into(), at as u64, Bytes::copy_from_slice(text))
    };
    events.iter().enumerate().map(event).map(|event| words(plugin.transform(&event, None))).collect()
}

/// All of one call that is the same both ways: fuel too, since the host's part takes none of it.
pub(super) fn words(done: Transformed) -> String {
    let result = match done.result {
        Ok(outputs) => {
            let (count, shown) = (outputs.len(), OUTPUTS_SHOWN);
            let words: Vec<String> = outputs.into_iter().map(output).collect();
            let last = words.last().filter(|_| count > shown).cloned().unwrap_or_default();
            format!("{count} outputs: {} {last}", words[..count.min(shown)].join(" "))
        }
        // The words for a trap are wasmtime's one way and ours the other; its kind is the same.
        Err(Signal::Failed(failure)) if failure.kind == FailureKind::Trap => "failed: trap".to_owned(),
        Err(Signal::Failed(failure)) => format!("failed: {}: {}", failure.kind, failure.message()),
        Err(Signal::Retry(reason)) => format!("retry: {reason}"),
        Err(Signal::Unsettled(reason)) => format!("unsettled: {reason}"),
    };
    let log: Vec<String> = done.log.iter().map(|line| format!("{:?} {}", line.level, line.message)).collect();
    format!("{result}; log {log:?} and {}; {} bytes; fuel {}", done.log_dropped, done.memory_bytes, done.fuel)
}

fn output(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.event.content.bytes()).into_owned();
    let start: String = text.chars().take(400).collect();
    let route = output.route.map(|route| route[..route.floor_char_boundary(ROUTE_BYTES_COMPARED)].to_owned());
    format!("[{} {} bytes {start} to {route:?}]", output.event.identity.id, text.len())
}
