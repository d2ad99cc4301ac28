//! Why a release, a pointer or the package was not taken, and whether another try may go better.

use registry::ErrorKind;
use std::fmt;

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotTaken {
    /// A short name, as in `paddle status`.
    pub(super) kind: &'static str,
    /// Why, for people.
    pub(super) reason: String,
    /// Whether another try may go better.
    pub(super) transient: bool,
}

impl NotTaken {
    pub(super) fn for_good(kind: &'static str, reason: impl fmt::Display) -> NotTaken {
        NotTaken { kind, reason: reason.to_string(), transient: false }
    }
}

impl From<registry::Error> for NotTaken {
    fn from(error: registry::Error) -> NotTaken {
        let transient = match error.kind() {
            // Somebody must mend the store or its settings: that says nothing about what was asked for.
            ErrorKind::PermissionDenied
            | ErrorKind::Unauthenticated
            | ErrorKind::NoRegion
            | ErrorKind::WrongRegion
            | ErrorKind::NoBucket
            | ErrorKind::Store
            | ErrorKind::Unavailable => true,
            // A publisher writes blobs before manifests and those before pointers: what is missing is missing for good.
            ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Untrusted(_)
            | ErrorKind::Conflict
            | ErrorKind::Refused(_)
            | ErrorKind::Invalid => false,
        };
        NotTaken { kind: error.kind().as_str(), reason: error.to_string(), transient }
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.kind)
    }
}
