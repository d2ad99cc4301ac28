//! The Kinesis event, read leniently with types that borrow it: what is wrong with one record concerns that record.
//!
//! The only place that knows the event's shape. `aws_lambda_events` would refuse a whole batch for one bad base64, an
//! unknown `encryptionType` or a missing timestamp, before any code of ours runs.

mod envelope;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;
use envelope::{Envelope, Loose, RawRecord};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// Shard in the id of a record whose event does not say.
const SHARD_UNKNOWN: &str = "shardId-unknown";

/// The records of one event, in its order: one shard of one stream.
#[derive(Debug)]
pub struct Batch {
    /// The stream's name; empty when the event does not say.
    pub stream: String,
    /// The shard's id.
    pub shard: String,
    /// The records.
    pub records: Vec<Record>,
}

/// One record. Its texts share the event's memory.
#[derive(Clone, Debug)]
pub struct Record {
    /// `<shard>:<sequence number>`.
    pub id: ByteString,
    /// Decimal digits, about 56 of them.
    pub sequence_number: ByteString,
    /// The key it was sent with; empty when the event does not say.
    pub partition_key: ByteString,
    /// When Kinesis took it, in milliseconds since the Unix epoch; 0 when the event does not say.
    pub arrived_at_ms: u64,
    /// Its bytes, still in base64.
    pub data: Encoded,
}

/// The `data` of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// Base64, or what should be.
    Base64(ByteString),
    /// The record has no `data`, or it is no text.
    Missing,
}

impl Encoded {
    /// The record's bytes.
    ///
    /// # Errors
    /// Anything but standard base64 with its padding, told without the data.
    pub fn decode(&self) -> Result<Bytes, &'static str> {
        match self {
            Encoded::Base64(text) => match base64_simd::STANDARD.decode_to_vec(text.as_bytes()) {
                Ok(data) => Ok(data.into()),
                Err(_) => Err("the record's data is not standard base64"),
            },
            Encoded::Missing => Err("the record has no data"),
        }
    }

    /// The text as it stood in the event.
    pub fn text(&self) -> Bytes {
        match self {
            Encoded::Base64(text) => text.as_bytes().clone(),
            Encoded::Missing => Bytes::new(),
        }
    }
}

/// Why an event cannot be processed at all: a fault of the wiring, not of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError(String);

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EventError {}

fn error<T>(message: impl Into<String>) -> Result<T, EventError> {
    Err(EventError(message.into()))
}

/// The records of an event.
///
/// # Errors
/// Not JSON; no `Records`; another source than Kinesis; tumbling windows; a record without a sequence number, since
/// nothing could then be reported to Kinesis.
pub fn records(event: Bytes) -> Result<Batch, EventError> {
    let Ok(event) = ByteString::try_from(event) else {
        return error("the event is not UTF-8");
    };
    let envelope: Envelope = match serde_json::from_str(&event) {
        Ok(envelope) => envelope,
        Err(reason) => return error(format!("the event is not a Kinesis event: {reason}")),
    };
    let Some(raw) = &envelope.records else {
        return error("the event has no `Records`: this function reads events of a Kinesis event source mapping");
    };
    if envelope.window.is_some() {
        return error(
            "the event has a tumbling `window`: remove TumblingWindowInSeconds from the event source mapping",
        );
    }
    let records = raw.iter().enumerate().map(|(at, raw)| record(&event, at, raw)).collect::<Result<Vec<_>, _>>()?;
    let arn = raw.iter().find_map(|raw| raw.event_source_arn.as_str());
    let stream = arn.and_then(|arn| arn.split_once("stream/")).map_or("", |(_, name)| name);
    let shard = records.first().map_or(SHARD_UNKNOWN, |first| first.shard());
    Ok(Batch { stream: stream.to_owned(), shard: shard.to_owned(), records })
}

fn record(event: &ByteString, at: usize, raw: &RawRecord<'_>) -> Result<Record, EventError> {
    if let Some(source) = raw.event_source.as_str()
        && source != "aws:kinesis"
    {
        let source = source.escape_debug().take(100).collect::<String>();
        return error(format!("the event comes from `{source}`: this function reads Kinesis (`aws:kinesis`)"));
    }
    let number = raw.kinesis.sequence_number.as_str().unwrap_or("");
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return error(format!(
            "record {at} of the event has no sequence number in digits, so it could not be reported"
        ));
    }
    let text = |text: &Loose<'_>| match text {
        Loose::Text(Cow::Borrowed(text)) => Some(event.slice_ref(text)),
        Loose::Text(Cow::Owned(text)) => Some(ByteString::from(text.as_str())),
        Loose::Number(_) | Loose::Other => None,
    };
    let told = raw.event_id.as_str().and_then(|id| id.strip_suffix(number)).is_some_and(|shard| {
        shard.len() > 1 && shard.find(':') == Some(shard.len() - 1) // nothing but the shard in front of the number
    });
    let id = if told { text(&raw.event_id) } else { None };
    Ok(Record {
        id: id.unwrap_or_else(|| format!("{SHARD_UNKNOWN}:{number}").into()),
        sequence_number: text(&raw.kinesis.sequence_number).unwrap_or_default(),
        partition_key: text(&raw.kinesis.partition_key).unwrap_or_default(),
        arrived_at_ms: raw.kinesis.approximate_arrival_timestamp.seconds_as_ms(),
        data: text(&raw.kinesis.data).map_or(Encoded::Missing, Encoded::Base64),
    })
}

impl Record {
    /// The shard, as its id says.
    pub fn shard(&self) -> &str {
        self.id.split_once(':').map_or(SHARD_UNKNOWN, |(shard, _)| shard)
    }
}

/// Compares sequence numbers as integers of any length.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
