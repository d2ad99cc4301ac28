//! What counts for a probation, and what speaks against a release.

use crate::follow::probation::{Batch, Ending, Observed, fault};
use crate::host::{HandleError, Handled};
use crate::kinesis;
use bytes::Bytes;
use pipeline::{FailureKind, Report, StepReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// A batch of these many events: `(events, through, dropped, documents, rejects)`.
fn batch((events, through, dropped, documents, rejects): (u64, u64, u64, u64, u64)) -> Batch {
    let failures = [(FailureKind::Reject, rejects)].into_iter().filter(|(_, count)| *count > 0).collect();
    Batch { events, through, dropped, documents, failures, ..Batch::default() }
}

/// What ten batches, each a tenth, came to.
fn observed(whole: (u64, u64, u64, u64, u64)) -> Observed {
    let (events, through, dropped, documents, rejects) = whole;
    let tenth = (events / 10, through / 10, dropped / 10, documents / 10, rejects / 10);
    of((0..10).map(|_| batch(tenth)))
}

fn of(batches: impl IntoIterator<Item = Batch>) -> Observed {
    let mut observed = Observed::default();
    batches.into_iter().for_each(|batch| observed.add(&batch));
    observed
}

fn ended(ending: Ending, events: u64) -> Batch {
    Batch { ending, ..batch((events, events, 0, events, 0)) }
}

/// Whether something speaks against `seen`, and that it names this.
fn check(baseline: &Observed, seen: &Observed, expected: Option<&str>) {
    let fault = fault(baseline, seen);
    match expected {
        None => assert_eq!(fault, None, "{seen:?} after {baseline:?}"),
        Some(words) => {
            let fault = fault.unwrap_or_else(|| panic!("nothing speaks against {seen:?} after {baseline:?}"));
            assert!(fault.contains(words), "{words}: {fault}");
        }
    }
}

#[test]
fn what_nobody_publishes_on_purpose_speaks_against_a_release() {
    let baseline = observed((1_000, 990, 100, 900, 10));
    for (seen, expected) in [
        ((1_000, 980, 120, 880, 20), None),
        ((40, 0, 0, 0, 40), None), // Too few to tell.
        ((100, 90, 10, 80, 10), Some("10.0 % of the events fail (reject), before it was 1.0 %")),
        ((100, 100, 90, 10, 0), Some("dropped")),
        ((100, 100, 0, 500, 0), Some("documents")),
        ((100, 100, 0, 10, 0), Some("documents")),
    ] {
        check(&baseline, &observed(seen), expected);
    }
    let timed = |median| of([Batch { median: Some(median), ..batch((100, 100, 0, 100, 0)) }]);
    check(&timed(Duration::from_micros(9)), &timed(Duration::from_millis(9)), Some("median"));
    check(&timed(Duration::from_micros(9)), &timed(Duration::from_micros(900)), None);
}

#[test]
fn without_a_baseline_only_what_fails_altogether_speaks_against_a_release() {
    for (baseline, seen, expected) in [
        // A stream with 10 % of rejects, and a swap before the 50th event.
        ((40, 36, 0, 36, 0), (1_000, 900, 0, 900, 100), None),
        ((0, 0, 0, 0, 0), (1_000, 10, 0, 10, 990), None),
        ((0, 0, 0, 0, 0), (1_000, 1_000, 1_000, 0, 0), None),
        ((0, 0, 0, 0, 0), (40, 0, 0, 0, 40), None),
        ((0, 0, 0, 0, 0), (50, 0, 0, 0, 50), Some("every one of 50 events fails")),
        ((40, 40, 0, 40, 0), (50, 0, 0, 0, 50), Some("reject")),
        // Passed on unchanged, each of them: a mask that masks nothing.
        ((0, 0, 0, 0, 0), (50, 50, 0, 50, 50), Some("every one of 50 events fails")),
        // The little that is known was as bad.
        ((10, 0, 0, 0, 10), (1_000, 0, 0, 0, 1_000), None),
    ] {
        check(&observed(baseline), &observed(seen), expected);
    }
    // From the 50th event on, the share of the baseline decides.
    check(&observed((50, 40, 0, 40, 10)), &observed((1_000, 800, 0, 800, 200)), None);
    check(&observed((50, 40, 0, 40, 10)), &observed((1_000, 700, 0, 700, 300)), Some("30.0 %"));
}

#[test]
fn invocations_that_fail_or_run_out_of_time_speak_against_a_release() {
    let some = |count, ending, events| vec![ended(ending, events); count];
    let good = |count| some(count, Ending::Answered, 100);
    let none: fn() -> Vec<Batch> = Vec::new;
    for (baseline, seen, expected) in [
        // With a baseline, any failure of an invocation counts.
        (good(5), some(5, Ending::Crashed, 0), Some("100.0 % of the invocations fail")),
        (good(5), some(5, Ending::Misconfigured, 0), Some("100.0 % of the invocations fail")),
        (good(5), some(5, Ending::OutOfTime, 0), Some("100.0 % of the invocations fail")),
        (good(5), some(4, Ending::Crashed, 0), None),
        (good(5), [good(1), some(9, Ending::Crashed, 0)].concat(), None),
        (good(10), [good(8), some(2, Ending::Crashed, 0)].concat(), Some("20.0 % of the invocations fail")),
        (good(10), [good(9), some(1, Ending::Crashed, 0)].concat(), None),
        (some(10, Ending::Crashed, 0), some(10, Ending::Crashed, 0), None),
        (some(5, Ending::Misconfigured, 0), some(5, Ending::Misconfigured, 0), None),
        // Batches that come to something and are cut short all the same.
        (good(10), [good(8), some(2, Ending::OutOfTime, 50)].concat(), Some("20.0 % of the batches run out of time")),
        (good(10), [good(9), some(1, Ending::OutOfTime, 50)].concat(), None),
        (some(10, Ending::OutOfTime, 50), some(10, Ending::OutOfTime, 50), None),
        // Without one, only that everything crashes: a wrong setting may have been wrong before.
        (none(), some(5, Ending::Crashed, 0), Some("every one of 5 invocations crashes")),
        (none(), some(4, Ending::Crashed, 0), None),
        (none(), some(50, Ending::Misconfigured, 0), None),
        (none(), some(50, Ending::OutOfTime, 0), None),
        (none(), [good(1), some(9, Ending::Crashed, 0)].concat(), None),
        (some(1, Ending::Crashed, 0), some(9, Ending::Crashed, 0), None),
    ] {
        check(&of(baseline), &of(seen), expected);
    }
    assert!(!of(some(3, Ending::OutOfTime, 0)).has_worked() && of(some(3, Ending::OutOfTime, 1)).has_worked());
}

#[test]
fn what_is_long_ago_counts_less() {
    let mut baseline = observed((1_000, 990, 100, 900, 10));
    // 19,500 events without a reject, and the first thousand counts half.
    (0..20).for_each(|_| baseline.add_and_fade(&batch((975, 975, 0, 975, 0))));
    assert!(baseline.events < 11_000, "{baseline:?}");
    check(&baseline, &observed((1_000, 940, 0, 940, 60)), Some("before it was 0.0 %"));
}

/// A report of one step that was given these many events.
fn report(events: u64, delivered: u64) -> Report {
    let mut report = Report { records: events, ..Report::default() };
    report.counts.events = events;
    report.counts.delivered = delivered;
    report.counts.dead_letters = events - delivered;
    report
}

fn step(events: u64) -> StepReport {
    StepReport { events, ..StepReport::new("mask", "redact") }
}

fn of_report(report: Report) -> Batch {
    Batch::of(&Ok(Handled { response: Vec::new(), report, out_of_time: false, iterator_age_ms: None })).unwrap()
}

fn failures(of: &[(FailureKind, u64)]) -> BTreeMap<FailureKind, u64> {
    of.iter().copied().collect()
}

#[test]
fn what_was_refused_before_a_step_ran_is_no_evidence() {
    use FailureKind::{Denied, Forbidden, InvalidOutput, Oversize, Reject, Unpack};
    // A step was called for each of these events.
    let called = |events: u64, refusals: &[(FailureKind, u64)]| {
        let mut step = step(events);
        step.failures = failures(refusals);
        step
    };
    for (steps, edges, too_large, expected_events, expected) in [
        // Damaged gzip: 40 of 100.
        (true, &[(Unpack, 40)][..], 0, 60, &[][..]),
        (true, &[(Oversize, 40)], 40, 60, &[]),
        (true, &[(Unpack, 10), (Oversize, 40)], 30, 60, &[(Oversize, 10)]),
        // What came out of a step and is refused.
        (true, &[(InvalidOutput, 40)], 0, 100, &[(InvalidOutput, 40)]),
        (true, &[(Oversize, 40)], 0, 100, &[(Oversize, 40)]),
        (true, &[(Forbidden, 40)], 0, 100, &[(Forbidden, 40)]),
        // Without steps, the final check sees what came in. What a release forbids is its own rule.
        (false, &[(InvalidOutput, 40)], 0, 100, &[]),
        (false, &[(Forbidden, 40), (InvalidOutput, 20)], 0, 100, &[(Forbidden, 40)]),
    ] {
        let mut report = report(100, 60);
        report.edge_failures = failures(edges);
        report.edge_dead_letters = failures(edges);
        report.input.oversize = too_large;
        report.steps = if steps { vec![called(0, &[])] } else { Vec::new() };
        let batch = of_report(report);
        assert_eq!((batch.events, batch.failures), (expected_events, failures(expected)), "{edges:?}");
    }
    // What is not JSON is denied to a step that may only see JSON, without a call: 30 of 40 here. Later steps got it
    // from one.
    let mut report = report(100, 60);
    report.steps = vec![step(30), step(70)];
    report.steps[0].failures = failures(&[(Denied, 30)]);
    report.steps[1].failures = failures(&[(Denied, 5), (Reject, 5)]);
    let batch = of_report(report);
    assert_eq!((batch.events, batch.failures), (70, failures(&[(Denied, 5), (Reject, 5)])));
}

#[test]
fn what_input_drops_is_not_dropped_by_the_release() {
    let mut report = report(100, 20);
    report.counts.dead_letters = 0;
    report.counts.dropped = 80;
    report.edge_failures = failures(&[(FailureKind::Unpack, 70)]);
    report.steps = vec![step(30)];
    report.steps[0].skipped = 30;
    report.steps[0].dropped = 8;
    report.steps[0].dropped_by_policy = 2;
    let batch = of_report(report);
    assert_eq!((batch.events, batch.dropped, batch.through), (30, 8, 28), "and what a policy drops is a failure");
}

#[test]
fn what_mends_a_release_is_not_blamed_for_its_documents() {
    // 96 of 100 events failed, and of the others half were dropped.
    let broken = observed((1_000, 40, 20, 20, 960));
    check(&broken, &observed((1_000, 1_000, 500, 500, 0)), None);
}

#[test]
fn an_event_that_comes_again_counts_once() {
    // Nothing settled: its dead letters could not be written.
    let mut lost = report(100, 0);
    lost.counts.dead_letters = 0;
    lost.counts.returned = 100;
    lost.steps = vec![step(100)];
    lost.steps[0].failures = failures(&[(FailureKind::Reject, 90)]);
    let batch = of_report(lost);
    assert_eq!((batch.events, batch.failures), (0, BTreeMap::new()));
    // A window ran twice: 150 failures of 100 events.
    let mut twice = report(100, 0);
    twice.steps = vec![step(150)];
    twice.steps[0].failures = failures(&[(FailureKind::Reject, 150)]);
    twice.steps[0].skipped = 150;
    assert_eq!(of_report(twice).failures, failures(&[(FailureKind::Reject, 100)]));
}

#[test]
fn every_end_of_an_invocation_is_evidence_but_that_it_was_no_batch() {
    let cut_short = || Handled { response: Vec::new(), report: report(9, 9), out_of_time: true, iterator_age_ms: None };
    let none = Handled { response: Vec::new(), report: Report::default(), out_of_time: false, iterator_age_ms: None };
    let foreign = kinesis::records(Bytes::from_static(b"{")).err().unwrap();
    for (handled, expected) in [
        (Ok(cut_short()), Some(Ending::OutOfTime)),
        (Err(HandleError::Unsettled(String::new(), Box::new(cut_short()))), Some(Ending::OutOfTime)),
        (Err(HandleError::Configuration(String::new())), Some(Ending::Misconfigured)),
        (Err(HandleError::Bug(anyhow::anyhow!("a panic"))), Some(Ending::Crashed)),
        (Ok(none), None),
        (Err(HandleError::Event(foreign)), None),
    ] {
        assert_eq!(Batch::of(&handled).map(|batch| batch.ending), expected, "{handled:?}");
    }
}
