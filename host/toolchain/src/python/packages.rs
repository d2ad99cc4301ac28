//! Packages of a plugin in Python: which of those that are installed it uses, and the archive in which the runtime
//! finds them.
//!
//! A folder `packages` beside the plugin goes along whole. Of an environment goes what the plugin imports or names, and
//! what that imports or asks for in turn: an environment also holds what people work with. Imports are found by lines
//! that begin like one, so that a package too many may come along, and none is missing unless it is imported by a name
//! that is put together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use zip::ZipWriter;

use super::installed::{Installed, entries, has_ending, is_compiled, module_of, name_of};
use super::named::{self, Named};
use super::{Import, imports};
use crate::{BuildError, Options, output, place};

/// A folder beside the plugin that `pip install --target packages` fills.
pub(super) const FOLDER: &str = "packages";

/// The most files of all packages, and bytes of their archive: what the step's files may have together
/// (`ASSETS_BYTES_MAX` of `pipeline`).
const FILES_MAX: usize = 20_000;
const ARCHIVE_BYTES_MAX: usize = 64 << 20;

/// What is not even packed to see.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// What has no use in the runtime: other interpreters' bytecode, and what only people's tools read.
const LEFT_OUT: [&str; 3] = ["pyc", "pyo", "pyi"];

/// The ending of what stands in the place of a compiled module, empty: by it the runtime says why an import failed.
const MARK: &str = "compiled";

/// The files of an installed distribution that describe it, as far as programs look at them when they run.
const DESCRIPTIONS: [&str; 3] = ["METADATA", "entry_points.txt", "top_level.txt"];

/// An archive that was made, or was there.
pub(super) struct Packed {
    pub(super) file: PathBuf,
    pub(super) changed: bool,
}

/// Packs what a plugin with these sources asks for; nothing when it names no packages.
pub(super) fn pack<'a>(
    folder: &Path,
    sources: impl Iterator<Item = &'a PathBuf>,
    options: &Options,
) -> Result<Option<Packed>, BuildError> {
    let named = Named::of(folder)?;
    let beside = folder.join(FOLDER);
    if named.by.is_none() && !beside.is_dir() {
        return Ok(None);
    }
    let sources = sources.map(|file| output::read(file)).collect::<Result<Vec<_>, _>>()?;
    let environment = environment(folder).filter(|_| named.by.is_some());
    let mut places = Vec::from_iter(beside.is_dir().then_some(beside.clone()));
    places.extend(environment.iter().flat_map(|environment| site_packages(environment)));
    let installed = Installed::in_places(&places);
    if let Some(missing) = named::missing(&named, environment.as_deref(), &places, &installed, folder) {
        return Err(missing);
    }
    let out = place::build(folder, options)?;
    let (file, marker) = (out.join("packages.zip"), out.join("packages.inputs"));
    let mut wanted: BTreeSet<String> =
        sources.iter().flat_map(|text| imported(&String::from_utf8_lossy(text))).collect();
    wanted.extend(installed.right_in(&beside).chain(named.names.iter().flat_map(|name| installed.of(name))));
    // What was made is known by a mark, which only this user can make, and the modules that it covers.
    let known = fs::read_to_string(&marker).unwrap_or_default();
    let (found, modules) = known.split_once('\n').unwrap_or_default();
    if let (Some(seal), Ok(archive)) = (&options.seal, fs::read(&file))
        && found == output::mark(seal, &inputs(&wanted, &installed, modules.lines()), &archive)
    {
        return Ok(Some(Packed { file, changed: false }));
    }
    let mut chosen = Chosen { installed: &installed, folder, files: BTreeMap::new(), sizes: BTreeMap::new() };
    chosen.take(wanted.iter().cloned().collect())?;
    let archive = chosen.archive()?;
    let changed = output::write_if_changed(&file, &archive)?;
    if let Some(seal) = &options.seal {
        let modules = || chosen.sizes.keys().map(String::as_str);
        let mark = output::mark(seal, &inputs(&wanted, &installed, modules()), &archive);
        let lines = [mark].into_iter().chain(modules().map(str::to_owned));
        output::write_if_changed(&marker, lines.collect::<Vec<_>>().join("\n").as_bytes())?;
    }
    Ok(Some(Packed { file, changed }))
}

/// The environment of a plugin: `.venv` in its folder or in one above.
pub(crate) fn environment(folder: &Path) -> Option<PathBuf> {
    place::upwards(folder, ".venv/pyvenv.cfg")?.parent().map(Path::to_owned)
}

/// Where an environment has its packages, and the folders that its `.pth` files name: what was installed to be edited.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        entries(&environment.join("lib")).into_iter().map(|release| release.join("site-packages")).collect();
    found.retain(|folder| folder.is_dir());
    for file in found.iter().flat_map(|folder| entries(folder)).collect::<Vec<_>>() {
        if has_ending(&file, &["pth"]) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            found.extend(text.lines().map(PathBuf::from).filter(|folder| folder.is_absolute() && folder.is_dir()));
        }
    }
    found
}

/// The modules that a text imports, by the first part of their names.
fn imported(text: &str) -> Vec<String> {
    let names = imports(text).map(|import| match import {
        Import::Module(name) | Import::From(name) => name,
    });
    let first = names.map(|name| name.split('.').next().unwrap_or_default());
    first.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What goes along.
struct Chosen<'a> {
    installed: &'a Installed,
    /// The plugin's.
    folder: &'a Path,
    /// By the paths that they get. What is compiled is none: its path alone goes along.
    files: BTreeMap<String, Option<PathBuf>>,
    /// The bytes of each module or package.
    sizes: BTreeMap<String, u64>,
}

impl Chosen<'_> {
    /// Takes modules, and all that they import and ask for.
    fn take(&mut self, mut wanted: Vec<String>) -> Result<(), BuildError> {
        while let Some(module) = wanted.pop() {
            let Some(path) = self.installed.modules.get(&module).filter(|_| !self.sizes.contains_key(&module)) else {
                continue;
            };
            self.sizes.insert(module.clone(), 0);
            self.take_files(path, &name_of(path), &module, &mut wanted)?;
            let distributions = self.installed.distributions.values();
            for distribution in distributions.filter(|distribution| distribution.modules.contains(&module)) {
                let folder = name_of(&distribution.folder);
                for file in
                    DESCRIPTIONS.map(|file| distribution.folder.join(file)).into_iter().filter(|it| it.is_file())
                {
                    self.files.insert(format!("{folder}/{}", name_of(&file)), Some(file));
                }
                wanted.extend(distribution.requires.iter().flat_map(|name| self.installed.of(name)));
            }
        }
        Ok(())
    }

    /// Takes a file or a folder of a module or package.
    fn take_files(
        &mut self,
        path: &Path,
        name: &str,
        module: &str,
        wanted: &mut Vec<String>,
    ) -> Result<(), BuildError> {
        if path.is_dir() {
            for entry in entries(path).iter().filter(|entry| is_part(entry)) {
                self.take_files(entry, &format!("{name}/{}", name_of(entry)), module, wanted)?;
            }
            return Ok(());
        }
        if has_ending(path, &LEFT_OUT) {
            return Ok(());
        }
        if is_compiled(path) {
            let mark = Path::new(name).with_file_name(format!("{}.{MARK}", module_of(path)));
            self.files.insert(mark.display().to_string(), None);
            return Ok(());
        }
        if self.files.len() >= FILES_MAX {
            return Err(self.too_much(&format!("more than {FILES_MAX} files")));
        }
        if has_ending(path, &["py"]) {
            wanted.extend(imported(&String::from_utf8_lossy(&output::read(path)?)));
        }
        let bytes = path.metadata().map_err(BuildError::io(format!("read {}", path.display())))?.len();
        *self.sizes.entry(module.to_owned()).or_default() += bytes;
        self.files.insert(name.to_owned(), Some(path.to_owned()));
        Ok(())
    }

    /// An archive of all files: the same bytes whenever and wherever it is made.
    fn archive(&self) -> Result<Vec<u8>, BuildError> {
        let unpacked: u64 = self.sizes.values().sum();
        if unpacked > UNPACKED_BYTES_MAX {
            return Err(self.too_much(&format!("{} MiB", unpacked.div_ceil(1 << 20))));
        }
        let mut bytes = Vec::new();
        let mut archive = ZipWriter::new(Cursor::new(&mut bytes));
        let options = output::zip_options(0o644);
        for (name, file) in &self.files {
            let doing = || format!("pack {name}");
            archive.start_file(name, options).map_err(|error| BuildError::io(doing())(error.into()))?;
            let Some(file) = file else { continue };
            let mut file = fs::File::open(file).map_err(BuildError::io(doing()))?;
            io::copy(&mut file, &mut archive).map_err(BuildError::io(doing()))?;
        }
        archive.finish().map_err(|error| BuildError::io("pack the packages")(error.into()))?;
        if bytes.len() > ARCHIVE_BYTES_MAX {
            let (has, most) = (bytes.len().div_ceil(1 << 20), ARCHIVE_BYTES_MAX >> 20);
            return Err(self.too_much(&format!("{has} MiB packed, of {most} that a step's files may have")));
        }
        Ok(bytes)
    }

    fn too_much(&self, what: &str) -> BuildError {
        let mut largest: Vec<(&String, &u64)> = self.sizes.iter().collect();
        largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        let shown = largest.iter().take(3).map(|(name, bytes)| format!("{name} ({} MiB)", bytes.div_ceil(1 << 20)));
        let reason = format!("its packages have {what}; the largest are {}", shown.collect::<Vec<_>>().join(", "));
        BuildError::NotAPlugin { folder: self.folder.to_owned(), reason }
    }
}

/// Whether something in a package's folder belongs to it: not what Python or an editor left there.
fn is_part(entry: &Path) -> bool {
    let name = name_of(entry);
    name != "__pycache__" && !name.starts_with('.')
}

/// All that decides what an archive of these modules holds, as a digest: what is wanted, what there is to choose from,
/// and what is in the modules. That is much, and others wrote it: names, sizes and times will do.
fn inputs<'a>(wanted: &BTreeSet<String>, installed: &Installed, modules: impl Iterator<Item = &'a str>) -> String {
    let mut all = format!("{} {wanted:?}\n", env!("CARGO_PKG_VERSION"));
    installed.modules.iter().for_each(|(module, path)| all.push_str(&format!("{module} {}\n", path.display())));
    installed.distributions.values().for_each(|distribution| stamps(&distribution.folder, &mut all));
    modules.filter_map(|module| installed.modules.get(module)).for_each(|path| stamps(path, &mut all));
    output::digest(all.as_bytes())
}

fn stamps(path: &Path, all: &mut String) {
    if path.is_dir() {
        entries(path).iter().filter(|entry| is_part(entry)).for_each(|entry| stamps(entry, all));
    } else if let Ok(metadata) = path.metadata() {
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        all.push_str(&format!("{} {} {changed:?}\n", path.display(), metadata.len()));
    }
}
