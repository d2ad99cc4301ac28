//! What plugins compile to, kept in the user's cache: a Python plugin takes ten seconds to compile and two milliseconds to
//! load.
//!
//! What is loaded becomes machine code of this process, so only a folder that is the user's own and that nobody else may
//! write to is believed; a file that was cut off or spoiled shows by its digest, and is compiled anew. Without such a
//! folder everything is compiled every time.

use crate::Context;
use crate::environment;
use crate::text;
use anyhow::Result;
use bytes::Bytes;
use engine::{Code, Engine};
use registry::Cache;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bytes of all artifacts that are kept; the ones used least lately go first. Some 40 Python plugins.
const KEPT_BYTES_MAX: u64 = 2 << 30;

/// Bytes of one artifact: a Python plugin compiles to 150 MB.
const ARTIFACT_BYTES_MAX: u64 = 512 << 20;

/// Bytes of the digest in front of an artifact, in hexadecimal.
const DIGEST_BYTES: usize = 64;

/// Work that is worth telling where no terminal shows it.
const LONG_S: u64 = 2;

/// A component's code: from the cache, or compiled and kept there. `name`: the plugin, for people.
pub(crate) fn code(engine: &Engine, wasm: &[u8], name: &str, context: &mut Context) -> Result<Code> {
    let name_of = |build| format!("{build}-{}", lambda::artifact_name(&lambda::digest(wasm), &engine.fingerprint()));
    let place = folder().zip(build().map(name_of)).map(|(folder, name)| Place::new(folder, name));
    if let Some(place) = &place
        && let Some(artifact) = context.runtime.block_on(place.read())
        && let Ok(code) = engine.load_precompiled(&artifact)
    {
        return Ok(code);
    }
    let (begun, progress) = (Instant::now(), context.ui.progress(&format!("compiling {name}"), ""));
    let Some(place) = place else {
        return Ok(engine.compile(wasm)?);
    };
    let artifact = engine.precompile(wasm)?;
    let kept = context.runtime.block_on(place.keep(&artifact));
    let code = engine.load_precompiled(&artifact)?;
    if begun.elapsed().as_secs() >= LONG_S {
        let next = if kept { "; the next time it is loaded from the cache" } else { "" };
        progress.finish(&format!("compiled {name} in {}{next}", text::time(begun.elapsed())));
    }
    Ok(code)
}

/// Tells this build of the program from others: whoever works on the engine changes what it compiles to, and not always the
/// fingerprint.
fn build() -> Option<String> {
    let program = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let modified = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{:x}", modified.as_nanos() ^ u128::from(program.len())))
}

/// The folder, when it is there or can be made, and only its owner may write to it.
fn folder() -> Option<PathBuf> {
    let folder = environment::cache_folder()?.join("compiled");
    make_private(&folder).ok()?;
    is_ours(&folder).then_some(folder)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

/// Whether the folder is this user's, and nobody else may write to it.
#[cfg(unix)]
fn is_ours(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // What a process makes is its user's: a file of our own tells who we are.
    let probe = folder.join(format!(".{}", std::process::id()));
    let us = fs::write(&probe, "").and_then(|()| fs::metadata(&probe)).map(|made| made.uid());
    let _ = fs::remove_file(&probe);
    fs::symlink_metadata(folder)
        .is_ok_and(|there| there.is_dir() && there.mode() & 0o022 == 0 && us.is_ok_and(|us| us == there.uid()))
}

/// Where files have no modes, the folder is the user's by its place.
#[cfg(not(unix))]
fn is_ours(_: &Path) -> bool {
    true
}

/// Where one artifact is kept.
struct Place {
    cache: Cache,
    name: String,
    file: PathBuf,
}

impl Place {
    fn new(folder: PathBuf, name: String) -> Place {
        Place { file: folder.join(&name), cache: Cache::new(folder, KEPT_BYTES_MAX), name }
    }

    /// The artifact, if it is as it was written.
    async fn read(&self) -> Option<Bytes> {
        let bytes = self.cache.entry(self.name.clone(), ARTIFACT_BYTES_MAX).await?;
        let (digest, artifact) = bytes.split_at_checked(DIGEST_BYTES)?;
        if lambda::digest(artifact).as_bytes() != digest {
            return None;
        }
        if let Ok(open) = fs::File::options().append(true).open(&self.file) {
            // Only for which goes first.
            let _ = open.set_modified(SystemTime::now());
        }
        Some(bytes.slice(DIGEST_BYTES..))
    }

    /// Keeps an artifact, and says whether it could: a full disk must not stop anybody.
    async fn keep(&self, artifact: &[u8]) -> bool {
        let mut bytes = lambda::digest(artifact).into_bytes();
        bytes.extend_from_slice(artifact);
        self.cache.keep(self.name.clone(), bytes.into()).await;
        self.file.is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, is_ours};

    #[tokio::test]
    async fn what_was_kept_is_read_as_it_was_written_and_what_was_spoiled_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(folder.path().to_owned(), "a-b.compiled".to_owned());
        assert_eq!(place.read().await, None);
        assert!(place.keep(b"machine code").await, "written");
        assert_eq!(place.read().await.as_deref(), Some(&b"machine code"[..]));
        let mut bytes = std::fs::read(&place.file).expect("there");
        bytes.pop();
        std::fs::write(&place.file, bytes).expect("written");
        assert_eq!(place.read().await, None);
        std::fs::write(&place.file, "x").expect("written");
        assert_eq!(place.read().await, None);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_may_write_to_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).expect("ours");
        for (bits, believed) in [(0o700, true), (0o755, true), (0o777, false), (0o770, false)] {
            mode(bits);
            assert_eq!(is_ours(folder.path()), believed, "{bits:o}");
        }
    }
}
