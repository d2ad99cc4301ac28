//! Python: a script for the ready-made runtime, with every module in its folder, and the packages that it asks for in
//! an archive.
//!
//! Layout: `named` (the packages that a plugin names), `installed` (what an environment has), `packages` (what goes
//! along).

mod installed;
mod named;
mod packages;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::script::{self, MAIN, MODULES_MAX, Script};
use crate::{BuildError, Built, Language, Made, Options, place, sdk};
use installed::has_ending;
use packages::FOLDER as PACKAGES;
pub(crate) use packages::environment;

/// What is no part of a plugin, besides names that begin with a dot.
const LEFT_OUT: [&str; 5] = ["__pycache__", "tests", "node_modules", "target", PACKAGES];

/// The most files that a plugin's folder may have. Its packages do not count.
const FILES_MAX: usize = 1_000;

/// Takes the plugin in a folder: its main file, every other module in it, and its packages.
pub(crate) fn build(folder: &Path, options: &Options) -> Result<Built, BuildError> {
    let folder = place::full(folder)?;
    // What editors and mypy look at.
    sdk::write(Language::Python, &place::root(&folder))?;
    let main = folder.join(Language::Python.marker());
    let mut files = BTreeMap::from([(MAIN.to_owned(), main.clone())]);
    for file in sources(&folder)? {
        if has_ending(&file, &["py"]) && folder.join(&file) != main {
            files.insert(script::module_name(&file), folder.join(&file));
        }
    }
    let packed = packages::pack(&folder, files.values(), options)?;
    let changed = packed.as_ref().is_some_and(|packed| packed.changed);
    files.extend(packed.map(|packed| (script::PACKAGES.to_owned(), packed.file)));
    if files.len() > MODULES_MAX {
        return Err(BuildError::TooManyModules { script: main });
    }
    let script = Script { language: Language::Python, files };
    let (size, digest) = script.weigh()?;
    let (name, made) = (place::folder_name(&folder), Made::Script(script));
    Ok(Built { name, language: Language::Python, made, size, digest, changed, warnings: String::new() })
}

/// The modules in `folder` that a file there imports, by any line that begins like an import. A package brings its
/// `__init__.py`, and all that is in it where something is taken from it.
pub(crate) fn imported(text: &str, file: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for import in imports(text) {
        let name = match import {
            Import::Module(name) => {
                found.extend(on_the_way(folder, name, folder));
                continue;
            }
            Import::From(name) => name,
        };
        let base = match name.bytes().take_while(|byte| *byte == b'.').count() {
            0 => Some(folder),
            // Each dot but the first is a folder up.
            dots => file.ancestors().nth(dots),
        };
        let Some(base) = base.filter(|base| base.starts_with(folder)) else { continue };
        found.extend(on_the_way(base, name, folder));
        let package = below(base, name);
        if package != folder || name.starts_with('.') {
            let inside = package.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
            found.extend(inside.filter(|file| file.is_file() && has_ending(file, &["py"])));
        }
    }
    found
}

/// One module that a line names.
enum Import<'a> {
    /// `import name`
    Module(&'a str),
    /// `from name import`, which dots may begin.
    From(&'a str),
}

/// Every import in a text, and what looks like one.
fn imports(text: &str) -> impl Iterator<Item = Import<'_>> {
    // Several may stand in a line: `import a; import b`, `try: import c`.
    text.split(['\n', ';', ':']).map(str::trim_start).flat_map(|statement| {
        let from = statement.strip_prefix("from ").and_then(|rest| rest.split_whitespace().next());
        let names = statement.strip_prefix("import ").unwrap_or_default();
        let modules = names.split([',', '#']).filter_map(|name| name.split_whitespace().next());
        modules.map(Import::Module).chain(from.map(Import::From))
    })
}

/// The path of a module below a folder, without its ending. Dots in front do not count.
fn below(base: &Path, name: &str) -> PathBuf {
    name.split('.').filter(|part| !part.is_empty()).fold(base.to_owned(), |at, part| at.join(part))
}

/// The file of a module, and those of the packages that it is in.
fn on_the_way(base: &Path, name: &str, folder: &Path) -> Vec<PathBuf> {
    let path = below(base, name);
    let packages = path.ancestors().take_while(|at| at.starts_with(folder) && *at != folder);
    let mut found: Vec<PathBuf> = packages.map(|package| package.join("__init__.py")).collect();
    if path != base {
        found.push(path.with_added_extension("py"));
    }
    found.retain(|file| file.is_file());
    found
}

/// The files of a plugin, in an order that does not depend on the file system.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    collect(folder, Path::new(""), &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    let here = folder.join(below);
    let reading = || format!("read {}", here.display());
    for entry in here.read_dir().map_err(BuildError::io(reading()))? {
        let entry = entry.map_err(BuildError::io(reading()))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || LEFT_OUT.contains(&&*text) {
            continue;
        }
        let path = below.join(&name);
        if entry.path().is_dir() {
            collect(folder, &path, found)?;
        } else {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            let reason =
                format!("there are more than {FILES_MAX} files in it; packages belong into .venv or {PACKAGES}");
            return Err(BuildError::NotAPlugin { folder: folder.to_owned(), reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn what_is_no_source_is_left_out() {
        let folder = tempfile::tempdir().expect("there is room");
        for file in
            ["plugin.py", "shop/prices.py", ".venv/lib/x.py", "tests/test.py", "__pycache__/x.pyc", "packages/y.py"]
        {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
            std::fs::write(file, "").expect("it can be written");
        }
        assert_eq!(
            sources(folder.path()).expect("it can be read"),
            ["plugin.py", "shop/prices.py"].map(Into::into).to_vec() as Vec<std::path::PathBuf>
        );
    }
}
