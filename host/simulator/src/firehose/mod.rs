//! A strict Firehose over HTTP: AWS JSON 1.1 on a free port of 127.0.0.1, to be reached by `AWS_ENDPOINT_URL_FIREHOSE`.
//!
//! It keeps every limit of Direct PUT and answers as the service does, goes wrong on request, remembers what it
//! accepted and from which request, judges records as documents, and hands them to a destination before it answers.
//! Signatures are not checked.

pub mod fault;
mod judge;
mod request;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub use fault::{EntryError, Fault, Faults, Request};
pub use judge::judge;
pub use request::{ENTRY_OVERHEAD_BYTES, RECORD_BYTES_MAX, RECORDS_MAX, REQUEST_BYTES_MAX, ServiceError};

use crate::server::{Answer, Body, NoAnswer, Server, whole};
use destination::{Destination, Summary};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use request::Operation;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Accepted records kept for questions by default; those after them are counted, judged and delivered all the same.
pub const RECORDS_KEPT_MAX: usize = 1_000_000;
/// Requests, violations and delivery errors kept, of each; the rest is counted. For tests and a day at a desk.
const ENTRIES_KEPT_MAX: usize = 100_000;

/// How a Firehose is to behave.
pub struct Options {
    /// The delivery streams that exist.
    pub streams: Vec<String>,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Whether every accepted record must be a document: see [`judge`](judge()).
    pub judge: bool,
    /// Where accepted records go besides memory.
    pub destination: Destination,
    /// How many accepted records are kept in memory for [`Firehose::accepted`].
    pub records_kept_max: usize,
}

impl Options {
    /// These streams, a judge, memory, and no faults.
    pub fn new<S: Into<String>>(streams: impl IntoIterator<Item = S>) -> Options {
        Options {
            streams: streams.into_iter().map(Into::into).collect(),
            faults: fault::none(),
            judge: true,
            destination: Destination::default(),
            records_kept_max: RECORDS_KEPT_MAX,
        }
    }
}

/// A record that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The number of the request that brought it.
    pub request: u64,
    /// Its index in that request.
    pub entry: usize,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A request, as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its number; 0 for one that did not pass the limits or named no stream of ours.
    pub number: u64,
    /// The stream, where it could be read.
    pub stream: String,
    /// Records in it.
    pub records: usize,
    /// Records accepted, whether or not the answer says so.
    pub accepted: usize,
    /// The exception that was answered, such as `ValidationException`.
    pub error: Option<String>,
}

/// An accepted record that is not a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The stream.
    pub stream: String,
    /// The number of the request.
    pub request: u64,
    /// The index in that request.
    pub entry: usize,
    /// What is wrong with the record.
    pub why: String,
}

/// A running Firehose. Dropping it stops it without waiting; [`Firehose::shutdown`] ends it cleanly.
pub struct Firehose {
    server: Server,
    state: Arc<State>,
}

struct State {
    streams: Mutex<Vec<String>>,
    judge: bool,
    records_kept_max: usize,
    faults: Mutex<(u64, Faults)>,
    log: Mutex<Log>,
    /// Held while a request's records are logged and delivered, so that both have one order.
    destination: tokio::sync::Mutex<Destination>,
}

#[derive(Default)]
struct Log {
    accepted: HashMap<String, Vec<Accepted>>,
    accepted_count: u64,
    requests: Vec<Answered>,
    violations: Vec<Violation>,
    violation_count: u64,
    delivery_errors: Vec<String>,
}

impl Firehose {
    /// Starts to listen.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(options: Options) -> anyhow::Result<Firehose> {
        let state = Arc::new(State {
            streams: Mutex::new(options.streams),
            judge: options.judge,
            records_kept_max: options.records_kept_max,
            faults: Mutex::new((0, options.faults)),
            log: Mutex::default(),
            destination: tokio::sync::Mutex::new(options.destination),
        });
        let shared = state.clone();
        let server = Server::start(move |request| answer(shared.clone(), request)).await?;
        Ok(Firehose { server, state })
    }

    /// The endpoint: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Has these delivery streams too.
    pub fn create(&self, streams: impl IntoIterator<Item = String>) {
        let mut known = self.state.streams();
        for stream in streams {
            if !known.contains(&stream) {
                known.push(stream);
            }
        }
    }

    /// What `stream` accepted, in order.
    pub fn accepted(&self, stream: &str) -> Vec<Accepted> {
        self.state.log().accepted.get(stream).cloned().unwrap_or_default()
    }

    /// What `stream` accepted after its first `count` records, in order: to look again and again.
    pub fn accepted_after(&self, stream: &str, count: usize) -> Vec<Accepted> {
        let log = self.state.log();
        log.accepted.get(stream).and_then(|accepted| accepted.get(count..)).unwrap_or_default().to_vec()
    }

    /// How many records all streams accepted, kept or not.
    pub fn accepted_count(&self) -> u64 {
        self.state.log().accepted_count
    }

    /// The requests, in the order in which their answers were decided.
    pub fn requests(&self) -> Vec<Answered> {
        self.state.log().requests.clone()
    }

    /// Accepted records that are not documents, when they are judged: the first 100,000.
    pub fn violations(&self) -> Vec<Violation> {
        self.state.log().violations.clone()
    }

    /// How many accepted records are not documents.
    pub fn violation_count(&self) -> u64 {
        self.state.log().violation_count
    }

    /// Deliveries that failed as a whole, as people read it. Whoever sent the records is never told, as with AWS.
    pub fn delivery_errors(&self) -> Vec<String> {
        self.state.log().delivery_errors.clone()
    }

    /// The same but for the first `count`, to look again and again.
    pub fn delivery_errors_after(&self, count: usize) -> Vec<String> {
        self.state.log().delivery_errors.get(count..).unwrap_or_default().to_vec()
    }

    /// What the destination did so far.
    pub async fn summary(&self) -> Summary {
        self.state.destination.lock().await.summary()
    }

    /// Finishes open requests, ends, and says what the destination did.
    pub async fn shutdown(self) -> Summary {
        self.server.shutdown().await;
        self.state.destination.lock().await.summary()
    }
}

impl State {
    fn log(&self) -> MutexGuard<'_, Log> {
        // A panic elsewhere leaves the log as it was before or after an entry; both can be read.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic elsewhere leaves the list as it was before or after an entry; both can be read.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exists(&self, stream: &str) -> Result<(), ServiceError> {
        let known = self.streams().iter().any(|known| known == stream);
        if known { Ok(()) } else { Err(ServiceError::not_found(stream)) }
    }

    /// Numbers a request and asks what goes wrong with it.
    fn fault(&self, stream: &str, records: &[Vec<u8>]) -> (u64, Fault) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.0 += 1;
        let number = faults.0;
        (number, faults.1(Request { number, stream, records }))
    }

    /// Accepts the records that did not fail: judged, remembered, delivered.
    async fn accept(&self, number: u64, stream: &str, records: Vec<Vec<u8>>, failed: &[bool]) {
        let mut destination = self.destination.lock().await;
        let accepted: Vec<Accepted> = records
            .into_iter()
            .enumerate()
            .filter(|(entry, _)| !failed[*entry])
            .map(|(entry, data)| Accepted { request: number, entry, data })
            .collect();
        if let Err(error) = destination.deliver(stream, accepted.iter().map(|record| record.data.as_slice())).await {
            push(&mut self.log().delivery_errors, format!("{error:#}"));
        }
        self.remember(stream, accepted);
    }

    fn remember(&self, stream: &str, accepted: Vec<Accepted>) {
        let mut log = self.log();
        for record in accepted {
            if let (true, Err(why)) = (self.judge, judge(&record.data)) {
                log.violation_count += 1;
                let Accepted { request, entry, .. } = record;
                push(&mut log.violations, Violation { stream: stream.to_owned(), request, entry, why });
            }
            if log.accepted_count < self.records_kept_max as u64 {
                log.accepted.entry(stream.to_owned()).or_default().push(record);
            }
            log.accepted_count += 1;
        }
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < ENTRIES_KEPT_MAX {
        list.push(entry);
    }
}

async fn answer(state: Arc<State>, request: hyper::Request<Bytes>) -> Answer {
    let result = match Operation::parse(request.headers(), request.body()) {
        Ok(operation) => carry_out(&state, operation).await,
        Err(error) => {
            let refused = Answered { number: 0, stream: String::new(), records: 0, accepted: 0, error: None };
            push(&mut state.log().requests, Answered { error: Some(error.kind.clone()), ..refused });
            Reply::Error(error)
        }
    };
    match result {
        Reply::Value(value) => Ok(response(200, None, &value)),
        Reply::Error(error) => {
            let body = json!({"__type": error.kind, "message": error.message});
            Ok(response(error.status, Some(&error.kind), &body))
        }
        Reply::Dropped => Err(NoAnswer::Dropped),
        Reply::Never => Err(NoAnswer::Never),
    }
}

/// How a request ends for its client.
enum Reply {
    Value(Value),
    Error(ServiceError),
    Dropped,
    Never,
}

async fn carry_out(state: &State, operation: Operation) -> Reply {
    match operation {
        Operation::Describe { stream } => match state.exists(&stream) {
            Ok(()) => Reply::Value(description(&stream)),
            Err(error) => Reply::Error(error),
        },
        Operation::PutRecord { stream, record } => match put(state, &stream, vec![record]).await {
            Reply::Value(batch) => single(&batch),
            other => other,
        },
        Operation::PutRecordBatch { stream, records } => put(state, &stream, records).await,
    }
}

async fn put(state: &State, stream: &str, records: Vec<Vec<u8>>) -> Reply {
    let count = records.len();
    let mut line = Answered { number: 0, stream: stream.to_owned(), records: count, accepted: 0, error: None };
    let reply = match state.exists(stream) {
        Err(error) => Reply::Error(error),
        Ok(()) => {
            let (number, fault) = state.fault(stream, &records);
            let failed = failed_entries(&fault, count);
            line.number = number;
            line.accepted = failed.iter().filter(|failed| !**failed).count();
            state.accept(number, stream, records, &failed).await;
            reply(&fault, number, &failed)
        }
    };
    if let Reply::Error(error) = &reply {
        line.error = Some(error.kind.clone());
    }
    push(&mut state.log().requests, line);
    reply
}

/// For every entry, whether it is not accepted.
fn failed_entries(fault: &Fault, count: usize) -> Vec<bool> {
    (0..count)
        .map(|entry| match fault {
            Fault::FailEntries { entries, .. } | Fault::WrongCount { entries, .. } => entries.contains(&entry),
            Fault::AcceptFirst(accepted) => entry >= *accepted,
            Fault::Error(_) | Fault::DropConnection => true,
            Fault::None
            | Fault::ErrorAfterAccepting(_)
            | Fault::DropAfterAccepting
            | Fault::NoAnswer
            | Fault::ShortAnswer(_) => false,
        })
        .collect()
}

fn reply(fault: &Fault, number: u64, failed: &[bool]) -> Reply {
    let mut error = EntryError::ServiceUnavailable;
    let mut count = failed.iter().filter(|failed| **failed).count() as u64;
    let mut answered = failed.len();
    match fault {
        Fault::Error(error) | Fault::ErrorAfterAccepting(error) => return Reply::Error(error.clone()),
        Fault::DropConnection | Fault::DropAfterAccepting => return Reply::Dropped,
        Fault::NoAnswer => return Reply::Never,
        Fault::FailEntries { error: of_entries, .. } => error = *of_entries,
        Fault::WrongCount { failed_put_count, .. } => count = *failed_put_count,
        Fault::ShortAnswer(entries) => answered = answered.min(*entries),
        Fault::None | Fault::AcceptFirst(_) => {}
    }
    let entry = |(index, failed): (usize, &bool)| match (failed, error) {
        (false, _) => json!({"RecordId": format!("{number:020}{index:03}")}),
        (true, EntryError::ServiceUnavailable) => {
            json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
        }
        (true, EntryError::InternalFailure) => {
            json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."})
        }
    };
    let entries: Vec<Value> = failed.iter().enumerate().map(entry).take(answered).collect();
    Reply::Value(json!({"Encrypted": false, "FailedPutCount": count, "RequestResponses": entries}))
}

/// The answer of `PutRecord`, which has no entries: a failed one is an error of the request.
fn single(batch: &Value) -> Reply {
    match batch["RequestResponses"][0]["RecordId"].as_str() {
        Some(id) => Reply::Value(json!({"Encrypted": false, "RecordId": id})),
        None => Reply::Error(ServiceError::unavailable()),
    }
}

fn description(stream: &str) -> Value {
    json!({"DeliveryStreamDescription": {
        "DeliveryStreamName": stream,
        "DeliveryStreamARN": format!("arn:aws:firehose:us-east-1:123456789012:deliverystream/{stream}"),
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": "DirectPut",
        "VersionId": "1",
        "Destinations": [],
        "HasMoreDestinations": false,
    }})
}

fn response(status: u16, error_type: Option<&str>, body: &Value) -> Response<Body> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let text = hyper::header::HeaderValue::from_str;
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Some(Ok(kind)) = error_type.map(text) {
        headers.insert("x-amzn-errortype", kind);
    }
    whole(response)
}
