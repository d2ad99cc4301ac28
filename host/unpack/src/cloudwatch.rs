//! Envelopes of CloudWatch Logs subscriptions: one JSON object that carries many log events.
//!
//! What an envelope needs is all its members with their types and a known `messageType`; anything else is somebody's
//! own JSON and left alone. Strings are copied as they are written, escapes and all.

use crate::{CloudwatchMessage, Refusal, RefusalKind};
use bytes::Bytes;
use memchr::memmem;
use serde::de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;

/// Bytes of white space before the first brace and the first name. Whoever makes envelopes writes none; a pretty
/// printer a few.
const SPACE_BYTES_MAX: usize = 16;

/// Whether `data` may be an envelope. An ordinary record costs a look at its first member's name; only a record that
/// starts with a member of an envelope is searched for the two names that matter.
#[inline]
pub(crate) fn recognised(data: &[u8]) -> bool {
    starts_with_member(data)
        && memmem::find(data, b"\"messageType\"").is_some()
        && memmem::find(data, b"\"logEvents\"").is_some()
}

/// Whether the first member is one that an envelope has: whatever their order, one of them is the first.
#[inline]
fn starts_with_member(data: &[u8]) -> bool {
    let after = |data, token: u8| trim_start(data).strip_prefix(&[token]);
    let Some(name) = after(data, b'{').and_then(|data| after(data, b'"')) else {
        return false;
    };
    // Spelt out, because comparisons with constants are single instructions.
    name.starts_with(b"messageType\"")
        || name.starts_with(b"owner\"")
        || name.starts_with(b"logGroup\"")
        || name.starts_with(b"logStream\"")
        || name.starts_with(b"subscriptionFilters\"")
        || name.starts_with(b"policyLevel\"")
        || name.starts_with(b"logEvents\"")
}

#[inline]
fn trim_start(data: &[u8]) -> &[u8] {
    let spaces = data.iter().take(SPACE_BYTES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count();
    &data[spaces..]
}

/// An envelope whose shape was checked; it borrows the record.
pub(crate) struct Envelope<'a> {
    outer: Outer<'a>,
    events: Vec<LogEvent<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer<'a> {
    message_type: MessageType,
    #[serde(borrow)]
    owner: Text<'a>,
    #[serde(borrow)]
    log_group: Text<'a>,
    #[serde(borrow)]
    log_stream: Text<'a>,
    #[serde(rename = "subscriptionFilters")]
    _subscription_filters: Vec<IgnoredAny>,
    #[serde(borrow)]
    log_events: &'a RawValue,
}

#[derive(Deserialize, PartialEq)]
enum MessageType {
    #[serde(rename = "DATA_MESSAGE")]
    Data,
    #[serde(rename = "CONTROL_MESSAGE")]
    Control,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    timestamp: i64,
    #[serde(borrow)]
    message: Text<'a>,
}

/// A JSON string as it is written, quotes and escapes included.
struct Text<'a>(&'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('"') { Ok(Text(raw)) } else { Err(serde::de::Error::custom("not a string")) }
    }
}

impl<'a> Envelope<'a> {
    /// Parses an envelope of at most `events_max` log events; `None` when `data` is something else.
    pub(crate) fn parse(data: &'a [u8], events_max: usize) -> Result<Option<Envelope<'a>>, Refusal> {
        let Ok(outer) = serde_json::from_slice::<Outer>(data) else {
            return Ok(None);
        };
        let mut events = Vec::new();
        let seed = LogEvents { events: &mut events, events_max };
        match seed.deserialize(&mut serde_json::Deserializer::from_str(outer.log_events.get())) {
            Ok(Counted::All) => Ok(Some(Envelope { outer, events })),
            Ok(Counted::TooMany) => Err(oversize(format!("more than {events_max} log events in one record"))),
            Err(_) => Ok(None),
        }
    }

    /// Whether this is CloudWatch's probe of the stream, which carries nothing.
    pub(crate) fn is_control(&self) -> bool {
        self.outer.message_type == MessageType::Control
    }

    /// Writes the log events, all into one buffer that they share; at most `bytes_max` bytes.
    pub(crate) fn events(&self, message: CloudwatchMessage, bytes_max: usize) -> Result<Vec<Bytes>, Refusal> {
        let bytes: usize = self.events.iter().map(|event| self.event_bytes_max(event)).sum();
        if bytes > bytes_max {
            return Err(oversize(format!("its log events take more than the {bytes_max} bytes left to this record")));
        }
        let mut buffer = Vec::with_capacity(bytes);
        let mut ends = Vec::with_capacity(self.events.len());
        for event in &self.events {
            self.write(event, message, &mut buffer);
            ends.push(buffer.len());
        }
        let buffer = Bytes::from(buffer);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        Ok(starts.zip(&ends).map(|(start, end)| buffer.slice(start..*end)).collect())
    }

    fn write(&self, event: &LogEvent, message: CloudwatchMessage, buffer: &mut Vec<u8>) {
        let object = match message {
            CloudwatchMessage::Text => None,
            CloudwatchMessage::Json => object_in(event.message.0),
        };
        let timestamp = event.timestamp.to_string();
        let members = [
            ("{\"id\":", event.id.0),
            (",\"timestamp\":", &timestamp),
            (",\"message\":", object.as_deref().unwrap_or(event.message.0)),
            (",\"logGroup\":", self.outer.log_group.0),
            (",\"logStream\":", self.outer.log_stream.0),
            (",\"owner\":", self.outer.owner.0),
        ];
        for (name, value) in members {
            buffer.extend_from_slice(name.as_bytes());
            buffer.extend_from_slice(value.as_bytes());
        }
        buffer.push(b'}');
    }

    /// What [`Envelope::write`] writes at most: a message that becomes an object only loses its quotes and escapes.
    fn event_bytes_max(&self, event: &LogEvent) -> usize {
        /// The names, and the longest timestamp.
        const FRAME_BYTES: usize = 96;
        let outer = &self.outer;
        [&event.id, &event.message, &outer.log_group, &outer.log_stream, &outer.owner]
            .iter()
            .fold(FRAME_BYTES, |sum, text| sum.saturating_add(text.0.len()))
    }
}

/// The JSON object that a JSON string holds, without the white space around it.
fn object_in(text: &str) -> Option<String> {
    let inner: String = serde_json::from_str(text).ok()?;
    let object = inner.trim_matches([' ', '\t', '\r', '\n']);
    let valid = object.starts_with('{') && serde_json::from_str::<IgnoredAny>(object).is_ok();
    valid.then(|| object.to_owned())
}

fn oversize(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Oversize, message }
}

/// Reads the array of log events and stops at the limit, so that a record cannot make us hold more than that.
struct LogEvents<'v, 'a> {
    events: &'v mut Vec<LogEvent<'a>>,
    events_max: usize,
}

enum Counted {
    All,
    TooMany,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for LogEvents<'_, 'a> {
    type Value = Counted;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Counted, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for LogEvents<'_, 'a> {
    type Value = Counted;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of log events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Counted, A::Error> {
        while let Some(event) = sequence.next_element::<LogEvent>()? {
            if self.events.len() == self.events_max {
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Counted::TooMany);
            }
            self.events.push(event);
        }
        Ok(Counted::All)
    }
}
