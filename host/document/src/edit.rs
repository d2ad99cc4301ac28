//! Changing a document: set, remove, replace. Only links and a few added bytes change; the source never does.

use crate::bounds::{self, Bounds};
use crate::find::{Found, Nodes};
use crate::keys;
use crate::looks;
use crate::meter::{CHANGE, Exhausted, Meter};
use crate::number::{self, NotFinite};
use crate::parse::{self, DEPTH_MAX, ParseError};
use crate::path::{Path, Pattern, Segment};
use crate::read::Value;
use crate::scan;
use crate::scope::{Denied, Reached, Scope};
use crate::text;
use crate::tree::{Base, Document, Facts, Kind, NONE, Node, Span};
use std::fmt;

/// The longest number that is written: `-1.7976931348623157e+308`, and some.
const NUMBER_BYTES: usize = 32;

/// Added bytes from which on moving them is no small thing.
const ADDED_MANY: usize = 64 << 10;

/// Why a change was not made. The document is as before, unless the meter was exhausted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The path leads through a value that is not an object (or, with an index, not an array).
    ThroughScalar,
    /// The index is beyond the end of the array.
    BeyondEnd,
    /// The text given as JSON is not JSON.
    NotJson(ParseError),
    /// The number is NaN or infinite.
    NotFinite,
    /// The document would be nested deeper than any reader takes.
    TooDeep,
    /// The step's scope forbids it.
    Denied(Denied),
    /// It would take more work or memory than the meter allows.
    Exhausted(Exhausted),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::ThroughScalar => f.write_str("the path leads through a value that holds no fields"),
            EditError::BeyondEnd => f.write_str("the index is beyond the end of the array"),
            EditError::NotJson(error) => write!(f, "the value is not JSON: {error}"),
            EditError::NotFinite => f.write_str("NaN and infinities are not JSON numbers"),
            EditError::TooDeep => f.write_str("the event would be nested deeper than 512 levels"),
            EditError::Denied(denied) => write!(f, "{denied}"),
            EditError::Exhausted(exhausted) => write!(f, "{exhausted}"),
        }
    }
}

impl std::error::Error for EditError {}

impl From<NotFinite> for EditError {
    fn from(_: NotFinite) -> EditError {
        EditError::NotFinite
    }
}

impl From<Denied> for EditError {
    fn from(denied: Denied) -> EditError {
        EditError::Denied(denied)
    }
}

impl From<Exhausted> for EditError {
    fn from(exhausted: Exhausted) -> EditError {
        EditError::Exhausted(exhausted)
    }
}

/// A value whose text was added, ready to be linked.
#[derive(Clone, Copy)]
pub(crate) struct Added {
    pub(crate) kind: Kind,
    pub(crate) value: Span,
    pub(crate) first: u32,
    pub(crate) facts: Facts,
    /// Bytes it will be written in, about, and not less.
    pub(crate) bytes: usize,
}

impl Document {
    /// Puts `value` at `path`: in every spelling that is there, else as a new field, with the objects on the way.
    ///
    /// `scope`: of a step that sees everything; for others there is [`Restricted`](crate::Restricted).
    ///
    /// # Errors
    /// A path through a scalar, an index beyond the end, a value that is not JSON, a field that `scope` forbids to
    /// change, or more work or memory than the meter allows.
    pub fn set(
        &mut self,
        path: &Path<'_>,
        value: &Value<'_>,
        scope: Option<&Scope>,
        meter: &mut Meter,
    ) -> Result<(), EditError> {
        if let Some(scope) = scope {
            debug_assert!(scope.reads_all(), "what is answered would tell what is hidden");
            scope.permit_write(&path.segments())?;
        }
        match path.plain() {
            Some(text) if !self.has_spellings() => self.set_plain(path, text, value, meter),
            _ => self.set_segments(&path.segments(), value, meter),
        }
    }

    /// Most changes: plain keys, and no field has two spellings.
    fn set_plain(
        &mut self,
        path: &Path<'_>,
        text: &str,
        value: &Value<'_>,
        meter: &mut Meter,
    ) -> Result<(), EditError> {
        if matches!(value, Value::Json(_)) {
            return self.set_segments(&path.segments(), value, meter);
        }
        let found = self.walk_plain(text, meter)?;
        let added = match (found, text.contains('.') || self.node(self.root).kind != Kind::Object) {
            (None, true) => return self.set_segments(&path.segments(), value, meter),
            (Some(_), _) | (None, false) => self.add_value(value, 0, meter)?,
        };
        let node = match found {
            Some(node) => node,
            None => {
                meter.take(text.len() + 2)?;
                self.make_room_for_text(text.len() + 2, meter)?;
                let from = self.buffers.added.len() + 1;
                looks::bytes(text.len());
                self.buffers.added.push(b'"');
                self.buffers.added.extend_from_slice(text.as_bytes());
                self.buffers.added.push(b'"');
                let key = Span::new(Base::added(0), from, self.buffers.added.len() - 1);
                self.add_child(self.root, key, keys::key_facts(text.as_bytes()), meter)?
            }
        };
        Ok(self.fill(node, added, meter)?)
    }

    pub(crate) fn set_segments(
        &mut self,
        path: &[Segment<'_>],
        value: &Value<'_>,
        meter: &mut Meter,
    ) -> Result<(), EditError> {
        let found = self.find_all(path, meter)?;
        let way = if found.exact.is_empty() { Some(self.way_to(path, meter)?) } else { None };
        let added = self.add_value(value, path.len(), meter)?;
        Ok(self.put(&found, way, added, meter)?)
    }

    /// [`Document::set`] for a text: the commonest change.
    ///
    /// # Errors
    /// As [`Document::set`].
    pub fn set_text(
        &mut self,
        path: &Path<'_>,
        value: &str,
        scope: Option<&Scope>,
        meter: &mut Meter,
    ) -> Result<(), EditError> {
        self.set(path, &Value::Text(value.into()), scope, meter)
    }

    /// Puts a text in the place of every value the pattern names, arrays being transparent; says how many. Where
    /// nothing is named nothing is made, and null, which OpenSearch takes for nothing, stays: what a mask needs.
    ///
    /// # Errors
    /// A field that `scope` forbids to change, and nothing is replaced then; or more work or memory than the meter
    /// allows.
    pub fn replace_text(
        &mut self,
        pattern: &Pattern<'_>,
        text: &str,
        scope: Option<&Scope>,
        meter: &mut Meter,
    ) -> Result<u32, EditError> {
        let nodes = self.all_changeable(pattern, scope, Reached::Whole, meter)?;
        self.replace_all(nodes, text, meter)
    }

    /// Puts a text in the place of these values, but for null; says how many.
    pub(crate) fn replace_all(&mut self, nodes: Nodes, text: &str, meter: &mut Meter) -> Result<u32, EditError> {
        let mut nodes = nodes;
        meter.nodes(nodes.len())?;
        nodes.retain(|&mut node| self.node(node).kind != Kind::Null);
        if nodes.is_empty() {
            return Ok(0);
        }
        let added = self.add_value(&Value::Text(text.into()), 0, meter)?;
        for &node in &nodes {
            self.fill(node, added, meter)?;
        }
        Ok(nodes.len() as u32)
    }

    /// Removes every value the pattern names, arrays being transparent; says how many.
    ///
    /// # Errors
    /// As [`Document::replace_text`].
    pub fn remove(
        &mut self,
        pattern: &Pattern<'_>,
        scope: Option<&Scope>,
        meter: &mut Meter,
    ) -> Result<u32, EditError> {
        let nodes = self.all_changeable(pattern, scope, Reached::Whole, meter)?;
        self.unlink(&nodes, meter)?;
        Ok(nodes.len() as u32)
    }

    /// The values a pattern names that the step sees, all of which it may change. Not the root: an event has a value
    /// until it is dropped.
    pub(crate) fn all_changeable(
        &mut self,
        pattern: &Pattern<'_>,
        scope: Option<&Scope>,
        reached: Reached,
        meter: &mut Meter,
    ) -> Result<Nodes, EditError> {
        let mut nodes = match scope {
            Some(scope) => self.changeable(pattern, scope, reached, meter)??,
            None => self.expand_nodes(pattern, meter)?,
        };
        let root = self.root;
        nodes.retain(|&mut node| node != root);
        Ok(nodes)
    }

    /// Puts a value at a path: in the place of what it names, and of what goes on behind it in dotted keys. `way`:
    /// where it goes when there is no exact value, as [`Document::way_to`] tells.
    pub(crate) fn put(
        &mut self,
        found: &Found,
        way: Option<(u32, &[Segment<'_>])>,
        added: Added,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        if !found.beyond.is_empty() {
            let beyond: Nodes = found.beyond.iter().map(|beyond| beyond.node).collect();
            self.unlink(&beyond, meter)?;
        }
        if let Some((parent, rest)) = way {
            return self.insert_added(parent, rest, added, meter);
        }
        let (&last, others) = found.exact.split_last().expect("without a way there is a value");
        for &node in others {
            // Children cannot have two parents.
            let first = self.copy_children(added.first, meter)?;
            self.fill(node, Added { first, ..added }, meter)?;
        }
        self.fill(last, added, meter)
    }

    /// Gives a linked node another value, its key and place kept.
    fn fill(&mut self, node: u32, added: Added, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.work(CHANGE)?;
        if self.node(node).first != NONE && self.node(node).first != added.first {
            self.dead += self.size(node, meter)? - 1;
        }
        self.indexes.forget(node);
        let of_key = self.node(node).facts.of_key();
        self.facts.add(added.facts.of_value());
        self.placed += added.bytes;
        let target = self.node_mut(node);
        target.kind = added.kind;
        target.value = added.value;
        target.first = added.first;
        // Its text is no longer where its key is, and leads to no other.
        target.facts = added.facts.of_value() | of_key | Facts::MOVED | Facts::BREAK;
        let (parent, kind) = (target.parent, target.kind);
        self.adopt(node, meter)?;
        self.touch(parent);
        if kind.is_container() {
            self.facts.add(Facts::DEEP);
        }
        self.note_mixed(parent);
        Ok(())
    }

    /// Gives a node a scalar's text.
    pub(crate) fn replace(&mut self, node: u32, text: &[u8], kind: Kind, meter: &mut Meter) -> Result<(), Exhausted> {
        let value = self.add_text(text, meter)?;
        self.fill(node, Added { kind, value, first: NONE, facts: Facts::default(), bytes: text.len() }, meter)
    }

    /// The deepest container on the way to a path, and the part of the path that is missing below it.
    pub(crate) fn way_to<'s, 'p>(
        &mut self,
        path: &'s [Segment<'p>],
        meter: &mut Meter,
    ) -> Result<(u32, &'s [Segment<'p>]), EditError> {
        let mut node = self.root;
        let mut depth = 0;
        for end in (1..path.len()).rev() {
            if let Some(found) = self.find_segments(&path[..end], meter)? {
                (node, depth) = (found, end);
                break;
            }
        }
        let rest = &path[depth..];
        match (&rest[0], self.node(node).kind) {
            (Segment::Key { .. }, Kind::Object) => {}
            (Segment::Index(index), Kind::Array) => {
                if *index as usize != self.count_children(node, meter)? {
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
    fn insert_added(
        &mut self,
        parent: u32,
        rest: &[Segment<'_>],
        added: Added,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let mut parent = parent;
        let mut at = 0;
        loop {
            let (key, facts, used) = self.add_key(&rest[at..], meter)?;
            at += used;
            let child = self.add_child(parent, key, facts, meter)?;
            if at == rest.len() {
                return self.fill(child, added, meter);
            }
            let (text, kind): (&[u8], _) = match rest[at] {
                Segment::Index(_) => (b"[]", Kind::Array),
                Segment::Key { .. } | Segment::AnyKey | Segment::AnyElement => (b"{}", Kind::Object),
            };
            self.replace(child, text, kind, meter)?;
            parent = child;
        }
    }

    /// The key that the first segments of `rest` spell, and how many they are: a quoted key with dots is one key.
    pub(crate) fn add_key(
        &mut self,
        rest: &[Segment<'_>],
        meter: &mut Meter,
    ) -> Result<(Span, Facts, usize), Exhausted> {
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
                Segment::Index(_) | Segment::AnyKey | Segment::AnyElement => {
                    return Ok((Span::EMPTY, Facts::default(), 1));
                }
            }
        }
        meter.take(text::ESCAPED_MAX * key.len() + 2)?;
        self.make_room_for_text(key.len() + 2, meter)?;
        let from = self.buffers.added.len() + 1;
        text::escape_into(&mut self.buffers.added, &key);
        let span = Span::new(Base::added(0), from, self.buffers.added.len() - 1);
        Ok((span, keys::key_facts(self.slice(span)), used))
    }

    /// An array that changed may now hold booleans beside strings.
    fn note_mixed(&mut self, parent: u32) {
        if parent != NONE && self.node(parent).kind == Kind::Array {
            self.node_mut(parent).facts.add(Facts::MIXED);
            self.facts.add(Facts::MIXED);
        }
    }

    fn add_text(&mut self, text: &[u8], meter: &mut Meter) -> Result<Span, Exhausted> {
        meter.take(text.len())?;
        self.make_room_for_text(text.len(), meter)?;
        let from = self.buffers.added.len();
        looks::bytes(text.len());
        self.buffers.added.extend_from_slice(text);
        Ok(Span::new(Base::added(0), from, self.buffers.added.len()))
    }

    /// Adds a value's text and, for JSON text, its nodes.
    ///
    /// `depth` is where it will stand: the levels above it.
    fn add_value(&mut self, value: &Value<'_>, depth: usize, meter: &mut Meter) -> Result<Added, EditError> {
        if let Value::Json(json) = value {
            return self.add_json(json.as_bytes(), depth, meter);
        }
        self.make_room_for_text(self.text_bytes(value), meter)?;
        let from = self.buffers.added.len();
        let (kind, facts) = match value {
            Value::Null | Value::Json(_) => self.add_word(b"null", Kind::Null),
            Value::Boolean(true) => self.add_word(b"true", Kind::True),
            Value::Boolean(false) => self.add_word(b"false", Kind::False),
            Value::Integer(number) => {
                let text = number.to_string();
                let odd = if text.len() > scan::SAFE_DIGITS { Facts::NUMBER_ODD } else { Facts::default() };
                (self.add_word(text.as_bytes(), Kind::Number).0, odd)
            }
            Value::Number(number) => {
                number::write(&mut self.buffers.added, *number)?;
                (Kind::Number, Facts::NUMBER_ODD)
            }
            Value::Text(text) => {
                meter.room(text::ESCAPED_MAX * text.len())?;
                meter.read(text.len())?;
                text::escape_into(&mut self.buffers.added, text);
                let escapes = self.buffers.added.len() - from - text.len() - 2;
                let mut facts = if escapes > 0 { Facts::ESCAPED } else { Facts::default() };
                if text.len() > 256 {
                    facts.add(Facts::LONG);
                }
                (Kind::String, facts)
            }
        };
        self.facts.add(facts);
        let value = Span::new(Base::added(0), from, self.buffers.added.len());
        meter.take(value.len())?;
        Ok(Added { kind, value, first: NONE, facts, bytes: value.len() })
    }

    /// Bytes to have ready for a value's text. Only where moving what there is would cost something, all that escapes
    /// may add.
    #[inline]
    fn text_bytes(&self, value: &Value<'_>) -> usize {
        match value {
            Value::Text(text) if self.buffers.added.len() < ADDED_MANY => text.len() + 2,
            Value::Text(text) => text::ESCAPED_MAX * text.len() + 2,
            _ => NUMBER_BYTES,
        }
    }

    fn add_word(&mut self, text: &[u8], kind: Kind) -> (Kind, Facts) {
        self.buffers.added.extend_from_slice(text);
        (kind, Facts::default())
    }

    fn add_json(&mut self, json: &[u8], depth: usize, meter: &mut Meter) -> Result<Added, EditError> {
        // White space around a value is no part of it.
        let json = json.trim_ascii();
        meter.take(json.len())?;
        self.make_room_for_text(json.len(), meter)?;
        let (before, capacity) = (self.buffers.nodes.len(), self.buffers.nodes.capacity());
        let base = Base::added(self.buffers.added.len());
        let bounds = Bounds::of_part(before, meter);
        // A value takes two bytes at least. Where there may be no room for all, those that are there are moved.
        if capacity - before < bounds.nodes.saturating_sub(before).min(json.len() / 2 + 1) {
            meter.room(3 * before * size_of::<Node>())?;
        }
        let parsed = match parse::parse_text(json, base, &mut self.buffers.nodes, bounds) {
            Ok(parsed) => parsed,
            Err(error) => {
                let nodes = self.buffers.nodes.len() - before;
                self.buffers.nodes.truncate(before);
                // What was read before the mistake was work too.
                meter.work(bounds::work(error.at.min(json.len()), nodes))?;
                return Err(bounds.exceeded_by(&error).map_or(EditError::NotJson(error), EditError::Exhausted));
            }
        };
        if self.buffers.nodes.capacity() > capacity {
            meter.move_all(before * size_of::<Node>())?;
        }
        let nodes = self.buffers.nodes.len() - before;
        meter.work(parsed.work(json.len(), nodes))?;
        meter.take(nodes * size_of::<Node>())?;
        if depth + parsed.height > DEPTH_MAX {
            self.buffers.nodes.truncate(before);
            return Err(EditError::TooDeep);
        }
        looks::bytes(json.len());
        self.buffers.added.extend_from_slice(json);
        self.facts.add(parsed.facts);
        let Node { kind, value, first, facts, .. } = *self.node(parsed.root);
        Ok(Added { kind, value, first, facts, bytes: value.len() })
    }
}
