//! The same jobs in plain Rust, as people write them with `serde_json`: what every ratio is against.

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
