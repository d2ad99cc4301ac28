//! The event that a batch of records becomes: exactly the JSON that AWS sends.

use super::stream::{Record, Stream};
use serde::Serialize;
use serde_json::value::RawValue;

/// Bytes of one event: the payload limit of an asynchronous mapping, 6 MB, base64 and all.
pub const EVENT_BYTES_MAX: usize = 6 << 20;

/// Bytes of `{"Records":[]}`.
pub(super) const FRAME_BYTES: usize = 14;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord<'a> {
    kinesis: Kinesis<'a>,
    event_source: &'a str,
    event_version: &'a str,
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: &'a str,
    invoke_identity_arn: &'a str,
    aws_region: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis<'a> {
    kinesis_schema_version: &'a str,
    partition_key: &'a str,
    sequence_number: &'a str,
    data: String,
    /// Seconds, with three places.
    approximate_arrival_timestamp: Box<RawValue>,
}

/// The event of a batch from one shard of `stream`.
pub fn event(stream: &Stream, shard: usize, records: &[Record]) -> Vec<u8> {
    let records: Vec<String> = records.iter().map(|record| event_record(stream, shard, record)).collect();
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

/// One member of `Records`.
fn event_record(stream: &Stream, shard: usize, record: &Record) -> String {
    let seconds = format!("{}.{:03}", record.arrived_at_ms / 1000, record.arrived_at_ms % 1000);
    let record = EventRecord {
        kinesis: Kinesis {
            kinesis_schema_version: "1.0",
            partition_key: &record.partition_key,
            sequence_number: &record.sequence_number,
            data: base64_simd::STANDARD.encode_to_string(&record.data),
            approximate_arrival_timestamp: RawValue::from_string(seconds).expect("digits and a dot are a JSON number"),
        },
        event_source: "aws:kinesis",
        event_version: "1.0",
        event_id: format!("{}:{}", Stream::shard_id(shard), record.sequence_number),
        event_name: "aws:kinesis:record",
        invoke_identity_arn: "arn:aws:iam::123456789012:role/lambda-role",
        aws_region: "us-east-1",
        event_source_arn: &stream.arn(),
    };
    serde_json::to_string(&record).expect("strings and one number are JSON")
}

/// What a record takes in an event, its comma included.
pub(super) fn record_bytes(stream: &Stream, shard: usize, record: &Record) -> usize {
    let empty = Record {
        partition_key: record.partition_key.clone(),
        sequence_number: record.sequence_number.clone(),
        data: Vec::new(),
        arrived_at_ms: record.arrived_at_ms,
    };
    event_record(stream, shard, &empty).len() + record.data.len().div_ceil(3) * 4 + 1
}
