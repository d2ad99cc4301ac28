//! What there is to build plugins with: every language at a glance.

use std::path::{Path, PathBuf};

use crate::{BuildError, Language, c, go, javascript, place, python, rust, tool};

/// A language, and whether plugins in it can be built from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The language.
    pub language: Language,
    /// The tools that were found.
    pub found: Vec<Found>,
    /// What is missing, if something is.
    pub missing: Option<Missing>,
}

/// A tool that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself, in a line.
    pub version: String,
    /// Where it is.
    pub place: PathBuf,
}

/// Something that has to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// The one command that installs it.
    pub command: String,
}

/// Looks for the tools of every language as a build in this folder would find them.
pub fn look(folder: &Path) -> Vec<Finding> {
    let folder = place::full(folder).unwrap_or_else(|_| folder.to_owned());
    Language::ALL.into_iter().map(|language| look_for(language, &folder)).collect()
}

fn look_for(language: Language, folder: &Path) -> Finding {
    let (found, missing) = match language {
        Language::Rust => for_rust(folder),
        Language::Go => for_go(),
        // What is missing for a plugin that names packages is told when it is built.
        Language::Python => (for_python(folder), None),
        Language::TypeScript => for_typescript(folder),
        Language::JavaScript => (Vec::new(), None),
        Language::C => for_c(folder),
    };
    Finding { language, found, missing }
}

type Looked = (Vec<Found>, Option<Missing>);

fn missing(what: &str, command: &str) -> Option<Missing> {
    Some(Missing { what: what.to_owned(), command: command.to_owned() })
}

/// What a build would say is missing.
fn told(error: BuildError) -> Option<Missing> {
    match error {
        BuildError::Missing { what, command } => Some(Missing { what, command }),
        BuildError::MissingTarget { target, command } => {
            Some(Missing { what: format!("the compiler's target {target}"), command })
        }
        other => Some(Missing { what: other.to_string(), command: rust::INSTALL.to_owned() }),
    }
}

fn found(place: &Path, version: Option<String>) -> Vec<Found> {
    let version = version.unwrap_or_else(|| "does not say which".to_owned());
    vec![Found { version, place: place.to_owned() }]
}

fn for_rust(folder: &Path) -> Looked {
    let Some(cargo) = tool::on_path("cargo") else { return (Vec::new(), missing("Rust", rust::INSTALL)) };
    let version = tool::ask(&cargo, &["--version"]);
    (found(&cargo, version), rust::check(folder).err().and_then(told))
}

fn for_go() -> Looked {
    let Some(go) = tool::on_path("go") else { return (Vec::new(), missing(go::WANTED, go::INSTALL)) };
    let version = tool::ask(&go, &["version"]);
    (found(&go, version), None)
}

/// What a plugin that names packages has them installed by; others need nothing.
fn for_python(folder: &Path) -> Vec<Found> {
    let own = python::environment(folder).map(|environment| environment.join("bin/python"));
    let python = own.filter(|python| tool::is_program(python)).or_else(|| tool::on_path("python3"));
    let version = |python: &Path| tool::ask(python, &["--version"]).map(|version| format!("{version}, for packages"));
    python.map(|python| found(&python, version(&python))).unwrap_or_default()
}

fn for_typescript(folder: &Path) -> Looked {
    match javascript::esbuild(folder) {
        Some(esbuild) => {
            let version = tool::ask(&esbuild, &["--version"]).map(|version| format!("esbuild {version}"));
            (found(&esbuild, version), None)
        }
        None => (Vec::new(), missing(javascript::WANTED, javascript::INSTALL)),
    }
}

fn for_c(folder: &Path) -> Looked {
    match c::compiler(folder) {
        Ok(compiler) => {
            let place = match &compiler {
                c::Compiler::Clang { program, .. } | c::Compiler::Zig { program, .. } => program.clone(),
            };
            (found(&place, c::version(&compiler)), None)
        }
        Err(error) => (Vec::new(), told(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::look;
    use crate::Language;

    #[test]
    fn every_language_is_looked_at_and_javascript_needs_nothing() {
        let findings = look(".".as_ref());
        assert_eq!(findings.iter().map(|it| it.language).collect::<Vec<_>>(), Language::ALL);
        let javascript = findings.iter().find(|it| it.language == Language::JavaScript).expect("it is among them");
        assert!(javascript.found.is_empty() && javascript.missing.is_none());
        // These tests were compiled by it.
        let rust = findings.iter().find(|it| it.language == Language::Rust).expect("it is among them");
        assert!(rust.found[0].version.starts_with("cargo "), "{rust:?}");
    }
}
