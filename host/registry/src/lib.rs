//! Releases and channels over an object store: a bucket, a folder, or memory in tests.
//!
//! A release is immutable: a signed manifest, and blobs named by their digests. A channel is a signed pointer to a
//! release, moved by conditional writes only. Plugins are bytes here: nothing is compiled, loaded or run. The
//! environment is not read, the clock is passed in.
//!
//! A publisher makes a [`Draft`] and calls [`Registry::publish`], then [`Registry::promote`]. A host keeps a [`Watch`]
//! on its channel and calls [`Registry::fetch`] for what it finds. Operators use [`Registry::rollback`],
//! [`Registry::history`], [`Registry::hosts`], [`Registry::releases`], [`diff`] and [`gc`].
//!
//! # What is trusted
//!
//! Only signatures. Whoever can write the bucket, and has no key, can remove things, hold them back, or bring back an
//! older pointer to a host that never saw a newer one (which is what [`Watch`]'s floor is for); they cannot make a host
//! run anything that was not signed for this very place. Who may sign what: [`Purposes`]. How an operator's key is kept
//! to what a publisher has put on a channel, and to a thousand moves between two of a publisher's: `pointer`. What
//! hosts say is not signed: `hosts`. It decides where a rollback goes among releases of the channel, and whether a host
//! that starts takes the live release or the one that the signed pointer names before it: `verdicts`.
//!
//! The store is not part of what is signed, so that a store can be copied. Where two stores hold the same pipeline and
//! must not be mixed up, such as those of staging and production, use other keys, or other names for their channels.

mod ids;
pub use ids::{Digest, Fingerprint, NAME_CHARS_MAX, Name, ReleaseId};

mod error;
pub use error::{Error, ErrorKind, Refusal, Result, Untrusted};

mod keys;
pub use keys::{KeyId, PublicKey, Purposes, SigningKey, Trust, TrustedKeys};

mod store;
pub use store::{Credentials, CredentialsHook, Fetching, Options, Patience, Store};

mod envelope;

mod manifest;
pub use manifest::{
    Asset, BLOB_BYTES_MAX, Blob, MANIFEST_BYTES_MAX, Manifest, Observed, PARTS_MAX, Plugin, RELEASE_BYTES_MAX, Release,
};

mod compiled;
pub use compiled::Compiled;

mod pointer;
pub use pointer::{
    Action, BAD_MAX, Left, OPERATOR_MOVES_MAX, Pointer, REASON_CHARS_MAX, RETURNS_MIN, REVISION_MAX, Tally,
};

mod layout;

mod registry;
pub use registry::{Registry, Watch};

mod publish;
pub use publish::{Draft, DraftCompiled, Progress, Publishing, pipelines};

mod moves;
pub use moves::{Move, Moved};

mod history;
pub use history::{HISTORY_MAX, Revision};

mod releases;
pub use releases::{PAGE_MAX, ReleasePage, ReleaseRow};

mod diff;
pub use diff::{AssetDifference, Change, Difference, StepDifference, diff};

mod hosts;
pub use hosts::{
    ENTRIES_MAX, GONE_AFTER_MS, HostReport, Hosts, Minute, Outcome, Probation, Refused, Running, StepMinute, Swap,
    tally,
};

mod verdicts;

mod cache;
pub use cache::{CACHE_BYTES_DEFAULT, Cache};

mod fetch;
pub use fetch::{Artifact, Code, Fetched};

mod gc;
pub use gc::{BLOB_AGE_MIN_MS, Collected, gc};

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
