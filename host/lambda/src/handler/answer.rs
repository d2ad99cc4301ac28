//! The end of a batch: its report, its metrics, and what Kinesis is told.

use super::Run;
use crate::batch::compare_sequence_numbers;
use crate::delivery::Stopped;
use crate::host::{HandleError, Handled};
use crate::metrics;
use crate::outcomes::RecordCounts;
use crate::response::response;
use serde_json::json;
use std::time::Instant;

impl Run<'_> {
    /// Report, metrics and the answer.
    pub(super) fn answer(mut self, begun: Instant) -> Result<Handled, HandleError> {
        if self.observe_fields {
            self.log_missing();
        }
        self.log_journal_trouble();
        let open = &self.batch.records[self.progress.settled..];
        let known: u64 = self.returned.iter().map(RecordCounts::events).sum();
        let returned = known + (open.len() as u64).saturating_sub(self.returned.len() as u64);
        self.report.counts.events += returned;
        self.report.counts.returned = returned;
        let clock = &self.host.world.clock;
        self.facts.duration = (clock.now)().saturating_duration_since(begun);
        let arrived_at_ms = self.batch.records.last().map_or(0, |record| record.arrived_at_ms);
        self.facts.iterator_age_ms = (arrived_at_ms > 0).then(|| self.now_ms.saturating_sub(arrived_at_ms));
        self.facts.request_id.clone_from(&self.invocation.request_id);
        let (iterator_age_ms, out_of_time) = (self.facts.iterator_age_ms, (clock.now)() >= self.until);
        metrics::write(&self.host.world.output, (clock.wall_ms)(), &self.report, &self.facts);
        let lowest = open
            .iter()
            .map(|record| &*record.sequence_number)
            .min_by(|one, other| compare_sequence_numbers(one, other));
        let Some(lowest) = lowest else {
            return Ok(Handled { response: response(None), report: self.report, out_of_time: false, iterator_age_ms });
        };
        let (reason, fix) = match self.stopped.take() {
            Some(Stopped::Configuration(reason)) => (reason, true),
            Some(Stopped::Transient(reason)) => (reason, false),
            None => ("the batch was given up".to_owned(), false),
        };
        let fields = [("reason", json!(reason)), ("from", json!(lowest)), ("records", json!(open.len()))];
        match fix {
            true => {
                self.log.error("The batch was returned to Kinesis and will be retried until this is fixed.", &fields)
            }
            false => self.log.warn("The batch was returned to Kinesis.", &fields),
        }
        if fix && self.report.documents() == 0 {
            return Err(HandleError::Configuration(reason));
        }
        let handled = Handled { response: response(Some(lowest)), report: self.report, out_of_time, iterator_age_ms };
        match self.host.settings.partial_failures {
            true => Ok(handled),
            false => Err(HandleError::Unsettled(reason, Box::new(handled))),
        }
    }
}
