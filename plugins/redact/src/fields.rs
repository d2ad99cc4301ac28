//! Hides named fields.
//!
//! The host finds a field in every spelling and in arrays (`replace_text`, `remove`, `expand`). `has` and `get` would not see
//! it in an array.

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
    /// Hides a field wherever it is. Gives whether it was anywhere.
    pub(crate) fn apply(&self, event: &impl Fields, field: &Pattern) -> Result<bool, Failure> {
        match self {
            Action::Remove => Ok(event.remove(field) > 0),
            Action::Mask(mask) => Ok(event.replace_text(field, mask) > 0),
            Action::Hash(keyed) => hash_all(event, field, keyed),
        }
    }
}

/// Hashes every value that a pattern names; `null` stays, for its hash would be known.
fn hash_all(event: &impl Fields, field: &Pattern, keyed: &Hmac<Sha256>) -> Result<bool, Failure> {
    let paths = event.expand(field);
    for path in &paths {
        let hashed = match event.get(path) {
            None | Some(Value::Null) => continue,
            Some(Value::Boolean(value)) => hash(keyed, &value.to_string()),
            Some(Value::Integer(value)) => hash(keyed, &value.to_string()),
            Some(Value::Number(value)) => hash(keyed, &value.to_string()),
            Some(Value::Text(text) | Value::Json(text)) => hash(keyed, &text),
        };
        event
            .set_text(path, &hashed)
            .map_err(|reason| Failure::Reject(format!("{path} cannot be masked: {reason}")))?;
    }
    Ok(!paths.is_empty())
}

/// HMAC-SHA256 in hexadecimal.
fn hash(keyed: &Hmac<Sha256>, text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut mac = keyed.clone();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
