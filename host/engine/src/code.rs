//! From bytes to code: compiling, precompiled artifacts, and what a plugin may import.

use crate::bindings::{OFFERED, PLUGIN};
#[cfg(feature = "compiler")]
use crate::compiler;
use crate::engine::{CORE_INSTANCES_MAX, Engine};
use crate::flat::{self, Flat};
use crate::wasi;
use std::fmt;
use std::sync::Arc;
use wasmtime::Module;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// Why a plugin cannot be loaded. Each message says what the author can do.
#[derive(Debug)]
pub enum LoadError {
    /// The bytes are no WebAssembly component.
    NotAComponent(String),
    /// It imports what the host does not offer.
    ForeignImport(Vec<String>),
    /// It does not export the contract's `plugin`.
    NoPlugin(String),
    /// It cannot be started: its memory, its start function.
    Start(String),
    /// `init` returned an error: the config is wrong.
    Init(String),
    /// `init` trapped or took too long.
    InitBroke(String),
    /// The artifact is for another engine.
    OtherEngine(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::NotAComponent(reason) => write!(f, "it is not a WebAssembly component: {reason}"),
            LoadError::ForeignImport(names) => write!(
                f,
                "it imports what this host does not offer: {}. A plugin may import `paddlewheel:transform` 0.1 and WASI 0.2",
                names.join(", ")
            ),
            LoadError::NoPlugin(reason) => {
                write!(f, "it does not export `{PLUGIN}` as the contract has it: {reason}")
            }
            LoadError::Start(reason) => write!(f, "it cannot be started: {reason}"),
            LoadError::Init(reason) => write!(f, "its `init` refused the config: {reason}"),
            LoadError::InitBroke(reason) => write!(f, "its `init` broke: {reason}"),
            LoadError::OtherEngine(reason) => write!(f, "its artifact was compiled for another engine: {reason}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Machine code of one component. Cheap to clone; steps with the same plugin share it.
#[derive(Clone)]
pub struct Code {
    pub(crate) form: Form,
    pub(crate) imports: Imports,
}

/// How a component runs.
#[derive(Clone)]
pub(crate) enum Form {
    /// Its core modules, joined by us.
    Flat(Arc<Flat>),
    /// As wasmtime runs components.
    Component(Component),
}

/// What a plugin imports, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imports {
    /// Every import, in the component's order.
    pub names: Vec<String>,
    /// Whether any of them is WASI.
    pub wasi: bool,
}

impl Code {
    /// What the plugin imports.
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// Whether it runs as core modules, without wasmtime's machinery for components.
    pub fn is_flat(&self) -> bool {
        matches!(self.form, Form::Flat(_))
    }
}

impl Engine {
    /// Compiles a component. Takes about 50 ms for a Rust plugin and 13 s of CPU for a Python one (measured).
    ///
    /// # Errors
    /// Bytes that are no component, or imports that the host does not offer.
    #[cfg(feature = "compiler")]
    pub fn compile(&self, wasm: &[u8]) -> Result<Code, LoadError> {
        self.code(compiler::compile(&self.inner.wasmtime, wasm, self.inner.settings.flat)?)
    }

    /// Compiles a component into an artifact that [`Engine::load_precompiled`] takes.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    #[cfg(feature = "compiler")]
    pub fn precompile(&self, wasm: &[u8]) -> Result<Vec<u8>, LoadError> {
        compiler::write(&self.compile(wasm)?.form)
    }

    /// Loads an artifact: 1 to 2 ms, whatever the language.
    ///
    /// The bytes become machine code of this process. Whoever calls this vouches for them: they must come from
    /// [`Engine::precompile`] of an engine with this [`Engine::fingerprint`], unchanged since. In production that is
    /// proven by a signature over the digest of this very buffer; a bundle proves it by being part of the function's
    /// own package.
    ///
    /// # Errors
    /// An artifact of another engine, or imports that the host does not offer.
    #[expect(
        unsafe_code,
        reason = "the one place where compiled code is trusted; the obligation is in the doc comment"
    )]
    pub fn load_precompiled(&self, artifact: &[u8]) -> Result<Code, LoadError> {
        let other = |error: wasmtime::Error| LoadError::OtherEngine(first_lines(&format!("{error:#}")));
        let wasmtime = &self.inner.wasmtime;
        if !artifact.starts_with(flat::MAGIC) {
            // SAFETY: the caller vouches that `artifact` is what `precompile` wrote (see above). wasmtime checks
            // version, target and settings itself, but not that the code is its own.
            let component = unsafe { Component::deserialize(wasmtime, artifact) };
            return self.code(Form::Component(component.map_err(other)?));
        }
        let damaged = |_| LoadError::OtherEngine("it is cut off, or of another version of paddle".into());
        let (plan, modules) = flat::read(artifact).map_err(damaged)?;
        // SAFETY: as above; the plan decides only which of these modules' exports are joined, and wasmtime compares
        // their types.
        let load = |module: &&[u8]| unsafe { Module::deserialize(wasmtime, module) };
        // Before anything is loaded, since an artifact may be as long as a store lets it be.
        if plan.parts.len() > CORE_INSTANCES_MAX as usize || modules.len() > CORE_INSTANCES_MAX as usize {
            return Err(LoadError::Start(format!("it has more than {CORE_INSTANCES_MAX} core instances")));
        }
        let modules = modules.iter().map(load).collect::<wasmtime::Result<Vec<Module>>>().map_err(other)?;
        flat::check_resources(&plan, &modules).map_err(LoadError::Start)?;
        self.code(Form::Flat(Arc::new(Flat { plan, modules })))
    }

    fn code(&self, form: Form) -> Result<Code, LoadError> {
        let imports = match &form {
            // A plan is made only of what the host offers, and of all that the contract wants.
            Form::Flat(flat) => {
                let names = flat.plan.imports.clone();
                Imports { wasi: names.iter().any(|name| wasi::answers(name)), names }
            }
            Form::Component(component) => imports(component, &self.inner.wasmtime)?,
        };
        Ok(Code { form, imports })
    }
}

fn imports(component: &Component, engine: &wasmtime::Engine) -> Result<Imports, LoadError> {
    let component_type = component.component_type();
    let names: Vec<String> = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let foreign: Vec<String> = names.iter().filter(|name| !is_offered(name)).cloned().collect();
    if !foreign.is_empty() {
        return Err(LoadError::ForeignImport(foreign));
    }
    let exports_plugin = component_type
        .exports(engine)
        .any(|(name, item)| name == PLUGIN && matches!(item.ty, ComponentItem::ComponentInstance(_)));
    if !exports_plugin {
        let exports: Vec<&str> = component_type.exports(engine).map(|(name, _)| name).collect();
        let found = if exports.is_empty() {
            "it exports nothing".to_owned()
        } else {
            format!("it exports {}", exports.join(", "))
        };
        return Err(LoadError::NoPlugin(found));
    }
    let wasi = names.iter().any(|name| wasi::answers(name));
    Ok(Imports { names, wasi })
}

/// Whether the host has an interface of this name.
pub(crate) fn is_offered(import: &str) -> bool {
    OFFERED.contains(&import) || wasi::answers(import)
}

/// The first lines of a long error: wasmtime repeats itself further down.
pub(crate) fn first_lines(text: &str) -> String {
    text.lines().take(6).collect::<Vec<_>>().join("\n")
}
