//! A batch, start to finish.
//!
//! ```text
//! event ─ kinesis::records ─► records ─ unpack ─► events ─ pipeline (workers in parallel, order kept) ─► outcomes
//!       ─ documents ─ deliver (prefix-commit) ─► report ─► {"batchItemFailures":[{"itemIdentifier":"…"}]}
//! ```
//!
//! Kinesis rewinds: everything from the lowest reported sequence number on is sent again. So records settle in order, and
//! nothing at or behind the first one that is not settled is begun, written or acknowledged.

mod telling;

use crate::dead_letter::Story;
use crate::delivery::{Delivered, Delivery, DeliveryOptions, Refusal, State, Stopped, of_event};
use crate::host::{Active, HandleError, Handled, Host, Invocation};
use crate::journal::{Begun, Page};
use crate::kinesis::{self, Batch};
use crate::log::{Log, cut};
use crate::metrics::{self, Facts};
use crate::record::{Document, Done, Draft, Returned, Tally, Time, entered_again};
use crate::response::response;
use crate::window::{Bounds, Care, Window};
use crate::workers::Workers;
use anyhow::Context as _;
use bytes::Bytes;
use pipeline::{Failed, Failure, FailureKind, Report};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A window is begun only if this much time is left for it: less would not deliver a request.
const WINDOW_TIME_MIN: Duration = Duration::from_millis(20);

/// Longest reason in a log line, in bytes: a backtrace fits.
const REASON_BYTES_MAX: usize = 4 << 10;

/// One batch in this many notes which fields the steps read and write: noting costs time, and they read the same each time.
const FIELDS_EVERY: u64 = 100;

/// Bytes of documents and dead letters in a window of a batch that runs carefully: what Firehose takes in one request, so
/// that little comes again when the process dies.
const CAREFUL_WINDOW_BYTES: usize = 4 << 20;

/// Records that the process died of, told in one log line.
const NOTED_LOGGED_MAX: usize = 20;

impl Host {
    /// Handles one event. What the answer says is done: dead letters are written, documents accepted, metrics and logs out.
    ///
    /// # Errors
    /// See [`HandleError`]; Kinesis sends the whole batch again.
    pub async fn handle(&self, event: Bytes, invocation: Invocation) -> Result<Handled, HandleError> {
        self.handle_with(event, invocation).await.1
    }

    /// The same, with what it ran; none when it did not come to that.
    pub(crate) async fn handle_with(
        &self,
        event: Bytes,
        invocation: Invocation,
    ) -> (Option<Arc<Active>>, Result<Handled, HandleError>) {
        let mut ran = None;
        let handled = self.run(event, invocation, &mut ran).await;
        (ran, handled)
    }

    async fn run(
        &self,
        event: Bytes,
        invocation: Invocation,
        ran: &mut Option<Arc<Active>>,
    ) -> Result<Handled, HandleError> {
        let begun = (self.world.clock.now)();
        let batch = Arc::new(kinesis::records(event)?);
        if batch.records.is_empty() {
            let (response, report) = (response(None), Report::default());
            return Ok(Handled { response, report, out_of_time: false, iterator_age_ms: None });
        }
        let active = ran.insert(self.active());
        let mut set = self.check_out(Arc::clone(active)).map_err(HandleError::Bug)?;
        let mut run = Run::new(self, active, Arc::clone(&batch), &invocation, begun);
        let page = run.look_back();
        let ran = run.windows(&mut set.workers).await;
        let ended = run.end(begun);
        if let (Some(journal), Some(page)) = (&self.world.journal, page) {
            journal.end(&page, ran.is_ok() && ended.is_ok());
        }
        self.world.output.flush();
        ran.map_err(HandleError::Bug)?; // The workers are dropped: what a panic leaves behind is not to be trusted.
        self.check_in(set);
        ended
    }
}

/// One batch on its way.
struct Run<'a> {
    host: &'a Host,
    active: &'a Active,
    batch: Arc<Batch>,
    invocation: &'a Invocation,
    log: Log,
    random: fastrand::Rng,
    /// When nothing new is begun.
    until: Instant,
    now_ms: u64,
    /// How many batches the host had before.
    number: u64,
    observe_fields: bool,
    /// Records that were settled before: the batch begins behind them.
    first: usize,
    /// Records that are settled: all before this one.
    settled: usize,
    /// Where that is written down.
    page: Option<Arc<Page>>,
    /// There, if the batch runs carefully.
    care: Option<Arc<Care>>,
    /// Events of records that were run and go back; a record that was not run counts as one.
    returned: Vec<Tally>,
    stopped: Option<Stopped>,
    dead_letter_objects: u32,
    dead_letters_logged: usize,
    guest_lines: usize,
    panics_logged: usize,
    report: Report,
    facts: Facts,
}

impl<'a> Run<'a> {
    fn new(
        host: &'a Host,
        active: &'a Active,
        batch: Arc<Batch>,
        invocation: &'a Invocation,
        begun: Instant,
    ) -> Run<'a> {
        // A function whose time-out is shorter than the reserve still has to make progress.
        let reserve = host.settings.deadline_reserve.min(invocation.remaining / 3);
        let report = Report {
            pipeline: active.loaded.pipeline.name.clone(),
            release: active.loaded.release.clone(),
            records: batch.records.len() as u64,
            ..Report::default()
        };
        let mut common = vec![
            ("requestId", json!(invocation.request_id)),
            ("pipeline", json!(active.loaded.pipeline.name)),
            ("shard", json!(batch.shard)),
        ];
        common.extend(active.loaded.release.as_ref().map(|release| ("release", json!(release))));
        let number = host.next_batch();
        Run {
            host,
            active,
            invocation,
            log: host.log.with(common),
            random: host.fork_random(),
            until: begun + invocation.remaining.saturating_sub(reserve),
            now_ms: (host.world.clock.wall_ms)(),
            number,
            observe_fields: number.is_multiple_of(FIELDS_EVERY),
            first: 0,
            settled: 0,
            page: None,
            care: None,
            returned: Vec::new(),
            stopped: None,
            dead_letter_objects: 0,
            dead_letters_logged: 0,
            guest_lines: 0,
            panics_logged: 0,
            report,
            facts: Facts::default(),
            batch,
        }
    }

    /// Looks what the journal knows of the batch, and begins a page for it.
    fn look_back(&mut self) -> Option<Arc<Page>> {
        let journal = self.host.world.journal.as_ref()?;
        let Begun { page, settled, deaths, deaths_of } = journal.begin(&self.batch, &self.active.name);
        self.page = page.map(Arc::new);
        (self.first, self.settled) = (settled, settled);
        (self.facts.settled_before, self.facts.deaths_remembered) = (settled as u64, deaths as u64);
        if settled > 0 {
            self.log.info("The first records of the batch were settled before.", &[("records", json!(settled))]);
        }
        if deaths > 0 {
            let noted: Vec<_> =
                deaths_of.keys().take(NOTED_LOGGED_MAX).map(|at| &*self.batch.records[*at].id).collect();
            let fields = [("deaths", json!(deaths)), ("noted", json!(noted))];
            self.log.warn("The process died with records of this batch: they run one at a time.", &fields);
            self.care = Some(Arc::new(Care { page: self.page.clone(), deaths_of }));
        }
        self.page.clone()
    }

    /// Window after window, until all records are settled or one cannot be.
    async fn windows(&mut self, workers: &mut Workers) -> anyhow::Result<()> {
        while self.settled < self.batch.records.len() && self.stopped.is_none() {
            let Some(window) = self.next_window() else {
                self.stop(Stopped::Transient("the invocation's time is up".into()));
                break;
            };
            self.facts.windows += 1;
            let done = workers.run(&window).await?;
            self.settle(done, window.end()).await?;
        }
        Ok(())
    }

    /// Half of the remaining time may go to beginning records, a quarter to ending them; the last quarter delivers what came
    /// of it. So there is progress, however slow the plugins are.
    fn next_window(&self) -> Option<Arc<Window>> {
        let now = (self.host.world.clock.now)();
        let left = self.until.saturating_duration_since(now);
        if left < WINDOW_TIME_MIN {
            return None;
        }
        let bytes_max = self.host.settings.window_bytes;
        let begins_batch = self.settled == self.first;
        // In the first invocation of a process, its start may have taken part of the time.
        let has_all = Some(self.first).filter(|_| self.number > 0 && begins_batch);
        let bounds = Bounds {
            bytes_max: if self.care.is_some() { bytes_max.min(CAREFUL_WINDOW_BYTES) } else { bytes_max },
            begin_until: now + left / 2,
            time: Time { now_ms: self.now_ms, deadline: now + left / 4 * 3, has_all },
        };
        let (batch, rules) = (Arc::clone(&self.batch), Arc::clone(&self.active.rules));
        let window = Window::new(batch, rules, self.settled, bounds, self.host.world.clock.clone());
        let window = window.begins_batch(begins_batch).care(self.care.clone());
        Some(Arc::new(window.observe_fields(self.observe_fields)))
    }

    /// Settles the records of a window in order: dead letters first, then documents, and dead letters for those that
    /// Firehose refuses.
    async fn settle(&mut self, mut done: Done, end: usize) -> anyhow::Result<()> {
        let said = std::mem::take(&mut done.report.said);
        self.report.merge(std::mem::take(&mut done.report));
        self.say(said);
        self.facts.host_panics += done.panics;
        self.tell_panics(&done.panicked);
        done.end_at(end);
        if let Some(returned) = &done.returned {
            self.go_back(returned);
        }
        let boundary = self.write_dead_letters(&done.dead_letters, end).await?;
        done.documents.retain(|document| document.record < boundary);
        let (delivered, refused, boundary) = self.deliver(&done.documents, boundary).await?;
        self.count(&done, &delivered, &refused, boundary);
        if boundary < end && self.stopped.is_none() {
            self.stop(Stopped::Transient("a record goes back to Kinesis".into()));
        }
        self.settled = boundary;
        if let Some(page) = &self.page {
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
    ) -> anyhow::Result<(Delivered, Vec<Draft>, usize)> {
        // All that comes before these documents is settled: dead letters are written.
        let (page, all) = (self.page.clone(), boundary);
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

    fn stop(&mut self, reason: Stopped) {
        self.stopped = Some(Stopped::worse(self.stopped.take(), reason));
    }

    fn go_back(&mut self, returned: &Returned) {
        let Returned { record, events, step, reason } = returned;
        self.returned.push(Tally { record: *record, emitted: *events, ..Tally::default() });
        let step = step.and_then(|step| self.active.loaded.pipeline.steps.get(step)).map(|step| step.name.as_str());
        let reason = reason.shown(self.host.settings.log_guest_text);
        let reason = cut(&reason, REASON_BYTES_MAX);
        let id = &*self.batch.records[*record].id;
        self.log.warn(
            "A record goes back to Kinesis.",
            &[("id", json!(id)), ("step", json!(step)), ("reason", json!(reason))],
        );
        self.stop(Stopped::Transient(format!("record {id} goes back: {reason}")));
    }

    /// Writes dead letters as one object. What cannot be written goes back, from its first record on.
    async fn write_dead_letters(&mut self, drafts: &[Draft], boundary: usize) -> anyhow::Result<usize> {
        let Some(first) = drafts.first().map(|draft| draft.record) else { return Ok(boundary) };
        self.dead_letter_objects += 1;
        let loaded = &self.active.loaded;
        let request_id = &self.invocation.request_id;
        let story = Story { batch: &self.batch, loaded, request_id, now_ms: self.now_ms };
        let path = story.path(self.dead_letter_objects);
        let clock = &self.host.world.clock;
        let (object, count) = story.object(drafts, || (clock.now)() < self.until)?;
        let (drafts, late) = drafts.split_at(count);
        let mut boundary = boundary;
        if let Some(late) = late.first() {
            self.stop(Stopped::Transient("there was no time to write all dead letters".into()));
            boundary = boundary.min(late.record);
        }
        if drafts.is_empty() {
            return Ok(boundary);
        }
        // Half of the reserve may go to a write: the batch must still be answered.
        let reserve = self.host.settings.deadline_reserve / 2;
        let left = (self.until + reserve).saturating_duration_since((clock.now)());
        let written = tokio::time::timeout(left, self.host.world.dead_letters.write(path.clone(), object)).await;
        let written = written.context("no answer in time").and_then(|written| written);
        match written {
            Ok(()) => {
                self.tell(drafts, &path);
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
    fn refused(&self, documents: &[Document], delivery: &Delivery<'_>, boundary: usize) -> Vec<Draft> {
        let of_records = |refusal: &&Refusal| documents[refusal.document].record < boundary;
        let mut refused: Vec<&Refusal> = delivery.refused().iter().filter(of_records).collect();
        refused.sort_unstable_by_key(|refusal| refusal.document);
        let draft = |refusal: &Refusal| {
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
            Draft { record: document.record, entered, failed: Box::new(failed) }
        };
        refused.into_iter().map(draft).collect()
    }

    /// Counts each event where it settled.
    fn count(&mut self, done: &Done, delivered: &Delivered, refused: &[Draft], boundary: usize) {
        let counts = &mut self.report.counts;
        for tally in &done.tallies {
            if tally.record >= boundary {
                self.returned.push(*tally);
                continue;
            }
            counts.events += tally.events();
            counts.delivered += tally.emitted;
            counts.dropped += tally.dropped;
            counts.dead_letters += tally.dead_letters;
        }
        for (_, notes) in done.notes.iter().filter(|(record, _)| *record < boundary) {
            self.report.input.merge(*notes);
        }
        let refused = refused.iter().filter(|draft| draft.record < boundary).count() as u64;
        counts.delivered -= refused;
        counts.dead_letters += refused;
        if refused > 0 {
            *self.report.edge_failures.entry(FailureKind::InvalidOutput).or_default() += refused;
            *self.report.edge_dead_letters.entry(FailureKind::InvalidOutput).or_default() += refused;
        }
        for (document, state) in done.documents.iter().zip(&delivered.states) {
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

    /// Report, metrics and the answer.
    fn end(mut self, begun: Instant) -> Result<Handled, HandleError> {
        if self.observe_fields {
            self.tell_missing();
        }
        self.tell_trouble();
        let open = &self.batch.records[self.settled..];
        let known: u64 = self.returned.iter().map(Tally::events).sum();
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
        let lowest =
            open.iter().map(|record| &*record.sequence_number).min_by(|one, other| kinesis::compare(one, other));
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
            true => self.log.error("The batch goes back to Kinesis, and will until this is fixed.", &fields),
            false => self.log.warn("The batch goes back to Kinesis.", &fields),
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
