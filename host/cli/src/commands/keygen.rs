//! `paddle keygen`: a key to sign with.

use crate::Context;
use crate::error::{Error, Status};
use crate::releases::keys::{self, OPERATOR, PUBLISHER};
use clap::Args;
use registry::Purposes;
use serde_json::json;

/// Make a signing key
///
/// The secret half goes into a file in your configuration folder that only you can read (or, for CI, its one line into
/// PADDLE_SIGNING_KEY). The public half is printed: functions believe it when it stands in their PADDLE_TRUSTED_KEYS.
/// Nothing is ever overwritten.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle keygen                       a publisher's: releases, compiled code, channels
  paddle keygen --operator            an operator's: back and forth among what a channel has held
  paddle keygen --name ci             a second publisher's, used with --key ci
  paddle keygen --purposes release+channel
                                      a publisher's that cannot sign machine code: hosts compile what it publishes")]
pub(crate) struct Keygen {
    /// A key that may only move a channel to releases that a publisher put there before: for whoever is on call
    #[arg(long)]
    operator: bool,
    /// What the key may sign, joined by `+`: release, channel, compiled (machine code, which runs outside the sandbox),
    /// operate
    #[arg(long, value_name = "PURPOSES", conflicts_with = "operator")]
    purposes: Option<Purposes>,
    /// What the key is called here (default: `publisher`, or `operator`)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Keygen {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let usual = if self.operator { Purposes::OPERATOR } else { Purposes::PUBLISHER };
        let purposes = self.purposes.unwrap_or(usual);
        let usual = if purposes == Purposes::OPERATOR { OPERATOR } else { PUBLISHER };
        let name = self.name.unwrap_or_else(|| usual.to_owned());
        let (path, key) = keys::make(&name, purposes)?;
        let public = key.public();
        let ui = &mut context.ui;
        if ui.is_json() {
            ui.json(&json!({
                "name": name,
                "file": path.to_string_lossy(),
                "public": public.to_string(),
                "id": public.id().to_string(),
                "purposes": purposes.to_string(),
            }))?;
            return Ok(Status::Done);
        }
        let paint = ui.note_paint();
        ui.note(format!("{} {} (secret: only you can read it)", paint.green("made"), path.display()))?;
        ui.note(format!("It may {}.", may(purposes)))?;
        ui.note("Functions believe it when this line is in their PADDLE_TRUSTED_KEYS (several: separated by commas):")?;
        ui.line(public.to_string())?;
        Ok(Status::Done)
    }
}

/// What a key with these purposes may do, in words.
fn may(purposes: Purposes) -> String {
    let Purposes { release, channel, compiled, operate } = purposes;
    let all = [
        (release, "publish releases"),
        (compiled, "sign machine code for them, which runs with all rights of the function"),
        (channel, "move channels to any release"),
        (operate && !channel, "move a channel to releases that a publisher put there before (rollback, promote)"),
    ];
    let words: Vec<&str> = all.into_iter().filter(|(is_granted, _)| *is_granted).map(|(_, words)| words).collect();
    words.join(", ")
}
