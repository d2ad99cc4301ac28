//! What happens to a record: events through steps, policies for failures, documents out, and a report that adds up.
//!
//! Pure: no I/O, no async, no AWS, no wasmtime. It cannot fail; it reports. A plugin is whatever implements [`Plugin`].
//!
//! Layout: `settings` (what `paddle.toml` says), `event` (what a plugin is given), `plugin` (what a step has to do),
//! `failure` and `outcome` (how an event settles), `runner` (the story itself: steps, policies, fan-out, the check on
//! the way out), `timeouts` (what is not called again), `assets` (files of a step), `forbid` (what no document may
//! contain), `secret` (config values that stay out of releases), `report` (what happened).

mod assets;
mod event;
mod failure;
mod forbid;
mod outcome;
mod plugin;
mod report;
mod runner;
mod secret;
pub mod settings;
#[cfg(test)]
mod tests;
mod timeouts;

pub use assets::{ASSETS_BYTES_MAX, ASSETS_MAX, Asset, Assets, TooMuch};
pub use event::{Content, Event, Identity};
pub use failure::{Failure, FailureKind, Signal, Unsettled};
pub use forbid::Forbidden;
pub use outcome::{Dropped, Emitted, Failed, Outcome};
pub use plugin::{Fields, Level, LogLine, Output, Plugin, Said, Transformed};
pub use report::{Counts, InputNotes, Report, StepReport, Times};
pub use runner::{DOCUMENT_BYTES_MAX, Observe, Runner, Trace, TraceResult};
pub use secret::{
    DUMMY_SECRET, Filled, Hidden, SecretError, TooLong, check as check_secret, fill as fill_secrets,
    names as secret_names,
};
pub use settings::Pipeline;
