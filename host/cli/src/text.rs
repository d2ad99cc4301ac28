//! Small things done to text: what comes from records and plugins must neither break lines nor steer the terminal.

use std::time::Duration;

/// A text as a terminal may show it: lines and tabs stay, and `\u{fffd}` stands for every other character that would
/// steer it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|char| if steers(char) && !matches!(char, '\n' | '\t') { '\u{fffd}' } else { char }).collect()
}

/// The first line of a text, as a terminal may show it, without tabs.
pub(crate) fn one_line(text: &str) -> String {
    shown(text.lines().next().unwrap_or_default()).replace('\t', "\u{fffd}")
}

/// JSON with every character escaped that would steer a terminal: the same values, in another spelling. Spaces stand
/// for control characters between tokens.
pub(crate) fn shown_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        match steers(char) {
            // Inside a string it would not be JSON.
            true if char.is_ascii_whitespace() => escaped.push(' '),
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => escaped.push(char),
        }
    }
    escaped
}

/// Whether a character does more to a terminal than appear in its place: control characters (C0, DEL, C1), and those
/// that turn the direction of the text that follows.
pub(crate) fn steers(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `width` characters, the last of them `…` when something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `2 events`.
pub(crate) fn count(count: u64, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

/// `43.1 KiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// Three digits and a unit.
pub(crate) fn time(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{us:.1} µs"),
        ..1e3 => format!("{us:.0} µs"),
        ..1e4 => format!("{:.1} ms", us / 1e3),
        ..1e6 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "event"), count(2, "event")], ["1 event", "2 events"]);
        assert_eq!([bytes(12), bytes(44_134), bytes(5 << 20)], ["12 B", "43.1 KiB", "5.0 MiB"]);
        let times = [0, 1_500, 812_000, 1_500_000, 45_000_000, 2_500_000_000];
        assert_eq!(
            times.map(|ns| time(Duration::from_nanos(ns))),
            ["0", "1.5 µs", "812 µs", "1.5 ms", "45 ms", "2.5 s"]
        );
    }

    #[test]
    fn text_is_cut_by_characters_and_cannot_steer_the_terminal() {
        assert_eq!(cut("größe", 4), "grö…");
        assert_eq!(cut("größe", 5), "größe");
        for (text, line, whole) in [
            ("\u{1b}[31mred\nsecond", "\u{fffd}[31mred", "\u{fffd}[31mred\nsecond"),
            ("a\tb", "a\u{fffd}b", "a\tb"),
            ("over\rwritten\u{8}", "over\u{fffd}written\u{fffd}", "over\u{fffd}written\u{fffd}"),
            ("\u{9b}2J \u{7f}", "\u{fffd}2J \u{fffd}", "\u{fffd}2J \u{fffd}"),
            ("a\u{202e}b\u{2066}c", "a\u{fffd}b\u{fffd}c", "a\u{fffd}b\u{fffd}c"),
            ("größe 漢 😀", "größe 漢 😀", "größe 漢 😀"),
        ] {
            assert_eq!((one_line(text).as_str(), shown(text).as_str()), (line, whole), "{text:?}");
        }
        let value = serde_json::json!({"a\u{9b}": "\u{202e}\u{7f}\u{1b}ö"});
        let text = shown_json(&format!("{value:#}\r\n"));
        assert!(!text.chars().any(steers), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
