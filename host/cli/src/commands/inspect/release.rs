//! `paddle inspect --release`: what a release of a store is made of.

use crate::Context;
use crate::error::{Error, Status};
use crate::project::{self, Loading};
use crate::publishing::{compile, show};
use crate::releases::Place;
use crate::text::{bytes, count, one_line};
use crate::time;
use registry::{Compiled, Fingerprint, Release, ReleaseId, Trust};
use serde_json::json;

/// What is known of a release besides its manifest.
struct Around {
    /// The engines that it was compiled for, as its folder says.
    engines: Vec<Fingerprint>,
    /// What was compiled for this paddle's engine.
    here: Result<Option<Compiled>, String>,
    /// The channels that hold it, and those that were rolled back from it.
    channels: Vec<String>,
    bad: Vec<String>,
}

pub(super) fn inspect(named: &str, place: &Place, context: &mut Context) -> Result<Status, Error> {
    let opened = place.open(None, false, context)?;
    let engine = compile::fingerprint(&project::engine(&Loading::PRODUCTION, 1)?)?;
    let (release, around) = context.runtime.block_on(async {
        let id = opened.release(named).await?;
        let release = opened.registry.release(id).await?;
        let around = around(&opened.registry, id, engine).await?;
        Ok::<(Release, Around), Error>((release, around))
    })?;
    let unsigned = matches!(opened.registry.trust(), Trust::Unsigned);
    match context.ui.is_json() {
        true => context.ui.json(&json!({
            "release": release.id,
            "signer": release.signer.as_ref().map(ToString::to_string),
            "manifest": release.manifest,
            "engines": around.engines,
            "compiled_here": around.here.as_ref().is_ok_and(Option::is_some),
            "channels": around.channels,
            "bad": around.bad,
        }))?,
        false => show_release(&release, &around, unsigned, context)?,
    }
    Ok(Status::Done)
}

async fn around(registry: &registry::Registry, id: ReleaseId, engine: Fingerprint) -> Result<Around, Error> {
    let engines = registry.engines(id).await?;
    let here = registry.compiled(id, engine).await.map_err(|error| error.to_string());
    let (mut channels, mut bad) = (Vec::new(), Vec::new());
    for channel in registry.channels().await? {
        let Ok(Some(pointer)) = registry.pointer(&channel).await else { continue };
        if pointer.release == id {
            channels.push(channel.to_string());
        }
        if pointer.calls_bad(id) {
            bad.push(channel.to_string());
        }
    }
    Ok(Around { engines, here, channels, bad })
}

fn show_release(release: &Release, around: &Around, unsigned: bool, context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let (paint, manifest) = (ui.paint(), &release.manifest);
    ui.line(format!("{} of {}", paint.bold(&release.id.to_string()), manifest.pipeline))?;
    let why = if manifest.why.is_empty() { String::new() } else { format!(" ({})", one_line(&manifest.why)) };
    let (when, by) = (time::minute(manifest.at_ms), one_line(&manifest.by));
    ui.line(format!("  made {when} UTC by {by}{why}, with paddle {}", one_line(&manifest.paddle)))?;
    ui.line(match &release.signer {
        Some(key) => format!("  signed with key {key}"),
        None if unsigned => "  its signature was not looked at (PADDLE_ALLOW_UNSIGNED)".to_owned(),
        None => "  not signed".to_owned(),
    })?;
    if !around.channels.is_empty() {
        ui.line(format!("  held by {}", paint.green(&around.channels.join(", "))))?;
    }
    if !around.bad.is_empty() {
        ui.line(format!(
            "  {}, where it was rolled back from",
            paint.red(&format!("bad in {}", around.bad.join(", ")))
        ))?;
    }
    for line in show::plugins(manifest, paint).into_iter().chain(show::observed(manifest)) {
        ui.line(line)?;
    }
    for asset in &manifest.assets {
        ui.line(format!("  {} file {} ({})", one_line(&asset.step), one_line(&asset.name), bytes(asset.blob.bytes)))?;
    }
    ui.line(match manifest.test_records {
        Some(records) => format!("  test records  {}", bytes(records.bytes)),
        None => "  no test records: hosts take it untried".to_owned(),
    })?;
    let engines = count(around.engines.len() as u64, "engine");
    ui.line(match &around.here {
        Ok(Some(compiled)) => {
            let size = compiled.artifacts.values().map(|artifact| artifact.bytes).sum();
            format!("  compiled for {engines}, that of this paddle among them ({})", bytes(size))
        }
        Ok(None) => {
            format!("  compiled for {engines}, not for that of this paddle (paddle publish --recompile adds it)")
        }
        Err(error) => format!("  compiled for {engines}; that for this paddle is not taken: {}", one_line(error)),
    })?;
    ui.line(paint.dim("  paddle.toml"))?;
    manifest.config.lines().try_for_each(|line| ui.line(format!("    {}", one_line(line))))
}
