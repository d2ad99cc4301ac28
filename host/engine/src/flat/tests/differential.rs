//! Hostile uses of the canonical ABI, made from seeds, end alike both ways: core modules alone, and as wasmtime runs components.

use crate::{Clock, Engine, LoadError, Mode, Settings};
use bytes::Bytes;
use pipeline::settings::Pipeline;
use pipeline::{Assets, Event, Filled, Hidden, Outcome, Runner};
use std::sync::Arc;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Seeds that are always run.
const CASES: u64 = 150;

/// Addresses and numbers that hostile modules use: good ones, unaligned ones, and those at both ends of memory.
const NUMBERS: [u32; 12] = [0, 1, 2, 3, 1_024, 1_026, 65_528, 65_532, 65_535, 65_536, 0xFFFF_FFF8, u32::MAX];

fn pick(seed: &mut u64, good: u32) -> u32 {
    *seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
    let drawn = (*seed >> 33) as usize;
    if drawn.is_multiple_of(4) { NUMBERS[drawn / 4 % NUMBERS.len()] } else { good }
}

/// A module that is hostile to events whose field `a` is longer than a byte, and every fourth one in `init` too.
fn module(seed_given: u64) -> String {
    let mut seed = seed_given;
    let mut n = |good| pick(&mut seed, good).cast_signed();
    let in_init = seed_given.is_multiple_of(4);
    format!(
        r#"(module
  (import "paddlewheel:transform/events@0.1.0" "[method]event.text" (func $text (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (global $hostile (mut i32) (i32.const {}))
  (data (i32.const 16) "a")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (result i32) (global.get $hostile) (then (i32.const {})) (else (i32.const 2048))))
  (func (export "paddlewheel:transform/plugin@0.1.0#init") (param i32 i32) (result i32) (i32.const {}))
  (func (export "paddlewheel:transform/plugin@0.1.0#transform") (param $e i32) (result i32)
    (global.set $hostile (i32.const 0))
    (call $text (local.get $e) (i32.const 16) (i32.const 1) (i32.const 256))
    (i32.store (i32.const 1024) (local.get $e)) (i32.store (i32.const 1028) (i32.const 0))
    (i32.store (i32.const 772) (i32.const 1024)) (i32.store (i32.const 776) (i32.const 1))
    (i32.store (i32.const 768) (i32.const 0))
    (if (i32.gt_u (i32.load (i32.const 264)) (i32.const 1)) (then
      (global.set $hostile (i32.const 1))
      (call $text (local.get $e) (i32.const {}) (i32.const {}) (i32.const {}))
      (i32.store (i32.const 768) (i32.const {})) (i32.store (i32.const 772) (i32.const {}))
      (i32.store (i32.const 776) (i32.const {})) (i32.store (i32.const 1028) (i32.const {}))
      (return (i32.const {}))))
    (i32.const 768)))"#,
        i32::from(in_init),
        n(4_096),
        if in_init { n(512) } else { 512 },
        n(16),
        n(1),
        n(256),
        n(0),
        n(1_024),
        n(1),
        n(0),
        n(768)
    )
}

fn component(seed: u64) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("transform.wit", super::CONTRACT).expect("WIT");
    let world = resolve.select_world(&[package], Some("transformer")).expect("a world");
    let mut module = wat::parse_str(module(seed)).expect("WAT");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("a component")
}

/// How three events end: a good one, the hostile one, and a good one.
fn run(engine: &Engine, component: &[u8]) -> Vec<String> {
    let pipeline = Pipeline::parse("[[step]]\nplugin = \"hostile\"\n").expect("a pipeline");
    let code = engine.compile(component).expect("compiled");
    assert_eq!(code.is_flat(), engine.inner.settings.flat);
    let config = Filled { json: "{}".into(), hidden: Hidden::default() };
    let loaded = match engine.load(&code, &pipeline.steps[0], &config, &Assets::default()) {
        Ok(loaded) => loaded,
        // The words differ as those for traps do.
        Err(LoadError::InitBroke(_)) => return vec!["its `init` broke".to_owned()],
        Err(error) => return vec![error.to_string()],
    };
    let mut runner = Runner::new(Arc::new(pipeline), vec![loaded.plugin()], "s");
    let mut settle = |text: &'static str| {
        let event = Event::new("shardId-0:1".into(), "key".into(), 1, Bytes::from_static(text.as_bytes()));
        match runner.process(event, 1, None) {
            Outcome::Emit(documents) => {
                documents.iter().map(|document| String::from_utf8_lossy(&document.bytes).into_owned()).collect()
            }
            // The words for a trap are wasmtime's one way and ours the other; its kind is the same.
            Outcome::DeadLetter(failed) => format!("failed: {}", failed.failure.kind),
            Outcome::Drop(_) => "dropped".to_owned(),
            Outcome::Retry(_) => "retry".to_owned(),
            Outcome::Unsettled(reason) => format!("unsettled: {reason}"),
        }
    };
    ["{\"a\":\"x\"}", "{\"a\":\"hostile\"}", "{\"a\":\"x\"}"].map(&mut settle).to_vec()
}

#[test]
fn hostile_modules_end_alike_both_ways() {
    let number = |name: &str, or| std::env::var(name).map_or(or, |text| text.parse().expect("a number"));
    let (first, cases): (u64, u64) = (number("ABI_SEED", 1), number("ABI_CASES", CASES));
    let engine = |flat| {
        let settings = Settings { mode: Mode::Fuel, clock: Clock::Fixed(1), instances: 4, flat };
        Engine::new(&settings).expect("an engine")
    };
    let (flat, whole) = (engine(true), engine(false));
    let (mut failed, mut passed, mut refused) = (0, 0, 0);
    for seed in first..first + cases {
        let component = component(seed);
        let ends = run(&flat, &component);
        assert_eq!(ends, run(&whole, &component), "ABI_SEED={seed} ABI_CASES=1\n{}", module(seed));
        if ends.len() == 1 {
            refused += 1;
            continue;
        }
        assert!(ends[0].starts_with('{') && ends[2].starts_with('{'), "ABI_SEED={seed}: {ends:?}");
        if ends[1].starts_with("failed") { failed += 1 } else { passed += 1 }
    }
    // Of a few cases all may be of one kind.
    if cases >= 100 {
        assert!(failed > 0 && passed > 0 && refused > 0, "{failed} failed, {passed} passed, {refused} did not start");
    }
}
