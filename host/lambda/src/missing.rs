//! Fields that a step asks for and no event has: most likely a misspelt path, and in a mask that is a leak.
//!
//! One batch in a hundred is watched (`FIELDS_EVERY`); what it saw is added up for as long as the release runs, since
//! one batch may well lack a rare field. A plugin that makes up names, such as `users.<id>`, is noted up to a bound:
//! names that come after it are neither counted nor told.

use pipeline::{Fields, Report};
use std::collections::{BTreeMap, BTreeSet};

/// Events that a step must have been seen with: fewer may all lack a field by chance.
const EVENTS_MIN: u64 = 1_000;

/// Fields of one step that are told; a plugin that makes up paths must not fill the log.
const FIELDS_MAX: usize = 20;

/// Names of one step that are noted: as many as the engine notes of one batch.
const NAMES_MAX: usize = 1_000;

/// Bytes of all of them: a name may have 4 KiB, and a hand-written one has some tens of bytes.
const NAMES_BYTES_MAX: usize = 64 << 10;

/// What the watched batches of one release came to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Default)]
struct Step {
    events: u64,
    fields: BTreeMap<String, Counts>,
    /// Bytes of the names in `fields`.
    bytes: usize,
    told: BTreeSet<String>,
}

/// How often a field was asked for, changed, and not there.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    read: u64,
    written: u64,
    absent: u64,
}

impl Counts {
    fn is_never_present(self) -> bool {
        self.absent > 0 && self.written == 0 && self.read <= self.absent
    }
}

/// What a step has never met so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// An index into the pipeline's steps.
    pub(crate) step: usize,
    /// How many fields.
    pub(crate) count: u64,
    /// Those that were not told before.
    pub(crate) news: Vec<String>,
}

impl Seen {
    /// Adds a watched batch; one entry for each step that has been seen with enough events.
    pub(crate) fn add(&mut self, report: &Report) -> Vec<Missing> {
        self.steps.resize(report.steps.len(), Step::default());
        let steps = self.steps.iter_mut().zip(&report.steps).enumerate();
        steps.filter_map(|(at, (seen, step))| seen.add(at, step.events, &step.fields)).collect()
    }
}

impl Step {
    fn add(&mut self, at: usize, events: u64, fields: &Fields) -> Option<Missing> {
        self.events += events;
        let names: BTreeSet<&String> =
            fields.read.keys().chain(fields.written.keys()).chain(fields.absent.keys()).collect();
        for name in names {
            let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or(0);
            let more = Counts { read: of(&fields.read), written: of(&fields.written), absent: of(&fields.absent) };
            self.count(name, more);
        }
        if self.events < EVENTS_MIN {
            return None;
        }
        // The root is not there where an event is not JSON.
        let never = |(name, counts): &(&String, &Counts)| !name.is_empty() && counts.is_never_present();
        let missing: Vec<&String> = self.fields.iter().filter(never).map(|(name, _)| name).collect();
        let count = missing.len() as u64;
        let room = FIELDS_MAX.saturating_sub(self.told.len());
        let news = missing.into_iter().filter(|field| !self.told.contains(*field)).take(room);
        let news: Vec<String> = news.cloned().collect();
        self.told.extend(news.iter().cloned());
        Some(Missing { step: at, count, news })
    }

    /// Adds to a field's counts, if it is known or there is room for it. All three are counted or none: one that is
    /// known to be absent must not be without its other times.
    fn count(&mut self, name: &str, more: Counts) {
        if !self.fields.contains_key(name) {
            if self.fields.len() >= NAMES_MAX || self.bytes + name.len() > NAMES_BYTES_MAX {
                return;
            }
            self.bytes += name.len();
        }
        let counts = self.fields.entry(name.to_owned()).or_default();
        counts.read += more.read;
        counts.written += more.written;
        counts.absent += more.absent;
    }
}

#[cfg(test)]
mod tests {
    use super::{FIELDS_MAX, Missing, NAMES_BYTES_MAX, NAMES_MAX, Seen};
    use pipeline::{Report, StepReport};

    fn watched(events: u64, absent: u64) -> Report {
        let mut step = StepReport::new("mask", "redact");
        step.events = events;
        step.fields.absent.insert("user.phone".into(), absent);
        step.fields.written.insert("user.phone".into(), events - absent);
        Report { steps: vec![step], ..Report::default() }
    }

    #[test]
    fn a_field_that_was_never_there_is_told_once_and_counted_on() {
        let mut seen = Seen::default();
        assert_eq!(seen.add(&watched(999, 999)), []);
        let missing = |news: &[&str]| {
            vec![Missing { step: 0, count: 1, news: news.iter().map(|field| (*field).to_owned()).collect() }]
        };
        assert_eq!(seen.add(&watched(1, 1)), missing(&["user.phone"]));
        assert_eq!(seen.add(&watched(500, 500)), missing(&[]));
        assert_eq!(seen.add(&watched(500, 499)), [Missing { step: 0, count: 0, news: Vec::new() }]);
    }

    /// A batch of a plugin that asks for names of its own making, each of this length.
    fn made_up(batch: u64, names: u64, length: usize) -> Report {
        let mut step = StepReport::new("mask", "redact");
        step.events = names;
        step.fields.absent = (0..names).map(|k| (format!("{batch:06}{k:06}{}", "x".repeat(length - 12)), 1)).collect();
        Report { steps: vec![step], ..Report::default() }
    }

    #[test]
    fn names_that_a_plugin_makes_up_are_bounded() {
        for length in [12, 60, 4_096] {
            let mut seen = Seen::default();
            for batch in 0..100 {
                seen.add(&made_up(batch, 500, length));
                let step = &seen.steps[0];
                let bytes: usize = step.fields.keys().map(String::len).sum();
                assert!(step.fields.len() <= NAMES_MAX && bytes <= NAMES_BYTES_MAX, "{} {bytes}", step.fields.len());
            }
            let step = &seen.steps[0];
            assert_eq!(step.fields.len(), NAMES_MAX.min(NAMES_BYTES_MAX / length), "there is room for so many");
            assert_eq!(step.told.len(), step.fields.len().min(FIELDS_MAX));
            // What was known before goes on being counted: it was there after all.
            let known = step.fields.keys().next().expect("a step has fields").clone();
            let mut present = made_up(0, 0, 12);
            present.steps[0].fields.read.insert(known, 2);
            let before = step.fields.len() as u64;
            assert_eq!(seen.add(&present)[0].count, before - 1);
        }
    }
}
