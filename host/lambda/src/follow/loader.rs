//! From the store to running code: a release is fetched and verified, compiled or loaded, and tried on its own test
//! records. Or from the package.

use super::not_taken::NotTaken;
use super::state::Source;
use crate::assets;
use crate::bundle::Bundle;
use crate::config::{Secrets, Settings};
use crate::host::streams;
use crate::loaded::{Finder, Loaded, StepParts};
use crate::trial::{Mismatch, TrialRecords};
use anyhow::{Context as _, Result, anyhow};
use engine::{Engine, LoadError};
use pipeline::settings::Step;
use pipeline::{Hidden, Pipeline};
use registry::{Cache, Code, Digest, Fetched, Fingerprint, Registry};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of all blobs of a release that a function takes, as a share of its memory: they are in memory while it is
/// loaded.
const RELEASE_SHARE: u64 = 2;

/// What loading needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) registry: Registry,
    pub(super) cache: Cache,
    pub(super) engine: Engine,
    pub(super) fingerprint: Fingerprint,
    pub(super) instances: u32,
    pub(super) settings: Arc<Settings>,
}

impl Loader {
    /// The same without the store: only what the cache has kept can be loaded, and nothing waits for the network.
    pub(super) fn without_store(&self) -> Loader {
        Loader { registry: self.registry.without_store(), ..self.clone() }
    }

    /// Loads something, beside a pipeline of `steps_beside` steps.
    pub(super) async fn load(&self, source: Source, steps_beside: usize) -> Result<Loaded, NotTaken> {
        let Source::Release(id) = source else {
            return self.blocking(Loader::package).await;
        };
        let bytes_max = (self.settings.memory_mib << 20) / RELEASE_SHARE;
        let fetched = self.registry.fetch(id, Some(self.fingerprint), bytes_max, &self.cache).await?;
        self.blocking(move |loader| loader.release(&fetched, steps_beside)).await
    }

    /// Compiling takes seconds, and plugins block: not on a thread that answers.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Loader) -> Result<T, NotTaken> + Send + 'static,
    ) -> Result<T, NotTaken> {
        let loader = self.clone();
        let loading = tokio::task::spawn_blocking(move || work(&loader));
        loading.await.unwrap_or_else(|panic| Err(NotTaken::for_good("panic", format!("loading it panicked: {panic}"))))
    }

    /// The pipeline in the package.
    fn package(&self) -> Result<Loaded, NotTaken> {
        let loaded = Bundle::read(&self.settings.config)
            .and_then(|bundle| bundle.with_artifacts().load(&self.engine, &self.settings.secrets, &|_| None));
        loaded.map_err(|error| NotTaken::for_good("package", format!("{error:#}")))
    }

    fn release(&self, fetched: &Fetched, steps_beside: usize) -> Result<Loaded, NotTaken> {
        let manifest = &fetched.release.manifest;
        let mut pipeline = Pipeline::parse(&manifest.config)
            .map_err(|error| NotTaken::for_good("config", format!("its paddle.toml cannot be read: {error}")))?;
        let id = fetched.release.id.to_string();
        pipeline.document.rules.stamp = pipeline.document.release_field.clone().map(|field| (field, id));
        let needed = (pipeline.steps.len() + steps_beside) * self.settings.workers + pipeline.steps.len();
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
        // The host would refuse it, and at a start there is no other release that would stay.
        streams(&self.settings, &loaded).map_err(|error| NotTaken::for_good("swap", format!("{error:#}")))?;
        try_on(fetched, &loaded, &hidden)?;
        Ok(loaded)
    }

    /// The release's steps, and what hides the secrets of all of them.
    fn steps(&self, fetched: &Fetched, pipeline: Pipeline) -> Result<(Loaded, Hidden)> {
        let mut codes = BTreeMap::new();
        for (digest, code) in &fetched.code {
            let compiled = match code {
                Code::Compiled(artifact) => self.engine.load_precompiled(artifact.bytes())?,
                Code::Wasm(wasm) => compile(&self.engine, wasm)?,
            };
            codes.insert(*digest, compiled);
        }
        let secrets = &self.settings.secrets;
        let mut finder = InRelease { fetched, codes, secrets, hidden: Hidden::default() };
        let loaded = Loaded::assemble(&self.engine, Arc::new(pipeline), &mut finder)?;
        Ok((Loaded { release: Some(fetched.release.id.to_string()), ..loaded }, finder.hidden))
    }
}

/// Finds the plugins of a release.
struct InRelease<'a> {
    fetched: &'a Fetched,
    codes: BTreeMap<Digest, engine::Code>,
    secrets: &'a Secrets,
    /// What hides the secrets of all steps.
    hidden: Hidden,
}

impl Finder for InRelease<'_> {
    type Error = anyhow::Error;

    fn find(&mut self, step: &Step) -> Result<StepParts> {
        let loading = || loading(step);
        let plugin = self.fetched.release.manifest.plugins.iter().find(|plugin| plugin.step == step.name);
        let plugin = plugin.ok_or_else(|| anyhow!("the manifest names no plugin for it")).with_context(loading)?;
        let digest = plugin.wasm.digest;
        let code = self.codes.get(&digest).ok_or_else(|| anyhow!("its code is not there")).with_context(loading)?;
        let config = pipeline::fill_secrets(&step.config, &|name| self.secrets.get(name)).with_context(loading)?;
        let assets = assets::of_release(step, self.fetched)?;
        Ok(StepParts { digest: digest.to_string(), code: code.clone(), config, assets })
    }

    fn refused(&self, step: &Step, error: LoadError) -> anyhow::Error {
        anyhow::Error::new(error).context(loading(step))
    }

    fn accepted(&mut self, _step: &Step, parts: StepParts) {
        self.hidden = std::mem::take(&mut self.hidden).and(&parts.config.hidden);
    }
}

fn loading(step: &Step) -> String {
    format!("load step `{}` (plugin `{}`)", step.name, step.plugin)
}

/// The release's own test records must come to what they came to when it was published. What they come to here may hold
/// secrets.
fn try_on(fetched: &Fetched, loaded: &Loaded, hidden: &Hidden) -> Result<(), NotTaken> {
    let Some(records) = &fetched.test_records else { return Ok(()) };
    let failed = |error: anyhow::Error| NotTaken::for_good("test-records", format!("{error:#}"));
    let mismatches = TrialRecords::from_bytes(records).and_then(|records| records.try_on(loaded)).map_err(failed)?;
    let Some(first) = mismatches.first() else { return Ok(()) };
    Err(NotTaken::for_good("test-records", difference(first, hidden)))
}

/// Characters of each of the two answers that a message about a mismatch shows.
const SHOWN_CHARACTERS_MAX: usize = 200;

fn difference(mismatch: &Mismatch, hidden: &Hidden) -> String {
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
    use super::{Hidden, Mismatch, difference};

    #[test]
    fn why_a_release_is_refused_shows_no_secret() {
        let came = Some(format!("{{\"key\":\"{}hush-hush\"}}", "x".repeat(185)));
        let mismatch = Mismatch { case: "a".into(), event: 3, expected: None, came };
        let told = difference(&mismatch, &Hidden::new(["hush-hush".to_owned()]).expect("it is short"));
        assert!(told.starts_with("event 3 of test `a` comes to {\"key\":\"xxx"), "{told}");
        assert!(
            told.contains("x***") && told.ends_with(", and nothing was expected") && !told.contains("hush"),
            "{told}"
        );
    }
}
