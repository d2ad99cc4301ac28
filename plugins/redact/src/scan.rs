//! Finds e-mail addresses, card numbers and IBANs in a string, each in time linear in its length.

mod card;
mod email;
mod iban;

use std::ops::Range;

use paddlewheel::prelude::*;

/// What can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// An e-mail address.
    Email,
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
}

/// The string with a mask in place of each match, or none if there is no match.
pub(crate) fn mask(text: &str, kinds: &[Kind], mask: &str) -> Option<String> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Email => email::find(text, &mut found),
            Kind::Card => card::find(text, &mut found),
            Kind::Iban => iban::find(text, &mut found),
        }
    }
    if found.is_empty() {
        return None;
    }
    found.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for range in found {
        // Two kinds may overlap: what the first did not cover goes with it.
        if range.start >= done {
            masked.push_str(&text[done..range.start]);
            masked.push_str(mask);
        }
        done = done.max(range.end);
    }
    masked.push_str(&text[done..]);
    Some(masked)
}

#[cfg(test)]
mod tests;
