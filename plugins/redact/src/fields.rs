//! Hides named fields.
//!
//! The host finds a field in every spelling and in arrays (`replace_text`, `remove`, `expand`). `has` and `get` would not see
//! it in an array.

use hmac::Hmac;
use paddlewheel::prelude::*;
use sha2::Sha256;

use crate::hashing::hash_all;

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
    /// Hides fields wherever they are. Gives whether any was anywhere.
    pub(crate) fn apply(&self, event: &impl Fields, fields: &[Pattern]) -> Result<bool, Failure> {
        let hidden: u32 = match self {
            Action::Remove => fields.iter().map(|field| event.remove(field)).sum(),
            Action::Mask(mask) => fields.iter().map(|field| event.replace_text(field, mask)).sum(),
            Action::Hash(keyed) => return hash_all(event, fields, keyed),
        };
        Ok(hidden > 0)
    }
}
