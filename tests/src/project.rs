//! A project in a folder of its own with one plugin in it, copied from a folder of the repository, and the tools that
//! its language needs.

use std::fs;
use std::path::{Path, PathBuf};
use toolchain::{Built, Language, Options};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its tests").to_owned()
}

/// A project: its folder and its plugin's.
pub struct Project {
    pub folder: tempfile::TempDir,
    pub plugin: PathBuf,
}

impl Project {
    /// A project with a copy of the plugin in `source`, under this name.
    pub fn new(language: Language, source: &Path, name: &str) -> Project {
        let folder = tempfile::tempdir().expect("there is room");
        fs::write(folder.path().join("paddle.toml"), "").expect("it can be written");
        let plugin = folder.path().join("plugins").join(name);
        copy(source, &plugin);
        let tools = root().join(".tools");
        let link = |from: PathBuf, to: &str| {
            if from.is_dir() {
                std::os::unix::fs::symlink(from, folder.path().join(to)).expect("it can be linked");
            }
        };
        if language == Language::TypeScript {
            link(tools.join("esbuild/node_modules"), "node_modules");
        }
        Project { folder, plugin }
    }

    pub fn build(&self) -> Built {
        toolchain::build(&self.plugin, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is missing here to build plugins in this language, and what `make tools` needs to bring it.
    pub fn missing(&self, language: Language) -> Option<(String, &'static str)> {
        let findings = toolchain::doctor::look(&self.plugin);
        let finding = findings.into_iter().find(|it| it.language == language).expect("every language is looked at");
        let needs = match language {
            Language::TypeScript => "npm",
            Language::C => "root on Debian",
            _ => "Go",
        };
        finding.missing.map(|missing| (missing.what, needs))
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), &to).expect("it can be copied")),
        }
    }
}
