//! Moving a value: links change, no byte is copied.

use crate::edit::{Added, EditError};
use crate::find::{Found, Nodes};
use crate::meter::{Exhausted, Meter};
use crate::parse::DEPTH_MAX;
use crate::path::{Path, Segment};
use crate::scope::{Scope, Sight, denied};
use crate::tree::{Document, Kind, NONE};
use std::collections::HashSet;

impl Document {
    /// Moves the value at `path` to `to` without copying it; what stood at `to` is replaced, other spellings of `path`
    /// are removed. False, and nothing changed, when there is nothing at `path`, or `to` lies below it or through a
    /// scalar.
    ///
    /// `scope`: as for [`Document::set`].
    ///
    /// # Errors
    /// A field that `scope` forbids to change, or more work or memory than the meter allows.
    pub fn rename<'p>(
        &mut self,
        path: &Path<'p>,
        to: &Path<'p>,
        scope: Option<&Scope>,
        meter: &mut Meter,
    ) -> Result<bool, EditError> {
        let (path, to) = (path.segments(), to.segments());
        let sources = self.find_all(&path, meter)?;
        let Some(&node) = sources.exact.first() else { return Ok(false) };
        if let Some(scope) = scope {
            debug_assert!(scope.reads_all(), "what is answered would tell what is hidden");
            if scope.permit_write(&path)? != Sight::All {
                return Err(denied(&path).into());
            }
            scope.permit_write(&to)?;
        }
        if path == to {
            return Ok(true);
        }
        if path.is_empty() || to.is_empty() || to.starts_with(&path) {
            return Ok(false);
        }
        self.relocate(node, &sources, &to, meter)
    }

    /// Moves `node`, an existing value, to the path `to`.
    fn relocate(
        &mut self,
        node: u32,
        sources: &Found,
        to: &[Segment<'_>],
        meter: &mut Meter,
    ) -> Result<bool, EditError> {
        let targets = self.find_all(to, meter)?;
        let of_targets = || targets.exact.iter().copied().chain(targets.beyond.iter().map(|beyond| beyond.node));
        for target in of_targets() {
            // A dotted key that goes on behind the new path may be the very value's: then it goes up in it.
            if target != node && self.is_within(target, node, meter)? {
                return Ok(false);
            }
        }
        if to.len() + self.height(node, meter)? > DEPTH_MAX {
            return Ok(false);
        }
        let way = match targets.exact.is_empty().then(|| self.way_to(to, meter)) {
            None => None,
            Some(Ok((parent, rest))) if !self.is_within(parent, node, meter)? => Some((parent, rest)),
            Some(Err(EditError::Exhausted(exhausted))) => return Err(exhausted.into()),
            Some(Ok(_) | Err(_)) => return Ok(false),
        };
        // What lies in a target is replaced with it.
        let replaced: HashSet<u32> = of_targets().collect();
        let mut left = Nodes::new();
        for source in sources.exact.iter().copied().chain(sources.beyond.iter().map(|beyond| beyond.node)) {
            if !self.is_within_any(source, &replaced, meter)? {
                left.push(source);
            }
        }
        let hollow = self.hollow(node, targets.exact.len(), meter)?;
        self.put(&targets, way, hollow, meter)?;
        self.unlink(&left, meter)?;
        Ok(true)
    }

    /// What a node holds, to be put elsewhere.
    fn hollow(&self, node: u32, places: usize, meter: &mut Meter) -> Result<Added, Exhausted> {
        let moved = *self.node(node);
        let bytes = match places {
            0 | 1 => moved.value.len(),
            // Copies of what was changed may be longer than its text.
            _ => self.value_bytes(node, meter)?,
        };
        Ok(Added { kind: moved.kind, value: moved.value, first: moved.first, facts: moved.facts.of_value(), bytes })
    }

    /// Whether a node is another, or lies in it.
    fn is_within(&self, inner: u32, outer: u32, meter: &mut Meter) -> Result<bool, Exhausted> {
        let mut at = inner;
        while at != NONE && at != outer {
            meter.node()?;
            at = self.node(at).parent;
        }
        Ok(at == outer)
    }

    fn is_within_any(&self, inner: u32, outer: &HashSet<u32>, meter: &mut Meter) -> Result<bool, Exhausted> {
        let mut at = inner;
        while at != NONE && !outer.contains(&at) {
            meter.work(crate::meter::CHANGE)?;
            at = self.node(at).parent;
        }
        Ok(at != NONE)
    }

    /// Arrays and objects in each other, as the pass that reads documents counts them: a value that holds nothing adds
    /// none.
    fn height(&self, node: u32, meter: &mut Meter) -> Result<usize, Exhausted> {
        meter.node()?;
        if !matches!(self.node(node).kind, Kind::Array | Kind::Object) {
            return Ok(0);
        }
        let mut highest = 0;
        for child in self.children(node) {
            highest = highest.max(self.height(child, meter)?);
        }
        Ok(1 + highest)
    }
}
