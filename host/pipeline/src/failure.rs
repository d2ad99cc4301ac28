//! How an event fails: data with kinds, because policies, metrics and dead letters tell them apart.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of failure, as `paddle.toml`, metrics and dead letters name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The plugin says that this event can never be processed.
    Reject,
    /// The plugin asked for another try for longer than `retry_for_s`.
    RetryExhausted,
    /// The plugin itself broke: an uncaught exception.
    Error,
    /// The sandbox stopped the plugin: a panic, a bad memory access, an exit.
    Trap,
    /// More CPU time than `time_ms`, or ten times that by the clock.
    Timeout,
    /// More memory than `memory_mib`.
    Memory,
    /// Something the step's `reads`, `writes` or `may` do not allow.
    Denied,
    /// Not a document, a malformed path, too many outputs, a route that does not exist.
    InvalidOutput,
    /// A document contains what `[document] forbid` names.
    Forbidden,
    /// Larger than Firehose takes, or than the limits of a step or a record allow.
    Oversize,
    /// The record could not be taken apart: base64, KPL, gzip, CloudWatch Logs.
    Unpack,
}

impl FailureKind {
    /// All kinds, in the order they are listed to people.
    pub const ALL: [FailureKind; 11] = [
        FailureKind::Reject,
        FailureKind::RetryExhausted,
        FailureKind::Error,
        FailureKind::Trap,
        FailureKind::Timeout,
        FailureKind::Memory,
        FailureKind::Denied,
        FailureKind::InvalidOutput,
        FailureKind::Forbidden,
        FailureKind::Oversize,
        FailureKind::Unpack,
    ];

    /// Its name in settings, metrics and dead letters.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Reject => "reject",
            FailureKind::RetryExhausted => "retry-exhausted",
            FailureKind::Error => "error",
            FailureKind::Trap => "trap",
            FailureKind::Timeout => "timeout",
            FailureKind::Memory => "memory",
            FailureKind::Denied => "denied",
            FailureKind::InvalidOutput => "invalid-output",
            FailureKind::Forbidden => "forbidden",
            FailureKind::Oversize => "oversize",
            FailureKind::Unpack => "unpack",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a plugin did not give outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It failed for good: the step's policy decides.
    Failed(Failure),
    /// The plugin asks for another try, with its reason.
    Retry(String),
    /// The batch ran out of time, or the host could not run the plugin: the event is unsettled, not failed.
    Unsettled(String),
}

/// One failure, with its reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// What went wrong, in one sentence or a guest's backtrace.
    pub message: String,
}

impl Failure {
    /// A failure of a kind, with its reason.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
