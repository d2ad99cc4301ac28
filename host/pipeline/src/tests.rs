//! How events settle, with plain functions for plugins.

use crate::settings::Pipeline;
use crate::{Content, Dropped, Event, Failure, FailureKind, Outcome, Output, Plugin, Runner, Signal, Transformed};
use document::{Meter, Path, Value};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A plugin that is a function.
struct Fake<F>(F);

impl<F: FnMut(&Event) -> Result<Vec<Output>, Signal> + Send> Plugin for Fake<F> {
    fn transform(&mut self, event: &Event, _deadline: Option<Instant>) -> Transformed {
        let result = (self.0)(event);
        Transformed {
            result,
            elapsed: Duration::from_micros(1),
            memory_bytes: 1,
            log: Vec::new(),
            log_dropped: 0,
            fuel: 0,
        }
    }
}

type Boxed = Box<dyn Plugin>;

fn plugin(function: impl FnMut(&Event) -> Result<Vec<Output>, Signal> + Send + 'static) -> Boxed {
    Box::new(Fake(function))
}

/// Emits `copies` copies of what it is given.
fn copies(copies: usize) -> Boxed {
    plugin(move |event| Ok((0..copies).map(|_| Output { event: event.clone(), route: None }).collect()))
}

fn failing(kind: FailureKind) -> Boxed {
    plugin(move |_| Err(Signal::Failed(Failure::new(kind, "because"))))
}

fn runner(toml: &str, plugins: Vec<Boxed>) -> Runner {
    Runner::new(Arc::new(Pipeline::parse(toml).expect("settings")), plugins, "s")
}

fn steps(count: usize) -> String {
    (0..count).map(|k| format!("[[step]]\nname = \"s{k}\"\nplugin = \"p\"\n")).collect()
}

fn event(text: &str) -> Event {
    Event::new("shard:1".into(), "key".into(), 0, text.to_owned().into())
}

fn documents(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Emit(documents) => documents.into_iter().map(|d| String::from_utf8(d.bytes).expect("UTF-8")).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_steps_are_the_identity() {
    let documents = documents(runner("", Vec::new()).process(event(r#"{"a": 1.0}"#), 0, None));
    assert_eq!(documents, [r#"{"a": 1.0,"paddle_id":"s/shard:1"}"#]);
}

#[test]
fn the_kth_output_adds_its_number() {
    let documents = documents(runner(&steps(1), vec![copies(3)]).process(event("{}"), 0, None));
    assert_eq!(
        documents,
        [r#"{"paddle_id":"s/shard:1"}"#, r#"{"paddle_id":"s/shard:1/1"}"#, r#"{"paddle_id":"s/shard:1/2"}"#]
    );
}

#[test]
fn each_policy_does_what_it_says() {
    for (policy, expected) in
        [("dead-letter", "dead letter"), ("drop", "dropped"), ("pass", "emitted"), ("retry", "retry")]
    {
        let toml = format!("[[step]]\nplugin = \"p\"\non_failure = \"{policy}\"\n");
        let outcome = runner(&toml, vec![failing(FailureKind::Trap)]).process(event("{}"), 0, None);
        let seen = match outcome {
            Outcome::DeadLetter(failed) if failed.failure.kind == FailureKind::Trap => "dead letter",
            Outcome::Drop(Dropped { step: Some(0), failure: Some(_) }) => "dropped",
            Outcome::Emit(_) => "emitted",
            Outcome::Retry(_) => "retry",
            other => panic!("{other:?}"),
        };
        assert_eq!(seen, expected);
    }
    let old =
        runner("[[step]]\nplugin = \"p\"\non_failure = \"retry\"\nretry_for_s = 5", vec![failing(FailureKind::Trap)]);
    let mut old = old;
    let outcome = old.process(event("{}"), 5_000, None);
    assert!(matches!(outcome, Outcome::DeadLetter(failed) if failed.failure.kind == FailureKind::RetryExhausted));
    assert_eq!(old.take_report().failures(FailureKind::RetryExhausted), 1);
}

#[test]
fn one_output_that_fails_holds_all_back_and_one_that_is_dropped_does_not() {
    let second_fails = || {
        let mut call = 0;
        plugin(move |event| {
            call += 1;
            if call == 2 {
                Err(Signal::Failed(Failure::new(FailureKind::Reject, "no")))
            } else {
                Ok(vec![Output { event: event.clone(), route: None }])
            }
        })
    };
    let all = runner(&steps(2), vec![copies(3), second_fails()]).process(event("{}"), 0, None);
    assert!(matches!(all, Outcome::DeadLetter(_)), "{all:?}");
    let toml =
        "[[step]]\nname = \"a\"\nplugin = \"p\"\n[[step]]\nname = \"b\"\nplugin = \"p\"\non_failure = \"drop\"\n";
    let two = runner(toml, vec![copies(3), second_fails()]).process(event("{}"), 0, None);
    assert_eq!(documents(two).len(), 2);
}

#[test]
fn the_story_has_what_the_failing_step_was_given() {
    let change = plugin(|event| {
        let mut event = event.clone();
        let path = Path::parse("a").expect("a path");
        event
            .content
            .document()
            .expect("JSON")
            .set(&path, &Value::Integer(2), None, &mut Meter::unlimited())
            .expect("set");
        Ok(vec![Output { event, route: None }])
    });
    let outcome = runner(&steps(2), vec![change, failing(FailureKind::Error)]).process(event(r#"{"a":1}"#), 0, None);
    let Outcome::DeadLetter(failed) = outcome else { panic!("{outcome:?}") };
    assert_eq!((failed.step, failed.input.as_deref()), (Some(1), Some(&br#"{"a":2}"#[..])));
    let Outcome::DeadLetter(failed) = runner("", Vec::new()).process(event("[1]"), 0, None) else {
        panic!("not refused")
    };
    assert_eq!((failed.step, failed.input, failed.failure.kind), (None, None, FailureKind::InvalidOutput));
}

#[test]
fn a_route_stays_until_another_is_named() {
    let route = |name: Option<&'static str>| {
        plugin(move |event| Ok(vec![Output { event: event.clone(), route: name.map(str::to_owned) }]))
    };
    let toml = steps(3) + "[routes]\naudit = \"audit\"\nother = \"other\"\n";
    let Outcome::Emit(documents) =
        runner(&toml, vec![route(None), route(Some("audit")), route(None)]).process(event("{}"), 0, None)
    else {
        panic!("not emitted")
    };
    assert_eq!(documents[0].route, 1);
    let unknown = runner(&toml, vec![route(Some("nowhere")), route(None), route(None)]).process(event("{}"), 0, None);
    assert!(
        matches!(unknown, Outcome::DeadLetter(failed) if failed.failure.message().contains("default, audit, other"))
    );
}

#[test]
fn what_may_not_leave_is_refused_by_kind() {
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_024_000));
    for (toml, text, kind) in [
        ("", "not json", FailureKind::InvalidOutput),
        ("", r#"{"a":1,"a":2}"#, FailureKind::InvalidOutput),
        ("[document]\nforbid = [\"email\"]", r#"{"a":["to a@b.de"]}"#, FailureKind::Forbidden),
        ("[document]\nforbid = [\"card\"]", r#"{"4111 1111 1111 1111":1}"#, FailureKind::Forbidden),
        ("[document]\nstrict = true", r#"{"a":1E5}"#, FailureKind::InvalidOutput),
        ("", &large, FailureKind::Oversize),
    ] {
        let outcome = runner(toml, Vec::new()).process(event(text), 0, None);
        assert!(matches!(&outcome, Outcome::DeadLetter(failed) if failed.failure.kind == kind), "{toml}: {outcome:?}");
    }
    let mut dropping = runner("[document]\non_failure = \"drop\"", Vec::new());
    assert!(matches!(dropping.process(event("1"), 0, None), Outcome::Drop(Dropped { step: None, failure: Some(_) })));
    assert_eq!(dropping.take_report().failures(FailureKind::InvalidOutput), 1);
}

#[test]
fn a_fan_out_of_fan_outs_is_bounded() {
    let outcome = runner(&steps(3), vec![copies(100), copies(100), copies(2)]).process(event("{}"), 0, None);
    assert!(matches!(outcome, Outcome::DeadLetter(failed) if failed.failure.kind == FailureKind::Oversize));
}

proptest! {
    /// Each step makes as many outputs of an event as a digest of its way here says: any tree of fan-outs.
    #[test]
    fn no_two_documents_of_an_event_share_an_id(seed in any::<u64>(), depth in 1..5usize) {
        let step = |k: usize| {
            plugin(move |event: &Event| {
                let text = String::from_utf8_lossy(&event.content.bytes()).into_owned();
                let digest = text.bytes().fold(seed ^ k as u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
                let count = (digest >> 33) as usize % 4;
                let mark = |n: usize| {
                    let mut event = event.clone();
                    event.content = Content::Unread(format!("{}{n}]}}", text.trim_end_matches("]}").to_owned() + if text.ends_with("[]}") { "" } else { "," }).into());
                    Output { event, route: None }
                };
                Ok((0..count).map(mark).collect())
            })
        };
        let mut runner = runner(&steps(depth), (0..depth).map(step).collect());
        if let Outcome::Emit(documents) = runner.process(event(r#"{"way":[]}"#), 0, None) {
            let id = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON")["paddle_id"].to_string();
            let ids: BTreeSet<String> = documents.iter().map(|document| id(&document.bytes)).collect();
            prop_assert_eq!(ids.len(), documents.len());
        }
    }
}
