//! Hashes of named fields: each value once, with its own hash, however many names or spellings lead to it.
//!
//! A path of the contract means every spelling of a name at once (`{"user.email":…,"user":{"email":…}}`). Two values cannot be
//! told apart by it, so where spellings meet the document is rewritten as text.

use std::collections::BTreeSet;
use std::ops::Range;

use hmac::{Hmac, Mac};
use paddlewheel::prelude::*;
use sha2::Sha256;

use crate::spans;

/// Hashes every value that the fields name; `null` stays, for its hash would be known. Gives whether there was any.
pub(crate) fn hash_all(event: &impl Fields, fields: &[Pattern], keyed: &Hmac<Sha256>) -> Result<bool, Failure> {
    let mut paths = BTreeSet::new();
    let mut meet = false;
    for field in fields {
        let found = event.expand(field);
        let count = found.len();
        let distinct: BTreeSet<String> = found.into_iter().collect();
        // One path for two values: they differ in the dots behind a name.
        meet |= distinct.len() < count;
        paths.extend(distinct);
    }
    if meet || spellings_meet(&paths) {
        rewrite(event, &paths, keyed)?;
        return Ok(true);
    }
    for path in outermost(&paths) {
        let Some(text) = event.get(path).and_then(text_of) else { continue };
        event
            .set_text(path, &hash(keyed, &text))
            .map_err(|reason| Failure::Reject(format!("{path} cannot be hashed: {reason}")))?;
    }
    Ok(!paths.is_empty())
}

/// What is hashed of a value: numbers in one spelling, the rest as it is. None of `null`.
fn text_of(value: Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(text) | Value::Json(text) => text,
    })
}

/// The paths that do not lead into a value at another of them, which is hashed whole.
fn outermost(paths: &BTreeSet<String>) -> Vec<&String> {
    let leads_into = |path: &str, outer: &str| {
        path.strip_prefix(outer).is_some_and(|rest| outer.is_empty() || rest.starts_with(['.', '[']))
    };
    let mut outermost: Vec<&String> = Vec::new();
    // What begins with a path stands behind it, and nothing between them but what begins with it too.
    let mut around: Vec<&String> = Vec::new();
    for path in paths {
        while around.last().is_some_and(|outer| !path.starts_with(outer.as_str())) {
            around.pop();
        }
        if !around.last().is_some_and(|outer| leads_into(path, outer)) {
            around.push(path);
            outermost.push(path);
        }
    }
    outermost
}

/// Whether one path is another spelling of a second, or of what it lies in: then setting one changes the other. Keys in quotes
/// have dots, most likely, and without any there is one spelling of each name.
fn spellings_meet(paths: &BTreeSet<String>) -> bool {
    if paths.len() < 2 || !paths.iter().any(|path| path.contains('"')) {
        return false;
    }
    let mut names: Vec<Vec<String>> = paths.iter().map(|path| name_of(path)).collect();
    names.sort();
    // What begins with a name stands right behind it.
    names.windows(2).any(|pair| pair[1].starts_with(&pair[0]))
}

/// The parts of a path, as they are for every spelling: quotes resolved, keys split at their dots. An index is a part of its own.
fn name_of(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut characters = path.chars().peekable();
    while let Some(first) = characters.next() {
        match first {
            '.' => {}
            '[' => parts.push(format!("[{}", characters.by_ref().take_while(|c| *c != ']').collect::<String>())),
            '"' => {
                let mut key = String::new();
                while let Some(c) = characters.next().filter(|c| *c != '"') {
                    key.extend(if c == '\\' { characters.next() } else { Some(c) });
                }
                parts.extend(key.trim_end_matches('.').split('.').map(|part| format!(".{part}")));
            }
            first => {
                let mut part = format!(".{first}");
                while let Some(c) = characters.next_if(|c| !matches!(c, '.' | '[')) {
                    part.push(c);
                }
                parts.push(part);
            }
        }
    }
    parts
}

/// Puts hashes in place of the values at these paths, each spelling for itself.
fn rewrite(event: &impl Fields, paths: &BTreeSet<String>, keyed: &Hmac<Sha256>) -> Result<(), Failure> {
    let lost = || Failure::Reject("two spellings of a field cannot be hashed apart".to_owned());
    let json = event.json().ok_or_else(lost)?;
    let hashed = |span: Range<usize>| {
        let text = spans::value(&json[span.clone()]).and_then(text_of)?;
        Some((span, hash(keyed, &text)))
    };
    let hashed: Vec<_> = spans::find(&json, paths).into_iter().filter_map(hashed).collect();
    event.set("", &Value::Json(spans::replace(&json, &hashed))).map_err(|_| lost())
}

/// HMAC-SHA256 in hexadecimal.
fn hash(keyed: &Hmac<Sha256>, text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut mac = keyed.clone();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::{name_of, outermost, spellings_meet};
    use std::collections::BTreeSet;

    #[test]
    fn every_spelling_has_one_name() {
        for (path, name) in [
            ("user.email", &[".user", ".email"][..]),
            ("\"user.email\"", &[".user", ".email"]),
            ("user.\"email.\"", &[".user", ".email"]),
            ("items[12].sku", &[".items", "[12", ".sku"]),
            ("\"a[0]\"", &[".a[0]"]),
            ("\"a\\\"b\\\\\"[3]", &[".a\"b\\", "[3"]),
            ("", &[]),
        ] {
            assert_eq!(name_of(path), name, "{path}");
        }
    }

    #[test]
    fn spellings_that_meet_are_noticed() {
        let of = |paths: &[&str]| spellings_meet(&paths.iter().map(|&path| path.to_owned()).collect());
        assert!(!of(&["user", "user.email"]));
        assert!(of(&["user.email", "\"user.email\""]) && of(&["user", "z", "\"user.email\""]));
        assert!(!of(&["user.email", "user.emails", "user[0].email", "user[1].email", "\"user[0]\""]));
        assert!(!of(&[]) && !of(&["a"]));
    }

    #[test]
    fn what_lies_in_another_value_is_hashed_with_it() {
        let of = |paths: &[&str]| -> Vec<String> {
            let paths: BTreeSet<String> = paths.iter().map(|&path| path.to_owned()).collect();
            outermost(&paths).into_iter().cloned().collect()
        };
        assert_eq!(of(&["a", "a-b", "a.b", "a-b.c", "a[0].b", "ab"]), ["a", "a-b", "ab"]);
        assert_eq!(of(&["", "a", "[0]"]), [""]);
        assert_eq!(of(&["a.b", "a.c", "a.b.c", "a.b[1]", "a.bc"]), ["a.b", "a.bc", "a.c"]);
        assert!(of(&[]).is_empty());
    }
}
