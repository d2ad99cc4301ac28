//! The conformance suite: cases in `tests/conformance/cases` that a plugin in every language must pass through the real
//! engine. What a case is made of is described in `tests/conformance/README.md`.
//!
//! Layout: `guest` (the interpreters, built and loaded), `run` (a case carried out and compared).

mod guest;
mod run;

pub use guest::{Guest, build, plain_rust, python_runtime, ready_made};
pub use run::{NOW_MS, run};

use crate::project::root;
use serde::Deserialize;
use std::collections::BTreeMap;
use toolchain::Language;

/// The six, in the order of the table.
pub const LANGUAGES: [Language; 6] =
    [Language::Rust, Language::C, Language::Go, Language::JavaScript, Language::TypeScript, Language::Python];

/// One case: a program, and events with what must come of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its file's name.
    #[serde(skip)]
    pub name: String,
    /// What it shows, in a few words.
    pub about: String,
    /// What the guest does with each event, a word and its arguments a line.
    pub program: String,
    /// Settings of the step, as in paddle.toml.
    #[serde(default)]
    pub step: String,
    /// Whether the program draws a random number, and nothing else: the same event must meet the same, another event
    /// another.
    #[serde(default)]
    pub chance: bool,
    /// How the refusal of the config begins, when the guest must not start.
    pub refused: Option<String>,
    /// Languages that cannot do this, and why.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
    /// The events, in order: they meet the same instance.
    #[serde(default)]
    pub event: Vec<Expected>,
    /// What differs in a language: all of `refused`, or of an event by its number from 0.
    #[serde(default)]
    pub but: BTreeMap<String, But>,
}

/// One event and what must come of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its text.
    pub text: Option<String>,
    /// Its bytes, in base64.
    pub base64: Option<String>,
    /// A text that is too long to be written out: `deep N`, `long N`, `wide N`.
    pub make: Option<String>,
    /// How often the event comes; each time the same must come of it.
    pub times: Option<usize>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What must come of an event. None of the first two: the event is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Outcome {
    /// The documents, byte for byte, without the id that the host puts in. `audit: ` before one is its route; `$event`
    /// is the text that came, `$json` the same as it stands in a JSON string, `$n` how many events the instance has
    /// seen.
    #[serde(default)]
    pub out: Vec<String>,
    /// The kind of the failure and its message; only how it begins, when it ends with `…`.
    pub fails: Option<String>,
    /// The lines of the log, each after its level; looked at when there are any.
    pub log: Option<Vec<String>>,
}

/// What differs in a language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct But {
    pub why: String,
    pub refused: Option<String>,
    #[serde(default)]
    pub event: BTreeMap<String, Outcome>,
}

/// All cases, by name.
pub fn cases() -> Vec<Case> {
    let folder = root().join("tests/conformance/cases");
    let mut cases: Vec<Case> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text");
            let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Case { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), ..case }
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

impl Case {
    /// Why a guest cannot do this, if it cannot.
    pub fn lacking(&self, guest: &Guest) -> Option<&str> {
        let systemless = guest.systemless.then(|| self.lacks.get(SYSTEMLESS)).flatten();
        by_language(&self.lacks, guest.language).or(systemless).map(String::as_str)
    }

    /// What differs in a language.
    pub fn but(&self, language: Language) -> Option<&But> {
        by_language(&self.but, language)
    }
}

/// What stands under `[lacks]` for a target without a system.
const SYSTEMLESS: &str = "systemless";

/// What a language has of its own. TypeScript runs as JavaScript does.
fn by_language<T>(all: &BTreeMap<String, T>, language: Language) -> Option<&T> {
    match language {
        Language::TypeScript => all.get(Language::JavaScript.id()),
        language => all.get(language.id()),
    }
}
