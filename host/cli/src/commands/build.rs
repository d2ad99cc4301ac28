//! `paddle build`: plugins with source become components.

use crate::Context;
use crate::compiled;
use crate::error::{Error, Status, Trouble};
use crate::project::{self, Component, Loading, Origin, Project, folder_name, load_error};
use crate::text;
use anyhow::Context as _;
use clap::Args;
use engine::Engine;
use pipeline::DUMMY_SECRET;
use pipeline::settings::Step;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use toolchain::{Built, Language};

/// Build the plugins of a pipeline, or one plugin
///
/// Compilers run as they always do: their messages are shown unchanged, and what did not change is not compiled again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  paddle build\n  paddle build plugins/enrich")]
pub(crate) struct Build {
    /// A paddle.toml, its folder, or one plugin's folder
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
}

impl Build {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let project = Project::find(self.pipeline.as_deref())?;
        let engine = project::engine(&Loading::PRODUCTION, 1)?;
        let mut seen: Vec<Origin> = Vec::new();
        let mut answers = Vec::new();
        for step in &project.pipeline.steps {
            let origin = project.origin(step)?;
            if seen.contains(&origin) {
                continue;
            }
            if let Origin::Folder(from) | Origin::Script(from) = &origin {
                let component = project::component(&origin, context)?;
                let load = load(&engine, step, &component, &project.folder, context)?;
                answers.push(show(step, from, &component, load, context)?);
            }
            seen.push(origin);
        }
        if context.ui.is_json() {
            context.ui.json(&answers)?;
        } else if answers.is_empty() {
            context.ui.note(format!("{} has no plugins with source: there is nothing to build", project.source))?;
        }
        Ok(Status::Done)
    }
}

/// Loads what was built, and says how long that takes; what it compiles to is kept for the next command. A script is
/// started too: only that shows whether it can be read.
fn load(
    engine: &Engine,
    step: &Step,
    component: &Component,
    folder: &Path,
    context: &mut Context,
) -> Result<Duration, Error> {
    let told = || format!("load the plugin of step `{}`", step.name);
    let begun = Instant::now();
    let code = compiled::code(engine, &component.wasm, &step.name, context).with_context(told).or_plugin()?;
    if component.files.is_empty() {
        return Ok(begun.elapsed());
    }
    let config =
        pipeline::fill_secrets(&step.config, &|_| Ok(DUMMY_SECRET.to_owned())).with_context(told).or_usage()?;
    let parts = component.parts(step, folder)?;
    let begun = Instant::now();
    engine.load(&code, step, &config, &parts.assets).map_err(|error| load_error(error, told()))?;
    Ok(begun.elapsed())
}

fn show(
    step: &Step,
    from: &Path,
    component: &Component,
    load: Duration,
    context: &mut Context,
) -> Result<Value, Error> {
    let current = std::env::current_dir().unwrap_or_default();
    let shown = |path: &Path| path.strip_prefix(&current).unwrap_or(path).display().to_string();
    let built = component.built.as_ref();
    let name = built.map_or(step.name.as_str(), |built| built.name.as_str());
    let of_script = if component.runtime == Some(Step::PYTHON) { Language::Python } else { Language::JavaScript };
    let language = built.map_or(of_script, |built| built.language).name();
    let changed = built.is_some_and(|built| built.changed);
    let file = match (built.and_then(Built::component), component.files.get(Step::SCRIPT).map(PathBuf::as_path)) {
        (Some(file), _) | (None, Some(file)) => shown(file),
        (None, None) => shown(from),
    };
    let script_bytes = |file: &PathBuf| file.metadata().map_or(0, |metadata| metadata.len());
    let size = built.map_or_else(|| component.files.values().map(script_bytes).sum(), |built| built.size);
    let inspection = toolchain::inspect(&component.wasm).or_plugin()?;
    let imports: Vec<&str> = inspection.imports.iter().map(|import| import.name.as_str()).collect();
    if !context.ui.is_json() {
        let ui = &mut context.ui;
        let paint = ui.paint();
        let (state, loads) = match (component.files.is_empty(), changed) {
            (false, _) => (paint.green("checked"), "starts"),
            (true, true) => (paint.green("built"), "loads"),
            (true, false) => ("unchanged".to_owned(), "loads"),
        };
        let (size, load) = (text::bytes(size), text::time(load));
        ui.line(format!(
            "{} {state} from {} ({language}): {size}, {loads} in {load}",
            paint.bold(name),
            folder_name(from)
        ))?;
        match component.runtime {
            None => ui.line(format!("  imports  {}", in_short(&imports)))?,
            Some(runtime) => ui.line(format!("  runs in  the ready-made plugin `{runtime}`"))?,
        }
        ui.line(format!("  file     {file}"))?;
        let modules: Vec<&str> =
            component.files.keys().map(String::as_str).filter(|name| *name != Step::SCRIPT).collect();
        if !modules.is_empty() {
            ui.line(format!("  modules  {}", modules.join(", ")))?;
        }
    }
    Ok(json!({
        "name": name,
        "language": language,
        "changed": changed,
        "bytes": size,
        "digest": built.map(|built| built.digest.as_str()),
        "imports": imports,
        "load_ms": load.as_secs_f64() * 1e3,
        "file": file,
    }))
}

/// Imports for people: those of WASI, which an interpreter has dozens of, as one.
fn in_short(imports: &[&str]) -> String {
    let (wasi, ours): (Vec<&str>, Vec<&str>) = imports.iter().copied().partition(|import| import.starts_with("wasi:"));
    let wasi = match wasi.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        more => Some(format!("{} interfaces of WASI", more.len())),
    };
    ours.into_iter().map(str::to_owned).chain(wasi).collect::<Vec<_>>().join(", ")
}
