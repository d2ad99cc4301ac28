//! What a host says of itself, for `paddle status`: what it runs, what it refused, its last minute.

use super::take::NotTaken;
use crate::host::Handled;
use registry::{
    Fingerprint, HostReport, Minute, Name, Outcome, Pointer, Probation, Refused, ReleaseId, Running, StepMinute, Swap,
};
use std::time::{Duration, Instant};

/// Entries of each list that are kept: as many as a report may hold.
const ENTRIES_MAX: usize = registry::ENTRIES_MAX;

/// What is counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// Collects what the next report says.
pub(super) struct Teller {
    name: Name,
    report: HostReport,
    /// The minute on its way, and when it began.
    minute: Minute,
    minute_since: Instant,
    /// The last whole one.
    last_minute: Option<Minute>,
    /// Something changed that people wait for.
    changed: bool,
    told_at: Option<Instant>,
}

impl Teller {
    pub(super) fn new(name: Name, channel: Name, engine: Fingerprint, now: Instant) -> Teller {
        let report = HostReport {
            engine: Some(engine),
            paddle: env!("CARGO_PKG_VERSION").to_owned(),
            ..HostReport::new(channel, 0)
        };
        let minute = Minute::default();
        Teller { name, report, minute, minute_since: now, last_minute: None, changed: true, told_at: None }
    }

    /// Whether a report should be written now.
    pub(super) fn is_due(&self, now: Instant, every: Duration) -> bool {
        self.changed || self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= every)
    }

    /// The report as it stands, with the last whole minute; in the first, with what there is of it.
    pub(super) fn report(&mut self, now: Instant, at_ms: u64) -> (Name, HostReport) {
        self.changed = false;
        self.told_at = Some(now);
        self.report.at_ms = at_ms;
        let span = now.saturating_duration_since(self.minute_since);
        self.minute.span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        if span >= MINUTE {
            self.last_minute = Some(std::mem::take(&mut self.minute));
            self.minute_since = now;
        }
        self.report.minute = Some(self.last_minute.as_ref().unwrap_or(&self.minute).clone());
        (self.name.clone(), self.report.clone())
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
            let told = minute.steps.entry(step.name.clone()).or_default();
            let total = u128::from(told.time_ns) * u128::from(told.events) + step.time.total().as_nanos();
            let events = told.events + step.events;
            let time_ns = u64::try_from(total / u128::from(events)).unwrap_or(u64::MAX);
            *told = StepMinute { events, time_ns };
        }
        minute.deadline_stops += u64::from(handled.out_of_time);
        minute.iterator_age_ms = minute.iterator_age_ms.max(handled.iterator_age_ms.unwrap_or(0));
    }

    pub(super) fn revision(&mut self, revision: u64) {
        self.changed |= self.report.revision != revision;
        self.report.revision = revision;
    }

    /// What runs from the start on.
    pub(super) fn started(&mut self, release: Option<ReleaseId>, since_ms: u64) {
        self.report.running = release.map(|release| Running { release, since_ms });
    }

    pub(super) fn swapped(&mut self, from: Option<ReleaseId>, to: &Pointer, at_ms: u64, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.report.running = Some(Running { release: to.release, since_ms: at_ms });
        push(&mut self.report.swaps, Swap { from, to: to.release, at_ms, took_us });
        self.probation(to.release, to.revision, Outcome::Running, at_ms, "");
    }

    pub(super) fn refused(&mut self, pointer: Option<&Pointer>, why: &NotTaken, at_ms: u64) {
        let (release, revision) =
            pointer.map_or((None, self.report.revision), |pointer| (Some(pointer.release), pointer.revision));
        let refused = Refused { release, revision, at_ms, kind: why.kind.to_owned(), reason: why.reason.clone() };
        push(&mut self.report.refused, refused);
        self.changed = true;
    }

    pub(super) fn passed(&mut self, release: ReleaseId, revision: u64, at_ms: u64) {
        self.probation(release, revision, Outcome::Passed, at_ms, "");
    }

    pub(super) fn returned(
        &mut self,
        release: ReleaseId,
        revision: u64,
        to: Option<ReleaseId>,
        reason: &str,
        at_ms: u64,
    ) {
        self.report.running = to.map(|release| Running { release, since_ms: at_ms });
        if let Some(to) = to {
            push(&mut self.report.swaps, Swap { from: Some(release), to, at_ms, took_us: 0 });
        }
        self.probation(release, revision, Outcome::Returned, at_ms, reason);
    }

    fn probation(&mut self, release: ReleaseId, revision: u64, outcome: Outcome, at_ms: u64, reason: &str) {
        let probation = Probation { release, revision, outcome, at_ms, reason: reason.to_owned() };
        push(&mut self.report.probations, probation);
        self.changed = true;
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    list.push(entry);
    if list.len() > ENTRIES_MAX {
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

    #[test]
    fn a_whole_minute_is_told_until_the_next_one_is() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let name = |name: &str| name.parse::<Name>().unwrap();
        let mut teller = Teller::new(name("host"), name("live"), "e".repeat(64).parse().unwrap(), begun);
        let told = |teller: &mut Teller, seconds| {
            let minute = teller.report(at(seconds), 0).1.minute.unwrap();
            (minute.events, minute.span_ms)
        };
        teller.count(&batch(5));
        assert_eq!(told(&mut teller, 3), (5, 3_000));
        teller.count(&batch(7));
        assert_eq!(told(&mut teller, 61), (12, 61_000));
        teller.count(&batch(1));
        assert_eq!(told(&mut teller, 62), (12, 61_000));
        assert_eq!(told(&mut teller, 130), (1, 69_000));
    }
}
