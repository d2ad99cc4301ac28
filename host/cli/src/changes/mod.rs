//! What each step did to an event: which fields it added, changed and removed, with their values cut short.

#[cfg(test)]
mod tests;

use crate::terminal::Paint;
use crate::text::{cut, one_line};
use bytes::Bytes;
use pipeline::{LogLine, Observe, Trace, TraceResult};
use serde::Serialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most fields shown of one output: a document with more is read in a file.
const FIELDS_MAX: usize = 50;

/// Characters of a value that are shown.
const VALUE_WIDTH: usize = 48;

/// One call of one step.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) step: usize,
    pub(crate) elapsed: Duration,
    /// What the plugin logged.
    pub(crate) log: Vec<LogLine>,
    /// Lines beyond the step's limit.
    pub(crate) log_dropped: u64,
    given: Bytes,
    result: Result<Vec<Emitted>, String>,
}

#[derive(Clone, Debug)]
struct Emitted {
    bytes: Bytes,
    route: Option<String>,
}

/// Collects the calls of one event. Clones share one list.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observe for Calls {
    fn step(&mut self, trace: Trace<'_>) {
        let result = match trace.result {
            TraceResult::Outputs(outputs) => {
                let emitted = |output: &pipeline::Output| Emitted {
                    bytes: output.event.content.bytes(),
                    route: output.route.clone(),
                };
                Ok(outputs.iter().map(emitted).collect())
            }
            TraceResult::Signal(pipeline::Signal::Failed(failure)) => Err(failure.to_string()),
            TraceResult::Signal(pipeline::Signal::Retry(reason)) => Err(format!("asks for a retry: {reason}")),
            TraceResult::Signal(pipeline::Signal::Unsettled(reason)) => Err(format!("not settled: {reason}")),
        };
        let Trace { step, elapsed, log_dropped, .. } = trace;
        let (given, log) = (trace.given.content.bytes(), trace.log.to_vec());
        let call = Call { step, elapsed, log, log_dropped, given, result };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// What happened to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub(crate) enum Change {
    Added { path: String, new: String },
    Changed { path: String, old: String, new: String },
    Removed { path: String, old: String },
}

/// What a call came to, for people and for JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Did {
    /// One event, with these changes and perhaps a route.
    Emitted(Vec<OutputChange>),
    Dropped,
    Failed(String),
}

/// What happened between what a step was given and one of its outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OutputChange {
    pub(crate) changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
}

impl Call {
    pub(crate) fn did(&self) -> Did {
        match &self.result {
            Err(reason) => Did::Failed(reason.clone()),
            Ok(outputs) if outputs.is_empty() => Did::Dropped,
            Ok(outputs) => Did::Emitted(
                outputs
                    .iter()
                    .map(|output| OutputChange {
                        changes: between(&self.given, &output.bytes),
                        route: output.route.clone(),
                    })
                    .collect(),
            ),
        }
    }

    /// Whether anything is not as it was given.
    pub(crate) fn changed(&self) -> bool {
        match &self.result {
            Ok(outputs) => outputs.len() != 1 || outputs[0].bytes != self.given || outputs[0].route.is_some(),
            Err(_) => true,
        }
    }
}

/// The differences between two JSON texts, in the order of the first, then what is new.
pub(crate) fn between(before: &[u8], after: &[u8]) -> Vec<Change> {
    if before == after {
        return Vec::new();
    }
    let mut changes = Vec::new();
    match (serde_json::from_slice(before), serde_json::from_slice(after)) {
        (Ok(before), Ok(after)) => compare("", &before, &after, &mut changes),
        _ => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            changes.push(Change::Changed { path: String::new(), old: text(before), new: text(after) });
        }
    }
    changes
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, old) in before {
                let path = member(path, key);
                match after.get(key) {
                    Some(new) => compare(&path, old, new, changes),
                    None => changes.push(Change::Removed { path, old: old.to_string() }),
                }
            }
            for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                changes.push(Change::Added { path: member(path, key), new: new.to_string() });
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (old, new)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}[{at}]"), old, new, changes);
            }
        }
        _ if before != after => {
            changes.push(Change::Changed { path: path.to_owned(), old: before.to_string(), new: after.to_string() })
        }
        _ => {}
    }
}

/// A field's path as the contract writes it.
fn member(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '*', '"', '\\']);
    let key = if plain { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Lines that tell people about one call: what it came to, and what the plugin logged.
pub(crate) fn lines(call: &Call, step: &str, name_width: usize, paint: Paint, width: usize) -> Vec<String> {
    let mut lines = told(call, step, name_width, paint, width);
    for line in &call.log {
        let level = format!("{:?}", line.level).to_lowercase();
        let mut texts = line.message.lines().map(one_line);
        lines.push(format!("    {} {}", paint.dim(&format!("log {level}")), texts.next().unwrap_or_default()));
        lines.extend(texts.map(|text| format!("      {text}")));
    }
    if call.log_dropped > 0 {
        lines.push(format!("    {}", paint.dim(&format!("log … {} lines more (limits.log_lines)", call.log_dropped))));
    }
    lines
}

fn told(call: &Call, step: &str, name_width: usize, paint: Paint, width: usize) -> Vec<String> {
    let head = |what: String| format!("  {step:name_width$}  {what}  {}", paint.dim(&crate::text::time(call.elapsed)));
    let outputs = match call.did() {
        Did::Dropped => return vec![head(paint.yellow("dropped"))],
        Did::Failed(reason) => {
            // Whole: a reason says what to do, and a backtrace where.
            let mut texts = reason.lines().map(one_line);
            let mut lines = vec![head(format!("{} {}", paint.red("failed"), texts.next().unwrap_or_default()))];
            lines.extend(texts.map(|text| format!("    {text}")));
            return lines;
        }
        Did::Emitted(outputs) => outputs,
    };
    let several = outputs.len() > 1;
    let mut lines = match several {
        true => vec![head(format!("{} events", outputs.len()))],
        false if outputs[0].changes.is_empty() && outputs[0].route.is_none() => vec![head("unchanged".into())],
        false => vec![head("changed".into())],
    };
    for (at, output) in outputs.iter().enumerate() {
        if several {
            lines.push(format!("    event {}", at + 1));
        }
        if let Some(route) = &output.route {
            lines.push(format!("    → route {}", one_line(route)));
        }
        lines.extend(output.changes.iter().take(FIELDS_MAX).map(|change| line(change, paint, width)));
        if output.changes.len() > FIELDS_MAX {
            lines.push(format!("    … and {} more fields", output.changes.len() - FIELDS_MAX));
        }
    }
    lines
}

fn line(change: &Change, paint: Paint, width: usize) -> String {
    let room = width.saturating_sub(8);
    let name = |path: &str| if path.is_empty() { "the whole event".to_owned() } else { one_line(path) };
    let value = |text: &str| cut(&one_line(text), VALUE_WIDTH.min(room / 3));
    let text = match change {
        Change::Added { path, new } => format!("+ {}  {}", name(path), value(new)),
        Change::Removed { path, old } => format!("- {}  {}", name(path), value(old)),
        Change::Changed { path, old, new } => format!("~ {}  {} → {}", name(path), value(old), value(new)),
    };
    let text = cut(&text, room);
    let painted = match change {
        Change::Added { .. } => paint.green(&text),
        Change::Removed { .. } => paint.red(&text),
        Change::Changed { .. } => paint.yellow(&text),
    };
    format!("    {painted}")
}
