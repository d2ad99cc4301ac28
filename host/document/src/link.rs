//! Nodes in and out of containers, and other keys for them. What is gone through once here would cost a walk for each
//! node elsewhere.

use crate::meter::{CHANGE, Exhausted, Meter};
use crate::path::Segment;
use crate::tree::{Document, Facts, Kind, NONE, Node, Span};

impl Document {
    /// Takes nodes out of their parents, each parent's children gone through once. Their text stays where it is;
    /// nothing points there any more.
    pub(crate) fn unlink(&mut self, nodes: &[u32], meter: &mut Meter) -> Result<(), Exhausted> {
        for &node in nodes {
            meter.node()?;
            self.node_mut(node).facts.add(Facts::GONE);
        }
        let mut left = nodes.len();
        for &node in nodes {
            meter.node()?;
            let parent = self.node(node).parent;
            if parent != NONE && self.node(node).facts.has(Facts::GONE) {
                self.indexes.forget(parent);
                self.sweep(parent, &mut left, meter)?;
                self.touch(parent);
            }
        }
        Ok(())
    }

    /// Takes those children out of a container that are marked as gone. `left`: how many there are, here and elsewhere.
    fn sweep(&mut self, parent: u32, left: &mut usize, meter: &mut Meter) -> Result<(), Exhausted> {
        let (mut kept, mut child) = (NONE, self.node(parent).first);
        while child != NONE && *left > 0 {
            meter.node()?;
            let Node { next, facts, .. } = *self.node(child);
            if facts.has(Facts::GONE) {
                *left -= 1;
                self.dead += self.size(child, meter)?;
                self.node_mut(child).facts.clear(Facts::GONE);
                match kept {
                    NONE => self.node_mut(parent).first = next,
                    kept => {
                        let kept = self.node_mut(kept);
                        kept.next = next;
                        kept.facts.add(Facts::BREAK);
                    }
                }
            } else {
                kept = child;
            }
            child = next;
        }
        Ok(())
    }

    /// Nodes of a value, itself included.
    pub(crate) fn size(&self, node: u32, meter: &mut Meter) -> Result<usize, Exhausted> {
        meter.node()?;
        let mut size = 1;
        for child in self.children(node) {
            size += self.size(child, meter)?;
        }
        Ok(size)
    }

    /// Marks a container and all around it as changed.
    pub(crate) fn touch(&mut self, node: u32) {
        let mut at = node;
        while at != NONE && !self.node(at).facts.has(Facts::DIRTY) {
            self.node_mut(at).facts.add(Facts::DIRTY);
            at = self.node(at).parent;
        }
    }

    /// A new last child of `parent`, null until it is filled.
    pub(crate) fn add_child(
        &mut self,
        parent: u32,
        key: Span,
        facts: Facts,
        meter: &mut Meter,
    ) -> Result<u32, Exhausted> {
        let last = self.last_child(parent, meter)?;
        meter.work(CHANGE)?;
        meter.take(size_of::<Node>())?;
        self.make_room(meter)?;
        let child = self.buffers.nodes.len() as u32;
        self.facts.add(facts);
        self.buffers.nodes.push(Node {
            key,
            value: Span::EMPTY,
            parent,
            first: NONE,
            next: NONE,
            kind: Kind::Null,
            facts,
        });
        match last {
            None => self.node_mut(parent).first = child,
            Some(last) => {
                let last = self.node_mut(last);
                last.next = child;
                last.facts.add(Facts::BREAK);
            }
        }
        if !self.indexes.is_empty() {
            self.index_child(parent, child);
        }
        Ok(child)
    }

    /// Gives members other names; those of one object follow each other, in its order.
    pub(crate) fn rekey(
        &mut self,
        nodes: &[u32],
        change: impl Fn(&str) -> String,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.nodes(nodes.len())?;
        for siblings in self.by_parent(nodes) {
            let parent = self.node(siblings[0]).parent;
            self.indexes.forget(parent);
            let mut waiting = siblings.into_iter().peekable();
            let (mut previous, mut child) = (NONE, self.node(parent).first);
            while child != NONE {
                meter.node()?;
                if waiting.next_if_eq(&child).is_some() {
                    self.meter_whole_name(child, meter)?;
                    let key = change(&self.name(child));
                    self.set_key(child, &key, meter)?;
                    if previous != NONE {
                        // The text before it no longer leads to it.
                        self.node_mut(previous).facts.add(Facts::BREAK);
                    }
                }
                (previous, child) = (child, self.node(child).next);
            }
            self.touch(parent);
        }
        Ok(())
    }

    /// Nodes in runs that stand in one container.
    fn by_parent(&self, nodes: &[u32]) -> Vec<Vec<u32>> {
        let together = |one: &u32, other: &u32| self.node(*one).parent == self.node(*other).parent;
        nodes.chunk_by(together).map(<[u32]>::to_vec).collect()
    }

    fn set_key(&mut self, node: u32, key: &str, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.work(CHANGE)?;
        let (key, facts, _) = self.add_key(&[Segment::Key { name: key.into(), joined: false }], meter)?;
        self.facts.add(facts);
        let target = self.node_mut(node);
        target.key = key;
        target.facts = target.facts.of_value() | facts | Facts::MOVED | Facts::BREAK;
        Ok(())
    }
}
