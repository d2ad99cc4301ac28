//! How much of everything a document may have, so that reading one takes no longer than a call may.

use crate::meter::{Exhausted, Meter};
use crate::parse::{ParseError, Parsed};
use crate::tree::Node;

/// Values that a document may have: as many as a record of 1 MiB can hold, and 16 MiB of nodes. Without a bound a text
/// of ones and commas would take sixteen times its length.
const NODES_MAX: usize = 1 << 19;

/// Escapes that a document may have: each takes as long as some dozen other bytes. One in a key counts twice.
const ESCAPES_MAX: usize = 1 << 20;

/// Units of work that reading a value takes, and an escape; and bytes that are read in one.
const VALUE: u64 = 20;
const ESCAPE: u64 = 16;
const BYTES: u64 = 2;

/// How much of everything a text may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Nodes, those that are there before it included.
    pub(crate) nodes: usize,
    pub(crate) escapes: usize,
    /// What is exhausted when there are more nodes; none: the text is not a document then.
    of_nodes: Option<Exhausted>,
    of_escapes: Option<Exhausted>,
}

impl Bounds {
    pub(crate) const OF_DOCUMENT: Bounds =
        Bounds { nodes: NODES_MAX, escapes: ESCAPES_MAX, of_nodes: None, of_escapes: None };

    /// The same, with any number of escapes: for a text of which each part is a document and the whole is bounded by
    /// who sends it.
    pub(crate) const OF_LIST: Bounds = Bounds { escapes: usize::MAX, ..Bounds::OF_DOCUMENT };

    /// The bounds of a part of a document that has `nodes` already.
    pub(crate) fn of_part(nodes: usize, meter: &Meter) -> Bounds {
        let by_memory = nodes + meter.bytes_left() / size_of::<Node>();
        let by_work = nodes + (meter.work_left() / VALUE) as usize;
        let escapes = (meter.work_left() / ESCAPE) as usize;
        Bounds {
            nodes: NODES_MAX.min(by_memory).min(by_work),
            escapes: ESCAPES_MAX.min(escapes),
            of_nodes: match by_memory.min(by_work) {
                NODES_MAX.. => None,
                least if least == by_memory => Some(Exhausted::Memory),
                _ => Some(Exhausted::Work),
            },
            of_escapes: (escapes < ESCAPES_MAX).then_some(Exhausted::Work),
        }
    }

    /// What is exhausted, if a text is not read for that.
    pub(crate) fn exceeded_by(&self, error: &ParseError) -> Option<Exhausted> {
        match error.reason {
            MANY_VALUES => self.of_nodes,
            MANY_ESCAPES => self.of_escapes,
            _ => None,
        }
    }
}

pub(crate) const MANY_VALUES: &str = "more than 524,288 values";
pub(crate) const MANY_ESCAPES: &str = "more than 1,048,576 escapes";

impl Parsed {
    /// The work that it was: for so many bytes, and so many nodes of them.
    pub(crate) fn work(&self, bytes: usize, nodes: usize) -> u64 {
        work(bytes, nodes) + ESCAPE * self.escapes as u64
    }
}

/// The work of reading so many bytes into so many nodes, without escapes.
pub(crate) fn work(bytes: usize, nodes: usize) -> u64 {
    bytes as u64 / BYTES + VALUE * nodes as u64
}
