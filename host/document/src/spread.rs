//! From a pattern to the values it names, in every spelling and through arrays.

use crate::find::{Candidates, Match, Nodes};
use crate::meter::{Exhausted, Meter};
use crate::path::{self, Pattern, Segment};
use crate::tree::{Document, Kind, NONE};

/// Who is shown the values that a pattern names.
pub(crate) trait Visit {
    /// The search goes into a child: a member, or the element of an index.
    fn enter(&mut self, document: &Document, child: u32, index: usize, meter: &mut Meter) -> Result<(), Exhausted>;

    /// It comes back from the child it went into last.
    fn leave(&mut self);

    /// The child it went into last is a value that the pattern names, in whole or in part.
    fn find(&mut self, document: &Document, node: u32, meter: &mut Meter) -> Result<(), Exhausted>;
}

/// Collects the nodes alone.
impl Visit for Nodes {
    fn enter(&mut self, _: &Document, _: u32, _: usize, _: &mut Meter) -> Result<(), Exhausted> {
        Ok(())
    }

    fn leave(&mut self) {}

    fn find(&mut self, _: &Document, node: u32, _: &mut Meter) -> Result<(), Exhausted> {
        self.push(node);
        Ok(())
    }
}

impl Document {
    /// All values that a pattern names, arrays being transparent: where a key is due and an array stands, its elements
    /// are searched. In document order, each once.
    pub(crate) fn expand_nodes(&mut self, pattern: &Pattern<'_>, meter: &mut Meter) -> Result<Nodes, Exhausted> {
        let mut found = Nodes::new();
        match pattern.plain().filter(|_| !self.has_spellings()) {
            Some(path) => match self.spread_plain(path, meter)? {
                Some(Some(node)) => found.push(node),
                Some(None) => {}
                None => self.visit(pattern, &mut found, meter)?,
            },
            None => self.visit(pattern, &mut found, meter)?,
        }
        Ok(found)
    }

    /// Shows all values that a pattern names.
    pub(crate) fn visit(
        &mut self,
        pattern: &Pattern<'_>,
        visitor: &mut impl Visit,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        self.spread(self.root, &pattern.segments(), visitor, meter)
    }

    /// What plain keys lead to in a document where no field has two spellings. The outer none: an array is on the way,
    /// so it may be more than one value.
    fn spread_plain(&mut self, path: &str, meter: &mut Meter) -> Result<Option<Option<u32>>, Exhausted> {
        let mut at = self.root;
        for name in path::names(path) {
            if self.node(at).kind == Kind::Array {
                return Ok(None);
            }
            match self.member(at, name, meter)? {
                Some(child) => at = child,
                None => return Ok(Some(None)),
            }
        }
        Ok(Some(Some(at)))
    }

    fn spread(
        &mut self,
        from: u32,
        pattern: &[Segment<'_>],
        visitor: &mut impl Visit,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.node()?;
        let Some(segment) = pattern.first() else { return visitor.find(self, from, meter) };
        match (segment, self.node(from).kind) {
            (Segment::Key { name, .. }, Kind::Object) if !self.has_spellings() => {
                match self.member(from, name, meter)? {
                    Some(child) => self.spread_into(child, 0, &pattern[1..], visitor, meter),
                    None => Ok(()),
                }
            }
            (Segment::Key { .. } | Segment::AnyKey, Kind::Object) => self.spread_members(from, pattern, visitor, meter),
            (Segment::Key { .. } | Segment::AnyKey, Kind::Array) => self.spread_elements(from, pattern, visitor, meter),
            (Segment::Index(index), Kind::Array) => match self.element(from, *index, meter)? {
                Some(child) => self.spread_into(child, *index as usize, &pattern[1..], visitor, meter),
                None => Ok(()),
            },
            (Segment::AnyElement, Kind::Array) => self.spread_elements(from, &pattern[1..], visitor, meter),
            (_, Kind::Object | Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String) => Ok(()),
        }
    }

    fn spread_members(
        &mut self,
        object: u32,
        pattern: &[Segment<'_>],
        visitor: &mut impl Visit,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let mut members = Candidates::of(self, object, &pattern[0]);
        while let Some(child) = members.next(self, meter)? {
            match self.match_key(child, pattern, meter)? {
                Match::No => {}
                Match::Parts(parts) => self.spread_into(child, 0, &pattern[parts..], visitor, meter)?,
                Match::Beyond(_) => {
                    visitor.enter(self, child, 0, meter)?;
                    visitor.find(self, child, meter)?;
                    visitor.leave();
                }
            }
        }
        members.note(self, object, meter)
    }

    fn spread_elements(
        &mut self,
        array: u32,
        pattern: &[Segment<'_>],
        visitor: &mut impl Visit,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let (mut child, mut index) = (self.node(array).first, 0);
        while child != NONE {
            self.spread_into(child, index, pattern, visitor, meter)?;
            child = self.node(child).next;
            index += 1;
        }
        Ok(())
    }

    fn spread_into(
        &mut self,
        child: u32,
        index: usize,
        pattern: &[Segment<'_>],
        visitor: &mut impl Visit,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        visitor.enter(self, child, index, meter)?;
        self.spread(child, pattern, visitor, meter)?;
        visitor.leave();
        Ok(())
    }
}
