//! The files of a step: read from a folder, or taken from a release.

use anyhow::{Context as _, Result, anyhow, ensure};
use pipeline::settings::Step;
use pipeline::{ASSETS_BYTES_MAX, Asset, Assets};
use registry::Fetched;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads the files that a step names, paths beginning in `folder`, and `more`: those that its plugin brings.
///
/// # Errors
/// A file that is not there, or more than a step may have.
pub fn read(step: &Step, folder: &Path, more: &BTreeMap<String, PathBuf>) -> Result<Assets> {
    let named = step.assets.iter().map(|(name, path)| (name, folder.join(path)));
    let mut files = BTreeMap::new();
    for (name, path) in more.iter().map(|(name, path)| (name, path.clone())).chain(named) {
        let source = source(&path, folder);
        let told = || format!("step `{}`: read {source}, its file `{name}`", step.name);
        let size = path.metadata().with_context(told)?.len();
        ensure!(size <= ASSETS_BYTES_MAX, "{}: it has {size} bytes", told());
        let bytes = std::fs::read(&path).with_context(told)?;
        files.insert(name.clone(), Asset { source, bytes: bytes.into() });
    }
    Assets::new(files).with_context(|| format!("step `{}`", step.name))
}

/// Where a file is, seen from the pipeline's folder. Those elsewhere are called by their names alone: what a release
/// says must not depend on where it was made.
fn source(path: &Path, folder: &Path) -> String {
    let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let inside = full(path).strip_prefix(full(folder)).map(Path::to_owned);
    // What a link leads to may be elsewhere: then the path as it was named, whatever the folder is called from here.
    let inside = inside.or_else(|_| path.strip_prefix(folder).map(Path::to_owned));
    let named = inside.unwrap_or_else(|_| PathBuf::from(path.file_name().unwrap_or_default()));
    named.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The files that a release has for a step.
///
/// # Errors
/// More than a step may have.
pub fn of_release(step: &Step, fetched: &Fetched) -> Result<Assets> {
    let mut files = BTreeMap::new();
    for asset in fetched.release.manifest.assets.iter().filter(|asset| asset.step == step.name) {
        let bytes = fetched.assets.get(&asset.blob.digest);
        let bytes = bytes.ok_or_else(|| anyhow!("step `{}`: its file `{}` is not there", step.name, asset.name))?;
        files.insert(asset.name.clone(), Asset { source: asset.source.clone(), bytes: bytes.clone() });
    }
    Assets::new(files).with_context(|| format!("step `{}`", step.name))
}

#[cfg(all(test, unix))]
mod tests {
    use super::source;
    use std::path::Path;

    #[test]
    fn a_file_is_called_the_same_from_wherever_it_is_named() {
        let place = tempfile::tempdir().expect("a folder");
        let project = place.path().join("project");
        for folder in ["project/plugins", "shared"] {
            std::fs::create_dir_all(place.path().join(folder)).expect("made");
        }
        std::fs::write(place.path().join("shared/x.js"), "").expect("written");
        std::os::unix::fs::symlink("../../shared/x.js", project.join("plugins/link.js")).expect("linked");
        let detour = place.path().join("project/plugins/..");
        for (file, called) in [("./plugins/link.js", "plugins/link.js"), ("../shared/x.js", "../shared/x.js")] {
            for folder in [&project, &detour] {
                assert_eq!(source(&folder.join(file), folder), called);
            }
        }
        // A script's modules are found by their real paths.
        let real = place.path().join("shared/x.js").canonicalize().expect("there");
        assert_eq!(source(&real, Path::new(&project)), "x.js");
    }
}
