//! Files in and out: read whole, written whole, and left alone when nothing changed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime};

use crate::BuildError;

/// The most bytes of a component: what the function loads too, and far more than any plugin of ours has.
pub const COMPONENT_BYTES_MAX: u64 = 128 << 20;

/// Whether a component is small enough.
pub(crate) fn bounded(bytes: u64) -> Result<(), BuildError> {
    if bytes > COMPONENT_BYTES_MAX { Err(BuildError::TooLarge { bytes }) } else { Ok(()) }
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(BuildError::io(format!("read {}", path.display())))
}

/// Writes a file so that a reader sees the old content or the new, never a part. Gives false, and leaves the file and
/// its time alone, when it holds these bytes already.
///
/// # Errors
///
/// [`BuildError::Io`] when it cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, BuildError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(BuildError::io(format!("make {}", folder.display())))?;
    // Two builds at once must not write to one temporary file.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    fs::write(&temporary, bytes).map_err(BuildError::io(format!("write {}", temporary.display())))?;
    fs::rename(&temporary, path).map_err(BuildError::io(format!("write {}", path.display())))?;
    Ok(true)
}

/// How a file goes into a zip so that the same files make the same bytes: no time of the build. The default time is
/// 1980-01-01.
pub fn zip_options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(mode)
}

/// What marks a file as made from these inputs by whoever knows the seal.
pub fn mark(seal: &str, inputs: &str, made: &[u8]) -> String {
    digest(format!("{seal} {inputs} {}", digest(made)).as_bytes())
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
