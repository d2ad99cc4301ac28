//! Hostile uses of the canonical ABI, made from seeds, end alike both ways: core modules alone, and as wasmtime runs
//! components.

mod both;
mod draw;
mod named;
mod pool;
mod programs;

use self::both::Both;
use crate::{Engine, LoadError};
use bytes::Bytes;
use pipeline::settings::Pipeline;
use pipeline::{Assets, Event, Outcome, Runner};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A second core module, which logs in the memory of the first.
const HELPER: &str = r#"(module
  (import "env" "memory" (memory 0))
  (import "paddlewheel:transform/log@0.1.0" "write" (func $write (param i32 i32 i32)))
  (func (export "say") (param i32 i32) (call $write (i32.const 2) (local.get 0) (local.get 1))))"#;

/// How three events end: a good one, the hostile one, and a good one.
fn run(engine: &Engine, component: &[u8]) -> Vec<String> {
    let pipeline = Pipeline::parse("[[step]]\nplugin = \"hostile\"\n").expect("a pipeline");
    let code = engine.compile(component).expect("compiled");
    assert_eq!(code.is_flat(), engine.inner.settings.flat);
    let loaded = match engine.load(&code, &pipeline.steps[0], &both::config("{}"), &Assets::default()) {
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

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().expect("a number"))
}

/// Modules with programs that are always run.
const PROGRAM_MODULES: u64 = 80;

#[test]
fn random_programs_end_alike_both_ways() {
    // Each has eight programs, and two ends for each.
    let modules = number("ABI_CASES", 4 * PROGRAM_MODULES).div_ceil(4);
    let first = number("ABI_SEED", 1);
    let both = Both::counting_fuel();
    let mut kinds = BTreeMap::<String, usize>::new();
    for seed in first..first + modules {
        let has_helper = seed.is_multiple_of(3);
        let module = programs::module(seed, has_helper);
        let component = both::joined(&module, "transformer", has_helper.then_some(HELPER));
        let scope = match seed % 4 {
            0 => {
                "reads = [\"a\", \"b\", \"n\", \"list\"]\nwrites = [\"new\", \"b\"]\nmay = [\"drop\", \"route\", \"fan-out\"]"
            }
            1 => "limits = { time_ms = 30, outputs = 10000, log_lines = 3 }",
            _ => "limits = { time_ms = 30 }",
        };
        let about = format!("ABI_SEED={seed} ABI_CASES=1\n{module}");
        for end in both.run(&component, scope, &programs::events(seed), &about) {
            *kinds.entry(kind_of(&end)).or_default() += 1;
        }
    }
    // Of a few modules all may end alike.
    if modules >= PROGRAM_MODULES {
        for kind in KINDS {
            assert!(kinds.contains_key(kind), "no event ended as `{kind}`: {kinds:#?}");
        }
    }
}

/// Ends that there are among those of the modules that are always run.
const KINDS: [&str; 10] = [
    "outputs",
    "retry",
    "failed: trap",
    "failed: invalid-output",
    "failed: denied",
    "failed: reject",
    "failed: error",
    "it did not start",
    "its `init` broke",
    "its `init` refused the config",
];

/// The kind of an end: its first words.
fn kind_of(end: &str) -> String {
    let words = end.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let parts = if words.starts_with("failed") { 2 } else { 1 };
    words.split([':', ';']).take(parts).collect::<Vec<_>>().join(":")
}

#[test]
fn hostile_modules_end_alike_both_ways() {
    let (first, cases): (u64, u64) = (number("ABI_SEED", 1), number("ABI_CASES", CASES));
    let Both { flat, whole } = Both::counting_fuel();
    let (mut failed, mut passed, mut refused) = (0, 0, 0);
    for seed in first..first + cases {
        let component = both::component(&module(seed));
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
