//! From a path to the values it names, in every spelling.
//!
//! Most documents have no dot in any key: then a path names one value at most, found by walking down. In the others a
//! key spells several parts, and one path may name several values.

use crate::index::WIDE;
use crate::looks;
use crate::meter::{CHANGE, Exhausted, Meter, NODE, STRIDE};
use crate::path::{self, Path, Segment};
use crate::text;
use crate::tree::{Document, Facts, Kind, NONE};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// Comparing a name of the length that is looked for.
const COMPARE: u64 = 20;

/// Some nodes; nearly always none or one.
pub(crate) type Nodes = SmallVec<[u32; 2]>;

/// The nodes that a path names.
#[derive(Default)]
pub(crate) struct Found {
    /// Those it names exactly.
    pub(crate) exact: Nodes,
    /// Those whose dotted key goes on behind the path's last part: `{"user.email":…}` for `user`.
    pub(crate) beyond: SmallVec<[Beyond; 1]>,
}

/// A member whose dotted key goes on behind a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beyond {
    pub(crate) node: u32,
    /// How many parts of its name the path has.
    pub(crate) parts: usize,
}

/// How a member's name and the start of a path agree.
pub(crate) enum Match {
    No,
    /// The name spells that many parts of the path.
    Parts(usize),
    /// The path ends inside the name, behind that many of its parts.
    Beyond(usize),
}

impl Document {
    /// Whether one field may stand in several spellings: some name has a dot in it or behind it.
    #[inline]
    pub(crate) fn has_spellings(&self) -> bool {
        self.facts.has(Facts::KEY_DOTTED | Facts::KEY_TRAILING)
    }

    /// The first value that `path` names exactly, in document order.
    #[inline]
    pub(crate) fn find(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        match path.plain() {
            Some(text) if !self.has_spellings() => self.walk_plain(text, meter),
            _ => self.find_segments(&path.segments(), meter),
        }
    }

    pub(crate) fn find_segments(&mut self, path: &[Segment<'_>], meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        if !self.has_spellings() {
            return self.walk(path, meter);
        }
        let mut first = None;
        let mut hit = |hit: Hit| match hit {
            Hit::Exact(node) => {
                first = Some(node);
                ControlFlow::Break(())
            }
            Hit::Beyond(_) => ControlFlow::Continue(()),
        };
        let _ = self.search(self.root, path, meter, &mut hit)?;
        Ok(first)
    }

    /// All values that `path` names.
    pub(crate) fn find_all(&mut self, path: &[Segment<'_>], meter: &mut Meter) -> Result<Found, Exhausted> {
        let mut found = Found::default();
        if !self.has_spellings() {
            if let Some(node) = self.walk(path, meter)? {
                found.exact.push(node);
            }
            return Ok(found);
        }
        let mut hit = |hit: Hit| {
            match hit {
                Hit::Exact(node) => found.exact.push(node),
                Hit::Beyond(beyond) => found.beyond.push(beyond),
            }
            ControlFlow::Continue(())
        };
        let _ = self.search(self.root, path, meter, &mut hit)?;
        Ok(found)
    }

    /// The value that plain keys lead to, in a document where no field has two spellings.
    #[inline]
    pub(crate) fn walk_plain(&mut self, path: &str, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        let mut node = self.root;
        for name in path::names(path) {
            match self.member(node, name, meter)? {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The same for any path.
    fn walk(&mut self, path: &[Segment<'_>], meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        let mut node = self.root;
        for segment in path {
            let child = match segment {
                Segment::Key { name, .. } => self.member(node, name, meter)?,
                Segment::Index(index) => self.element(node, *index, meter)?,
                Segment::AnyKey | Segment::AnyElement => None,
            };
            match child {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The member of an object whose whole name is `name`.
    #[inline]
    pub(crate) fn member(&mut self, object: u32, name: &str, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        let (kind, mut child) = (self.node(object).kind, self.node(object).first);
        if kind != Kind::Object {
            return Ok(None);
        }
        if self.facts.has(Facts::KEY_ESCAPED) || !self.indexes.is_empty() {
            return self.rare_member(object, name, meter);
        }
        let compare = COMPARE + name.len() as u64 / 4;
        let (mut strides, mut left) = (0, STRIDE);
        // The end of the list is no index.
        while let Some(node) = self.buffers.nodes.get(child as usize) {
            looks::nodes(1);
            if node.key.len() == name.len() {
                looks::bytes(name.len());
                if self.slice(node.key) == name.as_bytes() {
                    break;
                }
                meter.work(compare)?;
            }
            left -= 1;
            if left == 0 {
                meter.nodes(STRIDE)?;
                (strides, left) = (strides + 1, STRIDE);
            }
            child = node.next;
        }
        let passed = strides * STRIDE + (STRIDE - left);
        meter.work(compare + NODE * (STRIDE - left) as u64)?;
        if passed >= WIDE {
            self.note_walk(object, passed, meter)?;
        }
        Ok((child != NONE).then_some(child))
    }

    /// The same where a key is written with escapes, or objects have indexes.
    #[cold]
    fn rare_member(&mut self, object: u32, name: &str, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        if let Some(members) = self.indexes.members(object, name) {
            meter.work(CHANGE)?;
            meter.read(name.len() * (1 + members.len()))?;
            return Ok(members.iter().copied().find(|&child| *self.name_bytes(child) == *name.as_bytes()));
        }
        let (mut child, mut passed) = (self.node(object).first, 0);
        while child != NONE {
            meter.node()?;
            let node = *self.node(child);
            let escaped = node.facts.has(Facts::KEY_ESCAPED);
            // Escapes are longer than what they stand for, six times at most.
            if node.key.len() == name.len() || escaped && (name.len()..=6 * name.len()).contains(&node.key.len()) {
                meter.name(node.key.len() + node.value.len())?;
                meter.text(if escaped { node.key.len() } else { 0 })?;
                meter.read(name.len())?;
                if *self.name_bytes(child) == *name.as_bytes() {
                    break;
                }
            }
            passed += 1;
            child = node.next;
        }
        if passed >= WIDE {
            self.note_walk(object, passed, meter)?;
        }
        Ok((child != NONE).then_some(child))
    }

    pub(crate) fn element(&mut self, array: u32, index: u32, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        if self.node(array).kind != Kind::Array {
            return Ok(None);
        }
        if let Some(elements) = self.indexes.elements(array) {
            return Ok(elements.get(index as usize).copied());
        }
        let (mut child, mut passed) = (self.node(array).first, 0);
        while child != NONE && passed < index as usize {
            meter.node()?;
            passed += 1;
            child = self.node(child).next;
        }
        if passed >= WIDE {
            self.note_walk(array, passed, meter)?;
        }
        Ok((child != NONE).then_some(child))
    }

    /// The name of a member as bytes, unescaped: UTF-8, but for lone surrogates, which are as in WTF-8.
    #[inline]
    pub(crate) fn name_bytes(&self, member: u32) -> Cow<'_, [u8]> {
        let node = self.node(member);
        let raw = self.slice(node.key);
        if node.facts.has(Facts::KEY_ESCAPED) { text::unescape_wtf8(raw) } else { Cow::Borrowed(raw) }
    }

    /// The name of a member. Lone surrogates become U+FFFD: such keys are refused on the way out.
    pub(crate) fn name(&self, member: u32) -> Cow<'_, str> {
        match self.name_bytes(member) {
            Cow::Borrowed(bytes) => Cow::Borrowed(text::utf8(bytes)),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Counts what looking at a member's name takes, and unescaping it.
    pub(crate) fn meter_name(&self, member: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let node = self.node(member);
        meter.name(node.key.len() + node.value.len())?;
        if node.facts.has(Facts::KEY_ESCAPED) {
            meter.text(node.key.len())?;
            // Memory for a moment only, and slower than copying.
            meter.work(node.key.len() as u64)?;
        }
        Ok(())
    }

    /// Counts the same for who wants all of the name, as text.
    pub(crate) fn meter_whole_name(&self, member: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        self.meter_name(member, meter)?;
        meter.read(self.node(member).key.len())
    }

    /// Shows what `path` names below `from`, where a key may spell several parts, until `hit` has enough.
    fn search(
        &mut self,
        from: u32,
        path: &[Segment<'_>],
        meter: &mut Meter,
        hit: &mut dyn FnMut(Hit) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Exhausted> {
        meter.node()?;
        let Some(segment) = path.first() else { return Ok(hit(Hit::Exact(from))) };
        match (segment, self.node(from).kind) {
            (Segment::Key { .. } | Segment::AnyKey, Kind::Object) => {
                let mut members = Candidates::of(self, from, segment);
                while let Some(child) = members.next(self, meter)? {
                    let flow = match self.match_key(child, path, meter)? {
                        Match::No => continue,
                        Match::Parts(parts) => self.search(child, &path[parts..], meter, hit)?,
                        Match::Beyond(parts) => hit(Hit::Beyond(Beyond { node: child, parts })),
                    };
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
                members.note(self, from, meter)?;
            }
            (Segment::Index(index), Kind::Array) => {
                if let Some(child) = self.element(from, *index, meter)? {
                    return self.search(child, &path[1..], meter, hit);
                }
            }
            (_, Kind::Object | Kind::Array | Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String) => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How the name of `child` and the start of `path` agree.
    pub(crate) fn match_key(&self, child: u32, path: &[Segment<'_>], meter: &mut Meter) -> Result<Match, Exhausted> {
        self.meter_name(child, meter)?;
        let name = self.name_bytes(child);
        let is_dotted = self.node(child).facts.has(Facts::KEY_DOTTED);
        let (mut at, mut matched) = (0, 0);
        loop {
            let rest = &name[at..];
            let part = match path.get(matched) {
                None => return Ok(Match::Beyond(matched)),
                Some(Segment::Key { name: part, .. }) if rest.starts_with(part.as_bytes()) => part.len(),
                Some(Segment::AnyKey) if is_dotted => {
                    meter.read(rest.len())?;
                    looks::bytes(rest.len());
                    memchr::memchr(b'.', rest).unwrap_or(rest.len())
                }
                Some(Segment::AnyKey) => rest.len(),
                Some(Segment::Key { .. } | Segment::Index(_) | Segment::AnyElement) => return Ok(Match::No),
            };
            matched += 1;
            at += part;
            match name.get(at) {
                None => break,
                Some(b'.') if is_dotted => at += 1,
                Some(_) => return Ok(Match::No),
            }
            meter.read(part)?;
        }
        Ok(Match::Parts(matched))
    }
}

/// A value that a search met.
enum Hit {
    Exact(u32),
    Beyond(Beyond),
}

/// The members of an object that a segment may mean: those with the same first part where there is an index, else all.
pub(crate) enum Candidates {
    Indexed { nodes: Nodes, at: usize },
    All { next: u32, passed: usize },
}

impl Candidates {
    pub(crate) fn of(document: &Document, object: u32, segment: &Segment<'_>) -> Candidates {
        match segment.key().and_then(|part| document.indexes.members(object, part)) {
            Some(members) => {
                looks::bytes(size_of_val(members));
                Candidates::Indexed { nodes: members.into(), at: 0 }
            }
            None => Candidates::All { next: document.node(object).first, passed: 0 },
        }
    }

    pub(crate) fn next(&mut self, document: &Document, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        meter.node()?;
        Ok(match self {
            Candidates::Indexed { nodes, at } => {
                *at += 1;
                nodes.get(*at - 1).copied()
            }
            Candidates::All { next: NONE, .. } => None,
            Candidates::All { next, passed } => {
                *passed += 1;
                Some(std::mem::replace(next, document.node(*next).next))
            }
        })
    }

    /// Notes a walk past all members of a wide object.
    pub(crate) fn note(self, document: &mut Document, object: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        match self {
            Candidates::All { passed, .. } if passed >= WIDE => document.note_walk(object, passed, meter),
            Candidates::Indexed { .. } | Candidates::All { .. } => Ok(()),
        }
    }
}
