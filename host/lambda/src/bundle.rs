//! A pipeline that is shipped beside the function: a `paddle.toml` and its plugins in the same folder.

use crate::assets;
use crate::config::Secrets;
use crate::loaded::{Finder, Loaded, StepParts};
use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use engine::{Code, Engine, LoadError};
use pipeline::Pipeline;
use pipeline::settings::Step;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Finds the `.wasm` of a plugin that is shipped with the program, by its name.
pub type ReadyMade<'a> = &'a dyn Fn(&str) -> Option<Bytes>;

/// Bytes of one plugin: SpiderMonkey and CPython take 10 to 40 MiB; Lambda unpacks 250 MB at most.
const PLUGIN_BYTES_MAX: u64 = 128 << 20;

/// Hex digits of a digest in the name of an artifact: 64 bits tell files of one folder apart.
const NAME_DIGITS: usize = 16;

/// A `paddle.toml`, read; its plugins are not yet.
pub struct Bundle {
    /// What it says.
    pub pipeline: Arc<Pipeline>,
    folder: PathBuf,
    precompiled: bool,
}

impl Bundle {
    /// Reads a `paddle.toml`.
    ///
    /// # Errors
    /// No such file, or mistakes in it.
    pub fn read(path: &Path) -> Result<Bundle> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read the pipeline `{}`", path.display()))?;
        let pipeline = Pipeline::parse(&text).map_err(|error| anyhow!("`{}`: {error}", path.display()))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Bundle { pipeline: Arc::new(pipeline), folder, precompiled: false })
    }

    /// Takes compiled artifacts that stand beside the plugins (see [`artifact_name`]). Only for a folder whose writers
    /// may run machine code in this process: the function's own package.
    pub fn with_artifacts(self) -> Bundle {
        Bundle { precompiled: true, ..self }
    }

    /// Instances that `workers` need: one a step and worker, twice for a second release beside the first, and one to
    /// spare a step.
    pub fn instances(&self, workers: usize) -> u32 {
        let steps = self.pipeline.steps.len();
        u32::try_from(steps * workers * 2 + steps).unwrap_or(u32::MAX).max(1)
    }

    /// Loads the plugins: each is compiled or taken from its artifact, started once, and accepts its config.
    ///
    /// # Errors
    /// A plugin that is not there or not built, that the engine refuses, or a secret that is not set.
    pub fn load(&self, engine: &Engine, secrets: &Secrets, ready_made: ReadyMade<'_>) -> Result<Loaded> {
        let mut finder = InPackage { bundle: self, engine, secrets, ready_made, codes: HashMap::new() };
        Loaded::assemble(engine, Arc::clone(&self.pipeline), &mut finder)
    }

    /// The bytes of a step's plugin. A bare name is one shipped with the program, else one in the folder `plugins`;
    /// anything else is a path, relative to the `paddle.toml`.
    fn wasm(&self, step: &Step, ready_made: ReadyMade<'_>) -> Result<Wasm> {
        let named = &step.plugin;
        let is_path = named.contains('/') || named.contains('.');
        if !is_path && let Some(bytes) = ready_made(named) {
            return Ok(Wasm { bytes, path: None });
        }
        let path = match is_path {
            true => self.folder.join(named),
            false => self.folder.join("plugins").join(format!("{named}.wasm")),
        };
        let told = || format!("step `{}`: plugin `{named}`", step.name);
        ensure!(step.script().is_none(), "{}: it is a script: package it first (paddle package)", told());
        ensure!(!path.is_dir(), "{}: it is a folder with its source: build it first (paddle build)", told());
        ensure!(
            path.extension().is_some_and(|ending| ending == "wasm"),
            "{}: it is not a .wasm file: build it first (paddle build)",
            told()
        );
        let size = path.metadata().with_context(|| format!("{}: read {}", told(), path.display()))?.len();
        ensure!(size <= PLUGIN_BYTES_MAX, "{}: it has {size} bytes; at most {PLUGIN_BYTES_MAX} are loaded", told());
        let bytes = std::fs::read(&path).with_context(|| format!("{}: read {}", told(), path.display()))?;
        Ok(Wasm { bytes: bytes.into(), path: Some(path) })
    }

    fn code(&self, engine: &Engine, wasm: &Wasm, digest: &str) -> Result<Code> {
        if self.precompiled
            && let Some(path) = &wasm.path
        {
            let artifact = path.with_file_name(artifact_name(digest, &engine.fingerprint()));
            if artifact.is_file() {
                let bytes = std::fs::read(&artifact).with_context(|| format!("read {}", artifact.display()))?;
                return Ok(engine.load_precompiled(&bytes)?);
            }
        }
        compile(engine, &wasm.bytes)
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("pipeline", &self.pipeline.name).field("folder", &self.folder).finish()
    }
}

/// Finds the plugins of a package. Those that are the same are compiled once.
struct InPackage<'a> {
    bundle: &'a Bundle,
    engine: &'a Engine,
    secrets: &'a Secrets,
    ready_made: ReadyMade<'a>,
    codes: HashMap<String, Code>,
}

impl Finder for InPackage<'_> {
    type Error = anyhow::Error;

    fn find(&mut self, step: &Step) -> Result<StepParts> {
        let loading = || format!("load step `{}`", step.name);
        let wasm = self.bundle.wasm(step, self.ready_made)?;
        let digest = digest(&wasm.bytes);
        let code = match self.codes.get(&digest) {
            Some(code) => code.clone(),
            None => self.bundle.code(self.engine, &wasm, &digest).with_context(loading)?,
        };
        self.codes.insert(digest.clone(), code.clone());
        let config = pipeline::fill_secrets(&step.config, &|name| self.secrets.get(name)).with_context(loading)?;
        let assets = assets::read(step, &self.bundle.folder, &BTreeMap::new())?;
        Ok(StepParts { digest, code, config, assets })
    }

    fn refused(&self, step: &Step, error: LoadError) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("load step `{}` (plugin `{}`)", step.name, step.plugin))
    }
}

struct Wasm {
    bytes: Bytes,
    /// Where it was read; none when it is shipped with the program.
    path: Option<PathBuf>,
}

/// Name of the file, beside a plugin's `.wasm`, that holds it compiled: by what it was compiled from, and for which
/// engine.
pub fn artifact_name(wasm_digest: &str, fingerprint: &str) -> String {
    let short = |text: &str| text.chars().take(NAME_DIGITS).collect::<String>();
    format!("{}-{}.compiled", short(wasm_digest), short(fingerprint))
}

/// SHA-256 of a plugin, in hex.
pub fn digest(wasm: &[u8]) -> String {
    Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(feature = "compiler")]
fn compile(engine: &Engine, wasm: &[u8]) -> Result<Code> {
    Ok(engine.compile(wasm)?)
}

#[cfg(not(feature = "compiler"))]
fn compile(engine: &Engine, wasm: &[u8]) -> Result<Code> {
    let name = artifact_name(&digest(wasm), &engine.fingerprint());
    anyhow::bail!(
        "there is no `{name}` beside it, and this function has no compiler: package it again (paddle package)"
    );
}
