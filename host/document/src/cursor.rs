//! Reading values one by one, without a path and without a copy: for those who know a text's shape.

use crate::keys;
use crate::parse::{self, ParseError};
use crate::text;
use crate::tree::{Base, Buffers, Facts, Kind, NONE, Node, Span};
use std::borrow::Cow;

/// One value of a text.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    /// The validated text, and the nodes over it.
    text: &'a [u8],
    nodes: &'a [Node],
    node: u32,
}

/// Validates a text as [`Document::parse`](crate::Document::parse) does and shows it: each element of the array that
/// stands at the key `array` of the outermost object on its own, then the outermost value without them. Nothing of an
/// element is kept, so a batch of records is read in the memory of one.
///
/// # Errors
/// As `Document::parse`; the elements before the offence were shown.
pub fn visit(
    text: &[u8],
    array: &str,
    each: &mut dyn FnMut(Cursor<'_>),
    whole: impl FnOnce(Cursor<'_>),
) -> Result<(), ParseError> {
    let mut buffers = Buffers::new();
    let mut show = |nodes: &[Node], node| each(Cursor { text, nodes, node });
    let parsed = parse::parse_text_apart(text, &mut buffers.nodes, array, &mut show)?;
    whole(Cursor { text, nodes: &buffers.nodes, node: parsed.root });
    Ok(())
}

impl<'a> Cursor<'a> {
    fn node(self) -> &'a Node {
        &self.nodes[self.node as usize]
    }

    fn slice(self, span: Span) -> &'a [u8] {
        let start = span.offset_from(Base::source(0));
        &self.text[start..start + span.len()]
    }

    /// The members of an object, each with its key as UTF-8, unescaped; of any other value none.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cursor<'a>)> {
        let first = if self.is_object() { self.node().first } else { NONE };
        let cursor = move |node| (node != NONE).then_some(Cursor { node, ..self });
        std::iter::successors(cursor(first), move |child| cursor(child.node().next))
            .map(|child| (text::unescape_wtf8(child.key()), child))
    }

    /// The whole key of a member, as written.
    fn key(self) -> &'a [u8] {
        let Node { key, facts, .. } = *self.node();
        let text = &self.text[key.offset_from(Base::source(0))..];
        &text[..keys::written_bytes(text, key.len(), facts)]
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.node().kind == Kind::Object
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.node().kind == Kind::Array
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.node().kind == Kind::Null
    }

    /// A string without its quotes, unescaped: a part of the text, or one of its own where there were escapes. UTF-8,
    /// but for lone surrogates, which are as in WTF-8.
    pub fn text(self) -> Option<Cow<'a, [u8]>> {
        let raw = self.slice(self.node().value);
        match (self.node().kind, self.node().facts.has(Facts::ESCAPED)) {
            (Kind::String, false) => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            (Kind::String, true) => Some(text::unescape_wtf8(&raw[1..raw.len() - 1])),
            _ => None,
        }
    }

    /// A number as the nearest float; beyond the largest it is infinite.
    pub fn number(self) -> Option<f64> {
        let number = || std::str::from_utf8(self.slice(self.node().value)).ok()?.parse().ok();
        (self.node().kind == Kind::Number).then(number).flatten()
    }
}
