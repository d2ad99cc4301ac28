//! How an event fails: data with kinds, because policies, metrics and dead letters tell them apart.

use crate::secret::Hidden;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Makes an enum with the list of its values and their names, so that none can be missing from either.
macro_rules! kinds {
    ($(#[$of_enum:meta])* pub enum $name:ident { $($(#[$of_kind:meta])* $kind:ident = $text:literal,)* }) => {
        $(#[$of_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$of_kind])* #[serde(rename = $text)] $kind,)* }

        impl $name {
            /// All kinds, in the order they are listed to people.
            pub const ALL: &[$name] = &[$($name::$kind,)*];

            /// Its name in settings, metrics and dead letters.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$kind => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The kinds of failure, as `paddle.toml`, metrics and dead letters name them.
    pub enum FailureKind {
        /// The plugin says that this event can never be processed.
        Reject = "reject",
        /// The plugin asked for another try for longer than `retry_for_s`.
        RetryExhausted = "retry-exhausted",
        /// The plugin itself broke: an uncaught exception.
        Error = "error",
        /// The sandbox stopped the plugin: a panic, a bad memory access, an exit.
        Trap = "trap",
        /// More CPU time than `time_ms`, ten times that by the clock, or more than a whole invocation has.
        Timeout = "timeout",
        /// The plugin was not called: events of the very same bytes timed out at this step, twice in this batch.
        NotCalled = "not-called",
        /// More memory than `memory_mib`, or than the host holds for one event.
        Memory = "memory",
        /// Something the step's `reads`, `writes` or `may` do not allow.
        Denied = "denied",
        /// Not a document, a malformed path, too many outputs, a route that does not exist.
        InvalidOutput = "invalid-output",
        /// A document contains what `[document] forbid` names.
        Forbidden = "forbidden",
        /// Larger than Firehose takes, or than the limits of a step or a record allow.
        Oversize = "oversize",
        /// The record could not be taken apart: base64, KPL, gzip, CloudWatch Logs.
        Unpack = "unpack",
        /// The host broke while it ran the record, twice: a bug in Paddlewheel, or the death of its process.
        Host = "host",
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
    /// The event is neither done nor failed.
    Unsettled(Unsettled),
}

/// Why an event is neither done nor failed: it goes back to Kinesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// The batch ran out of time before the event's turn.
    NoTime,
    /// The batch ran out of time in the middle of the event.
    CutShort,
    /// The host could not run the plugin, for a reason of its own.
    Host(String),
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsettled::NoTime => f.write_str("the batch ran out of time before the event's turn"),
            Unsettled::CutShort => f.write_str("the batch ran out of time in the middle of the event"),
            Unsettled::Host(reason) => f.write_str(reason),
        }
    }
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
        let hidden = quoting.hide(&Hidden::new(["größe".to_owned()]).expect("it is short"));
        assert_eq!(hidden, Failure::quoting(Denied, "it may not change `", "***", "` (see writes)"));
    }
}
