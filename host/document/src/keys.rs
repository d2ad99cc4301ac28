//! Bytes and digests of keys: what ends one, what is odd about one, where its name ends, and how two are told apart
//! quickly.

use crate::looks;
use crate::text;
use crate::tree::Facts;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

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

/// Where every digest of this process begins. It is random, so nobody can send keys that share a digest.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64));

/// A cheap digest of a key, eight bytes at a time: equal keys agree, different ones rarely do.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// The digest of nothing yet.
    #[inline]
    pub(crate) fn seeded() -> Fingerprint {
        Fingerprint(*SEED)
    }

    /// Takes eight bytes of the key.
    #[inline]
    pub(crate) fn word(self, word: u64) -> Fingerprint {
        // Both halves of the product: no change of one word can be undone by a change of the next.
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        Fingerprint(product as u64 ^ (product >> 64) as u64)
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
        let print = words.iter().fold(Fingerprint::seeded(), |print, word| print.word(u64::from_le_bytes(*word)));
        print.end(u64::from_le_bytes(last), key.len())
    }
}

/// How many bytes of a key, unescaped, are its name: dots at the end are left out.
pub(crate) fn name_bytes(key: &[u8]) -> usize {
    key.iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1)
}

/// The same of a key as it is written, perhaps with escapes.
pub(crate) fn written_name_bytes(raw: &[u8]) -> usize {
    if !raw.contains(&b'\\') {
        return name_bytes(raw);
    }
    let (mut at, mut end) = (0, 0);
    while at < raw.len() {
        let is_dot = match raw[at] {
            b'\\' => {
                let (character, length) = text::escape_at(&raw[at..]);
                at += length;
                character == Some('.')
            }
            byte => {
                at += 1;
                byte == b'.'
            }
        };
        if !is_dot {
            end = at;
        }
    }
    end
}

/// How many bytes a key takes as written, dots at its end included, of which its name takes `name`. `text` begins with
/// the key.
#[inline]
pub(crate) fn written_bytes(text: &[u8], name: usize, facts: Facts) -> usize {
    match facts.has(Facts::KEY_TRAILING) {
        true => name + memchr::memchr(b'"', &text[name..]).expect("a key ends with a quote, and dots stand before it"),
        false => name,
    }
}

/// Eight bytes looked at in one go. A flag is a byte's highest bit; flags above the lowest one may be wrong, because of
/// borrows.
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

/// What is odd about a key that was made here, given as JSON without its quotes. It has no dot at its end.
pub(crate) fn key_facts(raw: &[u8]) -> Facts {
    looks::bytes(raw.len());
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
