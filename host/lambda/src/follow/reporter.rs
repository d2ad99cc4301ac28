//! What a host says of itself: its report for `paddle status` (what it runs, what it refused, its last minute), and
//! verdicts about releases for hosts that start later. Pure: when something is due, and what; the shell writes it.

use super::not_taken::NotTaken;
use super::state::{Named, Source, Verdict};
use crate::host::Handled;
use registry::{
    Fingerprint, HostReport, Minute, Name, Outcome, Probation, Refused, ReleaseId, Running, StepMinute, Swap,
};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Entries of each list that are kept: as many as a report may hold.
const ENTRIES_MAX: usize = registry::ENTRIES_MAX;

/// What is counted together, and how often a report is written when nothing changes.
const MINUTE: Duration = Duration::from_secs(60);

/// After a write that failed, the next one is tried this much later; doubled each time up to [`MINUTE`].
const RETRY_MIN: Duration = Duration::from_secs(1);

/// Verdicts that wait to be written. One is about the channel's revision; older ones hardly matter to anybody.
const VERDICTS_MAX: usize = 4;

/// Collects what is written next.
pub(super) struct HostReporter {
    pub(super) name: Name,
    report: HostReport,
    /// The minute on its way, and when it began.
    minute: Minute,
    minute_since: Instant,
    /// The last whole one.
    last_minute: Option<Minute>,
    /// Changes that people wait for, and how many of them were there when the report was last written.
    changes: u64,
    written: u64,
    written_at: Option<Instant>,
    /// Nothing is written before this, since a write has failed.
    not_before: Option<Instant>,
    failures: u32,
    /// Kinds of failure that were told since a write last succeeded.
    told: BTreeSet<&'static str>,
    verdicts: Vec<Probation>,
}

/// A report to be written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) report: HostReport,
    changes: u64,
}

impl HostReporter {
    pub(super) fn new(name: Name, channel: Name, engine: Fingerprint, now: Instant) -> HostReporter {
        let report = HostReport {
            engine: Some(engine),
            paddle: env!("CARGO_PKG_VERSION").to_owned(),
            ..HostReport::new(channel, 0)
        };
        HostReporter {
            name,
            report,
            minute: Minute::default(),
            minute_since: now,
            last_minute: None,
            changes: 1,
            written: 0,
            written_at: None,
            not_before: None,
            failures: 0,
            told: BTreeSet::new(),
            verdicts: Vec::new(),
        }
    }

    /// Whether something may be written now: not right after a write has failed.
    pub(super) fn may_write(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|until| now >= until)
    }

    /// The report as it stands, if it is to be written now: with the last whole minute, and the first one with what
    /// there is of it.
    pub(super) fn due(&mut self, now: Instant, at_ms: u64) -> Option<Draft> {
        let is_old = self.written_at.is_none_or(|written| now.saturating_duration_since(written) >= MINUTE);
        if !self.may_write(now) || (self.changes == self.written && !is_old) {
            return None;
        }
        self.report.at_ms = at_ms;
        let span = now.saturating_duration_since(self.minute_since);
        self.minute.span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        if span >= MINUTE {
            self.last_minute = Some(std::mem::take(&mut self.minute));
            self.minute_since = now;
        }
        self.report.minute = Some(self.last_minute.as_ref().unwrap_or(&self.minute).clone());
        Some(Draft { report: self.report.clone(), changes: self.changes })
    }

    /// A report was written: what has changed since then is still to be.
    pub(super) fn written(&mut self, now: Instant, draft: &Draft) {
        self.written = draft.changes;
        self.written_at = Some(now);
        self.recovered();
    }

    /// Verdicts that are to be written.
    pub(super) fn verdicts(&self) -> Vec<Probation> {
        self.verdicts.clone()
    }

    /// A verdict was written.
    pub(super) fn recorded(&mut self, verdict: &Probation) {
        self.verdicts.retain(|waiting| waiting != verdict);
        self.recovered();
    }

    /// A write has failed: it is tried again soon, and less and less often. Whether this kind of failure is new.
    pub(super) fn write_failed(&mut self, now: Instant, kind: &'static str) -> bool {
        self.not_before = Some(now + RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(MINUTE));
        self.failures += 1;
        self.told.insert(kind)
    }

    fn recovered(&mut self) {
        self.not_before = None;
        self.failures = 0;
        self.told.clear();
    }

    /// Counts a batch.
    pub(super) fn count(&mut self, handled: &Handled) {
        let report = &handled.report;
        let minute = &mut self.minute;
        minute.events += report.counts.events;
        minute.documents += report.documents();
        minute.dropped += report.counts.dropped;
        let failures = report.steps.iter().flat_map(|step| &step.failures).chain(&report.edge_failures);
        for (kind, count) in failures {
            *minute.failures.entry(kind.as_str().to_owned()).or_default() += count;
        }
        for step in report.steps.iter().filter(|step| step.events > 0) {
            let sum = minute.steps.entry(step.name.clone()).or_default();
            let total = u128::from(sum.time_ns) * u128::from(sum.events) + step.time.total().as_nanos();
            let events = sum.events + step.events;
            let time_ns = u64::try_from(total / u128::from(events)).unwrap_or(u64::MAX);
            *sum = StepMinute { events, time_ns };
        }
        minute.deadline_stops += u64::from(handled.out_of_time);
        minute.iterator_age_ms = minute.iterator_age_ms.max(handled.iterator_age_ms.unwrap_or(0));
    }

    /// The highest revision that was accepted.
    pub(super) fn revision(&mut self, revision: u64) {
        self.changes += u64::from(self.report.revision != revision);
        self.report.revision = revision;
    }

    /// What runs from the start on.
    pub(super) fn started(&mut self, running: Source, at_ms: u64) {
        self.runs(running, at_ms);
    }

    /// The channel's release runs.
    pub(super) fn swapped(&mut self, from: Source, named: &Named, on_probation: bool, at_ms: u64, took: Duration) {
        self.runs(Source::Release(named.release), at_ms);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        push(&mut self.report.swaps, Swap { from: from.release(), to: named.release, at_ms, took_us });
        if on_probation {
            self.probation(named.release, named.revision, Outcome::Running, at_ms, "");
        }
    }

    /// The channel's release, or with none its pointer, is not taken.
    pub(super) fn refused(&mut self, named: Option<&Named>, why: &NotTaken, at_ms: u64) {
        let (release, revision) =
            named.map_or((None, self.report.revision), |named| (Some(named.release), named.revision));
        let refused = Refused { release, revision, at_ms, kind: why.kind.to_owned(), reason: why.reason.clone() };
        push(&mut self.report.refused, refused);
        self.changes += 1;
    }

    /// The running release has passed.
    pub(super) fn passed(&mut self, release: ReleaseId, revision: u64, at_ms: u64) {
        self.probation(release, revision, Outcome::Passed, at_ms, "");
    }

    /// This host has gone back.
    pub(super) fn returned(&mut self, verdict: &Verdict, to: Source, at_ms: u64) {
        self.runs(to, at_ms);
        if let Some(to) = to.release() {
            push(&mut self.report.swaps, Swap { from: Some(verdict.release), to, at_ms, took_us: 0 });
        }
        self.probation(verdict.release, verdict.revision, Outcome::Returned, at_ms, &verdict.reason);
    }

    /// Keeps a verdict until it is written.
    pub(super) fn record(&mut self, verdict: &Verdict, at_ms: u64) {
        let Verdict { release, revision, outcome, reason } = verdict.clone();
        push_bounded(&mut self.verdicts, Probation { release, revision, outcome, at_ms, reason }, VERDICTS_MAX);
    }

    fn runs(&mut self, source: Source, since_ms: u64) {
        self.changes += 1;
        self.report.running = source.release().map(|release| Running { release, since_ms });
    }

    fn probation(&mut self, release: ReleaseId, revision: u64, outcome: Outcome, at_ms: u64, reason: &str) {
        let probation = Probation { release, revision, outcome, at_ms, reason: reason.to_owned() };
        push(&mut self.report.probations, probation);
        self.changes += 1;
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    push_bounded(list, entry, ENTRIES_MAX);
}

fn push_bounded<T>(list: &mut Vec<T>, entry: T, entries_max: usize) {
    list.push(entry);
    if list.len() > entries_max {
        list.remove(0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use pipeline::Report;

    fn batch(events: u64) -> Handled {
        let mut report = Report::default();
        report.counts.events = events;
        Handled { response: Vec::new(), report, out_of_time: false, iterator_age_ms: None }
    }

    /// A reporter, and its clock in seconds.
    fn reporter() -> (HostReporter, impl Fn(u64) -> Instant) {
        let begun = Instant::now();
        let name = |name: &str| name.parse::<Name>().unwrap();
        let reporter = HostReporter::new(name("host"), name("live"), "e".repeat(64).parse().unwrap(), begun);
        (reporter, move |seconds| begun + Duration::from_secs(seconds))
    }

    #[test]
    fn a_whole_minute_is_told_until_the_next_one_is() {
        let (mut reporter, at) = reporter();
        let told = |reporter: &mut HostReporter, seconds| {
            reporter.changes += 1;
            let minute = reporter.due(at(seconds), 0).unwrap().report.minute.unwrap();
            (minute.events, minute.span_ms)
        };
        reporter.count(&batch(5));
        assert_eq!(told(&mut reporter, 3), (5, 3_000));
        reporter.count(&batch(7));
        assert_eq!(told(&mut reporter, 61), (12, 61_000));
        reporter.count(&batch(1));
        assert_eq!(told(&mut reporter, 62), (12, 61_000));
        assert_eq!(told(&mut reporter, 130), (1, 69_000));
    }

    #[test]
    fn a_change_is_written_soon_even_if_a_write_fails() {
        let (mut reporter, at) = reporter();
        let first = reporter.due(at(0), 0).unwrap();
        reporter.written(at(0), &first);
        assert!(reporter.due(at(59), 0).is_none(), "nothing changed");
        assert!(reporter.due(at(60), 0).is_some(), "a minute is over");
        reporter.revision(2);
        for (seconds, next) in [(10, 11), (11, 13), (13, 17), (17, 25)] {
            assert!(reporter.due(at(seconds), 0).is_some());
            assert_eq!(reporter.write_failed(at(seconds), "unavailable"), seconds == 10, "it is told once");
            assert!(reporter.due(at(next - 1), 0).is_none(), "not at once");
        }
        let draft = reporter.due(at(25), 0).unwrap();
        assert_eq!(draft.report.revision, 2);
        // Something else changes while it is written.
        reporter.revision(3);
        reporter.written(at(25), &draft);
        let draft = reporter.due(at(25), 0).expect("the later change is still to be written");
        reporter.written(at(25), &draft);
        assert!(reporter.due(at(26), 0).is_none());
        for _ in 0..100 {
            reporter.write_failed(at(30), "unavailable");
        }
        assert!(reporter.may_write(at(90)), "once a minute at least");
    }

    #[test]
    fn verdicts_wait_until_they_are_written() {
        let (mut reporter, at) = reporter();
        let release: ReleaseId = "1".repeat(64).parse().unwrap();
        let verdict = |revision| Verdict { release, revision, outcome: Outcome::Returned, reason: "slow".into() };
        for revision in 1..=9 {
            reporter.record(&verdict(revision), 7);
        }
        let revisions = |reporter: &HostReporter| -> Vec<u64> {
            reporter.verdicts().iter().map(|verdict| verdict.revision).collect()
        };
        assert_eq!(revisions(&reporter), [6, 7, 8, 9], "the newest");
        reporter.write_failed(at(1), "unavailable");
        let last = reporter.verdicts().pop().unwrap();
        reporter.recorded(&last);
        assert_eq!(revisions(&reporter), [6, 7, 8]);
        assert!(reporter.may_write(at(1)), "the store is there");
    }
}
