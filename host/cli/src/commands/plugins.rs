//! `paddle plugins`: what is shipped inside the program.

use crate::Context;
use crate::error::{Error, Status};
use crate::ready_made;
use crate::text;
use clap::Args;
use serde_json::json;

/// List the ready-made plugins, or show what one of them does
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  paddle plugins\n  paddle plugins redact")]
pub(crate) struct Plugins {
    /// A plugin's name
    name: Option<String>,
}

impl Plugins {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let ui = &mut context.ui;
        if let Some(name) = self.name {
            let Some(plugin) = ready_made::find(&name) else {
                return Err(Error::usage(format!(
                    "there is no ready-made plugin `{name}`: there are {}",
                    ready_made::names()
                )));
            };
            match ui.is_json() {
                true => {
                    ui.json(&json!({"name": plugin.name, "bytes": plugin.wasm().len(), "readme": plugin.readme}))?
                }
                false => ui.data(plugin.readme.as_bytes())?,
            }
            return Ok(Status::Done);
        }
        if ui.is_json() {
            let plugin = |plugin: &ready_made::ReadyMade| json!({"name": plugin.name, "summary": plugin.summary(), "bytes": plugin.wasm().len()});
            ui.json(&ready_made::ALL.iter().map(plugin).collect::<Vec<_>>())?;
            return Ok(Status::Done);
        }
        let paint = ui.paint();
        for plugin in &ready_made::ALL {
            let name = paint.bold(&format!("{:10}", plugin.name));
            ui.line(format!("{name} {:>9}  {}", text::bytes(plugin.wasm().len() as u64), plugin.summary()))?;
        }
        ui.note("\nUse one as a step with plugin = \"<name>\"; `paddle plugins <name>` shows its config.")?;
        Ok(Status::Done)
    }
}
