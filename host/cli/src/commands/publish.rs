//! `paddle publish`: from a folder to a release in a store, and onto a channel.

use crate::Context;
use crate::environment;
use crate::error::{Error, Status};
use crate::project::Project;
use crate::publishing::compare::{self, Compared};
use crate::publishing::compile::{self, Target};
use crate::publishing::gate::{self, Allowed, Readers};
use crate::publishing::upload::{Upload, Uploaded};
use crate::publishing::{self, Prepared, Preparing, recompile, show};
use crate::releases::moving::{self, Moving, Seen};
use crate::releases::{Opened, Place};
use crate::text::one_line;
use crate::time;
use clap::Args;
use registry::{
    Action, Blob, CACHE_BYTES_DEFAULT, Cache, Fetched, Name, Pointer, Publishing, RELEASE_BYTES_MAX, ReleaseId,
    SigningKey,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Make a release of a pipeline, and put it on a channel
///
/// Builds, runs the tests, compiles for the functions' engine, and shows what changes against what the channel holds.
/// Then signs, uploads, and moves the channel, if --to names one: running hosts take it within seconds, between two
/// batches.
///
/// Refused, with nothing written: a failing test; an import that a plugin did not have before; a quarter more fuel per
/// event; private text in test records; hosts that are older than this paddle. All but the first have an option that
/// lets them through.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle publish --dry-run                  what would change, and whether it may
  paddle publish --to live --wait           until every running host has taken it
  paddle publish --to staging --why \"mask card numbers\"
  paddle publish                            into the store; later: paddle promote RELEASE --to live
  paddle publish --recompile live           the same release, for this paddle's engine too

In CI the key's line is PADDLE_SIGNING_KEY, and the store PADDLE_STORE.")]
pub(crate) struct Publish {
    /// A paddle.toml or its folder (default: the current folder)
    #[arg(value_name = "PIPELINE", conflicts_with = "recompile")]
    project: Option<String>,
    /// Put the release on this channel
    #[arg(long, value_name = "CHANNEL", conflicts_with = "recompile")]
    to: Option<String>,
    /// Do everything but write
    #[arg(long)]
    dry_run: bool,
    /// Compile a release that is there for the engine of this paddle; its identity stays
    #[arg(long, value_name = "RELEASE")]
    recompile: Option<String>,
    /// Processors to compile for (default: this machine's)
    #[arg(long = "target", value_name = "ARCH", value_enum, value_delimiter = ',')]
    targets: Vec<Target>,
    #[command(flatten)]
    allowed: Allowed,
    #[command(flatten)]
    moving: Moving,
    #[command(flatten)]
    place: Place,
}

/// A release of the store, and what a new one changes.
struct Against {
    pointer: Pointer,
    fetched: Fetched,
    compared: Compared,
}

/// All that is known before anything is written.
struct Plan {
    channel: Name,
    prepared: Prepared,
    against: Option<Against>,
    readers: Readers,
    refusals: Vec<String>,
}

impl Publish {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        if self.to.is_none() && (self.moving.wait.is_some() || self.moving.at_revision.is_some()) {
            return Err(Error::usage("--wait and --at-revision are about a channel: name it with --to"));
        }
        let targets = compile::targets(&self.targets);
        if let Some(named) = &self.recompile {
            let opened = self.place.open(None, false, context)?;
            return recompile::recompile(&opened, named, &targets, self.moving.key.as_deref(), self.dry_run, context);
        }
        let mut project = Project::find(self.project.as_deref())?;
        let opened = match self.dry_run {
            true => self.place.open_dry(&project, context)?,
            false => self.place.open(Some(&project), true, context)?,
        };
        let signer = signer(&opened, self.moving.key.as_deref())?;
        let channel = opened.channel(self.to.as_deref())?;
        let seen = self.look(&opened, &channel, context)?;
        let plan = self.plan(&mut project, &opened, channel, (&seen, signer), &targets, context)?;
        let told = tell(&opened, &plan, self.dry_run, context)?;
        if !plan.refusals.is_empty() {
            print(told, context)?;
            return Err(refused(&plan.refusals));
        }
        if let Some(same) = self.same(&plan) {
            if !context.ui.is_json() {
                context.ui.line(same)?;
            }
            print(told, context)?;
            return Ok(Status::Done);
        }
        if self.dry_run {
            context.ui.note("nothing was written (--dry-run)")?;
            print(told, context)?;
            return Ok(Status::Done);
        }
        self.write(&opened, &plan, &seen, signer, told, context)
    }

    /// What the channel holds; somebody who was faster is told now, and not after minutes of work.
    fn look(&self, opened: &Opened, channel: &Name, context: &mut Context) -> Result<Seen, Error> {
        let seen = context.runtime.block_on(Seen::look(opened, channel, false));
        let seen = match (seen, &self.to) {
            // A channel that nobody wants to move is only compared with.
            (Err(error @ Error::Refused(_)), None) => {
                context.ui.warn(format!("nothing is compared: {error}"))?;
                Seen::Nothing
            }
            (seen, _) => seen?,
        };
        let at = seen.pointer().map_or(0, |pointer| pointer.revision);
        match self.moving.at_revision.filter(|wanted| *wanted != at) {
            Some(wanted) => Err(Error::refused(format!(
                "channel `{channel}` is at revision {at}, and {wanted} was looked at: nothing was published; look at it again \
                 (paddle status), then decide"
            ))),
            None => Ok(seen),
        }
    }

    fn plan(
        &self,
        project: &mut Project,
        opened: &Opened,
        channel: Name,
        (seen, signer): (&Seen, Option<&SigningKey>),
        targets: &[Target],
        context: &mut Context,
    ) -> Result<Plan, Error> {
        let how = Preparing {
            pipeline: opened.registry.pipeline().clone(),
            why: self.moving.why()?,
            compiled: signer.is_some_and(|key| key.purposes().compiled),
            targets: targets.to_vec(),
        };
        let mut prepared = publishing::prepare(project, &how, context)?;
        let pointer = match seen.pointer() {
            Some(pointer) => Some(pointer.clone()),
            None => usual(opened, &channel, context),
        };
        let against = pointer.and_then(|pointer| against(opened, pointer, &mut prepared, context));
        let readers = readers(opened, &channel, &mut prepared, context);
        let manifest = |against: &'_ Against| against.fetched.release.manifest.clone();
        let from = against.as_ref().map(manifest);
        let compared = from.as_ref().zip(against.as_ref().map(|against| &against.compared));
        let refusals = gate::refusals(&prepared, compared, &readers, &self.allowed);
        Ok(Plan { channel, prepared, against, readers, refusals })
    }

    /// Why there is nothing to publish.
    fn same(&self, plan: &Plan) -> Option<String> {
        let against = plan.against.as_ref().filter(|against| against.compared.difference.is_empty())?;
        let pointer = &against.pointer;
        let there = self.to.is_none() || pointer.channel == plan.channel;
        there.then(|| {
            let (id, channel) = (pointer.release.short(), &pointer.channel);
            format!("{channel} holds the same already, as release {id}: nothing was published")
        })
    }

    fn write(
        &self,
        opened: &Opened,
        plan: &Plan,
        seen: &Seen,
        signer: Option<&SigningKey>,
        mut told: Map<String, Value>,
        context: &mut Context,
    ) -> Result<Status, Error> {
        let (id, uploaded) = upload(opened, plan, signer, context)?;
        told.insert("published".into(), json!(true));
        told.insert("bytes".into(), json!(uploaded.total));
        told.insert("bytes_uploaded".into(), json!(uploaded.written));
        if !context.ui.is_json() {
            let release = context.ui.paint().green(&id.short());
            context.ui.line(format!("published {release}: {}", uploaded.sentence()))?;
        }
        if self.to.is_none() {
            let program = environment::program();
            context.ui.note(format!(
                "no channel holds it yet: {program} promote {} --to {}",
                id.short(),
                plan.channel
            ))?;
            print(told, context)?;
            return Ok(Status::Done);
        }
        let how = self.moving.of(&plan.channel, seen, false)?;
        let moved = context.runtime.block_on(opened.registry.promote(id, Action::Publish, &how, signer));
        let moved = moved.map_err(|error| Error::from(error).but(format!("release {} is in the store", id.short())))?;
        moving::finish(opened, &moved, self.moving.wait, told, context)
    }
}

/// The key, which is looked at before the work begins.
fn signer<'a>(opened: &'a Opened, named: Option<&str>) -> Result<Option<&'a SigningKey>, Error> {
    let signer = opened.keys.publisher(named)?;
    match signer.map(SigningKey::purposes).filter(|purposes| !purposes.release) {
        Some(purposes) => Err(Error::refused(format!(
            "the key may sign `{purposes}` and no releases: publish with a publisher's key (paddle keygen, --key)"
        ))),
        None => Ok(signer),
    }
}

/// What the usual channel holds, to compare with where the one that was named holds nothing.
fn usual(opened: &Opened, named: &Name, context: &Context) -> Option<Pointer> {
    let usual = opened.channel(None).ok().filter(|usual| usual != named)?;
    context.runtime.block_on(opened.registry.pointer(&usual)).ok().flatten()
}

/// The release that a channel holds, and what differs; none where it cannot be told, which is a warning.
fn against(opened: &Opened, pointer: Pointer, prepared: &mut Prepared, context: &Context) -> Option<Against> {
    let cache = environment::cache_folder().map_or_else(Cache::none, |folder| Cache::new(folder, CACHE_BYTES_DEFAULT));
    let fetched = context.runtime.block_on(async {
        // What both have is not fetched, and what is new need not be the next time.
        for component in &prepared.shipped.components {
            cache.keep_blob(component.digest, &component.wasm).await;
        }
        opened.registry.fetch(pointer.release, None, RELEASE_BYTES_MAX, &cache).await
    });
    match fetched {
        Ok(fetched) => {
            let compared = compare::compare(&fetched, prepared.draft.manifest(), &prepared.tested, context);
            Some(Against { pointer, fetched, compared })
        }
        Err(error) => {
            prepared.warnings.push(format!("nothing is compared with what `{}` holds: {error}", pointer.channel));
            None
        }
    }
}

/// The hosts that will take it.
fn readers(opened: &Opened, channel: &Name, prepared: &mut Prepared, context: &Context) -> Readers {
    match context.runtime.block_on(opened.registry.hosts(time::now_ms())) {
        Ok(hosts) => Readers::of(hosts.live.iter().map(|(name, report)| (name, report)), channel, &prepared.engines),
        Err(error) => {
            prepared.warnings.push(format!("the running hosts are not known: {error}"));
            Readers::default()
        }
    }
}

/// Shows what changes, or says it in JSON that is yet to be printed.
fn tell(opened: &Opened, plan: &Plan, dry_run: bool, context: &mut Context) -> Result<Map<String, Value>, Error> {
    let ui = &mut context.ui;
    let (manifest, paint) = (plan.prepared.draft.manifest(), ui.paint());
    if ui.is_json() {
        return Ok(as_json(plan, dry_run));
    }
    ui.line(format!("{} to {}", paint.bold(opened.registry.pipeline().as_str()), opened.registry.store()))?;
    let lines = match &plan.against {
        Some(against) => {
            let (id, channel) = (paint.bold(&against.pointer.release.short()), &against.pointer.channel);
            ui.line(format!(
                "what changes against {id}, which {channel} holds (revision {})",
                against.pointer.revision
            ))?;
            show::comparison(&against.fetched.release.manifest, manifest, &against.compared, paint)
        }
        None => {
            ui.line(format!("the first release that {} would hold", plan.channel))?;
            show::plugins(manifest, paint)
        }
    };
    lines.iter().try_for_each(|line| ui.line(line))?;
    if let Some(told) = plan.readers.told(plan.prepared.shipped.compile) {
        ui.line(format!("  {told}"))?;
    }
    plan.prepared.warnings.iter().try_for_each(|warning| ui.warn(one_line(warning)))?;
    // Before the upload begins.
    ui.flush()?;
    Ok(Map::new())
}

fn as_json(plan: &Plan, dry_run: bool) -> Map<String, Value> {
    let against = plan.against.as_ref().map(|against| {
        json!({
            "release": against.pointer.release,
            "channel": against.pointer.channel,
            "revision": against.pointer.revision,
            "difference": against.compared.difference,
            "ran": against.compared.ran.as_ref().ok(),
            "not_run": against.compared.ran.as_ref().err(),
        })
    });
    let told = json!({
        "pipeline": plan.prepared.draft.manifest().pipeline,
        "release": plan.prepared.draft.id(),
        "published": false,
        "dry_run": dry_run,
        "against": against,
        "plugins": plan.prepared.draft.manifest().plugins,
        "engines": plan.prepared.engines,
        "running_hosts": plan.readers,
        "refused": plan.refusals,
        "warnings": plan.prepared.warnings,
    });
    match told {
        Value::Object(told) => told,
        _ => Map::new(),
    }
}

fn print(told: Map<String, Value>, context: &mut Context) -> Result<(), Error> {
    if context.ui.is_json() { context.ui.json(&told) } else { Ok(()) }
}

/// All reasons in one sentence.
fn refused(reasons: &[String]) -> Error {
    if let [reason] = reasons {
        return Error::refused(format!("nothing was published: {reason}"));
    }
    let numbered: Vec<String> =
        reasons.iter().enumerate().map(|(at, reason)| format!("({}) {reason}", at + 1)).collect();
    Error::refused(format!("nothing was published, for {} reasons: {}", reasons.len(), numbered.join("; ")))
}

fn upload(
    opened: &Opened,
    plan: &Plan,
    signer: Option<&SigningKey>,
    context: &Context,
) -> Result<(ReleaseId, Uploaded), Error> {
    let upload = Upload::new(context);
    let progress = |now| upload.show(now);
    let id = context.runtime.block_on(async {
        let referred = referred(opened, plan).await;
        let now_ms = time::now_ms();
        let how = Publishing { signer, now_ms, referred: &referred, rewrite: false, progress: &progress };
        opened.registry.publish(&plan.prepared.draft, how).await
    })?;
    Ok((id, upload.end()))
}

/// The blobs of what the channel holds: they are in the store, whatever their age.
async fn referred(opened: &Opened, plan: &Plan) -> BTreeSet<Blob> {
    let Some(against) = &plan.against else { return BTreeSet::new() };
    let mut blobs = against.fetched.release.manifest.blobs();
    for &engine in &plan.prepared.engines {
        // Only saves an upload.
        if let Ok(Some(compiled)) = opened.registry.compiled(against.pointer.release, engine).await {
            blobs.extend(compiled.artifacts.into_values());
        }
    }
    blobs
}
