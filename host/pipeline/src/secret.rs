//! Config values that never enter a release, report, log or dead letter: `{ secret = "NAME" }`.
//!
//! A plugin knows its secrets, and what it says is printed and stored. So whatever the host takes of a guest's words goes
//! through [`Hidden`] first. Documents are not words: what a plugin puts there is delivered.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What `test`, `bench` and `fuzz` put in place of every secret: long enough for the keys that plugins ask for.
pub const DUMMY_SECRET: &str = "paddlewheel-dummy-secret-0123456789";

/// The shortest secret, in characters. A shorter one occurs in texts by chance: hiding it would garble them, and show by that
/// what it is.
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
/// The first secret that `look_up` does not know, or that is too short to be hidden.
pub fn fill(config: &Value, look_up: &dyn Fn(&str) -> Result<String, String>) -> Result<Filled, SecretError> {
    let mut secrets = Vec::new();
    let json = resolve(config, look_up, &mut secrets)?.to_string();
    Ok(Filled { json, hidden: Hidden::new(secrets) })
}

/// Refuses a secret that is too short to be hidden.
///
/// # Errors
/// Why.
pub fn check(value: &str) -> Result<(), String> {
    if value.chars().nth(SECRET_CHARACTERS_MIN - 1).is_none() {
        return Err(format!(
            "its value has fewer than {SECRET_CHARACTERS_MIN} characters: so short a text could not be hidden in logs and messages"
        ));
    }
    Ok(())
}

fn resolve(
    config: &Value,
    look_up: &dyn Fn(&str) -> Result<String, String>,
    secrets: &mut Vec<String>,
) -> Result<Value, SecretError> {
    if let Some(name) = name(config) {
        let value = look_up(name).and_then(|value| check(&value).map(|()| value));
        let value = value.map_err(|reason| SecretError { name: name.to_owned(), reason })?;
        secrets.push(value.clone());
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

/// Secrets, to be hidden in what guests say. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hidden(Arc<[String]>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.0.len())
    }
}

impl Hidden {
    /// Hides each of these: as it is, as JSON and debug output escape it, and each of its lines, since logs are cut into lines.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Hidden {
        let mut spellings = Vec::new();
        for secret in secrets {
            let escaped = Value::from(secret.as_str()).to_string();
            spellings.push(escaped[1..escaped.len() - 1].to_owned());
            spellings.extend(secret.lines().map(|line| line.trim().to_owned()));
            spellings.push(secret);
        }
        spellings.retain(|spelling| check(spelling).is_ok());
        spellings.sort();
        spellings.dedup();
        Hidden(spellings.into())
    }

    /// The secrets of both.
    pub fn and(&self, other: &Hidden) -> Hidden {
        let mut all = [&*self.0, &*other.0].concat();
        all.sort();
        all.dedup();
        Hidden(all.into())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with a mask in place of each secret. Linear in the text for each secret.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        masked(text, self.found(text))
    }

    /// The same for a text of which the end was cut off: the beginning of a secret at its end is hidden too.
    pub fn hide_cut<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found = self.found(text);
        found.extend(self.0.iter().filter_map(|secret| {
            let begins = |at: &usize| text.ends_with(&secret[..*at]);
            let longest = secret.char_indices().map(|(at, _)| at).skip(1).filter(begins).last()?;
            Some(text.len() - longest..text.len())
        }));
        masked(text, found)
    }

    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let matches = self.0.iter().flat_map(|secret| text.match_indices(secret.as_str()));
        matches.map(|(at, found)| at..at + found.len()).collect()
    }
}

fn masked(text: &str, found: Vec<Range<usize>>) -> Cow<'_, str> {
    pii::cover(text, found, MASK).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn name(config: &Value) -> Option<&str> {
    let members = config.as_object()?;
    if members.len() != 1 {
        return None;
    }
    members.get("secret")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::{DUMMY_SECRET, Hidden, check, fill};
    use proptest::prelude::*;
    use serde_json::json;

    fn hidden(secrets: &[&str]) -> Hidden {
        Hidden::new(secrets.iter().map(|&secret| secret.to_owned()))
    }

    #[test]
    fn secrets_are_filled_in_and_known() {
        let config = json!({"a": {"secret": "one"}, "b": [{"secret": "two"}], "c": {"secret": "x", "d": 1}});
        let filled = fill(&config, &|name| Ok(format!("{name}-value"))).expect("both are there");
        let expected = json!({"a": "one-value", "b": ["two-value"], "c": {"secret": "x", "d": 1}});
        assert_eq!(filled.json, expected.to_string());
        assert_eq!(filled.hidden.hide("one-value, two-value, x-value"), "***, ***, x-value");
        assert!(!format!("{filled:?} {:?}", filled.hidden).contains("value"));
    }

    #[test]
    fn a_secret_that_cannot_be_hidden_is_refused() {
        let refused = fill(&json!({"a": {"secret": "key"}}), &|_| Ok("äöü".to_owned())).expect_err("too short");
        assert!(refused.to_string().starts_with("secret `key`: its value has fewer than 4 characters"), "{refused}");
        assert!(!refused.to_string().contains("äöü"));
        assert!(fill(&json!({"secret": "key"}), &|_| Ok(String::new())).is_err());
        assert!(fill(&json!({"secret": "key"}), &|_| Ok("äöüß".to_owned())).is_ok());
        assert_eq!(check(DUMMY_SECRET), Ok(()));
    }

    #[test]
    fn every_spelling_of_a_secret_is_hidden() {
        for (secrets, text, expected) in [
            (&["hush"][..], "hush, hushhush and hus", "***, ****** and hus"),
            (&["say \"x\"\n"], r#"{"key":"say \"x\"\n"}"#, r#"{"key":"***"}"#),
            (&["line one\nline two\r\n--"], "line two\n-- line one", "***\n-- ***"),
            (&["abcd1234", "1234wxyz"], "-abcd1234wxyz-", "-***-"),
            (&["abcd", "abcdefgh"], "abcdefgh abcde", "*** ***e"),
            (&["größe"], "die größe!", "die ***!"),
            (&[], "hush", "hush"),
        ] {
            assert_eq!(hidden(secrets).hide(text), expected, "{secrets:?}");
        }
        assert_eq!(hidden(&["one!"]).and(&hidden(&["two!"])).hide("one! two!"), "*** ***");
    }

    #[test]
    fn of_a_text_that_was_cut_the_end_is_hidden_too() {
        let hidden = hidden(&["hush-hush"]);
        assert_eq!(hidden.hide_cut("it is hush-hu"), "it is ***");
        assert_eq!(hidden.hide_cut("hush-hush, it is h"), "***, it is ***");
        assert_eq!(hidden.hide_cut("hush-hush"), "***");
        assert_eq!(hidden.hide_cut("it is"), "it is");
        assert_eq!(hidden.hide("it is hush-hu"), "it is hush-hu");
    }

    proptest! {
        #[test]
        fn no_secret_is_left(
            secrets in prop::collection::vec("[ab\"\\\\é]{4,6}", 1..4),
            text in "[ab\"\\\\é*]{0,60}",
            cut in any::<bool>(),
        ) {
            let hidden = Hidden::new(secrets.clone());
            let text = format!("{text}{}", secrets.concat());
            let masked = if cut { hidden.hide_cut(&text) } else { hidden.hide(&text) };
            prop_assert!(secrets.iter().all(|secret| !masked.contains(secret.as_str())), "{}", masked);
            prop_assert_eq!(hidden.hide(&masked), masked.clone());
        }
    }
}
