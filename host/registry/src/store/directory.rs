//! A folder as a store: `object_store`'s own, and the conditional update that it lacks.
//!
//! An update takes an exclusive `flock` on the folder's file `lock`, which is never removed (a lock on a file that
//! somebody removes locks nobody out), compares the version, and renames a file that is already on the disk over the
//! old one. A kill at any point leaves the old object or the new one, and the kernel lets go of the lock.
//!
//! The version of a small object is its digest. `object_store` takes inode, time and size; two updates within one tick
//! of the kernel's clock can bring all three back, and an update would be lost.
//!
//! For local file systems, where `flock` and `rename` mean what they say.

use crate::ids::Digest;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UpdateVersion,
};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Objects up to this size have their digest for a version: every signed text does. Larger ones are blobs, whose path
/// is their digest.
const VERSIONED_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// How often the lock is tried, and the pause between: ten seconds together. It is held for one write of one file.
const LOCK_TRIES_MAX: u32 = 2_000;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

const LOCK_FILE: &str = "lock";

/// A folder.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    /// Opened once the folder is there.
    files: OnceLock<LocalFileSystem>,
    root: PathBuf,
}

impl Directory {
    pub(crate) fn open(root: &std::path::Path) -> Result<Directory> {
        let directory = Directory::awaited(root);
        directory.files()?;
        Ok(directory)
    }

    /// A folder that need not be there yet: until it is, every request fails as if the store did not answer.
    pub(crate) fn awaited(root: &std::path::Path) -> Directory {
        Directory { files: OnceLock::new(), root: root.to_owned() }
    }

    fn files(&self) -> Result<&LocalFileSystem> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let files = LocalFileSystem::new_with_prefix(&self.root)?.with_fsync(true);
        Ok(self.files.get_or_init(|| files))
    }

    fn update(&self, location: &Path, payload: &PutPayload, wanted: &UpdateVersion) -> Result<PutResult> {
        let path = self.files()?.path_to_filesystem(location)?;
        let lock = lock(&self.root)?;
        let there = read_version(&path).map_err(|error| failed("read", &path, error))?;
        if there.is_none() || there != wanted.e_tag {
            return Err(Error::Precondition {
                path: location.to_string(),
                source: "it has another version by now".into(),
            });
        }
        replace(&path, payload).map_err(|error| failed("write", &path, error))?;
        let e_tag = read_version(&path).map_err(|error| failed("read", &path, error))?;
        drop(lock);
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }
}

fn lock(root: &std::path::Path) -> Result<File> {
    let path = root.join(LOCK_FILE);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|error| failed("open", &path, error))?;
    for _ in 0..LOCK_TRIES_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path, error)),
        }
    }
    let held = std::io::Error::new(std::io::ErrorKind::TimedOut, "somebody holds the lock for too long");
    Err(failed("lock", &path, held))
}

/// The version of what is at `path`; `None` when nothing is.
fn read_version(path: &std::path::Path) -> std::io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let size = file.metadata()?.len();
    if size > VERSIONED_BYTES_MAX {
        return Ok(Some(large_version(size)));
    }
    let mut bytes = Vec::new();
    file.take(VERSIONED_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(Some(version(&bytes)))
}

fn version(bytes: &[u8]) -> String {
    format!("\"{}\"", Digest::of(bytes))
}

/// A blob's version: what is at a blob's path is that blob, or it is damaged and is refused when it is read.
fn large_version(size: u64) -> String {
    format!("\"{size}\"")
}

/// Puts a file that is on the disk already in the place of the old one.
fn replace(path: &std::path::Path, payload: &PutPayload) -> std::io::Result<()> {
    // The name is one that `object_store` hides from listings and never reads.
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{}", fastrand::u64(..)));
    let staged = PathBuf::from(staged);
    let written = write_staged(&staged, payload).and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // A leftover does no harm; `gc` removes it.
        drop(std::fs::remove_file(&staged));
    }
    written?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_staged(staged: &std::path::Path, payload: &PutPayload) -> std::io::Result<()> {
    let mut file = File::options().create_new(true).write(true).open(staged)?;
    for part in payload {
        file.write_all(part)?;
    }
    file.sync_all()
}

fn failed(verb: &str, path: &std::path::Path, error: std::io::Error) -> Error {
    let source = std::io::Error::new(error.kind(), format!("{verb} {}: {error}", path.display()));
    Error::Generic { store: "Directory", source: Box::new(source) }
}

/// Removes files that writers left behind when they were killed, if they are older than `before`; says how many.
pub(crate) fn remove_leftovers(root: &std::path::Path, before: SystemTime) -> std::io::Result<u64> {
    let mut removed = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.file_name();
            let staged = name
                .to_str()
                .and_then(|name| name.rsplit_once('#'))
                .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
            if kind.is_file() && staged && entry.metadata()?.modified()? < before {
                std::fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let PutMode::Update(wanted) = options.mode else {
            return self.files()?.put_opts(location, payload, options).await;
        };
        let (store, location) = (self.clone(), location.clone());
        // The lock lives inside this one closure: a caller that stops waiting cannot let go of it in the middle.
        tokio::task::spawn_blocking(move || store.update(&location, &payload, &wanted)).await?
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let plain = GetOptions { range: options.range.clone(), ..GetOptions::default() };
        let mut found = self.files()?.get_opts(location, plain).await?;
        if found.meta.size > VERSIONED_BYTES_MAX || options.range.is_some() {
            found.meta.e_tag = Some(large_version(found.meta.size));
            options.check_preconditions(&found.meta)?;
            return Ok(found);
        }
        let (mut meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let bytes = found.bytes().await?;
        meta.e_tag = Some(version(&bytes));
        options.check_preconditions(&meta)?;
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files()?.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.files() {
            Ok(files) => files.delete_stream(locations),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.files() {
            Ok(files) => files.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files()?.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files()?.copy_opts(from, to, options).await
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({})", self.root.display())
    }
}
