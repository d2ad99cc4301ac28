//! The languages' support libraries, embedded, so that a plugin is always built with the one that fits this program.
//!
//! They are written to `.paddle/sdk/<language>/` under a project's root, where the manifests of its plugins look for
//! them.

mod files;

use std::path::{Path, PathBuf};

use crate::{BuildError, CONTRACT, Language, output, place};

/// One file of a library: its path in the library's folder, and its content.
pub(crate) type File = (&'static str, &'static str);

/// Writes a language's library under a project's root, and gives its folder. Files that hold the same already are left
/// alone.
///
/// # Errors
///
/// [`BuildError::Io`] when the folder cannot be written.
pub fn write(language: Language, root: &Path) -> Result<PathBuf, BuildError> {
    let (name, files) = of(language);
    let folder = place::sdk(root).join(name);
    for (file, content) in files {
        let content = if language == Language::Rust { alone(content) } else { (*content).to_owned() };
        output::write_if_changed(&folder.join(file), content.as_bytes())?;
    }
    if language == Language::Rust {
        output::write_if_changed(&folder.join("wit/transform.wit"), CONTRACT.as_bytes())?;
    }
    Ok(folder)
}

/// A file of Rust's library as it stands in a project.
fn alone(text: &str) -> String {
    // Each is replaced where a line begins with it: `version` also ends `rust-version`.
    let replaced = files::ALONE.iter().fold(format!("\n{text}"), |text, (here, there)| {
        if here.starts_with('\n') || here.starts_with("path") {
            return text.replace(here, there);
        }
        text.replace(&format!("\n{here}"), &format!("\n{there}"))
    });
    replaced[1..].to_owned()
}

/// A language's library: its folder's name and its files. TypeScript has JavaScript's.
fn of(language: Language) -> (&'static str, &'static [File]) {
    match language {
        Language::Rust => ("rust", files::RUST),
        Language::Go => ("go", files::GO),
        Language::Python => ("python", files::PYTHON),
        Language::TypeScript | Language::JavaScript => ("javascript", files::JAVASCRIPT),
        Language::C => ("c", files::C),
    }
}

#[cfg(test)]
mod tests {
    use super::{of, write};
    use crate::Language;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn all(folder: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let name = below.join(entry.file_name());
            match entry.path().is_dir() {
                true => all(&entry.path(), &name, found),
                false => drop(found.insert(name)),
            }
        }
    }

    /// Files that are for this repository only: tests, and what tools leave behind.
    fn stays_here(file: &Path) -> bool {
        let text = file.to_string_lossy();
        ["test", "__pycache__", "node_modules", ".mypy_cache", "target"].iter().any(|word| text.contains(word))
            && !text.ends_with("testing.rs")
    }

    #[test]
    fn the_libraries_are_embedded_whole() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk");
        for language in Language::ALL {
            let (name, files) = of(language);
            let mut there = BTreeSet::new();
            all(&sdk.join(name), Path::new(""), &mut there);
            there.retain(|file| !stays_here(file));
            let embedded: BTreeSet<PathBuf> = files.iter().map(|(file, _)| PathBuf::from(file)).collect();
            assert_eq!(embedded, there, "{name}: what is in plugins/sdk/{name} and what is embedded");
        }
    }

    #[test]
    fn a_library_is_written_once() {
        let root = tempfile::tempdir().expect("there is room");
        let folder = write(Language::Rust, root.path()).expect("it can be written");
        assert_eq!(folder, root.path().join(".paddle/sdk/rust"));
        let manifest = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).expect("it was written");
        assert!(!text.contains("workspace"), "it stands alone: {text}");
        let bindings = std::fs::read_to_string(folder.join("src/bindings.rs")).expect("it was written");
        assert!(bindings.contains("path: \"wit\""), "{bindings}");
        let written = |file: &Path| file.metadata().and_then(|file| file.modified()).expect("files have times");
        let before = written(&manifest);
        write(Language::Rust, root.path()).expect("it can be written");
        assert_eq!(written(&manifest), before, "what did not change is left alone");
    }
}
