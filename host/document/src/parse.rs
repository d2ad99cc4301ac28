//! The one validating pass: strict RFC 8259, UTF-8, no key twice in one object (keys compared unescaped), bounded
//! depth.
//!
//! It leaves a tree over the text and the facts that later steps need, so that nobody looks at every byte again.

use crate::bounds::{Bounds, MANY_VALUES};
use crate::index::Indexes;
use crate::keys::Fingerprint;
use crate::looks;
use crate::scan::Key;
use crate::text;
use crate::tree::{Base, Buffers, Document, Facts, Kind, NONE, Node, Span};
use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;
use std::ops::Range;

/// Levels of nesting a document may have. OpenSearch takes 20 objects; a plugin may be there to flatten what has more,
/// and the passes over a document are recursive, so the bound is one that no stack minds.
pub const DEPTH_MAX: usize = 512;

/// Longest text that is read: spans hold 31 bits.
const BYTES_MAX: usize = i32::MAX as usize;

/// From this many nodes on it is reckoned how many there will be, so that they are not moved each time they have
/// doubled.
const MANY: usize = 1 << 10;

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
    /// Validates `source` and indexes it. A UTF-8 byte order mark in front is passed over; white space around the value
    /// too.
    ///
    /// # Errors
    /// The first offence against RFC 8259, against UTF-8, a repeated key, or nesting beyond [`DEPTH_MAX`].
    pub fn parse(source: Bytes) -> Result<Document, ParseError> {
        Document::parse_or_return(source).map_err(|(error, _)| error)
    }

    /// [`Document::parse`] that gives the bytes back when they are no document.
    ///
    /// # Errors
    /// As [`Document::parse`], with the bytes.
    pub fn parse_or_return(source: Bytes) -> Result<Document, (ParseError, Bytes)> {
        let start = if source.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let mut buffers = Buffers::new();
        match parse_text(&source[start..], Base::source(start), &mut buffers.nodes, Bounds::OF_DOCUMENT) {
            Ok(parsed) => {
                let Parsed { root, facts, .. } = parsed;
                let parse_work = parsed.work(source.len(), buffers.nodes.len());
                let indexes = Indexes::default();
                Ok(Document { source, buffers, root, facts, placed: 0, dead: 0, indexes, parse_work })
            }
            Err(error) => Err((ParseError { at: error.at + start, ..error }, source)),
        }
    }
}

/// What a pass found.
pub(crate) struct Parsed {
    /// The outermost value.
    pub(crate) root: u32,
    /// The facts of all.
    pub(crate) facts: Facts,
    /// Arrays and objects in each other, the outermost value included.
    pub(crate) height: usize,
    /// Escapes in strings and keys.
    pub(crate) escapes: usize,
}

/// Parses one whole text into `nodes`; spans count from `base`.
pub(crate) fn parse_text(text: &[u8], base: Base, nodes: &mut Vec<Node>, bounds: Bounds) -> Result<Parsed, ParseError> {
    let (before, looks_before) = (nodes.len(), looks::counted());
    let parsed = Parser::new(text, base, nodes, bounds, None).whole(0);
    looks::parsed(looks_before, text.len(), nodes.len() - before);
    parsed
}

/// The same, but that each element of the array at the key `array` of the outermost object is shown and forgotten. A
/// byte order mark in front is passed over.
pub(crate) fn parse_text_apart(
    text: &[u8],
    nodes: &mut Vec<Node>,
    array: &str,
    show: &mut dyn FnMut(&[Node], u32),
) -> Result<Parsed, ParseError> {
    let apart = Some(Apart { array: array.as_bytes(), show });
    let start = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    Parser::new(text, Base::source(0), nodes, Bounds::OF_LIST, apart).whole(start)
}

/// An array whose elements are shown one by one and not kept.
struct Apart<'a> {
    array: &'a [u8],
    show: &'a mut dyn FnMut(&[Node], u32),
}

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) base: Base,
    pub(crate) nodes: &'a mut Vec<Node>,
    /// Fingerprints of the keys of all open objects, innermost last.
    pub(crate) fingerprints: SmallVec<[u64; 64]>,
    /// What each of them begins with.
    pub(crate) print: Fingerprint,
    pub(crate) facts: Facts,
    height: usize,
    pub(crate) escapes: usize,
    pub(crate) bounds: Bounds,
    /// Nodes that were there before.
    before: usize,
    /// Nodes at which it is looked whether there are too many, and made room for more.
    checkpoint: usize,
    apart: Option<Apart<'a>>,
    /// Why it stopped.
    error: Option<ParseError>,
}

/// The pass stopped, and the parser knows why. Nothing in it, so that what the functions of the pass answer fits into
/// registers.
pub(crate) struct Stopped;

pub(crate) type Parse<T> = Result<T, Stopped>;

/// A value that was passed over: its node, and the first byte behind it.
struct Seen {
    node: u32,
    end: u32,
}

/// A scalar that was passed over: the first byte behind it, and what is to know of it.
pub(crate) struct Token {
    pub(crate) end: u32,
    pub(crate) facts: Facts,
}

impl<'a> Parser<'a> {
    fn new(
        text: &'a [u8],
        base: Base,
        nodes: &'a mut Vec<Node>,
        bounds: Bounds,
        apart: Option<Apart<'a>>,
    ) -> Parser<'a> {
        Parser {
            text,
            base,
            before: nodes.len(),
            checkpoint: (nodes.len() + MANY).min(bounds.nodes),
            nodes,
            fingerprints: SmallVec::new(),
            print: Fingerprint::seeded(),
            facts: Facts::default(),
            height: 0,
            escapes: 0,
            bounds,
            apart,
            error: None,
        }
    }

    /// The whole text from `start` on: one value, and white space around it.
    fn whole(mut self, start: usize) -> Result<Parsed, ParseError> {
        let text = self.text;
        if text.len() > BYTES_MAX {
            return Err(ParseError { at: BYTES_MAX, reason: "longer than 2 GiB" });
        }
        if let Err(error) = simdutf8::basic::from_utf8(text) {
            let _ = error; // The quick check does not say where; the standard one does.
            let at = std::str::from_utf8(text).err().map_or(0, |error| error.valid_up_to());
            return Err(ParseError { at, reason: "not UTF-8" });
        }
        let start = self.space(start);
        if self.facts.has(Facts::NEWLINE) {
            self.facts.add(Facts::NEWLINE_FIRST);
        }
        let Ok(Seen { node: root, end }) = self.value(start, 0) else {
            return Err(self.error.expect("whoever stops says why"));
        };
        let facts = self.facts; // A newline behind the value is cut off with the white space around it: no fact of the document.
        let end = self.space(end as usize);
        match text.get(end) {
            None => Ok(Parsed { root, facts, height: self.height, escapes: self.escapes }),
            Some(_) => Err(ParseError { at: end, reason: "something follows the JSON value" }),
        }
    }

    /// Stops at a byte, for a reason; at the end of the text that is the reason.
    #[cold]
    pub(crate) fn fail<T>(&mut self, at: usize, reason: &'static str) -> Parse<T> {
        let reason = if at >= self.text.len() { "the text ends too early" } else { reason };
        self.error = Some(ParseError { at, reason });
        Err(Stopped)
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

    /// There are many nodes, or too many. Unless there is room for as many again, makes room for those of the text
    /// behind `at`, if there are as many in it as in what lies before, and a tenth more. So what is moved then is half
    /// full at least.
    #[cold]
    fn pass_checkpoint(&mut self, at: usize) -> Parse<()> {
        let (there, most) = (self.nodes.len(), self.bounds.nodes);
        if there > most {
            return self.fail(at, MANY_VALUES);
        }
        let known = there - self.before;
        if self.nodes.capacity() < there + known {
            let reckoned = known * (self.text.len() - at) / (at + 1);
            // Containers in each other are counted when they end.
            let more = (reckoned + reckoned / 10).min(most + DEPTH_MAX + 1 - there);
            if self.before == 0 { self.nodes.reserve_exact(more) } else { self.nodes.reserve(more) }
        }
        self.checkpoint = (there + known).min(most);
        Ok(())
    }

    /// One value from `at` on.
    fn value(&mut self, at: usize, depth: usize) -> Parse<Seen> {
        let (kind, token) = match self.text.get(at) {
            Some(b'"') => {
                let mut token = self.string(at)?;
                if token.end as usize - at > KEYWORD_CHARACTERS + 2 {
                    token.facts.add(Facts::LONG);
                }
                (Kind::String, token)
            }
            Some(b'{') => return self.object(at, depth),
            Some(b'[') => return self.array(at, depth),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.number(at)?),
            Some(b't') => (Kind::True, self.word(at, b"true")?),
            Some(b'f') => (Kind::False, self.word(at, b"false")?),
            Some(b'n') => (Kind::Null, self.word(at, b"null")?),
            _ => return self.fail(at, "a value is expected"),
        };
        let Token { end, facts } = token;
        Ok(Seen { node: self.push(kind, at, end as usize, facts), end })
    }

    fn word(&mut self, at: usize, word: &[u8]) -> Parse<Token> {
        if self.text[at..].starts_with(word) {
            Ok(Token { end: (at + word.len()) as u32, facts: Facts::default() })
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
        self.height = self.height.max(depth + 1);
        Ok(())
    }

    fn object(&mut self, start: usize, depth: usize) -> Parse<Seen> {
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
            let Key { end: key_end, facts: key_facts, print } = self.key(at)?;
            let whole_key = at + 1..key_end - 1;
            let name_end = match key_facts.has(Facts::KEY_TRAILING) {
                true => self.name_end(at + 1, key_end - 1),
                false => key_end - 1,
            };
            let key = Span::new(self.base, at + 1, name_end);
            self.compare_key(node, first_key, at, key_end, print)?;
            at = self.space(key_end);
            if self.text.get(at) != Some(&b':') {
                return self.fail(at, "a colon is expected after a key");
            }
            at = self.space(at + 1);
            let Seen { node: child, end } = match depth == 0 && self.is_apart(whole_key, at) {
                true => self.array_apart(at, depth + 1)?,
                false => self.value(at, depth + 1)?,
            };
            self.count(at)?;
            let member = &mut self.nodes[child as usize];
            member.key = key;
            member.facts.add(key_facts);
            member.parent = node;
            self.link(node, previous, child);
            previous = child;
            at = self.space(end as usize);
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

    fn array(&mut self, start: usize, depth: usize) -> Parse<Seen> {
        self.enter(start, depth)?;
        let node = self.push(Kind::Array, start, start, Facts::default());
        let mut previous = NONE;
        let (mut booleans, mut strings) = (false, false);
        let mut at = self.space(start + 1);
        if self.text.get(at) == Some(&b']') {
            return Ok(self.close(node, start, at + 1));
        }
        loop {
            let Seen { node: child, end } = self.value(at, depth + 1)?;
            self.count(at)?;
            let element = &mut self.nodes[child as usize];
            element.parent = node;
            booleans |= matches!(element.kind, Kind::True | Kind::False);
            strings |= element.kind == Kind::String;
            self.link(node, previous, child);
            previous = child;
            at = self.space(end as usize);
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

    fn is_apart(&self, key: Range<usize>, at: usize) -> bool {
        // However it is escaped: whoever looks at the keys later sees them unescaped.
        let is_named = |apart: &Apart| *apart.array == *text::unescape_wtf8(&self.text[key.clone()]);
        self.text.get(at) == Some(&b'[') && self.apart.as_ref().is_some_and(is_named)
    }

    /// An array whose elements are shown one by one and not kept.
    fn array_apart(&mut self, start: usize, depth: usize) -> Parse<Seen> {
        let node = self.push(Kind::Array, start, start, Facts::default());
        let kept = self.nodes.len();
        let mut at = self.space(start + 1);
        if self.text.get(at) == Some(&b']') {
            return Ok(self.close(node, start, at + 1));
        }
        loop {
            let Seen { node: child, end } = self.value(at, depth + 1)?;
            if let Some(apart) = &mut self.apart {
                (apart.show)(self.nodes, child);
            }
            self.nodes.truncate(kept);
            at = self.space(end as usize);
            match self.text.get(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b']') => return Ok(self.close(node, start, at + 1)),
                _ => return self.fail(at, "a comma or a closing bracket is expected"),
            }
        }
    }

    #[inline]
    fn count(&mut self, at: usize) -> Parse<()> {
        if self.nodes.len() > self.checkpoint { self.pass_checkpoint(at) } else { Ok(()) }
    }

    fn close(&mut self, node: u32, start: usize, end: usize) -> Seen {
        self.nodes[node as usize].value = Span::new(self.base, start, end);
        Seen { node, end: end as u32 }
    }

    #[inline]
    fn link(&mut self, parent: u32, previous: u32, child: u32) {
        match previous {
            NONE => self.nodes[parent as usize].first = child,
            previous => self.nodes[previous as usize].next = child,
        }
    }
}
