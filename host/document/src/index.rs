//! Members of wide objects and elements of long arrays, found without a walk.
//!
//! Most containers have a few dozen children, and walking past them is quickest. One that is wide and asked often gets
//! an index. It is made when the walks so far have passed as many children as making it would cost, so any sequence of
//! questions takes time that is linear in their number and in the container's size.

use crate::find::Nodes;
use crate::keys::Fingerprint;
use crate::looks;
use crate::meter::{CHANGE, Exhausted, Meter, STRIDE};
use crate::tree::{Document, Kind, NONE};
use hashbrown::HashTable;

/// Children that a walk passes at least to be noted: up to here walking is quicker than a look into an index.
pub(crate) const WIDE: usize = 64;

/// Times that a container's children are passed before it gets an index: an entry costs about as much as passing so
/// many.
const WALKS: usize = 8;

/// Bytes of a name's first part that are looked at.
const PRINT_BYTES_MAX: usize = 64;

/// Most containers of one document that are noted or have an index.
const CONTAINERS_MAX: usize = 16;

/// Bytes that an entry of an index takes at most.
const ENTRY_BYTES: usize = 2 * size_of::<Namesakes>();

/// The containers of a document that were walked often.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    containers: Vec<Container>,
    /// Bytes that the indexes of all of them take, about.
    bytes: usize,
}

#[derive(Debug)]
struct Container {
    node: u32,
    /// Children that walks have passed.
    passed: usize,
    index: Option<Index>,
    /// Bytes that the index takes, about.
    bytes: usize,
}

#[derive(Debug)]
enum Index {
    Object(Members),
    Array(Vec<u32>),
}

/// The members of an object by the first part of their names.
#[derive(Debug, Default)]
struct Members {
    table: HashTable<Namesakes>,
    last: Option<u32>,
}

/// Members whose names begin with the same part, in the order of the document.
#[derive(Debug)]
struct Namesakes {
    print: u64,
    nodes: Nodes,
}

impl Members {
    fn add(&mut self, print: u64, node: u32) {
        let entry = self.table.entry(print, |known| known.print == print, |known| known.print);
        entry.or_insert_with(|| Namesakes { print, nodes: Nodes::new() }).into_mut().nodes.push(node);
        self.last = Some(node);
    }
}

impl Indexes {
    /// Whether no container has been walked often.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }

    /// Bytes they take, about.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The members of an object whose names may begin with this part, in the order of the document; none when the
    /// object has no index.
    pub(crate) fn members(&self, object: u32, part: &str) -> Option<&[u32]> {
        let Some(Index::Object(members)) = self.of(object) else { return None };
        let print = print_of(part.as_bytes());
        Some(members.table.find(print, |known| known.print == print).map_or(&[], |known| &known.nodes))
    }

    /// The elements of an array, when it has an index.
    pub(crate) fn elements(&self, array: u32) -> Option<&[u32]> {
        match self.of(array) {
            Some(Index::Array(elements)) => Some(elements),
            Some(Index::Object(_)) | None => None,
        }
    }

    /// The last child of a container, when it has an index.
    pub(crate) fn last(&self, node: u32) -> Option<Option<u32>> {
        Some(match self.of(node)? {
            Index::Object(members) => members.last,
            Index::Array(elements) => elements.last().copied(),
        })
    }

    /// A container has other children, or other names for them, than it had.
    pub(crate) fn forget(&mut self, node: u32) {
        if !self.is_empty() {
            let gone = self.containers.extract_if(.., |container| container.node == node);
            self.bytes -= gone.map(|container| container.bytes).sum::<usize>();
        }
    }

    fn of(&self, node: u32) -> Option<&Index> {
        self.containers.iter().find(|container| container.node == node)?.index.as_ref()
    }
}

/// The digest of the first part of a name; of a long one the beginning.
fn print_of(name: &[u8]) -> u64 {
    let name = &name[..name.len().min(PRINT_BYTES_MAX)];
    Fingerprint::of(&name[..memchr::memchr(b'.', name).unwrap_or(name.len())])
}

impl Document {
    /// Notes that a walk has passed so many children of a container, and makes its index when that is due.
    #[cold]
    pub(crate) fn note_walk(&mut self, node: u32, passed: usize, meter: &mut Meter) -> Result<(), Exhausted> {
        let containers = &mut self.indexes.containers;
        let Some(container) = containers.iter_mut().find(|container| container.node == node) else {
            if containers.len() < CONTAINERS_MAX {
                containers.push(Container { node, passed, index: None, bytes: 0 });
            }
            return Ok(());
        };
        container.passed += passed;
        if container.passed < WALKS * passed || container.index.is_some() {
            return Ok(());
        }
        let mut count = 0;
        for _ in self.children(node) {
            meter.node()?;
            count += 1;
        }
        // Where there is no memory for an index, walking goes on.
        if meter.room(count * ENTRY_BYTES).is_err() {
            return Ok(());
        }
        let index = self.make_index(node, count, meter)?;
        let Indexes { containers, bytes } = &mut self.indexes;
        if let Some(container) = containers.iter_mut().find(|container| container.node == node) {
            (container.index, container.bytes) = (Some(index), count * ENTRY_BYTES);
            *bytes += container.bytes;
        }
        Ok(())
    }

    fn make_index(&self, node: u32, count: usize, meter: &mut Meter) -> Result<Index, Exhausted> {
        if self.node(node).kind == Kind::Array {
            meter.work(CHANGE * count as u64)?;
            return Ok(Index::Array(self.children(node).collect()));
        }
        let mut members = Members { table: HashTable::with_capacity(count), ..Members::default() };
        for child in self.children(node) {
            meter.work(CHANGE)?;
            self.meter_name(child, meter)?;
            members.add(self.first_part(child), child);
        }
        Ok(Index::Object(members))
    }

    /// The digest of the first part of a member's name.
    fn first_part(&self, member: u32) -> u64 {
        print_of(&self.name_bytes(member))
    }

    /// Keeps a container's index when it gets a new last child.
    pub(crate) fn index_child(&mut self, parent: u32, child: u32) {
        if self.indexes.last(parent).is_none() {
            return;
        }
        let print = self.first_part(child);
        let container = self.indexes.containers.iter_mut().find(|container| container.node == parent);
        match container.and_then(|container| container.index.as_mut()) {
            Some(Index::Object(members)) => members.add(print, child),
            Some(Index::Array(elements)) => elements.push(child),
            None => {}
        }
    }

    /// The last child of a container.
    pub(crate) fn last_child(&mut self, node: u32, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        if let Some(last) = self.indexes.last(node) {
            return Ok(last);
        }
        let (mut last, mut child) = (NONE, self.node(node).first);
        let (mut strides, mut left) = (0, STRIDE);
        while let Some(node) = self.buffers.nodes.get(child as usize) {
            looks::nodes(1);
            left -= 1;
            if left == 0 {
                meter.nodes(STRIDE)?;
                (strides, left) = (strides + 1, STRIDE);
            }
            (last, child) = (child, node.next);
        }
        let passed = strides * STRIDE + (STRIDE - left);
        meter.nodes(STRIDE - left)?;
        if passed >= WIDE {
            self.note_walk(node, passed, meter)?;
        }
        Ok((last != NONE).then_some(last))
    }

    /// How many children a container has.
    pub(crate) fn count_children(&mut self, node: u32, meter: &mut Meter) -> Result<usize, Exhausted> {
        if let Some(elements) = self.indexes.elements(node) {
            return Ok(elements.len());
        }
        let (mut count, mut child) = (0, self.node(node).first);
        while child != NONE {
            meter.node()?;
            count += 1;
            child = self.node(child).next;
        }
        if count >= WIDE && self.node(node).kind == Kind::Array {
            self.note_walk(node, count, meter)?;
        }
        Ok(count)
    }
}
