//! A window settles: dead letters first, then documents, then dead letters for the documents that Firehose refuses.
//!
//! The order keeps the promise that nothing is lost: a dead letter is written before anything behind it is delivered,
//! and a record counts as settled only when all that it became is accepted. What cannot be written or delivered ends
//! the batch at its record.

use super::{REASON_BYTES_MAX, Run};
use crate::dead_letter::DeadLetterContext;
use crate::delivery::{Delivered, Delivery, DeliveryOptions, Refusal, State, Stopped, of_event};
use crate::log::cut;
use crate::outcomes::{Document, PendingDeadLetter, RecordCounts, RecordOutcomes, Returned, entered_again};
use anyhow::Context as _;
use pipeline::{Failed, Failure, FailureKind};
use serde_json::json;

impl Run<'_> {
    /// Settles the records of a window in order: dead letters first, then documents, and dead letters for those that
    /// Firehose refuses.
    pub(super) async fn settle(&mut self, mut outcomes: RecordOutcomes, end: usize) -> anyhow::Result<()> {
        let said = std::mem::take(&mut outcomes.report.said);
        self.report.merge(std::mem::take(&mut outcomes.report));
        self.log_guests(said);
        self.facts.host_panics += outcomes.panics;
        self.log_panics(&outcomes.panicked);
        outcomes.end_at(end);
        if let Some(returned) = &outcomes.returned {
            self.go_back(returned);
        }
        let boundary = self.write_dead_letters(&outcomes.dead_letters, end).await?;
        outcomes.documents.retain(|document| document.record < boundary);
        let (delivered, refused, boundary) = self.deliver(&outcomes.documents, boundary).await?;
        self.count(&outcomes, &delivered, &refused, boundary);
        if boundary < end && self.stopped.is_none() {
            self.stop(Stopped::Transient("a record goes back to Kinesis".into()));
        }
        self.progress.settled = boundary;
        if let Some(page) = &self.progress.page {
            page.advance(boundary);
        }
        Ok(())
    }

    /// Delivers documents of records before `boundary`. Gives what became of them, the dead letters written for those
    /// that Firehose refuses, and the first record that is not settled, `boundary` if all are.
    async fn deliver(
        &mut self,
        documents: &[Document],
        mut boundary: usize,
    ) -> anyhow::Result<(Delivered, Vec<PendingDeadLetter>, usize)> {
        // All that comes before these documents is settled: dead letters are written.
        let (page, all) = (self.progress.page.clone(), boundary);
        let on_settled = page
            .map(|page| move |count: usize| page.advance(documents.get(count).map_or(all, |document| document.record)));
        let options = DeliveryOptions {
            firehose: &self.host.world.firehose,
            streams: &self.active.streams,
            concurrency: self.host.settings.delivery_concurrency,
            until: self.until,
            clock: &self.host.world.clock,
            on_settled: on_settled.as_ref().map(|advance| advance as &(dyn Fn(usize) + Send + Sync)),
        };
        let mut delivery = Delivery::new(documents, options, self.random.fork());
        let mut dead_letters = Vec::new();
        loop {
            delivery.run().await;
            if let Some(reason) = delivery.stopped() {
                self.stop(reason.clone());
                let undecided = delivery.first_undecided().map(|at| documents[at].record);
                boundary = undecided.unwrap_or(boundary).min(boundary);
            }
            let refused = self.refused(documents, &delivery, boundary);
            if refused.is_empty() {
                break;
            }
            let before = boundary;
            boundary = self.write_dead_letters(&refused, before).await?;
            dead_letters.extend(refused);
            delivery.dead_lettered(boundary);
            if boundary < before {
                break;
            }
        }
        Ok((delivery.end(), dead_letters, boundary))
    }

    fn go_back(&mut self, returned: &Returned) {
        let Returned { record, events, step, reason } = returned;
        self.returned.push(RecordCounts { record: *record, emitted: *events, ..RecordCounts::default() });
        let step = step.and_then(|step| self.active.loaded.pipeline.steps.get(step)).map(|step| step.name.as_str());
        let reason = reason.shown(self.host.settings.log_guest_text);
        let reason = cut(&reason, REASON_BYTES_MAX);
        let id = &*self.batch.records[*record].id;
        self.log.warn(
            "A record was returned to Kinesis.",
            &[("id", json!(id)), ("step", json!(step)), ("reason", json!(reason))],
        );
        self.stop(Stopped::Transient(format!("record {id} goes back: {reason}")));
    }

    /// Writes dead letters as one object. What cannot be written goes back, from its first record on.
    async fn write_dead_letters(&mut self, letters: &[PendingDeadLetter], boundary: usize) -> anyhow::Result<usize> {
        let Some(first) = letters.first().map(|letter| letter.record) else { return Ok(boundary) };
        self.dead_letter_objects += 1;
        let loaded = &self.active.loaded;
        let request_id = &self.invocation.request_id;
        let context = DeadLetterContext { batch: &self.batch, loaded, request_id, now_ms: self.now_ms };
        let path = context.path(self.dead_letter_objects);
        let clock = &self.host.world.clock;
        let (object, count) = context.object(letters, || (clock.now)() < self.until)?;
        let (letters, late) = letters.split_at(count);
        let mut boundary = boundary;
        if let Some(late) = late.first() {
            self.stop(Stopped::Transient("there was no time to write all dead letters".into()));
            boundary = boundary.min(late.record);
        }
        if letters.is_empty() {
            return Ok(boundary);
        }
        // Half of the reserve may go to a write: the batch must still be answered.
        let reserve = self.host.settings.deadline_reserve / 2;
        let left = (self.until + reserve).saturating_duration_since((clock.now)());
        let written = tokio::time::timeout(left, self.host.world.dead_letters.write(path.clone(), object)).await;
        let written = written.context("no answer in time").and_then(|written| written);
        match written {
            Ok(()) => {
                self.log_dead_letters(letters, &path);
                Ok(boundary)
            }
            Err(error) => {
                let reason = format!("dead letters could not be written: {error:#}");
                self.log
                    .error("Dead letters could not be written.", &[("reason", json!(reason)), ("path", json!(path))]);
                self.stop(Stopped::Transient(reason));
                Ok(first.min(boundary))
            }
        }
    }

    /// Dead letters for the documents of records before `boundary` that Firehose will not take: one for each event,
    /// with the document as its input. Each says how many others of its event Firehose has already, since whoever sends
    /// the event again repeats those.
    fn refused(&self, documents: &[Document], delivery: &Delivery<'_>, boundary: usize) -> Vec<PendingDeadLetter> {
        let of_records = |refusal: &&Refusal| documents[refusal.document].record < boundary;
        let mut refused: Vec<&Refusal> = delivery.refused().iter().filter(of_records).collect();
        refused.sort_unstable_by_key(|refusal| refusal.document);
        let letter = |refusal: &Refusal| {
            let document = &documents[refusal.document];
            let event = of_event(documents, refusal.document);
            let accepted = event.clone().filter(|&at| delivery.states()[at] == State::Accepted).count();
            let others = match accepted {
                0 => String::new(),
                count => format!("; {count} of the event's {} documents had been accepted before", event.len()),
            };
            let message = format!("Firehose refuses the document: {}{others}", refusal.reason);
            let failure = Failure::new(FailureKind::InvalidOutput, message);
            let failed = Failed { input: Some(document.bytes.clone()), ..Failed::outside(failure) };
            let entered = entered_again(&self.batch.records[document.record], document.event, &self.active.rules);
            PendingDeadLetter { record: document.record, entered, failed: Box::new(failed) }
        };
        refused.into_iter().map(letter).collect()
    }

    /// Counts each event where it settled.
    fn count(
        &mut self,
        outcomes: &RecordOutcomes,
        delivered: &Delivered,
        refused: &[PendingDeadLetter],
        boundary: usize,
    ) {
        let counts = &mut self.report.counts;
        for record in &outcomes.counts {
            if record.record >= boundary {
                self.returned.push(*record);
                continue;
            }
            counts.events += record.events();
            counts.delivered += record.emitted;
            counts.dropped += record.dropped;
            counts.dead_letters += record.dead_letters;
        }
        for (_, notes) in outcomes.notes.iter().filter(|(record, _)| *record < boundary) {
            self.report.input.merge(*notes);
        }
        let refused = refused.iter().filter(|letter| letter.record < boundary).count() as u64;
        counts.delivered -= refused;
        counts.dead_letters += refused;
        if refused > 0 {
            *self.report.edge_failures.entry(FailureKind::InvalidOutput).or_default() += refused;
            *self.report.edge_dead_letters.entry(FailureKind::InvalidOutput).or_default() += refused;
        }
        for (document, state) in outcomes.documents.iter().zip(&delivered.states) {
            if *state == State::Accepted {
                let route = &self.active.loaded.pipeline.routes[usize::from(document.route)].name;
                match self.report.documents.get_mut(route) {
                    Some(count) => *count += 1,
                    None => drop(self.report.documents.insert(route.clone(), 1)),
                }
                self.report.document_bytes += document.bytes.len() as u64;
            }
        }
        self.facts.requests += delivered.requests;
        self.facts.resent += delivered.resent;
    }
}
