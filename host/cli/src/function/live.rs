//! The release that the function should run, read as the function reads it: with its own trusted keys, from its own
//! store.

use super::facts::Configuration;
use super::{Finding, Findings, Level};
use crate::aws;
use lambda::StoreSettings;
use pipeline::Pipeline;
use registry::{ErrorKind, Registry, Store};

/// A release may take half of the function's memory while it is loaded.
const MEMORY_SHARE: u64 = 2;

/// What the channel holds; none when the function would not take it, or it cannot be read from here.
pub(super) async fn check(
    store: &StoreSettings,
    configuration: &Configuration,
    all: &mut Vec<Finding>,
) -> Option<Pipeline> {
    let about = format!("channel {}", store.channel);
    match read(store).await {
        Ok(manifest) => {
            let mut found = Findings { about, all };
            let bytes: u64 = manifest.blobs().iter().map(|blob| blob.bytes).sum();
            if bytes > (configuration.memory_size << 20) / MEMORY_SHARE {
                found.blocks(
                    format!("its release has {bytes} bytes, more than half of the function's memory"),
                    "raise MemorySize",
                );
            }
            let pipeline = Pipeline::parse(&manifest.config);
            if let Err(error) = &pipeline {
                found.look(format!("this paddle cannot read its pipeline ({error})"), "upgrade paddle here");
            }
            pipeline.ok()
        }
        // What the function would say too.
        Err(Some(error)) if matches!(error.kind(), ErrorKind::Untrusted(_)) => {
            Findings { about, all }.blocks(error.to_string(), "the function refuses it until then");
            None
        }
        Err(Some(error)) if error.is_not_found() => {
            Findings { about, all }.blocks(error.to_string(), "a function without a bundled pipeline does not start");
            None
        }
        Err(error) => {
            let problem = error.map_or_else(|| "AWS is not configured here".to_owned(), |error| error.to_string());
            all.push(Finding::new(Level::NotChecked, &about, problem, "its routes and secrets are not compared"));
            None
        }
    }
}

/// The manifest of what the channel holds.
async fn read(store: &StoreSettings) -> Result<registry::Manifest, Option<registry::Error>> {
    let options = aws::store_options(&store.url, false).await.map_err(|_| None)?;
    let opened = Store::open(&store.url, &options)?;
    let registry = Registry::new(opened, store.pipeline.clone(), store.trust.clone());
    let newest = registry.history(&store.channel, 1).await?.pop();
    let pointer = newest.ok_or(None)?.pointer?;
    Ok(registry.release(pointer.release).await?.manifest)
}
