//! What a step has to do. The engine implements it with sandboxed components; tests with plain functions.

use crate::event::Event;
use crate::failure::Signal;
use bytestring::ByteString;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One loaded plugin of one worker.
pub trait Plugin: Send {
    /// Transforms one event. Called once for each event that reaches the step; no state may be carried from one to the
    /// next. The event itself stays as it is: it is what a policy passes on, or a dead letter keeps, when the call
    /// fails.
    ///
    /// `deadline`: when the batch must be done; an event that is cut short by it is unsettled, not failed.
    fn transform(&mut self, event: &Event, deadline: Option<Instant>) -> Transformed;

    /// Says whether to note which fields are read and written. Costs time, so the Lambda looks at one batch in a
    /// hundred.
    fn observe_fields(&mut self, on: bool) {
        let _ = on;
    }

    /// The fields read and written since the last call, for the report. Nothing by default.
    fn take_fields(&mut self) -> Fields {
        Fields::default()
    }

    /// The first `bytes_max` bytes of a plugin's text with its secrets hidden, for messages that repeat it. Its log
    /// lines and failures come with secrets hidden.
    fn hide_start<'t>(&self, text: &'t str, bytes_max: usize) -> Cow<'t, str> {
        text[..text.floor_char_boundary(bytes_max)].into()
    }
}

/// What became of one call.
#[derive(Debug)]
pub struct Transformed {
    /// The outputs, or why there are none. No outputs drop the event.
    pub result: Result<Vec<Output>, Signal>,
    /// Wall time of the call, a second try included.
    pub elapsed: Duration,
    /// Memory of the instance after the call, in bytes.
    pub memory_bytes: u64,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// Log lines beyond the step's limit, which were not kept.
    pub log_dropped: u64,
    /// Fuel that the call took, a second try included: about one a Wasm instruction. 0 where fuel is not counted.
    pub fuel: u64,
}

impl Transformed {
    /// What stands in for a call that was not made.
    pub fn without_call(result: Result<Vec<Output>, Signal>) -> Transformed {
        Transformed { result, elapsed: Duration::ZERO, memory_bytes: 0, log: Vec::new(), log_dropped: 0, fuel: 0 }
    }
}

/// One event that a plugin emits.
#[derive(Debug)]
pub struct Output {
    /// The event.
    pub event: Event,
    /// The route it names, if any.
    pub route: Option<String>,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For the author.
    Debug,
    /// For whoever looks.
    Info,
    /// Something was recovered.
    Warn,
    /// A person must act.
    Error,
}

/// One line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// The text, cut at the host's bound.
    pub message: String,
}

/// A line with who logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The step, an index into the pipeline's.
    pub step: usize,
    /// The event's id.
    pub event: ByteString,
    /// The line.
    pub line: LogLine,
}

/// How often a step read and wrote each field. Names are paths without indexes: `items[*].sku`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fields {
    /// Fields asked for, present or not.
    pub read: BTreeMap<String, u64>,
    /// Values set, removed or renamed.
    pub written: BTreeMap<String, u64>,
    /// Times that a field was asked for, or to be changed, and was not there.
    pub absent: BTreeMap<String, u64>,
}

impl Fields {
    /// Adds another step's or worker's counts.
    pub fn merge(&mut self, other: Fields) {
        for (to, from) in
            [(&mut self.read, other.read), (&mut self.written, other.written), (&mut self.absent, other.absent)]
        {
            for (field, count) in from {
                *to.entry(field).or_default() += count;
            }
        }
    }

    /// The same counts under other names; those of names that become one are added.
    pub fn renamed(self, rename: impl Fn(&str) -> String) -> Fields {
        let of = |counts: BTreeMap<String, u64>| {
            counts.into_iter().fold(BTreeMap::new(), |mut renamed, (name, count)| {
                *renamed.entry(rename(&name)).or_default() += count;
                renamed
            })
        };
        Fields { read: of(self.read), written: of(self.written), absent: of(self.absent) }
    }

    /// Fields that were asked for or to be changed, and that not one event had: most likely a misspelt path.
    pub fn never_present(&self) -> impl Iterator<Item = &str> {
        self.absent.keys().filter(|field| !self.is_present(field)).map(String::as_str)
    }

    fn is_present(&self, field: &str) -> bool {
        let count = |fields: &BTreeMap<String, u64>| fields.get(field).copied().unwrap_or(0);
        count(&self.written) > 0 || count(&self.read) > count(&self.absent)
    }
}
