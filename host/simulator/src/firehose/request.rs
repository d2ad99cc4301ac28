//! Requests as the service reads them: AWS JSON 1.1, and every limit of `PutRecordBatch` with the service's own
//! messages.

use hyper::body::Bytes;
use hyper::http::HeaderMap;
use serde::Deserialize;

/// Records of one `PutRecordBatch` request.
pub const RECORDS_MAX: usize = 500;
/// Bytes of one record before base64: 1,000 KiB.
pub const RECORD_BYTES_MAX: usize = 1_024_000;
/// Bytes of one request: 4 MiB. AWS does not say whether raw or encoded; a request must be within it under either
/// reading.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
/// What an entry takes in a request besides its data: `{"Data":""},`.
pub const ENTRY_OVERHEAD_BYTES: usize = 12;
/// Characters of a delivery stream's name.
const NAME_CHARACTERS_MAX: usize = 64;
/// How many faults the service names in one validation error.
const FAULTS_NAMED_MAX: usize = 10;

const TARGET_PREFIX: &str = "Firehose_20150804.";

/// An error of a whole request, as the service answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The exception's name: `__type` and `x-amzn-errortype`.
    pub kind: String,
    /// What it says.
    pub message: String,
}

impl ServiceError {
    /// 503 `ServiceUnavailableException`.
    pub fn unavailable() -> ServiceError {
        ServiceError::new(503, "ServiceUnavailableException", "Service is unavailable. Slow down.")
    }

    /// 500 `InternalFailure`.
    pub fn internal() -> ServiceError {
        ServiceError::new(500, "InternalFailure", "The request processing has failed because of an internal error.")
    }

    pub(crate) fn new(status: u16, kind: &str, message: impl Into<String>) -> ServiceError {
        ServiceError { status, kind: kind.to_owned(), message: message.into() }
    }

    pub(crate) fn not_found(stream: &str) -> ServiceError {
        let message = format!("Firehose {stream} under account 123456789012 not found.");
        ServiceError::new(400, "ResourceNotFoundException", message)
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Operation {
    PutRecord { stream: String, record: Vec<u8> },
    PutRecordBatch { stream: String, records: Vec<Vec<u8>> },
    Describe { stream: String },
}

impl Operation {
    /// Reads a request and checks every limit that needs no knowledge of streams.
    pub(crate) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Operation, ServiceError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let unknown = || ServiceError::new(400, "UnknownOperationException", "");
        if header("content-type") != "application/x-amz-json-1.1" {
            return Err(unknown());
        }
        match header("x-amz-target").strip_prefix(TARGET_PREFIX) {
            Some("PutRecordBatch") => put_record_batch(body),
            Some("PutRecord") => put_record(body),
            Some("DescribeDeliveryStream") => {
                let described: Describe = read(body)?;
                let mut faults = Vec::new();
                let stream = name(described.delivery_stream_name, &mut faults);
                refuse(faults)?;
                Ok(Operation::Describe { stream })
            }
            _ => Err(unknown()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    delivery_stream_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord {
    delivery_stream_name: Option<String>,
    record: Option<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordBatch {
    delivery_stream_name: Option<String>,
    records: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    data: Option<String>,
}

fn put_record(body: &[u8]) -> Result<Operation, ServiceError> {
    let put: PutRecord = read(body)?;
    let mut faults = Vec::new();
    let stream = name(put.delivery_stream_name, &mut faults);
    let mut record = Vec::new();
    match put.record {
        None => faults.push(null("record")),
        Some(entry) => record = data(entry, "record.data", &mut faults)?,
    }
    refuse(faults)?;
    Ok(Operation::PutRecord { stream, record })
}

fn put_record_batch(body: &[u8]) -> Result<Operation, ServiceError> {
    let put: PutRecordBatch = read(body)?;
    let mut faults = Vec::new();
    let stream = name(put.delivery_stream_name, &mut faults);
    match put.records.as_ref().map(Vec::len) {
        None => faults.push(null("records")),
        Some(0) => faults.push(constraint("records", "Member must have length greater than or equal to 1")),
        Some(1..=RECORDS_MAX) => {}
        Some(_) => faults.push(constraint("records", "Member must have length less than or equal to 500")),
    }
    let mut records = Vec::new();
    for (index, entry) in put.records.unwrap_or_default().into_iter().enumerate() {
        records.push(data(entry, &format!("records.{}.member.data", index + 1), &mut faults)?);
    }
    refuse(faults)?;
    within_request_size(&records)?;
    Ok(Operation::PutRecordBatch { stream, records })
}

fn within_request_size(records: &[Vec<u8>]) -> Result<(), ServiceError> {
    let raw: usize = records.iter().map(Vec::len).sum();
    let encoded: usize = records.iter().map(|record| record.len().div_ceil(3) * 4 + ENTRY_OVERHEAD_BYTES).sum();
    if raw.max(encoded) > REQUEST_BYTES_MAX {
        return Err(ServiceError::new(400, "InvalidArgumentException", "Records size exceeds 4 MB limit"));
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ServiceError> {
    serde_json::from_slice(body).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

/// The stream's name, checked against `[a-zA-Z0-9_.-]{1,64}`.
fn name(name: Option<String>, faults: &mut Vec<String>) -> String {
    let Some(name) = name else {
        faults.push(null("deliveryStreamName"));
        return String::new();
    };
    if name.is_empty() {
        faults.push(constraint("deliveryStreamName", "Member must have length greater than or equal to 1"));
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        faults.push(constraint("deliveryStreamName", "Member must have length less than or equal to 64"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        let pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
        faults.push(constraint("deliveryStreamName", pattern));
    }
    name
}

/// The bytes of one entry. Bad base64 ends the reading, as any other malformed request does.
fn data(entry: Entry, at: &str, faults: &mut Vec<String>) -> Result<Vec<u8>, ServiceError> {
    let Some(encoded) = entry.data else {
        faults.push(null(at));
        return Ok(Vec::new());
    };
    let Ok(data) = base64_simd::STANDARD.decode_to_vec(&encoded) else {
        let message = format!("{at} is not valid base64");
        return Err(ServiceError::new(400, "SerializationException", message));
    };
    if data.len() > RECORD_BYTES_MAX {
        let length = data.len();
        faults.push(format!(
            "Value 'java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]' at '{at}' failed to satisfy constraint: \
             Member must have length less than or equal to 1024000"
        ));
    }
    Ok(data)
}

fn refuse(faults: Vec<String>) -> Result<(), ServiceError> {
    if faults.is_empty() {
        return Ok(());
    }
    let (count, plural) = (faults.len(), if faults.len() == 1 { "" } else { "s" });
    let named = faults[..count.min(FAULTS_NAMED_MAX)].join("; ");
    let message = format!("{count} validation error{plural} detected: {named}");
    Err(ServiceError::new(400, "ValidationException", message))
}

fn constraint(at: &str, what: &str) -> String {
    format!("Value at '{at}' failed to satisfy constraint: {what}")
}

fn null(at: &str) -> String {
    format!("Value null at '{at}' failed to satisfy constraint: Member must not be null")
}
