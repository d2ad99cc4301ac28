//! Removing what nothing needs: blobs that no release refers to, what hosts that are long gone last said, and their
//! verdicts about revisions that their channel has left.
//!
//! Never a blob younger than a day: it may belong to a release that is on its way. How a publisher and this work beside
//! each other stands in `store/blobs.rs`. Releases, pointers and their history are never removed.

use crate::compiled::{self, COMPILED_BYTES_MAX};
use crate::error::{Error, ErrorKind, Result};
use crate::hosts::EXPIRED_AFTER_MS;
use crate::ids::Digest;
use crate::layout::{self, Kind};
use crate::manifest::{self, Blob, MANIFEST_BYTES_MAX};
use crate::registry::PARALLEL_SMALL_MAX;
use crate::store::{Listed, Store, directory};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

/// How old a blob must be before it may go.
pub const BLOB_AGE_MIN_MS: u64 = 24 * 60 * 60 * 1000;

/// Objects that are listed in one go. A store with more is not collected: what is not known might be needed.
const LISTED_MAX: usize = 1_000_000;

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs that no release refers to.
    pub blobs: Vec<Blob>,
    /// Their bytes.
    pub bytes: u64,
    /// Files of hosts that are gone, and verdicts about revisions that are over.
    pub hosts: u64,
    /// Files that killed writers left in a directory store.
    pub leftovers: u64,
    /// Blobs that stay.
    pub kept: u64,
}

/// Collects the garbage of a whole store, every pipeline's; with `dry_run` only says what it would. `now_ms` is the
/// time in milliseconds since the Unix epoch, which is compared with the store's.
///
/// # Errors
/// [`ErrorKind::Untrusted`] when a manifest or a list of artifacts cannot be read, since its blobs are not known then,
/// and [`ErrorKind::TooLarge`] for a store with too many objects: nothing was removed in both cases. Else whatever the
/// store refuses.
pub async fn gc(store: &Store, now_ms: u64, dry_run: bool) -> Result<Collected> {
    // Blobs before manifests: a release that appears in between only keeps more.
    let blobs = list(store, &layout::blobs()).await?;
    let texts = list(store, &layout::pipelines()).await?;
    let referred = referred(store, &texts).await?;
    let mut collected = Collected::default();
    for listed in blobs {
        let digest: Option<Digest> = listed.path.filename().and_then(|name| name.parse().ok());
        // What is not named by a digest is not ours.
        let Some(digest) = digest else { continue };
        if referred.contains(&digest) || is_young(&listed, now_ms) {
            collected.kept += 1;
            continue;
        }
        if !dry_run && !remove_blob(store, &listed, now_ms).await? {
            collected.kept += 1;
            continue;
        }
        collected.bytes += listed.bytes;
        collected.blobs.push(Blob { digest, bytes: listed.bytes });
    }
    let newest = newest_revisions(&texts);
    for listed in &texts {
        let old = now_ms.saturating_sub(listed.written_ms) > EXPIRED_AFTER_MS;
        let needed = match layout::kind_of(&listed.path) {
            Kind::Host => false,
            Kind::Verdict => !is_over(&listed.path, &newest),
            Kind::Manifest | Kind::Compiled | Kind::History | Kind::Other => true,
        };
        if old && !needed {
            if !dry_run {
                store.delete(&listed.path).await?;
            }
            collected.hosts += 1;
        }
    }
    if let Some(folder) = store.folder().filter(|_| !dry_run) {
        collected.leftovers = remove_leftovers(folder, now_ms)?;
    }
    Ok(collected)
}

/// The newest revision of each channel, by pipeline and channel, as its history's names tell. Whoever can add a name
/// there could remove a verdict as well.
fn newest_revisions(texts: &[Listed]) -> BTreeMap<(String, String), u64> {
    let mut newest = BTreeMap::new();
    let entries = texts.iter().filter(|listed| matches!(layout::kind_of(&listed.path), Kind::History));
    for (pipeline, channel, revision) in entries.filter_map(|listed| layout::revision_of(&listed.path)) {
        let known = newest.entry((pipeline, channel)).or_default();
        *known = revision.max(*known);
    }
    newest
}

/// Whether a verdict is about a revision that its channel has left. A channel without a history has left nothing.
fn is_over(path: &Path, newest: &BTreeMap<(String, String), u64>) -> bool {
    let about = layout::revision_of(path);
    about.is_some_and(|(pipeline, channel, revision)| {
        newest.get(&(pipeline, channel)).is_some_and(|newest| revision < *newest)
    })
}

fn is_young(listed: &Listed, now_ms: u64) -> bool {
    now_ms.saturating_sub(listed.written_ms) < BLOB_AGE_MIN_MS
}

/// Removes a blob unless a publisher has written it again since it was listed.
async fn remove_blob(store: &Store, listed: &Listed, now_ms: u64) -> Result<bool> {
    match store.head(&listed.path).await? {
        Some((now, _)) if is_young(&now, now_ms) => Ok(false),
        Some(_) => store.delete(&listed.path).await.map(|()| true),
        None => Ok(false),
    }
}

/// The digests of all blobs that any release refers to. Signatures are not checked: a forged manifest can only keep a
/// blob.
async fn referred(store: &Store, texts: &[Listed]) -> Result<BTreeSet<Digest>> {
    let reads: Vec<_> = texts.iter().map(|listed| named_blobs(store, &listed.path)).collect();
    let sets: Vec<BTreeSet<Blob>> = stream::iter(reads).buffer_unordered(PARALLEL_SMALL_MAX).try_collect().await?;
    Ok(sets.into_iter().flatten().map(|blob| blob.digest).collect())
}

async fn named_blobs(store: &Store, path: &Path) -> Result<BTreeSet<Blob>> {
    match layout::kind_of(path) {
        Kind::Manifest => manifest::named_blobs(&store.get(path, MANIFEST_BYTES_MAX).await?.bytes, path.as_ref()),
        Kind::Compiled => compiled::named_blobs(&store.get(path, COMPILED_BYTES_MAX).await?.bytes, path.as_ref()),
        Kind::Host | Kind::Verdict | Kind::History | Kind::Other => Ok(BTreeSet::new()),
    }
}

async fn list(store: &Store, prefix: &Path) -> Result<Vec<Listed>> {
    match store.list(prefix, LISTED_MAX).await? {
        (listed, false) => Ok(listed),
        (_, true) => {
            let problem = format!("there are more than {LISTED_MAX} objects");
            Err(Error::new(ErrorKind::TooLarge, format!("list {store}/{prefix}"), problem))
        }
    }
}

fn remove_leftovers(folder: &std::path::Path, now_ms: u64) -> Result<u64> {
    let before = UNIX_EPOCH + Duration::from_millis(now_ms.saturating_sub(BLOB_AGE_MIN_MS));
    directory::remove_leftovers(folder, before).map_err(|error| {
        let action = format!("remove leftovers in {}", folder.display());
        Error::new(ErrorKind::Store, action, error.to_string())
    })
}
