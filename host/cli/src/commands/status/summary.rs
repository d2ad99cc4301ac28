//! What several hosts say, put together: the last minute, refusals, swaps, probations.

use registry::{HostReport, Outcome, ReleaseId};
use serde::Serialize;
use std::collections::BTreeMap;

/// A host that works writes once a minute; what one said longer ago is not about the last minute.
const FRESH_MS: u64 = 120_000;

/// The last minute's work of all hosts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Minute {
    /// Hosts that it is of.
    pub(super) hosts: u64,
    /// The longest time that one of them counted, in milliseconds.
    pub(super) span_ms: u64,
    pub(super) events: u64,
    pub(super) events_per_second: f64,
    pub(super) documents: u64,
    pub(super) dropped: u64,
    /// Failures by kind.
    pub(super) failures: BTreeMap<String, u64>,
    /// Nanoseconds per event, by step.
    pub(super) step_ns: BTreeMap<String, u64>,
    pub(super) deadline_stops: u64,
    /// The largest.
    pub(super) iterator_age_ms: u64,
}

impl Minute {
    pub(super) fn of<'a>(reports: impl Iterator<Item = &'a HostReport>, now_ms: u64) -> Minute {
        let mut sum = Minute::default();
        let mut steps: BTreeMap<String, (u128, u128)> = BTreeMap::new();
        for report in reports.filter(|report| now_ms.saturating_sub(report.at_ms) <= FRESH_MS) {
            let Some(minute) = &report.minute else { continue };
            sum.hosts += 1;
            sum.span_ms = sum.span_ms.max(minute.span_ms);
            sum.events += minute.events;
            if minute.span_ms > 0 {
                sum.events_per_second += minute.events as f64 * 1e3 / minute.span_ms as f64;
            }
            sum.documents += minute.documents;
            sum.dropped += minute.dropped;
            sum.deadline_stops += minute.deadline_stops;
            sum.iterator_age_ms = sum.iterator_age_ms.max(minute.iterator_age_ms);
            for (kind, count) in &minute.failures {
                *sum.failures.entry(kind.clone()).or_default() += count;
            }
            for (name, step) in &minute.steps {
                let (events, ns) = steps.entry(name.clone()).or_default();
                *events += u128::from(step.events);
                *ns += u128::from(step.events) * u128::from(step.time_ns);
            }
        }
        let mean = |(name, (events, ns)): (String, (u128, u128))| {
            (name, u64::try_from(ns / events.max(1)).unwrap_or(u64::MAX))
        };
        sum.step_ns = steps.into_iter().map(mean).collect();
        sum
    }
}

/// The same word of several hosts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said<T> {
    pub(super) what: T,
    pub(super) hosts: u64,
    /// When it was said last.
    pub(super) at_ms: u64,
}

/// A release that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    pub(super) release: Option<ReleaseId>,
    pub(super) revision: u64,
    pub(super) kind: String,
    pub(super) reason: String,
}

/// Refusals, those of the last one first.
pub(super) fn refusals<'a>(reports: impl Iterator<Item = &'a HostReport>) -> Vec<Said<Refusal>> {
    let refusals = reports.flat_map(|report| &report.refused).map(|refused| {
        let refusal = Refusal {
            release: refused.release,
            revision: refused.revision,
            kind: refused.kind.clone(),
            reason: refused.reason.clone(),
        };
        (refusal, refused.at_ms)
    });
    together(refusals)
}

/// From which release to which; from none at the start.
pub(super) type Between = (Option<ReleaseId>, ReleaseId);

/// Swaps, those of the last one first; with each how long the slowest took, in microseconds.
pub(super) fn swaps<'a>(reports: impl Iterator<Item = &'a HostReport> + Clone) -> Vec<(Said<Between>, u64)> {
    let all = reports.flat_map(|report| &report.swaps);
    let said = together(all.clone().map(|swap| ((swap.from, swap.to), swap.at_ms)));
    let same = |between: Between| all.clone().filter(move |swap| (swap.from, swap.to) == between);
    let slowest = |said: &Said<Between>| same(said.what).map(|swap| swap.took_us).max().unwrap_or(0);
    said.into_iter().map(|said| (slowest(&said), said)).map(|(slowest, said)| (said, slowest)).collect()
}

/// How the probation of a release goes: hosts on which it passed, runs, and was left; and the last reason for leaving.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Probations {
    pub(super) passed: u64,
    pub(super) running: u64,
    pub(super) returned: u64,
    pub(super) reason: String,
}

pub(super) fn probations<'a>(
    reports: impl Iterator<Item = &'a HostReport>,
    release: ReleaseId,
    revision: u64,
) -> Probations {
    let mut sum = Probations::default();
    for report in reports {
        let about = |probation: &&registry::Probation| (probation.release, probation.revision) == (release, revision);
        let Some(probation) = report.probations.iter().rev().find(about) else { continue };
        match probation.outcome {
            Outcome::Passed => sum.passed += 1,
            Outcome::Running => sum.running += 1,
            Outcome::Returned => {
                sum.returned += 1;
                sum.reason.clone_from(&probation.reason);
            }
        }
    }
    sum
}

/// Counts what is the same; the last first.
fn together<T: Ord>(words: impl Iterator<Item = (T, u64)>) -> Vec<Said<T>> {
    let mut counts: BTreeMap<T, (u64, u64)> = BTreeMap::new();
    for (what, at_ms) in words {
        let (hosts, last) = counts.entry(what).or_default();
        *hosts += 1;
        *last = at_ms.max(*last);
    }
    let mut said: Vec<Said<T>> = counts.into_iter().map(|(what, (hosts, at_ms))| Said { what, hosts, at_ms }).collect();
    said.sort_by_key(|said| std::cmp::Reverse(said.at_ms));
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::{Name, Refused, StepMinute, Swap};

    fn host(at_ms: u64, events: u64, step_ns: u64) -> HostReport {
        let mut report = HostReport::new(Name::new("live").expect("a name"), at_ms);
        report.minute = Some(registry::Minute {
            span_ms: 60_000,
            events,
            failures: BTreeMap::from([("trap".to_owned(), 1)]),
            steps: BTreeMap::from([("mask".to_owned(), StepMinute { events, time_ns: step_ns })]),
            iterator_age_ms: events,
            ..registry::Minute::default()
        });
        report
    }

    #[test]
    fn hosts_are_added_up_and_old_words_do_not_count() {
        let hosts = [host(100_000, 600, 1_000), host(90_000, 1_200, 4_000), host(0, 9_999, 9)];
        let minute = Minute::of(hosts.iter(), 160_000);
        assert_eq!((minute.hosts, minute.events, minute.iterator_age_ms), (2, 1_800, 1_200));
        assert_eq!((minute.step_ns["mask"], minute.failures["trap"]), (3_000, 2));
        assert!((minute.events_per_second - 30.0).abs() < 1e-9);
        assert_eq!(Minute::of([].iter(), 0), Minute::default());
    }

    #[test]
    fn the_same_words_are_told_once() {
        let release = |digit: &str| digit.repeat(64).parse::<ReleaseId>().expect("64 digits");
        let (one, two) = (release("1"), release("2"));
        let mut hosts = [host(0, 0, 0), host(0, 0, 0)];
        for (at_ms, host) in (1..).zip(&mut hosts) {
            let (kind, reason) = ("load".to_owned(), "no".to_owned());
            host.refused.push(Refused { release: Some(two), revision: 2, at_ms, kind, reason });
            host.swaps.push(Swap { from: None, to: one, at_ms, took_us: 10 * at_ms });
        }
        let refused = refusals(hosts.iter());
        assert_eq!((refused.len(), refused[0].hosts, refused[0].at_ms), (1, 2, 2));
        let swaps = swaps(hosts.iter());
        assert_eq!((swaps.len(), swaps[0].0.hosts, swaps[0].1), (1, 2, 20));
    }
}
