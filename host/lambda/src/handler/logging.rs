//! The log lines of a batch. However many there is reason for, their number is bounded; metrics count all.

use super::{REASON_BYTES_MAX, Run};
use crate::journal::Journal;
use crate::log::cut;
use crate::missing::Missing;
use crate::outcomes::{PendingDeadLetter, RecordPanic};
use pipeline::Said;
use serde_json::json;
use std::sync::PoisonError;

/// Dead letters that a batch logs one by one; the rest is counted.
const DEAD_LETTERS_LOGGED_MAX: usize = 20;

/// Lines of plugins in the log of a batch, over all its windows; metrics count all.
const GUEST_LINES_MAX: usize = 200;

/// Panics that a batch logs one by one; metrics count all.
const PANICS_LOGGED_MAX: usize = 20;

/// Lines that stand in the log of a batch one by one, so far.
#[derive(Default)]
pub(super) struct Logged {
    dead_letters: usize,
    guest_lines: usize,
    panics: usize,
}

impl Run<'_> {
    /// Logs dead letters that were written.
    pub(super) fn log_dead_letters(&mut self, letters: &[PendingDeadLetter], path: &str) {
        let room = DEAD_LETTERS_LOGGED_MAX - self.logged.dead_letters;
        for letter in letters.iter().take(room) {
            let step = letter.failed.step.and_then(|step| self.active.loaded.pipeline.steps.get(step));
            let reason = letter.failed.failure.shown(self.host.settings.log_guest_text);
            let fields = [
                ("id", json!(&*letter.entered.id)),
                ("step", json!(step.map(|step| &step.name))),
                ("kind", json!(letter.failed.failure.kind)),
                ("reason", json!(cut(&reason, REASON_BYTES_MAX))),
            ];
            self.log.warn("An event became a dead letter.", &fields);
        }
        self.logged.dead_letters += letters.len().min(room);
        self.log.info("Dead letters were written.", &[("count", json!(letters.len())), ("path", json!(path))]);
    }

    /// Says where the host panicked. What a panic says may repeat what is in a record, so it is cut as guests' texts
    /// are.
    pub(super) fn log_panics(&mut self, panicked: &[RecordPanic]) {
        let room = PANICS_LOGGED_MAX - self.logged.panics;
        for RecordPanic { record, failure, is_last } in panicked.iter().take(room) {
            let reason = failure.shown(self.host.settings.log_guest_text);
            let fields = [
                ("id", json!(&*self.batch.records[*record].id)),
                ("reason", json!(cut(&reason, REASON_BYTES_MAX))),
                ("next", json!(if *is_last { "it becomes a dead letter" } else { "it runs again" })),
            ];
            self.log.error("The host panicked while it ran a record: this is a bug in Paddlewheel.", &fields);
        }
        self.logged.panics += panicked.len().min(room);
    }

    /// Says what went wrong with the journal: once a batch, however often it did.
    pub(super) fn log_journal_trouble(&mut self) {
        let trouble = self.host.world.journal.as_ref().map(Journal::take_trouble).unwrap_or_default();
        self.facts.journal_errors = trouble.len() as u64;
        if let Some(reason) = trouble.first() {
            let fields = [("reason", json!(reason)), ("errors", json!(trouble.len()))];
            self.log.warn(
                "The journal could not be kept: should the process die, the batch comes again as a whole.",
                &fields,
            );
        }
    }

    /// Says which fields a step has never met.
    pub(super) fn log_missing(&mut self) {
        let missing = self.active.seen.lock().unwrap_or_else(PoisonError::into_inner).add(&self.report);
        for Missing { step, news, .. } in missing.iter().filter(|missing| !missing.news.is_empty()) {
            let step = &self.active.loaded.pipeline.steps[*step];
            // A plugin chooses the names that it asks for, and may put into them what it read.
            let asked_for = match self.host.settings.log_guest_text {
                0 => ("count", json!(news.len())),
                max => ("fields", news.iter().map(|name| json!(cut(name, max))).collect()),
            };
            let fields = [("step", json!(step.name)), ("plugin", json!(step.plugin)), asked_for];
            self.log.warn("A step asks for fields that no event had: are they spelled right?", &fields);
        }
        self.facts.missing = missing;
    }

    /// Writes what plugins logged.
    pub(super) fn log_guests(&mut self, said: Vec<Said>) {
        let room = GUEST_LINES_MAX - self.logged.guest_lines;
        for Said { step, event, line } in said.iter().take(room) {
            let text = cut(&line.message, self.host.settings.log_guest_text);
            if text.is_empty() {
                continue;
            }
            let step = &self.active.loaded.pipeline.steps[*step];
            let fields = [
                ("id", json!(&**event)),
                ("step", json!(step.name)),
                ("plugin", json!(step.plugin)),
                ("text", json!(text)),
            ];
            self.log.line(line.level.into(), "A plugin says:", &fields);
            self.logged.guest_lines += 1;
        }
    }
}
