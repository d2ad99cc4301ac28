//! What is installed in the folders of an environment, by the notes of whoever installed it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::named;

/// The endings of what is compiled for this machine.
const COMPILED: [&str; 4] = ["so", "pyd", "dylib", "dll"];

/// Modules and distributions.
pub(super) struct Installed {
    /// Modules and packages by their names: the folder or file that each is. Those of earlier places come first.
    pub(super) modules: BTreeMap<String, PathBuf>,
    /// By their normalized names.
    pub(super) distributions: BTreeMap<String, Distribution>,
}

/// One that an installer put there, by what stands in its `.dist-info`:
/// <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>.
pub(super) struct Distribution {
    pub(super) folder: PathBuf,
    /// The modules and packages that it brought.
    pub(super) modules: BTreeSet<String>,
    /// Others that it asks for, those of its extras not.
    pub(super) requires: Vec<String>,
}

impl Installed {
    pub(super) fn in_places(places: &[PathBuf]) -> Installed {
        let mut installed = Installed { modules: BTreeMap::new(), distributions: BTreeMap::new() };
        for entry in places.iter().flat_map(|place| entries(place)) {
            if has_ending(&entry, &["dist-info"]) {
                if let Some((name, distribution)) = Distribution::read(&entry) {
                    installed.distributions.entry(name).or_insert(distribution);
                }
            } else if entry.is_dir() || has_ending(&entry, &["py"]) || is_compiled(&entry) {
                installed.modules.entry(module_of(&entry)).or_insert(entry);
            }
        }
        installed
    }

    /// The modules of a distribution, if it is there.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = String> {
        self.distributions.get(name).into_iter().flat_map(|distribution| distribution.modules.iter().cloned())
    }

    /// All modules in one of the places, but for the programs that came with them.
    pub(super) fn right_in(&self, place: &Path) -> impl Iterator<Item = String> {
        let there = self.modules.iter().filter(move |(name, path)| path.parent() == Some(place) && *name != "bin");
        there.map(|(name, _)| name.clone())
    }
}

impl Distribution {
    /// With its normalized name; none where that cannot be read.
    fn read(folder: &Path) -> Option<(String, Distribution)> {
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let metadata = text("METADATA");
        let headers =
            |of| metadata.lines().take_while(|line| !line.is_empty()).filter_map(move |it| it.strip_prefix(of));
        let requires =
            headers("Requires-Dist: ").filter(|it| !it.contains("extra ==")).filter_map(named::name).collect();
        let modules = text("RECORD").lines().filter_map(recorded).collect();
        let name = named::normalized(headers("Name: ").next()?);
        Some((name, Distribution { folder: folder.to_owned(), modules, requires }))
    }
}

/// The module that a line of a `RECORD` belongs to, if it does to one: `places/names.py,sha256=…,12` to `places`.
fn recorded(line: &str) -> Option<String> {
    let path = Path::new(line.split(',').next()?.trim_matches('"'));
    let first = path.iter().next()?.to_str()?;
    let is_inside = path.iter().nth(1).is_some();
    let is_other = [".dist-info", ".libs", ".data"].iter().any(|ending| first.ends_with(ending));
    let is_module = is_inside || has_ending(path, &["py"]) || is_compiled(path);
    (is_module && !is_other && !["..", "__pycache__"].contains(&first)).then(|| module_of(Path::new(first)))
}

/// The name of a module by its file or folder: `rpds.cpython-311-x86_64-linux-gnu.so` is `rpds`, whatever it was
/// compiled for.
pub(super) fn module_of(path: &Path) -> String {
    let name = name_of(path);
    name.split('.').next().unwrap_or_default().to_owned()
}

pub(super) fn is_compiled(path: &Path) -> bool {
    has_ending(path, &COMPILED)
}

pub(super) fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// What is in a folder, in an order that does not depend on the file system; nothing if it cannot be read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    found.sort();
    found
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
