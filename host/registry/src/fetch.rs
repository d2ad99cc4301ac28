//! Fetching all of a release, verified: first signatures, then digests, then sizes; in parallel, from the cache where
//! it can.

use crate::cache::{Cache, pointer_name};
use crate::compiled::{COMPILED_BYTES_MAX, Compiled};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Fingerprint, Name, ReleaseId};
use crate::layout;
use crate::manifest::{Blob, MANIFEST_BYTES_MAX, Release};
use crate::pointer::{POINTER_BYTES_MAX, Pointer};
use crate::registry::{PARALLEL_MAX, Registry};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// A release with all its bytes.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The release.
    pub release: Release,
    /// The code of each component, by the component's digest.
    pub code: BTreeMap<Digest, Code>,
    /// The assets, by digest.
    pub assets: BTreeMap<Digest, Bytes>,
    /// The records to try the release on.
    pub test_records: Option<Bytes>,
}

/// A component's code.
#[derive(Debug, Clone)]
pub enum Code {
    /// Compiled ahead of time for the engine that was asked for.
    Compiled(Artifact),
    /// The component itself, to be compiled here.
    Wasm(Bytes),
}

/// Compiled code that a key for `compiled` vouches for: its list was signed for this pipeline, release and engine, it
/// names this component, and these very bytes have the digest and size that it gives. There is no other way to come by
/// one.
#[derive(Debug, Clone)]
pub struct Artifact(Bytes);

impl Artifact {
    /// The bytes that were verified.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// What to fetch of a blob, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    Compiled { wasm: Digest, artifact: Blob },
    Wasm(Blob),
    Asset(Blob),
    TestRecords(Blob),
}

impl Registry {
    /// Fetches a release: its manifest, the list of what was compiled for `engine`, then every blob. Components with a
    /// compiled artifact come compiled, the others as they are. What the cache has is not asked of the store, so a
    /// release that was fetched before is here without the network. At most `bytes_max` bytes of blobs are fetched:
    /// they are all in memory at once.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] before any blob is fetched; else the first thing that is missing or untrusted: a release
    /// is fetched whole or not at all.
    pub async fn fetch(
        &self,
        id: ReleaseId,
        engine: Option<Fingerprint>,
        bytes_max: u64,
        cache: &Cache,
    ) -> Result<Fetched> {
        let compiled = async {
            match engine {
                Some(engine) => self.cached_compiled(id, engine, cache).await,
                None => Ok(None),
            }
        };
        let (release, compiled) = futures_util::try_join!(self.cached_release(id, cache), compiled)?;
        let wants = wants(&release, compiled.as_ref(), bytes_max)?;
        let bytes: Vec<(Want, Bytes)> = stream::iter(wants)
            .map(|want| async move { Ok::<_, Error>((want, self.cached_blob(want.blob(), cache).await?)) })
            .buffer_unordered(PARALLEL_MAX)
            .try_collect()
            .await?;
        Ok(assemble(release, bytes))
    }

    /// The pointer that this host accepted last, from the cache: for a start without the store. Verified like one from
    /// the store; whether it is old, nobody can say.
    pub async fn cached_pointer(&self, channel: &Name, cache: &Cache) -> Option<Pointer> {
        let text = cache.entry(pointer_name(&self.pipeline, channel), POINTER_BYTES_MAX).await?;
        self.read_pointer(&text, channel).ok()
    }

    /// Keeps a pointer for [`Registry::cached_pointer`].
    pub async fn keep_pointer(&self, pointer: &Pointer, cache: &Cache) {
        cache.keep(pointer_name(&self.pipeline, &pointer.channel), Bytes::from(pointer.text.clone())).await;
    }

    async fn cached_release(&self, id: ReleaseId, cache: &Cache) -> Result<Release> {
        let name = format!("manifest@{id}");
        let verify = |bytes: &[u8]| Release::verify(bytes, &self.trust, &self.pipeline, id);
        if let Some(Ok(release)) = cache.entry(name.clone(), MANIFEST_BYTES_MAX).await.map(|bytes| verify(&bytes)) {
            return Ok(release);
        }
        let object = self.store.get(&layout::manifest(&self.pipeline, id), MANIFEST_BYTES_MAX).await?;
        let release = verify(&object.bytes)?;
        cache.keep(name, object.bytes).await;
        Ok(release)
    }

    async fn cached_compiled(&self, id: ReleaseId, engine: Fingerprint, cache: &Cache) -> Result<Option<Compiled>> {
        if !self.trust.takes_compiled() {
            return Ok(None);
        }
        let name = format!("compiled@{id}@{engine}");
        let verify = |bytes: &[u8]| Compiled::verify(bytes, &self.trust, &self.pipeline, id, engine);
        if let Some(Ok(list)) = cache.entry(name.clone(), COMPILED_BYTES_MAX).await.map(|bytes| verify(&bytes)) {
            return Ok(Some(list));
        }
        match self.store.get(&layout::compiled(&self.pipeline, id, engine), COMPILED_BYTES_MAX).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(object) => {
                let list = verify(&object.bytes)?;
                cache.keep(name, object.bytes).await;
                Ok(Some(list))
            }
        }
    }

    async fn cached_blob(&self, blob: Blob, cache: &Cache) -> Result<Bytes> {
        if let Some(bytes) = cache.blob(blob).await {
            return Ok(bytes);
        }
        let bytes = self.store.get_blob(blob).await?;
        cache.keep_blob(blob.digest, &bytes).await;
        Ok(bytes)
    }
}

impl Want {
    fn blob(self) -> Blob {
        match self {
            Want::Compiled { artifact, .. } => artifact,
            Want::Wasm(blob) | Want::Asset(blob) | Want::TestRecords(blob) => blob,
        }
    }
}

fn wants(release: &Release, compiled: Option<&Compiled>, bytes_max: u64) -> Result<BTreeSet<Want>> {
    let manifest = &release.manifest;
    let mut wants = BTreeSet::new();
    for plugin in &manifest.plugins {
        let wasm = plugin.wasm.digest;
        let artifact = compiled.and_then(|compiled| compiled.artifacts.get(&wasm));
        wants.insert(match artifact {
            Some(artifact) => Want::Compiled { wasm, artifact: *artifact },
            None => Want::Wasm(plugin.wasm),
        });
    }
    wants.extend(manifest.assets.iter().map(|asset| Want::Asset(asset.blob)));
    wants.extend(manifest.test_records.map(Want::TestRecords));
    // No blob is over its own bound, and there are not many: the sum does not overflow.
    let bytes: u64 = wants.iter().map(|want| want.blob().bytes).sum();
    if bytes > bytes_max {
        let problem = format!("it has {bytes} bytes, and at most {bytes_max} are fetched here");
        return Err(Error::new(ErrorKind::TooLarge, format!("fetch release {}", release.id.short()), problem));
    }
    Ok(wants)
}

fn assemble(release: Release, bytes: Vec<(Want, Bytes)>) -> Fetched {
    let mut fetched = Fetched { release, code: BTreeMap::new(), assets: BTreeMap::new(), test_records: None };
    for (want, bytes) in bytes {
        match want {
            Want::Compiled { wasm, .. } => {
                fetched.code.insert(wasm, Code::Compiled(Artifact(bytes)));
            }
            Want::Wasm(blob) => {
                fetched.code.insert(blob.digest, Code::Wasm(bytes));
            }
            Want::Asset(blob) => {
                fetched.assets.insert(blob.digest, bytes);
            }
            Want::TestRecords(_) => fetched.test_records = Some(bytes),
        }
    }
    fetched
}
