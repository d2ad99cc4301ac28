//! Config values that never enter a release, report, log or dead letter: `{ secret = "NAME" }`.

use serde_json::Value;
use std::fmt;

/// What `test`, `bench` and `fuzz` put in place of every secret: long enough for the keys that plugins ask for.
pub const DUMMY_SECRET: &str = "paddlewheel-dummy-secret-0123456789";

/// A secret that could not be had. The message names it and never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretError {
    /// The name in `{ secret = "NAME" }`.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret `{}`: {}", self.name, self.reason)
    }
}

impl std::error::Error for SecretError {}

/// The secrets a config names, in order of appearance.
pub fn names(config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(config, &mut found);
    found
}

fn collect(config: &Value, found: &mut Vec<String>) {
    if let Some(name) = name(config) {
        found.push(name.to_owned());
        return;
    }
    match config {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The config with every secret filled in by `look_up`.
///
/// # Errors
/// The first secret that `look_up` does not know.
pub fn resolve(config: &Value, look_up: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, SecretError> {
    if let Some(name) = name(config) {
        let value = look_up(name).map_err(|reason| SecretError { name: name.to_owned(), reason })?;
        return Ok(Value::String(value));
    }
    Ok(match config {
        Value::Array(items) => Value::Array(items.iter().map(|item| resolve(item, look_up)).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| Ok((key.clone(), resolve(value, look_up)?));
            Value::Object(members.iter().map(member).collect::<Result<_, SecretError>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => config.clone(),
    })
}

fn name(config: &Value) -> Option<&str> {
    let members = config.as_object()?;
    if members.len() != 1 {
        return None;
    }
    members.get("secret")?.as_str()
}
