//! The folder that a local run leaves: `documents/`, `dead-letters/` and `function.log`.

use crate::error::{Error, Trouble};
use crate::project;
use anyhow::Context as _;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Marks a folder that may be emptied, because we made it.
const MARK: &str = ".paddle-dev";

const DOCUMENTS: &str = "documents";
const DEAD_LETTERS: &str = "dead-letters";
const LOG: &str = "function.log";

/// An empty folder for one run.
pub(super) struct Out {
    path: PathBuf,
    /// As it was typed, for people.
    shown: PathBuf,
    /// Locked as long as the run goes on.
    _mark: File,
}

impl Out {
    /// Makes the folder; empties it, if it is an earlier run's.
    pub(super) fn prepare(path: PathBuf) -> Result<Out, Error> {
        let told = || format!("prepare the folder {}", path.display());
        let mark = path.join(MARK);
        let occupied = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !mark.is_file() {
            return Err(Error::usage(format!(
                "{} holds other files: name an empty or a new folder with --out",
                path.display()
            )));
        }
        let _mark = lock(&path, &mark).with_context(told).or_outside()?.ok_or_else(|| {
            Error::usage(format!(
                "another paddle dev writes to {}: end it, or name another folder with --out",
                project::tidy(&path)
            ))
        })?;
        let empty = || -> io::Result<PathBuf> {
            for folder in [DOCUMENTS, DEAD_LETTERS] {
                match std::fs::remove_dir_all(path.join(folder)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            std::path::absolute(&path)
        };
        let absolute = empty().with_context(told).or_outside()?;
        let shown = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        Ok(Out { path: absolute, shown, _mark })
    }

    pub(super) fn documents(&self) -> PathBuf {
        self.path.join(DOCUMENTS)
    }

    pub(super) fn dead_letters_url(&self) -> String {
        format!("file://{}", self.path.join(DEAD_LETTERS).display())
    }

    /// Where the function's log lines go.
    pub(super) fn log(&self) -> io::Result<lambda::Output> {
        Ok(lambda::Output::new(File::create(self.path.join(LOG))?))
    }

    /// The folder as people typed it.
    pub(super) fn shown(&self, name: &str) -> String {
        self.shown.join(name).display().to_string()
    }

    pub(super) fn shown_log(&self) -> String {
        self.shown(LOG)
    }

    pub(super) fn shown_documents(&self) -> String {
        self.shown(DOCUMENTS)
    }

    /// The files of dead letters, as people would type them.
    pub(super) fn dead_letter_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        files(&self.shown.join(DEAD_LETTERS), &mut found);
        found.sort();
        found.into_iter().map(|path| path.display().to_string()).collect()
    }
}

/// Makes the folder and its mark, and locks the mark for this run. None: another run has it.
fn lock(folder: &Path, mark: &Path) -> io::Result<Option<File>> {
    std::fs::create_dir_all(folder)?;
    let mut file = File::options().create(true).truncate(false).write(true).open(mark)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
        // Where files cannot be locked, two runs are the user's to tell apart.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    file.write_all(b"paddle dev empties this folder.\n")?;
    Ok(Some(file))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}
