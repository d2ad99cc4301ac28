//! `paddle new`: a project that runs at once.

use super::add;
use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::files::write;
use crate::templates::{PROJECT, Template, fill, language};
use anyhow::Context as _;
use clap::Args;
use pipeline::Pipeline;
use serde_json::json;
use std::path::PathBuf;
use toolchain::Language;

/// Make a project: paddle.toml, one step with its test, samples, a CI file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle new clickstream                          its step in JavaScript, which needs no tools
  paddle new clickstream --language go --template filter")]
pub(crate) struct New {
    /// The folder to make; its last part is the pipeline's name
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What the first plugin is written in: js, ts, py, rust, go or c
    #[arg(short, long, value_name = "LANGUAGE", value_parser = language, default_value = "js")]
    language: Language,
    /// What the first plugin does
    #[arg(short, long, value_enum, default_value_t = Template::Enrich)]
    template: Template,
}

impl New {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let shown = self.folder.display().to_string();
        let told = || format!("look at {shown}");
        if self.folder.exists() {
            let is_empty = self.folder.read_dir().with_context(told).or_usage()?.next().is_none();
            if !is_empty {
                return Err(Error::usage(format!("{shown} is there already, and not empty: choose another name")));
            }
        }
        let absolute = std::path::absolute(&self.folder).with_context(told).or_usage()?;
        let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let [(_, settings), ..] = PROJECT;
        Pipeline::parse(&fill(settings, &name)).map_err(|_| {
            Error::usage(format!("`{name}` is not a valid pipeline name: letters, digits, `-`, `_` and `.`"))
        })?;
        let mut files = Vec::new();
        for (path, content) in PROJECT {
            write(&self.folder.join(path), fill(content, &name))?;
            files.push(path.to_owned());
        }
        let added = add::add(&self.folder, self.template.name(), self.language, self.template)?;
        files.extend(added.files);
        let ui = &mut context.ui;
        if ui.is_json() {
            ui.json(&json!({"project": shown, "files": files}))?;
            return Ok(Status::Done);
        }
        let paint = ui.paint();
        ui.line(format!("{} {shown}", paint.green("made")))?;
        files.iter().try_for_each(|file| ui.line(format!("  {file}")))?;
        ui.line(format!(
            "Try it:\n  cd {shown}\n  paddle run -i samples/events.ndjson --changes\n  paddle test\n  paddle dev"
        ))?;
        Ok(Status::Done)
    }
}
