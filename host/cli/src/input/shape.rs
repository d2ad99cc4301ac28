//! Which form an input has, by its first line and a look at what follows.

use super::envelope;
use serde::de::IgnoredAny;
use std::io::{self, BufRead};

/// The forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One record a line.
    Lines,
    /// One array of records.
    Array,
    /// JSON values over any number of lines, some of which may be envelopes.
    Values,
}

/// The form of an input that begins with this line. Nothing that matters is taken from `rest`.
pub(super) fn of(head: &[u8], rest: &mut impl BufRead) -> io::Result<Shape> {
    let line = head.trim_ascii();
    let complete = serde_json::from_slice::<IgnoredAny>(line).is_ok();
    Ok(match line.first() {
        Some(b'[') if !complete && looks_like_an_array(line) => Shape::Array,
        // Several lines, each an array: those are the records.
        Some(b'[') if complete && !more(rest)? => Shape::Array,
        Some(b'{') if complete && is_envelope(line) => Shape::Values,
        Some(b'{') if !complete && (line == b"{" || begins_with_records(line)) => Shape::Values,
        _ => Shape::Lines,
    })
}

/// `[` alone, or followed by a value: text lines such as `[error] no route` are none.
fn looks_like_an_array(line: &[u8]) -> bool {
    line[1..].trim_ascii_start().first().is_none_or(|byte| matches!(byte, b'{' | b'[' | b'"'))
}

/// Whether the first key is `Records`, however it is escaped.
fn begins_with_records(line: &[u8]) -> bool {
    let first = serde_json::Deserializer::from_slice(&line[1..]).into_iter::<String>().next();
    first.is_some_and(|key| key.is_ok_and(|key| key == "Records"))
}

fn is_envelope(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| envelope::records(line).is_some())
}

/// Whether anything but white space follows. White space is skipped: it is between records.
fn more(rest: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = rest.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if blank < buffer.len() {
            return Ok(true);
        }
        rest.consume(blank);
    }
}
