//! CloudWatch metrics in the embedded format: one line a batch, one a step, on standard output.
//!
//! A line may name a hundred metrics; ours have about thirty. The pipeline and the step are dimensions; request and
//! release stand beside them as properties, because each dimension value is a metric that costs money.

use crate::log::Output;
use crate::missing::Missing;
use pipeline::{Report, StepReport};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const NAMESPACE: &str = "Paddlewheel";

/// What is known of a batch besides its report.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) request_id: String,
    pub(crate) duration: Duration,
    /// Age of the last record; none when the event does not say.
    pub(crate) iterator_age_ms: Option<u64>,
    pub(crate) windows: u64,
    pub(crate) requests: u64,
    pub(crate) resent: u64,
    /// Panics of ours while records were run.
    pub(crate) host_panics: u64,
    /// Records that were settled before the process died; its deaths in this batch; and what went wrong with the
    /// journal.
    pub(crate) settled_before: u64,
    pub(crate) deaths_remembered: u64,
    pub(crate) journal_errors: u64,
    /// Fields that steps have never met, in a batch that was watched.
    pub(crate) missing: Vec<Missing>,
}

/// Writes the lines of a batch.
pub(crate) fn write(output: &Output, now_ms: u64, report: &Report, facts: &Facts) {
    let mut batch = Line::new(&["pipeline"]);
    batch.property("pipeline", json!(report.pipeline));
    batch.property("requestId", json!(facts.request_id));
    if let Some(release) = &report.release {
        batch.property("release", json!(release));
    }
    batch_metrics(&mut batch, report, facts);
    output.line(batch.text(now_ms));
    for (at, step) in report.steps.iter().enumerate() {
        let mut line = Line::new(&["pipeline", "step"]);
        line.property("pipeline", json!(report.pipeline));
        line.property("requestId", json!(facts.request_id));
        line.property("step", json!(step.name));
        if let Some(release) = &report.release {
            line.property("release", json!(release));
        }
        step_metrics(&mut line, step);
        if let Some(missing) = facts.missing.iter().find(|missing| missing.step == at) {
            line.count("StepFieldsMissing", missing.count);
        }
        output.line(line.text(now_ms));
    }
}

/// Counts one event in the life of releases: a swap, a refusal, a return.
pub(crate) fn release(log: &crate::log::Log, now_ms: u64, what: &'static str, release: &str) {
    let mut line = Line::new(&["pipeline"]);
    line.property("pipeline", log.common("pipeline"));
    line.property("release", json!(release));
    line.count(what, 1);
    log.raw(line.text(now_ms));
}

fn batch_metrics(line: &mut Line, report: &Report, facts: &Facts) {
    let counts = &report.counts;
    line.count("Records", report.records);
    line.count("Events", counts.events);
    line.count("Delivered", counts.delivered);
    line.count("Dropped", counts.dropped);
    line.count("DeadLetters", counts.dead_letters);
    line.count("Returned", counts.returned);
    line.count("Documents", report.documents());
    line.metric("DocumentBytes", "Bytes", json!(report.document_bytes));
    line.count("Requests", facts.requests);
    line.count("Resent", facts.resent);
    line.count("Windows", facts.windows);
    line.count("HostPanics", facts.host_panics);
    line.count("SettledBefore", facts.settled_before);
    line.count("CarefulBatches", u64::from(facts.deaths_remembered > 0));
    line.count("DeathsRemembered", facts.deaths_remembered);
    line.count("JournalErrors", facts.journal_errors);
    line.metric("Duration", "Milliseconds", json!(milliseconds(facts.duration)));
    if let Some(age) = facts.iterator_age_ms {
        line.metric("IteratorAge", "Milliseconds", json!(age));
    }
    line.count("KplBadDigest", report.input.kpl_bad_digest);
    line.count("ControlMessages", report.input.control_messages);
    line.count("EmptyRecords", report.input.empty);
    line.count("Repairs", report.repairs);
    line.count("Warnings", report.warnings.values().sum());
    line.failures(&report.edge_failures);
}

fn step_metrics(line: &mut Line, step: &StepReport) {
    line.count("StepEvents", step.events);
    line.count("StepOutputs", step.outputs);
    line.count("StepDropped", step.dropped + step.dropped_by_policy);
    line.count("StepPassed", step.passed);
    line.count("StepSkipped", step.skipped);
    line.count("StepRetries", step.retries);
    line.count("StepFailures", step.failed());
    line.count("StepLogLines", step.log_lines);
    line.metric("StepTimeP50", "Milliseconds", json!(milliseconds(step.time.percentile(50.0))));
    line.metric("StepTimeP99", "Milliseconds", json!(milliseconds(step.time.percentile(99.0))));
    line.metric("StepMemoryMax", "Bytes", json!(step.memory_bytes_max));
    line.failures(&step.failures);
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// One line: values at the top, and under `_aws` which of them are metrics.
struct Line {
    dimensions: Vec<&'static str>,
    metrics: Vec<Value>,
    values: Map<String, Value>,
}

impl Line {
    fn new(dimensions: &[&'static str]) -> Line {
        Line { dimensions: dimensions.to_vec(), metrics: Vec::new(), values: Map::new() }
    }

    fn property(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    fn metric(&mut self, name: &str, unit: &str, value: Value) {
        self.metrics.push(json!({ "Name": name, "Unit": unit }));
        self.values.insert(name.to_owned(), value);
    }

    fn count(&mut self, name: &str, count: u64) {
        self.metric(name, "Count", json!(count));
    }

    /// One metric for each kind that happened: there are thirteen kinds at most.
    fn failures(&mut self, failures: &BTreeMap<pipeline::FailureKind, u64>) {
        for (kind, count) in failures {
            self.count(&format!("Failures.{kind}"), *count);
        }
    }

    fn text(self, now_ms: u64) -> String {
        let mut values = self.values;
        values.insert(
            "_aws".into(),
            json!({
                "Timestamp": now_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [self.dimensions], "Metrics": self.metrics }],
            }),
        );
        Value::Object(values).to_string()
    }
}
