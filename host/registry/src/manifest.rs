//! A release's manifest: what the release is made of, signed.
//!
//! A manifest is immutable. The release's id is the digest of its signed bytes, so a manifest found under an id either
//! is that release or is refused. Fields that this version does not know are ignored; what an older host must not run
//! has another `version`.

use crate::envelope::{self, Form};
use crate::error::{Error, Result, Untrusted};
use crate::ids::{Digest, Name, ReleaseId};
use crate::keys::{KeyId, SigningKey, Trust};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of manifests written here.
const VERSION: u32 = 1;

/// A manifest with its configuration text. A project's `paddle.toml` has kilobytes; 1 MiB leaves room for long tables
/// in a step's configuration.
pub const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// One blob: a plugin, a compiled artifact, an asset, the test records. A Python component is 40 MB and compiles to
/// 150 MB; Lambda's `/tmp` may have no more than 512 MB.
pub const BLOB_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// All blobs that one release names, compiled artifacts not counted.
pub const RELEASE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Steps of a release, and assets of all of them. Far beyond any pipeline that keeps up.
pub const PARTS_MAX: usize = 1_000;

/// Bytes in the store, named by their digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// How many there are.
    pub bytes: u64,
}

/// What a release is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The pipeline's name.
    pub pipeline: Name,
    /// The text of `paddle.toml`.
    pub config: String,
    /// The plugin of each step, in the pipeline's order.
    pub plugins: Vec<Plugin>,
    /// Read-only files of steps.
    #[serde(default)]
    pub assets: Vec<Asset>,
    /// Records that a host tries a release on before it takes it; what is in them is not known here.
    #[serde(default)]
    pub test_records: Option<Blob>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// By whom, for people.
    pub by: String,
    /// Why, for people.
    pub why: String,
    /// The version of paddle that made it.
    pub paddle: String,
}

/// A step's plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// The step's name.
    pub step: String,
    /// The plugin as `paddle.toml` names it.
    pub plugin: String,
    /// The component.
    pub wasm: Blob,
    /// What it imports.
    #[serde(default)]
    pub imports: Vec<String>,
    /// The fields it was seen reading and writing when the release was made.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// Fuel per event, measured when the release was made.
    #[serde(default)]
    pub fuel_per_event: Option<u64>,
    /// Time to load the compiled component, in microseconds, measured when the release was made.
    #[serde(default)]
    pub load_us: Option<u64>,
}

/// Fields that a plugin touched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Read.
    pub reads: BTreeSet<String>,
    /// Written or removed.
    pub writes: BTreeSet<String>,
}

/// A read-only file of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The step's name.
    pub step: String,
    /// The file's name for the step.
    pub name: String,
    /// Where it came from, for people: part of what plugins say of it.
    #[serde(default)]
    pub source: String,
    /// Its content.
    pub blob: Blob,
}

/// A manifest whose signature, place and bounds were checked.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its identity.
    pub id: ReleaseId,
    /// What it is made of.
    pub manifest: Manifest,
    /// Who signed it; `None` from an unsigned store.
    pub signer: Option<KeyId>,
}

#[derive(Serialize, Deserialize)]
struct Payload<M> {
    kind: String,
    version: u32,
    #[serde(flatten)]
    manifest: M,
}

impl Blob {
    /// The blob of these bytes.
    pub fn of(bytes: &[u8]) -> Blob {
        Blob { digest: Digest::of(bytes), bytes: bytes.len() as u64 }
    }
}

impl Manifest {
    /// Every blob that the release needs, compiled artifacts not counted; each once.
    pub fn blobs(&self) -> BTreeSet<Blob> {
        let plugins = self.plugins.iter().map(|plugin| plugin.wasm);
        plugins.chain(self.assets.iter().map(|asset| asset.blob)).chain(self.test_records).collect()
    }

    /// The text to sign, and its digest: the release's id.
    pub(crate) fn payload(&self) -> Result<(String, ReleaseId)> {
        let action = "write a release's manifest";
        self.check().map_err(|problem| Error::invalid(action, problem))?;
        let payload = Payload { kind: Form::Release.as_str().to_owned(), version: VERSION, manifest: self };
        let text = serde_json::to_string(&payload).expect("a manifest becomes JSON");
        if text.len() as u64 > MANIFEST_BYTES_MAX - 1024 {
            return Err(Error::invalid(action, format!("it is over {MANIFEST_BYTES_MAX} bytes")));
        }
        let id = ReleaseId(Digest::of(text.as_bytes()));
        Ok((text, id))
    }

    /// The manifest in its envelope, and the release's id.
    pub(crate) fn seal(&self, signer: Option<&SigningKey>) -> Result<(String, ReleaseId)> {
        let (text, id) = self.payload()?;
        Ok((envelope::seal(Form::Release, &text, signer)?, id))
    }

    fn check(&self) -> Result<(), String> {
        if self.plugins.len() > PARTS_MAX || self.assets.len() > PARTS_MAX {
            return Err(format!("it has more than {PARTS_MAX} plugins or assets"));
        }
        let mut total: u64 = 0;
        for blob in self.blobs() {
            if blob.bytes > BLOB_BYTES_MAX {
                return Err(format!("the blob {} is over {BLOB_BYTES_MAX} bytes", blob.digest));
            }
            total += blob.bytes;
        }
        if total > RELEASE_BYTES_MAX {
            return Err(format!("its blobs are over {RELEASE_BYTES_MAX} bytes together"));
        }
        Ok(())
    }
}

impl Release {
    /// Reads a manifest and checks that it is the release `id` of `pipeline`, signed by a key for releases.
    ///
    /// # Errors
    /// [`Untrusted`](crate::ErrorKind::Untrusted), by kind.
    pub fn verify(bytes: &[u8], trust: &Trust, pipeline: &Name, id: ReleaseId) -> Result<Release> {
        let what = format!("the manifest of release {} of `{pipeline}`", id.short());
        let wrong = |why, problem| Error::untrusted(why, format!("verify {what}"), problem);
        let opened = envelope::open(Form::Release, bytes, trust, &what)?;
        if opened.digest != id.0 {
            return Err(wrong(Untrusted::Digest, format!("it is release {}", opened.digest)));
        }
        let payload: Payload<Manifest> = envelope::decode(Form::Release, opened.payload, VERSION, &what)?;
        let manifest = payload.manifest;
        if manifest.pipeline != *pipeline {
            return Err(wrong(Untrusted::Place, format!("it is for pipeline `{}`", manifest.pipeline)));
        }
        manifest.check().map_err(|problem| wrong(Untrusted::Malformed, problem))?;
        Ok(Release { id, manifest, signer: opened.signer })
    }
}

/// The blobs that a manifest names, read without checking its signature: for keeping blobs, never for using them.
pub(crate) fn named_blobs(bytes: &[u8], what: &str) -> Result<BTreeSet<Blob>> {
    let opened = envelope::open(Form::Release, bytes, &Trust::Unsigned, what)?;
    let payload: Payload<Manifest> = envelope::decode(Form::Release, opened.payload, VERSION, what)?;
    Ok(payload.manifest.blobs())
}
