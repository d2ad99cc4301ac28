//! The part of a batch that is work for the processor alone, with the handler's own functions: what the benchmark
//! measures.

use crate::kinesis::{self, EventError};
use crate::outcomes::{RecordOutcomes, RecordRun, Time};
use crate::walk::Rules;
use bytes::Bytes;
use pipeline::{Pipeline, Report, Runner};
use std::time::{Duration, Instant};

/// What an event comes to before anything is sent.
#[derive(Debug)]
pub struct Prepared {
    /// `Data` of the entries of `PutRecordBatch`, in base64 as the SDK sends them, route after route.
    pub entries: Vec<String>,
    /// Dead letters that would be written.
    pub dead_letters: usize,
    /// What happened at the steps.
    pub report: Report,
}

/// Runs an event on this thread: its text in, entries out. As in the handler, a record that goes back ends the batch.
///
/// # Errors
/// An event that is none of Kinesis.
pub fn prepare(event: Bytes, pipeline: &Pipeline, runner: &mut Runner, now_ms: u64) -> Result<Prepared, EventError> {
    let batch = kinesis::records(event)?;
    runner.begin_batch(&batch.stream);
    let rules = Rules::of(pipeline);
    // The longest that Lambda lets a function run.
    let time = Time { now_ms, deadline: Instant::now() + Duration::from_secs(900), has_all: None };
    let mut outcomes = RecordOutcomes::default();
    for (at, record) in batch.records.iter().enumerate() {
        outcomes.run(&RecordRun { at, record, rules: &rules, time: &time }, runner);
        if outcomes.returned.is_some() {
            break;
        }
    }
    let mut of_routes: Vec<Vec<String>> = vec![Vec::new(); pipeline.routes.len()];
    for document in outcomes.documents.drain(..) {
        of_routes[usize::from(document.route)].push(base64_simd::STANDARD.encode_to_string(&document.bytes));
    }
    let entries = of_routes.into_iter().flatten().collect();
    let mut report = runner.take_report();
    report.merge(outcomes.report);
    outcomes.notes.iter().for_each(|(_, notes)| report.input.merge(*notes));
    Ok(Prepared { entries, dead_letters: outcomes.dead_letters.len(), report })
}
