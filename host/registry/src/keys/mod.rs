//! Ed25519 keys and what each may sign.
//!
//! A key file holds one line, `paddlewheel-secret-key-1 PURPOSES BASE64`, with the 32-byte seed in standard base64; the
//! environment variable with a signing key holds the same line. What a host trusts is written `PURPOSES:BASE64` with
//! the 32-byte public key, several of them separated by commas: see [`TrustedKeys`].

mod trusted;

pub use trusted::{Trust, TrustedKeys};

use crate::error::{Error, Result};
use crate::ids::Digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64_simd::STANDARD as BASE64;
use std::fmt;
use std::str::FromStr;

/// The first word of a key file. Scanners for leaked secrets can look for it.
const FILE_WORD: &str = "paddlewheel-secret-key-1";

/// A key file is one short line; anything longer is something else.
const FILE_BYTES_MAX: usize = 1024;

/// What a key may sign. Written `release+channel+compiled`, or `operate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Purposes {
    /// Manifests of releases.
    pub release: bool,
    /// Any move of a channel.
    pub channel: bool,
    /// Code compiled ahead of time, which is native code: it runs outside the sandbox if it lies.
    pub compiled: bool,
    /// Moves of a channel to a release that a key with `channel` put there before.
    pub operate: bool,
}

/// A public key's short name: the first 16 hexadecimal digits of its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A public key and what it may sign. Written `PURPOSES:BASE64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
    purposes: Purposes,
}

/// A secret key and what it is meant to sign.
///
/// A key file, and the environment variable with a signing key, hold one line: `paddlewheel-secret-key-1 PURPOSES
/// BASE64`, with the purposes as in [`TrustedKeys`] and the 32-byte seed in standard base64.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
    purposes: Purposes,
}

impl Purposes {
    /// A publisher's: everything but what an operator needs, which `channel` includes.
    pub const PUBLISHER: Purposes = Purposes { release: true, channel: true, compiled: true, operate: false };
    /// An operator's: back and forth among what the channel has held.
    pub const OPERATOR: Purposes = Purposes { release: false, channel: false, compiled: false, operate: true };

    fn named(&self) -> [(&'static str, bool); 4] {
        [("release", self.release), ("channel", self.channel), ("compiled", self.compiled), ("operate", self.operate)]
    }

    pub(crate) fn and(self, other: Purposes) -> Purposes {
        Purposes {
            release: self.release || other.release,
            channel: self.channel || other.channel,
            compiled: self.compiled || other.compiled,
            operate: self.operate || other.operate,
        }
    }
}

impl FromStr for Purposes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Purposes> {
        let mut purposes = Purposes::default();
        for word in text.split('+') {
            let purpose = match word {
                "release" => &mut purposes.release,
                "channel" => &mut purposes.channel,
                "compiled" => &mut purposes.compiled,
                "operate" => &mut purposes.operate,
                // The word is not repeated: in a mixed-up line it may be a secret.
                _ => {
                    return Err(Error::invalid(
                        "read a key's purposes",
                        "some of `release`, `channel`, `compiled` and `operate`, joined by `+`, are expected",
                    ));
                }
            };
            *purpose = true;
        }
        Ok(purposes)
    }
}

impl SigningKey {
    /// The key of a seed, which must be 32 random bytes.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the purposes name nothing.
    pub fn from_seed(seed: [u8; 32], purposes: Purposes) -> Result<SigningKey> {
        if purposes == Purposes::default() {
            return Err(Error::invalid("make a signing key", "it has no purpose"));
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|rejected| Error::invalid("make a signing key", rejected.to_string()))?;
        Ok(SigningKey { pair, seed, purposes })
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the purposes name nothing, or there is no randomness.
    pub fn generate(purposes: Purposes) -> Result<SigningKey> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed)
            .map_err(|_| Error::invalid("make a signing key", "the system gives no random bytes"))?;
        SigningKey::from_seed(seed, purposes)
    }

    /// Reads a key file's line.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), without anything of the text in it.
    pub fn parse(line: &str) -> Result<SigningKey> {
        let wrong = |problem: &str| Error::invalid("read a signing key", problem);
        if line.len() > FILE_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [word, purposes, seed] = words.as_slice() else {
            return Err(wrong("a line `paddlewheel-secret-key-1 PURPOSES BASE64` is expected"));
        };
        if *word != FILE_WORD {
            return Err(wrong("it does not start with `paddlewheel-secret-key-1`"));
        }
        let seed = bytes_of(seed).ok_or_else(|| wrong("its last word is not 32 bytes in base64"))?;
        SigningKey::from_seed(seed, purposes.parse()?)
    }

    /// The key file's line, with its end. Secret: for a file that only its owner may read.
    pub fn to_line(&self) -> String {
        format!("{FILE_WORD} {} {}\n", self.purposes, BASE64.encode_to_string(self.seed))
    }

    /// What the key is meant to sign.
    pub fn purposes(&self) -> Purposes {
        self.purposes
    }

    /// The half to give away.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey { bytes, purposes: self.purposes }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        BASE64.encode_to_string(self.pair.sign(message))
    }
}

impl PublicKey {
    /// The key's short name.
    pub fn id(&self) -> KeyId {
        let mut text = Digest::of(&self.bytes).to_string();
        text.truncate(16);
        KeyId(text)
    }

    /// What the key may sign.
    pub fn purposes(&self) -> Purposes {
        self.purposes
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = BASE64.decode_to_vec(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, &signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<PublicKey> {
        let wrong = |problem: &str| Error::invalid("read a public key", problem);
        let (purposes, key) = text.split_once(':').ok_or_else(|| wrong("`PURPOSES:BASE64` is expected"))?;
        let bytes = bytes_of(key).ok_or_else(|| wrong("what follows the colon is not 32 bytes in base64"))?;
        Ok(PublicKey { bytes, purposes: purposes.parse()? })
    }
}

fn bytes_of(base64: &str) -> Option<[u8; 32]> {
    BASE64.decode_to_vec(base64).ok()?.try_into().ok()
}

impl fmt::Display for Purposes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.named().into_iter().filter(|(_, has)| *has).map(|(word, _)| word).collect();
        f.write_str(&words.join("+"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.purposes, BASE64.encode_to_string(self.bytes))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret)", self.public())
    }
}
