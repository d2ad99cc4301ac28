//! What the crate promises, against recorded answers of OpenSearch and against a `serde_json` model.

mod ground_truth;
mod json;
mod model;
mod paths;
mod scopes;

use crate::{Document, Path, Pattern, Value};

/// A document of a text that is known to be one.
fn document(text: &str) -> Document {
    Document::parse(text.to_owned().into()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn path(text: &str) -> Path<'_> {
    Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn pattern(text: &str) -> Pattern<'static> {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).into_owned()
}

fn json(document: &Document) -> String {
    String::from_utf8(document.json()).expect("UTF-8")
}

fn text(value: &str) -> Value<'_> {
    Value::Text(value.into())
}
