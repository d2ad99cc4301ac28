//! A script for a ready-made runtime: its main file, and what it may import.
//!
//! There is no parser here. In JavaScript a module is taken along when any text in quotes names it, wherever that
//! stands, in Python when any line begins like an import of it: one too many does no harm, one too few would be missed
//! when the script runs.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::{BuildError, Language, output, python, tool};

/// What the main script is called in [`Script::files`].
pub const MAIN: &str = "script";

/// What the archive of a script's packages is called in [`Script::files`]. Python's runtime looks for it under this
/// name.
pub const PACKAGES: &str = "packages";

/// The most modules that a script may consist of: a step has as many files (`ASSETS_MAX` of `pipeline`; a test holds
/// them together).
pub const MODULES_MAX: usize = 256;

/// A script: its files by the names under which the runtime is handed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Whose runtime it is for: JavaScript's or Python's.
    pub language: Language,
    /// The main script as [`MAIN`], other modules by their path from its folder, with `/` between the parts.
    pub files: BTreeMap<String, PathBuf>,
}

impl Script {
    /// The bytes of all files together, and a digest of their names and contents.
    pub(crate) fn weigh(&self) -> Result<(u64, String), BuildError> {
        let (mut size, mut all) = (0, Vec::new());
        for (name, file) in &self.files {
            let bytes = output::read(file)?;
            size += bytes.len() as u64;
            // Lengths go before contents, so that no two scripts look alike.
            all.extend_from_slice(format!("{} {} ", name.len(), bytes.len()).as_bytes());
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(&bytes);
        }
        Ok((size, output::digest(&all)))
    }
}

/// The script that begins with a file: that file, and every module in its folder that it may import, directly or not.
///
/// # Errors
///
/// [`BuildError::Io`] when a file cannot be read, [`BuildError::TooManyModules`].
pub fn script(path: &Path) -> Result<Script, BuildError> {
    let main = path.canonicalize().map_err(BuildError::io(format!("read {}", path.display())))?;
    let folder = main.parent().unwrap_or(Path::new("/")).to_owned();
    let language = match main.extension() {
        Some(ending) if ending == "py" => Language::Python,
        _ => Language::JavaScript,
    };
    let mut script = Script { language, files: BTreeMap::from([(MAIN.to_owned(), main.clone())]) };
    let mut unread = vec![main.clone()];
    while let Some(file) = unread.pop() {
        let text = tool::read_text(&file)?;
        let modules: Vec<PathBuf> = match language {
            Language::Python => python::imported(&text, &file, &folder),
            _ => relative_texts(&text).iter().filter_map(|specifier| module(&file, specifier)).collect(),
        };
        for module in modules {
            let Ok(inside) = module.strip_prefix(&folder) else { continue };
            if module == main {
                continue;
            }
            let name = module_name(inside);
            let is_code = module.extension().is_some_and(|ending| ending != "json");
            if script.files.insert(name, module.clone()).is_none() && is_code {
                unread.push(module);
            }
        }
        if script.files.len() > MODULES_MAX {
            return Err(BuildError::TooManyModules { script: path.to_owned() });
        }
    }
    Ok(script)
}

/// What a module is called in [`Script::files`], by its path from the main script's folder.
pub(crate) fn module_name(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The module that a file names so, if there is one.
fn module(from: &Path, specifier: &str) -> Option<PathBuf> {
    let ending = Path::new(specifier).extension()?.to_str()?;
    if !["js", "mjs", "json"].contains(&ending) {
        return None;
    }
    let mut path = from.parent()?.to_owned();
    for part in Path::new(specifier).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.is_file().then_some(path)
}

/// Every text in quotes that begins with `./` or `../`, its escapes resolved.
fn relative_texts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, quote) in text.char_indices().filter(|(_, char)| matches!(char, '"' | '\'' | '`')) {
        let rest = &text[at + quote.len_utf8()..];
        // Any character may be written as an escape, so a text may also begin with one.
        if !rest.starts_with(['.', '\\']) {
            continue;
        }
        if let Some(text) = quoted(rest, quote).filter(|text| text.starts_with("./") || text.starts_with("../")) {
            found.push(text);
        }
    }
    found
}

/// A text up to its closing quote; none when the line ends before.
fn quoted(text: &str, quote: char) -> Option<String> {
    let mut chars = text.chars();
    let mut value = String::new();
    loop {
        match chars.next()? {
            char if char == quote => return Some(value),
            '\n' => return None,
            '\\' => value.push(escaped(&mut chars)?),
            char => value.push(char),
        }
    }
}

/// What stands behind a backslash. None for what no file's name has.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'x' => chars.by_ref().take(2).collect::<String>(),
        'u' if chars.as_str().starts_with('{') => {
            chars.next();
            chars.by_ref().take_while(|char| *char != '}').collect()
        }
        'u' => chars.by_ref().take(4).collect(),
        other => return Some(other),
    };
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::{MODULES_MAX, script};
    use crate::BuildError;
    use std::fs;

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("there is room");
        let plugin = folder.path().join("plugin");
        fs::write(folder.path().join("outside.js"), "").expect("it can be written");
        for (name, text) in files {
            let file = plugin.join(name);
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
            fs::write(file, text).expect("it can be written");
        }
        let script = script(&plugin.join(files[0].0)).expect("all of it can be read");
        script.files.into_keys().collect()
    }

    #[test]
    fn a_script_comes_with_all_that_it_may_import() {
        let main = "import a from './lib/a.js';\nconst late = () => import(`./late.mjs`);\nexport * from \"./t\\u0061ble.json\"";
        let found = names(&[
            ("enrich.js", main),
            ("lib/a.js", "import '../b.js'; import '../enrich.js'; import './a.js'"),
            ("b.js", "import '../outside.js'; import 'paddlewheel'; import './missing.js'"),
            ("late.mjs", "// it's a comment: './lib/commented.js'"),
            ("lib/commented.js", ""),
            ("lib/out.js", ""),
            ("table.json", "{\"file\":\"./never.js\"}"),
            ("never.js", ""),
            ("lone.js", ""),
        ]);
        assert_eq!(found, ["b.js", "late.mjs", "lib/a.js", "lib/commented.js", "script", "table.json"]);
    }

    #[test]
    fn a_script_in_python_comes_with_the_modules_that_it_imports() {
        let main = "import json, rates as r  # and more\nfrom shop.prices import (\n    price,\n)\ntry: import late; import a.b.c\n\
            except ImportError: pass\nimport enrich\nfrom .. import outside\nimport /etc/x";
        let found = names(&[
            ("enrich.py", main),
            ("rates.py", "from . import beside"),
            ("beside.py", ""),
            ("shop/__init__.py", ""),
            ("shop/prices.py", "from .units import euro\nfrom .deep import *\nfrom ..late import x"),
            ("shop/units.py", ""),
            ("shop/deep/one.py", ""),
            ("shop/lone.py", ""),
            ("late.py", ""),
            ("a/__init__.py", ""),
            ("a/b/c.py", ""),
            ("other/lone.py", ""),
        ]);
        let expected = [
            "a/__init__.py",
            "a/b/c.py",
            "beside.py",
            "late.py",
            "rates.py",
            "script",
            "shop/__init__.py",
            "shop/deep/one.py",
            "shop/prices.py",
            "shop/units.py",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_has_no_end_or_names_no_file_is_no_import() {
        assert_eq!(
            names(&[("a.js", "'./b.js\n', `./${b}.js`, './b', '/etc/x.js', '\\u{110000}', \"./\\xz.js\"")]),
            ["script"]
        );
    }

    #[test]
    fn a_script_has_as_many_files_as_a_step() {
        let all: Vec<String> = (0..MODULES_MAX).map(|number| format!("m{number}.js")).collect();
        let next = |number: usize| format!("import \"./m{}.js\"", number + 1);
        let texts: Vec<String> = (0..MODULES_MAX).map(next).collect();
        let files: Vec<(&str, &str)> =
            all.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(names(&files).len(), MODULES_MAX);
        let folder = tempfile::tempdir().expect("there is room");
        for (name, text) in files.iter().chain([&("m256.js", "")]) {
            fs::write(folder.path().join(name), text).expect("it can be written");
        }
        let error = script(&folder.path().join("m0.js")).expect_err("one too many");
        assert!(matches!(error, BuildError::TooManyModules { .. }), "{error}");
    }

    #[test]
    fn a_script_that_is_not_there_is_named() {
        let error = script("no/such.js".as_ref()).expect_err("there is none");
        assert_eq!(error.to_string(), "failed to read no/such.js");
    }
}
