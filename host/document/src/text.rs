//! JSON strings: escapes in and out, surrogates included.

use crate::looks;
use std::borrow::Cow;

/// Bytes of a document as text. All of it was validated, and it is cut at quotes, escapes and between tokens only.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> &str {
    looks::bytes(bytes.len());
    // The quick check is quick for long texts, and hands short ones to the standard one itself.
    simdutf8::basic::from_utf8(bytes).expect("validated as UTF-8 and cut at quotes, escapes or between tokens")
}

/// The text of a JSON string without its quotes, unescaped; none when a surrogate stands alone, which no Rust string
/// can hold. The input is valid JSON: the pass has seen it.
pub(crate) fn unescape(raw: &[u8]) -> Option<Cow<'_, str>> {
    looks::bytes(raw.len());
    if !raw.contains(&b'\\') {
        return Some(Cow::Borrowed(utf8(raw)));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = next_escape(rest) {
        text.push_str(utf8(&rest[..at]));
        let (character, length) = escape_at(&rest[at..]);
        looks::escapes(1);
        text.push(character?);
        rest = &rest[at + length..];
    }
    text.push_str(utf8(rest));
    Some(Cow::Owned(text))
}

/// As [`unescape`], with U+FFFD for each surrogate that stands alone. Equal keys give equal bytes; two different lone
/// surrogates are told apart by their WTF-8 form, so that comparing keys never merges what a server would keep apart.
pub(crate) fn unescape_wtf8(raw: &[u8]) -> Cow<'_, [u8]> {
    looks::bytes(raw.len());
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = next_escape(rest) {
        bytes.extend_from_slice(&rest[..at]);
        let (character, length) = escape_at(&rest[at..]);
        looks::escapes(1);
        match character {
            Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {
                let unit = hex4(&rest[at + 2..]);
                bytes.extend_from_slice(&[0xED, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8]);
            }
        }
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest);
    Cow::Owned(bytes)
}

/// How many characters a JSON string without its quotes has; half of a surrogate pair counts as one.
pub(crate) fn characters(raw: &[u8]) -> usize {
    looks::bytes(raw.len());
    let (mut count, mut rest) = (0, raw);
    let plain = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    while let Some(at) = next_escape(rest) {
        count += plain(&rest[..at]) + 1;
        let (_, length) = escape_at(&rest[at..]);
        looks::escapes(1);
        rest = &rest[at + length..];
    }
    count + plain(rest)
}

/// The text of a string with its lone surrogates written as `\ufffd`: the repair OpenSearch's readers need.
pub(crate) fn without_lone_surrogates(raw: &[u8]) -> Vec<u8> {
    looks::bytes(raw.len());
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = next_escape(rest) {
        let (character, length) = escape_at(&rest[at..]);
        looks::escapes(1);
        bytes.extend_from_slice(&rest[..at]);
        match character {
            Some(_) => bytes.extend_from_slice(&rest[at..at + length]),
            None => bytes.extend_from_slice(b"\\ufffd"),
        }
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Whether a surrogate escape in the string lacks its partner.
pub(crate) fn has_lone_surrogate(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = next_escape(rest) {
        let (character, length) = escape_at(&rest[at..]);
        if character.is_none() {
            return true;
        }
        rest = &rest[at + length..];
    }
    false
}

/// The character of the escape that `raw` begins with, and the escape's length; none for a lone surrogate.
pub(crate) fn escape_at(raw: &[u8]) -> (Option<char>, usize) {
    let simple = match raw[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape_at(raw),
        other => other as char,
    };
    (Some(simple), 2)
}

fn unicode_escape_at(raw: &[u8]) -> (Option<char>, usize) {
    let unit = hex4(&raw[2..]);
    if let (0xD800..0xDC00, [b'\\', b'u', low @ ..]) = (unit, &raw[6..])
        && let low @ 0xDC00..0xE000 = hex4(low)
    {
        return (char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), 12);
    }
    (char::from_u32(unit), 6)
}

fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |sum, &digit| sum << 4 | (digit as char).to_digit(16).unwrap_or(0))
}

/// Bytes that one byte of a text may take as JSON: `\u0001`.
pub(crate) const ESCAPED_MAX: usize = 6;

/// Appends `text` as a JSON string, quotes included. Only what JSON demands is escaped.
pub(crate) fn escape_into(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    looks::bytes(bytes.len());
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    // Without an early exit, so that the compiler looks at sixteen bytes at once: most texts need no escape.
    let needs_escape = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if bytes.iter().fold(false, |found, &byte| found | needs_escape(byte)) {
        escape_each(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

#[cold]
fn escape_each(out: &mut Vec<u8>, bytes: &[u8]) {
    looks::bytes(4 * bytes.len());
    for &byte in bytes {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[nibble as usize]));
            }
            _ => out.push(byte),
        }
    }
}

/// Where the next escape begins.
#[inline]
fn next_escape(text: &[u8]) -> Option<usize> {
    // Escapes often follow each other.
    if text.first() == Some(&b'\\') { Some(0) } else { memchr::memchr(b'\\', text) }
}
