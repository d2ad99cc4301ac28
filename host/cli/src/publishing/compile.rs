//! What a release ships: components, what was compiled of them for each engine, and how long that takes to load.

use super::OrBug as _;
use crate::Context;
use crate::environment;
use crate::error::{Error, Trouble};
use crate::project::{self, Loading, StepParts, load_error, loading};
use crate::text::{self, count};
use crate::time;
use anyhow::Context as _;
use bytes::Bytes;
use clap::ValueEnum;
use engine::{Code, Engine, LoadError};
use pipeline::settings::Step;
use pipeline::{Assets, Filled, Pipeline};
use registry::{Digest, DraftCompiled, Fingerprint};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step's component.
pub(crate) struct Component {
    pub(crate) wasm: Bytes,
    pub(crate) assets: Assets,
    pub(crate) digest: Digest,
    pub(crate) imports: Vec<String>,
    /// From compiled code to a step that accepted its config.
    pub(crate) load: Duration,
}

/// What is shipped, in the order of the steps.
pub(crate) struct Shipped {
    pub(crate) components: Vec<Component>,
    /// The engine that hosts like this machine have.
    pub(crate) engine: Engine,
    pub(crate) artifacts: Artifacts,
    /// What was compiled for it, whether it is shipped or not.
    own: BTreeMap<Digest, Bytes>,
    /// How long compiling took for one target: what a host with another engine would spend.
    pub(crate) compile: Duration,
}

/// A processor that functions run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Target {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64", alias = "arm64")]
    Aarch64,
}

impl Target {
    fn of(target: engine::Target) -> Target {
        match target {
            engine::Target::X86_64 => Target::X86_64,
            engine::Target::Aarch64 => Target::Aarch64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Target::X86_64 => "x86_64",
            Target::Aarch64 => "aarch64",
        }
    }

    fn engine(self) -> engine::Target {
        match self {
            Target::X86_64 => engine::Target::X86_64,
            Target::Aarch64 => engine::Target::Aarch64,
        }
    }
}

/// The targets that were asked for, each once. None was: this machine's, or on one that functions do not run on, all.
pub(crate) fn targets(typed: &[Target]) -> Vec<Target> {
    let mut targets = typed.to_vec();
    if targets.is_empty() {
        let here = engine::Target::here().map(Target::of);
        targets.extend(here);
        if here.is_none() {
            targets.extend(engine::Target::ALL.map(Target::of));
        }
    }
    targets.sort();
    targets.dedup();
    targets
}

/// The engine's name as the registry has it.
pub(crate) fn fingerprint(engine: &Engine) -> Result<Fingerprint, Error> {
    engine.fingerprint().parse().context("the engine's fingerprint is a digest").or_bug()
}

/// Compiles the steps' components for production, and loads what came of it. `parts`: the very bytes that were tested,
/// whatever has been saved since.
pub(crate) fn compile(
    steps: &[Step],
    parts: Vec<StepParts>,
    targets: &[Target],
    context: &mut Context,
) -> Result<Shipped, Error> {
    let engine = project::engine(&Loading::PRODUCTION, steps.len())?;
    let begun = Instant::now();
    let wasm: Vec<Bytes> = parts.iter().map(|parts| parts.wasm.clone()).collect();
    let artifacts = precompile(&engine, targets, &wasm, context)?;
    let compile = begun.elapsed() / u32::try_from(targets.len()).unwrap_or(1).max(1);
    let mut components = Vec::with_capacity(steps.len());
    let mut own = artifacts.get(&fingerprint(&engine)?).cloned().unwrap_or_default();
    for (step, StepParts { wasm, assets }) in steps.iter().zip(parts) {
        let digest = Digest::of(&wasm);
        // It is tried here, whatever it is for.
        let artifact = match own.entry(digest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(engine.precompile(&wasm).context("compile a plugin").or_plugin()?.into())
            }
        };
        let told = || loading(step);
        let config = config(step, pipeline::DUMMY_SECRET)?;
        let started = Instant::now();
        let code = engine.load_precompiled(artifact).with_context(told).or_plugin()?;
        engine.load(&code, step, &config, &assets).map_err(|error| load_error(error, told()))?;
        let load = started.elapsed();
        components.push(Component { imports: code.imports().names.clone(), wasm, assets, digest, load });
    }
    Ok(Shipped { components, engine, artifacts, own, compile })
}

/// What was compiled, by engine and component.
pub(crate) type Artifacts = BTreeMap<Fingerprint, BTreeMap<Digest, Bytes>>;

/// Compiles each component once for each target.
pub(crate) fn precompile(
    engine: &Engine,
    targets: &[Target],
    wasm: &[Bytes],
    context: &mut Context,
) -> Result<Artifacts, Error> {
    let (begun, mut progress) = (Instant::now(), context.ui.progress("compiling", "plugins"));
    let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
    let plugins = count(wasm.len() as u64, "plugin");
    progress.begin(&format!("compiling {plugins} for {}", names.join(" and ")));
    let mut artifacts = Artifacts::new();
    for target in targets {
        let (engine, compile) = compiler(*target, engine)?;
        let own = artifacts.entry(engine).or_default();
        for wasm in wasm {
            if let Entry::Vacant(place) = own.entry(Digest::of(wasm)) {
                place.insert(Bytes::from(compile(wasm).context("compile a plugin").or_plugin()?));
            }
            progress.add(1);
        }
    }
    progress.finish(&format!("compiled {plugins} in {}", text::time(begun.elapsed())));
    Ok(artifacts)
}

/// Compiles one component.
type Compile<'a> = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, LoadError> + 'a>;

/// The compiler for a target, and the name of the engine that its artifacts are for.
fn compiler(target: Target, engine: &Engine) -> Result<(Fingerprint, Compile<'_>), Error> {
    let target = target.engine();
    if engine::Target::here() == Some(target) {
        return Ok((fingerprint(engine)?, Box::new(|wasm| engine.precompile(wasm))));
    }
    let compiler = engine::Compiler::new(target).or_bug()?;
    let fingerprint = compiler.fingerprint().parse().context("the engine's fingerprint is a digest").or_bug()?;
    Ok((fingerprint, Box::new(move |wasm| compiler.precompile(wasm))))
}

impl Shipped {
    /// Loads the pipeline from what is shipped, on an engine of the same kind, with one text for all secrets.
    pub(crate) fn load(&self, engine: &Engine, pipeline: &Pipeline, secret: &str) -> Result<lambda::Loaded, Error> {
        let code = |digest: &Digest| -> anyhow::Result<Code> {
            let artifact = self.own.get(digest).context("it was not compiled")?;
            Ok(engine.load_precompiled(artifact)?)
        };
        let parts = self.components.iter().map(|component| (component.digest, component.assets.clone())).collect();
        load(engine, pipeline, parts, &code, secret)
    }
}

/// Artifacts for one engine, as the registry takes them.
pub(crate) fn drafted(engine: Fingerprint, artifacts: BTreeMap<Digest, Bytes>) -> DraftCompiled {
    DraftCompiled { engine, artifacts, at_ms: time::now_ms(), by: environment::user() }
}

/// Loads a pipeline of code by digest: for each step, the digest of its component and its files.
pub(crate) fn load(
    engine: &Engine,
    pipeline: &Pipeline,
    parts: Vec<(Digest, Assets)>,
    code_of: &dyn Fn(&Digest) -> anyhow::Result<Code>,
    secret: &str,
) -> Result<lambda::Loaded, Error> {
    let mut finder = ByDigest { parts: parts.into_iter(), code_of, secret, codes: BTreeMap::new() };
    lambda::Loaded::assemble(engine, Arc::new(pipeline.clone()), &mut finder)
}

/// Finds the plugins of a pipeline by their digests.
struct ByDigest<'a> {
    parts: std::vec::IntoIter<(Digest, Assets)>,
    code_of: &'a dyn Fn(&Digest) -> anyhow::Result<Code>,
    /// The text for all secrets.
    secret: &'a str,
    codes: BTreeMap<Digest, Code>,
}

impl lambda::Finder for ByDigest<'_> {
    type Error = Error;

    fn find(&mut self, step: &Step) -> Result<lambda::StepParts, Error> {
        let (digest, assets) =
            self.parts.next().context("it has no component").with_context(|| loading(step)).or_bug()?;
        let code = match self.codes.get(&digest) {
            Some(code) => code.clone(),
            None => (self.code_of)(&digest).with_context(|| loading(step)).or_plugin()?,
        };
        self.codes.insert(digest, code.clone());
        Ok(lambda::StepParts { digest: digest.to_string(), code, config: config(step, self.secret)?, assets })
    }

    fn refused(&self, step: &Step, error: LoadError) -> Error {
        load_error(error, loading(step))
    }
}

fn config(step: &Step, secret: &str) -> Result<Filled, Error> {
    pipeline::fill_secrets(&step.config, &|_| Ok(secret.to_owned())).with_context(|| loading(step)).or_usage()
}

#[cfg(test)]
mod tests {
    use super::{Target, targets};

    #[test]
    fn each_target_is_compiled_for_once() {
        let here = engine::Target::here().map(Target::of).expect("tests run where functions do");
        assert_eq!(targets(&[]), [here]);
        assert_eq!(targets(&[Target::Aarch64, Target::X86_64, Target::Aarch64]), [Target::X86_64, Target::Aarch64]);
    }
}
