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
        let shown = path.strip_prefix(".").unwrap_or(&path).display();
        let told = || format!("step `{}`: read {shown}, its file `{name}`", step.name);
        let size = path.metadata().with_context(told)?.len();
        ensure!(size <= ASSETS_BYTES_MAX, "{}: it has {size} bytes", told());
        let bytes = std::fs::read(&path).with_context(told)?;
        files.insert(name.clone(), Asset { source: step.asset_source(name), bytes: bytes.into() });
    }
    Assets::new(files).with_context(|| format!("step `{}`", step.name))
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
        let source = step.asset_source(&asset.name);
        files.insert(asset.name.clone(), Asset { source, bytes: bytes.clone() });
    }
    Assets::new(files).with_context(|| format!("step `{}`", step.name))
}
