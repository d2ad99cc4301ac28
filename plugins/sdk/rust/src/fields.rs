//! The part of an event that a plugin's logic works on, apart from the host, so that the logic can be tested natively.

use crate::{Event, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reading and changing fields. [`Event`] has all of this by itself; write a function over `Fields` to test it with
/// `testing::Fake` and without a host. What each method does stands with [`Event`].
pub trait Fields: Sized {
    /// See [`Event::get`].
    fn get(&self, path: &str) -> Option<Value>;
    /// See [`Event::text`].
    fn text(&self, path: &str) -> Option<String>;
    /// See [`Event::has`].
    fn has(&self, path: &str) -> bool;
    /// See [`Event::keys`].
    fn keys(&self, path: &str) -> Vec<String>;
    /// See [`Event::length`].
    fn length(&self, path: &str) -> Option<u32>;
    /// See [`Event::expand`].
    fn expand(&self, pattern: &str) -> Vec<String>;
    /// See [`Event::set`].
    ///
    /// # Errors
    ///
    /// The host's reason.
    fn set(&self, path: &str, value: &Value) -> Result<(), String>;
    /// See [`Event::set_text`].
    ///
    /// # Errors
    ///
    /// The host's reason.
    fn set_text(&self, path: &str, text: &str) -> Result<(), String>;
    /// See [`Event::replace_text`].
    fn replace_text(&self, pattern: &str, text: &str) -> u32;
    /// See [`Event::remove`].
    fn remove(&self, pattern: &str) -> u32;
    /// See [`Event::rename`].
    fn rename(&self, path: &str, to: &str) -> bool;
    /// See [`Event::json`].
    fn json(&self) -> Option<String>;
    /// See [`Event::copy`].
    #[must_use]
    fn copy(&self) -> Self;

    /// The value of a field as a type of yours, or none if there is no such field: `decode("")` is the whole document. For those
    /// who want a tree; reading the fields one by one costs less.
    ///
    /// ```
    /// # use paddlewheel::prelude::*;
    /// #[derive(Deserialize)]
    /// struct User { id: u64, name: String }
    ///
    /// fn greet(event: &impl Fields) -> Result<(), String> {
    ///     let Some(user) = event.decode::<User>("user")? else { return Ok(()) };
    ///     event.set_text("greeting", &format!("{} ({})", user.name, user.id))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The value is of another type: which field, and why.
    fn decode<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let Some(value) = self.get(path) else { return Ok(None) };
        let read = match value {
            Value::Json(json) => serde_json::from_str(&json),
            Value::Null => serde_json::from_value(serde_json::Value::Null),
            Value::Boolean(boolean) => serde_json::from_value(boolean.into()),
            Value::Integer(integer) => serde_json::from_value(integer.into()),
            Value::Number(number) => serde_json::from_value(number.into()),
            Value::Text(text) => serde_json::from_value(text.into()),
        };
        read.map(Some).map_err(|error| format!("`{path}`: {error}"))
    }

    /// Sets a field to a value of yours, written as JSON: `encode("", &tree)` is the whole document.
    ///
    /// # Errors
    ///
    /// The host's reason, as with [`Event::set`], or why the value has no JSON.
    fn encode<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<(), String> {
        let json = serde_json::to_string(value).map_err(|error| format!("`{path}`: {error}"))?;
        self.set(path, &Value::Json(json))
    }
}

impl Fields for Event {
    fn get(&self, path: &str) -> Option<Value> {
        Event::get(self, path)
    }
    fn text(&self, path: &str) -> Option<String> {
        Event::text(self, path)
    }
    fn has(&self, path: &str) -> bool {
        Event::has(self, path)
    }
    fn keys(&self, path: &str) -> Vec<String> {
        Event::keys(self, path)
    }
    fn length(&self, path: &str) -> Option<u32> {
        Event::length(self, path)
    }
    fn expand(&self, pattern: &str) -> Vec<String> {
        Event::expand(self, pattern)
    }
    fn set(&self, path: &str, value: &Value) -> Result<(), String> {
        Event::set(self, path, value)
    }
    fn set_text(&self, path: &str, text: &str) -> Result<(), String> {
        Event::set_text(self, path, text)
    }
    fn replace_text(&self, pattern: &str, text: &str) -> u32 {
        Event::replace_text(self, pattern, text)
    }
    fn remove(&self, pattern: &str) -> u32 {
        Event::remove(self, pattern)
    }
    fn rename(&self, path: &str, to: &str) -> bool {
        Event::rename(self, path, to)
    }
    fn json(&self) -> Option<String> {
        Event::json(self)
    }
    fn copy(&self) -> Self {
        Event::copy(self)
    }
}
