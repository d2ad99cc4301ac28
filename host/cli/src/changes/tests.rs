//! Two texts and what is different.

use super::{Call, Change, Emitted, between, lines};
use crate::terminal::Paint;
use bytes::Bytes;
use pipeline::{Level, LogLine};
use std::time::Duration;

fn check(before: &str, after: &str, expected: &[&str]) {
    let shown: Vec<String> = between(before.as_bytes(), after.as_bytes())
        .into_iter()
        .map(|change| match change {
            Change::Added { path, new } => format!("+ {path} {new}"),
            Change::Removed { path, old } => format!("- {path} {old}"),
            Change::Changed { path, old, new } => format!("~ {path} {old} {new}"),
        })
        .collect();
    assert_eq!(shown, expected, "{before} {after}");
}

#[test]
fn fields_are_named_as_the_contract_names_them() {
    check("{\"a\":1}", "{\"a\":1}", &[]);
    check("{\"a\":1}", "{ \"a\": 1 }", &[]);
    check("{\"a\":1,\"b\":2}", "{\"a\":2,\"c\":3}", &["~ a 1 2", "- b 2", "+ c 3"]);
    check("{\"a\":{\"b\":\"x\",\"c\":0}}", "{\"a\":{\"b\":\"***\",\"c\":0}}", &["~ a.b \"x\" \"***\""]);
    check("{\"a\":[{\"b\":1},2]}", "{\"a\":[{\"b\":1},3]}", &["~ a[1] 2 3"]);
    check("{\"a\":[1,2]}", "{\"a\":[1]}", &["~ a [1,2] [1]"]);
    check("{\"a\":1}", "{\"a\":1.0}", &["~ a 1 1.0"]);
    check("{\"a.b\":1,\"\":2}", "{}", &["- \"a.b\" 1", "- \"\" 2"]);
    check("text", "{}", &["~  text {}"]);
}

fn call(result: Result<Vec<&str>, &str>) -> Vec<String> {
    let emitted = |text: &str| Emitted { bytes: Bytes::copy_from_slice(text.as_bytes()), route: None };
    let result = result.map(|outputs| outputs.into_iter().map(emitted).collect()).map_err(str::to_owned);
    let log = vec![LogLine { level: Level::Warn, message: "first\nsecond".into() }];
    let given = Bytes::from_static(b"{\"a\":1}");
    let call = Call { step: 0, elapsed: Duration::from_micros(12), log, log_dropped: 2, given, result };
    let mut lines = lines(&call, "mask", 6, Paint::PLAIN, 80);
    let logged = lines.split_off(lines.len() - 3);
    assert_eq!(logged, ["    log warn first", "      second", "    log … 2 lines more (limits.log_lines)"]);
    lines
}

#[test]
fn a_call_is_told_in_lines() {
    assert_eq!(call(Ok(vec!["{\"a\":1}"])), ["  mask    unchanged  12 µs"]);
    assert_eq!(call(Ok(vec!["{\"a\":2}"])), ["  mask    changed  12 µs", "    ~ a  1 → 2"]);
    assert_eq!(call(Ok(vec![])), ["  mask    dropped  12 µs"]);
    assert_eq!(call(Err("reject: no\nbacktrace")), ["  mask    failed reject: no  12 µs", "    backtrace"]);
    assert_eq!(
        call(Ok(vec!["{\"a\":1}", "{}"])),
        ["  mask    2 events  12 µs", "    event 1", "    event 2", "    - a  1"]
    );
}
