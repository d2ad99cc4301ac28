//! From the steps of a project to what they are loaded from: built where there is source, and compiled once.

use super::{Components, Origin, Project, SecretsFrom, StepInfo, StepParts, load_error, loading};
use crate::Context;
use crate::compiled;
use crate::error::{Error, Trouble};
use anyhow::Context as _;
use engine::{Code, Engine, LoadError};
use pipeline::DUMMY_SECRET;
use pipeline::settings::Step;
use std::collections::HashMap;
use std::time::Instant;

/// Finds the plugins of a project, and builds those that have source.
pub(super) struct InProject<'a> {
    pub(super) project: &'a Project,
    pub(super) engine: &'a Engine,
    pub(super) components: &'a mut Components,
    pub(super) context: &'a mut Context,
    pub(super) secrets: lambda::Secrets,
    pub(super) secrets_from: SecretsFrom,
    pub(super) codes: HashMap<String, Code>,
    pub(super) infos: Vec<StepInfo>,
    /// The step that is being loaded, and since when.
    pub(super) current: Option<(Origin, StepParts, Instant)>,
}

impl lambda::Finder for InProject<'_> {
    type Error = Error;

    fn find(&mut self, step: &Step) -> Result<lambda::StepParts, Error> {
        let loading = || loading(step);
        let origin = self.project.origin(step)?;
        let config = match self.secrets_from {
            SecretsFrom::Environment => pipeline::fill_secrets(&step.config, &|name| self.secrets.get(name)),
            SecretsFrom::Dummy => pipeline::fill_secrets(&step.config, &|_| Ok(DUMMY_SECRET.to_owned())),
        };
        let config = config.with_context(loading).or_usage()?;
        let parts = self.components.of(step, self.project, self.context)?;
        let digest = lambda::digest(&parts.wasm);
        let begun = Instant::now();
        let code = match self.codes.get(&digest) {
            Some(code) => code.clone(),
            None => {
                let code = compiled::code(self.engine, &parts.wasm, &step.name, self.context);
                code.with_context(loading).or_plugin()?
            }
        };
        self.codes.insert(digest.clone(), code.clone());
        let assets = parts.assets.clone();
        self.current = Some((origin, parts, begun));
        Ok(lambda::StepParts { digest, code, config, assets })
    }

    fn refused(&self, step: &Step, error: LoadError) -> Error {
        load_error(error, loading(step))
    }

    fn accepted(&mut self, _step: &Step, _parts: lambda::StepParts) {
        self.infos.extend(self.current.take().map(|(origin, parts, begun)| StepInfo {
            origin,
            parts,
            load: begun.elapsed(),
        }));
    }
}
