//! Objects by path, in a bucket, a folder or memory: bounded reads, conditional writes, bounded retries.
//!
//! Every request has a time limit and is tried a few times when the store cannot now; nothing here waits for ever. A
//! conditional write that meets a 409 or 412 reads the object again: it may be its own, written by a request whose
//! answer was lost.

mod blobs;
mod classify;
pub(crate) mod directory;
mod open;
mod s3;

pub(crate) use blobs::PutBlob;
pub use open::{Options, Patience};
pub use s3::{Credentials, CredentialsHook, Fetching};

use crate::error::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use classify::{classify, is_not_modified};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The wait before the second try, doubled for each one after it; what is slept is a random part of it.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A bucket with a prefix, a folder, or memory. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// For people.
    url: Arc<str>,
    patience: Patience,
    random: Arc<Mutex<fastrand::Rng>>,
    /// The folder of a directory store.
    folder: Option<PathBuf>,
}

/// An object as it was read, with the version that a conditional write names.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) version: Version,
}

/// An object's version: opaque, equal when the object is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(String);

impl Version {
    fn for_update(&self) -> UpdateVersion {
        UpdateVersion { e_tag: Some(self.0.clone()), version: None }
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) path: Path,
    pub(crate) bytes: u64,
    /// When it was written, in milliseconds since the Unix epoch, by the store's clock.
    pub(crate) written_ms: u64,
}

impl Store {
    pub(crate) fn over(objects: Arc<dyn ObjectStore>, prefix: Path, url: &str, options: &Options) -> Store {
        Store {
            objects,
            prefix,
            url: url.trim_end_matches('/').into(),
            patience: options.patience,
            random: Arc::new(Mutex::new(options.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed))),
            folder: None,
        }
    }

    /// The same store, with other limits for waiting: a host that polls has less time than a publisher.
    #[must_use]
    pub fn with_patience(&self, patience: Patience) -> Store {
        Store { patience, ..self.clone() }
    }

    /// The folder of a directory store.
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_deref()
    }

    fn path(&self, path: &Path) -> Path {
        self.prefix.parts().chain(path.parts()).collect()
    }

    fn doing(&self, verb: &str, path: &Path) -> String {
        format!("{verb} {}/{path}", self.url)
    }

    /// Reads a whole object of at most `bytes_max`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::TooLarge`], and whatever the store refuses.
    pub(crate) async fn get(&self, path: &Path, bytes_max: u64) -> Result<Object> {
        let object = self.read(path, None, bytes_max, self.patience.object_timeout).await?;
        object.ok_or_else(|| {
            Error::new(ErrorKind::Store, self.doing("read", path), "it answered `not modified` to a plain request")
        })
    }

    /// Reads an object unless it is still of `version`: then `None`, at the price of an answer without a body.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub(crate) async fn get_if_changed(&self, path: &Path, version: &Version, max: u64) -> Result<Option<Object>> {
        self.read(path, Some(version), max, self.patience.object_timeout).await
    }

    async fn read(
        &self,
        path: &Path,
        unless: Option<&Version>,
        bytes_max: u64,
        timeout: Duration,
    ) -> Result<Option<Object>> {
        let action = self.doing("read", path);
        let mut tries = self.tries();
        loop {
            let one = self.read_once(path, unless, bytes_max, &action);
            match self.limited(timeout, &action, one).await {
                Err(error) if error.is_transient() && tries.again().await => {}
                answer => return answer,
            }
        }
    }

    async fn read_once(
        &self,
        path: &Path,
        unless: Option<&Version>,
        bytes_max: u64,
        action: &str,
    ) -> Result<Option<Object>> {
        let options = GetOptions { if_none_match: unless.map(|version| version.0.clone()), ..GetOptions::default() };
        let answer = match self.objects.get_opts(&self.path(path), options).await {
            Err(error) if is_not_modified(&error) && unless.is_some() => return Ok(None),
            answer => answer.map_err(|error| classify(&error, action))?,
        };
        if answer.meta.size > bytes_max {
            return Err(too_large(action, answer.meta.size, bytes_max));
        }
        let version = Version(answer.meta.e_tag.clone().unwrap_or_default());
        let bytes = body(answer, bytes_max, action).await?;
        Ok(Some(Object { bytes, version }))
    }

    /// Writes an object that must not exist yet. One with these very bytes counts as written.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when another one is there.
    pub(crate) async fn create(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.write(path, bytes, PutMode::Create, self.patience.object_timeout).await
    }

    /// Replaces the object of `version`. If the one that is there has these very bytes, it counts as written.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it has another version by now, or is gone.
    pub(crate) async fn replace(&self, path: &Path, bytes: Bytes, version: &Version) -> Result<()> {
        self.write(path, bytes, PutMode::Update(version.for_update()), self.patience.object_timeout).await
    }

    /// Writes an object that only one writer writes, whatever is there.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn overwrite(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.write(path, bytes, PutMode::Overwrite, self.patience.object_timeout).await
    }

    async fn write(&self, path: &Path, bytes: Bytes, mode: PutMode, timeout: Duration) -> Result<()> {
        let action = self.doing("write", path);
        let mut tries = self.tries();
        loop {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            let to = self.path(path);
            let one = self.objects.put_opts(&to, bytes.clone().into(), options);
            let one = async { one.await.map(|_| ()).map_err(|error| classify(&error, &action)) };
            let error = match self.limited(timeout, &action, one).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let retry = match error.kind() {
                ErrorKind::Conflict => match self.after_conflict(path, &bytes, &mode).await? {
                    AfterConflict::Ours => return Ok(()),
                    AfterConflict::Theirs => false,
                    AfterConflict::Passing => true,
                },
                _ => error.is_transient(),
            };
            if !(retry && tries.again().await) {
                return Err(error);
            }
        }
    }

    /// What a conflict means: S3 also answers 409 to a write that met another one on its way, and a write whose answer
    /// was lost meets itself when it is tried again.
    async fn after_conflict(&self, path: &Path, bytes: &Bytes, mode: &PutMode) -> Result<AfterConflict> {
        let there = match self.read(path, None, bytes.len() as u64, self.patience.blob_timeout).await {
            Ok(there) => there,
            // Longer than ours, so not ours.
            Err(error) if error.kind() == ErrorKind::TooLarge => return Ok(AfterConflict::Theirs),
            Err(error) if error.is_not_found() => {
                return Ok(if *mode == PutMode::Create { AfterConflict::Passing } else { AfterConflict::Theirs });
            }
            Err(error) => return Err(error),
        };
        Ok(match (there, mode) {
            (Some(there), _) if there.bytes == *bytes => AfterConflict::Ours,
            (Some(there), PutMode::Update(wanted)) if wanted.e_tag.as_ref() == Some(&there.version.0) => {
                AfterConflict::Passing
            }
            _ => AfterConflict::Theirs,
        })
    }

    /// Removes an object. One that is not there counts as removed.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        let action = self.doing("remove", path);
        let to = self.path(path);
        let mut tries = self.tries();
        loop {
            let one = async { self.objects.delete(&to).await.map_err(|error| classify(&error, &action)) };
            match self.limited(self.patience.object_timeout, &action, one).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.is_transient() && tries.again().await => {}
                answer => return answer,
            }
        }
    }

    /// What an object's listing would show, or `None` when it is not there.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn head(&self, path: &Path) -> Result<Option<(Listed, Version)>> {
        let action = self.doing("look at", path);
        let to = self.path(path);
        let mut tries = self.tries();
        loop {
            let one = async { self.objects.head(&to).await.map_err(|error| classify(&error, &action)) };
            match self.limited(self.patience.object_timeout, &action, one).await {
                Err(error) if error.is_transient() && tries.again().await => {}
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
                Ok(meta) => {
                    let version = Version(meta.e_tag.clone().unwrap_or_default());
                    return Ok(Some((self.listed(meta), version)));
                }
            }
        }
    }

    /// Lists what is below `prefix`, at most `count_max` objects; the second value says whether there are more.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn list(&self, prefix: &Path, count_max: usize) -> Result<(Vec<Listed>, bool)> {
        self.list_from(prefix, None, count_max).await
    }

    /// As [`Store::list`], but only what comes after the path `after`, in the order of paths.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn list_after(
        &self,
        prefix: &Path,
        after: &Path,
        count_max: usize,
    ) -> Result<(Vec<Listed>, bool)> {
        self.list_from(prefix, Some(after), count_max).await
    }

    async fn list_from(&self, prefix: &Path, after: Option<&Path>, count_max: usize) -> Result<(Vec<Listed>, bool)> {
        let action = self.doing("list", prefix);
        let mut tries = self.tries();
        loop {
            let one = self.list_once(prefix, after, count_max, &action);
            match self.limited(self.patience.blob_timeout, &action, one).await {
                Err(error) if error.is_transient() && tries.again().await => {}
                answer => return answer,
            }
        }
    }

    async fn list_once(
        &self,
        prefix: &Path,
        after: Option<&Path>,
        count_max: usize,
        action: &str,
    ) -> Result<(Vec<Listed>, bool)> {
        let below = self.path(prefix);
        let listing: BoxStream<'_, _> = match after {
            None => self.objects.list(Some(&below)),
            Some(after) => self.objects.list_with_offset(Some(&below), &self.path(after)),
        };
        let metas: Vec<ObjectMeta> =
            listing.take(count_max + 1).try_collect().await.map_err(|error| classify(&error, action))?;
        let more = metas.len() > count_max;
        Ok((metas.into_iter().take(count_max).map(|meta| self.listed(meta)).collect(), more))
    }

    /// The names of what is directly below `prefix` and has something below itself; at most `count_max`, in order.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub(crate) async fn folders(&self, prefix: &Path, count_max: usize) -> Result<Vec<String>> {
        let action = self.doing("list", prefix);
        let below = self.path(prefix);
        let mut tries = self.tries();
        loop {
            let one = async {
                self.objects.list_with_delimiter(Some(&below)).await.map_err(|error| classify(&error, &action))
            };
            match self.limited(self.patience.blob_timeout, &action, one).await {
                Err(error) if error.is_transient() && tries.again().await => {}
                answer => {
                    let folders = answer?.common_prefixes;
                    let name = |path: Path| path.filename().map(str::to_owned);
                    return Ok(folders.into_iter().filter_map(name).take(count_max).collect());
                }
            }
        }
    }

    fn listed(&self, meta: ObjectMeta) -> Listed {
        let relative: Option<Path> = meta.location.prefix_match(&self.prefix).map(Iterator::collect);
        let path = relative.unwrap_or(meta.location);
        let written_ms = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
        Listed { path, bytes: meta.size, written_ms }
    }

    async fn limited<T>(&self, limit: Duration, action: &str, one: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(limit, one).await.unwrap_or_else(|_| {
            let problem = format!("no answer within {} ms", limit.as_millis());
            Err(Error::new(ErrorKind::Unavailable, action, problem))
        })
    }

    fn tries(&self) -> Tries<'_> {
        Tries { left: self.patience.tries.saturating_sub(1), wait: WAIT_MIN, random: &self.random }
    }

    /// Waits before a lost race is run again.
    pub(crate) async fn wait_a_little(&self) {
        Tries { left: 1, wait: WAIT_MIN, random: &self.random }.again().await;
    }
}

enum AfterConflict {
    /// What is there is what we wrote.
    Ours,
    /// Somebody else wrote.
    Theirs,
    /// Nothing was written: the store asks to come again.
    Passing,
}

/// The tries of one request that are left.
struct Tries<'a> {
    left: u32,
    wait: Duration,
    random: &'a Mutex<fastrand::Rng>,
}

impl Tries<'_> {
    /// Waits for the next try; `false` when there is none.
    async fn again(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let part = self.random.lock().unwrap_or_else(PoisonError::into_inner).f64();
        tokio::time::sleep(self.wait.mul_f64(part)).await;
        self.wait = (self.wait * 2).min(WAIT_MAX);
        true
    }
}

/// Reads an answer to its end: never more than `bytes_max`, and never less than the store promised.
async fn body(answer: GetResult, bytes_max: u64, action: &str) -> Result<Bytes> {
    let promised = answer.range.end - answer.range.start;
    let mut chunks = answer.into_stream();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| classify(&error, action))?;
        let so_far = first.len().max(all.len()) + chunk.len();
        if so_far as u64 > bytes_max {
            return Err(too_large(action, so_far as u64, bytes_max));
        }
        if first.is_empty() && all.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.reserve(usize::try_from(promised.min(bytes_max)).unwrap_or_default());
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    let bytes = if all.is_empty() { first } else { all.freeze() };
    if bytes.len() as u64 != promised {
        let problem = format!("the answer ended after {} of {promised} bytes", bytes.len());
        return Err(Error::new(ErrorKind::Unavailable, action, problem));
    }
    Ok(bytes)
}

fn too_large(action: &str, bytes: u64, bytes_max: u64) -> Error {
    Error::new(ErrorKind::TooLarge, action, format!("it has {bytes} bytes or more, and at most {bytes_max} are read"))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
