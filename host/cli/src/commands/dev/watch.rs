//! Looks for saved files: `paddle.toml`, plugins' sources, files of steps.

use crate::error::{Error, Trouble};
use crate::project::{FILE, Origin, Project};
use anyhow::Context as _;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// Folders that tools fill, and nobody writes by hand.
const NOT_WATCHED: [&str; 8] =
    ["target", "node_modules", "__pycache__", "packages", "build", "dist", "vendor", "zig-cache"];

/// Editors write a file in several steps: so long after the last of them it is looked at.
const QUIET: Duration = Duration::from_millis(20);

/// Folders that are watched at most: beyond that something else than sources is in them.
const FOLDERS_MAX: usize = 2_000;

/// Watches the folders of a project.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<PathBuf>,
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
        Ok(Watch { watcher, folders: BTreeSet::new(), changes })
    }

    /// Watches what the project is made of now.
    pub(super) fn follow(&mut self, project: &Project) -> Result<(), Error> {
        let wanted = folders(project);
        for gone in self.folders.difference(&wanted) {
            // It may not be there any more.
            let _ = self.watcher.unwatch(gone);
        }
        for new in wanted.difference(&self.folders) {
            let watched = self.watcher.watch(new, RecursiveMode::NonRecursive);
            watched.with_context(|| format!("watch {}", new.display())).or_outside()?;
        }
        self.folders = wanted;
        Ok(())
    }

    /// Waits until something was saved, and then until nothing more is; gives a file of those that are there now. None when
    /// nothing is watched any more.
    pub(super) fn wait(&self) -> Option<PathBuf> {
        let mut saved = self.changes.recv().ok()?;
        while let Ok(next) = self.changes.recv_timeout(QUIET) {
            // Some editors write another file first, and give it the name at the end.
            if !saved.exists() || next.is_file() {
                saved = next;
            }
        }
        Some(saved)
    }
}

/// Whether a file may be part of a plugin: not hidden, not what editors leave beside the file they save.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // vim's 4913 asks whether a folder can be written to.
    !(name.starts_with(['.', '#']) || name.ends_with(['~', '#']) || name.ends_with(".swp") || name == "4913")
}

fn folders(project: &Project) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    found.insert(absolute(project.folder.join(FILE).parent().unwrap_or(Path::new("."))));
    for step in &project.pipeline.steps {
        match project.origin(step) {
            Ok(Origin::Folder(folder)) => tree(&absolute(&folder), &mut found),
            Ok(Origin::Script(path)) => tree(absolute(&path).parent().unwrap_or(Path::new(".")), &mut found),
            Ok(Origin::Wasm(path)) => found.extend(absolute(&path).parent().map(Path::to_owned)),
            // What cannot be found has no folder yet; the project's own is watched.
            Ok(Origin::ReadyMade(_)) | Err(_) => {}
        }
        let files = step.assets.values().map(|path| absolute(&project.folder.join(path)));
        found.extend(files.filter_map(|file| file.parent().map(Path::to_owned)));
    }
    found.retain(|folder| folder.is_dir());
    found
}

/// A folder and those in it, but for what tools fill.
fn tree(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    if found.len() >= FOLDERS_MAX {
        return;
    }
    found.insert(folder.to_owned());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !name.starts_with('.') && !NOT_WATCHED.contains(&name.as_ref()) {
            tree(&entry.path(), found);
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
        let found: Vec<_> = found.iter().map(|folder| folder.strip_prefix(root).expect("inside")).collect();
        assert_eq!(
            found,
            ["", "data", "plugins/enrich", "plugins/enrich/src", "plugins/enrich/src/deep"].map(Path::new)
        );
    }
}
