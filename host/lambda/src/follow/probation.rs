//! A new release's probation: does it fail, drop, multiply or dawdle more than the one before? Pure counting.
//!
//! The first events after a swap are compared with those before it. A release may be meant to drop more or to be slower; the
//! thresholds are for what no team publishes on purpose, since a person can always promote again.

use pipeline::Report;
use std::collections::BTreeMap;
use std::time::Duration;

/// Events after which a release has passed: at a hundred events a second that is under two minutes.
pub(crate) const EVENTS_PASSED: u64 = 10_000;

/// Time after which it has passed, however few events there were: a quiet stream must not keep two releases in memory.
pub(crate) const TIME_PASSED: Duration = Duration::from_secs(600);

/// Events before a judgement: below, one odd record is a large share.
const EVENTS_MIN: u64 = 50;

/// Share of events, beyond that of the release before, that may fail in one way: one in a hundred is what a forgotten kind of
/// record makes, and twenty in a hundred is an outage.
const FAILURES_MORE: f64 = 0.05;

/// Share of events that may be dropped beyond the release before.
const DROPS_MORE: f64 = 0.5;

/// Documents per event, beyond or below those of the release before, as a factor.
const DOCUMENTS_FACTOR: f64 = 4.0;

/// Median time per event, as a factor, and the least difference that counts: a plugin that takes 2 µs may take 20.
const TIME_FACTOR: f64 = 5.0;
const TIME_MORE: Duration = Duration::from_millis(1);

/// Batches in a hundred that may be stopped by the deadline beyond the release before.
const DEADLINE_MORE: f64 = 0.1;

/// What some batches came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) batches: u64,
    pub(crate) events: u64,
    pub(crate) documents: u64,
    pub(crate) dropped: u64,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) deadline_stops: u64,
    /// Sum over the steps of their median time, one a batch.
    medians: Vec<Duration>,
}

/// Medians that are kept: the latest.
const MEDIANS_MAX: usize = 256;

impl Observed {
    /// Adds a batch.
    pub(crate) fn add(&mut self, report: &Report, deadline_stop: bool) {
        self.batches += 1;
        self.events += report.counts.events - report.counts.returned;
        self.documents += report.documents();
        self.dropped += report.counts.dropped;
        self.deadline_stops += u64::from(deadline_stop);
        let steps = report.steps.iter().flat_map(|step| &step.failures);
        for (kind, count) in steps.chain(&report.edge_failures) {
            *self.failures.entry(kind.as_str().to_owned()).or_default() += count;
        }
        if report.steps.iter().any(|step| step.events > 0) {
            self.medians.push(report.steps.iter().map(|step| step.time.percentile(50.0)).sum());
            if self.medians.len() > MEDIANS_MAX {
                self.medians.remove(0);
            }
        }
    }

    /// Halves everything: what is long ago counts less.
    pub(crate) fn fade(&mut self) {
        for count in
            [&mut self.batches, &mut self.events, &mut self.documents, &mut self.dropped, &mut self.deadline_stops]
        {
            *count /= 2;
        }
        self.failures.values_mut().for_each(|count| *count /= 2);
        self.medians.drain(..self.medians.len() / 2);
    }

    fn share(&self, count: u64) -> f64 {
        if self.events == 0 { 0.0 } else { count as f64 / self.events as f64 }
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted = self.medians.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

/// What speaks against `now`, compared with `before`; none while too little is known, or when nothing does. Nothing is held
/// against a release when there was none before it, but that everything fails.
pub(crate) fn fault(before: &Observed, now: &Observed) -> Option<String> {
    if now.events < EVENTS_MIN {
        return None;
    }
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    for (kind, count) in &now.failures {
        let (was, is) = (before.share(before.failures.get(kind).copied().unwrap_or(0)), now.share(*count));
        if is > was + FAILURES_MORE {
            return Some(format!("{} of the events fail ({kind}), before it was {}", percent(is), percent(was)));
        }
    }
    if before.events < EVENTS_MIN {
        return None;
    }
    let (was, is) = (before.share(before.dropped), now.share(now.dropped));
    if is > was + DROPS_MORE {
        return Some(format!("{} of the events are dropped, before it was {}", percent(is), percent(was)));
    }
    let (was, is) = (before.share(before.documents), now.share(now.documents));
    if was > 0.0 && (is > was * DOCUMENTS_FACTOR || is * DOCUMENTS_FACTOR < was) {
        return Some(format!("an event becomes {is:.2} documents, before it was {was:.2}"));
    }
    if let (Some(was), Some(is)) = (before.median(), now.median())
        && is > was.mul_f64(TIME_FACTOR)
        && is > was + TIME_MORE
    {
        return Some(format!(
            "an event takes {} µs at the median, before it was {} µs",
            is.as_micros(),
            was.as_micros()
        ));
    }
    let stops = |observed: &Observed| observed.deadline_stops as f64 / observed.batches.max(1) as f64;
    if stops(now) > stops(before) + DEADLINE_MORE {
        return Some(format!("{} of the batches run out of time", percent(stops(now))));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(events: u64, dropped: u64, documents: u64, rejects: u64) -> Observed {
        let failures = [("reject".to_owned(), rejects)].into_iter().collect();
        Observed { batches: 10, events, dropped, documents, failures, ..Observed::default() }
    }

    #[test]
    fn what_nobody_publishes_on_purpose_speaks_against_a_release() {
        let before = observed(1_000, 100, 900, 10);
        let says = |now: &Observed| fault(&before, now);
        assert_eq!(says(&observed(1_000, 120, 880, 15)), None);
        assert_eq!(says(&observed(40, 0, 0, 40)), None, "too few to tell");
        assert!(says(&observed(100, 10, 80, 10)).is_some_and(|why| why.contains("reject")));
        assert!(says(&observed(100, 90, 10, 0)).is_some_and(|why| why.contains("dropped")));
        assert!(says(&observed(100, 0, 500, 0)).is_some_and(|why| why.contains("documents")));
        assert!(says(&observed(100, 0, 10, 0)).is_some_and(|why| why.contains("documents")));
        let slow = Observed { medians: vec![Duration::from_millis(9)], ..observed(100, 10, 90, 0) };
        let quick = Observed { medians: vec![Duration::from_micros(9)], ..before.clone() };
        assert!(fault(&quick, &slow).is_some_and(|why| why.contains("median")));
        let stopped = Observed { deadline_stops: 5, ..observed(100, 10, 90, 0) };
        assert!(says(&stopped).is_some_and(|why| why.contains("out of time")));
    }

    #[test]
    fn the_first_release_is_only_held_to_not_failing() {
        let none = Observed::default();
        assert_eq!(fault(&none, &observed(1_000, 1_000, 0, 0)), None);
        assert!(fault(&none, &observed(1_000, 0, 0, 1_000)).is_some());
    }

    #[test]
    fn what_is_long_ago_counts_less() {
        let mut before = observed(1_000, 100, 900, 10);
        before.fade();
        assert_eq!((before.events, before.dropped, before.failures["reject"]), (500, 50, 5));
    }
}
