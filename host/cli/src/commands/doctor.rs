//! `paddle doctor`: what plugins can be built with here, and the command that installs what is missing.

use crate::Context;
use crate::error::{Error, Status};
use crate::templates::language;
use crate::terminal::Ui;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use toolchain::Language;
use toolchain::doctor::{self, Finding};

/// Show which languages plugins can be built in here, and how to get the others
///
/// Looks for compilers as `paddle build` would find them from the current folder. JavaScript needs none.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  paddle doctor\n  paddle doctor --language go     exit code 3 if it cannot be built here"
)]
pub(crate) struct Doctor {
    /// One language only; what it lacks is an error then
    #[arg(short, long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<Language>,
}

impl Doctor {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let only = self.language;
        let mut findings = doctor::look(Path::new("."));
        findings.retain(|finding| only.is_none_or(|only| finding.language == only));
        let ui = &mut context.ui;
        match ui.is_json() {
            true => ui.json(&findings.iter().map(as_json).collect::<Vec<_>>())?,
            false => findings.iter().try_for_each(|finding| show(finding, ui))?,
        }
        match findings.as_slice() {
            [Finding { language, missing: Some(missing), .. }] if only.is_some() => {
                Err(Error::Plugin(anyhow::anyhow!(
                    "plugins in {} cannot be built here: {} is missing; run: {}",
                    language.name(),
                    missing.what,
                    missing.command
                )))
            }
            _ => Ok(Status::Done),
        }
    }
}

fn show(finding: &Finding, ui: &mut Ui) -> Result<(), Error> {
    let paint = ui.paint();
    let name = paint.bold(&format!("{:10}", finding.language.name()));
    let place = |found: &doctor::Found| format!("{}, {}", found.version, found.place.display());
    let found: Vec<String> = finding.found.iter().map(place).collect();
    match &finding.missing {
        None if found.is_empty() => ui.line(format!("{name} {}   needs no tools", paint.green("ready")))?,
        None => ui.line(format!("{name} {}   {}", paint.green("ready"), found.join("; ")))?,
        Some(missing) => {
            ui.line(format!("{name} {} {} is missing; run:", paint.red("not yet"), missing.what))?;
            ui.line(format!("{:11}{}", "", missing.command))?;
        }
    }
    Ok(())
}

fn as_json(finding: &Finding) -> Value {
    let found = |found: &doctor::Found| json!({"version": found.version, "place": found.place});
    json!({
        "language": finding.language.id(),
        "ready": finding.missing.is_none(),
        "found": finding.found.iter().map(found).collect::<Vec<_>>(),
        "missing": finding.missing.as_ref().map(|missing| json!({"what": missing.what, "command": missing.command})),
    })
}
