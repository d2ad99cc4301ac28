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

/// A cheap digest of a key, eight bytes at a time: equal keys agree, different ones rarely do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// Takes eight bytes of the key.
    #[inline]
    pub(crate) fn word(self, word: u64) -> Fingerprint {
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        Fingerprint((self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR))
    }

    /// Takes the rest, fewer than eight bytes with zeros behind them, and the length of the whole key.
    #[inline]
    pub(crate) fn end(self, rest: u64, length: usize) -> u64 {
        self.word(rest).word(length as u64).0
    }

    /// The digest of a whole key.
    pub(crate) fn of(key: &[u8]) -> u64 {
        let (words, rest) = key.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let print = words.iter().fold(Fingerprint::default(), |print, word| print.word(u64::from_le_bytes(*word)));
        print.end(u64::from_le_bytes(last), key.len())
    }
}

/// Eight bytes looked at in one go. A flag is a byte's highest bit; flags above the lowest one may be wrong, because of borrows.
pub(crate) mod swar {
    pub(crate) const ONES: u64 = 0x0101_0101_0101_0101;
    pub(crate) const HIGHS: u64 = 0x8080_8080_8080_8080;

    /// Flags bytes below `limit`, which is at most 128.
    #[inline]
    pub(crate) fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }

    /// Flags bytes that are `byte`.
    #[inline]
    pub(crate) fn equal(word: u64, byte: u8) -> u64 {
        below(word ^ (ONES * byte as u64), 1)
    }

    /// The position of the lowest flag.
    #[inline]
    pub(crate) fn first(flags: u64) -> Option<usize> {
        let flags = flags & HIGHS;
        (flags != 0).then(|| flags.trailing_zeros() as usize / 8)
    }
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
