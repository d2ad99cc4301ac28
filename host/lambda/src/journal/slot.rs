//! What one write of the journal says, in 512 bytes with a checksum.
//!
//! A file has two slots, written in turn. A process that dies in the middle of a write spoils one of them, and the
//! other still says what was so before.

use bytestring::ByteString;

/// Bytes of a slot: what a disk writes at once.
pub(super) const SLOT_BYTES: usize = 512;

/// Bytes of a file: two slots.
pub(super) const FILE_BYTES: usize = 2 * SLOT_BYTES;

/// Digits of a sequence number that a slot has room for: AWS's have 56, and its documentation allows 128 at most.
pub(super) const NUMBER_BYTES_MAX: usize = 88;

/// How a slot begins: what it is, and the version of the format.
const MAGIC: [u8; 8] = *b"PADJRNL1";

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The batch is under way. A process that leaves this behind has died.
    Running = 1,
    /// The invocation failed as a whole.
    Failed = 2,
    /// The batch was answered.
    Answered = 3,
}

/// 32 bytes that stand for what is too long to be written: SHA-256.
pub(super) type Name = [u8; 32];

/// A batch as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Milliseconds since the Unix epoch.
    pub(super) written_at_ms: u64,
    pub(super) phase: Phase,
    /// The stream and the shard.
    pub(super) lane: Name,
    /// What the batch runs with, and where it delivers.
    pub(super) release: Name,
    /// How many records the batch has, and how many of them are settled, from the first one on.
    pub(super) records: u32,
    pub(super) settled: u32,
    /// Of the sequence numbers of the settled records: see [`roll`].
    pub(super) digest: u64,
    /// Sequence numbers of the batch's first and last record, and of the last one that is settled, empty while none is.
    pub(super) first: ByteString,
    pub(super) last: ByteString,
    pub(super) settled_last: ByteString,
    /// Sequence number of the record that is being run, in a batch that runs carefully.
    pub(super) noted: Option<ByteString>,
}

impl State {
    /// The bytes of a slot. Of two, the one with the higher generation is the newer.
    pub(super) fn encode(&self, generation: u64) -> [u8; SLOT_BYTES] {
        let mut slot = Writer { bytes: [0; SLOT_BYTES], at: 0 };
        slot.put(&MAGIC);
        slot.put(&generation.to_le_bytes());
        slot.put(&self.written_at_ms.to_le_bytes());
        slot.put(&[self.phase as u8]);
        slot.put(&self.lane);
        slot.put(&self.release);
        slot.put(&self.records.to_le_bytes());
        slot.put(&self.settled.to_le_bytes());
        slot.put(&self.digest.to_le_bytes());
        let noted = self.noted.as_deref().unwrap_or_default();
        for number in [&*self.first, &*self.last, &*self.settled_last, noted] {
            slot.put(&[number.len() as u8]);
            slot.put(number.as_bytes());
        }
        let checksum = checksum(&slot.bytes);
        slot.bytes[SLOT_BYTES - 8..].copy_from_slice(&checksum.to_le_bytes());
        slot.bytes
    }

    /// What a slot says, with its generation; none if it was not written to its end, or by somebody else.
    pub(super) fn decode(slot: &[u8; SLOT_BYTES]) -> Option<(u64, State)> {
        let mut reader = Reader(slot.get(..SLOT_BYTES - 8)?);
        if reader.take()? != MAGIC || slot[SLOT_BYTES - 8..] != checksum(slot).to_le_bytes() {
            return None;
        }
        let generation = u64::from_le_bytes(reader.take()?);
        let written_at_ms = u64::from_le_bytes(reader.take()?);
        let phase = match reader.take()? {
            [1] => Phase::Running,
            [2] => Phase::Failed,
            [3] => Phase::Answered,
            [_] => return None,
        };
        let (lane, release) = (reader.take()?, reader.take()?);
        let (records, settled) = (u32::from_le_bytes(reader.take()?), u32::from_le_bytes(reader.take()?));
        let digest = u64::from_le_bytes(reader.take()?);
        let (first, last, settled_last) = (reader.number()?, reader.number()?, reader.number()?);
        let noted = Some(reader.number()?).filter(|number| !number.is_empty());
        let is_whole = settled <= records && !first.is_empty() && !last.is_empty();
        let state =
            State { written_at_ms, phase, lane, release, records, settled, digest, first, last, settled_last, noted };
        (is_whole && (settled == 0) == state.settled_last.is_empty()).then_some((generation, state))
    }

    /// What a file says last, with its generation.
    pub(super) fn newest(file: &[u8; FILE_BYTES]) -> Option<(u64, State)> {
        let (slots, _) = file.as_chunks::<SLOT_BYTES>();
        slots.iter().filter_map(State::decode).max_by_key(|(generation, _)| *generation)
    }
}

struct Writer {
    bytes: [u8; SLOT_BYTES],
    at: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<ByteString> {
        let [bytes] = self.take()?;
        let (number, rest) = self.0.split_at_checked(usize::from(bytes))?;
        self.0 = rest;
        let digits = number.len() <= NUMBER_BYTES_MAX && number.iter().all(u8::is_ascii_digit);
        digits.then(|| String::from_utf8_lossy(number).into_owned().into())
    }
}

/// The digest of a list of sequence numbers, with one more. Not a cryptographic one: AWS makes the numbers, nobody else
/// has a say in them, and 10,000 of them must not take longer than a few microseconds.
pub(super) fn roll(digest: u64, number: &str) -> u64 {
    let bytes = number.as_bytes();
    let (words, rest) = bytes.as_chunks::<16>();
    // The last sixteen, some of them twice: faster than to fill up what is left over.
    let last = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        last
    });
    let (mut mix, mut key) = (0, KEYS[0]);
    for word in words.iter().chain([&last]) {
        let word = u128::from_le_bytes(*word);
        mix ^= fold(word as u64 ^ key, (word >> 64) as u64 ^ KEYS[1]);
        key = key.wrapping_add(KEYS[2]);
    }
    fold(digest ^ mix ^ KEYS[2], KEYS[3] ^ bytes.len() as u64)
}

/// Numbers without a pattern: the first digits of π.
const KEYS: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// Of everything in a slot before its last eight bytes.
fn checksum(slot: &[u8; SLOT_BYTES]) -> u64 {
    let (words, _) = slot.as_chunks::<8>();
    let words = words[..words.len() - 1].iter().map(|word| u64::from_le_bytes(*word));
    words.fold(KEYS[0], |sum, word| fold(sum ^ word ^ KEYS[1], KEYS[2]).wrapping_add(KEYS[3]))
}
