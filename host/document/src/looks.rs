//! What is really looked at, counted by whoever looks: beside the meter, so that a loop that forgets it shows. For the
//! tests alone (`tests/cost`); in any other build nothing is counted, and none of this is left.

#[cfg(not(test))]
mod not_counted {
    /// Nodes that are looked at, or places of any list.
    #[inline(always)]
    pub(crate) fn nodes(_: usize) {}

    /// Bytes that are read, copied or compared.
    #[inline(always)]
    pub(crate) fn bytes(_: usize) {}

    /// Escapes that are resolved, or made.
    #[inline(always)]
    pub(crate) fn escapes(_: usize) {}

    /// What was counted so far.
    #[inline(always)]
    pub(crate) fn counted() {}

    /// A text was read into so many nodes, since so much was counted.
    #[inline(always)]
    pub(crate) fn parsed((): (), _: usize, _: usize) {}

    /// The meter allowed so many units.
    #[inline(always)]
    pub(crate) fn allowed(_: u64) {}
}

#[cfg(test)]
pub(crate) use crate::tests::looks::{allowed, bytes, counted, escapes, nodes, parsed};
#[cfg(not(test))]
pub(crate) use not_counted::{allowed, bytes, counted, escapes, nodes, parsed};
