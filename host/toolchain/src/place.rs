//! Where the things of a project are: its root, and what builds leave there.

use std::path::{Path, PathBuf};

use crate::{BuildError, Options};

/// What a project's file is called.
const PROJECT: &str = "paddle.toml";

/// The folder of what builds leave behind, under a project's root.
const LEFT: &str = ".paddle";

/// The folder that a plugin belongs to: the nearest one above it with a `paddle.toml`, or its own.
pub(crate) fn root(plugin: &Path) -> PathBuf {
    let root = plugin.ancestors().find(|folder| folder.join(PROJECT).is_file());
    root.unwrap_or(plugin).to_owned()
}

/// Where a language's library is written to.
pub(crate) fn sdk(root: &Path) -> PathBuf {
    root.join(LEFT).join("sdk")
}

/// Where a plugin is built, made if it is not there: the work of compilers and, in the end, the component.
pub(crate) fn build(plugin: &Path, options: &Options) -> Result<PathBuf, BuildError> {
    let folder = match &options.target_dir {
        Some(target) => std::path::absolute(target).map_err(BuildError::io("find the target folder"))?.join("paddle"),
        None => root(plugin).join(LEFT).join("build").join(folder_name(plugin)),
    };
    std::fs::create_dir_all(&folder).map_err(BuildError::io(format!("make {}", folder.display())))?;
    Ok(folder)
}

/// A folder's own name, for a plugin whose language has no manifest with a name.
pub(crate) fn folder_name(plugin: &Path) -> String {
    plugin.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The plugin's folder in full, so that programs can run in it.
pub(crate) fn full(folder: &Path) -> Result<PathBuf, BuildError> {
    folder.canonicalize().map_err(BuildError::io(format!("find {}", folder.display())))
}

/// The nearest of a file's places, from a folder upwards to the root of the file system.
pub(crate) fn upwards(folder: &Path, file: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(file)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::{build, root};
    use crate::Options;

    #[test]
    fn what_builds_leave_is_beside_the_projects_file() {
        let project = tempfile::tempdir().expect("there is room");
        let plugin = project.path().join("plugins/enrich");
        std::fs::create_dir_all(&plugin).expect("it can be made");
        assert_eq!(root(&plugin), plugin);
        std::fs::write(project.path().join("paddle.toml"), "").expect("it can be written");
        assert_eq!(root(&plugin), project.path());
        let built = build(&plugin, &Options::default()).expect("it can be made");
        assert_eq!(built, project.path().join(".paddle/build/enrich"));
        assert!(built.is_dir());
    }
}
