//! Publishing: blobs first, then the manifest, then what was compiled. The channel is moved afterwards, by
//! [`Registry::promote`](crate::Registry::promote).
//!
//! A kill between any two writes leaves blobs that nothing refers to, or a release that no channel holds; what channels
//! hold is whole at any moment. Publishing the same draft again completes it.

use crate::compiled::{COMPILED_BYTES_MAX, Compiled};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Fingerprint, Name, ReleaseId};
use crate::keys::{SigningKey, Trust, TrustedKeys};
use crate::layout;
use crate::manifest::{Blob, MANIFEST_BYTES_MAX, Manifest, Release};
use crate::registry::{PARALLEL_MAX, Registry};
use crate::store::PutBlob;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// A release with all its bytes, ready to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    manifest: Manifest,
    blobs: BTreeMap<Digest, Bytes>,
    compiled: Vec<DraftCompiled>,
    id: ReleaseId,
}

/// What was compiled for one engine.
#[derive(Debug, Clone)]
pub struct DraftCompiled {
    /// The engine.
    pub engine: Fingerprint,
    /// The artifact of each component, by the component's digest.
    pub artifacts: BTreeMap<Digest, Bytes>,
    /// When it was compiled, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// By whom, for people.
    pub by: String,
}

/// How to publish.
#[derive(Clone, Copy)]
pub struct Publishing<'a> {
    /// The key; `None` for a store that is read unsigned.
    pub signer: Option<&'a SigningKey>,
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Releases whose blobs are known to be in the store, such as the one that the channel holds: theirs are not
    /// written again, whatever their age.
    pub referred: &'a BTreeSet<Blob>,
    /// Write every blob even when it is there: repairs a damaged one.
    pub rewrite: bool,
    /// Called after each object.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far publishing has come. Totals do not change on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of blobs that are in the store now.
    pub bytes: u64,
    /// Bytes of all blobs.
    pub bytes_total: u64,
    /// Objects that are in the store now, signed texts included.
    pub objects: u64,
    /// All objects.
    pub objects_total: u64,
    /// Bytes that had to be written.
    pub bytes_written: u64,
}

impl Draft {
    /// A release of `manifest`, whose blobs are among `blobs`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when a blob that the manifest names is missing, or the manifest is out of its bounds.
    pub fn new(manifest: Manifest, blobs: impl IntoIterator<Item = Bytes>) -> Result<Draft> {
        let mut blobs: BTreeMap<Digest, Bytes> = blobs.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        let named = manifest.blobs();
        // What no manifest names would be garbage.
        blobs.retain(|digest, _| named.iter().any(|blob| blob.digest == *digest));
        for blob in named {
            if blobs.get(&blob.digest).is_none_or(|bytes| bytes.len() as u64 != blob.bytes) {
                let problem = format!("the bytes of blob {} are missing", blob.digest);
                return Err(Error::invalid("prepare a release", problem));
            }
        }
        let (_, id) = manifest.payload()?;
        Ok(Draft { manifest, blobs, compiled: Vec::new(), id })
    }

    /// Adds what was compiled for an engine.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it names a component that the release has not.
    pub fn with_compiled(mut self, compiled: DraftCompiled) -> Result<Draft> {
        compiled.check(&self.manifest)?;
        self.compiled.push(compiled);
        Ok(self)
    }

    /// The id that the release will have. It does not depend on the key.
    pub fn id(&self) -> ReleaseId {
        self.id
    }

    /// What the release is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl DraftCompiled {
    fn check(&self, manifest: &Manifest) -> Result<()> {
        let known = |digest: &Digest| manifest.plugins.iter().any(|plugin| plugin.wasm.digest == *digest);
        match self.artifacts.keys().find(|digest| !known(digest)) {
            None => Ok(()),
            Some(digest) => {
                Err(Error::invalid("prepare compiled artifacts", format!("the release has no component {digest}")))
            }
        }
    }

    fn list(&self) -> Compiled {
        Compiled {
            engine: self.engine,
            artifacts: self.artifacts.iter().map(|(wasm, bytes)| (*wasm, Blob::of(bytes))).collect(),
            at_ms: self.at_ms,
            by: self.by.clone(),
            signer: None,
        }
    }
}

impl Registry {
    /// Puts a release into the store. No channel moves.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when the key is not for this, [`ErrorKind::Invalid`] when the draft is for another
    /// pipeline, and whatever the store refuses.
    pub async fn publish(&self, draft: &Draft, how: Publishing<'_>) -> Result<ReleaseId> {
        if draft.manifest.pipeline != self.pipeline {
            let problem = format!("the release is for pipeline `{}`", draft.manifest.pipeline);
            return Err(Error::invalid(format!("publish to pipeline `{}`", self.pipeline), problem));
        }
        // Everything is signed before anything is written: a key that may not sign leaves no trace.
        let (manifest, id) = draft.manifest.seal(how.signer)?;
        let lists = self.seal_lists(&draft.compiled, id, how.signer)?;
        let artifacts = draft.compiled.iter().flat_map(|compiled| compiled.artifacts.values());
        let blobs: Vec<&Bytes> = draft.blobs.values().chain(artifacts).collect();
        let upload = Upload::new(self, &blobs, 1 + lists.len() as u64, how);
        upload.blobs().await?;
        let own = self.believing(how.signer);
        let check = |bytes: &[u8]| Release::verify(bytes, &own, &self.pipeline, id).is_ok();
        self.put_signed(&layout::manifest(&self.pipeline, id), manifest, MANIFEST_BYTES_MAX, &check).await?;
        upload.one_more(0, false);
        self.put_lists(&lists, id, how.signer, &upload).await?;
        upload.blobs_again().await?;
        Ok(id)
    }

    /// Adds what was compiled for other engines to a release, whose identity stays. A list that is there already and
    /// that the key's owner would have signed is left as it is.
    ///
    /// # Errors
    /// As for [`Registry::publish`], and [`ErrorKind::NotFound`] without the release.
    pub async fn add_compiled(&self, id: ReleaseId, compiled: &[DraftCompiled], how: Publishing<'_>) -> Result<()> {
        let release = self.release(id).await?;
        compiled.iter().try_for_each(|compiled| compiled.check(&release.manifest))?;
        let lists = self.seal_lists(compiled, id, how.signer)?;
        let blobs: Vec<&Bytes> = compiled.iter().flat_map(|compiled| compiled.artifacts.values()).collect();
        let upload = Upload::new(self, &blobs, lists.len() as u64, how);
        upload.blobs().await?;
        self.put_lists(&lists, id, how.signer, &upload).await?;
        upload.blobs_again().await
    }

    fn seal_lists(
        &self,
        compiled: &[DraftCompiled],
        id: ReleaseId,
        signer: Option<&SigningKey>,
    ) -> Result<Vec<(Fingerprint, String)>> {
        let seal = |one: &DraftCompiled| Ok((one.engine, one.list().seal(&self.pipeline, id, signer)?));
        compiled.iter().map(seal).collect()
    }

    async fn put_lists(
        &self,
        lists: &[(Fingerprint, String)],
        id: ReleaseId,
        signer: Option<&SigningKey>,
        upload: &Upload<'_>,
    ) -> Result<()> {
        let own = self.believing(signer);
        for (engine, text) in lists {
            let path = layout::compiled(&self.pipeline, id, *engine);
            // What is there must name the same artifacts: blobs of another list were not looked at.
            let wanted = Compiled::verify(text.as_bytes(), &own, &self.pipeline, id, *engine)?.artifacts;
            let check = |bytes: &[u8]| {
                Compiled::verify(bytes, &own, &self.pipeline, id, *engine).is_ok_and(|list| list.artifacts == wanted)
            };
            self.put_signed(&path, text.clone(), COMPILED_BYTES_MAX, &check).await?;
            upload.one_more(0, false);
        }
        Ok(())
    }

    /// Writes a signed text that does not change, unless one is there that is as good. Another one (damaged, or signed
    /// with a key that is not trusted any more) is replaced.
    async fn put_signed(
        &self,
        path: &Path,
        text: String,
        bytes_max: u64,
        is_good: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> Result<()> {
        let bytes = Bytes::from(text);
        match self.store.create(path, bytes.clone()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            written => return written,
        }
        let there = self.store.get(path, bytes_max).await?;
        if is_good(&there.bytes) {
            return Ok(());
        }
        self.store.replace(path, bytes, &there.version).await
    }

    /// Whom a publisher believes about its own texts: whom it trusts, and itself.
    pub(crate) fn believing(&self, signer: Option<&SigningKey>) -> Trust {
        match (&self.trust, signer) {
            (Trust::Keys(keys), Some(signer)) => Trust::Keys(keys.clone().with(signer)),
            (Trust::Keys(keys), None) => Trust::Keys(keys.clone()),
            (Trust::Unsigned, Some(signer)) => Trust::Keys(TrustedKeys::default().with(signer)),
            (Trust::Unsigned, None) => Trust::Unsigned,
        }
    }
}

/// Blobs on their way, and how many are there.
struct Upload<'a> {
    registry: &'a Registry,
    blobs: BTreeMap<Digest, &'a Bytes>,
    how: Publishing<'a>,
    bytes: AtomicU64,
    objects: AtomicU64,
    bytes_written: AtomicU64,
    bytes_total: u64,
    objects_total: u64,
}

impl<'a> Upload<'a> {
    fn new(registry: &'a Registry, blobs: &[&'a Bytes], texts: u64, how: Publishing<'a>) -> Upload<'a> {
        let blobs: BTreeMap<Digest, &Bytes> = blobs.iter().map(|bytes| (Digest::of(bytes), *bytes)).collect();
        Upload {
            registry,
            how,
            bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            bytes_total: blobs.values().map(|bytes| bytes.len() as u64).sum(),
            objects_total: blobs.len() as u64 + texts,
            blobs,
        }
    }

    async fn blobs(&self) -> Result<()> {
        let puts: Vec<_> = self.blobs.iter().map(|(digest, bytes)| self.blob(*digest, bytes)).collect();
        stream::iter(puts).buffer_unordered(PARALLEL_MAX).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn blob(&self, digest: Digest, bytes: &Bytes) -> Result<()> {
        let referred = self.how.referred.iter().any(|blob| blob.digest == digest);
        let when = match (self.how.rewrite, referred) {
            (true, _) => PutBlob::Always,
            (false, true) => PutBlob::Referred,
            (false, false) => PutBlob::UnlessFresh(self.how.now_ms),
        };
        let written = self.registry.store.put_blob(bytes, digest, when).await?;
        self.one_more(bytes.len() as u64, written);
        Ok(())
    }

    /// Looks once more that every blob is there, now that a manifest keeps it: a `gc` may have been on its way.
    async fn blobs_again(&self) -> Result<()> {
        let store = &self.registry.store;
        let put = |(digest, bytes): (&Digest, &&'a Bytes)| store.put_blob(bytes, *digest, PutBlob::Referred);
        let puts: Vec<_> = self.blobs.iter().map(put).collect();
        stream::iter(puts).buffer_unordered(PARALLEL_MAX).try_collect::<Vec<bool>>().await?;
        Ok(())
    }

    fn one_more(&self, bytes: u64, written: bool) {
        let add = |counter: &AtomicU64, by| counter.fetch_add(by, Ordering::Relaxed) + by;
        (self.how.progress)(Progress {
            bytes: add(&self.bytes, bytes),
            bytes_total: self.bytes_total,
            objects: add(&self.objects, 1),
            objects_total: self.objects_total,
            bytes_written: add(&self.bytes_written, if written { bytes } else { 0 }),
        });
    }
}

/// The pipelines that a store holds, by name; at most `count_max`.
///
/// # Errors
/// Whatever the store refuses.
pub async fn pipelines(store: &crate::Store, count_max: usize) -> Result<Vec<Name>> {
    let names = store.folders(&layout::pipelines(), count_max).await?;
    Ok(names.iter().filter_map(|name| Name::new(name).ok()).collect())
}
