//! What happened to a batch. Every event is counted where it settles, in exactly one place, so the totals add up.

use crate::failure::FailureKind;
use crate::plugin::{Fields, Level, Said};
use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How the events of a batch settled. `events` is the sum of the other four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events that came out of the records.
    pub events: u64,
    /// All their documents are with Firehose.
    pub delivered: u64,
    /// Dropped by plugins or policies.
    pub dropped: u64,
    /// Kept with their story.
    pub dead_letters: u64,
    /// Back to Kinesis.
    pub returned: u64,
}

impl Counts {
    fn merge(&mut self, other: Counts) {
        let Counts { events, delivered, dropped, dead_letters, returned } = other;
        self.events += events;
        self.delivered += delivered;
        self.dropped += dropped;
        self.dead_letters += dead_letters;
        self.returned += returned;
    }
}

/// What unpacking noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputNotes {
    /// Aggregated records.
    pub kpl: u64,
    /// Records with the magic of an aggregate and a wrong digest: taken as plain.
    pub kpl_bad_digest: u64,
    /// gzip records.
    pub gzip: u64,
    /// CloudWatch Logs records.
    pub cloudwatch_logs: u64,
    /// CloudWatch's reachability probes: no events.
    pub control_messages: u64,
    /// Records that held no event at all.
    pub empty: u64,
    /// Records that were not taken apart, since too much would have come of them: failures of kind `oversize`.
    pub oversize: u64,
}

impl InputNotes {
    /// Adds another batch's counts.
    pub fn merge(&mut self, other: InputNotes) {
        // Taken apart, here and below, so that the compiler asks about a field that is new.
        let InputNotes { kpl, kpl_bad_digest, gzip, cloudwatch_logs, control_messages, empty, oversize } = other;
        self.kpl += kpl;
        self.kpl_bad_digest += kpl_bad_digest;
        self.gzip += gzip;
        self.cloudwatch_logs += cloudwatch_logs;
        self.control_messages += control_messages;
        self.empty += empty;
        self.oversize += oversize;
    }
}

/// Lines of plugins that one report keeps: enough to see what a plugin says, and no log bill when all events say it.
/// Half of the room is for warnings and errors. The rest is counted in [`StepReport::log_lines`].
const SAID_MAX: usize = 100;

/// What happened to one or more batches.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The pipeline.
    pub pipeline: String,
    /// The release, when it came from a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Records that came in.
    pub records: u64,
    /// How their events settled.
    #[serde(flatten)]
    pub counts: Counts,
    /// Documents that Firehose accepted, by route.
    pub documents: BTreeMap<String, u64>,
    /// Bytes of those documents.
    pub document_bytes: u64,
    /// What unpacking noticed.
    pub input: InputNotes,
    /// Failures by kind at the edges: taking records apart, and the check on the way out.
    pub edge_failures: BTreeMap<FailureKind, u64>,
    /// Those of them that became dead letters.
    pub edge_dead_letters: BTreeMap<FailureKind, u64>,
    /// What OpenSearch will take, but not as its sender thinks: documents by warning.
    pub warnings: BTreeMap<&'static str, u64>,
    /// Lone surrogates, trailing dots and newlines repaired.
    pub repairs: u64,
    /// Documents whose id field was there already.
    pub ids_overwritten: u64,
    /// The first lines that plugins logged, for whoever writes them on.
    #[serde(skip)]
    pub said: Vec<Said>,
    /// The steps, in order.
    pub steps: Vec<StepReport>,
}

/// What happened at one step.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// The plugin, as settings name it.
    pub plugin: String,
    /// Events it was given.
    pub events: u64,
    /// Events it emitted.
    pub outputs: u64,
    /// Events it emitted nothing for.
    pub dropped: u64,
    /// Events that went back, because the plugin asked for it or the policy says so.
    pub retries: u64,
    /// Failures by kind, whatever the policy made of them.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Those of them that became dead letters.
    pub dead_letters: BTreeMap<FailureKind, u64>,
    /// Outputs dropped by the policy for failures.
    pub dropped_by_policy: u64,
    /// Events that went on unchanged after a failure.
    pub passed: u64,
    /// Events that failed without a call: others of the same bytes had timed out.
    pub skipped: u64,
    /// Time of one call: microseconds at the median and the 99th percentile, and in all.
    #[serde(serialize_with = "times")]
    pub time: Times,
    /// The largest memory of an instance after a call, in bytes.
    pub memory_bytes_max: u64,
    /// Lines logged, those beyond the limit included.
    pub log_lines: u64,
    /// Fuel of all calls, where it is counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub fuel: u64,
    /// Fields read and written.
    pub fields: Fields,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl StepReport {
    /// A step that nothing has happened to.
    pub fn new(name: &str, plugin: &str) -> StepReport {
        StepReport {
            name: name.to_owned(),
            plugin: plugin.to_owned(),
            events: 0,
            outputs: 0,
            dropped: 0,
            retries: 0,
            failures: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            dropped_by_policy: 0,
            passed: 0,
            skipped: 0,
            time: Times::default(),
            memory_bytes_max: 0,
            log_lines: 0,
            fuel: 0,
            fields: Fields::default(),
        }
    }

    /// Failures of all kinds.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn merge(&mut self, other: StepReport) {
        let StepReport {
            name: _,
            plugin: _,
            events,
            outputs,
            dropped,
            retries,
            failures,
            dead_letters,
            dropped_by_policy,
            passed,
            skipped,
            time,
            memory_bytes_max,
            log_lines,
            fuel,
            fields,
        } = other;
        self.events += events;
        self.outputs += outputs;
        self.dropped += dropped;
        self.retries += retries;
        merge_counts(&mut self.failures, failures);
        merge_counts(&mut self.dead_letters, dead_letters);
        self.dropped_by_policy += dropped_by_policy;
        self.passed += passed;
        self.skipped += skipped;
        self.time.merge(&time);
        self.memory_bytes_max = self.memory_bytes_max.max(memory_bytes_max);
        self.log_lines += log_lines;
        self.fuel += fuel;
        self.fields.merge(fields);
    }
}

fn merge_counts<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}

impl Report {
    /// Keeps a line, if there is room for one so loud.
    pub(crate) fn say(&mut self, said: Said) {
        let room = if said.line.level >= Level::Warn { SAID_MAX } else { SAID_MAX / 2 };
        if self.said.len() < room {
            self.said.push(said);
        }
    }

    /// Adds another worker's or batch's figures. Steps are those of one pipeline, in one order.
    pub fn merge(&mut self, other: Report) {
        let Report {
            pipeline: _,
            release: _,
            records,
            counts,
            documents,
            document_bytes,
            input,
            edge_failures,
            edge_dead_letters,
            warnings,
            repairs,
            ids_overwritten,
            said,
            steps,
        } = other;
        self.records += records;
        self.counts.merge(counts);
        merge_counts(&mut self.documents, documents);
        self.document_bytes += document_bytes;
        self.input.merge(input);
        merge_counts(&mut self.edge_failures, edge_failures);
        merge_counts(&mut self.edge_dead_letters, edge_dead_letters);
        merge_counts(&mut self.warnings, warnings);
        self.repairs += repairs;
        self.ids_overwritten += ids_overwritten;
        said.into_iter().for_each(|said| self.say(said));
        if self.steps.is_empty() {
            self.steps = steps;
            return;
        }
        for (step, other) in self.steps.iter_mut().zip(steps) {
            step.merge(other);
        }
    }

    /// Failures of one kind at all steps and edges.
    pub fn failures(&self, kind: FailureKind) -> u64 {
        let at_steps = self.steps.iter().filter_map(|step| step.failures.get(&kind)).sum::<u64>();
        at_steps + self.edge_failures.get(&kind).copied().unwrap_or(0)
    }

    /// Documents of all routes.
    pub fn documents(&self) -> u64 {
        self.documents.values().sum()
    }
}

/// Times of calls, to one part in a hundred.
#[derive(Clone, Debug)]
pub struct Times {
    histogram: Histogram<u32>,
    total: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times { histogram: Histogram::new(2).expect("2 is a valid number of digits"), total: Duration::ZERO }
    }
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.total += time;
        // Grows by itself; nothing that a clock measures is out of range.
        self.histogram.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)).unwrap_or_default();
    }

    fn merge(&mut self, other: &Times) {
        self.total += other.total;
        self.histogram.add(&other.histogram).unwrap_or_default();
    }

    /// The time that `percent` of the calls stayed within.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.histogram.value_at_percentile(percent))
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.histogram.len()
    }

    /// The sum over all calls.
    pub fn total(&self) -> Duration {
        self.total
    }
}

fn times<S: Serializer>(times: &Times, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Shown {
        p50_us: f64,
        p99_us: f64,
        total_ms: f64,
    }
    let us = |time: Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
    let shown = Shown {
        p50_us: us(times.percentile(50.0)),
        p99_us: us(times.percentile(99.0)),
        total_ms: (times.total.as_secs_f64() * 1e6).round() / 1e3,
    };
    shown.serialize(serializer)
}
