//! The spellings in which a secret turns up in a plugin's words: as it is, and as the languages' libraries encode it.
//!
//! A long secret is spelled piece by piece. So every spelling is short, however long the secret is, and a part of a
//! secret that holds a whole piece is hidden too.

use super::is_long_enough;
use base64_simd::STANDARD;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Characters of a piece of a secret. Keys and passwords are shorter, so most secrets are hidden whole or not at all.
const PIECE_CHARACTERS: usize = 64;

/// Characters that a piece shares with the next one. So the spellings of both overlap, in base64 too, and one mask
/// stands for both.
const SHARED_CHARACTERS: usize = 8;

/// Bytes of the longest spelling of a piece: a character takes at most 12, as in `\ud83d\ude00` and `%F0%9F%98%80`.
pub(super) const SPELLING_BYTES_MAX: usize = 12 * PIECE_CHARACTERS;

/// Bytes of all spellings of a step's secrets. A secret of 64 KiB, the most that Secrets Manager stores, stays below it
/// if it is one text or a file of lines, and JSON of about 30 KiB does. The automaton that finds them takes about 30
/// times as much memory.
pub(super) const SPELLINGS_BYTES_MAX: usize = 2 << 20;

/// What encoders leave as it is besides letters and digits.
const PERCENT_KEPT: [&str; 8] = [
    "",                     // the strictest libraries
    "-._~",                 // RFC 3986; Go's QueryEscape, Python's quote_plus
    "-._~/",                // Python's quote
    "-._*",                 // HTML forms
    "-._~!*'()",            // encodeURIComponent
    "-._~!*'();/?:@&=+$,#", // encodeURI
    "-._~$&+=:@",           // a segment of a path in Go
    "-._~!$&'()*+,;=:@/",   // the path of RFC 3986
];

/// All spellings of these secrets, or `None` if the spellings have more than [`SPELLINGS_BYTES_MAX`] bytes.
pub(super) fn spellings<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Option<BTreeSet<String>> {
    let mut all = Spellings { found: BTreeSet::new(), bytes: 0 };
    for secret in secrets {
        for value in values(secret)? {
            all.add_value(&value)?;
        }
    }
    Some(all.found)
}

/// A secret and, if it is JSON, each string in it; such a string may be JSON in its turn. Names of members are not
/// secret. `None` if all of them have more bytes than may be spelled.
fn values(secret: &str) -> Option<BTreeSet<String>> {
    let (mut values, mut bytes) = (BTreeSet::new(), 0);
    let mut open = vec![secret.to_owned()];
    while let Some(value) = open.pop() {
        if !is_long_enough(&value) || values.contains(&value) {
            continue;
        }
        bytes += value.len();
        if bytes > SPELLINGS_BYTES_MAX {
            return None;
        }
        open.extend(strings_in(&value));
        values.insert(value);
    }
    Some(values)
}

/// The strings in a JSON text that are values. A string that cannot be decoded (a lone surrogate) is taken as it is
/// written.
fn strings_in(json: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !json.contains('"') || serde_json::from_str::<IgnoredAny>(json).is_err() {
        return found;
    }
    let mut rest = json;
    while let Some((_, opened)) = rest.split_once('"') {
        let mut is_escaped = false;
        let ends = |byte: u8| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        };
        let Some(end) = opened.bytes().position(ends) else { break };
        let written = &opened[..end];
        rest = &opened[end + 1..];
        if !rest.trim_start().starts_with(':') {
            let string = serde_json::from_str(&format!("\"{written}\""));
            found.push(string.unwrap_or_else(|_| written.to_owned()));
        }
    }
    found
}

struct Spellings {
    found: BTreeSet<String>,
    bytes: usize,
}

impl Spellings {
    fn add_value(&mut self, value: &str) -> Option<()> {
        for stretch in stretches(value) {
            for piece in pieces(stretch) {
                self.add_piece(piece)?;
            }
        }
        Some(())
    }

    fn add_piece(&mut self, piece: &str) -> Option<()> {
        self.add(piece.to_owned())?;
        for is_upper in [false, true] {
            for (is_ascii, is_html_safe) in [(false, false), (false, true), (true, false), (true, true)] {
                self.add(json(piece, is_ascii, is_html_safe, is_upper))?;
            }
            for kept in PERCENT_KEPT {
                self.add(percent(piece, kept, "%20", is_upper))?;
                self.add(percent(piece, kept, "+", is_upper))?;
            }
            self.add(hex(piece, is_upper))?;
        }
        for before in 0..3 {
            for spelling in base64(piece, before) {
                self.add(spelling.replace('+', "-").replace('/', "_"))?;
                self.add(spelling)?;
            }
        }
        Some(())
    }

    fn add(&mut self, spelling: String) -> Option<()> {
        let bytes = spelling.len();
        if is_long_enough(&spelling) && self.found.insert(spelling) {
            self.bytes += bytes;
        }
        (self.bytes <= SPELLINGS_BYTES_MAX).then_some(())
    }
}

/// The parts of a text that are spelled on their own: its lines, and what lies around and between them, with a little
/// of both neighbours. So one mask stands for the whole text, without a gap. A line too short to be hidden is part of
/// what lies between.
fn stretches(text: &str) -> Vec<&str> {
    let mut stretches = Vec::new();
    let (mut done, mut line_start) = (0, 0);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let start = line_start + line.len() - line.trim_start().len();
        line_start += line.len();
        if !is_long_enough(trimmed) {
            continue;
        }
        if done < start {
            stretches.push(&text[back(text, done)..forward(text, start)]);
        }
        done = start + trimmed.len();
        stretches.push(trimmed);
    }
    if done < text.len() {
        stretches.push(&text[back(text, done)..]);
    }
    stretches
}

/// The text in pieces that overlap, the last one as long as the others.
fn pieces(text: &str) -> Vec<&str> {
    let mut edges: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    edges.push(text.len());
    let characters = edges.len() - 1;
    let last = characters.saturating_sub(PIECE_CHARACTERS);
    let starts = (0..last).step_by(PIECE_CHARACTERS - SHARED_CHARACTERS).chain([last]);
    starts.map(|start| &text[edges[start]..edges[characters.min(start + PIECE_CHARACTERS)]]).collect()
}

/// As many characters before a place as pieces share.
fn back(text: &str, at: usize) -> usize {
    text[..at].char_indices().rev().take(SHARED_CHARACTERS).last().map_or(at, |(start, _)| start)
}

/// As many characters behind a place as pieces share.
fn forward(text: &str, at: usize) -> usize {
    text[at..].char_indices().nth(SHARED_CHARACTERS).map_or(text.len(), |(end, _)| at + end)
}

/// The inside of a JSON string. `is_ascii`: as Python writes it; `is_html_safe`: as Go does; both as web frameworks do.
fn json(text: &str, is_ascii: bool, is_html_safe: bool, is_upper: bool) -> String {
    let mut json = String::with_capacity(text.len());
    for character in text.chars() {
        let is_escaped = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\x08' | '\x0C' => {
                json.push('\\');
                json.push(match character {
                    '\n' => 'n',
                    '\r' => 'r',
                    '\t' => 't',
                    '\x08' => 'b',
                    '\x0C' => 'f',
                    itself => itself,
                });
                continue;
            }
            '\0'..' ' => true,
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' if is_html_safe => true,
            other => is_ascii && !(' '..='~').contains(&other),
        };
        if is_escaped {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                json.push_str("\\u");
                push_hex(&mut json, *unit, 4, is_upper);
            });
        } else {
            json.push(character);
        }
    }
    json
}

/// Percent-encoded, except for letters, digits and what is `kept`.
fn percent(text: &str, kept: &str, space: &str, is_upper: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        if byte == b' ' {
            encoded.push_str(space);
        } else if character.is_ascii_alphanumeric() || (byte.is_ascii() && kept.contains(character)) {
            encoded.push(character);
        } else {
            encoded.push('%');
            push_hex(&mut encoded, byte.into(), 2, is_upper);
        }
    }
    encoded
}

fn hex(text: &str, is_upper: bool) -> String {
    let mut hex = String::with_capacity(2 * text.len());
    text.bytes().for_each(|byte| push_hex(&mut hex, byte.into(), 2, is_upper));
    hex
}

fn push_hex(to: &mut String, number: u16, width: usize, is_upper: bool) {
    let written = match is_upper {
        true => write!(to, "{number:0width$X}"),
        false => write!(to, "{number:0width$x}"),
    };
    written.expect("a string takes all that is written");
}

/// The standard base64 of a text that begins `before` bytes behind a multiple of three, without the characters that
/// also depend on what precedes the text: first without those that depend on what follows it, then as the end of the
/// encoded text without padding, then with padding.
fn base64(text: &str, before: usize) -> [String; 3] {
    let bytes = [&[0; 2][..before], text.as_bytes()].concat();
    let padded = STANDARD.encode_to_string(&bytes);
    let (first, whole) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
    let end = padded.trim_end_matches('=').len();
    [whole, end, padded.len()].map(|end| padded[first..end].to_owned())
}
