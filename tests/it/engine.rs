//! The `misbehave` guest against the engine's limits: no fault changes another event's outcome, and the next event
//! works. Each test runs the guest both ways: its core modules alone, and as wasmtime runs components.

use crate::support::{WAYS, Way, code, event, failure, file, load, runner_as, settle};
use pipeline::settings::Pipeline;
use pipeline::{Assets, FailureKind};
use serde_json::json;
use tests::guests::has_preview1;

const STEP: &str = "[[step]]\nplugin = \"misbehave\"\n";

/// A mode with its amount and how the event that asks for it must settle.
const FAULTS: &[(&str, u64, &str)] = &[
    ("drop", 0, "dropped by step Some(0)"),
    ("reject", 0, "failed: reject"),
    ("error", 0, "failed: error"),
    ("trap", 0, "failed: trap"),
    ("panic", 0, "failed: trap"),
    ("endless-loop", 0, "failed: timeout"),
    ("memory-bomb", 0, "failed: memory"),
    ("stack-overflow", 0, "failed: trap"),
    ("huge-output", 2_000_000, "failed: oversize"),
    ("too-many-outputs", 5_000, "failed: invalid-output"),
    ("too-many-live-events", 20_000, "failed: invalid-output"),
    ("stale-handle-use", 0, "failed: reject"),
    ("forged-handle-use", 77, "failed: trap"),
    ("same-event-twice", 0, "failed: trap"),
    ("path-long", 100_000, "failed: invalid-output"),
    ("path-deep", 1_000, "failed: invalid-output"),
    ("path-malformed", 0, "failed: invalid-output"),
    ("pattern-as-path", 0, "failed: invalid-output"),
    ("value-nan", 0, "failed: invalid-output"),
    ("value-infinite", 0, "failed: invalid-output"),
    ("value-deep-json", 300, "failed: invalid-output"),
    ("derive-bad-json", 0, "failed: invalid-output"),
    ("derive-invalid-utf8", 0, "failed: invalid-output"),
    ("big-derive", 3_000_000, "failed: oversize"),
    ("route-unknown", 0, "failed: invalid-output"),
    ("no-such-mode", 0, "failed: reject"),
];

fn asking(mode: &str, count: u64) -> String {
    json!({"mode": mode, "count": count, "n": 1}).to_string()
}

#[test]
fn guests_that_import_only_the_contract_run_flat() {
    let plugins = [("misbehave", true), ("mask", true), ("redact", true), ("wasi", false), ("preview1-inside", true)];
    for (plugin, flat) in plugins {
        if plugin == "preview1-inside" && !has_preview1("WASI preview 1 answered inside, run flat") {
            continue;
        }
        assert_eq!(code(Way::Flat, file(plugin)).is_flat(), flat, "{plugin}");
        assert!(!code(Way::Component, file(plugin)).is_flat(), "{plugin}");
    }
}

#[test]
fn every_fault_is_contained_and_named() {
    for way in WAYS {
        let mut runner = runner_as(way, STEP);
        for (k, (mode, count, expected)) in FAULTS.iter().enumerate() {
            assert_eq!(settle(&mut runner, event(k, asking(mode, *count))), *expected, "{mode}, {way:?}");
            assert_eq!(settle(&mut runner, event(k + 1, r#"{"n":2}"#)), r#"{"n":2}"#, "the event after {mode}");
        }
    }
}

#[test]
fn faults_that_are_none_for_the_event_leave_its_outcome_alone() {
    for way in WAYS {
        let mut runner = runner_as(way, STEP);
        for (k, mode) in
            ["ok", "log-flood", "log-huge", "handle-leak", "copy-many", "value-bad-json"].iter().enumerate()
        {
            let settled = settle(&mut runner, event(k, asking(mode, 2_000)));
            assert!(settled.starts_with('{'), "{mode}: {settled}");
            assert_eq!(settle(&mut runner, event(k + 1, r#"{"n":2}"#)), r#"{"n":2}"#, "the event after {mode}");
        }
    }
}

#[test]
fn log_lines_beyond_the_limit_are_counted_and_not_kept() {
    for way in WAYS {
        let mut runner = runner_as(way, "[[step]]\nplugin = \"misbehave\"\nlimits = { log_lines = 3 }");
        settle(&mut runner, event(0, asking("log-flood", 500)));
        assert_eq!(runner.take_report().steps[0].log_lines, 500);
    }
}

#[test]
fn a_handle_of_an_earlier_event_reads_nothing() {
    for way in WAYS {
        let mut runner = runner_as(way, STEP);
        assert!(settle(&mut runner, event(0, r#"{"mode":"stale-handle-keep","secret":"S"}"#)).starts_with('{'));
        let stolen = failure(&mut runner, event(1, asking("stale-handle-use", 0)));
        assert!(matches!(stolen.kind, FailureKind::Trap | FailureKind::Reject), "{stolen}");
        assert!(!stolen.message().contains("\"S\""), "{stolen}");
        assert!(settle(&mut runner, event(2, r#"{"mode":"stale-handle-keep"}"#)).starts_with('{'));
        let dropped = settle(&mut runner, event(3, asking("stale-handle-drop", 0)));
        assert!(dropped.starts_with('{') || dropped.starts_with("failed: "), "{dropped}");
        assert_eq!(settle(&mut runner, event(4, r#"{"n":2}"#)), r#"{"n":2}"#);
    }
}

#[test]
fn a_leak_of_many_handles_replaces_the_instance_and_keeps_the_outcome() {
    for way in WAYS {
        let mut runner = runner_as(way, STEP);
        let counted = |runner: &mut pipeline::Runner, k| settle(runner, event(k, r#"{"mode":"count"}"#));
        assert!(counted(&mut runner, 0).contains("\"counted\":1"));
        assert!(counted(&mut runner, 1).contains("\"counted\":2"));
        assert!(settle(&mut runner, event(2, asking("handle-leak", 100))).starts_with('{'));
        assert!(counted(&mut runner, 3).contains("\"counted\":1"), "the instance was not replaced");
    }
}

#[test]
fn a_trapped_event_is_tried_once_more_in_a_fresh_instance() {
    for way in WAYS {
        let mut runner = runner_as(way, STEP);
        for k in 0..3 {
            assert!(settle(&mut runner, event(k, r#"{"mode":"count"}"#)).starts_with('{'));
        }
        let trapped = failure(&mut runner, event(3, asking("trap", 0)));
        assert_eq!(trapped.kind, FailureKind::Trap);
        assert!(settle(&mut runner, event(4, r#"{"mode":"count"}"#)).contains("\"counted\":1"));
    }
}

#[test]
fn a_trap_tells_where_it_happened() {
    for way in WAYS {
        let trapped = failure(&mut runner_as(way, STEP), event(0, asking("trap", 0)));
        assert!(trapped.message().contains("misbehave"), "no function name in: {}", trapped.message());
    }
}

#[test]
fn a_panic_tells_what_was_wrong_and_names_functions_as_people_do() {
    for way in WAYS {
        let trapped = failure(&mut runner_as(way, STEP), event(0, asking("panic", 0)));
        let first = trapped.message().lines().collect::<Vec<_>>();
        assert!(first[0].starts_with("panicked at ") && first[1] == "a panic on request", "{}", trapped.message());
        assert!(first[2].contains("unreachable"), "{}", trapped.message());
        assert!(trapped.message().contains("::") && !trapped.message().contains("17h"), "{}", trapped.message());
    }
}

#[test]
fn isolation_forgets_what_an_event_left_behind() {
    for way in WAYS {
        let mut shared = runner_as(way, STEP);
        let mut isolated = runner_as(way, "[[step]]\nplugin = \"misbehave\"\nisolation = \"event\"");
        let remember = r#"{"mode":"remember"}"#;
        settle(&mut shared, event(0, remember));
        settle(&mut isolated, event(0, remember));
        assert!(settle(&mut shared, event(1, remember)).contains("shardId"));
        assert!(!settle(&mut isolated, event(1, remember)).contains("shardId"));
    }
}

#[test]
fn a_retry_is_obeyed_for_a_while_and_then_a_failure() {
    for way in WAYS {
        let mut runner = runner_as(way, "[[step]]\nplugin = \"misbehave\"\nretry_for_s = 60");
        assert!(settle(&mut runner, event(0, asking("retry", 0))).starts_with("retry: "));
        let arrived_at_ms = crate::support::NOW_MS - 61_000;
        let old = pipeline::Event::new("shardId-0:1".into(), "key".into(), arrived_at_ms, asking("retry", 0).into());
        assert_eq!(settle(&mut runner, old), "failed: retry-exhausted");
    }
}

#[test]
fn events_of_the_very_same_bytes_are_called_twice_though_they_time_out() {
    for way in WAYS {
        let mut runner = runner_as(way, "[[step]]\nplugin = \"misbehave\"\nlimits = { time_ms = 1 }");
        let outcomes: Vec<String> = (0..10).map(|k| settle(&mut runner, event(k, asking("endless-loop", 0)))).collect();
        assert_eq!(outcomes[..2], ["failed: timeout"; 2]);
        assert_eq!(outcomes[2..], ["failed: not-called"; 8]);
        assert_eq!(runner.take_report().steps[0].skipped, 8);
        assert_eq!(settle(&mut runner, event(10, asking("endless-loop", 1))), "failed: timeout", "another byte");
        assert_eq!(settle(&mut runner, event(11, r#"{"n":2}"#)), r#"{"n":2}"#);
        runner.begin_batch(crate::support::STREAM);
        assert_eq!(settle(&mut runner, event(0, asking("endless-loop", 0))), "failed: timeout", "another batch");
    }
}

#[test]
fn hostile_events_take_no_innocent_ones_along() {
    for way in WAYS {
        let mut runner = runner_as(way, "[[step]]\nplugin = \"misbehave\"\nlimits = { time_ms = 1 }");
        for k in 0..100 {
            assert_eq!(settle(&mut runner, event(k, asking("endless-loop", k as u64))), "failed: timeout");
        }
        for k in 100..500 {
            let good = format!(r#"{{"n":{k}}}"#);
            assert_eq!(settle(&mut runner, event(k, good.clone())), good);
        }
    }
}

#[test]
fn a_plugin_that_cannot_start_is_refused_with_the_reason() {
    for way in WAYS {
        for (config, reason) in [
            (r#"{ init = "init-error" }"#, "refused the config"),
            (r#"{ init = "slow-init" }"#, "time limit"),
            (r#"{ init = "init-trap" }"#, "broke"),
            (r#"{ init = "init-memory-bomb" }"#, "MiB"),
            (r#"{ nonsense = 1 }"#, "nonsense"),
        ] {
            let pipeline =
                Pipeline::parse(&format!("[[step]]\nplugin = \"misbehave\"\nconfig = {config}")).expect("settings");
            let error = load(way, &pipeline.steps[0]).err().unwrap_or_else(|| panic!("{config} was taken")).to_string();
            assert!(error.contains(reason), "{config}: {error}");
        }
    }
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    for way in WAYS {
        let wasm = std::fs::read(env!("GUEST_FOREIGN")).expect("the guest was built");
        let error = crate::support::engine(way).compile(&wasm).err().expect("refused").to_string();
        assert!(error.contains("test:foreign/http"), "{error}");
    }
}

#[test]
fn what_is_no_plugin_is_refused_in_words() {
    for way in WAYS {
        for bytes in [&b""[..], b"hello", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\0asm\x0d\0\x01\0garbage"] {
            let error = crate::support::engine(way).compile(bytes).err().expect("refused").to_string();
            assert!(error.contains("component") || error.contains("plugin"), "{error}");
        }
    }
}

#[test]
fn precompiled_code_gives_the_same_answers() {
    for way in WAYS {
        let engine = crate::support::engine(way);
        let wasm = std::fs::read(crate::support::MISBEHAVE).expect("the guest was built");
        let artifact = engine.precompile(&wasm).expect("compiled");
        let code = engine.load_precompiled(&artifact).expect("made by this engine");
        let pipeline = Pipeline::parse(STEP).expect("settings");
        let plugin = engine
            .load(&code, &pipeline.steps[0], &tests::filled(&pipeline.steps[0]), &Assets::default())
            .expect("it starts")
            .plugin();
        let mut runner = pipeline::Runner::new(std::sync::Arc::new(pipeline), vec![plugin], "s");
        assert_eq!(settle(&mut runner, event(0, r#"{"n":1}"#)), r#"{"n":1}"#);
        assert!(engine.load_precompiled(b"not an artifact").is_err());
    }
}
