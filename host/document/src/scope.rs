//! What a step may see and change: fields as permissions.
//!
//! To a plugin with a scope, a field it may not read does not exist. Names are compared as everywhere: dots joined,
//! arrays transparent. How far a name agrees with the patterns of a list is known on the way down to it, part by part,
//! so a name is never put together again from all that stands above it.

use crate::find::Nodes;
use crate::meter::{Exhausted, Meter};
use crate::path::{PATH_BYTES_MAX, Pattern, Segment};
use crate::permission::{Cover, Permission, Permits};
use crate::spread::Visit;
use crate::tree::{Document, Facts, Kind, NONE};
use smallvec::SmallVec;
use std::fmt;

/// The fields a step may read and write. An absent list is no restriction.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub(crate) reads: Option<Permits>,
    writes: Option<Permits>,
    partition_key: bool,
}

/// A write that the step's scope forbids, whatever stands at the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The field, as the plugin named it, or as it is called; of a long name the beginning.
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
        let permits = |patterns: Vec<Pattern<'static>>| Permits::of(&patterns);
        Scope { reads: reads.map(permits), writes: writes.map(permits), partition_key }
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

    /// Without a list of its own a step may change what it may see.
    pub(crate) fn writable(&self) -> Option<&Permits> {
        self.writes.as_ref().or(self.reads.as_ref())
    }
}

/// Comparing a pattern with a part, and whatever a name's permission takes besides.
const COMPARE: u64 = 2;
const PERMIT: u64 = 10;

impl Document {
    /// The permission for a child of what `above` is for; none when it is the same: an element's name is its array's.
    fn permission(
        &self,
        above: &Permission,
        child: u32,
        scope: &Scope,
        meter: &mut Meter,
    ) -> Result<Option<Permission>, Exhausted> {
        meter.node()?;
        let node = self.node(child);
        if self.node(node.parent).kind == Kind::Array {
            return Ok(None);
        }
        meter.work(PERMIT)?;
        self.meter_name(child, meter)?;
        let name = self.name_bytes(child);
        if !node.facts.has(Facts::KEY_DOTTED) {
            meter.work(COMPARE * above.patterns() as u64)?;
            return Ok(Some(above.with(scope, &name)));
        }
        let mut permission = above.clone();
        for part in name.split(|&byte| byte == b'.') {
            if permission.patterns() == 0 {
                break; // Nothing that follows changes it.
            }
            meter.work(PERMIT + COMPARE * permission.patterns() as u64)?;
            meter.read(part.len())?;
            permission = permission.with(scope, part);
        }
        Ok(Some(permission))
    }

    /// The part of the document that a scope lets a plugin see, as a document of its own. Elements of arrays that hold
    /// nothing visible become null, so that indexes stay; objects and arrays that hold nothing visible are left out.
    ///
    /// # Errors
    /// More work or memory than the meter allows.
    pub fn visible(&self, scope: &Scope, meter: &mut Meter) -> Result<Document, Exhausted> {
        meter.take(self.copy_bytes())?;
        let mut view = self.clone();
        let root = view.root;
        if !view.hide(root, &Permission::of_root(scope), scope, meter)? {
            let (text, kind): (&[u8], Kind) = match view.node(root).kind {
                Kind::Object => (b"{}", Kind::Object),
                Kind::Array => (b"[]", Kind::Array),
                Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String => (b"null", Kind::Null),
            };
            view.replace(root, text, kind, meter)?;
        }
        Ok(view)
    }

    /// Removes what is hidden below `node`; says whether anything visible is left. What is left of a container of which
    /// a part may be hidden is written anew, so that white space does not tell whether one was.
    fn hide(
        &mut self,
        node: u32,
        permission: &Permission,
        scope: &Scope,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        match permission.reads.cover() {
            Cover::All => return Ok(true),
            Cover::None => return Ok(false),
            Cover::Below => {}
        }
        if !self.node(node).kind.is_container() {
            return Ok(false);
        }
        let in_array = self.node(node).kind == Kind::Array;
        let (mut any, mut hidden) = (false, Vec::new());
        let mut child = self.node(node).first;
        while child != NONE {
            let below = self.permission(permission, child, scope, meter)?;
            let visible = self.hide(child, below.as_ref().unwrap_or(permission), scope, meter)?;
            any |= visible;
            match (visible, in_array) {
                (true, _) => self.node_mut(child).facts.add(Facts::BREAK),
                (false, true) => self.replace(child, b"null", Kind::Null, meter)?,
                (false, false) => hidden.push(child),
            }
            child = self.node(child).next;
        }
        self.unlink(&hidden, meter)?;
        self.node_mut(node).facts.add(Facts::DIRTY);
        Ok(any)
    }

    /// Whether anything at or below a node may be read.
    fn has_visible(
        &self,
        node: u32,
        permission: &Permission,
        scope: &Scope,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        match permission.reads.cover() {
            Cover::All => return Ok(true),
            Cover::None => return Ok(false),
            Cover::Below => {}
        }
        for child in self.children(node) {
            let below = self.permission(permission, child, scope, meter)?;
            if self.has_visible(child, below.as_ref().unwrap_or(permission), scope, meter)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The values a pattern names that the step sees, if it may change all of them; else the first that it may not.
    pub(crate) fn changeable(
        &mut self,
        pattern: &Pattern<'_>,
        scope: &Scope,
        reached: Reached,
        meter: &mut Meter,
    ) -> Result<Result<Nodes, Denied>, Exhausted> {
        let way = SmallVec::from_iter([Permission::of_root(scope)]);
        let mut seen = Seen { scope, reached, way, found: Nodes::new(), denied: None };
        self.visit(pattern, &mut seen, meter)?;
        let Seen { found, denied, .. } = seen;
        Ok(match denied {
            None => Ok(found),
            Some(node) => Err(Denied { field: self.shown_name(node, meter)? }),
        })
    }

    /// The name of a node for a message; of a long one the beginning.
    fn shown_name(&self, node: u32, meter: &mut Meter) -> Result<String, Exhausted> {
        let mut up: Vec<u32> = Vec::new();
        let mut at = node;
        while at != self.root {
            up.push(at);
            at = self.node(at).parent;
        }
        let mut shown = String::new();
        for &node in up.iter().rev().filter(|&&node| self.node(self.node(node).parent).kind == Kind::Object) {
            if !shown.is_empty() {
                shown.push('.');
            }
            self.meter_whole_name(node, meter)?;
            shown.push_str(&self.name(node));
            if shown.len() > PATH_BYTES_MAX {
                break;
            }
        }
        shown.truncate(shown.floor_char_boundary(PATH_BYTES_MAX));
        Ok(shown)
    }
}

/// What a change by a pattern reaches of a value that a step sees in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The value, which may not be changed as a whole.
    Whole,
    /// The parts that the step sees.
    Parts,
}

/// Collects what a pattern names and a step sees.
struct Seen<'s> {
    scope: &'s Scope,
    reached: Reached,
    /// The permissions on the way to where the search is, the root's first.
    way: SmallVec<[Permission; 4]>,
    found: Nodes,
    /// The first value that it may not change.
    denied: Option<u32>,
}

impl Visit for Seen<'_> {
    fn enter(&mut self, document: &Document, child: u32, _: usize, meter: &mut Meter) -> Result<(), Exhausted> {
        let above = self.way.last().expect("the root's is never left");
        let below = document.permission(above, child, self.scope, meter)?;
        self.way.push(below.unwrap_or_else(|| above.clone()));
        Ok(())
    }

    fn leave(&mut self) {
        self.way.pop();
    }

    fn find(&mut self, document: &Document, node: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let permission = self.way.last().expect("the root's is never left").clone();
        match self.reached {
            Reached::Whole if !document.has_visible(node, &permission, self.scope, meter)? => Ok(()),
            Reached::Whole => {
                self.collect(node, &permission);
                Ok(())
            }
            Reached::Parts => self.parts(document, node, &permission, meter),
        }
    }
}

impl Seen<'_> {
    fn collect(&mut self, node: u32, permission: &Permission) {
        if !permission.allows_change() {
            self.denied.get_or_insert(node);
        }
        self.found.push(node);
    }

    /// Collects the largest parts of a value that the step sees whole.
    fn parts(
        &mut self,
        document: &Document,
        node: u32,
        permission: &Permission,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        match permission.reads.cover() {
            Cover::None => {}
            Cover::All => self.collect(node, permission),
            Cover::Below => {
                for child in document.children(node) {
                    let below = document.permission(permission, child, self.scope, meter)?;
                    self.parts(document, child, below.as_ref().unwrap_or(permission), meter)?;
                }
            }
        }
        Ok(())
    }
}

/// How much of a field a step sees that it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All of it.
    All,
    /// Some of it, or perhaps some.
    Part,
    /// Nothing.
    None,
}

impl Scope {
    /// Refuses a write at a path that the scope forbids, by the path alone: what is hidden there does not matter, not
    /// even whether anything is. So a field may be written unseen where `writes` names it, and not where nothing does.
    pub(crate) fn permit_write(&self, path: &[Segment<'_>]) -> Result<Sight, Denied> {
        let mut permission = Permission::of_root(self);
        let mut stands_in_sight = true;
        for part in path.iter().filter_map(Segment::key) {
            // What it stands in must be in sight: else whether that is an object would show.
            stands_in_sight &= permission.reads.cover() != Cover::None;
            permission = permission.with(self, part.as_bytes());
        }
        let has_index = path.iter().any(|segment| segment.key().is_none());
        match (permission.writes.cover(), permission.reads.cover()) {
            (Cover::None | Cover::Below, _) => Err(denied(path)),
            (Cover::All, Cover::All) => Ok(Sight::All),
            // How many elements a hidden array has must not show either.
            (Cover::All, _) if !stands_in_sight || has_index => Err(denied(path)),
            (Cover::All, Cover::Below) => Ok(Sight::Part),
            (Cover::All, Cover::None) => Ok(Sight::None),
        }
    }

    /// What the step may see of a value that is put at a path, as JSON text; none when it is nothing.
    pub(crate) fn visible_at(
        &self,
        path: &[Segment<'_>],
        value: Document,
        meter: &mut Meter,
    ) -> Result<Option<Vec<u8>>, Exhausted> {
        let start = Permission::of_root(self);
        let keys = path.iter().filter_map(Segment::key);
        let permission = keys.fold(start, |permission, part| permission.with(self, part.as_bytes()));
        let mut value = value;
        let root = value.root;
        match value.hide(root, &permission, self, meter)? {
            true => value.json(meter).map(Some),
            false => Ok(None),
        }
    }
}

pub(crate) fn denied(path: &[Segment<'_>]) -> Denied {
    Denied { field: Pattern::of_segments(path).to_string() }
}
