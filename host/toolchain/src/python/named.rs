//! The packages that a plugin in Python names: in `requirements.txt`, or as `dependencies` in `pyproject.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::installed::Installed;
use crate::{BuildError, tool};

/// What a plugin names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// What `pip install` is told to install it; nothing when nothing is named.
    pub(super) by: Option<String>,
    /// The names, normalized, as far as requirements have one: a path or an address has none.
    pub(super) names: BTreeSet<String>,
    /// Those that must be there on every machine.
    must: BTreeSet<String>,
}

impl Named {
    /// What the files in a plugin's folder name.
    pub(super) fn of(folder: &Path) -> Result<Named, BuildError> {
        let mut named = Named::default();
        let requirements = folder.join("requirements.txt");
        if requirements.is_file() {
            let text = tool::read_text(&requirements)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lines.for_each(|line| named.add(line));
            named.by = named.by.map(|_| format!("-r {}", requirements.display()));
        }
        let project = folder.join("pyproject.toml");
        if project.is_file() && named.by.is_none() {
            let table: toml::Table = tool::read_text(&project)?.parse().map_err(|error: toml::de::Error| {
                let reason = format!("its pyproject.toml cannot be read: {}", error.message());
                BuildError::NotAPlugin { folder: folder.to_owned(), reason }
            })?;
            let list = table.get("project").and_then(|project| project.get("dependencies"));
            let lines = list.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str);
            lines.for_each(|line| named.add(line));
            named.by = named.by.map(|_| folder.display().to_string());
        }
        Ok(named)
    }

    /// One requirement, or one of pip's options.
    fn add(&mut self, line: &str) {
        self.by = Some(String::new());
        let Some(name) = name(line) else { return };
        if !line.contains(';') {
            self.must.insert(name.clone());
        }
        self.names.insert(name);
    }
}

/// The name that a requirement begins with, normalized: `Foo_Bar[extra]>=1.0` has `foo-bar`. None has what names no
/// package of an index: `-r other.txt`, `./here`, `git+https://…`.
pub(super) fn name(requirement: &str) -> Option<String> {
    let end = requirement.find(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char));
    let (name, rest) = requirement.split_at(end.unwrap_or(requirement.len()));
    let is_name = name.starts_with(|char: char| char.is_ascii_alphanumeric());
    let rest = rest.trim_start();
    (is_name && (rest.is_empty() || rest.starts_with(['[', '(', '=', '<', '>', '!', '~', ';', '@', ',', '#'])))
        .then(|| normalized(name))
}

/// As indexes compare names: <https://packaging.python.org/en/latest/specifications/name-normalization/>.
pub(super) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// What is not installed, with the command that installs it.
pub(super) fn missing(
    named: &Named,
    environment: Option<&Path>,
    places: &[PathBuf],
    installed: &Installed,
    folder: &Path,
) -> Option<BuildError> {
    let by = named.by.as_deref()?;
    if places.is_empty() {
        let what = "an environment with the packages that it names".to_owned();
        let command = format!("python3 -m venv .venv && .venv/bin/python -m pip install {by}");
        return Some(BuildError::Missing { what, command });
    }
    let name = named.must.iter().find(|name| !installed.distributions.contains_key(*name))?;
    let what = format!("the package `{name}`, which {} names,", folder.display());
    let is_uv = |environment: &Path| {
        let config = fs::read_to_string(environment.join("pyvenv.cfg")).unwrap_or_default();
        config.lines().any(|line| line.starts_with("uv "))
    };
    let command = match environment {
        Some(environment) if is_uv(environment) => format!("uv pip install --python {} {by}", environment.display()),
        Some(environment) => format!("{} -m pip install {by}", environment.join("bin/python").display()),
        None => format!("python3 -m pip install --target {} {by}", folder.join(super::PACKAGES).display()),
    };
    Some(BuildError::Missing { what, command })
}

#[cfg(test)]
mod tests {
    use super::{Named, name};

    #[test]
    fn a_requirement_begins_with_a_name_or_has_none() {
        for (requirement, expected) in [
            ("six", Some("six")),
            ("Python_DateUtil >= 2.9, < 3", Some("python-dateutil")),
            ("zope.interface[test]==1", Some("zope-interface")),
            ("shop @ https://example.com/shop.whl", Some("shop")),
            ("six (>=1.5)", Some("six")),
            ("six  # why", Some("six")),
            ("-r other.txt", None),
            ("--index-url https://example.com", None),
            ("-e ../common", None),
            ("./common", None),
            ("common/", None),
            ("git+https://example.com/x.git", None),
            ("https://example.com/x.whl", None),
            ("", None),
        ] {
            assert_eq!(name(requirement).as_deref(), expected, "{requirement}");
        }
    }

    #[test]
    fn files_in_the_folder_name_packages() {
        let folder = tempfile::tempdir().expect("there is room");
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("it can be written");
        let named = || Named::of(folder.path()).expect("it can be read");
        assert_eq!(named(), Named::default());
        write("pyproject.toml", "[project]\ndependencies = []\n[tool.x]\ny = [1]\n");
        write("requirements.txt", "# none\n\n");
        assert_eq!(named(), Named::default());
        write("pyproject.toml", "[project]\ndependencies = [\"Six[x]>=1\", 'tzdata; sys_platform == \"win32\"']\n");
        let found = named();
        assert_eq!(found.by, Some(folder.path().display().to_string()));
        assert_eq!(
            (Vec::from_iter(found.names), Vec::from_iter(found.must)),
            (vec!["six".to_owned(), "tzdata".to_owned()], vec!["six".to_owned()])
        );
        write("requirements.txt", "-r other.txt\n");
        let found = named();
        assert_eq!(found.by, Some(format!("-r {}/requirements.txt", folder.path().display())));
        assert!(found.names.is_empty());
        write("requirements.txt", "");
        write("pyproject.toml", "[project\n");
        let told = Named::of(folder.path()).expect_err("it is broken").to_string();
        assert!(told.contains("is not a plugin: its pyproject.toml cannot be read: "), "{told}");
    }
}
