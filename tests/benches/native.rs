//! The same jobs in plain Rust, as people write them with `serde_json`: what every ratio is against.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const FIELDS: [&str; 2] = ["email", "ssn"];

/// Drop DEBUG, mask two fields, add one: bytes in, bytes out.
pub fn transform(data: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(data) else { return None };
    if document.get("level").and_then(Value::as_str) == Some("DEBUG") {
        return None;
    }
    for field in FIELDS {
        if let Some(value) = document.get_mut(field) {
            *value = "***".into();
        }
    }
    document.insert("processed_by".into(), "x".into());
    serde_json::to_vec(&document).ok()
}

/// Three steps that know nothing of each other: each parses and prints.
pub fn three_steps(data: &[u8]) -> Option<Vec<u8>> {
    add(&mask(&drop_debug(data)?)?)
}

fn drop_debug(data: &[u8]) -> Option<Vec<u8>> {
    let document: Value = serde_json::from_slice(data).ok()?;
    (document["level"] != "DEBUG").then(|| serde_json::to_vec(&document).ok())?
}

fn mask(data: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(data).ok()?;
    for field in FIELDS {
        if let Some(value) = document.get_mut(field) {
            *value = "***".into();
        }
    }
    serde_json::to_vec(&document).ok()
}

fn add(data: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(data).ok()?;
    document["processed_by"] = "x".into();
    if let Some(Value::Object(http)) = document.get_mut("http")
        && let Some(value) = http.shift_remove("latency_ms")
    {
        http.insert("latency".into(), value);
    }
    serde_json::to_vec(&document).ok()
}

/// The whole job of `peers.md` as its plain handler does it: event text in, entries of a PutRecordBatch request out.
pub fn job(body: &[u8]) -> Vec<String> {
    let event: Event = serde_json::from_slice(body).expect("an event");
    let mut entries = Vec::with_capacity(event.records.len());
    for record in &event.records {
        let data = STANDARD.decode(&record.kinesis.data).expect("base64");
        let mut document: Value = serde_json::from_slice(&data).expect("a document");
        if document["level"] == "DEBUG" {
            continue;
        }
        for field in FIELDS {
            if let Some(value @ Value::String(_)) = document.get_mut(field) {
                *value = "***".into();
            }
        }
        document["processed_by"] = "x".into();
        entries.push(STANDARD.encode(serde_json::to_vec(&document).expect("text")));
    }
    entries
}

/// The event as `peers/native` reads it: every field, owned.
#[derive(serde::Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[expect(dead_code, reason = "read because the plain handler reads them")]
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    kinesis: Kinesis,
    event_source: String,
    event_version: String,
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: String,
    invoke_identity_arn: String,
    aws_region: String,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: String,
}

#[expect(dead_code, reason = "read because the plain handler reads them")]
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    kinesis_schema_version: String,
    partition_key: String,
    sequence_number: String,
    data: String,
    approximate_arrival_timestamp: f64,
}
