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
        assert_eq!(settled, expected, "{mode}");
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
    for (mode, expected) in [
        ("clock", "Datetime { seconds: 1795341600, nanoseconds: 0 } 1795341600000000000"),
        ("environment", "0"),
        ("print", "failed at None"),
        ("print-flood", "failed at None"),
    ] {
        assert_eq!(answer("wasi", mode), answered(mode, expected));
    }
    assert_same_number("wasi");
    if !has_preview1("the same system, in WASI preview 1") {
        return;
    }
    for plugin in ["preview1", "preview1-inside"] {
        for (mode, expected) in [
            ("clock", "Ok(1795341600s)"),
            ("environment", "0"),
            ("file", "Err(NotFound)"),
            ("stdin", ""),
            ("print", "printed"),
        ] {
            assert_eq!(answer(plugin, mode), answered(mode, expected), "{plugin}");
        }
        assert_same_number(plugin);
    }
    assert_eq!(answer("preview1", "nap"), answered("nap", "50ms"));
    // What is answered inside has no way to wait.
    assert_eq!(answer("preview1-inside", "nap"), "failed: trap");
}

/// The event with what the guest says.
fn answered(mode: &str, answer: &str) -> String {
    json!({"mode": mode, "answer": answer}).to_string()
}

/// Random numbers are the same for the same event, and it did draw one.
fn assert_same_number(plugin: &str) {
    let (one, other) = (answer(plugin, "random"), answer(plugin, "random"));
    assert_eq!(one, other, "{plugin}");
    let event: serde_json::Value = serde_json::from_str(&one).unwrap_or_else(|_| panic!("{plugin}: {one}"));
    let number = event["answer"].as_str().and_then(|number| number.parse::<u64>().ok());
    assert!(number.is_some_and(|number| number > 0), "{plugin}: {one}");
}

#[test]
fn what_a_plugin_prints_becomes_log_lines_within_the_limit() {
    let mut runner = runner("[[step]]\nplugin = \"wasi\"");
    settle(&mut runner, event(0, r#"{"mode":"print-flood"}"#));
    assert!(runner.take_report().steps[0].log_lines >= 100_000);
}
