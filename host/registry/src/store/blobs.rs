//! Blobs: immutable bytes under their digest.
//!
//! **Collecting garbage beside a publisher.** `gc` removes blobs that no release refers to and that were written more
//! than a day ago. A publisher that finds a blob in the store therefore leaves it alone only if it will not become a
//! day old under its hands ([`FRESH_MS`]) or if a release that stays refers to it; any other it writes again, which
//! makes it new. `gc` looks at each blob's time again right before removing it, and a publisher looks at all of its
//! blobs again after its manifest is written and before a channel names it. What is left is a `gc` that is frozen
//! between its last look and its request to remove for longer than a whole publish takes: hosts would then refuse the
//! release and keep the old one, and publishing again would repair it.

use super::Store;
use crate::error::{Error, ErrorKind, Result, Untrusted};
use crate::ids::Digest;
use crate::layout;
use crate::manifest::Blob;
use bytes::Bytes;
use object_store::PutMode;

/// A blob written less than 12 hours ago is not written again: it is safe from `gc` for 12 more, and no publish takes
/// that long.
pub(crate) const FRESH_MS: u64 = 12 * 60 * 60 * 1000;

/// When to write a blob that is there already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PutBlob {
    /// A release that stays refers to it: never, unless its size is wrong.
    Referred,
    /// When it is older than [`FRESH_MS`] at this time, in milliseconds since the Unix epoch.
    UnlessFresh(u64),
    /// Always: to repair a damaged one.
    Always,
}

impl Store {
    /// Makes sure that a blob is there; says whether it had to be written.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn put_blob(&self, bytes: &Bytes, digest: Digest, when: PutBlob) -> Result<bool> {
        let path = layout::blob(digest);
        let mode = match self.head(&path).await? {
            None => PutMode::Create,
            Some((listed, version)) => {
                let keep = match when {
                    PutBlob::Referred => true,
                    PutBlob::UnlessFresh(now_ms) => now_ms.saturating_sub(listed.written_ms) < FRESH_MS,
                    PutBlob::Always => false,
                };
                if keep && listed.bytes == bytes.len() as u64 {
                    return Ok(false);
                }
                PutMode::Update(version.for_update())
            }
        };
        self.write(&path, bytes.clone(), mode, self.patience.blob_timeout).await?;
        Ok(true)
    }

    /// Reads a blob and checks its size and its digest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`Untrusted::Size`], [`Untrusted::Digest`], and whatever the store refuses.
    pub(crate) async fn get_blob(&self, blob: Blob) -> Result<Bytes> {
        let path = layout::blob(blob.digest);
        let wrong = |why, problem| Error::untrusted(why, self.doing("verify", &path), problem);
        let object = match self.read(&path, None, blob.bytes, self.patience.blob_timeout).await {
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                return Err(wrong(
                    Untrusted::Size,
                    format!("it has more than the {} bytes it should have", blob.bytes),
                ));
            }
            object => object?,
        };
        let bytes = object.map(|object| object.bytes).unwrap_or_default();
        if bytes.len() as u64 != blob.bytes {
            return Err(wrong(Untrusted::Size, format!("it has {} bytes and should have {}", bytes.len(), blob.bytes)));
        }
        if Digest::of(&bytes) != blob.digest {
            return Err(wrong(Untrusted::Digest, "its bytes have another digest".to_owned()));
        }
        Ok(bytes)
    }
}
