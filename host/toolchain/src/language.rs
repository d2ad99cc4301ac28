//! Which language a plugin's folder is in.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::BuildError;

/// A language that plugins can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Rust: a folder with a `Cargo.toml` whose library is a `cdylib`.
    Rust,
    /// Go: a module, so a folder with a `go.mod`.
    Go,
    /// Python: a folder with a `plugin.py`.
    Python,
    /// TypeScript: a folder with a `plugin.ts`, or with a `package.json` whose `main` is a `.ts` file.
    TypeScript,
    /// JavaScript: a folder with a `plugin.js`, or with a `package.json` that has another `main`.
    JavaScript,
    /// C: a folder with a `plugin.c`; every `.c` file in it belongs to the plugin.
    C,
}

/// What gives a JavaScript folder another main file than `plugin.js`.
const PACKAGE: &str = "package.json";

/// The part of a `package.json` that says where a program begins.
#[derive(Deserialize)]
struct Package {
    main: Option<String>,
}

impl Language {
    /// Every language there is, in the order in which a folder is looked at.
    pub const ALL: [Language; 6] =
        [Language::Rust, Language::Go, Language::Python, Language::TypeScript, Language::JavaScript, Language::C];

    /// The language's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Go => "Go",
            Language::Python => "Python",
            Language::TypeScript => "TypeScript",
            Language::JavaScript => "JavaScript",
            Language::C => "C",
        }
    }

    /// The language's name as it is typed and as folders are called.
    pub fn id(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Go => "go",
            Language::Python => "python",
            Language::TypeScript => "typescript",
            Language::JavaScript => "javascript",
            Language::C => "c",
        }
    }

    /// The language that is typed so: by its name, or by the usual ending of its files.
    pub fn named(name: &str) -> Option<Language> {
        let short = |language: Language| match language {
            Language::Rust => "rs",
            Language::Go => "golang",
            Language::Python => "py",
            Language::TypeScript => "ts",
            Language::JavaScript => "js",
            Language::C => "c",
        };
        let name = name.to_ascii_lowercase();
        Language::ALL.into_iter().find(|language| name == language.id() || name == short(*language))
    }

    /// The file that marks a folder as a plugin in this language.
    pub fn marker(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::Go => "go.mod",
            Language::Python => "plugin.py",
            Language::TypeScript => "plugin.ts",
            Language::JavaScript => "plugin.js",
            Language::C => "plugin.c",
        }
    }

    /// The language of the plugin in a folder.
    ///
    /// # Errors
    ///
    /// [`BuildError::Unsupported`], which lists the languages there are, when no marker file is found;
    /// [`BuildError::NotAPlugin`] when there are those of two languages.
    pub fn of(folder: &Path) -> Result<Language, BuildError> {
        let there: Vec<Language> =
            Language::ALL.into_iter().filter(|language| folder.join(language.marker()).is_file()).collect();
        match there.as_slice() {
            [] => match package_main(folder)? {
                Some(main) if is_typescript(&main) => Ok(Language::TypeScript),
                Some(_) => Ok(Language::JavaScript),
                None => Err(BuildError::Unsupported { folder: folder.to_owned() }),
            },
            [language] => Ok(*language),
            [first, second, ..] => Err(BuildError::NotAPlugin {
                folder: folder.to_owned(),
                reason: format!(
                    "it has {} ({}) and {} ({}); a plugin is in one language, so one of them must go",
                    first.marker(),
                    first.name(),
                    second.marker(),
                    second.name()
                ),
            }),
        }
    }
}

/// The file that a TypeScript or JavaScript plugin begins with: its marker, or what its `package.json` says.
pub(crate) fn main_file(folder: &Path, language: Language) -> Result<PathBuf, BuildError> {
    let usual = folder.join(language.marker());
    if usual.is_file() {
        return Ok(usual);
    }
    let main = package_main(folder)?.ok_or_else(|| BuildError::Unsupported { folder: folder.to_owned() })?;
    let file = folder.join(&main);
    if file.is_file() {
        return Ok(file);
    }
    let reason = format!("its {PACKAGE} says that `{main}` is its main file, and there is no such file");
    Err(BuildError::NotAPlugin { folder: folder.to_owned(), reason })
}

/// The main file that a `package.json` names; none without one.
fn package_main(folder: &Path) -> Result<Option<String>, BuildError> {
    let file = folder.join(PACKAGE);
    let Ok(bytes) = std::fs::read(&file) else { return Ok(None) };
    let package: Package = serde_json::from_slice(&bytes).map_err(|error| BuildError::NotAPlugin {
        folder: folder.to_owned(),
        reason: format!("its {PACKAGE} cannot be read: {error}"),
    })?;
    Ok(package.main)
}

fn is_typescript(file: &str) -> bool {
    [".ts", ".mts", ".cts", ".tsx"].iter().any(|ending| file.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{Language, main_file};

    /// A folder with these files in it: a name and a content each.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("there is room");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("it can be written");
        }
        folder
    }

    #[test]
    fn a_folder_is_known_by_its_file() {
        for language in Language::ALL {
            let folder = folder(&[(language.marker(), "")]);
            assert_eq!(Language::of(folder.path()).expect("it has its file"), language);
            assert_eq!(Language::named(language.id()), Some(language));
        }
        let main = folder(&[("package.json", r#"{"main":"enrich.mjs"}"#), ("enrich.mjs", "")]);
        assert_eq!(Language::of(main.path()).expect("it has a main file"), Language::JavaScript);
        assert!(main_file(main.path(), Language::JavaScript).expect("it is there").ends_with("enrich.mjs"));
        let main = folder(&[("package.json", r#"{"main":"enrich.ts"}"#)]);
        assert_eq!(Language::of(main.path()).expect("it has a main file"), Language::TypeScript);
        let error = main_file(main.path(), Language::TypeScript).expect_err("it names a file that is not there");
        assert!(error.to_string().ends_with("`enrich.ts` is its main file, and there is no such file"), "{error}");
    }

    #[test]
    fn a_folder_of_no_language_or_of_two_is_refused_in_words() {
        let none = folder(&[("main.rb", "")]);
        let told = Language::of(none.path()).expect_err("there is no Ruby").to_string();
        let expected = " is not a plugin: it needs one of these files: Cargo.toml (Rust), go.mod (Go), plugin.py (Python), \
             plugin.ts (TypeScript), plugin.js (JavaScript), plugin.c (C)";
        assert_eq!(told, format!("{}{expected}", none.path().display()));

        let two = folder(&[("go.mod", ""), ("plugin.py", "")]);
        let told = Language::of(two.path()).expect_err("it is two").to_string();
        let expected = " is not a plugin: it has go.mod (Go) and plugin.py (Python); a plugin is in one language, so one of them must go";
        assert_eq!(told, format!("{}{expected}", two.path().display()));

        let broken = folder(&[("package.json", "{")]);
        let told = Language::of(broken.path()).expect_err("it is no JSON").to_string();
        assert!(told.contains("its package.json cannot be read: "), "{told}");
    }
}
