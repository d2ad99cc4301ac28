//! The types of `wit/transform.wit` as wasmtime lifts and lowers them, and how they become ours. They stop here.
//!
//! Written by hand, not generated: a generated import takes every path as a new `String` and looks every event up
//! through `Any`; what is here reads paths in place. Loading a component compares each of these types with what it was
//! built against, so a slip cannot go unseen.

use crate::state::Held;
use document::Value;
use pipeline::{Failure, FailureKind, Hidden, Level, Signal};
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmStr};

pub(crate) const EVENTS: &str = "paddlewheel:transform/events@0.1.0";
pub(crate) const TYPES: &str = "paddlewheel:transform/types@0.1.0";
pub(crate) const LOG: &str = "paddlewheel:transform/log@0.1.0";
pub(crate) const ASSETS: &str = "paddlewheel:transform/assets@0.1.0";
pub(crate) const PLUGIN: &str = "paddlewheel:transform/plugin@0.1.0";

/// The package's interfaces that the host offers.
pub(crate) const OFFERED: [&str; 4] = [EVENTS, TYPES, LOG, ASSETS];

/// `events.value` on its way to a plugin.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum ValueOut {
    #[component(name = "null")]
    Null,
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "number")]
    Number(f64),
    #[component(name = "text")]
    Text(String),
    #[component(name = "json")]
    Json(String),
}

impl From<Value<'_>> for ValueOut {
    fn from(value: Value<'_>) -> ValueOut {
        match value {
            Value::Null => ValueOut::Null,
            Value::Boolean(boolean) => ValueOut::Boolean(boolean),
            Value::Integer(integer) => ValueOut::Integer(integer),
            Value::Number(number) => ValueOut::Number(number),
            Value::Text(text) => ValueOut::Text(text.into_owned()),
            Value::Json(json) => ValueOut::Json(json.into_owned()),
        }
    }
}

/// `events.value` on its way from a plugin: texts stay in its memory.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum ValueIn {
    #[component(name = "null")]
    Null,
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "number")]
    Number(f64),
    #[component(name = "text")]
    Text(WasmStr),
    #[component(name = "json")]
    Json(WasmStr),
}

/// An output that a plugin answered with: what its event's handle leads to, and the route it names.
pub(crate) struct Output {
    pub(crate) rep: u32,
    pub(crate) route: Option<String>,
}

/// `types.output`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Lifted {
    #[component(name = "event")]
    pub(crate) event: Resource<Held>,
    #[component(name = "route")]
    pub(crate) route: Option<String>,
}

impl From<Lifted> for Output {
    fn from(lifted: Lifted) -> Output {
        Output { rep: lifted.event.rep(), route: lifted.route }
    }
}

/// `types.failure`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum PluginFailure {
    #[component(name = "reject")]
    Reject(String),
    #[component(name = "retry")]
    Retry(String),
    #[component(name = "error")]
    Error(String),
}

impl PluginFailure {
    /// What it means to the pipeline: its message is cut, with secrets hidden.
    pub(crate) fn into_signal(self, hidden: &Hidden) -> Signal {
        match self {
            PluginFailure::Reject(message) => {
                Signal::Failed(Failure::of_guest(FailureKind::Reject, cut(&message, hidden)))
            }
            PluginFailure::Retry(message) => Signal::Retry(cut(&message, hidden)),
            PluginFailure::Error(message) => {
                Signal::Failed(Failure::of_guest(FailureKind::Error, cut(&message, hidden)))
            }
        }
    }
}

/// Longest message of a failure that is kept, in bytes: a stack trace fits, a data dump does not.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// The text with secrets hidden, cut at the bound on a character's edge. A guest's text may have megabytes: no more of
/// it is searched than is shown.
pub(crate) fn cut(text: &str, hidden: &Hidden) -> String {
    let mut start = hidden.hide_start(text, MESSAGE_BYTES_MAX).into_owned();
    if text.len() > MESSAGE_BYTES_MAX {
        start.push('…');
    }
    start
}

/// `log.level`.
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting, out of a number")]
pub(crate) enum LogLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Level {
        match level {
            LogLevel::Debug => Level::Debug,
            LogLevel::Info => Level::Info,
            LogLevel::Warn => Level::Warn,
            LogLevel::Error => Level::Error,
        }
    }
}
