//! The event as it is written: fields we use, each of any type, borrowed; all others skipped.

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "Records", borrow)]
    pub(super) records: Option<Vec<RawRecord<'a>>>,
    pub(super) window: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct RawRecord<'a> {
    #[serde(borrow, default)]
    pub(super) kinesis: Kinesis<'a>,
    #[serde(rename = "eventID", borrow, default)]
    pub(super) event_id: Loose<'a>,
    #[serde(rename = "eventSource", borrow, default)]
    pub(super) event_source: Loose<'a>,
    #[serde(rename = "eventSourceARN", borrow, default)]
    pub(super) event_source_arn: Loose<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kinesis<'a> {
    #[serde(borrow, default)]
    pub(super) partition_key: Loose<'a>,
    #[serde(borrow, default)]
    pub(super) sequence_number: Loose<'a>,
    #[serde(borrow, default)]
    pub(super) data: Loose<'a>,
    #[serde(borrow, default)]
    pub(super) approximate_arrival_timestamp: Loose<'a>,
}

/// A value that should be a text or a number, and may be anything.
#[derive(Default)]
pub(super) enum Loose<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    #[default]
    Other,
}

impl Loose<'_> {
    #[inline]
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Loose::Text(text) => Some(text),
            Loose::Number(_) | Loose::Other => None,
        }
    }

    /// Seconds, whole or not, as milliseconds; 0 for anything that is no time.
    pub(super) fn seconds_as_ms(&self) -> u64 {
        match self {
            // The cast saturates; NaN and what lies before 1970 become 0.
            Loose::Number(seconds) => (seconds * 1e3).round() as u64,
            Loose::Text(_) | Loose::Other => 0,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loose<'a>, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Loose<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}
