//! `paddle promote`: puts a release that is in the store on a channel.

use crate::Context;
use crate::error::{Error, Status};
use crate::releases::Place;
use crate::releases::moving::{self, Moving, Seen};
use crate::text::one_line;
use clap::Args;
use registry::{Action, Name};

/// Put a release of the store on a channel
///
/// Running hosts take it within seconds, between two batches. A release that a channel was rolled back from is refused
/// without --force. An operator's key may move a channel only to what it has held before.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle promote 3f2a91c0 --to live
  paddle promote staging --to live --wait --why \"a day without trouble\"")]
pub(crate) struct Promote {
    /// The release: the start of its id, or a channel that holds it
    #[arg(value_name = "RELEASE")]
    release: String,
    /// The channel
    #[arg(long, value_name = "CHANNEL")]
    to: String,
    /// Even if a channel was rolled back from it, or what the channel holds is not trusted here; hosts take it without
    /// a probation, whatever other hosts have reported about it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    moving: Moving,
    #[command(flatten)]
    place: Place,
}

impl Promote {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let channel = Name::new(&self.to)?;
        let opened = self.place.open(None, false, context)?;
        let signer = opened.keys.mover(self.moving.key.as_deref())?;
        let moved = context.runtime.block_on(async {
            let release = opened.release(&self.release).await?;
            let seen = Seen::look(&opened, &channel, self.force).await?;
            let how = self.moving.of(&channel, &seen, self.force)?;
            Ok::<_, Error>(opened.registry.promote(release, Action::Promote, &how, signer).await?)
        })?;
        moving::finish(&opened, &moved, self.moving.wait, serde_json::Map::new(), context)
    }
}

/// Take a channel back to its last good release
///
/// Goes to the last release that passed its probation and that the channel was never rolled back from. What it leaves
/// is bad from then on: `promote` refuses it without --force, and pressing this twice never returns to it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle rollback
  paddle rollback --channel staging --wait --why \"prices are missing\"")]
pub(crate) struct Rollback {
    /// The channel (default: PADDLE_CHANNEL, then `[release] channel` in paddle.toml, then live)
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    #[command(flatten)]
    moving: Moving,
    #[command(flatten)]
    place: Place,
}

impl Rollback {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let opened = self.place.open(None, false, context)?;
        let channel = opened.channel(self.channel.as_deref())?;
        let signer = opened.keys.mover(self.moving.key.as_deref())?;
        let moved = context.runtime.block_on(async {
            let seen = Seen::look(&opened, &channel, false).await?;
            let how = self.moving.of(&channel, &seen, false)?;
            Ok::<_, Error>(opened.registry.rollback(&how, signer).await?)
        })?;
        if let Some(left) = moved.before.as_ref().filter(|_| !context.ui.is_json()) {
            let told = format!("{} is bad from now on: promote refuses it without --force", left.release.short());
            context.ui.note(one_line(&told))?;
        }
        moving::finish(&opened, &moved, self.moving.wait, serde_json::Map::new(), context)
    }
}
