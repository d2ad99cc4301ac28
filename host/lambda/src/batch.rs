//! A batch and its records, wherever they come from: what `kinesis` reads, and what all others work on.

use bytes::Bytes;
use bytestring::ByteString;
use std::cmp::Ordering;

/// Shard in the id of a record whose event does not say.
pub(crate) const SHARD_UNKNOWN: &str = "shardId-unknown";

/// The records of one event, in its order: one shard of one stream.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The stream's ARN; empty when the event does not say.
    pub arn: String,
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
    Base64(Bytes),
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
            Encoded::Base64(text) => match base64_simd::STANDARD.decode_to_vec(text) {
                Ok(data) => Ok(data.into()),
                Err(_) => Err("the record's data is not standard base64"),
            },
            Encoded::Missing => Err("the record has no data"),
        }
    }

    /// The text as it stood in the event.
    pub fn text(&self) -> Bytes {
        match self {
            Encoded::Base64(text) => text.clone(),
            Encoded::Missing => Bytes::new(),
        }
    }
}

impl Record {
    /// The shard, as its id says.
    pub fn shard(&self) -> &str {
        self.id.split_once(':').map_or(SHARD_UNKNOWN, |(shard, _)| shard)
    }

    /// Whether it begins as gzip or a KPL aggregate do: then nobody knows what it will become.
    pub(crate) fn looks_packed(&self) -> bool {
        // The magic numbers 1F 8B and F3 89 9A C2, in base64.
        matches!(&self.data, Encoded::Base64(text) if text.starts_with(b"H4s") || text.starts_with(b"84maw"))
    }

    /// Bytes of its data as the event holds it.
    pub(crate) fn encoded_bytes(&self) -> usize {
        match &self.data {
            Encoded::Base64(text) => text.len(),
            Encoded::Missing => 0,
        }
    }
}

/// Compares sequence numbers as integers of any length.
pub(crate) fn compare_sequence_numbers(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
