//! What can go wrong, by what a caller can do about it.
//!
//! An [`Error`] reads as one sentence: what was being done, on what, what was wrong, and what to do. Programs look at
//! its [`ErrorKind`] instead.

use std::fmt;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure: its kind for programs, a sentence for people.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    /// What was being done, on what: `read s3://bucket/prefix/…`.
    action: String,
    problem: String,
}

/// What kind of failure it is, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object, the channel or the release is not there.
    NotFound,
    /// Somebody else was faster: nothing was changed. Look at what they did, then decide again.
    Conflict,
    /// The credentials are good and do not allow this.
    PermissionDenied,
    /// There are no credentials, or they are wrong or expired.
    Unauthenticated,
    /// No AWS region was given.
    NoRegion,
    /// The bucket is in another region.
    WrongRegion,
    /// The bucket, or the folder of a directory store, does not exist.
    NoBucket,
    /// The store did not answer in time, or answered that it cannot now. The only kind that goes away by waiting.
    Unavailable,
    /// An object is larger than its bound.
    TooLarge,
    /// What was read is not what it must be: it is never used.
    Untrusted(Untrusted),
    /// The operation was refused by a rule, and nothing was changed.
    Refused(Refusal),
    /// Something the caller gave is wrong: a URL, a name, a key.
    Invalid,
    /// The store answered something else than it should.
    Store,
}

/// Why bytes from the store or the cache are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Untrusted {
    /// Not the text it should be: no JSON, a field missing, a bound exceeded.
    Malformed,
    /// Written by a version of paddle that this one does not know.
    UnknownVersion,
    /// No signature where one is required.
    Unsigned,
    /// Signed with a key that is not among the trusted ones.
    UnknownKey,
    /// Signed with a trusted key that has not this purpose.
    KeyPurpose,
    /// The signature does not fit the bytes.
    Signature,
    /// Signed for another place: another pipeline, channel, release, engine or revision.
    Place,
    /// The bytes have another digest.
    Digest,
    /// The object has another size than the signed text says: cut short or swollen.
    Size,
    /// The pointer's revision is lower than one that was seen before.
    WentBack,
    /// The pointer's revision is below the floor that this host was given.
    BelowFloor,
    /// Two different pointers of one revision.
    Fork,
    /// An operator's key moved the channel to a release that no publisher ever put there.
    NeverHeld,
    /// An operator's key gave a pointer a revision far beyond that of the newest publisher's pointer.
    Jumped,
}

/// Why an operation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The channel was rolled back from this release.
    BadRelease,
    /// No earlier release of the channel is good.
    NothingToRollBackTo,
    /// The signing key has not the purpose that this needs.
    KeyPurpose,
    /// An operator's key may only move a channel to a release that it has held.
    NeedsPublisher,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, action: impl Into<String>, problem: impl Into<String>) -> Error {
        Error { kind, action: action.into(), problem: problem.into() }
    }

    pub(crate) fn untrusted(why: Untrusted, action: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::new(ErrorKind::Untrusted(why), action, problem)
    }

    pub(crate) fn refused(why: Refusal, action: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::new(ErrorKind::Refused(why), action, problem)
    }

    pub(crate) fn invalid(action: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, action, problem)
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// Whether the object is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

impl ErrorKind {
    /// A short name that does not change: for metrics, log fields and hosts' reports.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not-found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::PermissionDenied => "permission-denied",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::NoRegion => "no-region",
            ErrorKind::WrongRegion => "wrong-region",
            ErrorKind::NoBucket => "no-bucket",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::TooLarge => "too-large",
            ErrorKind::Untrusted(why) => why.as_str(),
            ErrorKind::Refused(Refusal::BadRelease) => "bad-release",
            ErrorKind::Refused(Refusal::NothingToRollBackTo) => "nothing-to-roll-back-to",
            ErrorKind::Refused(Refusal::KeyPurpose) => "signing-key-purpose",
            ErrorKind::Refused(Refusal::NeedsPublisher) => "needs-publisher",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Store => "store",
        }
    }

    /// What to do, as the end of the sentence.
    fn advice(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "check the names, or publish it first",
            ErrorKind::Conflict => "nothing was changed: look at the channel again, then decide",
            ErrorKind::PermissionDenied => {
                "allow these credentials s3:GetObject and, to publish, s3:PutObject on it, and s3:ListBucket on the \
                 bucket (without that, a missing object looks like a forbidden one)"
            }
            ErrorKind::Unauthenticated => "sign in again, or check the AWS profile and the access keys",
            ErrorKind::NoRegion => "set AWS_REGION",
            ErrorKind::WrongRegion => "set AWS_REGION to the bucket's region",
            ErrorKind::NoBucket => "check the store's URL, or make the bucket or folder",
            ErrorKind::Unavailable => "try again in a moment, and check the network and the endpoint if it stays so",
            ErrorKind::TooLarge => "nothing that large belongs there: find out who wrote it",
            ErrorKind::Untrusted(why) => why.advice(),
            ErrorKind::Refused(Refusal::BadRelease) => "force it if you are sure",
            ErrorKind::Refused(Refusal::NothingToRollBackTo) => "promote a release by its id",
            ErrorKind::Refused(Refusal::KeyPurpose | Refusal::NeedsPublisher) => "use a publisher's key",
            ErrorKind::Invalid => "correct it",
            ErrorKind::Store => "check that the URL is that of an S3 service or a folder",
        }
    }
}

impl Untrusted {
    fn as_str(self) -> &'static str {
        match self {
            Untrusted::Malformed => "malformed",
            Untrusted::UnknownVersion => "unknown-version",
            Untrusted::Unsigned => "unsigned",
            Untrusted::UnknownKey => "unknown-key",
            Untrusted::KeyPurpose => "key-purpose",
            Untrusted::Signature => "bad-signature",
            Untrusted::Place => "wrong-place",
            Untrusted::Digest => "wrong-digest",
            Untrusted::Size => "wrong-size",
            Untrusted::WentBack => "went-back",
            Untrusted::BelowFloor => "below-floor",
            Untrusted::Fork => "fork",
            Untrusted::NeverHeld => "never-held",
            Untrusted::Jumped => "jumped",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Untrusted::UnknownVersion => "upgrade paddle, or publish with this version",
            Untrusted::Unsigned => "sign it, or allow unsigned stores for development only",
            Untrusted::UnknownKey => "add the key to PADDLE_TRUSTED_KEYS if it is one of yours",
            Untrusted::KeyPurpose => {
                "sign with a key that has the purpose, or give it to the key in PADDLE_TRUSTED_KEYS"
            }
            Untrusted::NeverHeld => "publish it with a publisher's key",
            Untrusted::Jumped => "move the channel with a publisher's key, and find out who used the operator's",
            Untrusted::WentBack | Untrusted::BelowFloor | Untrusted::Fork => {
                "find out who put it there, then publish again"
            }
            Untrusted::Malformed | Untrusted::Signature | Untrusted::Place | Untrusted::Digest | Untrusted::Size => {
                "it is not used: find out who changed it, then publish again"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.action, self.problem, self.kind.advice())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Error {}
