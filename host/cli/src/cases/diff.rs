//! What was expected and what came, side by side in lines that people can read.

use crate::terminal::Paint;
use crate::text::one_line;
use serde_json::value::RawValue;
use similar::{ChangeTag, TextDiff};

/// Most lines shown of one event's difference.
const LINES_MAX: usize = 40;

/// Lines around a change that stay the same.
const AROUND: usize = 2;

/// The lines in which two answers differ, `-` expected and `+` received.
pub(crate) fn lines(expected: &str, received: &str, paint: Paint) -> Vec<String> {
    text_lines(&pretty(expected), &pretty(received), paint)
}

/// The lines in which two texts differ.
pub(crate) fn text_lines(from: &str, to: &str, paint: Paint) -> Vec<String> {
    let diff = TextDiff::from_lines(from, to);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if at > 0 {
            lines.push("      …".to_owned());
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let text = one_line(&change.value().trim_end().replace('\t', "    "));
            lines.push(match change.tag() {
                ChangeTag::Delete => paint.red(&format!("    - {text}")),
                ChangeTag::Insert => paint.green(&format!("    + {text}")),
                ChangeTag::Equal => format!("      {text}"),
            });
        }
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("    … and {more} more lines"));
    }
    lines
}

/// JSON over several lines, its numbers and strings written as they were.
fn pretty(json: &str) -> String {
    if serde_json::from_str::<&RawValue>(json).is_err() {
        return format!("{json}\n");
    }
    let (mut text, mut depth) = (String::new(), 0usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        let was_escaped = escaped;
        escaped = in_string && character == '\\' && !was_escaped;
        if character == '"' && !was_escaped {
            in_string = !in_string;
        }
        match character {
            _ if in_string => text.push(character),
            '{' | '[' if characters.peek().is_some_and(|next| matches!(next, '}' | ']')) => text.push(character),
            '{' | '[' => {
                depth += 1;
                text.push(character);
                new_line(&mut text, depth);
            }
            '}' | ']' if text.ends_with(['{', '[']) => text.push(character),
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => text.push(character),
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::{lines, pretty};
    use crate::terminal::Paint;

    #[test]
    fn json_is_spread_over_lines_and_otherwise_left_alone() {
        assert_eq!(
            pretty("{\"a\":[1.0,{}],\"b\":\"{,\\\"\"}"),
            "{\n  \"a\": [\n    1.0,\n    {}\n  ],\n  \"b\": \"{,\\\"\"\n}\n"
        );
        assert_eq!(pretty("no json"), "no json\n");
    }

    #[test]
    fn a_difference_shows_what_is_around_it() {
        let shown = lines(
            "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}",
            "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":6}",
            Paint::PLAIN,
        );
        assert_eq!(
            shown,
            ["        \"c\": 3,", "        \"d\": 4,", "    -   \"e\": 5", "    +   \"e\": 6", "      }"]
        );
        assert!(lines("{}", "{}", Paint::PLAIN).is_empty());
    }
}
