//! The public keys that a reader trusts.

use super::{PublicKey, SigningKey};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A host's keys stand in its 4 KiB of environment variables; 64 are more than fit.
const KEYS_MAX: usize = 64;

/// Public keys with their purposes, as in `PADDLE_TRUSTED_KEYS`:
///
/// ```text
/// release+channel+compiled:BASE64,operate:BASE64
/// ```
///
/// Each entry is some of `release`, `channel`, `compiled` and `operate` joined by `+`, a colon, and the 32-byte Ed25519
/// public key in standard base64. Entries are separated by commas; white space around them is ignored. A key that
/// stands there twice has the purposes of both entries. What a key may sign is decided here alone: what its owner's
/// file says only keeps the owner from mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedKeys(Vec<PublicKey>);

/// Whom a reader believes.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Only what one of these keys signed.
    Keys(TrustedKeys),
    /// Anything, signed or not, except code compiled ahead of time, which is not looked at. For development.
    Unsigned,
}

impl TrustedKeys {
    /// Adds the public half of a key, with the purposes it was made with.
    #[must_use]
    pub fn with(mut self, key: &SigningKey) -> TrustedKeys {
        self.add(key.public());
        self
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    fn add(&mut self, key: PublicKey) {
        match self.0.iter_mut().find(|known| known.bytes == key.bytes) {
            Some(known) => known.purposes = known.purposes.and(key.purposes),
            None => self.0.push(key),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.id().0 == id)
    }
}

impl Trust {
    /// Whether code compiled ahead of time may be used at all.
    pub fn takes_compiled(&self) -> bool {
        match self {
            Trust::Keys(keys) => keys.iter().any(|key| key.purposes.compiled),
            Trust::Unsigned => false,
        }
    }
}

impl FromStr for TrustedKeys {
    type Err = Error;

    fn from_str(text: &str) -> Result<TrustedKeys> {
        let mut keys = TrustedKeys::default();
        for (at, entry) in text.split(',').map(str::trim).enumerate() {
            let wrong = |problem: String| Error::invalid(format!("read trusted key {}", at + 1), problem);
            if at == KEYS_MAX {
                return Err(wrong(format!("more than {KEYS_MAX} keys")));
            }
            keys.add(entry.parse().map_err(|error: Error| wrong(error.problem().to_owned()))?);
        }
        Ok(keys)
    }
}

impl fmt::Display for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            write!(f, "{}{key}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
