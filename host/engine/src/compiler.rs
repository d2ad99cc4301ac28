//! From a component to machine code, for this machine or for one that functions run on.

use crate::code::{Form, LoadError, first_lines};
use crate::engine::{self, Mode, Settings, Target};
use crate::flat::{self, Flat, Parts};
use anyhow::{Context as _, Result, anyhow};
use std::sync::Arc;
use wasmtime::Module;
use wasmtime::component::Component;

/// Compiles for a target that need not be this machine; nothing can be run on it.
pub struct Compiler {
    wasmtime: wasmtime::Engine,
    target: Target,
}

impl Compiler {
    /// A compiler of production code for a target.
    ///
    /// # Errors
    /// This program was built without the target's code generator.
    pub fn new(target: Target) -> Result<Compiler> {
        let settings = Settings { instances: 1, ..Settings::default() };
        let wasmtime = engine::config(&settings, Some(target))
            .and_then(|config| wasmtime::Engine::new(&config))
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| format!("set up a compiler for {}", target.name()))?;
        Ok(Compiler { wasmtime, target })
    }

    /// What the artifacts are for, as [`crate::Engine::fingerprint`] has it there.
    pub fn fingerprint(&self) -> String {
        engine::fingerprint(Mode::Epochs, self.target.name())
    }

    /// Compiles a component into an artifact that [`crate::Engine::load_precompiled`] takes there.
    ///
    /// # Errors
    /// Bytes that are no component. Whether its imports are offered is not looked at.
    pub fn precompile(&self, wasm: &[u8]) -> Result<Vec<u8>, LoadError> {
        let artifact = match parts(wasm, true)? {
            Some(parts) => {
                let modules = parts.modules.iter().map(|module| self.wasmtime.precompile_module(module));
                let modules = modules.collect::<wasmtime::Result<_>>();
                modules.and_then(|modules| flat::write(&parts.plan, modules))
            }
            None => self.wasmtime.precompile_component(wasm),
        };
        artifact.map_err(wrong)
    }
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Compiles a component; `flat`: as core modules alone, where it can be.
pub(crate) fn compile(wasmtime: &wasmtime::Engine, wasm: &[u8], flat: bool) -> Result<Form, LoadError> {
    let Some(parts) = parts(wasm, flat)? else {
        return Ok(Form::Component(Component::from_binary(wasmtime, wasm).map_err(wrong)?));
    };
    let modules = parts.modules.iter().map(|module| Module::from_binary(wasmtime, module));
    let modules = modules.collect::<wasmtime::Result<_>>().map_err(wrong)?;
    Ok(Form::Flat(Arc::new(Flat { plan: parts.plan, modules })))
}

/// The artifact of what was compiled for this machine.
pub(crate) fn write(form: &Form) -> Result<Vec<u8>, LoadError> {
    let artifact = match form {
        Form::Flat(flat) => {
            let modules = flat.modules.iter().map(Module::serialize).collect::<wasmtime::Result<_>>();
            modules.and_then(|modules| flat::write(&flat.plan, modules))
        }
        Form::Component(component) => component.serialize(),
    };
    artifact.map_err(wrong)
}

/// A component taken apart, if it can be. What cannot be, wasmtime compiles, or refuses in its own words.
fn parts(wasm: &[u8], flat: bool) -> Result<Option<Parts>, LoadError> {
    if !wasm.starts_with(b"\0asm") {
        return Err(LoadError::NotAComponent("it does not begin as a .wasm file does".into()));
    }
    Ok(if flat { flat::translate(wasm).unwrap_or_default() } else { None })
}

fn wrong(error: wasmtime::Error) -> LoadError {
    LoadError::NotAComponent(first_lines(&format!("{error:#}")))
}
