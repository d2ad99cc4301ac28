//! Finds the strings of a JSON text, with their paths. No tree is built: the text is read once, from left to right.
//!
//! The text comes from the host and is valid. Were it not, this would find other strings, and never panic.

use std::borrow::Cow;
use std::ops::Range;

/// Where the reader is: in an object, after this name (as written, with its escapes), or in an array, at this index.
enum Level<'a> {
    Object(&'a str),
    Array(usize),
}

/// What is done with a string that is a value: a function that gives its path, the string itself, unescaped, and where it is
/// written, its quotes among it.
pub(crate) type Visit<'a> = dyn FnMut(&dyn Fn() -> String, &str, Range<usize>) + 'a;

/// Calls `visit` with each string that is a value. Paths begin with `root`, the place of the whole text.
pub(crate) fn visit(json: &str, root: &str, visit: &mut Visit<'_>) {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut name_next = false;
    let mut at = 0;
    while let Some(byte) = json.as_bytes().get(at) {
        at += 1;
        match byte {
            b'{' => {
                levels.push(Level::Object(""));
                name_next = true;
            }
            b'[' => {
                levels.push(Level::Array(0));
                name_next = false;
            }
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object(_)) => name_next = true,
                None => {}
            },
            b'"' => {
                let written = string_at(json, at);
                let place = at - 1..at + written.len() + 1;
                at = place.end;
                match levels.last_mut() {
                    Some(Level::Object(name)) if name_next => {
                        *name = written;
                        name_next = false;
                    }
                    _ => visit(&|| path(root, &levels), &unescaped(written), place),
                }
            }
            _ => {}
        }
    }
}

/// The string that begins here, as written, up to its closing quote.
pub(crate) fn string_at(json: &str, start: usize) -> &str {
    let bytes = json.as_bytes();
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    json.get(start..end.min(json.len())).unwrap_or_default()
}

fn path(root: &str, levels: &[Level<'_>]) -> String {
    let mut path = root.to_owned();
    for level in levels {
        match level {
            Level::Array(index) => path.push_str(&format!("[{index}]")),
            Level::Object(written) => {
                if !path.is_empty() {
                    path.push('.');
                }
                push_name(&mut path, &unescaped(written));
            }
        }
    }
    path
}

/// Appends a name as a path writes it. Trailing dots are no part of a name.
pub(crate) fn push_name(path: &mut String, name: &str) {
    push_key(path, name.trim_end_matches('.'));
}

/// Appends a key as the host writes it in a path.
fn push_key(path: &mut String, name: &str) {
    let bare = !name.is_empty() && !name.contains(['.', '[', ']', '"', '*', '\\']);
    if bare {
        path.push_str(name);
        return;
    }
    path.push('"');
    for character in name.chars() {
        if matches!(character, '"' | '\\') {
            path.push('\\');
        }
        path.push(character);
    }
    path.push('"');
}

/// A string without its escapes. Half of a surrogate pair becomes U+FFFD: it is no part of anything looked for.
pub(crate) fn unescaped(written: &str) -> Cow<'_, str> {
    let Some(first) = written.find('\\') else { return Cow::Borrowed(written) };
    let mut units = String::with_capacity(written.len());
    units.push_str(&written[..first]);
    let mut rest = &written[first..];
    while let Some(escape) = rest.find('\\') {
        units.push_str(&rest[..escape]);
        let (character, length) = escape_at(&rest[escape..]);
        units.push(character);
        rest = rest.get(escape + length..).unwrap_or_default();
    }
    units.push_str(rest);
    Cow::Owned(units)
}

/// The character that an escape stands for, and the escape's length.
fn escape_at(text: &str) -> (char, usize) {
    let simple = match text.as_bytes().get(1) {
        Some(b'u') => None,
        Some(b'n') => Some('\n'),
        Some(b't') => Some('\t'),
        Some(b'r') => Some('\r'),
        Some(b'b') => Some('\u{8}'),
        Some(b'f') => Some('\u{c}'),
        Some(other) if other.is_ascii() => Some(char::from(*other)),
        Some(_) | None => return (char::REPLACEMENT_CHARACTER, 1),
    };
    if let Some(character) = simple {
        return (character, 2);
    }
    let unit = |text: &str| text.strip_prefix("\\u")?.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let high = unit(text).unwrap_or(0xD800);
    let low = text.get(6..).and_then(unit);
    let pair = low.and_then(|low| char::decode_utf16([high, low]).next()?.ok()).filter(|c| *c as u32 > 0xFFFF);
    match (pair, char::from_u32(u32::from(high))) {
        (Some(character), _) => (character, 12),
        (None, Some(character)) => (character, 6),
        (None, None) => (char::REPLACEMENT_CHARACTER, 6.min(text.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::visit;
    use proptest::prelude::*;

    fn strings(json: &str, root: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        visit(json, root, &mut |place, text, _| found.push((place(), text.to_owned())));
        found
    }

    #[track_caller]
    fn check(json: &str, expected: &[(&str, &str)]) {
        let found = strings(json, "");
        let found: Vec<_> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_come_with_their_paths() {
        check(
            r#"{"a":"x","b":{"c":["y",{"d":"z"},1,[]],"e":null},"f":"w"}"#,
            &[("a", "x"), ("b.c[0]", "y"), ("b.c[1].d", "z"), ("f", "w")],
        );
        check(r#"[["p"],"q"]"#, &[("[0][0]", "p"), ("[1]", "q")]);
        check(r#""alone""#, &[("", "alone")]);
        assert_eq!(strings(r#"["x"]"#, "list")[0].0, "list[0]");
        let json = r#"{"a":"x\"","b":["","y"]}"#;
        let mut written = Vec::new();
        visit(json, "", &mut |_, _, place| written.push(&json[place]));
        assert_eq!(written, [r#""x\"""#, r#""""#, r#""y""#]);
    }

    #[test]
    fn names_are_written_as_paths_need_them() {
        check(
            r#"{"a.b":{"c.":"1"},"\u0061\"[":"2","*":"3","":"4"}"#,
            &[(r#""a.b".c"#, "1"), (r#""a\"[""#, "2"), (r#""*""#, "3"), (r#""""#, "4")],
        );
    }

    #[test]
    fn escapes_are_resolved() {
        check(
            r#"{"a":"j\u006fe\u0040x\n\\\"\/","b":"\ud83d\ude00","c":"\ud800!"}"#,
            &[("a", "joe@x\n\\\"/"), ("b", "😀"), ("c", "\u{fffd}!")],
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*|[\\[\\]{}\",:\\\\u0-9a-f]*") {
            strings(&text, "");
        }

        #[test]
        fn any_string_is_found(text in any::<String>(), name in "[a-z]{1,8}") {
            let json = serde_json::json!({ name.clone(): [text.clone()] }).to_string();
            prop_assert_eq!(strings(&json, ""), vec![(format!("{name}[0]"), text)]);
        }
    }
}
