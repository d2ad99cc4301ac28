//! Signed text: a line that says who signed, and below it the signed bytes exactly as they were signed.
//!
//! ```text
//! {"paddlewheel":1,"key":"<16 digits>","signature":"<base64>"}
//! {"kind":"release", …}
//! ```
//!
//! What is signed is `paddlewheel/1 <form>`, a line feed, and all bytes after the first line: so a text signed as one
//! form is never taken for another, and nothing depends on how JSON might be written again. Both lines are JSON, so
//! `jq` shows them. The first line is not signed: nothing is believed because of it.

use crate::error::{Error, Result, Untrusted};
use crate::ids::Digest;
use crate::keys::{KeyId, Purposes, SigningKey, Trust};
use serde::{Deserialize, Serialize};

/// The envelope's version.
const VERSION: u32 = 1;

/// The first line holds a key's name and a signature, some 150 bytes.
const FIRST_LINE_BYTES_MAX: usize = 512;

/// The forms of signed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A release's manifest.
    Release,
    /// The list of a release's compiled artifacts for one engine.
    Compiled,
    /// A channel's pointer.
    Channel,
}

/// Signed text whose signature was checked.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    /// The signed bytes, as text.
    pub(crate) payload: &'a str,
    /// Their digest.
    pub(crate) digest: Digest,
    /// Who signed; `None` when that was not checked.
    pub(crate) signer: Option<KeyId>,
    /// What the signer may sign.
    pub(crate) purposes: Purposes,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    paddlewheel: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    paddlewheel: u32,
}

impl Form {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Form::Release => "release",
            Form::Compiled => "compiled",
            Form::Channel => "channel",
        }
    }

    /// Whether a key with these purposes may sign this form at all.
    fn allowed(self, purposes: Purposes) -> bool {
        match self {
            Form::Release => purposes.release,
            Form::Compiled => purposes.compiled,
            Form::Channel => purposes.channel || purposes.operate,
        }
    }

    fn message(self, payload: &str) -> Vec<u8> {
        format!("paddlewheel/{VERSION} {}\n{payload}", self.as_str()).into_bytes()
    }
}

/// Puts `payload` into an envelope; without a signer, into one that only a reader takes who trusts everything.
pub(crate) fn seal(form: Form, payload: &str, signer: Option<&SigningKey>) -> Result<String> {
    if let Some(key) = signer.filter(|key| !form.allowed(key.purposes())) {
        return Err(Error::refused(
            crate::Refusal::KeyPurpose,
            format!("sign a {} text", form.as_str()),
            format!("the key {} is for {}", key.public().id(), key.purposes()),
        ));
    }
    let line = FirstLine {
        paddlewheel: VERSION,
        key: signer.map(|key| key.public().id().to_string()),
        signature: signer.map(|key| key.sign(&form.message(payload))),
    };
    let line = serde_json::to_string(&line).expect("numbers and text become JSON");
    Ok(format!("{line}\n{payload}"))
}

/// Takes an envelope apart and checks its signature. `what` is what is being read, for errors.
///
/// # Errors
/// [`Untrusted`], by kind. Nothing of the payload has been looked at then.
pub(crate) fn open<'a>(form: Form, bytes: &'a [u8], trust: &Trust, what: &str) -> Result<Opened<'a>> {
    let wrong = |why, problem: String| Error::untrusted(why, format!("verify {what}"), problem);
    let malformed = |problem: &str| wrong(Untrusted::Malformed, problem.to_owned());
    let text = str::from_utf8(bytes).map_err(|_| malformed("it is not text"))?;
    let (line, payload) = text.split_once('\n').ok_or_else(|| malformed("it has no second line"))?;
    if line.len() > FIRST_LINE_BYTES_MAX {
        return Err(malformed("its first line is too long"));
    }
    let no_envelope = |_| malformed("its first line is not that of a signed text");
    let version: Version = serde_json::from_str(line).map_err(no_envelope)?;
    if version.paddlewheel != VERSION {
        return Err(wrong(
            Untrusted::UnknownVersion,
            format!("its envelope has version {}, and {VERSION} is known here", version.paddlewheel),
        ));
    }
    let line: FirstLine = serde_json::from_str(line).map_err(no_envelope)?;
    let digest = Digest::of(payload.as_bytes());
    let keys = match trust {
        Trust::Keys(keys) => keys,
        Trust::Unsigned => return Ok(Opened { payload, digest, signer: None, purposes: Purposes::PUBLISHER }),
    };
    let (Some(id), Some(signature)) = (line.key, line.signature) else {
        return Err(wrong(Untrusted::Unsigned, "it is not signed".into()));
    };
    let Some(key) = keys.get(&id) else {
        let shown: String = id.chars().take(16).collect();
        return Err(wrong(
            Untrusted::UnknownKey,
            format!("it is signed by `{}`, which is not trusted here", shown.escape_debug()),
        ));
    };
    if !key.verifies(&form.message(payload), &signature) {
        return Err(wrong(Untrusted::Signature, format!("the signature of {id} does not fit")));
    }
    if !form.allowed(key.purposes()) {
        return Err(wrong(
            Untrusted::KeyPurpose,
            format!("it is signed by {id}, which is trusted for {} only", key.purposes()),
        ));
    }
    Ok(Opened { payload, digest, signer: Some(key.id()), purposes: key.purposes() })
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    version: u32,
}

/// Reads a payload's JSON after making sure that it is of this form and of a version that is known here.
pub(crate) fn decode<'a, T: Deserialize<'a>>(form: Form, payload: &'a str, version: u32, what: &str) -> Result<T> {
    let malformed = |error: serde_json::Error| {
        Error::untrusted(Untrusted::Malformed, format!("read {what}"), format!("it is not what it should be ({error})"))
    };
    let head: Head = serde_json::from_str(payload).map_err(malformed)?;
    if head.kind != form.as_str() {
        let problem = format!("it is a `{}`", head.kind.chars().take(40).collect::<String>().escape_debug());
        return Err(Error::untrusted(Untrusted::Place, format!("read {what}"), problem));
    }
    if head.version != version {
        let problem = format!("it has version {}, and {version} is known here", head.version);
        return Err(Error::untrusted(Untrusted::UnknownVersion, format!("read {what}"), problem));
    }
    serde_json::from_str(payload).map_err(malformed)
}
