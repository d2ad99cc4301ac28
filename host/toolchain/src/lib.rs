//! Builds a plugin's folder into a WebAssembly component, and says what a component is made of.
//!
//! [`build`] looks at a folder, calls the language's own compiler, and encodes what comes out as a component. Compilers
//! run as programs of their own, so that authors see the messages they know. [`componentize`] is its second half, for
//! core modules that come from elsewhere. [`inspect`] reads a component without running it.
//!
//! It knows no engine and no pipeline. The `paddle` program uses it, and so do build scripts that embed plugins.
//!
//! ```no_run
//! let built = toolchain::build("plugins/filter".as_ref(), &toolchain::Options::default())?;
//! println!("{}: {} bytes", built.wasm.display(), built.size);
//! # Ok::<(), toolchain::BuildError>(())
//! ```

mod component;
mod environment;
mod error;
mod inspect;
mod output;
mod rust;

use std::path::{Path, PathBuf};

pub use component::{Adapter, CONTRACT, Encoding, Wit, componentize};
pub use error::BuildError;
pub use inspect::{Contract, Inspection, Interface, WasmKind, inspect};
pub use rust::ensure_rust_target;

/// How to build a plugin.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the compiler keeps its work and where `paddle/<name>.wasm` goes. Without it, where the language's own tool
    /// would put it: for Rust, the `target` folder of the plugin's workspace. A build script must name a folder of its
    /// own, because the build it belongs to has locked the usual one.
    pub target_dir: Option<PathBuf>,
    /// Ask no registry: everything that the plugin depends on must be there already.
    pub offline: bool,
    /// Which target the plugin is compiled for, and who answers what it asks of WASI preview 1.
    pub wasi: Adapter,
    /// What becomes of the compiler's messages.
    pub messages: Messages,
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
    /// The plugin's name, as its language's manifest gives it.
    pub name: String,
    /// The language it is written in.
    pub language: Language,
    /// The component. The file is replaced whole, and only when its content changed.
    pub wasm: PathBuf,
    /// The component's size in bytes.
    pub size: u64,
    /// SHA-256 of the component, in hexadecimal. The same source and the same tools give the same digest in any folder.
    pub digest: String,
    /// Whether this build changed the file.
    pub changed: bool,
    /// What the compiler warned of in the author's own code, as it writes it; empty where its messages went to standard error.
    pub warnings: String,
}

/// A language that plugins can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// Rust: a folder with a `Cargo.toml` whose library is a `cdylib`.
    Rust,
}

impl Language {
    /// Every language there is, in the order in which a folder is looked at.
    pub const ALL: [Language; 1] = [Language::Rust];

    /// The language's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
        }
    }

    /// The file that marks a folder as a plugin in this language.
    pub fn marker(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
        }
    }

    /// The language of the plugin in a folder.
    ///
    /// # Errors
    ///
    /// [`BuildError::Unsupported`], which lists the languages there are, when no marker file is found.
    pub fn of(folder: &Path) -> Result<Language, BuildError> {
        Language::ALL
            .into_iter()
            .find(|language| folder.join(language.marker()).is_file())
            .ok_or_else(|| BuildError::Unsupported { folder: folder.to_owned() })
    }
}

/// Builds the plugin in a folder into a component.
///
/// # Errors
///
/// When the folder is no plugin in a known language, when a tool or target is missing (with the command that brings it),
/// when the compiler refuses the source (with its messages), or when its result is not a plugin.
pub fn build(folder: &Path, options: &Options) -> Result<Built, BuildError> {
    let language = Language::of(folder)?;
    let core = match language {
        Language::Rust => rust::compile(folder, options)?,
    };
    let bytes = output::read(&core.file)?;
    let component = componentize(&bytes, &Encoding { wasi: options.wasi, wit: None })?;
    let wasm = core.target_dir.join("paddle").join(file_name(&core.name, options.wasi));
    let changed = output::write_if_changed(&wasm, &component)?;
    let size = component.len() as u64;
    Ok(Built {
        name: core.name,
        language,
        wasm,
        size,
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
    /// The core module.
    file: PathBuf,
    /// The folder that the compiler works in.
    target_dir: PathBuf,
    /// What the compiler warned of.
    warnings: String,
}
