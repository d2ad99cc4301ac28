//! Kinesis in, Firehose out: the function's handler, usable in any process.
//!
//! Layout: `config` (settings), `kinesis` (the event) and `batch` (its records), `walk` (one record to its outcome),
//! `outcomes` (what becomes of all of them), `attempt` (the same, whatever breaks), `window` and `workers` (many, in
//! parallel and within bounds), `delivery` (documents, in order), `dead_letter`, `response`; `handler` tells the story
//! with them. `host` is what lives from batch to batch, `journal` what outlives the process, `loaded` what it runs,
//! `bundle` and `follow` where that comes from: the package, or a store's channel, with `assets`, the files of steps.
//! `firehose` is AWS; `log`, `metrics` and `time` are what their names say; `missing` finds fields that a step names
//! and no event has. `prepare` is the handler without the network, for the benchmark; `trial` runs a release's test
//! records.

pub mod assets;
mod attempt;
mod batch;
mod bundle;
mod config;
mod dead_letter;
mod delivery;
mod firehose;
mod follow;
mod handler;
mod host;
mod journal;
mod kinesis;
mod loaded;
mod log;
mod metrics;
mod missing;
mod outcomes;
mod prepare;
mod response;
#[cfg(test)]
mod tests;
mod time;
pub mod trial;
pub mod unpacking;
pub mod walk;
mod window;
mod workers;

pub use batch::{Batch, Encoded, Record};
pub use bundle::{Bundle, ReadyMade, artifact_name, digest};
pub use config::{Secrets, Settings, StoreSettings};
pub use dead_letter::{DeadLetters, Origin, Writing, line as dead_letter, open as open_dead_letters};
pub use firehose::{Answer, AwsFirehose, Firehose, SendError, Sending};
pub use follow::{Follower, StartContext};
pub use host::{HandleError, Handled, Host, Invocation, Previous, Ready, World};
pub use journal::Journal;
pub use kinesis::{EventError, records};
pub use loaded::{Finder, Loaded, Plugins, StepParts};
pub use log::{Format as LogFormat, Level as LogLevel, Output};
pub use prepare::{Prepared, prepare};
pub use time::{Clock, date, now_ms};
