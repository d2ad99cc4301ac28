//! The Kinesis event, read leniently with types that borrow it: what is wrong with one record concerns that record.
//!
//! The only place that knows the event's shape. `aws_lambda_events` would refuse a whole batch for one bad base64, an
//! unknown `encryptionType` or a missing timestamp, before any code of ours runs.

mod envelope;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

use crate::batch::{Batch, Encoded, Record, SHARD_UNKNOWN};
use bytes::Bytes;
use bytestring::ByteString;
use document::Cursor;
use envelope::{RawRecord, seconds_as_ms};
use std::borrow::Cow;
use std::fmt;

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
    let mut reader = Reader { event: &event, arn: None, records: Vec::new(), error: None };
    let mut around = Ok(());
    let read = document::visit(&event, "Records", &mut |record| reader.take(record), |whole| around = check(whole));
    if let Err(reason) = read {
        return error(format!("the event is not a Kinesis event: not JSON: {reason}"));
    }
    around?;
    let Reader { arn, records, error, .. } = reader;
    if let Some(error) = error {
        return Err(error);
    }
    let shard = records.first().map_or(SHARD_UNKNOWN, |first| first.shard()).to_owned();
    let arn = arn.unwrap_or_default().to_string();
    let stream = arn.split_once("stream/").map_or_else(String::new, |(_, name)| name.to_owned());
    Ok(Batch { arn, stream, shard, records })
}

/// What stands around the records.
fn check(event: Cursor<'_>) -> Result<(), EventError> {
    if !event.is_object() {
        return error("the event is not a Kinesis event: it is not a JSON object");
    }
    if !event.members().any(|(key, value)| *key == *b"Records" && value.is_array()) {
        return error("the event has no `Records`: this function reads events of a Kinesis event source mapping");
    }
    if event.members().any(|(key, value)| *key == *b"window" && !value.is_null()) {
        return error(
            "the event has a tumbling `window`: remove TumblingWindowInSeconds from the event source mapping",
        );
    }
    Ok(())
}

/// Takes records one by one, up to the first that nobody could report.
struct Reader<'e> {
    event: &'e Bytes,
    arn: Option<ByteString>,
    records: Vec<Record>,
    error: Option<EventError>,
}

impl Reader<'_> {
    fn take(&mut self, record: Cursor<'_>) {
        if self.error.is_some() {
            return;
        }
        match self.record(record) {
            Ok(record) => self.records.push(record),
            Err(error) => self.error = Some(error),
        }
    }

    fn record(&mut self, record: Cursor<'_>) -> Result<Record, EventError> {
        let at = self.records.len();
        if !record.is_object() {
            return error(format!("the event is not a Kinesis event: record {at} is not an object"));
        }
        let raw = RawRecord::of(record);
        if let Some(source) = raw.event_source.and_then(Cursor::text)
            && *source != *b"aws:kinesis"
        {
            let source = String::from_utf8_lossy(&source).escape_debug().take(100).collect::<String>();
            return error(format!("the event comes from `{source}`: this function reads Kinesis (`aws:kinesis`)"));
        }
        let number = self.text(raw.sequence_number).unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return error(format!(
                "record {at} of the event has no sequence number in digits, so it could not be reported"
            ));
        }
        if self.arn.is_none() {
            self.arn = self.text(raw.event_source_arn);
        }
        let told = |id: &ByteString| {
            let shard = id.strip_suffix(&*number).unwrap_or_default();
            shard.len() > 1 && shard.find(':') == Some(shard.len() - 1) // nothing but the shard in front of the number
        };
        Ok(Record {
            id: self.text(raw.event_id).filter(told).unwrap_or_else(|| format!("{SHARD_UNKNOWN}:{number}").into()),
            partition_key: self.text(raw.partition_key).unwrap_or_default(),
            arrived_at_ms: seconds_as_ms(raw.arrived_at),
            data: raw.data.and_then(|data| self.bytes(data)).map_or(Encoded::Missing, Encoded::Base64),
            sequence_number: number,
        })
    }

    /// The bytes of a text, in the event's own memory where it has no escapes.
    fn bytes(&self, value: Cursor<'_>) -> Option<Bytes> {
        value.text().map(|text| match text {
            Cow::Borrowed(text) => self.event.slice_ref(text),
            Cow::Owned(text) => text.into(),
        })
    }

    /// The same as text; lone surrogates become U+FFFD.
    fn text(&self, value: Option<Cursor<'_>>) -> Option<ByteString> {
        let bytes = self.bytes(value?)?;
        match std::str::from_utf8(&bytes) {
            Ok(_) => ByteString::try_from(bytes).ok(),
            Err(_) => Some(String::from_utf8_lossy(&bytes).into_owned().into()),
        }
    }
}
