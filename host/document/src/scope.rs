//! What a step may see and change: fields as permissions.
//!
//! To a plugin with a scope, a field it may not read does not exist. All answers are computed on the visible part of the
//! document alone. Names are compared as everywhere: dots joined, arrays transparent.

use crate::path::{Pattern, Segment};
use crate::tree::{Document, Facts, Kind, NONE};
use std::fmt;

/// The fields a step may read and write. An absent list is no restriction.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    reads: Option<Vec<Pattern<'static>>>,
    writes: Option<Vec<Pattern<'static>>>,
    partition_key: bool,
}

/// A write that the step's scope forbids, whatever stands at the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The field, as the plugin named it.
    pub field: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this step may not change `{}`", self.field)
    }
}

impl std::error::Error for Denied {}

impl Scope {
    /// A scope of the given lists of patterns. `partition_key`: whether the event's partition key may be seen.
    pub fn new(
        reads: Option<Vec<Pattern<'static>>>,
        writes: Option<Vec<Pattern<'static>>>,
        partition_key: bool,
    ) -> Scope {
        Scope { reads, writes, partition_key }
    }

    /// Whether the event's partition key may be seen.
    pub fn sees_partition_key(&self) -> bool {
        self.partition_key
    }

    /// Whether every field may be read.
    pub fn reads_all(&self) -> bool {
        self.reads.is_none()
    }

    /// Whether every field may be written.
    pub fn writes_all(&self) -> bool {
        self.writes.is_none()
    }
}

/// How a list of patterns and a name agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cover {
    /// Neither the field nor anything below it.
    None,
    /// Something below the field, perhaps.
    Below,
    /// The field and all below it.
    All,
}

/// A name without indexes: what permissions speak of.
pub(crate) type Name = Vec<String>;

/// The name that a path spells: its keys, indexes left out.
pub(crate) fn name_of(path: &[Segment<'_>]) -> Name {
    path.iter().filter_map(Segment::key).map(str::to_owned).collect()
}

pub(crate) fn cover(patterns: Option<&[Pattern<'static>]>, name: &[String]) -> Cover {
    let Some(patterns) = patterns else { return Cover::All };
    patterns.iter().map(|pattern| cover_one(pattern, name)).max().unwrap_or(Cover::None)
}

fn cover_one(pattern: &Pattern<'static>, name: &[String]) -> Cover {
    let mut parts = name.iter();
    for segment in &*pattern.segments() {
        let agrees = match segment {
            Segment::AnyElement | Segment::Index(_) => continue,
            Segment::AnyKey => parts.next().map(|_| true),
            Segment::Key { name, .. } => parts.next().map(|part| **name == **part),
        };
        match agrees {
            Some(true) => {}
            Some(false) => return Cover::None,
            None => return Cover::Below,
        }
    }
    Cover::All
}

impl Scope {
    pub(crate) fn readable(&self, name: &[String]) -> Cover {
        cover(self.reads.as_deref(), name)
    }

    /// Without a list of its own a step may change what it may see.
    pub(crate) fn writable(&self, name: &[String]) -> Cover {
        cover(self.writes.as_deref().or(self.reads.as_deref()), name)
    }
}

impl Document {
    /// The name of a node: every key on the way to it, split at dots, indexes left out.
    pub(crate) fn name_of_node(&self, node: u32) -> Name {
        let mut up = Vec::new();
        let mut at = node;
        while at != self.root {
            up.push(at);
            at = self.node(at).parent;
        }
        let mut name = Name::new();
        for &node in up.iter().rev() {
            self.push_name(&mut name, node);
        }
        name
    }

    /// Adds to a parent's name what a child's key spells; nothing for an element. Says how many parts.
    pub(crate) fn push_name(&self, name: &mut Name, child: u32) -> usize {
        if self.node(self.node(child).parent).kind == Kind::Array {
            return 0;
        }
        let key = self.key(child);
        let before = name.len();
        if self.node(child).facts.has(Facts::KEY_DOTTED) {
            name.extend(crate::path::parts(&key).map(str::to_owned));
        } else {
            name.push(key.into_owned());
        }
        name.len() - before
    }

    /// The part of the document that a scope lets a plugin see, as a document of its own. Elements of arrays that hold
    /// nothing visible become null, so that indexes stay; objects and arrays that hold nothing visible are left out.
    pub fn visible(&self, scope: &Scope) -> Document {
        let mut view = self.clone();
        let mut name = Name::new();
        if !view.hide(view.root, &mut name, scope) {
            let (text, kind): (&[u8], Kind) = match view.node(view.root).kind {
                Kind::Object => (b"{}", Kind::Object),
                Kind::Array => (b"[]", Kind::Array),
                Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String => (b"null", Kind::Null),
            };
            view.replace(view.root, text, kind);
        }
        view
    }

    /// Whether anything at or below a node may be read.
    pub(crate) fn has_visible(&self, node: u32, scope: &Scope) -> bool {
        match scope.readable(&self.name_of_node(node)) {
            Cover::All => true,
            Cover::None => false,
            Cover::Below => self.children(node).any(|child| self.has_visible(child, scope)),
        }
    }

    /// Removes what is hidden below `node`; says whether anything visible is left. What is left of a container of which a part may
    /// be hidden is written anew, so that white space does not tell whether one was.
    fn hide(&mut self, node: u32, name: &mut Name, scope: &Scope) -> bool {
        match scope.readable(name) {
            Cover::All => return true,
            Cover::None => return false,
            Cover::Below => {}
        }
        if !self.node(node).kind.is_container() {
            return false;
        }
        let in_array = self.node(node).kind == Kind::Array;
        let (mut any, mut hidden) = (false, Vec::new());
        let mut child = self.node(node).first;
        while child != NONE {
            let parts = self.push_name(name, child);
            let visible = self.hide(child, name, scope);
            name.truncate(name.len() - parts);
            any |= visible;
            match (visible, in_array) {
                (true, _) => self.node_mut(child).facts.add(Facts::BREAK),
                (false, true) => self.replace(child, b"null", Kind::Null),
                (false, false) => hidden.push(child),
            }
            child = self.node(child).next;
        }
        self.unlink(&hidden);
        self.node_mut(node).facts.add(Facts::DIRTY);
        any
    }
}

/// What a scope lets a plugin change.
impl Document {
    /// Refuses a write at a path that the scope forbids. What is hidden there does not matter, not even whether anything is: the
    /// answer must not tell. So a field may be written unseen where `writes` names it, and not where nothing does.
    pub(crate) fn permit_write(&mut self, segments: &[Segment<'_>], scope: &Scope) -> Result<(), Denied> {
        let name = name_of(segments);
        if scope.writable(&name) != Cover::All {
            return Err(denied(segments));
        }
        if scope.readable(&name) == Cover::All {
            return Ok(());
        }
        // What it stands in must be in sight: else whether that is an object would show.
        let unseen = (0..name.len()).any(|end| scope.readable(&name[..end]) == Cover::None);
        if unseen {
            return Err(denied(segments));
        }
        let nearest = (1..segments.len()).rev().find_map(|end| self.find_segments(&segments[..end]));
        match nearest {
            Some(node) if !self.node(node).kind.is_container() => Err(denied(segments)),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a change of a visible node that the scope forbids, or of which it hides a part.
    pub(crate) fn permit_change_of(&self, node: u32, scope: &Scope) -> Result<(), Denied> {
        let name = self.name_of_node(node);
        let allowed = scope.writable(&name) == Cover::All && scope.readable(&name) == Cover::All;
        if allowed { Ok(()) } else { Err(Denied { field: name.join(".") }) }
    }
}

pub(crate) fn denied(segments: &[Segment<'_>]) -> Denied {
    Denied { field: Pattern::of_segments(segments).to_string() }
}
