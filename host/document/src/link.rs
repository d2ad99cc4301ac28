//! Nodes in and out of containers, and other keys for them. What is gone through once here would cost a walk for each node elsewhere.

use crate::path::Segment;
use crate::tree::{Document, Facts, Kind, NONE, Node, Span};

impl Document {
    /// Takes nodes out of their parents, each parent's children gone through once. Their text stays where it is; nothing points
    /// there any more.
    pub(crate) fn unlink(&mut self, nodes: &[u32]) {
        for &node in nodes {
            self.node_mut(node).facts.add(Facts::GONE);
        }
        let mut left = nodes.len();
        for &node in nodes {
            let parent = self.node(node).parent;
            if parent != NONE && self.node(node).facts.has(Facts::GONE) {
                self.sweep(parent, &mut left);
                self.touch(parent);
            }
        }
    }

    /// Takes those children out of a container that are marked as gone. `left`: how many there are, here and elsewhere.
    fn sweep(&mut self, parent: u32, left: &mut usize) {
        let (mut kept, mut child) = (NONE, self.node(parent).first);
        while child != NONE && *left > 0 {
            let Node { next, facts, .. } = *self.node(child);
            if facts.has(Facts::GONE) {
                *left -= 1;
                self.dead += self.size(child);
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
    }

    /// Nodes of a value, itself included.
    pub(crate) fn size(&self, node: u32) -> usize {
        1 + self.children(node).map(|child| self.size(child)).sum::<usize>()
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
    pub(crate) fn add_child(&mut self, parent: u32, key: Span, facts: Facts) -> u32 {
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
        self.append_child(parent, child);
        child
    }

    fn append_child(&mut self, parent: u32, child: u32) {
        let last = self.children(parent).last();
        match last {
            None => self.node_mut(parent).first = child,
            Some(last) => {
                let last = self.node_mut(last);
                last.next = child;
                last.facts.add(Facts::BREAK);
            }
        }
    }

    /// Gives members other keys; those of one object follow each other, in its order.
    pub(crate) fn rekey(&mut self, nodes: &[u32], change: impl Fn(&str) -> String) {
        for siblings in self.by_parent(nodes) {
            let parent = self.node(siblings[0]).parent;
            let mut waiting = siblings.into_iter().peekable();
            let (mut previous, mut child) = (NONE, self.node(parent).first);
            while child != NONE {
                if waiting.next_if_eq(&child).is_some() {
                    let key = change(&self.key(child));
                    self.set_key(child, &key);
                    if previous != NONE {
                        // The text before it no longer leads to it.
                        self.node_mut(previous).facts.add(Facts::BREAK);
                    }
                }
                (previous, child) = (child, self.node(child).next);
            }
            self.touch(parent);
        }
    }

    /// Nodes in runs that stand in one container.
    fn by_parent(&self, nodes: &[u32]) -> Vec<Vec<u32>> {
        let together = |one: &u32, other: &u32| self.node(*one).parent == self.node(*other).parent;
        nodes.chunk_by(together).map(<[u32]>::to_vec).collect()
    }

    fn set_key(&mut self, node: u32, key: &str) {
        let (key, facts, _) = self.add_key(&[Segment::Key { name: key.into(), joined: false }]);
        self.facts.add(facts);
        let target = self.node_mut(node);
        target.key = key;
        target.facts = target.facts.of_value() | facts | Facts::MOVED | Facts::BREAK;
    }
}
