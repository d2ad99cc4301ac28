//! Taking a release: fetched and verified, compiled or loaded, started, and tried on its own test records.

use crate::assets;
use crate::config::Secrets;
use crate::loaded::Loaded;
use crate::trial::{Mismatch, TrialRecords};
use anyhow::{Context as _, Result, anyhow};
use engine::Engine;
use pipeline::{Hidden, Pipeline, Plugin};
use registry::{Cache, Code, ErrorKind, Fetched, Fingerprint, Registry, ReleaseId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bytes of all blobs of a release that a function takes, as a share of its memory: they are in memory while it is loaded.
const RELEASE_SHARE: u64 = 2;

/// Why a release was not taken.
#[derive(Debug)]
pub(crate) struct NotTaken {
    /// A short name, as in `paddle status`.
    pub(crate) kind: &'static str,
    /// Why, for people.
    pub(crate) reason: String,
    /// Whether another try may go better.
    pub(crate) transient: bool,
}

impl NotTaken {
    pub(crate) fn for_good(kind: &'static str, reason: impl fmt::Display) -> NotTaken {
        NotTaken { kind, reason: reason.to_string(), transient: false }
    }
}

impl From<registry::Error> for NotTaken {
    fn from(error: registry::Error) -> NotTaken {
        let transient = match error.kind() {
            // A publisher writes blobs before manifests and those before pointers: what is missing is missing for good.
            ErrorKind::NotFound => false,
            ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => true,
            _ => error.is_transient(),
        };
        NotTaken { kind: error.kind().as_str(), reason: error.to_string(), transient }
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.kind)
    }
}

/// What taking a release needs.
pub(crate) struct Taker {
    pub(crate) registry: Registry,
    pub(crate) cache: Cache,
    pub(crate) engine: Engine,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) secrets: Secrets,
    pub(crate) workers: usize,
    pub(crate) instances: u32,
    pub(crate) memory_bytes: u64,
}

impl Taker {
    /// Takes a release, beside one that has `steps_beside` steps.
    pub(crate) async fn take(self: &Arc<Taker>, id: ReleaseId, steps_beside: usize) -> Result<Loaded, NotTaken> {
        let bytes_max = self.memory_bytes / RELEASE_SHARE;
        let fetched = self.registry.fetch(id, Some(self.fingerprint), bytes_max, &self.cache).await?;
        let taker = Arc::clone(self);
        // Compiling takes seconds, and plugins block: not on a thread that answers.
        let loading = tokio::task::spawn_blocking(move || taker.load(&fetched, steps_beside));
        loading.await.unwrap_or_else(|panic| Err(NotTaken::for_good("panic", format!("loading it panicked: {panic}"))))
    }

    fn load(&self, fetched: &Fetched, steps_beside: usize) -> Result<Loaded, NotTaken> {
        let manifest = &fetched.release.manifest;
        let mut pipeline = Pipeline::parse(&manifest.config)
            .map_err(|error| NotTaken::for_good("config", format!("its paddle.toml cannot be read: {error}")))?;
        let id = fetched.release.id.to_string();
        pipeline.document.rules.stamp = pipeline.document.release_field.clone().map(|field| (field, id));
        let needed = (pipeline.steps.len() + steps_beside) * self.workers + pipeline.steps.len();
        if needed > self.instances as usize {
            return Err(NotTaken::for_good(
                "pool",
                format!(
                    "its {} steps do not fit beside the running release: {needed} instances are needed, the pool has {}",
                    pipeline.steps.len(),
                    self.instances
                ),
            ));
        }
        let loaded = self.steps(fetched, pipeline);
        let (loaded, hidden) = loaded.map_err(|error| NotTaken::for_good("load", format!("{error:#}")))?;
        try_on(fetched, &loaded, &hidden)?;
        Ok(loaded)
    }

    /// The release's steps, and what hides the secrets of all of them.
    fn steps(&self, fetched: &Fetched, pipeline: Pipeline) -> Result<(Loaded, Hidden)> {
        let manifest = &fetched.release.manifest;
        let mut codes = BTreeMap::new();
        for (digest, code) in &fetched.code {
            let compiled = match code {
                Code::Compiled(artifact) => self.engine.load_precompiled(artifact.bytes())?,
                Code::Wasm(wasm) => compile(&self.engine, wasm)?,
            };
            codes.insert(*digest, compiled);
        }
        let (mut steps, mut digests, mut hidden) = (Vec::new(), Vec::new(), Hidden::default());
        for step in &pipeline.steps {
            let told = || format!("load step `{}` (plugin `{}`)", step.name, step.plugin);
            let plugin = manifest.plugins.iter().find(|plugin| plugin.step == step.name);
            let plugin = plugin.ok_or_else(|| anyhow!("the manifest names no plugin for it")).with_context(told)?;
            let code =
                codes.get(&plugin.wasm.digest).ok_or_else(|| anyhow!("its code is not there")).with_context(told)?;
            let config = pipeline::fill_secrets(&step.config, &|name| self.secrets.get(name)).with_context(told)?;
            let assets = assets::of_release(step, fetched)?;
            steps.push(self.engine.load(code, step, &config, &assets).with_context(told)?);
            hidden = hidden.and(&config.hidden);
            digests.push(plugin.wasm.digest.to_string());
        }
        let plugins = move || Ok(steps.iter().map(engine::Loaded::plugin).collect::<Vec<Box<dyn Plugin>>>());
        let release = Some(fetched.release.id.to_string());
        Ok((Loaded { pipeline: Arc::new(pipeline), plugins: Box::new(plugins), digests, release }, hidden))
    }
}

/// The release's own test records must come to what they came to when it was published. What they come to here may hold secrets.
fn try_on(fetched: &Fetched, loaded: &Loaded, hidden: &Hidden) -> Result<(), NotTaken> {
    let Some(records) = &fetched.test_records else { return Ok(()) };
    let failed = |error: anyhow::Error| NotTaken::for_good("test-records", format!("{error:#}"));
    let mismatches = TrialRecords::from_bytes(records).and_then(|records| records.try_on(loaded)).map_err(failed)?;
    let Some(first) = mismatches.first() else { return Ok(()) };
    Err(NotTaken::for_good("test-records", told(first, hidden)))
}

/// Characters of each of the two answers that a message about a mismatch shows.
const SHOWN_CHARACTERS_MAX: usize = 200;

fn told(mismatch: &Mismatch, hidden: &Hidden) -> String {
    let shown = |answer: &Option<String>| {
        let answer = answer.as_deref().unwrap_or("nothing");
        hidden.hide_start(answer, 4 * SHOWN_CHARACTERS_MAX).chars().take(SHOWN_CHARACTERS_MAX).collect::<String>()
    };
    let Mismatch { event, case, expected, came } = mismatch;
    format!("event {event} of test `{case}` comes to {}, and {} was expected", shown(came), shown(expected))
}

#[cfg(feature = "compiler")]
fn compile(engine: &Engine, wasm: &[u8]) -> Result<engine::Code> {
    Ok(engine.compile(wasm)?)
}

#[cfg(not(feature = "compiler"))]
fn compile(_: &Engine, _: &[u8]) -> Result<engine::Code> {
    anyhow::bail!(
        "it was compiled for another engine, and this function has no compiler: publish it again with this version's paddle \
         (paddle publish --recompile)"
    );
}

#[cfg(test)]
mod tests {
    use super::{Hidden, Mismatch, told};

    #[test]
    fn why_a_release_is_refused_shows_no_secret() {
        let came = Some(format!("{{\"key\":\"{}hush-hush\"}}", "x".repeat(185)));
        let mismatch = Mismatch { case: "a".into(), event: 3, expected: None, came };
        let told = told(&mismatch, &Hidden::new(["hush-hush".to_owned()]).expect("it is short"));
        assert!(told.starts_with("event 3 of test `a` comes to {\"key\":\"xxx"), "{told}");
        assert!(
            told.contains("x***") && told.ends_with(", and nothing was expected") && !told.contains("hush"),
            "{told}"
        );
    }
}
