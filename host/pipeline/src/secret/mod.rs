//! Config values that never enter a release, report, log or dead letter: `{ secret = "NAME" }`.
//!
//! A plugin knows its secrets, and what it says is printed and stored. So whatever the host takes of a guest's words
//! goes through [`Hidden`] first. Documents are not words: what a plugin puts there is delivered.

mod hidden;
mod spellings;

use serde_json::Value;
use std::fmt;

pub use hidden::{Hidden, TooLong};

/// What `test`, `bench` and `fuzz` put in place of every secret: long enough for the keys that plugins ask for.
pub const DUMMY_SECRET: &str = "paddlewheel-dummy-secret-0123456789";

/// The shortest secret, in characters. A shorter one occurs in texts by chance: hiding it would garble them, and show
/// by that what it is.
const SECRET_CHARACTERS_MIN: usize = 4;

/// What stands in a text in place of a secret.
const MASK: &str = "***";

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

/// A step's config as its plugin's `init` is given it, and the secrets that are in it.
#[derive(Clone, Default)]
pub struct Filled {
    /// JSON.
    pub json: String,
    /// Hides the secrets in texts.
    pub hidden: Hidden,
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled").finish_non_exhaustive()
    }
}

/// The config with every secret filled in by `look_up`.
///
/// # Errors
/// Names the first secret that `look_up` does not know or that is too short to be hidden, or the longest one if
/// together they are too long to be hidden.
pub fn fill(config: &Value, look_up: &dyn Fn(&str) -> Result<String, String>) -> Result<Filled, SecretError> {
    let mut secrets = Vec::new();
    let json = resolve(config, look_up, &mut secrets)?.to_string();
    let hidden = Hidden::new(secrets.iter().map(|(_, value)| value.clone())).map_err(|reason| {
        let longest = secrets.iter().max_by_key(|(_, value)| value.len());
        SecretError { name: longest.map(|(name, _)| name.clone()).unwrap_or_default(), reason: reason.to_string() }
    })?;
    Ok(Filled { json, hidden })
}

/// Refuses a secret that is too short or too long to be hidden.
///
/// # Errors
/// Why.
pub fn check(value: &str) -> Result<(), String> {
    check_length(value)?;
    Hidden::new([value.to_owned()]).map(drop).map_err(|reason| reason.to_string())
}

fn check_length(value: &str) -> Result<(), String> {
    if !is_long_enough(value) {
        return Err(format!(
            "its value has fewer than {SECRET_CHARACTERS_MIN} characters: so short a text could not be hidden in logs and messages"
        ));
    }
    Ok(())
}

fn is_long_enough(text: &str) -> bool {
    text.chars().nth(SECRET_CHARACTERS_MIN - 1).is_some()
}

fn resolve(
    config: &Value,
    look_up: &dyn Fn(&str) -> Result<String, String>,
    secrets: &mut Vec<(String, String)>,
) -> Result<Value, SecretError> {
    if let Some(name) = name(config) {
        let value = look_up(name).and_then(|value| check_length(&value).map(|()| value));
        let value = value.map_err(|reason| SecretError { name: name.to_owned(), reason })?;
        secrets.push((name.to_owned(), value.clone()));
        return Ok(Value::String(value));
    }
    Ok(match config {
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| resolve(item, look_up, secrets)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| Ok((key.clone(), resolve(value, look_up, secrets)?));
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

#[cfg(test)]
mod tests;
