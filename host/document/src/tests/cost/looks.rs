//! Counts what is really looked at, and compares it with what the meter allowed, look by look: no clock, so no noise.
//!
//! Two things are told. **Unpaid**: the most that was looked at after a charge beyond what it stood for. A charge may
//! be for much that follows; but what many small ones leave over does not add up, so a loop that forgets the meter
//! shows, even behind one that pays too much. **Total**: all that was looked at, to be compared with all units.

use std::cell::Cell;

/// Looks that a unit of the meter stands for. A node is five units, and asked for its kind, its key and what follows
/// it.
const LOOKS_OF_UNIT: i64 = 2;

/// Bytes that are as much as a look.
const BYTES_OF_LOOK: usize = 8;

/// An escape, in looks.
const ESCAPE: usize = 6;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    /// Looks that the last charges still pay for.
    paid: i64,
    /// See above.
    pub(super) unpaid: i64,
    pub(super) total: i64,
}

thread_local! {
    static LOOKS: Cell<Looks> = const { Cell::new(Looks { paid: 0, unpaid: 0, total: 0 }) };
}

/// Begins anew.
pub(super) fn begin() {
    LOOKS.set(Looks::default());
}

pub(crate) fn counted() -> Looks {
    LOOKS.get()
}

pub(crate) fn nodes(count: usize) {
    let Looks { paid, unpaid, total } = LOOKS.get();
    let paid = paid - count as i64;
    LOOKS.set(Looks { paid, unpaid: unpaid.max(-paid), total: total + count as i64 });
}

pub(crate) fn bytes(count: usize) {
    nodes(count / BYTES_OF_LOOK);
}

pub(crate) fn escapes(count: usize) {
    nodes(ESCAPE * count);
}

/// Reading a text is bounded before (`crate::bounds`), and counted after: it belongs to the total only, whatever was
/// looked at meanwhile.
pub(crate) fn parsed(before: Looks, bytes: usize, nodes: usize) {
    LOOKS.set(Looks { total: before.total + (bytes / 2 + 10 * nodes) as i64, ..before });
}

pub(crate) fn allowed(units: u64) {
    let looks = LOOKS.get();
    let paid = looks.paid.max((units.min(1 << 40)) as i64 * LOOKS_OF_UNIT);
    LOOKS.set(Looks { paid, ..looks });
}
