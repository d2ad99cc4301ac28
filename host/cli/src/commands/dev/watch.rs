//! Looks for saved files: `paddle.toml`, plugins' sources, files of steps.

use crate::error::{Error, Trouble};
use crate::project::{FILE, Origin, Project};
use anyhow::Context as _;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Folders that tools fill, and the one that no plugin is made of: its tests.
const NOT_WATCHED: [&str; 9] =
    ["target", "node_modules", "__pycache__", "packages", "build", "dist", "vendor", "zig-cache", "tests"];

/// Editors write a file in several steps: so long after the last of them it is looked at.
const QUIET: Duration = Duration::from_millis(20);

/// So long after the first one at the latest: some programs never stop writing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Folders that are watched at most: beyond that something else than sources is in them.
const FOLDERS_MAX: usize = 2_000;

/// Watches the folders of a project.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    folders: Folders,
    changes: mpsc::Receiver<PathBuf>,
}

type Folders = BTreeMap<PathBuf, Part>;

/// What matters in a folder that is watched. Records and documents may lie beside `paddle.toml`, and are written all
/// the time.
#[derive(Default)]
struct Part {
    /// Everything in it.
    all: bool,
    /// Modules of scripts.
    modules: bool,
    /// These.
    names: BTreeSet<OsString>,
}

impl Watch {
    pub(super) fn new() -> Result<Watch, Error> {
        let (told, changes) = mpsc::channel();
        let heard = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_))) {
                return;
            }
            for path in event.paths.into_iter().filter(|path| is_source(path)) {
                // If nobody listens, the program is ending.
                let _ = told.send(path);
            }
        };
        let watcher = notify::recommended_watcher(heard).context("watch files").or_outside()?;
        Ok(Watch { watcher, folders: Folders::new(), changes })
    }

    /// Watches what the project is made of now.
    pub(super) fn follow(&mut self, project: &Project) -> Result<(), Error> {
        let wanted = folders(project);
        for gone in self.folders.keys().filter(|folder| !wanted.contains_key(*folder)) {
            // It may not be there any more.
            let _ = self.watcher.unwatch(gone);
        }
        for new in wanted.keys().filter(|folder| !self.folders.contains_key(*folder)) {
            let watched = self.watcher.watch(new, RecursiveMode::NonRecursive);
            watched.with_context(|| format!("watch {}", new.display())).or_outside()?;
        }
        self.folders = wanted;
        Ok(())
    }

    /// Waits until something was saved, and then until nothing more is; gives a file of those that are there now. None
    /// when nothing is watched any more.
    pub(super) fn wait(&mut self) -> Option<PathBuf> {
        let mut saved = loop {
            let first = self.changes.recv().ok()?;
            if self.heard(&first) {
                break first;
            }
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE
            && let Ok(next) = self.changes.recv_timeout(QUIET)
        {
            // Some editors write another file first, and give it the name at the end.
            if self.heard(&next) && (!saved.exists() || next.is_file()) {
                saved = next;
            }
        }
        Some(saved)
    }

    /// Whether what happened to a path matters. A folder that came or went is watched anew: what is at its path now is
    /// another one.
    fn heard(&mut self, path: &Path) -> bool {
        let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
        let matters =
            self.folders.contains_key(path) || self.folders.get(folder).is_some_and(|part| part.concerns(name));
        if matters {
            let inside: Vec<PathBuf> = self.folders.keys().filter(|known| known.starts_with(path)).cloned().collect();
            for folder in inside {
                // It may not be there any more.
                let _ = self.watcher.unwatch(&folder);
                self.folders.remove(&folder);
            }
        }
        matters
    }
}

impl Part {
    fn concerns(&self, name: &OsStr) -> bool {
        let ending = Path::new(name).extension().and_then(OsStr::to_str);
        self.all || self.names.contains(name) || self.modules && matches!(ending, Some("js" | "mjs" | "json" | "py"))
    }
}

/// Whether a file may be part of a plugin: not hidden, not what editors leave beside the file they save.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // vim's 4913 asks whether a folder can be written to.
    !(name.starts_with(['.', '#']) || name.ends_with(['~', '#']) || name.ends_with(".swp") || name == "4913")
}

fn folders(project: &Project) -> Folders {
    let mut found = Folders::new();
    let absolute = |path: &Path| tidy_parts(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    one(&absolute(&project.folder.join(FILE)), &mut found);
    for step in &project.pipeline.steps {
        match project.origin(step) {
            Ok(Origin::Folder(folder)) => {
                one(&absolute(&folder), &mut found);
                tree(&absolute(&folder), &mut found, |part| part.all = true);
            }
            Ok(Origin::Script(path)) => {
                // The modules of a link are those beside the file that it leads to.
                for path in [absolute(&path), path.canonicalize().unwrap_or_else(|_| absolute(&path))] {
                    one(&path, &mut found);
                    tree(path.parent().unwrap_or(&path), &mut found, |part| part.modules = true);
                }
            }
            Ok(Origin::Wasm(path)) => one(&absolute(&path), &mut found),
            Ok(Origin::ReadyMade(_)) => {}
            // It may come yet.
            Err(_) => one(&absolute(&project.folder.join(&step.plugin)), &mut found),
        }
        for path in step.assets.values() {
            one(&absolute(&project.folder.join(path)), &mut found);
        }
    }
    found
}

/// One file or folder by its name, there or not: when the folder around it is not there either, that one's name.
fn one(path: &Path, found: &mut Folders) {
    let there = path.ancestors().skip(1).find(|folder| folder.is_dir());
    let Some((folder, inside)) = there.and_then(|folder| Some((folder, path.strip_prefix(folder).ok()?))) else {
        return;
    };
    let part = found.entry(folder.to_owned()).or_default();
    part.names.extend(inside.iter().next().map(OsStr::to_owned));
}

/// A path without `..`, as what happens to files is told.
fn tidy_parts(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(tidy.pop()),
            part => tidy.push(part),
        }
    }
    tidy
}

/// A folder and those in it, but for what tools fill.
fn tree(folder: &Path, found: &mut Folders, matters: fn(&mut Part)) {
    if found.len() >= FOLDERS_MAX {
        return;
    }
    matters(found.entry(folder.to_owned()).or_default());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !name.starts_with('.') && !NOT_WATCHED.contains(&name.as_ref()) {
            tree(&entry.path(), found, matters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{folders, is_source};
    use crate::project::Project;
    use std::path::Path;

    #[test]
    fn what_editors_leave_behind_is_no_source() {
        for (name, source) in [
            ("plugin.js", true),
            ("Cargo.toml", true),
            (".plugin.js.swp", false),
            ("plugin.js~", false),
            ("#plugin.js#", false),
            ("4913", false),
        ] {
            assert_eq!(is_source(&Path::new("/p").join(name)), source, "{name}");
        }
    }

    #[test]
    fn folders_of_sources_are_watched_and_those_of_tools_are_not() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path();
        for folder in ["plugins/enrich/src/deep", "plugins/enrich/target/debug", "plugins/enrich/.venv", "data"] {
            std::fs::create_dir_all(root.join(folder)).expect("made");
        }
        std::fs::write(root.join("plugins/enrich/Cargo.toml"), "").expect("written");
        let toml = "[[step]]\nplugin = \"./plugins/enrich\"\nassets = { words = \"./data/words.txt\" }";
        std::fs::write(root.join("paddle.toml"), toml).expect("written");
        let project = Project::find(Some(&root.to_string_lossy())).expect("a project");
        let found = folders(&project);
        let shown: Vec<_> = found.keys().map(|folder| folder.strip_prefix(root).expect("inside")).collect();
        let expected = ["", "data", "plugins", "plugins/enrich", "plugins/enrich/src", "plugins/enrich/src/deep"];
        assert_eq!(shown, expected.map(Path::new));
        let matters = |name: &str| {
            let path = root.join(name);
            found[path.parent().expect("inside")].concerns(path.file_name().expect("a name"))
        };
        for (name, expected) in [
            ("paddle.toml", true),
            ("events.ndjson", false),
            ("data/words.txt", true),
            ("data/other.txt", false),
            ("plugins/enrich", true),
            ("plugins/other", false),
            ("plugins/enrich/src/lib.rs", true),
        ] {
            assert_eq!(matters(name), expected, "{name}");
        }
    }
}
