//! `paddle gc`: removes from a store what nothing needs.

use crate::Context;
use crate::error::{Error, Status};
use crate::releases::StorePlace;
use crate::text::{bytes, count};
use crate::time;
use clap::Args;
use serde_json::json;

/// Remove blobs that no release refers to, and what hosts said that are long gone
///
/// The whole store is looked at, every pipeline in it. A blob younger than a day stays: it may belong to a release that
/// is on its way. Releases, channels and their history are never removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  paddle gc --dry-run\n  paddle gc --store s3://bucket/prefix")]
pub(crate) struct Gc {
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: StorePlace,
}

impl Gc {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let store = self.place.open(context)?;
        let progress = context.ui.progress("looking through the store", "");
        let collected = registry::gc(&store, time::now_ms(), self.dry_run);
        let collected = context.runtime.block_on(collected)?;
        drop(progress);
        let ui = &mut context.ui;
        if ui.is_json() {
            ui.json(&json!({
                "dry_run": self.dry_run,
                "blobs": collected.blobs,
                "bytes": collected.bytes,
                "hosts": collected.hosts,
                "leftovers": collected.leftovers,
                "kept": collected.kept,
            }))?;
            return Ok(Status::Done);
        }
        let verb = if self.dry_run { "would remove" } else { "removed" };
        for blob in &collected.blobs {
            ui.line(format!("  {verb} {} ({})", blob.digest, bytes(blob.bytes)))?;
        }
        let mut parts = vec![
            format!("{} ({})", count(collected.blobs.len() as u64, "blob"), bytes(collected.bytes)),
            count(collected.hosts, "file") + " of hosts that are gone",
        ];
        if collected.leftovers > 0 {
            parts.push(count(collected.leftovers, "leftover") + " of killed writers");
        }
        ui.line(format!("{verb} {}; {} stay", parts.join(", "), count(collected.kept, "blob")))?;
        Ok(Status::Done)
    }
}
