//! `paddle publish --recompile`: what a release compiles to for this program's engine, added to the release that is
//! there.

use super::compile::{self, Target};
use super::upload::Upload;
use crate::Context;
use crate::error::{Error, Status};
use crate::project::{self, Loading};
use crate::releases::Opened;
use crate::text::{count, time as duration};
use crate::time;
use bytes::Bytes;
use registry::{Cache, Code, DraftCompiled, Fingerprint, Publishing, RELEASE_BYTES_MAX};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

/// Compiles a release of the store for the targets, and adds that to it.
pub(crate) fn recompile(
    opened: &Opened,
    named: &str,
    targets: &[Target],
    key: Option<&str>,
    dry_run: bool,
    context: &mut Context,
) -> Result<Status, Error> {
    let signer = opened.keys.publisher(key)?;
    let Some(signer) = signer.filter(|key| key.purposes().compiled) else {
        return Err(Error::refused(
            "compiled code has to be signed by a key that may sign `compiled`: use a publisher's (paddle keygen, --key)",
        ));
    };
    let fetched = context.runtime.block_on(async {
        let id = opened.release(named).await?;
        Ok::<_, Error>(opened.registry.fetch(id, None, RELEASE_BYTES_MAX, &Cache::none()).await?)
    })?;
    let id = fetched.release.id;
    let wasm = |code: &Code| match code {
        Code::Wasm(wasm) => Some(wasm.clone()),
        Code::Compiled(_) => None, // None was asked for.
    };
    let wasm: Vec<Bytes> = fetched.code.values().filter_map(wasm).collect();
    let engine = project::engine(&Loading::PRODUCTION, 1)?;
    let begun = Instant::now();
    let artifacts = compile::precompile(&engine, targets, &wasm, context)?;
    let (plugins, took) = (count(wasm.len() as u64, "plugin"), duration(begun.elapsed()));
    let compiled: Vec<DraftCompiled> =
        artifacts.into_iter().map(|(engine, artifacts)| compile::drafted(engine, artifacts)).collect();
    let engines: Vec<Fingerprint> = compiled.iter().map(|compiled| compiled.engine).collect();
    let told = format!("{plugins} of release {} compiled in {took}", id.short());
    if dry_run {
        context.ui.note(format!("{told}; nothing was written (--dry-run)"))?;
    } else {
        let upload = Upload::new(context);
        let progress = |now| upload.show(now);
        let referred = BTreeSet::new();
        let how = Publishing {
            signer: Some(signer),
            now_ms: time::now_ms(),
            referred: &referred,
            rewrite: false,
            progress: &progress,
        };
        context.runtime.block_on(opened.registry.add_compiled(id, &compiled, how))?;
        let uploaded = upload.end();
        context.ui.note(format!("{told}: {}", uploaded.sentence()))?;
    }
    if context.ui.is_json() {
        context.ui.json(&json!({"release": id, "engines": engines, "dry_run": dry_run}))?;
    }
    Ok(Status::Done)
}
