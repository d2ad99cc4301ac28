//! `paddle add`: a new plugin in a project, with its test and its step.

use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::files;
use crate::project::FILE;
use crate::templates::{Template, fill, language};
use anyhow::Context as _;
use clap::Args;
use pipeline::Pipeline;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use toolchain::{Language, doctor};

/// Where a project's plugins are.
const PLUGINS: &str = "plugins";

/// Add a plugin to the project in this folder: source, a test, and its [[step]] in paddle.toml
///
/// The plugin builds and its test passes as it is. What a language needs besides paddle is told, with the command that
/// brings it; js needs nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle add enrich                               JavaScript, which needs no tools
  paddle add access-log --language go --template parse
  paddle add orders --language py --template fan-out")]
pub(crate) struct Add {
    /// The plugin's name: small letters, digits and `-`
    name: String,
    /// What it is written in: js, ts, py, rust, go or c
    #[arg(short, long, value_name = "LANGUAGE", value_parser = language, default_value = "js")]
    language: Language,
    /// What it does
    #[arg(short, long, value_enum, default_value_t = Template::Enrich)]
    template: Template,
}

impl Add {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let added = add(Path::new("."), &self.name, self.language, self.template)?;
        let missing = doctor::look(&added.folder)
            .into_iter()
            .find(|finding| finding.language == self.language)
            .and_then(|finding| finding.missing);
        let folder = format!("{PLUGINS}/{}", self.name);
        let ui = &mut context.ui;
        if ui.is_json() {
            let missing = missing.as_ref().map(|missing| json!({"what": missing.what, "command": missing.command}));
            ui.json(&json!({"plugin": folder, "files": added.files, "missing": missing}))?;
            return Ok(Status::Done);
        }
        let paint = ui.paint();
        let language = self.language.name();
        ui.line(format!("{} {folder} ({language}), and its step in {FILE}", paint.green("added")))?;
        added.files.iter().try_for_each(|file| ui.line(format!("  {file}")))?;
        if let Some(missing) = missing {
            ui.line(format!("{} is missing; this brings it:\n  {}", missing.what, missing.command))?;
        }
        ui.line(format!("Try it:\n  paddle test {folder}"))?;
        Ok(Status::Done)
    }
}

/// What was written.
pub(crate) struct Added {
    pub(crate) folder: PathBuf,
    /// Files by their paths in the project.
    pub(crate) files: Vec<String>,
}

/// Writes a plugin into a project, and its step behind the others.
pub(crate) fn add(project: &Path, name: &str, language: Language, template: Template) -> Result<Added, Error> {
    check_name(name)?;
    let file = project.join(FILE);
    if !file.is_file() {
        return Err(Error::usage(format!(
            "there is no {FILE} in this folder: go to a project's, or make one with paddle new NAME"
        )));
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {FILE}")).or_usage()?;
    let plugin = format!("./{PLUGINS}/{name}");
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    let step = format!("{gap}[[step]]\nplugin = \"{plugin}\"\nconfig = {}\n", template.config());
    Pipeline::parse(&format!("{text}{step}")).with_context(|| format!("add the step to {FILE}")).or_usage()?;
    let folder = project.join(PLUGINS).join(name);
    if folder.exists() {
        return Err(Error::usage(format!("there is {PLUGINS}/{name} already: choose another name")));
    }
    let mut written = Vec::new();
    for (path, content) in template.files(language) {
        files::write(&folder.join(path), fill(content, name))?;
        written.push(format!("{PLUGINS}/{name}/{path}"));
    }
    toolchain::sdk::write(language, project).or_outside()?;
    // Last, so that a project never names a plugin that is not there; and behind what is there, which a full disk
    // leaves as it is.
    let append = || std::fs::File::options().append(true).open(&file)?.write_all(step.as_bytes());
    append().with_context(|| format!("add the step to {FILE}")).or_outside()?;
    Ok(Added { folder, files: written })
}

/// A name that is good for a folder, a crate, a module and a package alike.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(plain)
        && name.as_bytes()[0].is_ascii_lowercase()
        && !name.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`{name}` is not a valid plugin name: small letters, digits and `-`, a letter first, at most 64"
    )))
}

#[cfg(test)]
mod tests {
    use super::{add, check_name};
    use crate::templates::Template;
    use toolchain::Language;

    #[test]
    fn names_are_good_for_every_language() {
        for (name, good) in [
            ("enrich", true),
            ("access-log2", true),
            ("", false),
            ("Enrich", false),
            ("2nd", false),
            ("a_b", false),
            ("a-", false),
            ("../x", false),
            ("größe", false),
        ] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_step_goes_behind_the_others_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("paddle.toml");
        let add = |name| add(folder.path(), name, Language::C, Template::Filter).map(|added| added.files);
        let error = add("first").expect_err("no project").to_string();
        assert!(error.contains("paddle new NAME"), "{error}");
        std::fs::write(&file, "[routes]\nlate = \"late\"").expect("written");
        let files = add("first").expect("added");
        assert!(files.contains(&"plugins/first/plugin.c".to_owned()), "{files:?}");
        add("second").expect("added");
        let text = std::fs::read_to_string(&file).expect("there");
        let step = |name| format!("[[step]]\nplugin = \"./plugins/{name}\"\nconfig = {}\n", Template::Filter.config());
        assert_eq!(text, format!("[routes]\nlate = \"late\"\n\n{}\n{}", step("first"), step("second")));
        for (name, why) in [("second", "two steps are called `second`"), ("Third", "not a valid plugin name")] {
            let error = add(name).expect_err("refused").to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&file).expect("there"), text, "a refusal writes nothing");
    }
}
