//! Calls of the contract, one after the other, as the step's config names them.

use std::hint::black_box;

use paddlewheel::prelude::*;

/// One call: `{"get": "user.email"}`, `{"set-text": ["user.email", 1000]}`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    Get(String),
    Text(String),
    Has(String),
    Keys(String),
    Length(String),
    Expand(String),
    /// A path, and how long the text is.
    SetText(String, usize),
    /// A path, and JSON text.
    Set(String, String),
    /// A pattern, and how long the text is.
    ReplaceText(String, usize),
    Remove(String),
    Rename(String, String),
    Json,
    Data,
    Copy,
    /// How many bytes of white space the event's own are put behind.
    Derive(usize),
    /// How long the line is.
    Log(usize),
}

impl Call {
    /// Makes the call. What it answers is of no use to anybody.
    pub(crate) fn make(&self, event: &Event) {
        match self {
            Call::Get(path) => drop(black_box(event.get(path))),
            Call::Text(path) => drop(black_box(event.text(path))),
            Call::Has(path) => drop(black_box(event.has(path))),
            Call::Keys(path) => drop(black_box(event.keys(path))),
            Call::Length(path) => drop(black_box(event.length(path))),
            Call::Expand(pattern) => drop(black_box(event.expand(pattern))),
            // A refused change is as good as one that is made.
            Call::SetText(path, length) => drop(black_box(event.set_text(path, &"x".repeat(*length)))),
            Call::Set(path, json) => drop(black_box(event.set(path, &Value::Json(json.clone())))),
            Call::ReplaceText(pattern, length) => drop(black_box(event.replace_text(pattern, &"x".repeat(*length)))),
            Call::Remove(pattern) => drop(black_box(event.remove(pattern))),
            Call::Rename(path, to) => drop(black_box(event.rename(path, to))),
            Call::Json => drop(black_box(event.json())),
            Call::Data => drop(black_box(event.data())),
            Call::Copy => drop(black_box(event.copy())),
            Call::Derive(bytes) => {
                let mut data = vec![b' '; *bytes];
                data.extend_from_slice(b"{}");
                drop(black_box(event.derive(&data).has("")));
            }
            Call::Log(length) => log::write(log::Level::Info, &"ä".repeat(length / 2)),
        }
    }
}
