//! Finds values of a JSON text by their paths, each spelling for itself.
//!
//! The text comes from the host and is valid, and no deeper than the host lets it be. Were it not valid, other values would be
//! found, and nothing would panic.

use std::collections::BTreeSet;
use std::ops::Range;

use paddlewheel::prelude::*;

use crate::strings::{push_name, string_at, unescaped};

/// Where the values at these paths are, in order; of one that lies in another the outer one alone. Paths are spelled as the
/// host's `expand` spells them.
pub(crate) fn find(json: &str, paths: &BTreeSet<String>) -> Vec<Range<usize>> {
    let longest = paths.iter().map(String::len).max().unwrap_or(0);
    let mut reader = Reader { json, at: 0, path: String::new(), longest, paths, found: Vec::new() };
    reader.value();
    reader.found
}

/// The text with strings in place of these parts, which are in order and apart.
pub(crate) fn replace(json: &str, parts: &[(Range<usize>, String)]) -> String {
    let mut replaced = String::with_capacity(json.len());
    let mut done = 0;
    for (part, text) in parts {
        replaced.push_str(&json[done..part.start]);
        replaced.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => replaced.extend(['\\', character]),
                '\0'..='\x1f' => replaced.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => replaced.push(character),
            }
        }
        replaced.push('"');
        done = part.end;
    }
    replaced.push_str(&json[done..]);
    replaced
}

/// The value that a JSON text is, as the contract hands it out.
pub(crate) fn value(json: &str) -> Option<Value> {
    Some(match json.as_bytes().first()? {
        b'n' => Value::Null,
        b't' => Value::Boolean(true),
        b'f' => Value::Boolean(false),
        b'"' => {
            let text = unescaped(string_at(json, 1));
            // Half of a surrogate pair is no text: such a string travels as it is written.
            let is_whole = !text.contains(char::REPLACEMENT_CHARACTER) || !json.contains("\\u");
            if is_whole { Value::Text(text.into_owned()) } else { Value::Json(json.to_owned()) }
        }
        b'{' | b'[' => Value::Json(json.to_owned()),
        _ => number(json),
    })
}

fn number(json: &str) -> Value {
    let is_float = json.contains(['.', 'e', 'E']) || json == "-0";
    let integer = json.parse().ok().filter(|_| !is_float).map(Value::Integer);
    let float = || json.parse().ok().filter(|float: &f64| is_float && float.is_finite()).map(Value::Number);
    integer.or_else(float).unwrap_or_else(|| Value::Json(json.to_owned()))
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
    /// The path to where the reader is; of one that is longer than all that are looked for no more than shows that.
    path: String,
    longest: usize,
    paths: &'a BTreeSet<String>,
    found: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn value(&mut self) {
        let first = self.next();
        let start = self.at;
        let known = self.found.len();
        match first {
            Some(b'{') => self.members(),
            Some(b'[') => self.elements(),
            Some(b'"') => self.at += string_at(self.json, self.at + 1).len() + 2,
            Some(_) | None => {
                let rest = self.json.as_bytes().get(start..).unwrap_or_default();
                self.at += rest.iter().take_while(|byte| !b",]} \t\r\n".contains(byte)).count();
            }
        }
        self.at = self.at.min(self.json.len());
        if self.path.len() <= self.longest && self.paths.contains(&self.path) && self.json.get(start..self.at).is_some()
        {
            self.found.truncate(known);
            self.found.push(start..self.at);
        }
    }

    fn members(&mut self) {
        self.at += 1;
        let above = self.path.len();
        while self.next() == Some(b'"') {
            let written = string_at(self.json, self.at + 1);
            self.at += written.len() + 2;
            if above <= self.longest {
                if above > 0 {
                    self.path.push('.');
                }
                push_name(&mut self.path, &unescaped(written));
            }
            // The colon.
            self.next();
            self.at += 1;
            self.value();
            self.path.truncate(above);
            if self.next() == Some(b',') {
                self.at += 1;
            }
        }
        // The closing brace.
        self.at += 1;
    }

    fn elements(&mut self) {
        self.at += 1;
        let above = self.path.len();
        let mut index = 0;
        while self.next().is_some_and(|byte| byte != b']') {
            let before = self.at;
            if above <= self.longest {
                self.path.push_str(&format!("[{index}]"));
            }
            self.value();
            self.path.truncate(above);
            index += 1;
            if self.next() == Some(b',') {
                self.at += 1;
            }
            if self.at == before {
                break;
            }
        }
        // The closing bracket.
        self.at += 1;
    }

    /// Goes on to the next byte that is not white space, and gives it.
    fn next(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.json.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{find, replace, value};
    use paddlewheel::Value;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn paths(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|&path| path.to_owned()).collect()
    }

    #[track_caller]
    fn check(json: &str, wanted: &[&str], expected: &[&str]) {
        let found: Vec<&str> = find(json, &paths(wanted)).into_iter().map(|span| &json[span]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn values_are_found_by_their_paths() {
        let json = r#" {"a" : 1.50, "b":[true , {"c":"x\"]"}, []], "d.e":{"f": null },"d":{"e":-1e3} , "":0}"#;
        check(json, &["a"], &["1.50"]);
        check(json, &["b[0]", "b[1].c", "b[2]"], &["true", r#""x\"]""#, "[]"]);
        check(json, &["d.e", "\"d.e\""], &[r#"{"f": null }"#, "-1e3"]);
        check(json, &["b[1]", "b[1].c", "\"\""], &[r#"{"c":"x\"]"}"#, "0"]);
        // Dots behind a name are no part of it.
        check(r#"{"a":1,"a.":{"b..":2},"a.b":3}"#, &["a.b", "\"a.b\""], &["2", "3"]);
        check(r#"{"a":1,"a.":2,"a\u002e.":3}"#, &["a"], &["1", "2", "3"]);
        check(json, &["nothing", "b[3]"], &[]);
        check("[1]", &[""], &["[1]"]);
    }

    #[test]
    fn what_is_put_in_is_a_string() {
        let json = r#"{"a":1, "b":"x"}"#;
        assert_eq!(
            replace(json, &[(5..6, "\"\\\n".to_owned()), (12..15, "ä".to_owned())]),
            r#"{"a":"\"\\\u000a", "b":"ä"}"#
        );
        assert_eq!(replace(json, &[]), json);
    }

    #[test]
    fn values_are_those_of_the_contract() {
        for (json, expected) in [
            ("null", Value::Null),
            ("true", Value::Boolean(true)),
            ("12", Value::Integer(12)),
            ("1.0", Value::Number(1.0)),
            ("1e3", Value::Number(1e3)),
            ("-0", Value::Number(-0.0)),
            ("9223372036854775808", Value::Json("9223372036854775808".to_owned())),
            ("1e999", Value::Json("1e999".to_owned())),
            (r#""a\u0062""#, Value::Text("ab".to_owned())),
            (r#""\ud800""#, Value::Json(r#""\ud800""#.to_owned())),
            ("[1]", Value::Json("[1]".to_owned())),
        ] {
            assert_eq!(format!("{:?}", value(json)), format!("{:?}", Some(expected)), "{json}");
        }
        assert!(value("").is_none());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*|[\\[\\]{}\",:\\\\u0-9a-f ]*") {
            for span in find(&text, &paths(&["", "a", "a[0]", "[0]"])) {
                value(&text[span]);
            }
        }
    }
}
