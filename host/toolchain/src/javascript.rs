//! JavaScript and TypeScript: a script for the ready-made runtime. JavaScript that imports no packages is taken as it
//! is; TypeScript, and what imports packages, is bundled by esbuild.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::script::{MAIN, Script, script};
use crate::{BuildError, Built, Language, Made, Options, language, output, place, sdk, tool};

/// What is asked for.
pub(crate) const WANTED: &str = "esbuild";

/// The command that installs it, in the plugin's folder or above it.
pub(crate) const INSTALL: &str = "npm install --save-dev esbuild@0.28.2";

/// Our own module, which is part of the runtime.
const OURS: &str = "paddlewheel";

/// How esbuild bundles: one module for an engine that is neither a browser nor Node, with the packages' code for
/// either.
const FLAGS: [&str; 9] = [
    "--bundle",
    "--format=esm",
    "--platform=neutral",
    "--target=es2023",
    "--main-fields=module,main",
    "--conditions=module,import,default",
    "--charset=utf8",
    "--legal-comments=none",
    "--log-level=warning",
];

/// The part of a `package.json` that says what a folder imports.
#[derive(Default, Deserialize)]
struct Package {
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

/// Makes a script of the plugin in a folder.
pub(crate) fn build(folder: &Path, language: Language, options: &Options) -> Result<Built, BuildError> {
    let folder = place::full(folder)?;
    // What editors and `tsc` look at.
    sdk::write(language, &place::root(&folder))?;
    let main = language::main_file(&folder, language)?;
    let (script, changed, warnings) = match is_bundled(&folder, language)? {
        true => bundle(&folder, &main, options)?,
        false => (script(&main)?, false, String::new()),
    };
    let (size, digest) = script.weigh()?;
    Ok(Built {
        name: place::folder_name(&folder),
        language,
        made: Made::Script(script),
        size,
        digest,
        changed,
        warnings,
    })
}

/// Whether esbuild has work with a folder.
pub(crate) fn is_bundled(folder: &Path, language: Language) -> Result<bool, BuildError> {
    Ok(language == Language::TypeScript || imports_packages(folder)?)
}

/// Whether the folder's `package.json` names packages other than ours.
fn imports_packages(folder: &Path) -> Result<bool, BuildError> {
    let file = folder.join("package.json");
    if !file.is_file() {
        return Ok(false);
    }
    let not_understood = |error: serde_json::Error| BuildError::NotAPlugin {
        folder: folder.to_owned(),
        reason: format!("its package.json cannot be read: {error}"),
    };
    let package: Package = serde_json::from_slice(&output::read(&file)?).map_err(not_understood)?;
    Ok(package.dependencies.keys().any(|name| name != OURS))
}

fn bundle(folder: &Path, main: &Path, options: &Options) -> Result<(Script, bool, String), BuildError> {
    let esbuild =
        esbuild(folder).ok_or_else(|| BuildError::Missing { what: WANTED.to_owned(), command: install(folder) })?;
    let out = place::build(folder, options)?;
    let (made, file) = (out.join("bundled.js"), out.join("plugin.js"));
    let mut command = tool::command(esbuild);
    // A path from the folder: esbuild writes it above each module, and it is the same anywhere.
    let main = main.strip_prefix(folder).unwrap_or(main);
    command.current_dir(folder).arg(Path::new(".").join(main)).args(FLAGS);
    command.arg(format!("--external:{OURS}")).arg("--color=false");
    command.arg(format!("--outfile={}", made.display()));
    let said = tool::compile(&mut command, options.messages)?;
    let changed = output::write_if_changed(&file, &output::read(&made)?)?;
    let files = BTreeMap::from([(MAIN.to_owned(), file)]);
    let script = Script { language: Language::JavaScript, files };
    Ok((script, changed, said.stderr))
}

/// esbuild: the plugin's own, that of a folder above it, or the one on the path.
pub(crate) fn esbuild(folder: &Path) -> Option<PathBuf> {
    place::upwards(folder, "node_modules/.bin/esbuild").or_else(|| tool::on_path("esbuild"))
}

/// The command that installs esbuild where the plugin finds it.
fn install(folder: &Path) -> String {
    format!("npm install --save-dev --prefix {} esbuild@0.28.2", folder.display())
}
