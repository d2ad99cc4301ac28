//! Fields that a step asks for and no event has: most likely a misspelt path, and in a mask that is a leak.
//!
//! One batch in a hundred is watched (`FIELDS_EVERY`); what it saw is added up for as long as the release runs, since one batch
//! may well lack a rare field.

use pipeline::{Fields, Report};
use std::collections::BTreeSet;

/// Events that a step must have been seen with: fewer may all lack a field by chance.
const EVENTS_MIN: u64 = 1_000;

/// Fields of one step that are told; a plugin that makes up paths must not fill the log.
const FIELDS_MAX: usize = 20;

/// What the watched batches of one release came to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Default)]
struct Step {
    events: u64,
    fields: Fields,
    told: BTreeSet<String>,
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
        self.fields.merge(fields.clone());
        if self.events < EVENTS_MIN {
            return None;
        }
        // The root is not there where an event is not JSON.
        let missing: Vec<&str> = self.fields.never_present().filter(|field| !field.is_empty()).collect();
        let count = missing.len() as u64;
        let room = FIELDS_MAX.saturating_sub(self.told.len());
        let news = missing.into_iter().filter(|field| !self.told.contains(*field)).take(room);
        let news: Vec<String> = news.map(str::to_owned).collect();
        self.told.extend(news.iter().cloned());
        Some(Missing { step: at, count, news })
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, Seen};
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
}
