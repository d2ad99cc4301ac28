//! The other direction: makes aggregates, gzip streams and CloudWatch Logs envelopes, for tests, demos and generated
//! input. Not on the data path.

use crate::kpl::MAGIC;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use serde_json::json;
use std::io::Write;

/// A KPL aggregate of `records`, each a partition key and its data, in order; a key used twice stands in the table
/// once.
pub fn aggregate<'a>(records: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut keys: Vec<&str> = Vec::new();
    let (mut table, mut body) = (Vec::new(), Vec::new());
    for (key, data) in records {
        let index = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            keys.push(key);
            delimited(1, key.as_bytes(), &mut table);
            keys.len() - 1
        });
        let mut record = vec![1 << 3];
        varint(index as u64, &mut record);
        delimited(3, data, &mut record);
        delimited(3, &record, &mut body);
    }
    table.extend(body);
    framed(&table)
}

/// `message` between KPL's magic and its MD5, whatever is in it: how tests make an aggregate that is wrong inside.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&MAGIC[..], message, &Md5::digest(message)[..]].concat()
}

/// One gzip member.
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("writing to a Vec cannot fail")
}

/// A log event for [`cloudwatch_logs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent<'a> {
    /// Its id: decimal digits, unique in its stream.
    pub id: &'a str,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// What was logged.
    pub message: &'a str,
}

/// The envelope of a subscription (account 123456789012), as JSON that is not yet compressed.
pub fn cloudwatch_logs(log_group: &str, log_stream: &str, events: &[LogEvent]) -> Vec<u8> {
    let event = |event: &LogEvent| json!({"id": event.id, "timestamp": event.timestamp, "message": event.message});
    envelope("DATA_MESSAGE", "123456789012", log_group, log_stream, events.iter().map(event).collect())
}

/// The probe that CloudWatch Logs sends to see whether it reaches the stream.
pub fn cloudwatch_control() -> Vec<u8> {
    let message = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.";
    let event = json!({"id": "", "timestamp": 1_510_254_469_274_i64, "message": message});
    envelope("CONTROL_MESSAGE", "CloudwatchLogs", "", "", vec![event])
}

/// Written by hand, because CloudWatch puts the members in this order.
fn envelope(kind: &str, owner: &str, log_group: &str, log_stream: &str, events: Vec<serde_json::Value>) -> Vec<u8> {
    let (owner, log_group, log_stream) = (json!(owner), json!(log_group), json!(log_stream));
    let events = serde_json::Value::Array(events);
    format!(
        r#"{{"messageType":"{kind}","owner":{owner},"logGroup":{log_group},"logStream":{log_stream},"subscriptionFilters":["all"],"logEvents":{events}}}"#
    )
    .into_bytes()
}

fn delimited(number: u8, data: &[u8], output: &mut Vec<u8>) {
    output.push(number << 3 | 2);
    varint(data.len() as u64, output);
    output.extend_from_slice(data);
}

fn varint(mut value: u64, output: &mut Vec<u8>) {
    while value >= 0x80 {
        output.push(value as u8 | 0x80);
        value >>= 7;
    }
    output.push(value as u8);
}
