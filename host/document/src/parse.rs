//! The one validating pass: strict RFC 8259, UTF-8, no key twice in one object (keys compared unescaped), bounded depth.
//!
//! It leaves a tree over the text and the facts that later steps need, so that nobody looks at every byte again.

use crate::keys::{CLASSES, DOT, KEY_SHORT, ODD, STOP, fingerprint};
use crate::text;
use crate::tree::{Base, Document, Facts, Kind, NONE, Node, Nodes, Span};
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::HashSet;
use std::fmt;

/// Levels of nesting a document may have. OpenSearch takes 20 objects; a plugin may be there to flatten what has more, and the
/// passes over a document are recursive, so the bound is one that no stack minds.
pub const DEPTH_MAX: usize = 512;

/// Longest text that is read: spans hold 31 bits.
const BYTES_MAX: usize = i32::MAX as usize;

/// From this many keys on an object's keys are compared through a seeded hash set: comparing each with each is quicker below,
/// and quadratic above.
const FEW_KEYS: usize = 24;

/// Nesting that surely breaks none of OpenSearch's three limits of 20 (objects, arrays in a row, parts of a path).
const SHALLOW: usize = 20;

/// A string that is longer than this many bytes may be longer than the 256 characters that `.keyword` sees.
const KEYWORD_CHARACTERS: usize = 256;

/// Why a text is not a document, with the offset of the first byte that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Bytes from the start of the text.
    pub at: usize,
    /// The reason, to complete "not JSON: …".
    pub reason: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.at)
    }
}

impl std::error::Error for ParseError {}

impl Document {
    /// Validates `source` and indexes it. A UTF-8 byte order mark in front is passed over; white space around the value too.
    ///
    /// # Errors
    /// The first offence against RFC 8259, against UTF-8, a repeated key, or nesting beyond [`DEPTH_MAX`].
    pub fn parse(source: Bytes) -> Result<Document, ParseError> {
        let start = if source.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let mut nodes = Nodes::new();
        let parsed = parse_text(&source[start..], Base::source(start), &mut nodes)
            .map_err(|error| ParseError { at: error.at + start, ..error })?;
        Ok(Document { source, added: Vec::new(), nodes, root: parsed.root, facts: parsed.facts, visited: 0 })
    }
}

/// What a pass found: the index of the outermost value, and the facts of all.
pub(crate) struct Parsed {
    pub(crate) root: u32,
    pub(crate) facts: Facts,
}

/// Parses one whole text into `nodes`; spans count from `base`.
pub(crate) fn parse_text(text: &[u8], base: Base, nodes: &mut Vec<Node>) -> Result<Parsed, ParseError> {
    if text.len() > BYTES_MAX {
        return Err(ParseError { at: BYTES_MAX, reason: "longer than 2 GiB" });
    }
    if let Err(error) = simdutf8::basic::from_utf8(text) {
        let _ = error; // The quick check does not say where; the standard one does.
        let at = std::str::from_utf8(text).err().map_or(0, |error| error.valid_up_to());
        return Err(ParseError { at, reason: "not UTF-8" });
    }
    let mut parser = Parser { text, base, nodes, fingerprints: SmallVec::new(), facts: Facts::default() };
    let start = parser.space(0);
    if parser.facts.has(Facts::NEWLINE) {
        parser.facts.add(Facts::NEWLINE_FIRST);
    }
    let (root, end) = parser.value(start, 0)?;
    let facts = parser.facts; // A newline behind the value is cut off with the white space around it: no fact of the document.
    let end = parser.space(end);
    match text.get(end) {
        None => Ok(Parsed { root, facts }),
        Some(_) => Err(ParseError { at: end, reason: "something follows the JSON value" }),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    base: Base,
    nodes: &'a mut Vec<Node>,
    /// Fingerprints of the keys of all open objects, innermost last.
    fingerprints: SmallVec<[u64; 64]>,
    facts: Facts,
}

type Parse<T> = Result<T, ParseError>;

impl Parser<'_> {
    fn fail<T>(&self, at: usize, reason: &'static str) -> Parse<T> {
        let reason = if at >= self.text.len() { "the text ends too early" } else { reason };
        Err(ParseError { at, reason })
    }

    /// The first byte from `at` on that is no white space.
    #[inline]
    fn space(&mut self, at: usize) -> usize {
        match self.text.get(at) {
            Some(byte) if *byte <= b' ' => self.skip_space(at),
            _ => at,
        }
    }

    fn skip_space(&mut self, mut at: usize) -> usize {
        loop {
            match self.text.get(at) {
                Some(b' ' | b'\t' | b'\r') => {}
                Some(b'\n') => self.facts.add(Facts::NEWLINE),
                _ => return at,
            }
            at += 1;
        }
    }

    fn push(&mut self, kind: Kind, from: usize, to: usize, facts: Facts) -> u32 {
        let index = self.nodes.len() as u32;
        self.facts.add(facts);
        self.nodes.push(Node {
            key: Span::EMPTY,
            value: Span::new(self.base, from, to),
            parent: NONE,
            first: NONE,
            next: NONE,
            kind,
            facts,
        });
        index
    }

    /// One value from `at` on: its node, and the first byte behind it.
    fn value(&mut self, at: usize, depth: usize) -> Parse<(u32, usize)> {
        let (kind, end, facts) = match self.text.get(at) {
            Some(b'"') => {
                let (end, mut facts) = self.string(at)?;
                if end - at > KEYWORD_CHARACTERS + 2 {
                    facts.add(Facts::LONG);
                }
                (Kind::String, end, facts)
            }
            Some(b'{') => return self.object(at, depth),
            Some(b'[') => return self.array(at, depth),
            Some(b'-' | b'0'..=b'9') => {
                let (end, facts) = self.number(at)?;
                (Kind::Number, end, facts)
            }
            Some(b't') => (Kind::True, self.word(at, b"true")?, Facts::default()),
            Some(b'f') => (Kind::False, self.word(at, b"false")?, Facts::default()),
            Some(b'n') => (Kind::Null, self.word(at, b"null")?, Facts::default()),
            _ => return self.fail(at, "a value is expected"),
        };
        Ok((self.push(kind, at, end, facts), end))
    }

    fn word(&self, at: usize, word: &[u8]) -> Parse<usize> {
        if self.text[at..].starts_with(word) {
            Ok(at + word.len())
        } else {
            self.fail(at, "an unknown word stands for a value")
        }
    }

    fn enter(&mut self, at: usize, depth: usize) -> Parse<()> {
        if depth >= DEPTH_MAX {
            return self.fail(at, "nested deeper than 512 levels");
        }
        if depth >= SHALLOW {
            self.facts.add(Facts::DEEP);
        }
        Ok(())
    }

    fn object(&mut self, start: usize, depth: usize) -> Parse<(u32, usize)> {
        self.enter(start, depth)?;
        let node = self.push(Kind::Object, start, start, Facts::default());
        let first_key = self.fingerprints.len();
        let mut previous = NONE;
        let mut at = self.space(start + 1);
        if self.text.get(at) == Some(&b'}') {
            return Ok(self.close(node, start, at + 1));
        }
        loop {
            if self.text.get(at) != Some(&b'"') {
                return self.fail(at, "a key in double quotes is expected");
            }
            let (key_end, key_facts) = self.key(at)?;
            let key = Span::new(self.base, at + 1, key_end - 1);
            self.compare_key(node, first_key, at, key_end, key_facts)?;
            at = self.space(key_end);
            if self.text.get(at) != Some(&b':') {
                return self.fail(at, "a colon is expected after a key");
            }
            at = self.space(at + 1);
            let (child, end) = self.value(at, depth + 1)?;
            let member = &mut self.nodes[child as usize];
            member.key = key;
            member.facts.add(key_facts);
            self.link(node, previous, child);
            previous = child;
            at = self.space(end);
            match self.text.get(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b'}') => break,
                _ => return self.fail(at, "a comma or a closing brace is expected"),
            }
        }
        self.compare_many_keys(node, first_key)?;
        self.fingerprints.truncate(first_key);
        Ok(self.close(node, start, at + 1))
    }

    fn array(&mut self, start: usize, depth: usize) -> Parse<(u32, usize)> {
        self.enter(start, depth)?;
        let node = self.push(Kind::Array, start, start, Facts::default());
        let mut previous = NONE;
        let (mut booleans, mut strings) = (false, false);
        let mut at = self.space(start + 1);
        if self.text.get(at) == Some(&b']') {
            return Ok(self.close(node, start, at + 1));
        }
        loop {
            let (child, end) = self.value(at, depth + 1)?;
            let kind = self.nodes[child as usize].kind;
            booleans |= matches!(kind, Kind::True | Kind::False);
            strings |= kind == Kind::String;
            self.link(node, previous, child);
            previous = child;
            at = self.space(end);
            match self.text.get(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b']') => break,
                _ => return self.fail(at, "a comma or a closing bracket is expected"),
            }
        }
        if booleans && strings {
            self.nodes[node as usize].facts.add(Facts::MIXED);
            self.facts.add(Facts::MIXED);
        }
        Ok(self.close(node, start, at + 1))
    }

    fn close(&mut self, node: u32, start: usize, end: usize) -> (u32, usize) {
        self.nodes[node as usize].value = Span::new(self.base, start, end);
        (node, end)
    }

    #[inline]
    fn link(&mut self, parent: u32, previous: u32, child: u32) {
        self.nodes[child as usize].parent = parent;
        match previous {
            NONE => self.nodes[parent as usize].first = child,
            previous => self.nodes[previous as usize].next = child,
        }
    }

    /// Refuses a key that the object already has. Objects with many keys are compared once more, whole, at their end.
    #[inline]
    fn compare_key(&mut self, node: u32, first_key: usize, at: usize, end: usize, facts: Facts) -> Parse<()> {
        let raw = &self.text[at + 1..end - 1];
        let print =
            if facts.has(Facts::KEY_ESCAPED) { fingerprint(&text::unescape_wtf8(raw)) } else { fingerprint(raw) };
        let others = &self.fingerprints[first_key..];
        if others.len() < FEW_KEYS && others.contains(&print) {
            self.confirm_duplicate(node, at, raw)?;
        }
        self.fingerprints.push(print);
        Ok(())
    }

    /// Fingerprints may agree by chance: look at the keys themselves.
    #[cold]
    fn confirm_duplicate(&self, node: u32, at: usize, raw: &[u8]) -> Parse<()> {
        let key = text::unescape_wtf8(raw);
        let mut child = self.nodes[node as usize].first;
        while child != NONE {
            if text::unescape_wtf8(self.key_text(child)) == key {
                return Err(ParseError { at, reason: DUPLICATE });
            }
            child = self.nodes[child as usize].next;
        }
        Ok(())
    }

    fn compare_many_keys(&self, node: u32, first_key: usize) -> Parse<()> {
        if self.fingerprints.len() - first_key <= FEW_KEYS {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(self.fingerprints.len() - first_key);
        let mut child = self.nodes[node as usize].first;
        while child != NONE {
            if !seen.insert(text::unescape_wtf8(self.key_text(child))) {
                return Err(ParseError {
                    at: self.nodes[child as usize].key.offset_from(self.base),
                    reason: DUPLICATE,
                });
            }
            child = self.nodes[child as usize].next;
        }
        Ok(())
    }

    fn key_text(&self, node: u32) -> &[u8] {
        let key = self.nodes[node as usize].key;
        let start = key.offset_from(self.base);
        &self.text[start..start + key.len()]
    }

    /// A key from its quote on: the first byte behind it, and what is odd about it.
    #[inline]
    fn key(&mut self, start: usize) -> Parse<(usize, Facts)> {
        let mut classes = 0;
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at) {
            let class = CLASSES[*byte as usize];
            classes |= class;
            if class & STOP != 0 {
                break;
            }
            at += 1;
        }
        if self.text.get(at) == Some(&b'"')
            && classes & ODD == 0
            && at > start + 1
            && at - start <= KEY_SHORT
            && self.text[start + 1] != b'_'
        {
            let facts = if classes & DOT == 0 { Facts::default() } else { Facts::KEY_DOTTED };
            self.facts.add(facts);
            return Ok((at + 1, facts));
        }
        self.odd_key(start)
    }

    #[cold]
    fn odd_key(&mut self, start: usize) -> Parse<(usize, Facts)> {
        let (end, string) = self.string(start)?;
        let mut facts = Facts::KEY_ODD;
        if string.has(Facts::ESCAPED) {
            facts.add(Facts::KEY_ESCAPED);
        }
        if text::unescape_wtf8(&self.text[start + 1..end - 1]).contains(&b'.') {
            facts.add(Facts::KEY_DOTTED);
        }
        self.facts.add(facts);
        Ok((end, facts))
    }

    /// A string from its quote on: the first byte behind it, and whether it has escapes.
    #[inline]
    fn string(&self, start: usize) -> Parse<(usize, Facts)> {
        let mut at = start + 1;
        let mut facts = Facts::default();
        loop {
            at = self.plain_text(at);
            match self.text.get(at) {
                Some(b'"') => return Ok((at + 1, self.surrogates(start + 1, at, facts))),
                Some(b'\\') => {
                    facts.add(Facts::ESCAPED);
                    at = self.escape(at)?;
                }
                _ => return self.fail(at, "a raw control character stands in a string"),
            }
        }
    }

    fn surrogates(&self, from: usize, to: usize, mut facts: Facts) -> Facts {
        if facts.has(Facts::ESCAPED) && text::has_lone_surrogate(&self.text[from..to]) {
            facts.add(Facts::SURROGATE);
        }
        facts
    }

    /// The first quote, backslash or control character from `at` on: eight bytes a turn.
    #[inline]
    fn plain_text(&self, mut at: usize) -> usize {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        while let Some(chunk) = self.text.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            let quote = word ^ (ONES * b'"' as u64);
            let backslash = word ^ (ONES * b'\\' as u64);
            let found = (quote.wrapping_sub(ONES) & !quote)
                | (backslash.wrapping_sub(ONES) & !backslash)
                | (word.wrapping_sub(ONES * 0x20) & !word);
            // A borrow may flag bytes above the first hit, never below it: the lowest flag is right.
            if found & HIGHS != 0 {
                return at + (found & HIGHS).trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        while self.text.get(at).is_some_and(|byte| CLASSES[*byte as usize] & STOP == 0) {
            at += 1;
        }
        at
    }

    fn escape(&self, at: usize) -> Parse<usize> {
        match self.text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.text.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => self.fail(at, "four hexadecimal digits are expected after \\u"),
            },
            _ => self.fail(at, "an unknown escape stands in a string"),
        }
    }

    fn digits(&self, mut at: usize) -> Parse<usize> {
        let start = at;
        while self.text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == start { self.fail(at, "a digit is expected") } else { Ok(at) }
    }

    fn number(&self, start: usize) -> Parse<(usize, Facts)> {
        let first = if self.text[start] == b'-' { start + 1 } else { start };
        let mut at = self.digits(first)?;
        if self.text[first] == b'0' && at > first + 1 {
            return self.fail(first, "a number begins with 0");
        }
        let mut odd = at - first > SAFE_DIGITS || (first > start && self.text[first] == b'0');
        if self.text.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if matches!(self.text.get(at), Some(b'e' | b'E')) {
            odd = true;
            let sign = usize::from(matches!(self.text.get(at + 1), Some(b'+' | b'-')));
            at = self.digits(at + 1 + sign)?;
        }
        odd |= at - start > SAFE_DIGITS;
        Ok((at, if odd { Facts::NUMBER_ODD } else { Facts::default() }))
    }
}

const DUPLICATE: &str = "a key stands twice in one object";

/// Digits that fit a signed 64-bit and a float's range whatever they are.
pub(crate) const SAFE_DIGITS: usize = 18;
