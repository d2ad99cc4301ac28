//! `paddle build`: plugins with source become components.

use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::project::{self, Component, Loading, Origin, Project, folder_name};
use crate::text;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

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
            if let Origin::Folder(folder) = &origin {
                let component = project::component(&origin, context)?;
                let started = Instant::now();
                engine.compile(&component.wasm).or_plugin()?;
                answers.push(show(folder, &component, started.elapsed(), context)?);
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

fn show(folder: &Path, component: &Component, load: Duration, context: &mut Context) -> Result<Value, Error> {
    let Some(built) = &component.built else { return Ok(Value::Null) };
    let inspection = toolchain::inspect(&component.wasm).or_plugin()?;
    let imports: Vec<&str> = inspection.imports.iter().map(|import| import.name.as_str()).collect();
    let current = std::env::current_dir().unwrap_or_default();
    let file = built.component().unwrap_or(folder);
    let path = file.strip_prefix(&current).unwrap_or(file).display().to_string();
    if !context.ui.is_json() {
        let ui = &mut context.ui;
        let paint = ui.paint();
        let state = if built.changed { paint.green("built") } else { "unchanged".to_owned() };
        ui.line(format!(
            "{} {state} from {} ({}): {}, loads in {}",
            paint.bold(&built.name),
            folder_name(folder),
            built.language.name(),
            text::bytes(built.size),
            text::time(load)
        ))?;
        ui.line(format!("  imports  {}", imports.join(", ")))?;
        ui.line(format!("  file     {path}"))?;
    }
    Ok(json!({
        "name": built.name,
        "language": built.language.name(),
        "changed": built.changed,
        "bytes": built.size,
        "digest": built.digest,
        "imports": imports,
        "load_ms": load.as_secs_f64() * 1e3,
        "file": path,
    }))
}
