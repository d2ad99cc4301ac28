//! Log lines as Lambda wants them: JSON with `level` and `timestamp`, or text, no quieter than asked for.
//!
//! Records never appear here; of what a guest says, only as much as the caller cut it to. One line is one write.

use crate::time::{Clock, date};
use serde_json::{Map, Value};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// How a line looks: `AWS_LAMBDA_LOG_FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// `AWS_LAMBDA_LOG_FORMAT`; Lambda's default is text.
    pub fn of_lambda(value: Option<&str>) -> Format {
        if value.is_some_and(|value| value.eq_ignore_ascii_case("json")) { Format::Json } else { Format::Text }
    }
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever debugs the host.
    Debug,
    /// For whoever looks.
    Info,
    /// Something was recovered.
    Warn,
    /// Data was lost, or a person must act.
    Error,
}

impl Level {
    /// `AWS_LAMBDA_LOG_LEVEL`; Lambda's default is INFO.
    pub fn of_lambda(value: Option<&str>) -> Level {
        match value.map(str::to_ascii_uppercase).as_deref() {
            Some("TRACE" | "DEBUG") => Level::Debug,
            Some("WARN") => Level::Warn,
            Some("ERROR" | "FATAL") => Level::Error,
            Some(_) | None => Level::Info,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

impl From<pipeline::Level> for Level {
    fn from(level: pipeline::Level) -> Level {
        match level {
            pipeline::Level::Debug => Level::Debug,
            pipeline::Level::Info => Level::Info,
            pipeline::Level::Warn => Level::Warn,
            pipeline::Level::Error => Level::Error,
        }
    }
}

/// Where lines go: standard output on Lambda, a buffer in tests.
#[derive(Clone)]
pub struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl Output {
    /// Lines go to `sink`, each in one write, flushed at the end of a batch.
    pub fn new(sink: impl Write + Send + 'static) -> Output {
        Output(Arc::new(Mutex::new(Box::new(sink))))
    }

    /// Lines go nowhere.
    pub fn none() -> Output {
        Output::new(std::io::sink())
    }

    pub(crate) fn line(&self, mut line: String) {
        line.push('\n');
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop the data.
        sink.write_all(line.as_bytes()).unwrap_or_default();
    }

    pub(crate) fn flush(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush().unwrap_or_default();
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// Writes lines that all carry the same fields: those of one invocation.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    output: Output,
    clock: Clock,
    format: Format,
    level: Level,
    common: Vec<(&'static str, Value)>,
}

impl Log {
    pub(crate) fn new(output: Output, clock: Clock, format: Format, level: Level) -> Log {
        Log { output, clock, format, level, common: Vec::new() }
    }

    /// The same log, with fields that every line carries.
    pub(crate) fn with(&self, common: Vec<(&'static str, Value)>) -> Log {
        Log { common, ..self.clone() }
    }

    /// The value that every line has under this name.
    pub(crate) fn common(&self, name: &str) -> Value {
        self.common.iter().find(|(known, _)| *known == name).map_or(Value::Null, |(_, value)| value.clone())
    }

    /// A line that is no log line.
    pub(crate) fn raw(&self, line: String) {
        self.output.line(line);
    }

    pub(crate) fn info(&self, message: &str, fields: &[(&str, Value)]) {
        self.line(Level::Info, message, fields);
    }

    pub(crate) fn warn(&self, message: &str, fields: &[(&str, Value)]) {
        self.line(Level::Warn, message, fields);
    }

    pub(crate) fn error(&self, message: &str, fields: &[(&str, Value)]) {
        self.line(Level::Error, message, fields);
    }

    pub(crate) fn line(&self, level: Level, message: &str, fields: &[(&str, Value)]) {
        if level < self.level {
            return;
        }
        let common = self.common.iter().map(|(name, value)| (*name, value));
        let fields = common.chain(fields.iter().map(|(name, value)| (*name, value)));
        let time = date((self.clock.wall_ms)());
        self.output.line(match self.format {
            Format::Json => {
                let mut line = Map::new();
                line.insert("timestamp".into(), time.into());
                line.insert("level".into(), level.as_str().into());
                line.insert("message".into(), message.into());
                line.extend(fields.map(|(name, value)| (name.to_owned(), value.clone())));
                Value::Object(line).to_string()
            }
            // Values as JSON: control characters stay escaped, so nobody can forge a line.
            Format::Text => fields.fold(format!("{time} {:5} {}", level.as_str(), one_line(message)), |line, field| {
                format!("{line} {}={}", field.0, field.1)
            }),
        });
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// At most `bytes_max` bytes of a text, whole characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
