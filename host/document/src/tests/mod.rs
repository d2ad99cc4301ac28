//! What the crate promises, against recorded answers of OpenSearch and against a `serde_json` model.

mod cost;
mod ground_truth;
mod json;
mod model;
mod paths;
mod scopes;
mod secrecy;

pub(crate) use cost::looks;

use crate::{Document, EditError, Exhausted, Meter, Path, Pattern, Restricted, Scope, Value};

/// A document, a meter that allows anything, and what a step sees of it that changes it without seeing everything.
#[derive(Clone)]
struct Doc(Document, Meter, Option<Document>);

/// A document of a text that is known to be one.
fn document(text: &str) -> Doc {
    Doc::new(Document::parse(text.to_owned().into()).unwrap_or_else(|error| panic!("{text}: {error}")))
}

impl Doc {
    fn new(document: Document) -> Doc {
        Doc(document, Meter::unlimited(), None)
    }

    fn get(&mut self, path: &Path<'_>) -> Option<Value<'_>> {
        self.0.get(path, &mut self.1).expect("allowed")
    }

    fn text(&mut self, path: &Path<'_>) -> Option<std::borrow::Cow<'_, str>> {
        self.0.text(path, &mut self.1).expect("allowed")
    }

    fn has(&mut self, path: &Path<'_>) -> bool {
        self.0.has(path, &mut self.1).expect("allowed")
    }

    fn keys(&mut self, path: &Path<'_>) -> Vec<String> {
        self.0.keys(path, &mut self.1).expect("allowed")
    }

    fn length(&mut self, path: &Path<'_>) -> Option<u32> {
        self.0.length(path, &mut self.1).expect("allowed")
    }

    fn expand(&mut self, pattern: &Pattern<'_>) -> Result<Vec<String>, Exhausted> {
        self.0.expand(pattern, &mut self.1)
    }

    /// The document as a step holds it that does not see everything.
    fn restricted<'a>(&'a mut self, scope: &'a Scope) -> Option<(Restricted<'a>, &'a mut Meter)> {
        let Doc(whole, meter, view) = self;
        let made = || whole.visible(scope, &mut Meter::unlimited()).expect("allowed");
        let view = (!scope.reads_all()).then(|| view.get_or_insert_with(made))?;
        Some((Restricted { whole, view, scope }, meter))
    }

    fn set(&mut self, path: &Path<'_>, value: &Value<'_>, scope: Option<&Scope>) -> Result<(), EditError> {
        match scope.and_then(|scope| self.restricted(scope)) {
            Some((mut restricted, meter)) => restricted.set(path, value, meter),
            None => self.0.set(path, value, scope, &mut self.1),
        }
    }

    fn set_text(&mut self, path: &Path<'_>, value: &str, scope: Option<&Scope>) -> Result<(), EditError> {
        self.set(path, &Value::Text(value.into()), scope)
    }

    fn replace_text(&mut self, pattern: &Pattern<'_>, text: &str, scope: Option<&Scope>) -> Result<u32, EditError> {
        match scope.and_then(|scope| self.restricted(scope)) {
            Some((mut restricted, meter)) => restricted.replace_text(pattern, text, meter),
            None => self.0.replace_text(pattern, text, scope, &mut self.1),
        }
    }

    fn remove(&mut self, pattern: &Pattern<'_>, scope: Option<&Scope>) -> Result<u32, EditError> {
        match scope.and_then(|scope| self.restricted(scope)) {
            Some((mut restricted, meter)) => restricted.remove(pattern, meter),
            None => self.0.remove(pattern, scope, &mut self.1),
        }
    }

    fn rename<'p>(&mut self, path: &Path<'p>, to: &Path<'p>, scope: Option<&Scope>) -> Result<bool, EditError> {
        match scope.and_then(|scope| self.restricted(scope)) {
            Some((mut restricted, meter)) => restricted.rename(path, to, meter),
            None => self.0.rename(path, to, scope, &mut self.1),
        }
    }

    fn visible(&self, scope: &Scope) -> Doc {
        Doc::new(self.0.visible(scope, &mut Meter::unlimited()).expect("allowed"))
    }

    fn json_bytes(&self) -> usize {
        self.0.json_bytes(&mut Meter::unlimited()).expect("allowed")
    }
}

fn path(text: &str) -> Path<'_> {
    Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn pattern(text: &str) -> Pattern<'static> {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).into_owned()
}

fn json(document: &Doc) -> String {
    String::from_utf8(document.0.json(&mut Meter::unlimited()).expect("allowed")).expect("UTF-8")
}

fn text(value: &str) -> Value<'_> {
    Value::Text(value.into())
}
