//! What the validating pass leaves behind: one node a value, linked as a tree, each pointing at its text.
//!
//! Nodes are 32 bytes in one vector, so a copy of a document (for fan-out) is one `memcpy`. Texts lie in one of two
//! buffers: the event's own bytes, which never change, and `added`, which only grows.

use crate::index::Indexes;
use crate::looks;
use crate::meter::{CHANGE, Exhausted, Meter};
use bytes::Bytes;
use std::cell::RefCell;

/// No node: the end of a list, or the parent of the root.
pub(crate) const NONE: u32 = u32::MAX;

/// Set in a span's start when it points into the added text.
const ADDED: u32 = 1 << 31;

/// A stretch of text in one of the two buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) const EMPTY: Span = Span { start: 0, len: 0 };

    /// `from..to` behind `base`, which says the buffer and where the parsed text begins in it.
    pub(crate) fn new(base: Base, from: usize, to: usize) -> Span {
        Span { start: base.0 + from as u32, len: (to - from) as u32 }
    }

    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    /// From the start of this span to the end of a later one in the same buffer.
    pub(crate) fn through(self, end: Span) -> Span {
        Span { start: self.start, len: end.start + end.len - self.start }
    }

    /// The span with the quotes around it (a key's span leaves them out).
    pub(crate) fn quoted(self) -> Span {
        Span { start: self.start - 1, len: self.len + 2 }
    }

    /// How far behind `base` it begins.
    pub(crate) fn offset_from(self, base: Base) -> usize {
        (self.start - base.0) as usize
    }
}

/// Where a parsed text begins: in the source, or at an offset of the added text.
#[derive(Clone, Copy)]
pub(crate) struct Base(u32);

impl Base {
    pub(crate) fn source(offset: usize) -> Base {
        Base(offset as u32)
    }

    pub(crate) fn added(offset: usize) -> Base {
        Base(ADDED | offset as u32)
    }
}

/// The six kinds of JSON value, booleans apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn is_container(self) -> bool {
        matches!(self, Kind::Array | Kind::Object)
    }
}

/// What is known of one node, or (ored together) of a whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Facts(u16);

impl Facts {
    /// The key's name has a backslash: compare it unescaped.
    pub(crate) const KEY_ESCAPED: Facts = Facts(1);
    /// The key's name has a dot in it: it spells a path.
    pub(crate) const KEY_DOTTED: Facts = Facts(1 << 1);
    /// The key needs a look on the way out: odd characters, an underscore in front, great length.
    pub(crate) const KEY_ODD: Facts = Facts(1 << 2);
    /// The string has a backslash.
    pub(crate) const ESCAPED: Facts = Facts(1 << 3);
    /// The string has a surrogate escape without its partner.
    pub(crate) const SURROGATE: Facts = Facts(1 << 4);
    /// The number needs a look on the way out: an exponent, a minus zero, or many digits.
    pub(crate) const NUMBER_ODD: Facts = Facts(1 << 5);
    /// The string has more than 256 bytes, so perhaps more than 256 characters.
    pub(crate) const LONG: Facts = Facts(1 << 6);
    /// The array has booleans and strings, whatever the order.
    pub(crate) const MIXED: Facts = Facts(1 << 7);
    /// A raw newline stands between tokens.
    pub(crate) const NEWLINE: Facts = Facts(1 << 8);
    /// This container, or one below it, differs from its text.
    pub(crate) const DIRTY: Facts = Facts(1 << 9);
    /// The text after this node no longer leads to the next node.
    pub(crate) const BREAK: Facts = Facts(1 << 10);
    /// Deeper than 20 levels, or perhaps so after a change.
    pub(crate) const DEEP: Facts = Facts(1 << 11);
    /// The value was put here: its text does not stand behind its key.
    pub(crate) const MOVED: Facts = Facts(1 << 12);
    /// A raw newline stands before the document.
    pub(crate) const NEWLINE_FIRST: Facts = Facts(1 << 13);
    /// About to be taken out of its container.
    pub(crate) const GONE: Facts = Facts(1 << 14);
    /// Dots stand behind the key that do not belong to its name.
    pub(crate) const KEY_TRAILING: Facts = Facts(1 << 15);

    pub(crate) fn has(self, facts: Facts) -> bool {
        self.0 & facts.0 != 0
    }

    pub(crate) fn add(&mut self, facts: Facts) {
        self.0 |= facts.0;
    }

    pub(crate) fn clear(&mut self, facts: Facts) {
        self.0 &= !facts.0;
    }

    /// What remains true of a node wherever it is moved.
    pub(crate) fn of_value(self) -> Facts {
        Facts(self.0 & !(Facts::OF_KEY | Facts::BREAK | Facts::MOVED).0)
    }

    /// What is true of its key.
    pub(crate) fn of_key(self) -> Facts {
        Facts(self.0 & Facts::OF_KEY.0)
    }

    const OF_KEY: Facts = Facts(Facts::KEY_ESCAPED.0 | Facts::KEY_DOTTED.0 | Facts::KEY_ODD.0 | Facts::KEY_TRAILING.0);
}

impl std::ops::BitOr for Facts {
    type Output = Facts;

    fn bitor(self, other: Facts) -> Facts {
        Facts(self.0 | other.0)
    }
}

/// One value, with the key it stands under if it is a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The key's name as written: without its quotes, and without dots behind it. Empty for elements and the root.
    pub(crate) key: Span,
    /// The value as written, quotes and brackets included. Of a dirty container: as it once was.
    pub(crate) value: Span,
    pub(crate) parent: u32,
    pub(crate) first: u32,
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    pub(crate) facts: Facts,
}

/// An event's JSON: validated text, the tree over it, and the changes made so far.
///
/// Cloning shares the text and copies the tree: 32 bytes a value, those left out that were removed when they are many.
#[derive(Debug)]
pub struct Document {
    pub(crate) source: Bytes,
    pub(crate) buffers: Buffers,
    /// Index of the root.
    pub(crate) root: u32,
    /// The facts of all nodes that ever were in it.
    pub(crate) facts: Facts,
    /// Bytes of all values put in so far; a text that was put in twice counts twice.
    pub(crate) placed: usize,
    /// Nodes that nothing leads to any more, about.
    pub(crate) dead: usize,
    /// Of containers that were walked often.
    pub(crate) indexes: Indexes,
    pub(crate) parse_work: u64,
}

/// What a document grows in: memory that the thread uses again for the next one. A document lives for microseconds, and
/// asking for a kilobyte and giving it back was a tenth of its time.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) nodes: Vec<Node>,
    /// Texts that were put in.
    pub(crate) added: Vec<u8>,
}

/// Buffers a thread keeps, and the largest it keeps: 2,048 nodes are 64 KiB.
const SPARE_MAX: usize = 16;
const SPARE_NODES_MAX: usize = 2048;
const SPARE_ADDED_MAX: usize = 16 << 10;

/// Nodes and added bytes to begin with: what a record of a few hundred bytes and a few changes take.
const NODES_FIRST: usize = 32;
const ADDED_FIRST: usize = 256;

thread_local! {
    static SPARE: RefCell<Vec<Buffers>> = const { RefCell::new(Vec::new()) };
}

impl Buffers {
    pub(crate) fn new() -> Buffers {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        spare.unwrap_or_else(|| Buffers {
            nodes: Vec::with_capacity(NODES_FIRST),
            added: Vec::with_capacity(ADDED_FIRST),
        })
    }
}

impl Clone for Buffers {
    fn clone(&self) -> Buffers {
        let mut copy = Buffers::new();
        copy.nodes.extend_from_slice(&self.nodes);
        copy.added.extend_from_slice(&self.added);
        copy
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if self.nodes.capacity() > SPARE_NODES_MAX || self.added.capacity() > SPARE_ADDED_MAX {
            return;
        }
        // A thread that is ending has no spare list any more: then the memory goes the usual way.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_MAX && self.nodes.capacity() > 0 {
                let (mut nodes, mut added) = (std::mem::take(&mut self.nodes), std::mem::take(&mut self.added));
                nodes.clear();
                added.clear();
                spare.push(Buffers { nodes, added });
            }
        });
    }
}

/// Bytes behind a key that are looked at in one go for the end of its dots.
const DOTS: usize = 64;

/// Dead nodes from which on a copy leaves them out: fewer are copied faster than they are found.
const DEAD_MIN: usize = 64;

impl Clone for Document {
    fn clone(&self) -> Document {
        let compact = self.is_hollow();
        looks::bytes(self.copy_bytes());
        let mut copy = Document {
            source: self.source.clone(),
            buffers: if compact { Buffers::new() } else { self.buffers.clone() },
            root: self.root,
            facts: self.facts,
            placed: self.placed,
            dead: self.dead,
            indexes: Indexes::default(),
            parse_work: self.parse_work,
        };
        if compact {
            copy.buffers.added.extend_from_slice(&self.buffers.added);
            copy.root = copy.copy_living(&self.buffers.nodes, self.root, NONE);
            copy.dead = 0;
        }
        copy
    }
}

impl Document {
    /// Makes room for one more node. Where there is none, moving all is counted.
    #[inline]
    pub(crate) fn make_room(&mut self, meter: &mut Meter) -> Result<(), Exhausted> {
        let nodes = &mut self.buffers.nodes;
        if nodes.len() == nodes.capacity() {
            meter.move_all(nodes.len() * size_of::<Node>())?;
            looks::bytes(nodes.len() * size_of::<Node>());
            nodes.reserve(1);
        }
        Ok(())
    }

    /// Makes room for so many more bytes of added text. Where there is none, moving all is counted.
    #[inline]
    pub(crate) fn make_room_for_text(&mut self, bytes: usize, meter: &mut Meter) -> Result<(), Exhausted> {
        let added = &mut self.buffers.added;
        if added.capacity() - added.len() < bytes {
            meter.room(bytes)?;
            meter.move_all(added.len())?;
            looks::bytes(added.len());
            added.reserve(bytes);
        }
        Ok(())
    }

    /// Whether a copy leaves out what nothing leads to any more.
    fn is_hollow(&self) -> bool {
        self.dead > DEAD_MIN && self.dead > self.buffers.nodes.len() / 2
    }

    /// Bytes that a copy takes; the source is shared.
    pub fn copy_bytes(&self) -> usize {
        let dead = if self.is_hollow() { self.dead } else { 0 };
        self.buffers.added.len() + self.buffers.nodes.len().saturating_sub(dead) * size_of::<Node>()
    }

    /// Copies a node of `from` and all below it; says where it is now.
    fn copy_living(&mut self, from: &[Node], node: u32, parent: u32) -> u32 {
        let copy = self.buffers.nodes.len() as u32;
        let node = from[node as usize];
        self.buffers.nodes.push(Node { parent, first: NONE, next: NONE, ..node });
        let (mut previous, mut child) = (NONE, node.first);
        while child != NONE {
            let next = from[child as usize].next;
            child = self.copy_living(from, child, copy);
            match previous {
                NONE => self.node_mut(copy).first = child,
                previous => self.node_mut(previous).next = child,
            }
            (previous, child) = (child, next);
        }
        copy
    }

    /// A second value like the one whose children begin at `first`: copies of all below it, sharing its texts. Says
    /// where the copies begin.
    pub(crate) fn copy_children(&mut self, first: u32, meter: &mut Meter) -> Result<u32, Exhausted> {
        let (mut copies, mut previous, mut child) = (NONE, NONE, first);
        while child != NONE {
            meter.work(CHANGE)?;
            meter.take(size_of::<Node>())?;
            let node = *self.node(child);
            let below = self.copy_children(node.first, meter)?;
            self.make_room(meter)?;
            let copy = self.buffers.nodes.len() as u32;
            self.buffers.nodes.push(Node { parent: NONE, first: below, next: NONE, ..node });
            self.adopt(copy, meter)?;
            match previous {
                NONE => copies = copy,
                previous => self.node_mut(previous).next = copy,
            }
            (previous, child) = (copy, node.next);
        }
        Ok(copies)
    }

    /// Has the children of a node know it.
    pub(crate) fn adopt(&mut self, parent: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let mut child = self.node(parent).first;
        while child != NONE {
            meter.node()?;
            self.node_mut(child).parent = parent;
            child = self.node(child).next;
        }
        Ok(())
    }

    pub(crate) fn node(&self, index: u32) -> &Node {
        looks::nodes(1);
        &self.buffers.nodes[index as usize]
    }

    pub(crate) fn node_mut(&mut self, index: u32) -> &mut Node {
        looks::nodes(1);
        &mut self.buffers.nodes[index as usize]
    }

    /// The bytes a span points at.
    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        let (buffer, start) = match span.start & ADDED {
            0 => (&self.source[..], span.start as usize),
            _ => (&self.buffers.added[..], (span.start & !ADDED) as usize),
        };
        &buffer[start..start + span.len()]
    }

    /// The bytes from where a span begins to the end of its buffer.
    fn slice_from(&self, span: Span) -> &[u8] {
        match span.start & ADDED {
            0 => &self.source[span.start as usize..],
            _ => &self.buffers.added[(span.start & !ADDED) as usize..],
        }
    }

    /// The key of a member as written, dots behind its name included, without its quotes. `count` is told how many
    /// bytes are looked at next.
    #[inline]
    pub(crate) fn written_key(
        &self,
        member: &Node,
        count: &mut dyn FnMut(usize) -> Result<(), Exhausted>,
    ) -> Result<Span, Exhausted> {
        if !member.facts.has(Facts::KEY_TRAILING) {
            return Ok(member.key);
        }
        let (text, mut bytes) = (self.slice_from(member.key), member.key.len());
        loop {
            let some = &text[bytes..text.len().min(bytes + DOTS)];
            count(some.len())?;
            looks::bytes(some.len());
            match memchr::memchr(b'"', some) {
                Some(end) => return Ok(Span { len: (bytes + end) as u32, ..member.key }),
                None => bytes += some.len(),
            }
        }
    }

    /// The children of a container, in order.
    pub(crate) fn children(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.node(node).first;
        std::iter::from_fn(move || {
            let child = at;
            (child != NONE).then(|| {
                at = self.node(child).next;
                child
            })
        })
    }

    /// The value's text, when nothing below it was changed.
    pub(crate) fn clean_text(&self, node: u32) -> Option<&[u8]> {
        let node = self.node(node);
        (!node.facts.has(Facts::DIRTY)).then(|| self.slice(node.value))
    }

    /// The work that reading it was, in units of a [`Meter`].
    pub fn parse_work(&self) -> u64 {
        self.parse_work
    }

    /// Whether the root is an object, as OpenSearch needs it.
    pub fn is_object(&self) -> bool {
        self.node(self.root).kind == Kind::Object
    }

    /// The bytes the document was read from.
    pub fn source(&self) -> &Bytes {
        &self.source
    }

    /// Whether anything was changed since it was read.
    pub fn is_changed(&self) -> bool {
        let root = self.node(self.root);
        root.facts.has(Facts::DIRTY) || root.value.start & ADDED != 0
    }

    /// The document as it came, as JSON text; none when it was changed.
    pub fn clean_json(&self) -> Option<Bytes> {
        let text = self.clean_text(self.root).filter(|_| !self.is_changed())?;
        Some(self.source.slice_ref(text))
    }

    /// Bytes this document holds besides its source: the tree, its indexes, and what was added.
    pub fn overlay_bytes(&self) -> usize {
        self.buffers.added.len() + self.buffers.nodes.len() * size_of::<Node>() + self.indexes.bytes()
    }
}
