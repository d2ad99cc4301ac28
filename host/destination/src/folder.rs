//! Documents as lines of files.

use super::{Summary, lines};
use anyhow::Context;
use std::path::{Path, PathBuf};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;

/// Writes `<folder>/<stream>.ndjson`, one document per line. What is in the files already stays.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    written: u64,
}

impl Folder {
    /// Documents will go to files in `path`, which is made when the first one comes.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into(), written: 0 }
    }

    pub(super) async fn deliver<'a>(
        &mut self,
        stream: &str,
        records: impl Iterator<Item = &'a [u8]>,
    ) -> anyhow::Result<()> {
        let (lines, count) = lines::joined(records);
        append(&self.path.join(format!("{stream}.ndjson")), &lines).await?;
        self.written += count;
        Ok(())
    }

    pub(super) fn summary(&self) -> Summary {
        Summary { indexed: self.written, ..Summary::default() }
    }
}

/// Appends `lines` to the file at `path`, making its folders.
pub(super) async fn append(path: &Path, lines: &[u8]) -> anyhow::Result<()> {
    let write = async {
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).await?;
        file.write_all(lines).await?;
        file.flush().await
    };
    write.await.with_context(|| format!("write {}", path.display()))
}
