//! The story of an event: through the steps, policies where one fails, the check on the way out, and how it settles.

use crate::event::{self, Content, Event, Identity, Lineage};
use crate::failure::{Failure, FailureKind, Signal, Unsettled};
use crate::forbid::Forbidden;
use crate::outcome::{Dropped, Emitted, Failed, Outcome};
use crate::plugin::{LogLine, Output, Plugin, Said, Transformed};
use crate::report::{Report, StepReport};
use crate::settings::{EdgePolicy, Pipeline, Policy};
use crate::timeouts::Timeouts;
use bytes::Bytes;
use document::{Checked, Document, Exhausted, Meter, Refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Largest document, in bytes: what Firehose takes of one record (1,000 KiB before base64).
pub const DOCUMENT_BYTES_MAX: usize = 1_024_000;

/// What checking a document may take: units of work, each about a nanosecond, and bytes. One of 1,024,000 bytes takes a
/// few milliseconds, and 40 if it is made to be slow to check.
const CHECK_WORK_MAX: u64 = 100_000_000;
const CHECK_BYTES_MAX: usize = 64 << 20;

/// Bytes that a message shows of the name of a route that does not exist.
const ROUTE_BYTES_SHOWN_MAX: usize = 100;

/// Most documents of one event, and most bytes of them: a fan-out of fan-outs must not fill a function's memory.
const EVENT_DOCUMENTS_MAX: usize = 10_000;
const EVENT_DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Runs events through one pipeline: one runner a worker.
pub struct Runner {
    pipeline: Arc<Pipeline>,
    plugins: Vec<Box<dyn Plugin>>,
    stream: String,
    /// The id of the document being checked: one buffer for all.
    document_id: String,
    report: Report,
    /// What timed out in this batch, by step.
    timeouts: Vec<Timeouts>,
    observe: Option<Box<dyn Observe>>,
}

/// Watches every call: how `paddle run --changes` and `paddle test` see inside.
pub trait Observe: Send {
    /// Called after each call of a step, before its outputs go on.
    fn step(&mut self, trace: Trace<'_>);
}

/// One call of one step.
pub struct Trace<'a> {
    /// Index of the step.
    pub step: usize,
    /// The event as the step was given it.
    pub given: &'a Event,
    /// What it gave back.
    pub result: TraceResult<'a>,
    /// How long it took.
    pub elapsed: Duration,
    /// What the plugin logged, and how many lines more that were not kept.
    pub log: &'a [LogLine],
    /// Lines beyond the step's limit.
    pub log_dropped: u64,
}

/// What a step gave back.
pub enum TraceResult<'a> {
    /// The events it emitted.
    Outputs(&'a [Output]),
    /// Why it emitted none.
    Signal(&'a Signal),
}

/// Why an event stops on its way: nothing of it is sent.
enum Stop {
    DeadLetter(Box<Failed>),
    Retry(Box<Failed>),
    Unsettled(Unsettled),
}

/// What is known of one event while it runs.
struct Run {
    /// Its bytes as they came; none while the first step has not given it on: what that step was given is the same.
    entered: Option<Bytes>,
    now_ms: u64,
    deadline: Option<Instant>,
    emitted: Vec<Emitted>,
    emitted_bytes: usize,
    last_drop: Dropped,
}

impl Runner {
    /// A runner of a pipeline whose steps are loaded as `plugins`, in order. `stream` is the Kinesis stream's name: it
    /// begins every document's id.
    pub fn new(pipeline: Arc<Pipeline>, plugins: Vec<Box<dyn Plugin>>, stream: &str) -> Runner {
        assert_eq!(pipeline.steps.len(), plugins.len(), "one plugin a step");
        // A copy of its own: a count that all workers raise and lower for each event would be what they wait for.
        let pipeline = Arc::new(Pipeline::clone(&pipeline));
        let timeouts = plugins.iter().map(|_| Timeouts::default()).collect();
        let report = fresh_report(&pipeline);
        Runner {
            pipeline,
            plugins,
            stream: stream.to_owned(),
            document_id: String::new(),
            report,
            timeouts,
            observe: None,
        }
    }

    /// Has every call watched.
    pub fn observe(&mut self, observe: Box<dyn Observe>) {
        self.observe = Some(observe);
    }

    /// Begins a batch of the stream called `stream`: what one batch taught about timeouts is forgotten.
    pub fn begin_batch(&mut self, stream: &str) {
        self.timeouts.iter_mut().for_each(Timeouts::clear);
        self.stream.clear();
        self.stream.push_str(stream);
    }

    /// Says whether the steps note which fields they read and write.
    pub fn observe_fields(&mut self, on: bool) {
        self.plugins.iter_mut().for_each(|plugin| plugin.observe_fields(on));
    }

    /// The first bytes of a text of the host's, with the secrets of all steps hidden.
    pub fn hide_start(&self, text: &str, bytes_max: usize) -> String {
        self.plugins.iter().fold(text.to_owned(), |text, plugin| plugin.hide_start(&text, bytes_max).into_owned())
    }

    /// What happened at the steps and at the check since the last call. Settling is for the caller to count.
    pub fn take_report(&mut self) -> Report {
        let mut report = std::mem::replace(&mut self.report, fresh_report(&self.pipeline));
        for (step, plugin) in report.steps.iter_mut().zip(&mut self.plugins) {
            step.fields.merge(plugin.take_fields());
        }
        report
    }

    /// Runs one event to its end. `now_ms`: milliseconds since the Unix epoch, for `retry_for_s`.
    pub fn process(&mut self, event: Event, now_ms: u64, deadline: Option<Instant>) -> Outcome {
        let mut run = Run {
            entered: self.plugins.is_empty().then(|| event.content.bytes()),
            now_ms,
            deadline,
            emitted: Vec::new(),
            emitted_bytes: 0,
            last_drop: Dropped { step: None, failure: None },
        };
        match self.steps(0, event, &mut run) {
            Ok(()) if run.emitted.is_empty() => Outcome::Drop(run.last_drop),
            Ok(()) => Outcome::Emit(run.emitted),
            Err(Stop::DeadLetter(mut failed)) => {
                failed.entered = run.entered.unwrap_or_default();
                Outcome::DeadLetter(failed)
            }
            Err(Stop::Retry(failed)) => Outcome::Retry(failed),
            Err(Stop::Unsettled(reason)) => Outcome::Unsettled(reason),
        }
    }

    /// Runs an event from step `first` on; outputs of a fan-out one after the other, so that documents keep their
    /// order.
    fn steps(&mut self, first: usize, event: Event, run: &mut Run) -> Result<(), Stop> {
        let mut event = event;
        for step in first..self.plugins.len() {
            let mut outputs = self.step(step, event, run)?;
            let count = outputs.len();
            if count == 1 {
                event = outputs.pop().expect("one output").event;
                continue;
            }
            for (k, output) in outputs.into_iter().enumerate() {
                let mut event = output.event;
                event.note_output(k, count);
                self.steps(step + 1, event, run)?;
            }
            return Ok(());
        }
        self.emit(event, run)
    }

    /// One step: its outputs with their routes, or what its policy makes of a failure.
    fn step(&mut self, step: usize, mut event: Event, run: &mut Run) -> Result<Vec<Output>, Stop> {
        self.report.steps[step].events += 1;
        if self.pipeline.steps[step].is_restricted() && event.content.document().is_none() {
            let reason = "the event is not JSON, so it has no fields, and this step may see nothing else";
            let failure = Failure::new(FailureKind::Denied, reason);
            return self.policy(step, failure, event, Transformed::without_call(Ok(Vec::new())), run);
        }
        if self.timeouts[step].is_hopeless(&event) {
            let reason = "events of the very same bytes timed out at this step twice in this batch";
            self.report.steps[step].skipped += 1;
            let failure = Failure::new(FailureKind::NotCalled, reason);
            return self.policy(step, failure, event, Transformed::without_call(Ok(Vec::new())), run);
        }
        let given = event;
        let mut transformed = self.plugins[step].transform(&given, run.deadline);
        self.count_call(step, &given, &transformed);
        let result = std::mem::replace(&mut transformed.result, Ok(Vec::new()));
        let result = result.and_then(|outputs| self.accept(step, outputs, &given));
        if let Err(Signal::Failed(Failure { kind: FailureKind::Timeout, .. })) = &result {
            self.timeouts[step].add(&given);
        }
        if let Some(observe) = &mut self.observe {
            let shown = result.as_ref().map_or_else(TraceResult::Signal, |outputs| TraceResult::Outputs(outputs));
            let Transformed { elapsed, log, log_dropped, .. } = &transformed;
            let (elapsed, log_dropped) = (*elapsed, *log_dropped);
            observe.step(Trace { step, given: &given, result: shown, elapsed, log, log_dropped });
        }
        match result {
            Ok(outputs) => {
                self.count_outputs(step, outputs.len(), run);
                run.entered.get_or_insert_with(|| given.content.into_bytes());
                Ok(outputs)
            }
            Err(Signal::Failed(failure)) => self.policy(step, failure, given, transformed, run),
            Err(Signal::Retry(reason)) => {
                let failure = Failure::of_guest(FailureKind::RetryExhausted, reason);
                self.retry(step, failure, given, transformed, run)
            }
            Err(Signal::Unsettled(reason)) => Err(Stop::Unsettled(reason)),
        }
    }

    fn count_call(&mut self, step: usize, given: &Event, transformed: &Transformed) {
        for line in &transformed.log {
            self.report.say(Said { step, event: given.identity.id.clone(), line: line.clone() });
        }
        let report = &mut self.report.steps[step];
        report.time.add(transformed.elapsed);
        report.memory_bytes_max = report.memory_bytes_max.max(transformed.memory_bytes);
        report.log_lines += transformed.log.len() as u64 + transformed.log_dropped;
        report.fuel += transformed.fuel;
    }

    fn count_outputs(&mut self, step: usize, count: usize, run: &mut Run) {
        let report = &mut self.report.steps[step];
        report.outputs += count as u64;
        if count == 0 {
            report.dropped += 1;
            run.last_drop = Dropped { step: Some(step), failure: None };
        }
    }

    /// Checks what a step may do besides changing fields, and finds the routes it names.
    fn accept(&self, step: usize, mut outputs: Vec<Output>, given: &Event) -> Result<Vec<Output>, Signal> {
        let settings = &self.pipeline.steps[step];
        let denied = |what| {
            Err(Signal::Failed(Failure::new(FailureKind::Denied, format!("this step may not {what} (see `may`)"))))
        };
        match outputs.len() {
            0 if !settings.may.drop => return denied("drop events"),
            2.. if !settings.may.fan_out => return denied("fan out"),
            _ => {}
        }
        for output in &mut outputs {
            // What a plugin derives is the same event: its place among the outputs of earlier steps is not its to
            // choose.
            output.event.route = given.route;
            output.event.lineage = given.lineage.clone();
            let Some(name) = &output.route else { continue };
            if !settings.may.route {
                return denied("choose a route");
            }
            let Some(route) = self.pipeline.route(name) else {
                let known: Vec<&str> = self.pipeline.routes.iter().map(|route| route.name.as_str()).collect();
                let name = self.plugins[step].hide_start(name, ROUTE_BYTES_SHOWN_MAX);
                let after = format!("`; the pipeline has {}", known.join(", "));
                let failure = Failure::quoting(FailureKind::InvalidOutput, "there is no route `", &name, &after);
                return Err(Signal::Failed(failure));
            };
            output.event.route = Some(route);
        }
        Ok(outputs)
    }

    /// What the step's policy makes of a failure.
    fn policy(
        &mut self,
        step: usize,
        failure: Failure,
        given: Event,
        transformed: Transformed,
        run: &mut Run,
    ) -> Result<Vec<Output>, Stop> {
        let policy = self.pipeline.steps[step].on_failure.of(failure.kind);
        if policy == Policy::Retry && failure.kind != FailureKind::RetryExhausted {
            return self.retry(step, failure, given, transformed, run);
        }
        let report = &mut self.report.steps[step];
        *report.failures.entry(failure.kind).or_default() += 1;
        match policy {
            Policy::DeadLetter | Policy::Retry => {
                *report.dead_letters.entry(failure.kind).or_default() += 1;
                Err(Stop::DeadLetter(story(step, failure, &given, transformed, run)))
            }
            Policy::Drop => {
                report.dropped_by_policy += 1;
                run.last_drop = Dropped { step: Some(step), failure: Some(failure) };
                Ok(Vec::new())
            }
            Policy::Pass => {
                report.passed += 1;
                report.outputs += 1;
                run.entered.get_or_insert_with(|| given.content.bytes());
                Ok(vec![Output { event: given, route: None }])
            }
        }
    }

    /// Back to Kinesis while the event is young enough; then it is a failure: of its own kind, or `retry-exhausted`.
    fn retry(
        &mut self,
        step: usize,
        failure: Failure,
        given: Event,
        transformed: Transformed,
        run: &mut Run,
    ) -> Result<Vec<Output>, Stop> {
        let age = Duration::from_millis(run.now_ms.saturating_sub(given.identity.arrived_at_ms));
        if age < self.pipeline.steps[step].retry_for {
            self.report.steps[step].retries += 1;
            return Err(Stop::Retry(story(step, failure, &given, transformed, run)));
        }
        let failure = failure.as_kind(FailureKind::RetryExhausted);
        self.policy(step, failure, given, transformed, run)
    }

    /// The check on the way out.
    fn emit(&mut self, event: Event, run: &mut Run) -> Result<(), Stop> {
        let route = event.route.unwrap_or(0);
        let mut refused = None;
        let failure = match self.check(event, &mut refused) {
            Ok(bytes) => {
                run.emitted_bytes += bytes.len();
                if run.emitted.len() < EVENT_DOCUMENTS_MAX && run.emitted_bytes <= EVENT_DOCUMENT_BYTES_MAX {
                    run.emitted.push(Emitted { route, bytes });
                    return Ok(());
                }
                Failure::new(FailureKind::Oversize, "the event became more than 10,000 documents or 16 MiB of them")
            }
            Err(failure) => failure,
        };
        *self.report.edge_failures.entry(failure.kind).or_default() += 1;
        if self.pipeline.document.on_failure == EdgePolicy::Drop {
            run.last_drop = Dropped { step: None, failure: Some(failure) };
            return Ok(());
        }
        *self.report.edge_dead_letters.entry(failure.kind).or_default() += 1;
        let input = refused.filter(|bytes| Some(bytes) != run.entered.as_ref());
        Err(Stop::DeadLetter(Box::new(Failed { input, ..Failed::outside(failure) })))
    }

    /// The bytes of a document that may be sent. `refused` gets the bytes as they stood when it may not.
    fn check(&mut self, event: Event, refused: &mut Option<Bytes>) -> Result<Vec<u8>, Failure> {
        let Event { identity, mut content, lineage, .. } = event;
        let lineage = lineage.as_deref().map_or("", Lineage::text);
        if content.document().is_none() {
            let reason = match &content {
                Content::Other(_, error) => error.to_string(),
                Content::Unread(_) | Content::Json(_) => "no reason is known".to_owned(),
            };
            *refused = Some(content.bytes());
            return Err(Failure::new(FailureKind::InvalidOutput, format!("not JSON: {reason}")));
        }
        let Content::Json(mut document) = content else { unreachable!("a document was just found") };
        let mut meter = Meter::new(CHECK_WORK_MAX, CHECK_BYTES_MAX);
        let checked = self.checked(&mut document, &identity, lineage, &mut meter).inspect_err(|_| {
            *refused = Some(event::written(&document));
        })?;
        for warning in &checked.warnings {
            *self.report.warnings.entry(warning.as_str()).or_default() += 1;
        }
        self.report.repairs += u64::from(checked.repairs);
        self.report.ids_overwritten += u64::from(checked.id_overwritten);
        if checked.bytes.len() > DOCUMENT_BYTES_MAX {
            let failure = oversize(checked.bytes.len());
            *refused = Some(checked.bytes.into());
            return Err(failure);
        }
        Ok(checked.bytes)
    }

    /// What the rules make of a document.
    fn checked(
        &mut self,
        document: &mut Document,
        identity: &Identity,
        lineage: &str,
        meter: &mut Meter,
    ) -> Result<Checked, Failure> {
        // Before anybody looks at every byte of it.
        if document.json_bytes_at_most() > DOCUMENT_BYTES_MAX {
            let bytes = document.json_bytes(meter).map_err(exhausted)?;
            if bytes > DOCUMENT_BYTES_MAX {
                return Err(oversize(bytes));
            }
        }
        let rules = &self.pipeline.document;
        if let Some(found) = Forbidden::first_in(&rules.forbid, document, meter).map_err(exhausted)? {
            let message = format!("a string contains what [document] forbid names: {}", found.as_str());
            return Err(Failure::new(FailureKind::Forbidden, message));
        }
        if rules.rules.id_field.is_some() {
            write_document_id(&mut self.document_id, &self.stream, &identity.id, lineage);
        }
        rules.rules.check(document, &self.document_id, meter).map_err(|refusal| match refusal {
            Refusal::Rule(message) => Failure::new(FailureKind::InvalidOutput, message),
            Refusal::Exhausted(reason) => exhausted(reason),
        })
    }
}

fn oversize(bytes: usize) -> Failure {
    let message = format!("the document has {bytes} bytes; Firehose takes 1,024,000 of one record");
    Failure::new(FailureKind::Oversize, message)
}

/// A check that takes more than a document may cost.
fn exhausted(reason: Exhausted) -> Failure {
    Failure::new(FailureKind::Oversize, format!("the document cannot be checked: {reason}"))
}

/// The deterministic id of a document: the same record gives the same documents the same ids, however often it comes.
fn write_document_id(id: &mut String, stream: &str, event: &str, lineage: &str) {
    id.clear();
    id.push_str(stream);
    if !stream.is_empty() {
        id.push('/');
    }
    id.push_str(event);
    id.push_str(lineage);
}

fn story(step: usize, failure: Failure, given: &Event, transformed: Transformed, run: &mut Run) -> Box<Failed> {
    let input = given.content.bytes();
    let entered = run.entered.get_or_insert_with(|| input.clone());
    Box::new(Failed {
        step: Some(step),
        failure,
        entered: Bytes::new(),
        input: (input != *entered).then_some(input),
        log: transformed.log,
        elapsed: transformed.elapsed,
        memory_bytes: transformed.memory_bytes,
    })
}

fn fresh_report(pipeline: &Pipeline) -> Report {
    Report {
        pipeline: pipeline.name.clone(),
        steps: pipeline.steps.iter().map(|step| StepReport::new(&step.name, &step.plugin)).collect(),
        ..Report::default()
    }
}
