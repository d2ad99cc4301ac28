//! One file of the journal, and the folder that files are in.
//!
//! A process holds a lock on each of its files, which the system gives back when it dies. So nobody takes the files of
//! a process that lives. Nothing is synced: it is the process that may die, not the machine, and what was written is
//! the system's from then on.

use super::slot::{FILE_BYTES, SLOT_BYTES, State};
use anyhow::{Context as _, Result, bail, ensure};
use std::fs::{DirBuilder, DirEntry, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What the names of files end in.
const SUFFIX: &str = ".journal";

/// Files that are read when a process starts, the latest ones: a process leaves one for each batch that it had at once.
pub(super) const FILES_MAX: usize = 64;

/// Entries of the folder that are looked at: what is beyond is not ours, or was left by something that went very wrong.
const ENTRIES_MAX: usize = 4_096;

/// Tries to find a name for a file.
const NAMES_MAX: u64 = 1_000;

/// An open file. Only its process writes to it.
#[derive(Debug)]
pub(super) struct Sheet {
    file: File,
    path: PathBuf,
    generation: u64,
}

impl Sheet {
    /// A new file.
    pub(super) fn create(folder: &Path, now_ms: u64) -> Result<Sheet> {
        for n in 0..NAMES_MAX {
            let path = folder.join(format!("{:x}-{now_ms:x}-{n}{SUFFIX}", std::process::id()));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                file => file.with_context(|| format!("create {}", path.display()))?,
            };
            file.try_lock().with_context(|| format!("lock {}", path.display()))?;
            // Room for both slots, so that a disk that is full later does no harm.
            file.write_all_at(&[0; FILE_BYTES], 0).with_context(|| format!("write {}", path.display()))?;
            return Ok(Sheet { file, path, generation: 0 });
        }
        bail!("{} has files of all names that this process would give", folder.display())
    }

    /// Writes over the older of the two slots.
    pub(super) fn write(&mut self, state: &State) -> Result<()> {
        self.generation += 1;
        let at = self.generation % 2 * SLOT_BYTES as u64;
        let written = self.file.write_all_at(&state.encode(self.generation), at);
        written.with_context(|| format!("write {}", self.path.display()))
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).with_context(|| format!("remove {}", self.path.display()))
    }
}

/// What was found in a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files that processes left behind, with what they say.
    pub(super) left: Vec<(Sheet, State)>,
    /// Why others were left alone.
    pub(super) ignored: Vec<String>,
}

/// Makes the folder if need be, and sees that it is one which only this process's user writes to.
pub(super) fn prepare(folder: &Path, now_ms: u64) -> Result<Sheet> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("create the folder {}", folder.display()))?;
    let about = std::fs::symlink_metadata(folder).with_context(|| format!("look at {}", folder.display()))?;
    ensure!(about.is_dir(), "{} is not a folder", folder.display());
    ensure!(about.mode() & 0o022 == 0, "others may write to the folder {}", folder.display());
    let sheet = Sheet::create(folder, now_ms)?;
    if sheet.file.metadata().is_ok_and(|own| own.uid() == about.uid()) {
        return Ok(sheet);
    }
    sheet.remove()?;
    bail!("the folder {} belongs to another user", folder.display())
}

/// Reads what processes left behind.
pub(super) fn scan(folder: &Path) -> Result<Found> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let is_ours = |entry: &DirEntry| entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX));
    let mut files: Vec<_> = (entries.take(ENTRIES_MAX).flatten().filter(is_ours))
        .map(|entry| (entry.metadata().and_then(|about| about.modified()).ok(), entry.path()))
        .collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let mut found = Found::default();
    for (_, path) in files.into_iter().take(FILES_MAX) {
        match open(&path) {
            Ok(left) => found.left.extend(left),
            Err(error) => found.ignored.push(format!("{error:#}")),
        }
    }
    Ok(found)
}

/// A file that a process left behind; none if that process lives, or had not written to it.
fn open(path: &Path) -> Result<Option<(Sheet, State)>> {
    let shown = path.display();
    let about = std::fs::symlink_metadata(path).with_context(|| format!("look at {shown}"))?;
    // Not opened, since opening a pipe would wait.
    ensure!(about.is_file(), "{shown} is not a plain file");
    let file = OpenOptions::new().read(true).write(true).open(path).with_context(|| format!("open {shown}"))?;
    let opened = file.metadata().with_context(|| format!("look at {shown}"))?;
    let is_same = (opened.dev(), opened.ino()) == (about.dev(), about.ino());
    ensure!(is_same, "{shown} became another file while it was opened");
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("lock {shown}")),
    }
    ensure!(opened.len() == FILE_BYTES as u64, "{shown} has {} bytes, where {FILE_BYTES} belong", opened.len());
    let mut bytes = [0; FILE_BYTES];
    file.read_exact_at(&mut bytes, 0).with_context(|| format!("read {shown}"))?;
    let (generation, state) = match State::newest(&bytes) {
        Some(newest) => newest,
        None if bytes.iter().all(|byte| *byte == 0) => {
            Sheet { file, path: path.to_owned(), generation: 0 }.remove()?;
            return Ok(None);
        }
        None => bail!("{shown} does not hold what a journal does"),
    };
    Ok(Some((Sheet { file, path: path.to_owned(), generation }, state)))
}
