//! A folder that keeps what was fetched: Lambda's `/tmp`.
//!
//! A file in it proves nothing. Blobs are hashed in the same buffer that is returned; signed texts are verified again
//! by whoever reads them. A damaged file is removed and fetched again. Files appear whole, by rename. The folder has a
//! bound: the files written longest ago go first.

use crate::ids::{Digest, Name};
use crate::manifest::Blob;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Lambda's `/tmp` has 512 MB unless somebody pays for more; the rest is for others.
pub const CACHE_BYTES_DEFAULT: u64 = 384 * 1024 * 1024;

/// A folder of fetched bytes, or none. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: Option<Arc<Folder>>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    bytes_max: u64,
    /// One writer at a time, so that the bound holds; the number tells apart the files that are being written.
    writes: Mutex<u64>,
}

impl Cache {
    /// Keeps at most `bytes_max` in `folder`, which is made when something is first kept. Several processes may share
    /// it; each of them may then be over the bound by one file for a moment.
    pub fn new(folder: impl Into<PathBuf>, bytes_max: u64) -> Cache {
        let folder = Folder { path: folder.into(), bytes_max, writes: Mutex::new(0) };
        Cache { folder: Some(Arc::new(folder)) }
    }

    /// Keeps nothing.
    pub fn none() -> Cache {
        Cache { folder: None }
    }

    /// The blob, if the folder has it whole.
    pub async fn blob(&self, blob: Blob) -> Option<Bytes> {
        self.run(move |folder| folder.blob(blob)).await.flatten()
    }

    /// Keeps a blob. A full disk or a folder that cannot be written costs a request later and nothing now.
    pub async fn keep_blob(&self, digest: Digest, bytes: &Bytes) {
        self.keep(digest.to_string(), bytes.clone()).await;
    }

    /// What was kept under a name: unverified. None when it was not, or has more bytes.
    pub async fn entry(&self, name: String, bytes_max: u64) -> Option<Bytes> {
        self.run(move |folder| folder.read(&name, bytes_max)).await.flatten()
    }

    /// Keeps bytes under a name, which must be good for a file. What cannot be kept is not, as with blobs.
    pub async fn keep(&self, name: String, bytes: Bytes) {
        self.run(move |folder| folder.write(&name, &bytes).unwrap_or_default()).await;
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Folder) -> T + Send + 'static) -> Option<T> {
        let folder = Arc::clone(self.folder.as_ref()?);
        tokio::task::spawn_blocking(move || work(&folder)).await.ok()
    }
}

pub(crate) fn pointer_name(pipeline: &Name, channel: &Name) -> String {
    // Both may hold dots and dashes, `@` they cannot.
    format!("pointer@{pipeline}@{channel}")
}

impl Folder {
    fn blob(&self, blob: Blob) -> Option<Bytes> {
        let name = blob.digest.to_string();
        let bytes = self.read(&name, blob.bytes)?;
        if bytes.len() as u64 == blob.bytes && Digest::of(&bytes) == blob.digest {
            return Some(bytes);
        }
        // Damaged: the next one who asks fetches it.
        fs::remove_file(self.path.join(name)).unwrap_or_default();
        None
    }

    fn read(&self, name: &str, bytes_max: u64) -> Option<Bytes> {
        let file = File::open(self.path.join(name)).ok()?;
        let size = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        // One byte more than it may have, so that a longer file is seen to be longer.
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(bytes_max) + 1).ok()?);
        file.take(bytes_max + 1).read_to_end(&mut bytes).ok()?;
        Some(bytes.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.bytes_max {
            return Ok(());
        }
        fs::create_dir_all(&self.path)?;
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        *writes += 1;
        self.make_room(bytes.len() as u64)?;
        let staged = self.path.join(format!("{name}.{}.{writes}.part", std::process::id()));
        let written = write_new(&staged, bytes).and_then(|()| fs::rename(&staged, self.path.join(name)));
        if written.is_err() {
            fs::remove_file(&staged).unwrap_or_default();
        }
        written
    }

    /// Removes the files written longest ago until `bytes` more fit, leftovers of killed writers among them.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Another writer may just have renamed it.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        files.sort_unstable();
        for (_, size, path) in files {
            if total + bytes <= self.bytes_max {
                break;
            }
            // Another process may have been faster.
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= size,
            }
        }
        Ok(())
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // No fsync: what a crash leaves half-written does not have its digest.
    match File::options().create_new(true).write(true).open(path) {
        // A leftover of a process that had the same number.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            File::options().create_new(true).write(true).open(path)?.write_all(bytes)
        }
        file => file?.write_all(bytes),
    }
}
