//! What plugins compile to, kept in the user's cache: a Python plugin takes ten seconds to compile and two milliseconds
//! to load.
//!
//! What is loaded becomes machine code of this process, so only a folder that is the user's own is believed, and only
//! if nobody else may write to it or put another in its place; a file that was cut off or spoiled shows by its digest,
//! and is compiled anew. Without such a folder everything is compiled every time.

use crate::Context;
use crate::environment;
use crate::text;
use anyhow::Result;
use bytes::Bytes;
use engine::{Code, Engine};
use registry::Cache;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bytes of all artifacts that are kept; the ones used least lately go first. Some 40 Python plugins.
const KEPT_BYTES_MAX: u64 = 2 << 30;

/// Bytes of one artifact: a Python plugin compiles to 150 MB.
const ARTIFACT_BYTES_MAX: u64 = 512 << 20;

/// Bytes of the digest in front of an artifact, in hexadecimal.
const DIGEST_BYTES: usize = 64;

/// Bytes of the seal: no one guesses them.
const SEAL_BYTES: usize = 32;

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

/// Tells this build of the program from others: whoever works on the engine changes what it compiles to, and not always
/// the fingerprint.
fn build() -> Option<String> {
    let program = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let modified = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{:x}", modified.as_nanos() ^ u128::from(program.len())))
}

/// Random text that only this user can read, made once: what is derived from it was made by this user on this machine.
/// None where no folder can keep it.
pub(crate) fn seal() -> Option<String> {
    let file = folder()?.join("seal");
    let is_whole = |seal: &String| seal.len() == 2 * SEAL_BYTES;
    if let Some(seal) = fs::read_to_string(&file).ok().filter(is_whole) {
        return Some(seal);
    }
    let mut random = [0; SEAL_BYTES];
    getrandom::fill(&mut random).ok()?;
    let seal: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(&file, &seal).ok()?;
    // Of several that make it at once, the last one is right.
    fs::read_to_string(&file).ok().filter(is_whole)
}

/// The folder, when it is there or can be made, and only its owner may write to it.
fn folder() -> Option<PathBuf> {
    let folder = environment::cache_folder()?.join("compiled");
    make_private(&folder).ok()?;
    private(&folder)
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

/// The folder by a path without links, if nobody else can change what is in it or what stands in its place.
#[cfg(unix)]
fn private(folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS_WRITE: u32 = 0o022;
    // In a folder with this bit, such as `/tmp`, a user moves and removes only what is that user's own.
    const STICKY: u32 = 0o1000;
    let us = rustix::process::geteuid().as_raw();
    if !fs::symlink_metadata(folder).ok()?.is_dir() {
        return None;
    }
    let path = fs::canonicalize(folder).ok()?;
    let is_safe = |above: &Path| {
        fs::symlink_metadata(above).is_ok_and(|there| {
            let is_owned = there.uid() == us || above != path && there.uid() == 0;
            let is_closed = there.mode() & OTHERS_WRITE == 0 || above != path && there.mode() & STICKY != 0;
            there.is_dir() && is_owned && is_closed
        })
    };
    path.ancestors().all(is_safe).then_some(path)
}

/// Where files have no modes, the folder is the user's by its place.
#[cfg(not(unix))]
fn private(folder: &Path) -> Option<PathBuf> {
    Some(folder.to_owned())
}

/// Writes a file that only its owner can read. It appears whole, by rename, and no link is followed.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let being_written = file.with_extension(std::process::id().to_string());
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&being_written).and_then(|mut open| open.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&being_written, file)).inspect_err(|_| {
        // One that a process of the same number left behind must not stand in the way for ever.
        let _ = fs::remove_file(&being_written);
    })
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

#[cfg(all(test, unix))]
mod tests {
    use super::{Place, private, write_private};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::path::Path;

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

    #[test]
    fn a_folder_that_others_may_change_is_not_believed() {
        let home = tempfile::tempdir().expect("a folder");
        let (parent, folder) = (home.path().join("paddlewheel"), home.path().join("paddlewheel/compiled"));
        std::fs::create_dir_all(&folder).expect("made");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
        };
        mode(&parent, 0o755);
        for (bits, believed) in [(0o700, true), (0o755, true), (0o777, false), (0o770, false), (0o1777, false)] {
            mode(&folder, bits);
            assert_eq!(private(&folder).is_some(), believed, "{bits:o}");
        }
        mode(&folder, 0o700);
        for (bits, believed) in [(0o755, true), (0o777, false), (0o775, false), (0o1777, true)] {
            mode(&parent, bits);
            assert_eq!(private(&folder).is_some(), believed, "{bits:o} above it");
        }
        mode(&parent, 0o755);
        assert_eq!(private(&folder), Some(folder.canonicalize().expect("there")));
        if rustix::process::geteuid().is_root() {
            for path in [&folder, &parent] {
                chown(path, Some(65_534), None).expect("root may");
                assert_eq!(private(&folder), None, "{} is another user's", path.display());
                chown(path, Some(0), None).expect("root may");
            }
        }
    }

    #[test]
    fn links_are_not_believed_and_not_written_through() {
        let home = tempfile::tempdir().expect("a folder");
        let (ours, open) = (home.path().join("ours"), home.path().join("open"));
        for folder in [&ours, &open] {
            std::fs::create_dir_all(folder.join("compiled")).expect("made");
            std::fs::set_permissions(folder.join("compiled"), std::fs::Permissions::from_mode(0o700)).expect("ours");
        }
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("ours");
        // A link in the folder's place, also to a folder that is ours.
        let link = home.path().join("link");
        symlink(ours.join("compiled"), &link).expect("linked");
        assert_eq!(private(&link), None);
        // A link above it leads to where it must be safe, and is not followed a second time.
        let above = home.path().join("above");
        symlink(&ours, &above).expect("linked");
        assert_eq!(private(&above.join("compiled")), Some(ours.join("compiled").canonicalize().expect("there")));
        std::fs::remove_file(&above).expect("a link");
        symlink(&open, &above).expect("linked");
        assert_eq!(private(&above.join("compiled")), None);
        // A file of ours behind a link stays as it is.
        let victim = home.path().join("victim");
        std::fs::write(&victim, "precious").expect("written");
        let seal = ours.join("compiled/seal");
        symlink(&victim, seal.with_extension(std::process::id().to_string())).expect("linked");
        assert!(write_private(&seal, "secret").is_err());
        symlink(&victim, &seal).expect("linked");
        write_private(&seal, "secret").expect("the link is replaced");
        assert_eq!(std::fs::read_to_string(&seal).expect("there"), "secret");
        assert_eq!(std::fs::read_to_string(&victim).expect("there"), "precious");
    }
}
