//! What a call may cost.
//!
//! Whoever calls into this crate hands over a [`Meter`]. Every loop counts what it looks at, and every allocation what
//! it takes, before it goes on. So no document and no order of calls makes one call take longer, or more memory, than
//! its meter allows.
//!
//! A unit of work is about a nanosecond. The constants below are what things cost at most, measured (`make bench`, row
//! `worst_call_ms`); a search in `make test` looks for documents and calls that cost more than they count.

use crate::looks;
use std::fmt;

/// Looking at a node: following its link, comparing its kind and a short key.
pub(crate) const NODE: u64 = 5;

/// Looking at a member's name, and at one that lies apart from the next: memory that nobody looked at lately is slow.
const NAME: u64 = 6;
const NAME_APART: u64 = 30;

/// Nodes that a walk past siblings looks at before it counts them: counting each would take as long as looking.
pub(crate) const STRIDE: usize = 256;

/// Bytes from a name to the next up to which the processor has fetched that already.
const NEAR: usize = 128;

/// Linking, filling or writing a node, or an entry of an index.
pub(crate) const CHANGE: u64 = 30;

/// Answering with a text of its own.
const TEXT: u64 = 60;

/// Bytes that are compared or searched in a unit of work.
const BYTES_READ: usize = 4;

/// Bytes that are written to memory of their own in a unit of work: to some that was in use lately, and to so much that
/// the system has to give it.
const BYTES_TAKEN: usize = 8;
const BYTES_TAKEN_AFRESH: usize = 2;

/// Bytes from which on memory is given by the system.
const AFRESH: usize = 1 << 20;

/// What a call may still cost.
#[derive(Clone, Debug)]
pub struct Meter {
    work: u64,
    bytes: usize,
}

/// A call would cost more than its meter allows. The document may be changed in part, and is not to be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// More work.
    Work,
    /// More memory.
    Memory,
    /// A list of more than [`ANSWERS_MAX`](crate::ANSWERS_MAX) texts or [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX)
    /// bytes.
    Answer,
    /// A name that is longer than a path may be.
    Name,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exhausted::Work => "this takes more work than one event may cause",
            Exhausted::Memory => "this takes more memory than one event may hold",
            Exhausted::Answer => "the answer has more than 10,000 entries or 1 MiB",
            Exhausted::Name => "the answer has a name that is longer than a path may be (4,096 bytes, 64 parts)",
        })
    }
}

impl std::error::Error for Exhausted {}

impl Meter {
    /// A meter that allows `work` units, each about a nanosecond, and `bytes` of memory besides what the document takes
    /// already.
    pub const fn new(work: u64, bytes: usize) -> Meter {
        Meter { work, bytes }
    }

    /// A meter that allows anything: for documents that are bounded otherwise, and for tests.
    pub const fn unlimited() -> Meter {
        Meter { work: u64::MAX, bytes: usize::MAX }
    }

    /// The work that is left.
    pub fn work_left(&self) -> u64 {
        self.work
    }

    /// The memory that is left, in bytes.
    pub fn bytes_left(&self) -> usize {
        self.bytes
    }

    /// Counts work.
    ///
    /// # Errors
    /// [`Exhausted::Work`] when less is left; then nothing is.
    #[inline]
    pub fn work(&mut self, units: u64) -> Result<(), Exhausted> {
        match self.work.checked_sub(units) {
            Some(left) => {
                self.work = left;
                looks::allowed(units);
                Ok(())
            }
            None => self.no_work_left(),
        }
    }

    #[cold]
    fn no_work_left(&mut self) -> Result<(), Exhausted> {
        self.work = 0;
        Err(Exhausted::Work)
    }

    /// Counts looking at one node.
    #[inline]
    pub(crate) fn node(&mut self) -> Result<(), Exhausted> {
        self.work(NODE)
    }

    /// Counts looking at some nodes.
    #[inline]
    pub(crate) fn nodes(&mut self, count: usize) -> Result<(), Exhausted> {
        self.work(NODE * count as u64)
    }

    /// Counts looking at the name of a member whose key and value have so many bytes.
    #[inline]
    pub(crate) fn name(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.work(if bytes < NEAR { NAME } else { NAME_APART })
    }

    /// Counts bytes that are read: compared, searched or validated.
    ///
    /// # Errors
    /// As [`Meter::work`].
    #[inline]
    pub fn read(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.work((bytes / BYTES_READ) as u64)
    }

    /// Asks whether so much memory may be taken for a moment.
    ///
    /// # Errors
    /// [`Exhausted::Memory`] when less is left.
    #[inline]
    pub fn room(&self, bytes: usize) -> Result<(), Exhausted> {
        if bytes <= self.bytes { Ok(()) } else { Err(Exhausted::Memory) }
    }

    /// Counts memory that is taken, and the work of filling it.
    ///
    /// # Errors
    /// [`Exhausted::Memory`] when less is left; [`Exhausted::Work`] as [`Meter::work`].
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.take_for(bytes, 0)
    }

    /// The same, and more work.
    #[inline]
    pub(crate) fn take_for(&mut self, bytes: usize, units: u64) -> Result<(), Exhausted> {
        self.room(bytes)?;
        self.bytes -= bytes;
        self.work(units + (bytes / if bytes < AFRESH { BYTES_TAKEN } else { BYTES_TAKEN_AFRESH }) as u64)
    }

    /// Counts moving so many bytes to where there is room for twice as many.
    ///
    /// # Errors
    /// As [`Meter::take`].
    #[cold]
    pub(crate) fn move_all(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.room(3 * bytes)?;
        self.work((bytes / BYTES_TAKEN_AFRESH) as u64)
    }

    /// Counts a text of its own, of so many bytes.
    #[inline]
    pub(crate) fn text(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.take_for(bytes, TEXT)
    }
}
