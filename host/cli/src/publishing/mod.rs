//! What `paddle publish` does before it writes anything, in this order:
//!
//! 1. `test`: the project's cases pass.
//! 2. `compile`: its components, and what is compiled of them for each engine.
//! 3. `trial`: the records that hosts will try the release on, with the answers of what was compiled; `private` finds
//!    in them what must not be uploaded, but for what is `reserved` for examples.
//! 4. `compare`: the new release beside the one that a channel holds, on the same records.
//! 5. `gate`: what stops the publish, each with the option that lets it through.
//!
//! Then the draft is written, which `upload` shows. `show` says what changes, for people; `recompile` adds what a
//! release that is there compiles to for another engine.

pub(crate) mod compare;
pub(crate) mod compile;
pub(crate) mod gate;
mod private;
pub(crate) mod recompile;
mod reserved;
pub(crate) mod show;
pub(crate) mod test;
pub(crate) mod trial;
pub(crate) mod upload;

use crate::Context;
use crate::environment;
use crate::error::{Error, Trouble};
use crate::project::Project;
use crate::time;
use anyhow::Context as _;
use bytes::Bytes;
use compile::{Shipped, Target};
use registry::{Asset, Blob, Draft, Fingerprint, Manifest, Name, Plugin};
use test::Tested;

/// A release, ready to be compared and published.
pub(crate) struct Prepared {
    pub(crate) draft: Draft,
    /// The engines that it was compiled for.
    pub(crate) engines: Vec<Fingerprint>,
    pub(crate) tested: Tested,
    pub(crate) shipped: Shipped,
    /// What kinds of private text the test records contain, and where.
    pub(crate) private: Vec<String>,
    /// Sentences that deserve a look.
    pub(crate) warnings: Vec<String>,
}

/// How to prepare.
#[derive(Debug, Clone)]
pub(crate) struct Preparing {
    pub(crate) pipeline: Name,
    pub(crate) why: String,
    /// Whether compiled code is of use: it has to be signed.
    pub(crate) compiled: bool,
    pub(crate) targets: Vec<Target>,
}

/// Builds, tests, compiles and tries a project.
pub(crate) fn prepare(project: &mut Project, how: &Preparing, context: &mut Context) -> Result<Prepared, Error> {
    let Some(config) = project.text.clone() else {
        return Err(Error::usage(format!(
            "{} is not a pipeline: a release is made of a paddle.toml; write one with a [[step]] for this plugin",
            project.source
        )));
    };
    // Ids are made of sequence numbers, which tests do not have; what is published is the text.
    project.pipeline = project.pipeline.without_ids();
    let tested = test::run(project, context)?;
    let parts = tested.ready.steps.iter().map(|step| step.parts.clone()).collect();
    let shipped = compile::compile(&project.pipeline.steps, parts, &how.targets, context)?;
    let mut warnings = tested.warnings.clone();
    let records = match project.pipeline.release.test_records {
        true => trial::record(project, &shipped, &tested, &mut warnings, context)?,
        false => None,
    };
    let private = records.iter().flat_map(private::found).collect();
    let records: Option<Bytes> = records.map(|records| records.to_bytes());
    let manifest = Manifest {
        pipeline: how.pipeline.clone(),
        config,
        plugins: plugins(project, &tested, &shipped),
        assets: assets(project, &shipped),
        test_records: records.as_ref().map(|records| Blob::of(records)),
        at_ms: time::now_ms(),
        by: environment::user(),
        why: how.why.clone(),
        paddle: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let files = shipped.components.iter().flat_map(|component| component.assets.iter());
    let files = files.map(|(_, asset)| asset.bytes.clone());
    let blobs = shipped.components.iter().map(|component| component.wasm.clone()).chain(files).chain(records);
    let mut draft = Draft::new(manifest, blobs)?;
    let mut engines = Vec::new();
    for (engine, artifacts) in shipped.artifacts.iter().filter(|_| how.compiled) {
        draft = draft.with_compiled(compile::drafted(*engine, artifacts.clone()))?;
        engines.push(*engine);
    }
    Ok(Prepared { draft, engines, tested, shipped, private, warnings })
}

fn plugins(project: &Project, tested: &Tested, shipped: &Shipped) -> Vec<Plugin> {
    let plugin = |(step, component): (&pipeline::settings::Step, &compile::Component)| Plugin {
        step: step.name.clone(),
        plugin: step.plugin.clone(),
        wasm: Blob::of(&component.wasm),
        imports: component.imports.clone(),
        observed: tested.observed(&step.name),
        fuel_per_event: tested.fuel_per_event(&step.name),
        load_us: Some(u64::try_from(component.load.as_micros()).unwrap_or(u64::MAX)),
    };
    project.pipeline.steps.iter().zip(&shipped.components).map(plugin).collect()
}

fn assets(project: &Project, shipped: &Shipped) -> Vec<Asset> {
    let of_step = |(step, component): (&pipeline::settings::Step, &compile::Component)| {
        let asset = |(name, asset): (&str, &pipeline::Asset)| Asset {
            step: step.name.clone(),
            name: name.to_owned(),
            source: asset.source.clone(),
            blob: Blob::of(&asset.bytes),
        };
        component.assets.iter().map(asset).collect::<Vec<Asset>>()
    };
    project.pipeline.steps.iter().zip(&shipped.components).flat_map(of_step).collect()
}

/// For what only a mistake of ours can break.
trait OrBug<T> {
    fn or_bug(self) -> Result<T, Error>;
}

impl<T> OrBug<T> for anyhow::Result<T> {
    fn or_bug(self) -> Result<T, Error> {
        self.map_err(Error::Bug)
    }
}

/// Reads a release's config, which this version may not be able to.
pub(crate) fn pipeline_of(manifest: &Manifest) -> Result<pipeline::Pipeline, Error> {
    let parsed = pipeline::Pipeline::parse(&manifest.config);
    parsed.context("this version of paddle cannot read the release's paddle.toml").or_usage()
}
