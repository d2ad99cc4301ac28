//! The event source mappings: what becomes of a batch that fails, and what never arrives.

use super::facts::{Facts, Mapping};
use super::{Finding, Findings};
use crate::text;
use lambda::Settings;
use pipeline::Pipeline;
use std::time::Duration;

/// What must be among the response types for a partial answer to be one.
const PARTIAL: &str = "ReportBatchItemFailures";

/// Retries that a short outage of Firehose uses up.
const RETRIES_MIN: i64 = 10;

/// In seconds: shorter than an outage that a person repairs.
const AGE_MIN: i64 = 3_600;

pub(super) fn check(facts: &Facts, settings: Option<&Settings>, pipeline: Option<&Pipeline>, all: &mut Vec<Finding>) {
    if !facts.mappings.iter().any(Mapping::is_kinesis) {
        let mut found = Findings { about: "function".to_owned(), all };
        found.blocks(
            "no event source mapping of a Kinesis stream invokes it",
            "make one, as the template of paddle package does",
        );
    }
    for mapping in &facts.mappings {
        let mut found = Findings { about: format!("mapping of {}", mapping.stream()), all };
        if !mapping.is_kinesis() {
            let arn = &mapping.event_source_arn;
            found.blocks(format!("{arn} is not a Kinesis stream: its events cannot be read"), "remove it");
            continue;
        }
        flow(mapping, &mut found);
        answers(mapping, settings, &mut found);
        giving_up(mapping, &mut found);
        filters(mapping, pipeline, &mut found);
    }
}

fn flow(mapping: &Mapping, found: &mut Findings<'_>) {
    if !matches!(mapping.state.as_str(), "Enabled" | "Enabling" | "Creating" | "Updating") {
        let (state, reason) = (&mapping.state, &mapping.state_transition_reason);
        found.blocks(format!("its state is {state} ({reason})"), "enable it");
    }
    if mapping.last_processing_result.starts_with("PROBLEM") {
        found.blocks(format!("it says {}", mapping.last_processing_result), "correct that");
    }
    if let Some(seconds) = mapping.tumbling_window_in_seconds.filter(|seconds| *seconds > 0) {
        found.blocks(
            format!("it has a tumbling window of {seconds} s, and every batch of a window is refused"),
            "set TumblingWindowInSeconds to 0",
        );
    }
    if mapping.starting_position == "LATEST" {
        found.look(
            "it started at LATEST: what was in the stream before is skipped, also when it is made anew",
            "make it with StartingPosition TRIM_HORIZON",
        );
    }
    if let Some(factor) = mapping.parallelization_factor.filter(|factor| *factor > 1) {
        found.look(
            format!("ParallelizationFactor is {factor}: order is kept within a partition key only, which aggregates do not have"),
            "set it to 1 where order matters",
        );
    }
}

/// Whether both sides mean the same by a partial answer.
fn answers(mapping: &Mapping, settings: Option<&Settings>, found: &mut Findings<'_>) {
    let partial = mapping.function_response_types.iter().flatten().any(|kind| kind == PARTIAL);
    let reported = settings.is_none_or(|settings| settings.partial_failures);
    match (partial, reported) {
        (true, true) => {}
        (false, true) => found.loses(
            format!("it lacks {PARTIAL}, and the function answers partially: AWS takes that for success"),
            format!("set FunctionResponseTypes to [{PARTIAL}]"),
        ),
        (true, false) => found.blocks(
            "PADDLE_PARTIAL_FAILURES is not set: every batch that is not done whole fails and repeats from its start",
            "set PADDLE_PARTIAL_FAILURES=reported",
        ),
        (false, false) => found.blocks(
            format!("it lacks {PARTIAL}: a batch that is not done whole fails and repeats from its start"),
            format!("set FunctionResponseTypes to [{PARTIAL}], then PADDLE_PARTIAL_FAILURES=reported"),
        ),
    }
}

/// How long a batch is tried, and where it goes then.
fn giving_up(mapping: &Mapping, found: &mut Findings<'_>) {
    let retries = mapping.maximum_retry_attempts.unwrap_or(-1);
    let age = mapping.maximum_record_age_in_seconds.unwrap_or(-1);
    match (retries, age) {
        (-1, -1) => found.blocks(
            "it retries for ever: one batch that always fails blocks its shard until it expires",
            "set MaximumRetryAttempts to 100 and MaximumRecordAgeInSeconds to 86400",
        ),
        (-1, age) => found.look(
            format!("a batch that always fails blocks its shard for {}", seconds(age)),
            "set MaximumRetryAttempts to 100",
        ),
        (0..RETRIES_MIN, _) => found.loses(
            format!("it gives up after {retries} retries: a short outage of Firehose uses those up"),
            "set MaximumRetryAttempts to 100",
        ),
        _ => {}
    }
    if (0..AGE_MIN).contains(&age) {
        found.loses(
            format!("it gives up records that are older than {}: an outage outlasts that", seconds(age)),
            "set MaximumRecordAgeInSeconds to 86400",
        );
    }
    match mapping.on_failure() {
        None => found.loses(
            "it has no on-failure destination: records that it gives up are gone",
            "set DestinationConfig.OnFailure to a bucket",
        ),
        Some(arn) if arn.split(':').nth(2) == Some("s3") => {}
        Some(arn) => found.look(
            format!("{arn} is notified of what it gives up, without the records: fetch them before they expire"),
            "use a bucket, which keeps the records themselves",
        ),
    }
    if mapping.bisect_batch_on_function_error != Some(true) {
        found.look(
            "BisectBatchOnFunctionError is off: a record that breaks the function takes its whole batch along",
            "set it to true",
        );
    }
}

fn filters(mapping: &Mapping, pipeline: Option<&Pipeline>, found: &mut Findings<'_>) {
    let filters = mapping.filter_criteria.iter().flat_map(|criteria| &criteria.filters);
    let of_data = filters.filter(|filter| filter.pattern.contains("\"data\"")).count();
    let unpacks = pipeline.is_none_or(|pipeline| !pipeline.input.unpack.is_empty());
    if of_data > 0 && unpacks {
        found.loses(
            "it filters by `data`: AWS drops what is not JSON there, such as gzip and aggregated records",
            "remove the filter, and drop events in a step (the ready-made filter)",
        );
    } else if of_data > 0 {
        found.look("it filters by `data`: AWS drops what is not JSON there", "drop events in a step instead");
    }
}

fn seconds(seconds: i64) -> String {
    text::time(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}
