//! The artifacts of a release that were compiled ahead of time for one engine, signed.
//!
//! They may be added to a release later and by somebody else: compiled code is native code, so its key is another
//! purpose.

use crate::envelope::{self, Form};
use crate::error::{Error, Result, Untrusted};
use crate::ids::{Digest, Fingerprint, Name, ReleaseId};
use crate::keys::{KeyId, SigningKey, Trust};
use crate::manifest::{BLOB_BYTES_MAX, Blob, Manifest, PARTS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u32 = 1;

/// A list of at most [`PARTS_MAX`] artifacts of 200 bytes each.
pub(crate) const COMPILED_BYTES_MAX: u64 = 256 * 1024;

/// Which artifact belongs to which component, for one release and one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The engine that the artifacts are for.
    pub engine: Fingerprint,
    /// By the component's digest.
    pub artifacts: BTreeMap<Digest, Blob>,
    /// When they were compiled, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// By whom, for people.
    pub by: String,
    /// Who signed; `None` from an unsigned store.
    pub signer: Option<KeyId>,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    kind: String,
    version: u32,
    pipeline: Name,
    release: ReleaseId,
    engine: Fingerprint,
    artifacts: Vec<Entry>,
    at_ms: u64,
    by: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    wasm: Digest,
    artifact: Blob,
}

impl Compiled {
    /// The list in its envelope.
    pub(crate) fn seal(&self, pipeline: &Name, release: ReleaseId, signer: Option<&SigningKey>) -> Result<String> {
        let artifacts = self.artifacts.iter().map(|(wasm, artifact)| Entry { wasm: *wasm, artifact: *artifact });
        let payload = Payload {
            kind: Form::Compiled.as_str().to_owned(),
            version: VERSION,
            pipeline: pipeline.clone(),
            release,
            engine: self.engine,
            artifacts: artifacts.collect(),
            at_ms: self.at_ms,
            by: self.by.clone(),
        };
        let text = serde_json::to_string(&payload).expect("digests and text become JSON");
        envelope::seal(Form::Compiled, &text, signer)
    }

    /// Reads a list and checks that it is for this pipeline, release and engine, signed by a key for compiled code.
    ///
    /// # Errors
    /// [`Untrusted`](crate::ErrorKind::Untrusted), by kind.
    pub fn verify(
        bytes: &[u8],
        trust: &Trust,
        pipeline: &Name,
        release: ReleaseId,
        engine: Fingerprint,
    ) -> Result<Compiled> {
        let what = format!("the compiled artifacts of release {} of `{pipeline}`", release.short());
        let opened = envelope::open(Form::Compiled, bytes, trust, &what)?;
        let payload: Payload = envelope::decode(Form::Compiled, opened.payload, VERSION, &what)?;
        let wrong = |why, problem| Error::untrusted(why, format!("verify {what}"), problem);
        if payload.pipeline != *pipeline || payload.release != release || payload.engine != engine {
            let problem = format!(
                "they are for release {} of `{}` and engine {}",
                payload.release, payload.pipeline, payload.engine
            );
            return Err(wrong(Untrusted::Place, problem));
        }
        let count = payload.artifacts.len();
        if count > PARTS_MAX || payload.artifacts.iter().any(|entry| entry.artifact.bytes > BLOB_BYTES_MAX) {
            return Err(wrong(Untrusted::Malformed, "they are too many or too large".to_owned()));
        }
        let artifacts: BTreeMap<_, _> =
            payload.artifacts.into_iter().map(|entry| (entry.wasm, entry.artifact)).collect();
        if artifacts.len() != count {
            return Err(wrong(Untrusted::Malformed, "a component stands in the list twice".to_owned()));
        }
        Ok(Compiled { engine, artifacts, at_ms: payload.at_ms, by: payload.by, signer: opened.signer })
    }

    /// Whether every plugin of the release has its artifact.
    pub fn covers(&self, manifest: &Manifest) -> bool {
        manifest.plugins.iter().all(|plugin| self.artifacts.contains_key(&plugin.wasm.digest))
    }
}

/// The artifacts that a list names, read without checking its signature: for keeping blobs, never for using them.
pub(crate) fn named_blobs(bytes: &[u8], what: &str) -> Result<BTreeSet<Blob>> {
    let opened = envelope::open(Form::Compiled, bytes, &Trust::Unsigned, what)?;
    let payload: Payload = envelope::decode(Form::Compiled, opened.payload, VERSION, what)?;
    Ok(payload.artifacts.into_iter().map(|entry| entry.artifact).collect())
}
