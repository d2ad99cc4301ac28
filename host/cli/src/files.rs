//! Files that commands write.

use crate::error::{Error, Trouble};
use crate::project::tidy;
use anyhow::Context as _;
use std::path::Path;

/// Writes a file, and makes the folders that it is in.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let told = || format!("write {}", tidy(path));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(told).or_outside()?;
    }
    std::fs::write(path, content).with_context(told).or_outside()
}
