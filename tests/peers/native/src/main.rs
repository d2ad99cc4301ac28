//! Plain handlers of the job in native Rust, one for each JSON library: what `make bench` compares with. See
//! ../../README.md.

#[path = "../../harness.rs"]
mod harness;
#[allow(dead_code)]
mod doc;

use harness::{Entry, Event, Handler, decode, entry};

#[cfg(feature = "mi")]
#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIELDS: [&str; 2] = ["email", "ssn"];

mod serde {
    use super::*;
    use serde_json::Value;

    pub fn redact(doc: &mut Value) -> bool {
        if doc["level"] == "DEBUG" {
            return false;
        }
        mask(doc);
        doc["processed_by"] = "x".into();
        true
    }

    fn mask(doc: &mut Value) -> bool {
        for field in FIELDS {
            if let Some(v @ Value::String(_)) = doc.get_mut(field) {
                *v = "***".into();
            }
        }
        true
    }

    pub fn handle(body: Vec<u8>, steps: &[Box<dyn Fn(&mut Value) -> bool>]) -> Vec<Entry> {
        let event: Event = serde_json::from_slice(&body).expect("event");
        let mut out = Vec::with_capacity(event.records.len());
        for record in &event.records {
            let mut doc: Value = serde_json::from_slice(&decode(&record.kinesis.data)).expect("document");
            if steps.iter().all(|step| step(&mut doc)) {
                out.push(entry(&serde_json::to_vec(&doc).expect("text")));
            }
        }
        out
    }

    pub fn steps(pipeline: bool) -> Vec<Box<dyn Fn(&mut Value) -> bool>> {
        if !pipeline {
            return vec![Box::new(redact)];
        }
        vec![
            Box::new(|doc| doc["level"] != "DEBUG"),
            Box::new(mask),
            Box::new(|doc| {
                doc["processed_by"] = "x".into();
                if let Some(Value::Object(http)) = doc.get_mut("http")
                    && let Some(v) = http.shift_remove("latency_ms")
                {
                    http.insert("latency".into(), v);
                }
                true
            }),
        ]
    }
}

mod sonic {
    use super::*;
    use sonic_rs::{JsonContainerTrait, JsonValueMutTrait, JsonValueTrait, Value};

    pub fn handle(body: Vec<u8>, pipeline: bool) -> Vec<Entry> {
        let event: Event = sonic_rs::from_slice(&body).expect("event");
        let mut out = Vec::with_capacity(event.records.len());
        for record in &event.records {
            let mut doc: Value = sonic_rs::from_slice(&decode(&record.kinesis.data)).expect("document");
            if doc.get("level").as_str() == Some("DEBUG") {
                continue;
            }
            let root = doc.as_object_mut().expect("object");
            for field in FIELDS {
                if let Some(v) = root.get_mut(&field)
                    && v.is_str()
                {
                    *v = Value::from_static_str("***");
                }
            }
            root.insert("processed_by", Value::from_static_str("x"));
            if pipeline
                && let Some(http) = root.get_mut(&"http").and_then(|h| h.as_object_mut())
                && let Some(v) = http.remove(&"latency_ms")
            {
                http.insert("latency", v);
            }
            debug_assert!(doc.is_object() && doc.as_object().is_some());
            out.push(entry(&sonic_rs::to_vec(&doc).expect("text")));
        }
        out
    }
}

mod simd {
    use super::*;
    use simd_json::{Buffers, prelude::*};

    pub fn handle(mut body: Vec<u8>, pipeline: bool, buffers: &mut Buffers) -> Vec<Entry> {
        let event: Event = simd_json::serde::from_slice_with_buffers(&mut body, buffers).expect("event");
        let mut out = Vec::with_capacity(event.records.len());
        for record in &event.records {
            let mut raw = decode(&record.kinesis.data);
            let mut doc = simd_json::to_borrowed_value_with_buffers(&mut raw, buffers).expect("document");
            if doc.get_str("level") == Some("DEBUG") {
                continue;
            }
            let root = doc.as_object_mut().expect("object");
            for field in FIELDS {
                if let Some(v) = root.get_mut(field)
                    && v.is_str()
                {
                    *v = "***".into();
                }
            }
            root.insert("processed_by".into(), "x".into());
            if pipeline
                && let Some(http) = root.get_mut("http").and_then(|h| h.as_object_mut())
                && let Some(v) = http.remove("latency_ms")
            {
                http.insert("latency".into(), v);
            }
            let mut text = Vec::with_capacity(raw_len(&record.kinesis.data));
            doc.write(&mut text).expect("text");
            out.push(entry(&text));
        }
        out
    }

    fn raw_len(b64: &str) -> usize {
        b64.len() / 4 * 3 + 64
    }
}

/// Borrowed envelope, SIMD base64, and a document that keeps untouched spans as text (the project's own prototype).
mod lazy {
    use super::*;
    use crate::doc::Doc;
    use ::serde::Deserialize;
    use base64_simd::STANDARD;

    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(rename = "Records", borrow)]
        records: Vec<Record<'a>>,
    }
    #[derive(Deserialize)]
    struct Record<'a> {
        #[serde(borrow)]
        kinesis: Kinesis<'a>,
    }
    #[allow(dead_code)]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kinesis<'a> {
        partition_key: &'a str,
        sequence_number: &'a str,
        data: &'a str,
        approximate_arrival_timestamp: f64,
    }

    pub fn handle(body: Vec<u8>, pipeline: bool) -> Vec<Entry> {
        let event: Event = serde_json::from_slice(&body).expect("event");
        let mut out = Vec::with_capacity(event.records.len());
        let mut text = Vec::with_capacity(4096);
        for record in &event.records {
            let mut doc = Doc::new(STANDARD.decode_to_vec(record.kinesis.data).expect("base64")).expect("document");
            if doc.raw("level") == Some(b"\"DEBUG\"") {
                continue;
            }
            for field in FIELDS {
                if doc.raw(field).is_some_and(|v| v[0] == b'"') {
                    doc.set(field, b"\"***\"".to_vec());
                }
            }
            doc.set("processed_by", b"\"x\"".to_vec());
            if pipeline && let Some(v) = doc.raw("http.latency_ms").map(<[u8]>::to_vec) {
                // The prototype cannot add nested keys: only the time of remove and set is right here.
                doc.remove("http.latency_ms");
                doc.set("http.latency", v);
            }
            text.clear();
            doc.write(&mut text);
            out.push(Entry { data: STANDARD.encode_to_string(&text) });
        }
        out
    }

    /// No document work at all: envelope, base64 in, base64 out.
    pub fn floor(body: Vec<u8>) -> Vec<Entry> {
        let event: Event = serde_json::from_slice(&body).expect("event");
        event
            .records
            .iter()
            .map(|r| Entry { data: STANDARD.encode_to_string(STANDARD.decode_to_vec(r.kinesis.data).expect("base64")) })
            .collect()
    }
}

/// As `serde`, without the documents: the owned envelope and plain base64.
fn floor(body: Vec<u8>) -> Vec<Entry> {
    let event: Event = serde_json::from_slice(&body).expect("event");
    event.records.iter().map(|r| entry(&decode(&r.kinesis.data))).collect()
}

fn main() {
    harness::main(|mode, pipeline| -> Handler {
        match mode {
            "serde" => {
                let steps = serde::steps(pipeline);
                Box::new(move |body| serde::handle(body, &steps))
            }
            "sonic" => Box::new(move |body| sonic::handle(body, pipeline)),
            "simd" => {
                let mut buffers = simd_json::Buffers::default();
                Box::new(move |body| simd::handle(body, pipeline, &mut buffers))
            }
            "lazy" => Box::new(move |body| lazy::handle(body, pipeline)),
            "floor" => Box::new(floor),
            "floor-borrowed" => Box::new(lazy::floor),
            other => panic!("mode {other}"),
        }
    });
}
