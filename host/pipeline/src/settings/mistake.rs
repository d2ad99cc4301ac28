//! How a mistake in `paddle.toml` is told: its line, the text with a mark under it, and one sentence in plain words.
//!
//! What the toml crate finds and what we find looks alike. The crate's words for types (`u64`, `map`, `sequence`)
//! become those of people who write settings.

use super::SettingsError;
use std::fmt::Write as _;
use std::ops::Range;

/// Characters of a line that are shown on either side of the mark: a config may be one long line.
const SHOWN_MAX: usize = 100;

/// One mistake and where it is, in bytes of the text.
#[derive(Debug)]
pub(super) struct Mistake {
    span: Option<Range<usize>>,
    message: String,
}

impl Mistake {
    /// A mistake in a part of the text.
    pub(super) fn at(span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake { span: Some(span), message: message.into() }
    }

    /// The mistake with the line it is in.
    pub(super) fn told(self, text: &str) -> SettingsError {
        let place = self.span.and_then(|span| place(text, span));
        SettingsError { message: place.unwrap_or_default() + &self.message }
    }

    /// What the toml crate says of a text.
    pub(super) fn of_toml(error: &toml::de::Error, text: &str) -> Mistake {
        let span = error.span();
        let found = span.clone().and_then(|span| text.get(span)).unwrap_or_default();
        Mistake { span, message: plain(error.message().trim_end(), found) }
    }
}

/// The line of a span with a mark under the span, as the toml crate draws it.
fn place(text: &str, span: Range<usize>) -> Option<String> {
    let before = text.get(..span.start)?;
    let number = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let column = text[start..span.start].chars().count();
    let marked = text.get(span).map_or(1, |marked| marked.lines().next().unwrap_or_default().chars().count());
    let from = column.saturating_sub(SHOWN_MAX);
    let shown: String = line.chars().skip(from).take(2 * SHOWN_MAX).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let marked = marked.min((from + 2 * SHOWN_MAX).saturating_sub(column)).max(1);
    let margin = " ".repeat(number.to_string().len());
    let mut place = format!("line {number}, column {}\n{margin} |\n{number} | {shown}\n{margin} | ", column + 1);
    writeln!(place, "{}{}", " ".repeat(column - from), "^".repeat(marked)).ok()?;
    Some(place)
}

/// serde's words for a wrong type or value in plain ones; any other message as it is.
fn plain(message: &str, found: &str) -> String {
    if message == "wanted string or table" {
        return "a text in quotes is expected".to_owned();
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((unexpected, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    format!("{} is expected, not {}", wanted(expected), given(unexpected, found))
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a string" | "string" | "string or table" => "a text in quotes",
        "u64" | "u32" | "u16" | "usize" => "a whole number, 0 or more",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

fn given(unexpected: &str, found: &str) -> String {
    // A date comes as a map of the toml crate's own.
    if unexpected == "map" && found.starts_with(|c: char| c.is_ascii_digit()) {
        return "a date or time".to_owned();
    }
    let of = |kind: &str, word: &str| Some(format!("{word} {}", unexpected.strip_prefix(kind)?.trim()));
    match unexpected {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        unexpected => of("integer ", "the number")
            .or_else(|| of("floating point ", "the number"))
            .or_else(|| of("boolean ", ""))
            .or_else(|| of("string ", "the text"))
            .map_or_else(|| unexpected.to_owned(), |given| given.trim_start().to_owned()),
    }
}
