//! Where releases are, for all commands that work with a store: which store, pipeline and channel are meant, whose
//! signatures are believed, and who signs.
//!
//! What is not typed comes from the environment, then from the `paddle.toml` of the current folder, so that everything
//! works with a checkout and without one.

pub(crate) mod keys;
pub(crate) mod moving;
pub(crate) mod wait;

use crate::Context;
use crate::aws;
use crate::environment;
use crate::error::Error;
use crate::project::{FILE, Project};
use clap::Args;
use keys::Keys;
use registry::{Name, Registry, ReleaseId, Store};
use std::path::Path;

/// The channel when nobody names one.
const CHANNEL_DEFAULT: &str = "live";

/// Most pipelines of a store that a message names.
const PIPELINES_TOLD_MAX: usize = 10;

/// The option that names a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StorePlace {
    /// The store: s3://bucket/prefix, file:///folder or a folder (default: PADDLE_STORE, then `[release] store` in
    /// paddle.toml)
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// The options that name a place in a store.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    store: StorePlace,
    /// The pipeline's name in the store (default: PADDLE_PIPELINE, then that of paddle.toml, then the only one in the
    /// store)
    #[arg(long = "pipeline", id = "pipeline_name", value_name = "NAME")]
    pipeline: Option<String>,
}

/// A pipeline in a store that was opened.
pub(crate) struct Opened {
    pub(crate) registry: Registry,
    pub(crate) keys: Keys,
    /// What `paddle.toml` or the environment calls the channel, if they do.
    channel: Option<String>,
}

impl Place {
    /// Opens the place. `project`: where defaults come from; none for the current folder's, if there is one.
    pub(crate) fn open(&self, project: Option<&Project>, create: bool, context: &Context) -> Result<Opened, Error> {
        self.open_by(project, context, |place, project| place.open_at(project, create, context))
    }

    /// The same for a dry run: a folder that is not there yet, which publishing makes, is an empty store.
    pub(crate) fn open_dry(&self, project: &Project, context: &mut Context) -> Result<Opened, Error> {
        let url = self.store.url(Some(project))?;
        let folder = url.strip_prefix("file://").unwrap_or(&url);
        if folder.contains("://") || Path::new(folder).exists() {
            return self.open(Some(project), false, context);
        }
        context.ui.note(format!("there is no store in {folder} yet: the first publish makes it"))?;
        self.open_by(Some(project), context, |_, _| Ok(Store::imagined(folder, &registry::Options::default())))
    }

    fn open_by(
        &self,
        project: Option<&Project>,
        context: &Context,
        open: impl FnOnce(&StorePlace, Option<&Project>) -> Result<Store, Error>,
    ) -> Result<Opened, Error> {
        let here = match project {
            None if Path::new(FILE).is_file() && self.lacks_something() => Some(Project::find(None)?),
            // A paddle.toml that is being written must not stop a rollback; it only knows the usual channel.
            None if Path::new(FILE).is_file() => Project::find(None).ok(),
            _ => None,
        };
        let project = project.or(here.as_ref());
        let keys = Keys::read()?;
        let trust = keys.trust()?;
        let store = open(&self.store, project)?;
        let named = self.pipeline.clone().or_else(environment::pipeline);
        let named = named.or_else(|| project.map(|project| project.pipeline.name.clone()));
        let pipeline = match named {
            Some(name) => Name::new(&name)?,
            None => context.runtime.block_on(only_pipeline(&store))?,
        };
        let of_project = || project.and_then(|project| project.pipeline.release.channel.clone());
        let channel = environment::channel().or_else(of_project);
        Ok(Opened { registry: Registry::new(store, pipeline, trust), keys, channel })
    }

    /// Whether any of the options was typed.
    pub(crate) fn is_named(&self) -> bool {
        self.store.is_named() || self.pipeline.is_some()
    }

    /// Whether a `paddle.toml` has to be asked.
    fn lacks_something(&self) -> bool {
        let store = !self.store.is_named() && environment::store().is_none();
        let pipeline = self.pipeline.is_none() && environment::pipeline().is_none();
        store || pipeline
    }
}

impl StorePlace {
    /// The store alone: for what concerns all its pipelines.
    pub(crate) fn open(&self, context: &Context) -> Result<Store, Error> {
        let named = self.is_named() || environment::store().is_some();
        let here = if !named && Path::new(FILE).is_file() { Some(Project::find(None)?) } else { None };
        self.open_at(here.as_ref(), false, context)
    }

    fn is_named(&self) -> bool {
        self.store.is_some()
    }

    fn open_at(&self, project: Option<&Project>, create: bool, context: &Context) -> Result<Store, Error> {
        let url = self.url(project)?;
        let options = context.runtime.block_on(aws::store_options(&url, create))?;
        Ok(Store::open(url.trim_end_matches('/'), &options)?)
    }

    /// What was typed, the environment says, or the project names.
    fn url(&self, project: Option<&Project>) -> Result<String, Error> {
        let named = self.store.clone().or_else(environment::store).or_else(|| project.and_then(store_of));
        named.ok_or_else(|| {
            Error::usage(
                "no store is named: give --store s3://bucket/prefix (or a folder), set PADDLE_STORE, or write \
                 [release] store = \"…\" in paddle.toml",
            )
        })
    }
}

/// The store that a project names; a folder's path begins at the project.
fn store_of(project: &Project) -> Option<String> {
    let store = project.pipeline.release.store.clone()?;
    if store.contains("://") || Path::new(&store).is_absolute() {
        return Some(store);
    }
    Some(project.folder.join(store).to_string_lossy().into_owned())
}

async fn only_pipeline(store: &Store) -> Result<Name, Error> {
    let mut names = registry::pipelines(store, PIPELINES_TOLD_MAX).await?;
    match (names.pop(), names.as_slice()) {
        (Some(name), []) => Ok(name),
        (None, _) => Err(Error::Outside(anyhow::anyhow!(
            "the store {store} holds no pipeline: check its URL, or publish one (paddle publish)"
        ))),
        (Some(last), others) => {
            let names: Vec<&str> = others.iter().chain([&last]).map(Name::as_str).collect();
            Err(Error::usage(format!(
                "the store holds several pipelines ({}): name one with --pipeline",
                names.join(", ")
            )))
        }
    }
}

impl Opened {
    /// The channel that is meant when `typed` was typed.
    pub(crate) fn channel(&self, typed: Option<&str>) -> Result<Name, Error> {
        Ok(Name::new(typed.or(self.channel.as_deref()).unwrap_or(CHANNEL_DEFAULT))?)
    }

    /// For whoever finds nothing: the other pipelines of the store, if there are some. A name that was mistyped finds
    /// nothing.
    pub(crate) fn others(&self, context: &Context) -> Result<Option<String>, Error> {
        let mut names = context.runtime.block_on(registry::pipelines(self.registry.store(), PIPELINES_TOLD_MAX))?;
        names.retain(|name| name != self.registry.pipeline());
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        let told =
            || format!("there is nothing of `{}` here; the store holds {}", self.registry.pipeline(), names.join(", "));
        Ok((!names.is_empty()).then(|| told() + " (name one with --pipeline)"))
    }

    /// The release that a text names: a channel's name, or the start of an id.
    pub(crate) async fn release(&self, named: &str) -> Result<ReleaseId, Error> {
        let channel = Name::new(named).ok();
        if let Some(channel) = channel.filter(|_| !looks_like_an_id(named))
            && let Some(pointer) = self.registry.pointer(&channel).await?
        {
            return Ok(pointer.release);
        }
        if !looks_like_an_id(named) {
            return Err(Error::usage(format!(
                "there is no channel `{named}` of `{}`, and a release is named by 4 to 64 hexadecimal digits",
                self.registry.pipeline()
            )));
        }
        Ok(self.registry.find_release(named).await?)
    }
}

fn looks_like_an_id(named: &str) -> bool {
    (4..=64).contains(&named.len()) && named.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::looks_like_an_id;

    #[test]
    fn channels_and_ids_are_told_apart() {
        assert!(["0a1b", "DEADBEEF"].into_iter().all(looks_like_an_id));
        assert!(!["live", "0a1", "staging", "0a1b-x"].into_iter().any(looks_like_an_id));
    }
}
