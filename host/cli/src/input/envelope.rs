//! Records inside what AWS prints: a Lambda's Kinesis event, and the answer of `GetRecords`.

use super::{Data, Record};
use crate::time;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
    #[serde(rename = "MillisBehindLatest")]
    behind_ms: Option<serde::de::IgnoredAny>,
}

/// A record of a Lambda's event.
#[derive(Deserialize)]
struct Invoked {
    kinesis: Kinesis,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    #[serde(rename = "eventSourceARN")]
    source_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    #[serde(default)]
    partition_key: String,
    sequence_number: String,
    data: String,
    approximate_arrival_timestamp: Option<f64>,
}

/// A record of `GetRecords`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    sequence_number: String,
    data: String,
    #[serde(default)]
    partition_key: String,
    approximate_arrival_timestamp: Option<serde_json::Value>,
}

/// The records of an envelope; none when the value is another one, which is then a record itself. An error is a record
/// that is not like the first.
pub(super) fn records(json: &str) -> Option<anyhow::Result<Vec<Record>>> {
    let envelope: Envelope = serde_json::from_str(json).ok()?;
    let Some(first) = envelope.records.first() else {
        return envelope.behind_ms.is_some().then(|| Ok(Vec::new()));
    };
    if serde_json::from_str::<Invoked>(first.get()).is_ok() {
        return Some(each(&envelope.records, invoked));
    }
    if serde_json::from_str::<Got>(first.get()).is_ok() {
        return Some(each(&envelope.records, got));
    }
    None
}

fn each<'a, T: Deserialize<'a>>(records: &[&'a RawValue], convert: fn(T) -> Record) -> anyhow::Result<Vec<Record>> {
    let one = |(at, record): (usize, &&'a RawValue)| match serde_json::from_str(record.get()) {
        Ok(record) => Ok(convert(record)),
        Err(error) => Err(anyhow::anyhow!("record {} of the event cannot be read: {error}", at + 1)),
    };
    records.iter().enumerate().map(one).collect()
}

fn invoked(record: Invoked) -> Record {
    let Invoked { kinesis, event_id, source_arn } = record;
    Record {
        data: decoded(&kinesis.data),
        id: event_id.unwrap_or_else(|| format!("shardId-000000000000:{}", kinesis.sequence_number)),
        partition_key: kinesis.partition_key,
        stream: source_arn.and_then(|arn| arn.rsplit_once("stream/").map(|(_, name)| name.to_owned())),
        arrived_at_ms: kinesis.approximate_arrival_timestamp.and_then(from_seconds),
        place: String::new(),
    }
}

fn got(record: Got) -> Record {
    // Version 2 of the command prints a date, version 1 and the service a number of seconds.
    let arrived_at_ms = match record.approximate_arrival_timestamp {
        Some(serde_json::Value::Number(seconds)) => seconds.as_f64().and_then(from_seconds),
        Some(serde_json::Value::String(date)) => time::parse(&date),
        _ => None,
    };
    Record {
        data: decoded(&record.data),
        id: format!("shardId-000000000000:{}", record.sequence_number),
        partition_key: record.partition_key,
        stream: None,
        arrived_at_ms,
        place: String::new(),
    }
}

fn from_seconds(seconds: f64) -> Option<u64> {
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1e3).round() as u64)
}

fn decoded(text: &str) -> Data {
    match base64_simd::STANDARD.decode_to_vec(text) {
        Ok(bytes) => Data::Bytes(bytes.into()),
        Err(_) => Data::Undecodable(Bytes::copy_from_slice(text.as_bytes()), "the data is not base64".to_owned()),
    }
}
