//! Answers as `expected.ndjson` has them, and cases of a pipeline without steps.

use super::run;
use crate::input::{Data, Record};
use lambda::trial::answer;
use pipeline::{Dropped, Emitted, Failed, Failure, FailureKind, Outcome, Pipeline, Unsettled};

fn check(outcome: &Outcome, expected: &str) {
    assert_eq!(answer(outcome, &Pipeline::of_plugin("mask", "redact")), expected);
}

#[test]
fn each_outcome_has_its_line() {
    let document = Emitted { route: 0, bytes: b"{\"a\": 1.0}".to_vec() };
    check(&Outcome::Emit(vec![document]), "{\"out\":[{\"route\":\"default\",\"document\":{\"a\":1.0}}]}");
    check(&Outcome::Drop(Dropped { step: Some(0), failure: None }), "{\"dropped_by\":\"mask\"}");
    let failure = || Failure::new(FailureKind::Trap, "unreachable\n  at 0x12");
    check(
        &Outcome::Drop(Dropped { step: None, failure: Some(failure()) }),
        "{\"dropped_by\":\"the check\",\"failed\":\"trap\"}",
    );
    let failed = Failed { step: Some(0), ..Failed::outside(failure()) };
    check(
        &Outcome::DeadLetter(Box::new(failed)),
        "{\"failed\":\"trap\",\"step\":\"mask\",\"message\":\"unreachable\"}",
    );
    let failed = Failed::outside(Failure::new(FailureKind::Unpack, "no base64"));
    check(&Outcome::DeadLetter(Box::new(failed)), "{\"failed\":\"unpack\",\"message\":\"no base64\"}");
    check(&Outcome::Unsettled(Unsettled::Host("no time".into())), "{\"retry\":\"no time\"}");
}

#[test]
fn a_case_runs_in_order_alone_reversed_and_twice() {
    let aggregate = unpack::build::aggregate([("k", &b"{\"a\":1}"[..]), ("k", b"{\"a\":2}")]);
    let record = |data: Vec<u8>| Record {
        data: Data::Bytes(data.into()),
        id: "shardId-000000000000:1".into(),
        partition_key: "k".into(),
        stream: None,
        arrived_at_ms: None,
        place: "line 1 of f".into(),
    };
    let mut loaded = lambda::Loaded::identity("p");
    let mut pipeline = Pipeline::identity("p");
    pipeline.document.rules.id_field = None;
    loaded.pipeline = pipeline.into();
    let Ok(ran) = run(&loaded, &[record(aggregate), record(b"{\"a\":3}".to_vec())]) else { panic!("it runs") };
    let line = |a: u32| format!("{{\"out\":[{{\"route\":\"default\",\"document\":{{\"a\":{a}}}}}]}}");
    assert_eq!(ran.answers, [line(1), line(2), line(3)]);
    assert_eq!(ran.remembers, None);
    assert_eq!((ran.report.records, ran.report.counts.events), (2, 3));
}
