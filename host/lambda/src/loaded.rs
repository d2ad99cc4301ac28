//! What a host runs: a pipeline whose plugins are loaded. One for a whole batch, exchangeable between batches.

use engine::{Code, Engine, LoadError};
use pipeline::settings::Step;
use pipeline::{Assets, Filled, Pipeline, Plugin};
use std::fmt;
use std::sync::Arc;

/// Makes one set of plugins, in the order of the steps. Called once for each worker.
pub type Plugins = Box<dyn Fn() -> anyhow::Result<Vec<Box<dyn Plugin>>> + Send + Sync>;

/// A pipeline, ready to run.
pub struct Loaded {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Makes the plugins of one worker.
    pub plugins: Plugins,
    /// SHA-256 of each step's `.wasm`, in hex, for dead letters; may be shorter than the steps.
    pub digests: Vec<String>,
    /// The release, when it came from a store.
    pub release: Option<String>,
}

/// What a step is loaded from.
pub struct StepParts {
    /// SHA-256 of its `.wasm`, in hex.
    pub digest: String,
    /// Its compiled component.
    pub code: Code,
    /// Its config, with the secrets in it.
    pub config: Filled,
    /// Its files.
    pub assets: Assets,
}

/// Finds what the steps of a pipeline are loaded from: in a package, a release, or a project.
pub trait Finder {
    /// Why a pipeline cannot be loaded.
    type Error;

    /// What a step is loaded from.
    ///
    /// # Errors
    /// It is not there, or cannot be compiled.
    fn find(&mut self, step: &Step) -> Result<StepParts, Self::Error>;

    /// The error of a step whose plugin the engine refused, or that refused its config.
    fn refused(&self, step: &Step, error: LoadError) -> Self::Error;

    /// The step accepted its config.
    fn accepted(&mut self, _step: &Step, _parts: StepParts) {}
}

impl Loaded {
    /// Loads every step of a pipeline: each is started once, and accepts its config.
    ///
    /// # Errors
    /// The finder's, of the first step that cannot be loaded.
    pub fn assemble<F: Finder>(engine: &Engine, pipeline: Arc<Pipeline>, finder: &mut F) -> Result<Loaded, F::Error> {
        let (mut steps, mut digests) = (Vec::new(), Vec::new());
        for step in &pipeline.steps {
            let parts = finder.find(step)?;
            let loaded = engine.load(&parts.code, step, &parts.config, &parts.assets);
            steps.push(loaded.map_err(|error| finder.refused(step, error))?);
            digests.push(parts.digest.clone());
            finder.accepted(step, parts);
        }
        let plugins = move || Ok(steps.iter().map(engine::Loaded::plugin).collect::<Vec<Box<dyn Plugin>>>());
        Ok(Loaded { pipeline, plugins: Box::new(plugins), digests, release: None })
    }

    /// A pipeline without steps: events are unpacked, checked, given their id and delivered.
    pub fn identity(name: &str) -> Loaded {
        Loaded {
            pipeline: Arc::new(Pipeline::identity(name)),
            plugins: Box::new(|| Ok(Vec::new())),
            digests: Vec::new(),
            release: None,
        }
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("pipeline", &self.pipeline.name).field("release", &self.release).finish()
    }
}
