//! What to look for in a record, and how much one record may become.

use serde::Deserialize;

/// Bytes that all gzip streams of one record may inflate to, and bytes of CloudWatch events written for it. A record is
/// at most 10 MiB, ordinarily 1 MiB; logs shrink 10 to 30 times.
pub const INFLATED_BYTES_MAX: usize = 32 << 20;

/// Inflated bytes for each byte of the record. Logs rarely pass 50; deflate cannot pass 1,032, which only a bomb gets
/// near.
pub const RATIO_MAX: usize = 300;

/// Inflated bytes, per record, below which the ratio is not looked at: a mebibyte harms nobody, and a small record of
/// repeated lines is innocent.
pub const RATIO_FREE_BYTES: usize = 1 << 20;

/// Events of one record. KPL aggregates hold hundreds, CloudWatch Logs sends at most 10,000 in a batch.
pub const PARTS_MAX: usize = 10_000;

/// A format that a record may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An aggregate of the Kinesis Producer Library: magic, protobuf, MD5.
    Kpl,
    /// One or more gzip members.
    Gzip,
    /// The envelope in which CloudWatch Logs subscriptions deliver log events.
    CloudwatchLogs,
}

/// What becomes of the `message` of a CloudWatch log event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloudwatchMessage {
    /// It stays text, whatever is in it.
    #[default]
    Text,
    /// A message that is a JSON object stands in its own place, byte for byte; any other stays text.
    Json,
}

/// How much one record may become. Counted over the whole record, through all formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of everything inflated; and, counted apart, of the CloudWatch events written.
    pub inflated_bytes_max: usize,
    /// Inflated bytes for each byte of the record, beyond the first [`RATIO_FREE_BYTES`].
    pub ratio_max: usize,
    /// Events.
    pub parts_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { inflated_bytes_max: INFLATED_BYTES_MAX, ratio_max: RATIO_MAX, parts_max: PARTS_MAX }
    }
}

impl Limits {
    /// What a record of this size may inflate to: the smaller of the two limits.
    pub(crate) fn inflatable_bytes(&self, record_bytes: usize) -> usize {
        let by_ratio = record_bytes.saturating_mul(self.ratio_max).max(RATIO_FREE_BYTES);
        self.inflated_bytes_max.min(by_ratio)
    }
}

/// How records are unpacked. The default looks for all three formats: an aggregate, gzip in it, CloudWatch Logs in
/// that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What to look for, in this order; a format named again is not looked for again.
    pub formats: Vec<Format>,
    /// What becomes of CloudWatch messages.
    pub cloudwatch_message: CloudwatchMessage,
    /// How much one record may become.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            formats: vec![Format::Kpl, Format::Gzip, Format::CloudwatchLogs],
            cloudwatch_message: CloudwatchMessage::Text,
            limits: Limits::default(),
        }
    }
}
