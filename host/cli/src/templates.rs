//! What `new` and `add` write: a project, and plugins in each language, one of each kind.

use clap::ValueEnum;
use toolchain::Language;

/// What a new plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Drops events by the text of a field
    Filter,
    /// Sets fields
    Enrich,
    /// Makes fields of a text
    Parse,
    /// Makes several events of one
    FanOut,
}

/// A file and its content, in which `{{name}}` is the plugin's or project's name.
pub(crate) type File = (&'static str, &'static str);

macro_rules! template {
    ($($part:literal),+) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $($part),+))
    };
}

/// The four sources of a language, in the order of [`Template`].
macro_rules! sources {
    ($language:literal, $ending:literal) => {
        [
            template!($language, "/filter.", $ending),
            template!($language, "/enrich.", $ending),
            template!($language, "/parse.", $ending),
            template!($language, "/fan-out.", $ending),
        ]
    };
}

/// Records, what is to come of them, and the config.
struct Case {
    input: &'static str,
    expected: &'static str,
    config: &'static str,
}

macro_rules! case {
    ($template:literal) => {
        Case {
            input: template!("cases/", $template, "/input.ndjson"),
            expected: template!("cases/", $template, "/expected.ndjson"),
            config: template!("cases/", $template, "/config.toml"),
        }
    };
}

/// In the order of [`Template`].
static CASES: [Case; 4] = [case!("filter"), case!("enrich"), case!("parse"), case!("fan-out")];

/// A project's own files.
pub(crate) static PROJECT: [File; 5] = [
    ("paddle.toml", template!("project/paddle.toml")),
    ("samples/events.ndjson", template!("project/events.ndjson")),
    (".github/workflows/paddle.yml", template!("project/ci.yml")),
    (".gitignore", template!("project/gitignore")),
    ("README.md", template!("project/README.md")),
];

impl Template {
    /// Its name, which is also that of a project's first plugin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Template::Filter => "filter",
            Template::Enrich => "enrich",
            Template::Parse => "parse",
            Template::FanOut => "fan-out",
        }
    }

    fn case(self) -> &'static Case {
        &CASES[self as usize]
    }

    /// The config that its test is for, as a TOML value.
    pub(crate) fn config(self) -> &'static str {
        self.case().config.trim()
    }

    /// The files of a plugin: source, what its tools and editors need, and a test.
    pub(crate) fn files(self, language: Language) -> Vec<File> {
        let at = self as usize;
        let mut files = match language {
            Language::JavaScript => vec![
                ("plugin.js", sources!("javascript", "js")[at]),
                ("jsconfig.json", template!("javascript/jsconfig.json")),
            ],
            Language::TypeScript => vec![
                ("plugin.ts", sources!("typescript", "ts")[at]),
                ("tsconfig.json", template!("typescript/tsconfig.json")),
            ],
            Language::Python => vec![
                ("plugin.py", sources!("python", "py")[at]),
                ("pyproject.toml", template!("python/pyproject.toml")),
            ],
            Language::Rust => {
                vec![("src/lib.rs", sources!("rust", "rs")[at]), ("Cargo.toml", template!("rust/Cargo.toml"))]
            }
            Language::Go => vec![("plugin.go", sources!("go", "go")[at]), ("go.mod", template!("go/go.mod"))],
            Language::C => {
                vec![("plugin.c", sources!("c", "c")[at]), ("compile_flags.txt", template!("c/compile_flags.txt"))]
            }
        };
        files.push(("tests/first/input.ndjson", self.case().input));
        files.push(("tests/first/expected.ndjson", self.case().expected));
        files
    }
}

/// The language that is typed so.
pub(crate) fn language(typed: &str) -> Result<Language, String> {
    Language::named(typed).ok_or_else(|| format!("there are {}", Language::ALL.map(Language::id).join(", ")))
}

/// The content of a template for a name.
pub(crate) fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
}

#[cfg(test)]
mod tests {
    use super::Template;
    use clap::ValueEnum as _;
    use toolchain::Language;

    #[test]
    fn every_template_is_what_it_is_called_in_every_language() {
        for template in Template::value_variants() {
            let first =
                |text: &str| text.lines().next().unwrap_or_default().trim_matches(['/', '"', '!', ' ', '.']).to_owned();
            let about = first(template.files(Language::Rust)[0].1);
            for language in Language::ALL {
                let files = template.files(language);
                assert_eq!(first(files[0].1), about, "{template:?} in {language:?}");
                assert!(files.iter().all(|(_, text)| text.ends_with('\n')), "{template:?} in {language:?}");
            }
            let table: toml::Table = format!("config = {}", template.config()).parse().expect("TOML");
            assert!(table["config"].is_table());
        }
    }
}
