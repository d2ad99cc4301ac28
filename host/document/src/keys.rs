//! Bytes and digests of keys: what ends one, what is odd about one, and how two are told apart quickly.

use crate::tree::Facts;

/// Keys up to this many bytes need no look at their length.
pub(crate) const KEY_SHORT: usize = 512;

pub(crate) const STOP: u8 = 1;
pub(crate) const DOT: u8 = 2;
pub(crate) const ODD: u8 = 4;

/// What each byte means inside a key: the end of plain text, a dot, or something people trip over.
pub(crate) static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = STOP;
        byte += 1;
    }
    classes[b'"' as usize] = STOP;
    classes[b'\\' as usize] = STOP | ODD;
    classes[b'.' as usize] = DOT;
    classes[b' ' as usize] = ODD;
    classes[b'*' as usize] = ODD;
    classes[b',' as usize] = ODD;
    classes
};

/// A cheap digest of a key: equal keys agree, different ones rarely do.
#[inline]
pub(crate) fn fingerprint(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut print = key.len() as u64;
    let mut words = key.chunks_exact(8);
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        print = (print.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
    let rest = words.remainder().iter().fold(0, |rest, &byte| rest << 8 | u64::from(byte));
    (print.rotate_left(23) ^ rest).wrapping_mul(FACTOR)
}

/// What is odd about a key that was made here, given as JSON without its quotes.
pub(crate) fn key_facts(raw: &[u8]) -> Facts {
    let classes = raw.iter().fold(0, |classes, &byte| classes | CLASSES[byte as usize]);
    let mut facts = if classes & DOT == 0 { Facts::default() } else { Facts::KEY_DOTTED };
    if classes & (ODD | STOP) != 0 || raw.is_empty() || raw.len() > KEY_SHORT || raw[0] == b'_' {
        facts.add(Facts::KEY_ODD);
    }
    if raw.contains(&b'\\') {
        facts.add(Facts::KEY_ESCAPED);
    }
    facts
}
