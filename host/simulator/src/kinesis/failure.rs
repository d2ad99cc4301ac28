//! What the on-failure destination is given when the mapping gives up on records, in the form that S3 destinations get.

use super::event::event;
use super::stream::Stream;
use crate::time::iso8601;
use serde_json::{Value, json};
use std::ops::Range;

/// Why the mapping gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `RetryAttemptsExhausted`.
    RetryAttemptsExhausted,
    /// `RecordAgeExceeded`.
    RecordAgeExceeded,
    /// A single record that no event can hold. That AWS sends it here is not confirmed, nor is the name.
    PayloadTooLarge,
}

/// Records that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// Their shard.
    pub shard: usize,
    /// Their positions in it.
    pub records: Range<usize>,
    /// Why.
    pub condition: Condition,
    /// What the destination gets: metadata, and the event as text in `payload`.
    pub json: Value,
}

/// What [`FailureRecord::new`] needs to know besides the records.
pub(super) struct Story {
    pub(super) condition: Condition,
    pub(super) invocations: u32,
    /// Whether the last invocation was a function error, not an answer that named failures.
    pub(super) function_error: bool,
    pub(super) now_ms: u64,
}

impl FailureRecord {
    /// Tells the story of `range`, which is not empty.
    pub(super) fn new(stream: &Stream, shard: usize, range: Range<usize>, story: &Story) -> FailureRecord {
        let records = stream.records(shard, range.clone());
        let (first, last) = (&records[0], &records[records.len() - 1]);
        let mut json = json!({
            "requestContext": {
                "requestId": format!("00000000-0000-4000-8000-{:012x}", range.start),
                "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:paddlewheel",
                "condition": story.condition.name(),
                "approximateInvokeCount": story.invocations,
            },
            "version": "1.0",
            "timestamp": iso8601(story.now_ms),
            "KinesisBatchInfo": {
                "shardId": Stream::shard_id(shard),
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": iso8601(first.arrived_at_ms),
                "approximateArrivalOfLastRecord": iso8601(last.arrived_at_ms),
                "batchSize": records.len(),
                "streamArn": stream.arn(),
            },
            "payload": String::from_utf8_lossy(&event(stream, shard, records)),
        });
        if story.invocations > 0 {
            let function_error = if story.function_error { json!("Unhandled") } else { Value::Null };
            json["responseContext"] =
                json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": function_error});
        }
        FailureRecord { shard, records: range, condition: story.condition, json }
    }
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Condition::RecordAgeExceeded => "RecordAgeExceeded",
            Condition::PayloadTooLarge => "PayloadTooLarge",
        }
    }
}
