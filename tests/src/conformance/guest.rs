//! Plugins of `tests/conformance` in each language: built as `paddle build` builds them, and loaded as steps.

use crate::project::{Project, root};
use engine::{Code, Engine};
use flate2::read::GzDecoder;
use pipeline::settings::Pipeline;
use pipeline::{Asset, Assets, Runner};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use toolchain::{Language, MAIN, Made};

/// The pipeline's routes.
pub(super) const ROUTES: [&str; 2] = ["default", "audit"];

/// A plugin, built.
pub struct Guest {
    pub language: Language,
    /// Compiled for a target without clock, random numbers and output: Rust's usual one.
    pub systemless: bool,
    /// The component; for scripts the ready-made runtime.
    pub wasm: Vec<u8>,
    /// The script and its modules.
    pub assets: Assets,
}

/// Builds one of the plugins in `tests/conformance`: `guests` or `mask`.
///
/// # Errors
/// What is missing here, and what `make tools` needs to bring it.
pub fn build(which: &str, language: Language) -> Result<Guest, (String, &'static str)> {
    let folder = root().join("tests/conformance").join(which);
    if language == Language::Rust {
        return Ok(match which {
            "mask" => rust("mask", true),
            _ if crate::guests::file(INSIDE).is_empty() => plain_rust(),
            _ => rust(INSIDE, false),
        });
    }
    let project = Project::new(language, &folder.join(language.id()), which);
    if language == Language::TypeScript && which == "guests" {
        let shared = folder.join("javascript/plugin.js");
        std::fs::copy(shared, project.plugin.join("interpreter.js")).expect("it can be copied");
    }
    if let Some(missing) = project.missing(language) {
        return Err(missing);
    }
    Ok(match project.build().made {
        Made::Component(file) => Guest { language, systemless: false, wasm: read(file), assets: Assets::default() },
        Made::Script(script) => ready_made(language, &script.files),
    })
}

/// The interpreter in Rust, for the target that has a system to ask.
const INSIDE: &str = "conformance-inside";

/// The interpreter in Rust for its usual target.
pub fn plain_rust() -> Guest {
    rust("conformance", true)
}

fn rust(name: &str, systemless: bool) -> Guest {
    let wasm = read(crate::guests::file(name).into());
    Guest { language: Language::Rust, systemless, wasm, assets: Assets::default() }
}

/// The ready-made runtime of a language with a script.
pub fn ready_made(language: Language, files: &BTreeMap<String, PathBuf>) -> Guest {
    let main = if language == Language::Python { "plugin.py" } else { "plugin.js" };
    let source = |name: &str| if name == MAIN { main } else { name }.to_owned();
    let asset = |(name, file): (&String, &PathBuf)| {
        (name.clone(), Asset { source: source(name), bytes: read(file.clone()).into() })
    };
    let assets = Assets::new(files.iter().map(asset).collect()).expect("few and small");
    let wasm = match language {
        Language::Python => python_runtime(),
        _ => read(root().join("plugins/javascript/javascript.wasm")),
    };
    Guest { language, systemless: false, wasm, assets }
}

/// The runtime of Python scripts.
pub fn python_runtime() -> Vec<u8> {
    let packed = read(root().join("plugins/python/python.wasm.gz"));
    let mut wasm = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut wasm).expect("`make python` packed it");
    wasm
}

fn read(file: PathBuf) -> Vec<u8> {
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

impl Guest {
    /// A runner of a pipeline of one step, which this is; or why the step cannot be loaded.
    ///
    /// # Errors
    /// What the plugin or the engine says.
    pub fn start(&self, engine: &Engine, code: &Code, step: &str) -> Result<Runner, String> {
        let routes = ROUTES.map(|route| format!("{route} = \"{route}\"\n")).concat();
        let toml = format!("[[step]]\nplugin = \"guest\"\n{step}\n[routes]\n{routes}");
        let pipeline = Pipeline::parse(&toml).unwrap_or_else(|error| panic!("{toml}: {error}"));
        let settings = &pipeline.steps[0];
        let loaded = engine.load(code, settings, &crate::filled(settings), &self.assets);
        let plugin = loaded.map_err(|error| error.to_string())?.plugin();
        Ok(Runner::new(Arc::new(pipeline), vec![plugin], "clicks"))
    }
}
