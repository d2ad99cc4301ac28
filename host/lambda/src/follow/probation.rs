//! Whether a release does worse than the one before it. Pure counting: `docs/releases.md` has the rules for people.
//!
//! The first batches after a swap are compared with those before it. A release may be meant to drop more or to be
//! slower; the thresholds are for what no team publishes on purpose, and a person can insist.
//!
//! **What counts.** Events that settled, and failures that the release may have caused: in a step, or in the final
//! check of what came out of one. What could not be taken apart never met the release and does not count, and neither
//! does what is not JSON where the first step may only see JSON, nor what the final check refuses in a pipeline without
//! steps, unless it is `[document] forbid`, which is the release's own rule.
//!
//! **Without a baseline** of [`EVENTS_MIN`] events, 10 % of failures may be what this stream always has. Then a release
//! is only left when nothing works with it: see [`nothing_works`].

use crate::host::{HandleError, Handled};
use pipeline::{FailureKind, Report, StepReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// Events after which a release has passed: at a hundred events a second that is under two minutes.
pub(super) const EVENTS_PASSED: u64 = 10_000;

/// Time after which it has passed, however few events there were: a quiet stream must not keep two releases in memory.
pub(super) const TIME_PASSED: Duration = Duration::from_secs(600);

/// Events before a judgement, and in a baseline: below, one odd record is a large share.
pub(super) const EVENTS_MIN: u64 = 50;

/// Batches before a judgement of batches, and in their baseline: below, one odd batch is more than a tenth.
const BATCHES_MIN: u64 = 10;

/// Batches after which it counts that all of them failed. Kinesis sends a failed batch again, so nothing is lost
/// meanwhile.
const BATCHES_ALL_MIN: u64 = 5;

/// Share of events, beyond that of the release before, that may fail in one way: one in a hundred is what a forgotten
/// kind of record makes, and twenty in a hundred is an outage.
const FAILURES_MORE: f64 = 0.05;

/// Share of events that may be dropped beyond the release before.
const DROPS_MORE: f64 = 0.5;

/// Documents per event, beyond or below those of the release before, as a factor.
const DOCUMENTS_FACTOR: f64 = 4.0;

/// Median time per event, as a factor, and the least difference that counts: a plugin that takes 2 µs may take 20.
const TIME_FACTOR: f64 = 5.0;
const TIME_MORE: Duration = Duration::from_millis(1);

/// Share of batches that may fail, or run into the deadline, beyond the release before.
const BATCHES_MORE: f64 = 0.1;

/// Events after which what came before them counts half, for comparing a new release with the old one.
const FADE_EVENTS: u64 = 20_000;

/// Medians that are kept: the latest.
const MEDIANS_MAX: usize = 256;

/// What one batch says of what it ran with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) ending: Ending,
    /// Events that settled after they had met the pipeline.
    pub(super) events: u64,
    /// Of those, the ones that were delivered, or dropped by plugins. What became of them is compared among them, so
    /// that a release that mends one in which all fails is not blamed for having documents.
    pub(super) through: u64,
    /// Events dropped by plugins.
    pub(super) dropped: u64,
    /// Documents delivered.
    pub(super) documents: u64,
    /// Failures that the release may have caused: of each kind at most one an event.
    pub(super) failures: BTreeMap<FailureKind, u64>,
    /// Sum over the steps of their median time.
    pub(super) median: Option<Duration>,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was answered, whatever became of its events.
    #[default]
    Answered,
    /// It was cut short by the deadline.
    OutOfTime,
    /// The invocation failed, and a person must change a setting.
    Misconfigured,
    /// The invocation failed: a plugin could not be started, or a worker panicked.
    Crashed,
}

impl Batch {
    /// What an invocation says; none when it never met what the host runs.
    pub(super) fn of(handled: &Result<Handled, HandleError>) -> Option<Batch> {
        let ended = |ending| Some(Batch { ending, ..Batch::default() });
        match handled {
            Ok(handled) => Batch::of_handled(handled),
            Err(HandleError::Unsettled(_, handled)) => Batch::of_handled(handled),
            Err(HandleError::Configuration(_)) => ended(Ending::Misconfigured),
            Err(HandleError::Bug(_)) => ended(Ending::Crashed),
            Err(HandleError::Event(_)) => None,
        }
    }

    fn of_handled(handled: &Handled) -> Option<Batch> {
        let ending = if handled.out_of_time { Ending::OutOfTime } else { Ending::Answered };
        (handled.report.records > 0).then(|| Batch { ending, ..Batch::of_report(&handled.report) })
    }

    fn of_report(report: &Report) -> Batch {
        let counts = &report.counts;
        let at = |counts: &BTreeMap<FailureKind, u64>, kind| counts.get(&kind).copied().unwrap_or(0);
        let edge = |kind| at(&report.edge_failures, kind);
        let edge_dropped = |kind| edge(kind).saturating_sub(at(&report.edge_dead_letters, kind));
        // Refused while it was taken apart. What grew too large may have done so on the way in or on the way out.
        let oversize = report.input.oversize.min(edge(FailureKind::Oversize));
        let never_called = |step: &StepReport| step.events.saturating_sub(step.skipped + step.time.calls());
        let not_json = report.steps.first().map_or(0, never_called);
        let refused = edge(FailureKind::Unpack) + oversize + not_json;
        let refused_dropped = edge_dropped(FailureKind::Unpack) + oversize.min(edge_dropped(FailureKind::Oversize));
        let events = (counts.events - counts.returned).saturating_sub(refused);
        let mut failures: BTreeMap<FailureKind, u64> = BTreeMap::new();
        for (kind, count) in report.steps.iter().flat_map(|step| &step.failures) {
            *failures.entry(*kind).or_default() += count;
        }
        if let Some(denied) = failures.get_mut(&FailureKind::Denied) {
            *denied = denied.saturating_sub(not_json);
        }
        for (kind, count) in &report.edge_failures {
            *failures.entry(*kind).or_default() += match kind {
                FailureKind::Unpack => 0,
                FailureKind::Oversize => count - oversize,
                FailureKind::Forbidden => *count,
                _ if report.steps.is_empty() => 0,
                _ => *count,
            };
        }
        // Records that go back are run again, and fail again: of each kind, an event counts once.
        failures.values_mut().for_each(|count| *count = events.min(*count));
        failures.retain(|_, count| *count > 0);
        // Policies drop events too, as failures: plugins dropped no more than there are steps that emitted nothing.
        let dropped_by_plugins: u64 = report.steps.iter().map(|step| step.dropped).sum();
        let dropped = counts.dropped.saturating_sub(refused_dropped).min(dropped_by_plugins);
        let has_run = report.steps.iter().any(|step| step.events > 0);
        Batch {
            ending: Ending::Answered,
            events,
            through: counts.delivered + dropped,
            dropped,
            documents: report.documents(),
            failures,
            median: has_run.then(|| report.steps.iter().map(|step| step.time.percentile(50.0)).sum()),
        }
    }
}

/// What some batches came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed {
    pub(super) batches: u64,
    /// Batches that came to nothing: failed invocations, and those whose time was up before an event settled.
    pub(super) failed_batches: u64,
    /// Of those, the ones that were crashes.
    pub(super) crashes: u64,
    pub(super) deadline_stops: u64,
    pub(super) events: u64,
    through: u64,
    documents: u64,
    dropped: u64,
    failures: BTreeMap<FailureKind, u64>,
    medians: Vec<Duration>,
}

impl Observed {
    /// Adds a batch.
    pub(super) fn add(&mut self, batch: &Batch) {
        self.batches += 1;
        let fruitless = batch.ending == Ending::OutOfTime && batch.events == 0;
        let failed = matches!(batch.ending, Ending::Misconfigured | Ending::Crashed);
        self.failed_batches += u64::from(failed || fruitless);
        self.crashes += u64::from(batch.ending == Ending::Crashed);
        self.deadline_stops += u64::from(batch.ending == Ending::OutOfTime);
        self.events += batch.events;
        self.through += batch.through;
        self.documents += batch.documents;
        self.dropped += batch.dropped;
        for (kind, count) in &batch.failures {
            *self.failures.entry(*kind).or_default() += count;
        }
        self.medians.extend(batch.median);
        if self.medians.len() > MEDIANS_MAX {
            self.medians.remove(0);
        }
    }

    /// Adds a batch to what is compared with later: what is long ago counts less.
    pub(super) fn add_and_fade(&mut self, batch: &Batch) {
        self.add(batch);
        if self.events > FADE_EVENTS {
            self.fade();
        }
    }

    /// Whether one batch, at least, came to something.
    pub(super) fn has_worked(&self) -> bool {
        self.failed_batches < self.batches
    }

    /// Whether shares of its events mean something.
    pub(super) fn is_enough(&self) -> bool {
        self.events >= EVENTS_MIN
    }

    /// Halves everything.
    fn fade(&mut self) {
        for count in [
            &mut self.batches,
            &mut self.failed_batches,
            &mut self.crashes,
            &mut self.deadline_stops,
            &mut self.events,
            &mut self.through,
            &mut self.documents,
            &mut self.dropped,
        ] {
            *count /= 2;
        }
        self.failures.values_mut().for_each(|count| *count /= 2);
        self.medians.drain(..self.medians.len() / 2);
    }

    /// Whether every event failed: none came through, or all failed in the same way and were passed on.
    fn fails_wholly(&self) -> bool {
        let all_alike = self.failures.values().any(|count| *count >= self.events);
        self.events > 0 && !self.failures.is_empty() && (self.through == 0 || all_alike)
    }

    fn share(&self, count: u64) -> f64 {
        count as f64 / self.events.max(1) as f64
    }

    fn share_of_through(&self, count: u64) -> f64 {
        count as f64 / self.through.max(1) as f64
    }

    fn share_of_batches(&self, count: u64) -> f64 {
        count as f64 / self.batches.max(1) as f64
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted = self.medians.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// The kind of most failures.
    fn main_failure(&self) -> Option<FailureKind> {
        self.failures.iter().max_by_key(|(_, count)| **count).map(|(kind, _)| *kind)
    }
}

/// What speaks against what was seen of a release, compared with the baseline; none while too little is known, or when
/// nothing does.
pub(super) fn fault(baseline: &Observed, seen: &Observed) -> Option<String> {
    worse_events(baseline, seen).or_else(|| worse_batches(baseline, seen)).or_else(|| nothing_works(baseline, seen))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Events, compared with enough of them.
fn worse_events(baseline: &Observed, seen: &Observed) -> Option<String> {
    if !baseline.is_enough() || !seen.is_enough() {
        return None;
    }
    for (kind, count) in &seen.failures {
        let known = baseline.failures.get(kind).copied().unwrap_or(0);
        let (was, is) = (baseline.share(known), seen.share(*count));
        if is > was + FAILURES_MORE {
            return Some(format!("{} of the events fail ({kind}), before it was {}", percent(is), percent(was)));
        }
    }
    let (was, is) = (baseline.share_of_through(baseline.dropped), seen.share_of_through(seen.dropped));
    if is > was + DROPS_MORE {
        return Some(format!("{} of the events are dropped, before it was {}", percent(is), percent(was)));
    }
    let (was, is) = (baseline.share_of_through(baseline.documents), seen.share_of_through(seen.documents));
    if was > 0.0 && (is > was * DOCUMENTS_FACTOR || is * DOCUMENTS_FACTOR < was) {
        return Some(format!("an event becomes {is:.2} documents, before it was {was:.2}"));
    }
    let (was, is) = (baseline.median()?, seen.median()?);
    let slower = is > was.mul_f64(TIME_FACTOR) && is > was + TIME_MORE;
    let (was, is) = (was.as_micros(), is.as_micros());
    slower.then(|| format!("an event takes {is} µs at the median, before it was {was} µs"))
}

/// Batches, compared with enough of them; with half as many when all fail.
fn worse_batches(baseline: &Observed, seen: &Observed) -> Option<String> {
    let enough = |batches| baseline.batches >= batches && seen.batches >= batches;
    let all_fail = enough(BATCHES_ALL_MIN) && !seen.has_worked() && baseline.has_worked();
    let (was, is) = (baseline.share_of_batches(baseline.failed_batches), seen.share_of_batches(seen.failed_batches));
    if all_fail || enough(BATCHES_MIN) && is > was + BATCHES_MORE {
        return Some(format!("{} of the invocations fail, before it was {}", percent(is), percent(was)));
    }
    let (was, is) = (baseline.share_of_batches(baseline.deadline_stops), seen.share_of_batches(seen.deadline_stops));
    (enough(BATCHES_MIN) && is > was + BATCHES_MORE)
        .then(|| format!("{} of the batches run out of time, before it was {}", percent(is), percent(was)))
}

/// What counts without a baseline, unless the little that there is was as bad: every one of [`EVENTS_MIN`] events
/// failed in the release, or every one of [`BATCHES_ALL_MIN`] invocations crashed. A setting that is wrong does not
/// count here: it may have been wrong before.
fn nothing_works(baseline: &Observed, seen: &Observed) -> Option<String> {
    if seen.is_enough() && seen.fails_wholly() && !baseline.fails_wholly() {
        let kind = seen.main_failure().map_or("", FailureKind::as_str);
        return Some(format!("every one of {} events fails (most of them: {kind})", seen.events));
    }
    let crashes = |observed: &Observed| observed.batches > 0 && observed.crashes == observed.batches;
    (seen.batches >= BATCHES_ALL_MIN && crashes(seen) && !crashes(baseline))
        .then(|| format!("every one of {} invocations crashes", seen.batches))
}
