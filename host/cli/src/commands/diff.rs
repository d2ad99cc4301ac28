//! `paddle diff`: what differs between two releases.

use crate::Context;
use crate::error::{Error, Status};
use crate::publishing::show;
use crate::releases::Place;
use clap::Args;
use registry::Release;
use serde_json::json;

/// Show what differs between two releases
///
/// Plugins and files by digest, paddle.toml line by line, routes, imports, and the fields read and written when they
/// were published. A release is named by the start of its id, or by a channel that holds it. With one release: what it
/// changes against the channel.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle diff 3f2a91c0              against what live holds
  paddle diff live staging          from live to staging
  paddle diff 1b22a7de 3f2a91c0")]
pub(crate) struct Diff {
    /// A release; with B the older one
    #[arg(value_name = "A")]
    a: String,
    /// The newer release
    #[arg(value_name = "B")]
    b: Option<String>,
    /// The channel to compare with (default: PADDLE_CHANNEL, then `[release] channel` in paddle.toml, then live)
    #[arg(long, value_name = "CHANNEL", conflicts_with = "b")]
    channel: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Diff {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let opened = self.place.open(None, false, context)?;
        let channel = opened.channel(self.channel.as_deref())?;
        let (from, to) = match &self.b {
            Some(b) => (self.a.as_str(), b.as_str()),
            None => (channel.as_str(), self.a.as_str()),
        };
        let (from, to) = context.runtime.block_on(async {
            let (from, to) = (opened.release(from).await?, opened.release(to).await?);
            Ok::<(Release, Release), Error>((opened.registry.release(from).await?, opened.registry.release(to).await?))
        })?;
        let difference = registry::diff(&from.manifest, &to.manifest);
        let ui = &mut context.ui;
        if ui.is_json() {
            ui.json(&json!({"from": from.id, "to": to.id, "difference": difference}))?;
            return Ok(Status::Done);
        }
        let paint = ui.paint();
        ui.line(format!("from {} to {}", paint.bold(&from.id.short()), paint.bold(&to.id.short())))?;
        let lines = show::difference(&from.manifest, &to.manifest, &difference, paint);
        lines.iter().try_for_each(|line| ui.line(line))?;
        Ok(Status::Done)
    }
}
