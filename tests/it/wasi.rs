//! Guests that lean on a system: it is made up, nothing sleeps, nothing is read.

use crate::support::{event, runner, settle};
use serde_json::json;
use tests::guests::has_preview1;

fn answer(plugin: &str, mode: &str) -> String {
    let mut runner = runner(&format!("[[step]]\nplugin = \"{plugin}\""));
    let settled = settle(&mut runner, event(0, json!({"mode": mode}).to_string()));
    let next = settle(&mut runner, event(1, r#"{"n":2}"#));
    assert!(next.starts_with(r#"{"n":2"#), "the event after {mode}: {next}");
    settled
}

#[test]
fn what_would_hurt_ends_the_call() {
    for (mode, expected) in [
        ("exit", "failed: trap"),
        ("sleep", "failed: timeout"),
        ("poll-nothing", "failed: trap"),
        ("poll-flood", "failed: trap"),
        ("random-4gb", "failed: trap"),
        ("stream-leak", "failed: trap"),
    ] {
        let settled = answer("wasi", mode);
        assert!(settled == expected || (mode == "stream-leak" && settled.starts_with('{')), "{mode}: {settled}");
    }
    if !has_preview1("what would hurt, in WASI preview 1") {
        return;
    }
    for (mode, expected) in [("exit", "failed: trap"), ("sleep", "failed: timeout")] {
        assert_eq!(answer("preview1", mode), expected, "{mode}");
    }
}

#[test]
fn a_nap_takes_no_time_and_the_same_event_meets_the_same_system() {
    let nap = answer("wasi", "nap");
    assert!(nap.contains("50000000"), "{nap}");
    for mode in ["clock", "random", "environment", "print", "print-flood"] {
        assert_eq!(answer("wasi", mode), answer("wasi", mode), "{mode}");
    }
    if !has_preview1("the same system, in WASI preview 1") {
        return;
    }
    for mode in ["clock", "random", "environment", "file", "stdin", "print", "nap"] {
        assert_eq!(answer("preview1", mode), answer("preview1", mode), "{mode}");
        assert!(answer("preview1-inside", mode).starts_with(['{', 'f']), "{mode}");
    }
}

#[test]
fn what_a_plugin_prints_becomes_log_lines_within_the_limit() {
    let mut runner = runner("[[step]]\nplugin = \"wasi\"");
    settle(&mut runner, event(0, r#"{"mode":"print-flood"}"#));
    assert!(runner.take_report().steps[0].log_lines >= 100_000);
}
