//! Finds e-mail addresses, payment card numbers and IBANs in a text, each in time linear in its length.
//!
//! One scanner for all who look: `[document] forbid`, the plugin `redact` and the gate of `paddle publish`. So what one
//! masks no other finds. It depends on nothing, and compiles for the host and for WebAssembly alike.

mod card;
mod email;
mod iban;
#[cfg(test)]
mod tests;

use std::ops::Range;

/// How often a text is masked before it is given up and hidden whole: what stands beside a mask may be a new match.
const ROUNDS_MAX: usize = 4;

/// What can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Email, Kind::Card, Kind::Iban];

    /// Whether it occurs in a text.
    pub fn is_in(self, text: &str) -> bool {
        let mut found = Vec::new();
        self.find(text, &mut found);
        !found.is_empty()
    }

    /// Appends where it occurs in a text, in bytes, from left to right.
    pub fn find(self, text: &str, found: &mut Vec<Range<usize>>) {
        match self {
            Kind::Email => email::find(text, found),
            Kind::Card => card::find(text, found),
            Kind::Iban => iban::find(text, found),
        }
    }
}

/// The text with a mask in place of each match, or none if there is no match. Nothing of these kinds is left in it,
/// unless the mask itself is one.
pub fn mask(text: &str, kinds: &[Kind], mask: &str) -> Option<String> {
    let mut masked = masked_once(text, kinds, mask)?;
    for _ in 1..ROUNDS_MAX {
        match masked_once(&masked, kinds, mask) {
            Some(again) => masked = again,
            None => return Some(masked),
        }
    }
    let rest = masked_once(&masked, kinds, mask);
    Some(if rest.is_none() { masked } else { mask.to_owned() })
}

fn masked_once(text: &str, kinds: &[Kind], mask: &str) -> Option<String> {
    let mut found = Vec::new();
    kinds.iter().for_each(|kind| kind.find(text, &mut found));
    cover(text, found, mask)
}

/// The text with a mask in place of each range, or none if there is no range. Where ranges overlap, one mask stands for
/// both. They must lie on characters' edges.
pub fn cover(text: &str, mut found: Vec<Range<usize>>, mask: &str) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    found.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for range in found {
        if range.start >= done {
            masked.push_str(&text[done..range.start]);
            masked.push_str(mask);
        }
        done = done.max(range.end);
    }
    masked.push_str(&text[done..]);
    Some(masked)
}

/// Counts bytes that a scanner looks at beyond its one way through the text, so that tests can bound them.
#[inline]
fn looked_at(bytes: usize) {
    #[cfg(test)]
    tests::LOOKED_AT.with(|count| count.set(count.get() + bytes));
    #[cfg(not(test))]
    let _ = bytes;
}
