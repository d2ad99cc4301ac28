//! `paddle inspect`: what a plugin or a release is made of, or what steps did to fields.

mod release;

use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::input::{Flow, Reader};
use crate::local::Local;
use crate::project::{self, Component, Loading, Project};
use crate::releases::Place;
use crate::text;
use clap::Args;
use pipeline::settings::Step;
use pipeline::{Asset, Fields, Report};
use serde_json::{Value, json};
use toolchain::{Contract, Inspection, Interface, WasmKind};

/// Show what a plugin or a release is made of, or which fields steps read and write
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle inspect redact
  paddle inspect plugins/enrich
  paddle inspect enrich.wasm
  paddle inspect --observed -i events.ndjson
  paddle inspect --release live                    what a channel holds; or the start of a release's id")]
pub(crate) struct Inspect {
    /// A ready-made plugin, a .wasm, a .js or .py, a plugin's folder; with --observed a pipeline
    #[arg(value_name = "PLUGIN")]
    plugin: Option<String>,
    /// Run records, and show the fields that each step read and wrote
    #[arg(long, requires = "input")]
    observed: bool,
    /// Records to run: files, or `-`
    #[arg(short, long, value_name = "FILE", requires = "observed")]
    input: Vec<String>,
    /// A release of a store: the start of its id, or a channel that holds it
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["plugin", "observed"])]
    release: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Inspect {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        if let Some(named) = &self.release {
            return release::inspect(named, &self.place, context);
        }
        if self.place.is_named() {
            return Err(Error::usage("--store and --pipeline are about a release: name it with --release"));
        }
        let project = Project::find(self.plugin.as_deref())?;
        if self.observed {
            return observed(&project, &self.input, context);
        }
        let [step] = project.pipeline.steps.as_slice() else {
            return Err(Error::usage("name one plugin, or add --observed -i FILE for a pipeline's fields"));
        };
        let component = project::component(&project.origin(step)?, context)?;
        let inspection = toolchain::inspect(&component.wasm).or_plugin()?;
        let kept = matches!(inspection.contract, Contract::Kept { .. });
        let script = script(step, &component, &project)?;
        match (context.ui.is_json(), script) {
            (true, script) => {
                let mut json = as_json(&inspection);
                json["script"] = script.map_or(Value::Null, |files| files.iter().map(File::as_json).collect());
                context.ui.json(&json)?;
            }
            (false, Some(files)) => show_script(&step.name, component.runtime, &files, &inspection, context)?,
            (false, None) => show(&inspection, &step.name, context)?,
        }
        Ok(Status::failed_if(!kept))
    }
}

/// A file of a script.
struct File {
    source: String,
    bytes: usize,
    digest: String,
}

impl File {
    fn as_json(&self) -> Value {
        json!({"file": self.source, "bytes": self.bytes, "digest": self.digest})
    }
}

/// The files of a plugin that is a script, the main one first.
fn script(step: &Step, component: &Component, project: &Project) -> Result<Option<Vec<File>>, Error> {
    if !component.files.contains_key(Step::SCRIPT) {
        return Ok(None);
    }
    let assets = component.parts(step, &project.folder)?.assets;
    let mut files: Vec<_> = assets.iter().filter(|(name, _)| component.files.contains_key(*name)).collect();
    files.sort_by_key(|(name, _)| *name != Step::SCRIPT);
    let file = |(_, asset): (&str, &Asset)| File {
        source: asset.source.clone(),
        bytes: asset.bytes.len(),
        digest: lambda::digest(&asset.bytes),
    };
    Ok(Some(files.into_iter().map(file).collect()))
}

fn show_script(
    name: &str,
    runtime: Option<&str>,
    files: &[File],
    inspection: &Inspection,
    context: &mut Context,
) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    let all = text::bytes(files.iter().map(|file| file.bytes as u64).sum());
    ui.line(format!("{}: script, {}, {all}", paint.bold(name), text::count(files.len() as u64, "file")))?;
    for File { source, bytes, digest } in files {
        ui.line(format!("  {}, {}", text::one_line(source), text::bytes(*bytes as u64)))?;
        ui.line(format!("    sha256 {digest}"))?;
    }
    let digest = &inspection.digest;
    let runtime = runtime.unwrap_or_default();
    ui.line(format!("  runs in the ready-made plugin `{runtime}`, sha256 {digest}"))
}

fn show(inspection: &Inspection, name: &str, context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    let kind = match inspection.kind {
        WasmKind::Component => "component",
        WasmKind::CoreModule => "core module",
    };
    let modules = text::count(inspection.core_modules.len() as u64, "core module");
    let memories = text::number(u64::from(inspection.memories));
    ui.line(format!(
        "{}: {kind}, {}, {modules}, memories: {memories}",
        paint.bold(name),
        text::bytes(inspection.size)
    ))?;
    ui.line(format!("  sha256 {}", inspection.digest))?;
    match &inspection.contract {
        Contract::Kept { version, wasi } => {
            let wasi = if *wasi { ", with WASI (virtual: no files, no network)" } else { ", without WASI" };
            ui.line(format!("  {} to paddlewheel:transform {version}{wasi}", paint.green("keeps")))?;
        }
        Contract::Broken(reasons) => {
            for reason in reasons {
                ui.line(format!("  {}: {reason}", paint.red("no plugin")))?;
            }
        }
    }
    for (title, interfaces) in [("imports", &inspection.imports), ("exports", &inspection.exports)] {
        ui.line(paint.dim(title))?;
        for interface in interfaces {
            ui.line(format!("  {}", interface.name))?;
            for function in &interface.functions {
                ui.line(format!("    {}", paint.dim(function)))?;
            }
        }
    }
    Ok(())
}

fn as_json(inspection: &Inspection) -> Value {
    let interfaces = |interfaces: &[Interface]| {
        let one = |interface: &Interface| json!({"name": interface.name, "functions": interface.functions});
        interfaces.iter().map(one).collect::<Vec<_>>()
    };
    let contract = match &inspection.contract {
        Contract::Kept { version, wasi } => json!({"kept": true, "version": version, "wasi": wasi}),
        Contract::Broken(reasons) => json!({"kept": false, "reasons": reasons}),
    };
    json!({
        "component": inspection.kind == WasmKind::Component,
        "bytes": inspection.size,
        "digest": inspection.digest,
        "core_modules": inspection.core_modules,
        "memories": inspection.memories,
        "tables": inspection.tables,
        "contract": contract,
        "imports": interfaces(&inspection.imports),
        "exports": interfaces(&inspection.exports),
    })
}

fn observed(project: &Project, inputs: &[String], context: &mut Context) -> Result<Status, Error> {
    let ready = project.load(context, &Loading::PRODUCTION)?;
    let mut local = Local::new(&ready.loaded, None).or_plugin()?;
    local.observe_fields();
    let mut progress = context.ui.progress("running", "records");
    Reader::default().files(inputs, &mut |record| {
        for entered in local.events(&record).into_vec() {
            local.run(entered);
        }
        progress.add(1);
        Ok(Flow::Continue(()))
    })?;
    drop(progress);
    let report = local.into_report();
    if context.ui.is_json() {
        let step =
            |step: &pipeline::StepReport| json!({"name": step.name, "events": step.events, "fields": step.fields});
        context.ui.json(&report.steps.iter().map(step).collect::<Vec<_>>())?;
    } else {
        show_fields(&report, context)?;
    }
    Ok(Status::Done)
}

fn show_fields(report: &Report, context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    for step in &report.steps {
        ui.line(format!("{}: {}", paint.bold(&step.name), text::count(step.events, "event")))?;
        let Fields { read, written, absent } = &step.fields;
        for (verb, fields) in [("reads", read), ("writes", written)] {
            for (field, count) in fields {
                let name = if field.is_empty() { "the whole event".to_owned() } else { text::one_line(field) };
                let missing = absent.get(field).copied().unwrap_or(0);
                let missing = match missing {
                    0 => String::new(),
                    missing if missing >= *count => paint.yellow("  never there"),
                    missing => paint.dim(&format!("  not there {}", text::number(missing))),
                };
                ui.line(format!("  {verb:6}  {:>9}  {name}{missing}", text::number(*count)))?;
            }
        }
    }
    Ok(())
}
