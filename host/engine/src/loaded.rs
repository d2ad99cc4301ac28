//! A step ready to run: code, config and limits, tried once.

use crate::code::{Code, Form, LoadError};
use crate::engine::{Engine, Inner};
use crate::flat::Flat;
use crate::instance::Instance;
use crate::state::State;
use crate::step::StepPlugin;
use document::Scope;
use pipeline::settings::{Isolation, Limits, Step as StepSettings};
use pipeline::{Assets, Filled, Hidden, Plugin};
use std::sync::Arc;
use wasmtime::component::InstancePre;

/// A step whose plugin starts and accepts its config. Cheap to clone.
#[derive(Clone)]
pub struct Loaded {
    step: Arc<Step>,
}

/// What all instances of a step share.
pub(crate) struct Step {
    pub(crate) engine: Arc<Inner>,
    pub(crate) start: Start,
    pub(crate) config: String,
    /// Hides the config's secrets in what the plugin says.
    pub(crate) hidden: Hidden,
    pub(crate) limits: Limits,
    pub(crate) scope: Option<Arc<Scope>>,
    pub(crate) assets: Assets,
    pub(crate) isolation: Isolation,
    pub(crate) wasi: bool,
}

/// What instances are made of.
pub(crate) enum Start {
    Flat(Arc<Flat>),
    Component(InstancePre<State>),
}

impl Engine {
    /// Loads a step: links its plugin, starts one instance and calls `init` with the config. The config's secrets are
    /// hidden in whatever the plugin says, from here on. `assets`: the files that the plugin may ask for.
    ///
    /// # Errors
    /// The plugin does not fit the contract, cannot be started within the step's limits, or refuses the config.
    pub fn load(
        &self,
        code: &Code,
        settings: &StepSettings,
        config: &Filled,
        assets: &Assets,
    ) -> Result<Loaded, LoadError> {
        let start = match &code.form {
            Form::Flat(flat) => Start::Flat(Arc::clone(flat)),
            Form::Component(component) => {
                let linked = self.inner.linker.instantiate_pre(component);
                let wrong = |error| LoadError::NoPlugin(crate::code::first_lines(&format!("{error:#}")));
                Start::Component(linked.map_err(wrong)?)
            }
        };
        let step = Step {
            engine: Arc::clone(&self.inner),
            start,
            config: config.json.clone(),
            hidden: config.hidden.clone(),
            limits: settings.limits,
            scope: settings.scope.clone(),
            assets: assets.clone(),
            isolation: settings.isolation,
            wasi: code.imports.wasi,
        };
        Instance::start(&step, None)?;
        Ok(Loaded { step: Arc::new(step) })
    }
}

impl Loaded {
    /// The step for one worker: instances are made when they are needed.
    pub fn plugin(&self) -> Box<dyn Plugin> {
        Box::new(StepPlugin::new(Arc::clone(&self.step)))
    }
}
