//! Changing a document: set, remove, rename. Only links and a few added bytes change; the source never does.

use crate::find::{Found, Nodes};
use crate::keys;
use crate::number::{self, NotFinite};
use crate::parse::{self, DEPTH_MAX, ParseError};
use crate::path::{Path, Pattern, Segment};
use crate::read::Value;
use crate::scan;
use crate::scope::{Denied, Scope};
use crate::text;
use crate::tree::{Base, Document, Facts, Kind, NONE, Node, Span};
use std::fmt;

/// Why a change was not made. The document is as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The path leads through a value that is no object (or, with an index, no array).
    ThroughScalar,
    /// The index is beyond the end of the array.
    BeyondEnd,
    /// The text given as JSON is none.
    NotJson(ParseError),
    /// The number is NaN or infinite.
    NotFinite,
    /// The step's scope forbids it.
    Denied(Denied),
    /// The added bytes would be more than a document may hold.
    TooLarge,
    /// The document would be nested deeper than any reader takes.
    TooDeep,
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::ThroughScalar => f.write_str("the path leads through a value that holds no fields"),
            EditError::BeyondEnd => f.write_str("the index is beyond the end of the array"),
            EditError::NotJson(error) => write!(f, "the value is not JSON: {error}"),
            EditError::NotFinite => f.write_str("NaN and infinities are no JSON numbers"),
            EditError::Denied(denied) => write!(f, "{denied}"),
            EditError::TooDeep => f.write_str("the event would be nested deeper than 512 levels"),
            EditError::TooLarge => f.write_str("the changes to one event take more than 64 MiB"),
        }
    }
}

impl std::error::Error for EditError {}

impl From<NotFinite> for EditError {
    fn from(_: NotFinite) -> EditError {
        EditError::NotFinite
    }
}

/// Most bytes that a document may have besides its source: what the host holds for all events of one call.
const OVERLAY_BYTES_MAX: usize = 64 << 20;

/// A value whose text was added, ready to be linked.
pub(crate) struct Added {
    pub(crate) kind: Kind,
    pub(crate) value: Span,
    pub(crate) first: u32,
    pub(crate) facts: Facts,
}

impl Document {
    /// Puts `value` at `path`: in every spelling that is there, else as a new field, with the objects on the way.
    ///
    /// # Errors
    /// A path through a scalar, an index beyond the end, a value that is no JSON, or a field that `scope` forbids.
    pub fn set(&mut self, path: &Path<'_>, value: &Value<'_>, scope: Option<&Scope>) -> Result<(), EditError> {
        if let Some(scope) = scope {
            self.permit_write(&path.segments(), scope).map_err(EditError::Denied)?;
        }
        match path.plain() {
            Some(text) if !self.facts.has(Facts::KEY_DOTTED) => self.set_plain(path, text, value),
            _ => self.set_segments(&path.segments(), value),
        }
    }

    /// Most changes: plain keys, no dots in any key of the document.
    fn set_plain(&mut self, path: &Path<'_>, text: &str, value: &Value<'_>) -> Result<(), EditError> {
        if matches!(value, Value::Json(_)) {
            return self.set_segments(&path.segments(), value);
        }
        let found = self.walk_plain(text);
        let added = match (found, text.contains('.') || self.node(self.root).kind != Kind::Object) {
            (None, true) => return self.set_segments(&path.segments(), value),
            (Some(_), _) | (None, false) => self.add_value(value, 0)?,
        };
        let node = match found {
            Some(node) => node,
            None => {
                let from = self.buffers.added.len() + 1;
                self.buffers.added.push(b'"');
                self.buffers.added.extend_from_slice(text.as_bytes());
                self.buffers.added.push(b'"');
                let key = Span::new(Base::added(0), from, self.buffers.added.len() - 1);
                self.add_child(self.root, key, keys::key_facts(text.as_bytes()))
            }
        };
        self.fill(node, added);
        Ok(())
    }

    fn set_segments(&mut self, segments: &[Segment<'_>], value: &Value<'_>) -> Result<(), EditError> {
        let found = self.find_all(segments);
        let way = if found.exact.is_empty() { Some(self.way_to(segments)?) } else { None };
        let nodes = self.buffers.nodes.len();
        let added = self.add_value(value, segments.len())?;
        // A value with parts is copied for each further spelling.
        let copies = if added.first == NONE { 0 } else { found.exact.len().saturating_sub(1) };
        let one = added.value.len() + (self.buffers.nodes.len() - nodes) * size_of::<Node>();
        if self.overlay_bytes().saturating_add(copies.saturating_mul(one)) > OVERLAY_BYTES_MAX {
            return Err(EditError::TooLarge);
        }
        self.put(&found, way, added);
        Ok(())
    }

    /// [`Document::set`] for a text: the commonest change.
    ///
    /// # Errors
    /// As [`Document::set`].
    pub fn set_text(&mut self, path: &Path<'_>, value: &str, scope: Option<&Scope>) -> Result<(), EditError> {
        self.set(path, &Value::Text(value.into()), scope)
    }

    /// Puts a text in the place of every value the pattern names, arrays being transparent; says how many. Where nothing is
    /// named nothing is made, and null, which OpenSearch takes for nothing, stays: what a mask needs.
    ///
    /// # Errors
    /// A field that `scope` forbids to change, or more added bytes than a document holds; nothing is replaced then.
    pub fn replace_text(&mut self, pattern: &Pattern<'_>, text: &str, scope: Option<&Scope>) -> Result<u32, EditError> {
        let mut nodes = self.changeable(pattern, scope).map_err(EditError::Denied)?;
        nodes.retain(|&mut node| self.node(node).kind != Kind::Null);
        if nodes.is_empty() {
            return Ok(0);
        }
        let added = self.add_value(&Value::Text(text.into()), 0)?;
        for &node in &nodes {
            self.fill(node, Added { ..added });
        }
        Ok(nodes.len() as u32)
    }

    /// Removes every value the pattern names, arrays being transparent; says how many.
    ///
    /// # Errors
    /// A field that `scope` forbids to change; nothing is removed then.
    pub fn remove(&mut self, pattern: &Pattern<'_>, scope: Option<&Scope>) -> Result<u32, Denied> {
        let nodes = self.changeable(pattern, scope)?;
        self.unlink(&nodes);
        Ok(nodes.len() as u32)
    }

    /// The values a pattern names that the step sees, all of which it may change. Not the root: an event has a value until it is
    /// dropped.
    fn changeable(&mut self, pattern: &Pattern<'_>, scope: Option<&Scope>) -> Result<Nodes, Denied> {
        let mut nodes = self.expand_nodes(pattern, usize::MAX);
        if let Some(scope) = scope {
            nodes.retain(|&mut node| self.has_visible(node, scope));
            for &node in &nodes {
                self.permit_change_of(node, scope)?;
            }
        }
        let root = self.root;
        nodes.retain(|&mut node| node != root);
        Ok(nodes)
    }

    /// Puts a value at a path: in the place of what it names, and of what goes on behind it in dotted keys. `way`: where it goes
    /// when there is no exact value, as [`Document::way_to`] tells.
    pub(crate) fn put(&mut self, found: &Found, way: Option<(u32, &[Segment<'_>])>, added: Added) {
        self.unlink(&found.beyond);
        if let Some((parent, rest)) = way {
            return self.insert_added(parent, rest, added);
        }
        let copies = found.exact.len();
        for &node in &found.exact[..copies - 1] {
            let copy = self.copy_value(&added);
            self.fill(node, copy);
        }
        self.fill(found.exact[copies - 1], added);
    }

    /// A second value like `added`: its children cannot have two parents, so they are written and read again.
    fn copy_value(&mut self, added: &Added) -> Added {
        if added.first == NONE {
            return Added { ..*added };
        }
        let probe = self.buffers.nodes.len() as u32;
        self.buffers.nodes.push(Node {
            key: Span::EMPTY,
            value: added.value,
            parent: NONE,
            first: added.first,
            next: NONE,
            kind: added.kind,
            facts: added.facts,
        });
        let mut text = Vec::new();
        self.write_node(probe, &mut text);
        self.add_json(&text).expect("what the writer writes is JSON")
    }

    /// Gives a linked node another value, its key and place kept.
    fn fill(&mut self, node: u32, added: Added) {
        let mut child = added.first;
        while child != NONE {
            let next = self.node(child).next;
            self.node_mut(child).parent = node;
            child = next;
        }
        let old = self.node(node).facts;
        if self.node(node).first != NONE && self.node(node).first != added.first {
            self.dead += self.size(node) - 1;
        }
        self.facts.add(added.facts.of_value());
        self.placed += added.value.len();
        let target = self.node_mut(node);
        target.kind = added.kind;
        target.value = added.value;
        target.first = added.first;
        let mut facts = added.facts.of_value();
        for kept in [Facts::KEY_ESCAPED, Facts::KEY_DOTTED, Facts::KEY_ODD] {
            if old.has(kept) {
                facts.add(kept);
            }
        }
        // Its text is no longer where its key is, and leads to no other.
        facts.add(Facts::MOVED | Facts::BREAK);
        target.facts = facts;
        let (parent, kind) = (target.parent, target.kind);
        self.touch(parent);
        if kind.is_container() {
            self.facts.add(Facts::DEEP);
        }
        self.note_mixed(parent);
    }

    /// Gives a node a scalar's text.
    pub(crate) fn replace(&mut self, node: u32, text: &[u8], kind: Kind) {
        let value = self.add_text(text);
        self.fill(node, Added { kind, value, first: NONE, facts: Facts::default() });
    }

    /// The deepest container on the way to a path, and the part of the path that is missing below it.
    pub(crate) fn way_to<'s, 'p>(
        &mut self,
        segments: &'s [Segment<'p>],
    ) -> Result<(u32, &'s [Segment<'p>]), EditError> {
        let mut node = self.root;
        let mut depth = 0;
        for end in (1..segments.len()).rev() {
            if let Some(found) = self.find_segments(&segments[..end]) {
                (node, depth) = (found, end);
                break;
            }
        }
        let rest = &segments[depth..];
        match (&rest[0], self.node(node).kind) {
            (Segment::Key { .. }, Kind::Object) => {}
            (Segment::Index(index), Kind::Array) => {
                if *index as usize != self.children(node).count() {
                    return Err(EditError::BeyondEnd);
                }
            }
            (_, _) => return Err(EditError::ThroughScalar),
        }
        match rest[1..].iter().find_map(|segment| match segment {
            Segment::Key { .. } => None,
            Segment::Index(0) => None,
            Segment::Index(_) | Segment::AnyKey | Segment::AnyElement => Some(EditError::BeyondEnd),
        }) {
            Some(error) => Err(error),
            None => Ok((node, rest)),
        }
    }

    /// Links `added` below `parent`, making the objects (or arrays, before an index) that `rest` needs.
    pub(crate) fn insert_added(&mut self, parent: u32, rest: &[Segment<'_>], added: Added) {
        let mut parent = parent;
        let mut at = 0;
        loop {
            let (key, facts, used) = self.add_key(&rest[at..]);
            at += used;
            let last = at == rest.len();
            let child = self.add_child(parent, key, facts);
            if last {
                self.fill(child, added);
                return;
            }
            let array = matches!(rest[at], Segment::Index(_));
            let value = self.add_text(if array { b"[]" } else { b"{}" });
            let kind = if array { Kind::Array } else { Kind::Object };
            self.fill(child, Added { kind, value, first: NONE, facts: Facts::default() });
            parent = child;
        }
    }

    /// The key that the first segments of `rest` spell, and how many they are: a quoted key with dots is one key.
    pub(crate) fn add_key(&mut self, rest: &[Segment<'_>]) -> (Span, Facts, usize) {
        let mut key = String::new();
        let mut used = 0;
        for segment in rest {
            used += 1;
            match segment {
                Segment::Key { name, joined } => {
                    key.push_str(name);
                    if !joined {
                        break;
                    }
                    key.push('.');
                }
                Segment::Index(_) | Segment::AnyKey | Segment::AnyElement => return (Span::EMPTY, Facts::default(), 1),
            }
        }
        let from = self.buffers.added.len() + 1;
        text::escape_into(&mut self.buffers.added, &key);
        let span = Span::new(Base::added(0), from, self.buffers.added.len() - 1);
        (span, keys::key_facts(self.slice(span)), used)
    }

    /// An array that changed may now hold booleans beside strings.
    fn note_mixed(&mut self, parent: u32) {
        if parent != NONE && self.node(parent).kind == Kind::Array {
            self.node_mut(parent).facts.add(Facts::MIXED);
            self.facts.add(Facts::MIXED);
        }
    }

    fn add_text(&mut self, text: &[u8]) -> Span {
        let from = self.buffers.added.len();
        self.buffers.added.extend_from_slice(text);
        Span::new(Base::added(0), from, self.buffers.added.len())
    }

    /// Adds a value's text and, for JSON text, its nodes.
    ///
    /// `depth` is where it will stand: the levels above it.
    fn add_value(&mut self, value: &Value<'_>, depth: usize) -> Result<Added, EditError> {
        if self.overlay_bytes() + value.bytes() > OVERLAY_BYTES_MAX {
            return Err(EditError::TooLarge);
        }
        let from = self.buffers.added.len();
        let (kind, facts) = match value {
            Value::Null => (self.push_word(b"null", Kind::Null), Facts::default()),
            Value::Boolean(true) => (self.push_word(b"true", Kind::True), Facts::default()),
            Value::Boolean(false) => (self.push_word(b"false", Kind::False), Facts::default()),
            Value::Integer(number) => {
                let text = number.to_string();
                let odd = if text.len() > scan::SAFE_DIGITS { Facts::NUMBER_ODD } else { Facts::default() };
                (self.push_word(text.as_bytes(), Kind::Number), odd)
            }
            Value::Number(number) => {
                number::write(&mut self.buffers.added, *number)?;
                (Kind::Number, Facts::NUMBER_ODD)
            }
            Value::Text(text) => {
                text::escape_into(&mut self.buffers.added, text);
                let escaped = self.buffers.added.len() - from != text.len() + 2;
                let mut facts = if escaped { Facts::ESCAPED } else { Facts::default() };
                if text.len() > 256 {
                    facts.add(Facts::LONG);
                }
                (Kind::String, facts)
            }
            Value::Json(json) => {
                let added = self.add_json(json.as_bytes())?;
                let height =
                    std::iter::successors(Some(added.first), |&child| (child != NONE).then(|| self.node(child).next));
                let below =
                    height.take_while(|&child| child != NONE).map(|child| self.height(child)).max().unwrap_or(0);
                return if depth + below < DEPTH_MAX { Ok(added) } else { Err(EditError::TooDeep) };
            }
        };
        self.facts.add(facts);
        Ok(Added { kind, value: Span::new(Base::added(0), from, self.buffers.added.len()), first: NONE, facts })
    }

    /// Arrays and objects in each other, as the pass that reads documents counts them: a value that holds nothing adds none.
    pub(crate) fn height(&self, node: u32) -> usize {
        if !matches!(self.node(node).kind, Kind::Array | Kind::Object) {
            return 0;
        }
        1 + self.children(node).map(|child| self.height(child)).max().unwrap_or(0)
    }

    fn push_word(&mut self, text: &[u8], kind: Kind) -> Kind {
        self.buffers.added.extend_from_slice(text);
        kind
    }

    fn add_json(&mut self, json: &[u8]) -> Result<Added, EditError> {
        // White space around a value is no part of it.
        let json = json.trim_ascii();
        let nodes = self.buffers.nodes.len();
        let base = Base::added(self.buffers.added.len());
        let parsed = parse::parse_text(json, base, &mut self.buffers.nodes).map_err(|error| {
            self.buffers.nodes.truncate(nodes);
            EditError::NotJson(error)
        })?;
        self.buffers.added.extend_from_slice(json);
        self.facts.add(parsed.facts);
        let root = *self.node(parsed.root);
        Ok(Added { kind: root.kind, value: root.value, first: root.first, facts: root.facts })
    }
}
