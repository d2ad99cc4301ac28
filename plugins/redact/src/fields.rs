//! Hides named fields.
//!
//! The host finds a field in every spelling and in arrays (`expand`, `remove`) and changes every spelling (`set`). So a
//! field is always looked for with `expand`, even without stars: `has` would not see it in an array.

use hmac::{Hmac, Mac};
use paddlewheel::prelude::*;
use sha2::Sha256;

/// What is done to a field.
#[derive(Debug)]
pub(crate) enum Action {
    /// It goes.
    Remove,
    /// This text takes its place.
    Mask(String),
    /// A keyed hash takes its place: equal values stay equal, and nobody without the key can try values.
    Hash(Hmac<Sha256>),
}

impl Action {
    /// Hides a field wherever it is. Gives whether it was anywhere. `null` stays: it hides nothing.
    pub(crate) fn apply(&self, event: &impl Fields, field: &Pattern) -> Result<bool, Failure> {
        if matches!(self, Action::Remove) {
            return Ok(event.remove(field) > 0);
        }
        let paths = event.expand(field);
        for path in &paths {
            let hidden = match event.get(path) {
                None | Some(Value::Null) => continue,
                Some(value) => self.hidden(&value),
            };
            event
                .set_text(path, &hidden)
                .map_err(|reason| Failure::Reject(format!("{path} cannot be masked: {reason}")))?;
        }
        Ok(!paths.is_empty())
    }

    fn hidden(&self, value: &Value) -> String {
        match self {
            Action::Remove => String::new(),
            Action::Mask(mask) => mask.clone(),
            Action::Hash(keyed) => match value {
                Value::Null => hash(keyed, "null"),
                Value::Boolean(value) => hash(keyed, &value.to_string()),
                Value::Integer(value) => hash(keyed, &value.to_string()),
                Value::Number(value) => hash(keyed, &value.to_string()),
                Value::Text(text) | Value::Json(text) => hash(keyed, text),
            },
        }
    }
}

/// HMAC-SHA256 in hexadecimal.
fn hash(keyed: &Hmac<Sha256>, text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut mac = keyed.clone();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
