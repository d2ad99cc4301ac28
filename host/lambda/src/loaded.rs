//! What a host runs: a pipeline whose plugins are loaded. One for a whole batch, exchangeable between batches.

use pipeline::{Pipeline, Plugin};
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

impl Loaded {
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
