//! Moving a value: links change, no byte is copied.

use crate::edit::Added;
use crate::find::{Found, Nodes};
use crate::parse::DEPTH_MAX;
use crate::path::{Path, Segment};
use crate::scope::{Cover, Denied, Scope, denied, name_of};
use crate::tree::{Document, NONE};

impl Document {
    /// Moves the value at `path` to `to` without copying it; what stood at `to` is replaced, other spellings of `path` are
    /// removed. False, and nothing changed, when there is nothing at `path`, or `to` lies below it or through a scalar.
    ///
    /// # Errors
    /// A field that `scope` forbids to change.
    pub fn rename<'p>(&mut self, path: &Path<'p>, to: &Path<'p>, scope: Option<&Scope>) -> Result<bool, Denied> {
        let (segments, to) = (path.segments(), to.segments());
        let sources = self.find_all(&segments);
        if let Some(scope) = scope {
            if !sources.exact.iter().any(|&node| self.has_visible(node, scope)) {
                return Ok(false);
            }
            let name = name_of(&segments);
            if scope.readable(&name) != Cover::All || scope.writable(&name) != Cover::All {
                return Err(denied(&segments));
            }
            self.permit_write(&to, scope)?;
        }
        if segments == to {
            return Ok(!sources.exact.is_empty());
        }
        if segments.is_empty() || to.is_empty() || to.starts_with(&segments) {
            return Ok(false);
        }
        let Some(&node) = sources.exact.first() else { return Ok(false) };
        Ok(self.relocate(node, &sources, &to))
    }

    /// Moves `node`, an existing value, to the path `to`.
    fn relocate(&mut self, node: u32, sources: &Found, to: &[Segment<'_>]) -> bool {
        let targets = self.find_all(to);
        let moved = *self.node(node);
        let hollow = Added { kind: moved.kind, value: moved.value, first: moved.first, facts: moved.facts.of_value() };
        let within = |document: &Document, inner: u32| {
            let mut at = inner;
            while at != NONE && at != node {
                at = document.node(at).parent;
            }
            at == node
        };
        if targets.exact.iter().chain(&targets.beyond).any(|&target| within(self, target)) {
            return false;
        }
        if to.len() + self.height(node) > DEPTH_MAX {
            return false;
        }
        let way = match targets.exact.is_empty().then(|| self.way_to(to)) {
            None => None,
            Some(Ok((parent, rest))) if !within(self, parent) => Some((parent, rest)),
            Some(Ok(_) | Err(_)) => return false,
        };
        self.put(&targets, way, hollow);
        let mut left: Nodes = sources.exact.iter().chain(&sources.beyond).copied().collect();
        left.retain(|&mut source| !targets.exact.contains(&source) && self.is_linked(source));
        self.unlink(&left);
        true
    }

    /// Whether a node can still be reached from the root: what it stood in may have been replaced.
    fn is_linked(&self, node: u32) -> bool {
        let mut at = node;
        while at != self.root {
            let parent = self.node(at).parent;
            if parent == NONE || !self.children(parent).any(|child| child == at) {
                return false;
            }
            at = parent;
        }
        true
    }
}
