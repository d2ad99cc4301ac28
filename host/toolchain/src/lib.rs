//! Builds a plugin's folder into a WebAssembly component, and says what a component is made of.
//!
//! [`build`] looks at a folder, calls the language's own compiler, and encodes what comes out as a component. Compilers
//! run as programs of their own, so that authors see the messages they know. JavaScript is not compiled: what is made
//! of it is a [`Script`], which the ready-made JavaScript runtime runs. [`componentize`] is the second half of a build,
//! for core modules that come from elsewhere. [`inspect`] reads a component without running it.
//!
//! Layout: `language` (which one a folder is in), one file a language (`rust`, `go`, `python`, `javascript` for
//! TypeScript too, `c`), `script` (a script and what it imports), `sdk` (the languages' libraries, embedded), `place`
//! (where things go), `tool` (programs found and run), `doctor` (what of them is there), `component`, `inspect`,
//! `output`, `error`.
//!
//! It knows no engine and no pipeline. The `paddle` program uses it, and so do build scripts that embed plugins.
//!
//! ```no_run
//! let built = toolchain::build("plugins/filter".as_ref(), &toolchain::Options::default())?;
//! println!("{}: {} bytes", built.name, built.size);
//! # Ok::<(), toolchain::BuildError>(())
//! ```

mod c;
mod component;
pub mod doctor;
mod environment;
mod error;
mod go;
mod inspect;
mod javascript;
mod language;
mod output;
mod place;
mod python;
mod rust;
mod script;
pub mod sdk;
mod tool;

use std::path::{Path, PathBuf};

pub use component::{Adapter, CONTRACT, Encoding, Wit, componentize};
pub use error::BuildError;
pub use inspect::{Contract, Inspection, Interface, WasmKind, inspect};
pub use language::Language;
pub use output::{COMPONENT_BYTES_MAX, mark, write_if_changed, zip_options};
pub use rust::ensure_rust_target;
pub use script::{MAIN, MODULES_MAX, PACKAGES, Script, script};

/// Whether the plugin in a folder is JavaScript that runs as it is: building it is reading it.
pub fn runs_as_it_is(folder: &Path) -> bool {
    let is_bundled = |language| javascript::is_bundled(folder, language);
    Language::of(folder)
        .is_ok_and(|language| language == Language::JavaScript && matches!(is_bundled(language), Ok(false)))
}

/// How to build a plugin.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the compiler keeps its work and where `paddle/<name>.wasm` goes. Without it, for Rust, the `target` folder
    /// of the plugin's workspace; for other languages `.paddle/build/<folder>/` beside the nearest `paddle.toml` above
    /// the plugin, or in the plugin's folder. A build script must name a folder of its own, because the build it
    /// belongs to has locked the usual one.
    pub target_dir: Option<PathBuf>,
    /// Ask no registry: everything that the plugin depends on must be there already.
    pub offline: bool,
    /// Which target a plugin in Rust is compiled for, and who answers what it asks of WASI preview 1. With
    /// [`Adapter::None`] its `Cargo.toml` may still name the target.
    pub wasi: Adapter,
    /// What becomes of the compiler's messages.
    pub messages: Messages,
    /// A text that nobody but this user knows. With it, packed packages that this user's earlier build left in the
    /// project's folder are used again; without it they are packed anew, since anybody may have put them there.
    pub seal: Option<String>,
}

/// What becomes of a compiler's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Messages {
    /// They are kept, and a [`BuildError::Compile`] hands them back unchanged.
    #[default]
    Keep,
    /// They go to standard error as they come, progress included.
    Show,
}

/// A plugin that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The plugin's name, as its language's manifest gives it, or its folder's.
    pub name: String,
    /// The language it is written in.
    pub language: Language,
    /// What was made of it.
    pub made: Made,
    /// The size in bytes of all that was made.
    pub size: u64,
    /// SHA-256 of what was made, in hexadecimal. The same source and the same tools give the same digest in any folder.
    pub digest: String,
    /// Whether this build changed what was there.
    pub changed: bool,
    /// What the compiler warned of in the author's own code, as it writes it; empty where its messages went to standard
    /// error.
    pub warnings: String,
}

/// What a plugin was made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A component. The file is replaced whole, and only when its content changed.
    Component(PathBuf),
    /// A script for a ready-made runtime.
    Script(Script),
}

impl Built {
    /// The component's file, if one was made.
    pub fn component(&self) -> Option<&Path> {
        match &self.made {
            Made::Component(file) => Some(file),
            Made::Script(_) => None,
        }
    }
}

/// Builds the plugin in a folder.
///
/// # Errors
///
/// When the folder is no plugin in a known language, when a tool or target is missing (with the command that brings
/// it), when the compiler refuses the source (with its messages), or when its result is not a plugin.
pub fn build(folder: &Path, options: &Options) -> Result<Built, BuildError> {
    let language = Language::of(folder)?;
    match language {
        Language::Rust => {
            let (core, wasi) = rust::compile(folder, options)?;
            finish(language, core, &Encoding { wasi, wit: None }, options)
        }
        Language::Go => {
            let core = go::compile(folder, options)?;
            finish(language, core, &Encoding { wasi: Adapter::Inside, wit: Some(Wit::contract()) }, options)
        }
        Language::C => {
            let (core, wasi) = c::compile(folder, options)?;
            finish(language, core, &Encoding { wasi, wit: Some(Wit::contract()) }, options)
        }
        Language::Python => python::build(folder, options),
        Language::TypeScript | Language::JavaScript => javascript::build(folder, language, options),
    }
}

/// Encodes a core module as a component and puts it where it belongs.
fn finish(language: Language, core: Core, encoding: &Encoding<'_>, options: &Options) -> Result<Built, BuildError> {
    let bytes = output::read(&core.file)?;
    let component = componentize(&bytes, encoding).map_err(|error| match error {
        BuildError::Encode { reason } if reason.contains("failed to find export of interface") => {
            BuildError::NotAPlugin {
                folder: core.folder.clone(),
                reason: format!("its {} code exports no plugin; it must use our library, paddlewheel", language.name()),
            }
        }
        other => other,
    })?;
    output::bounded(component.len() as u64)?;
    let wasm = core.out.join(file_name(&core.name, options.wasi));
    let changed = output::write_if_changed(&wasm, &component)?;
    Ok(Built {
        name: core.name,
        language,
        made: Made::Component(wasm),
        size: component.len() as u64,
        digest: output::digest(&component),
        changed,
        warnings: core.warnings,
    })
}

/// A plugin that is built in several ways has a file for each.
fn file_name(name: &str, wasi: Adapter) -> String {
    match wasi {
        Adapter::None => format!("{name}.wasm"),
        Adapter::Preview1 => format!("{name}.preview1.wasm"),
        Adapter::Inside => format!("{name}.inside.wasm"),
    }
}

/// What a language's compiler made: a core module, not yet a component.
struct Core {
    /// The plugin's name.
    name: String,
    /// The plugin's folder.
    folder: PathBuf,
    /// The core module.
    file: PathBuf,
    /// The folder that the component goes to.
    out: PathBuf,
    /// What the compiler warned of.
    warnings: String,
}
