//! How an event fails: data with kinds, because policies, metrics and dead letters tell them apart.

use crate::secret::Hidden;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

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
    message: String,
    /// The part of it that a guest said, in bytes; the rest is the host's.
    guest: Range<usize>,
}

impl Failure {
    /// A failure of a kind, with the host's reason.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), guest: 0..0 }
    }

    /// A failure of a kind, with a guest's own reason.
    pub fn of_guest(kind: FailureKind, message: impl Into<String>) -> Failure {
        let message = message.into();
        let guest = 0..message.len();
        Failure { kind, message, guest }
    }

    /// A failure of a kind, with the host's reason around words of a guest.
    pub fn quoting(kind: FailureKind, before: &str, quoted: &str, after: &str) -> Failure {
        let guest = before.len()..before.len() + quoted.len();
        Failure { kind, message: [before, quoted, after].concat(), guest }
    }

    /// What went wrong, in one sentence or a guest's backtrace.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same reason for a failure of another kind.
    pub fn as_kind(self, kind: FailureKind) -> Failure {
        Failure { kind, ..self }
    }

    /// The same failure with secrets hidden.
    pub fn hide(&self, hidden: &Hidden) -> Failure {
        let (before, quoted, after) = self.parts();
        Failure::quoting(self.kind, &hidden.hide(before), &hidden.hide(quoted), &hidden.hide(after))
    }

    /// The message with at most `guest_bytes_max` bytes of what a guest said.
    pub fn shown(&self, guest_bytes_max: usize) -> Cow<'_, str> {
        let (before, quoted, after) = self.parts();
        if quoted.len() <= guest_bytes_max {
            return Cow::Borrowed(&self.message);
        }
        Cow::Owned([before, &quoted[..quoted.floor_char_boundary(guest_bytes_max)], after].concat())
    }

    fn parts(&self) -> (&str, &str, &str) {
        let Range { start, end } = self.guest;
        (&self.message[..start], &self.message[start..end], &self.message[end..])
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, FailureKind::Denied};
    use crate::secret::Hidden;

    #[test]
    fn what_a_guest_said_is_cut_and_the_hosts_reason_is_not() {
        let quoting = Failure::quoting(Denied, "it may not change `", "größe", "` (see writes)");
        for (failure, max, shown) in [
            (Failure::new(Denied, "the host's"), 0, "the host's"),
            (Failure::of_guest(Denied, "the guest's"), 0, ""),
            (Failure::of_guest(Denied, "the guest's"), 3, "the"),
            (quoting.clone(), 0, "it may not change `` (see writes)"),
            (quoting.clone(), 3, "it may not change `gr` (see writes)"),
            (quoting.clone(), 6, "it may not change `größ` (see writes)"),
            (quoting.clone(), 7, "it may not change `größe` (see writes)"),
        ] {
            assert_eq!(failure.shown(max), shown);
            assert_eq!(failure.shown(usize::MAX), failure.message());
        }
        let hidden = quoting.hide(&Hidden::new(["größe".to_owned()]));
        assert_eq!(hidden, Failure::quoting(Denied, "it may not change `", "***", "` (see writes)"));
    }
}
