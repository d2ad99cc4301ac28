//! Paths and patterns of a config, checked before the first event: a malformed one would fail every event instead.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;

/// The longest path, in bytes. The host's bound.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

/// The most parts of a path. The host's bound.
pub(crate) const PATH_PARTS_MAX: usize = 64;

/// A well-formed path, such as `user.email` or `items[0].sku`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Path(String);

/// A well-formed path in which `*` may stand for any name and `[*]` for any index, such as `items[*].sku`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl Pattern {
    /// Whether the pattern has a star, so that it may match several fields.
    pub fn has_star(&self) -> bool {
        check(&self.0, Stars::Refused).is_err()
    }
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check(&text, Stars::Refused)?;
        Ok(Path(text))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check(&text, Stars::Allowed)?;
        Ok(Pattern(text))
    }
}

impl Deref for Path {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for Pattern {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stars {
    Allowed,
    Refused,
}

/// Checks a path against the grammar in `wit/transform.wit`.
fn check(text: &str, stars: Stars) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("the path `{text}` {what}"));
    if text.len() > PATH_BYTES_MAX {
        return Err(format!("a path has {} bytes, more than {PATH_BYTES_MAX}", text.len()));
    }
    if text.is_empty() {
        return wrong("is empty: it would name the whole event");
    }
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            index(rest, stars)
        } else if parts == 0 {
            name(rest, stars)
        } else if let Some(after) = rest.strip_prefix('.') {
            name(after, stars).map(|end| end + 1)
        } else {
            Err("needs a dot between two names")
        };
        match end {
            Ok(end) => rest = &rest[end..],
            Err(what) => return wrong(what),
        }
        parts += 1;
        if parts > PATH_PARTS_MAX {
            return Err(format!("a path has more than {PATH_PARTS_MAX} parts"));
        }
    }
    Ok(())
}

/// The length of the index at the start of a text, brackets included.
fn index(text: &str, stars: Stars) -> Result<usize, &'static str> {
    let end = text.find(']').ok_or("lacks a closing bracket")?;
    match &text[1..end] {
        "*" if stars == Stars::Allowed => Ok(end + 1),
        "*" => Err("has a star, and one field is wanted here"),
        digits if !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(end + 1),
        _ => Err("has something other than a number or a star in brackets"),
    }
}

/// The length of the name at the start of a text, quotes included.
fn name(text: &str, stars: Stars) -> Result<usize, &'static str> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(['.', '[', ']', '"', '\\']).unwrap_or(text.len());
    match &text[..end] {
        "" => Err("has an empty name"),
        "*" if stars == Stars::Refused => Err("has a star, and one field is wanted here"),
        "*" => Ok(end),
        bare if bare.contains('*') => Err("has a star inside a name: a star stands for a whole name, or is in quotes"),
        _ if text[end..].starts_with(['"', ']', '\\']) => {
            Err("has a quote, a bracket or a backslash in a name that is not in quotes")
        }
        _ => Ok(end),
    }
}

/// The length of the name in quotes at the start of a text.
fn quoted(text: &str) -> Result<usize, &'static str> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' | '\\' if escaped => escaped = false,
            _ if escaped => return Err("has an escape other than \\\" and \\\\"),
            '\\' => escaped = true,
            '"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err("lacks a closing quote")
}

#[cfg(test)]
mod tests {
    use super::{Path, Pattern};

    #[test]
    fn paths_and_patterns_of_the_contract_are_accepted() {
        for text in ["a", "user.email", "items[0].sku", "[2]", "[0][1].a", r#"labels."a.b[*]""#, r#""\"\\""#, "ü.ß"] {
            assert!(Path::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["*", "user.*", "items[*].sku", "[*]", "a.*.b"] {
            assert!(Pattern::try_from(text.to_owned()).is_ok(), "{text}");
            assert!(Path::try_from(text.to_owned()).is_err(), "{text} is no path");
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in
            ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[-1]", "a[x]", "a]b", "\"a", "a\"b\"", "us*r", "[0]a", "a\\b"]
        {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(Pattern::try_from("a".repeat(5000)).is_err());
        assert!(Pattern::try_from(vec!["a"; 65].join(".")).is_err());
    }
}
