//! The step's config, read and checked.

use hmac::{Hmac, KeyInit};
use paddlewheel::prelude::*;
use sha2::Sha256;

use crate::fields::Action;
use pii::Kind;

/// How many fields a config may name. Each costs a call into the host for each event.
const FIELDS_MAX: usize = 256;

/// The shortest key for hashes, in bytes. Shorter ones can be guessed, and with the key so can every e-mail address.
const HASH_KEY_BYTES_MIN: usize = 16;

/// The longest mask, in bytes. It stands in place of every match.
const MASK_BYTES_MAX: usize = 256;

/// What stands in place of what was hidden, unless the config says otherwise.
const MASK: &str = "***";

/// The config, resolved.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Redact {
    /// The fields to hide.
    pub(crate) fields: Vec<Pattern>,
    /// How they are hidden.
    pub(crate) action: Action,
    /// What is looked for inside strings.
    pub(crate) patterns: Vec<Kind>,
    /// Where it is looked for. Everywhere if empty.
    pub(crate) search_in: Vec<Pattern>,
    /// What stands in place of a match.
    pub(crate) mask: String,
}

/// The config as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    fields: Vec<Pattern>,
    action: Option<Name>,
    mask: Option<String>,
    hash_key: Option<String>,
    #[serde(default)]
    patterns: Vec<Named>,
    #[serde(default, rename = "in")]
    search_in: Vec<Pattern>,
}

/// The name of what is looked for.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Email,
    Card,
    Iban,
}

impl From<Named> for Kind {
    fn from(named: Named) -> Kind {
        match named {
            Named::Email => Kind::Email,
            Named::Card => Kind::Card,
            Named::Iban => Kind::Iban,
        }
    }
}

/// The name of an action.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Remove,
    Mask,
    Hash,
}

impl TryFrom<Written> for Redact {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { fields, action, mask, hash_key, patterns, search_in } = written;
        let patterns: Vec<Kind> = patterns.into_iter().map(Kind::from).collect();
        if fields.is_empty() && patterns.is_empty() {
            return Err("it needs fields (such as [\"user.email\"]) or patterns (email, card, iban)".to_owned());
        }
        if fields.len() + search_in.len() > FIELDS_MAX {
            return Err(format!("fields and in name more than {FIELDS_MAX} fields"));
        }
        if patterns.is_empty() && !search_in.is_empty() {
            return Err("in says where patterns are looked for, and there are no patterns".to_owned());
        }
        if fields.is_empty() && (action.is_some() || hash_key.is_some()) {
            return Err("action and hash_key are for fields, and there are none".to_owned());
        }
        // A key that is given is meant to be used.
        let action = action.unwrap_or(if hash_key.is_some() { Name::Hash } else { Name::Mask });
        let mask = checked_mask(mask, &patterns)?;
        let action = match (action, hash_key) {
            (Name::Hash, Some(key)) => Action::Hash(keyed(&key)?),
            (Name::Hash, None) => return Err("action = \"hash\" needs hash_key".to_owned()),
            (Name::Remove | Name::Mask, Some(_)) => {
                return Err("hash_key is for action = \"hash\"".to_owned());
            }
            (Name::Remove, None) => Action::Remove,
            (Name::Mask, None) => Action::Mask(mask.clone()),
        };
        Ok(Redact { fields, action, patterns, search_in, mask })
    }
}

fn checked_mask(mask: Option<String>, patterns: &[Kind]) -> Result<String, String> {
    let mask = mask.unwrap_or_else(|| MASK.to_owned());
    if mask.len() > MASK_BYTES_MAX {
        return Err(format!("mask has {} bytes, more than {MASK_BYTES_MAX}", mask.len()));
    }
    if patterns.iter().any(|kind| kind.is_in(&mask)) {
        return Err("mask is itself what a pattern looks for".to_owned());
    }
    Ok(mask)
}

fn keyed(key: &str) -> Result<Hmac<Sha256>, String> {
    if key.len() < HASH_KEY_BYTES_MIN {
        // The key itself must not stand in a message.
        return Err(format!("hash_key has {} bytes; it needs {HASH_KEY_BYTES_MIN} or more", key.len()));
    }
    Ok(Hmac::new_from_slice(key.as_bytes()).expect("a key of any length is taken"))
}
