//! Aggregates of the Kinesis Producer Library: `F3 89 9A C2`, a protobuf message, its MD5.
//!
//! The message, from the library's `aggregation-format.md`:
//! `AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
//! repeated Record records = 3 }` and `Record { required uint64 partition_key_index = 1;
//! optional uint64 explicit_hash_key_index = 2; required bytes data = 3; repeated Tag tags = 4 }`.

use crate::protobuf::{Field, Reader};
use crate::{Limits, Part, Refusal, RefusalKind, too_many_parts};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::ops::Range;

pub(crate) const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
/// Bytes of the MD5 at the end.
const MD5_BYTES: usize = 16;
/// Bytes of one partition key at most: Kinesis allows 256 characters of up to 4 bytes. Keys are copied for every part,
/// so a longer one would multiply.
const KEY_BYTES_MAX: usize = 1024;

/// Whether `data` starts as an aggregate does and is long enough to be one.
#[inline]
pub(crate) fn recognised(data: &[u8]) -> bool {
    data.len() >= MAGIC.len() + MD5_BYTES && data.starts_with(&MAGIC)
}

/// Whether the MD5 at the end of `data`, which was recognised, is that of its message.
pub(crate) fn md5_is_good(data: &[u8]) -> bool {
    Md5::digest(&data[message(data)])[..] == data[message(data).end..]
}

/// The sub-records of an aggregate, in order; they share the memory of `data`.
pub(crate) fn parts(data: &Bytes, limits: &Limits) -> Result<Vec<Part>, Refusal> {
    let aggregate = Aggregate::read(data, limits)?;
    aggregate.records.iter().map(|record| aggregate.part(data, record)).collect()
}

fn message(data: &[u8]) -> Range<usize> {
    MAGIC.len()..data.len() - MD5_BYTES
}

#[derive(Default)]
struct Aggregate {
    partition_keys: Vec<Range<usize>>,
    hash_keys: u64,
    records: Vec<Record>,
}

struct Record {
    partition_key_index: u64,
    hash_key_index: Option<u64>,
    data: Range<usize>,
}

impl Aggregate {
    /// Reads the whole message before anything is looked up: the tables may stand after the records.
    fn read(bytes: &[u8], limits: &Limits) -> Result<Aggregate, Refusal> {
        let mut aggregate = Aggregate::default();
        let mut reader = Reader::new(bytes, message(bytes));
        while let Some((number, field)) = reader.next().map_err(bad)? {
            match (number, field) {
                (1, Field::Delimited(key)) => aggregate.partition_keys.push(key),
                (2, Field::Delimited(_)) => aggregate.hash_keys += 1,
                (3, Field::Delimited(record)) => aggregate.records.push(Record::read(bytes, record)?),
                (1..=3, _) => return Err(bad("a field of the aggregate has the wrong type")),
                _ => {}
            }
            // A key that no sub-record uses is pointless, so the limit on events bounds the table too.
            if aggregate.records.len().max(aggregate.partition_keys.len()) > limits.parts_max {
                return Err(too_many_parts(limits));
            }
        }
        Ok(aggregate)
    }

    fn part(&self, data: &Bytes, record: &Record) -> Result<Part, Refusal> {
        let index = usize::try_from(record.partition_key_index).ok();
        let Some(key) = index.and_then(|index| self.partition_keys.get(index)) else {
            return Err(bad("a sub-record names a partition key that is not in the table"));
        };
        if record.hash_key_index.is_some_and(|index| index >= self.hash_keys) {
            return Err(bad("a sub-record names a hash key that is not in the table"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(bad("a partition key is longer than Kinesis allows"));
        }
        let Ok(key) = std::str::from_utf8(&data[key.clone()]) else {
            return Err(bad("a partition key is not UTF-8"));
        };
        Ok(Part { data: data.slice(record.data.clone()), partition_key: Some(key.to_owned()), refusal: None })
    }
}

impl Record {
    fn read(bytes: &[u8], range: Range<usize>) -> Result<Record, Refusal> {
        let (mut partition_key_index, mut hash_key_index, mut data) = (None, None, None);
        let mut reader = Reader::new(bytes, range);
        while let Some((number, field)) = reader.next().map_err(bad)? {
            match (number, field) {
                (1, Field::Varint(index)) => partition_key_index = Some(index),
                (2, Field::Varint(index)) => hash_key_index = Some(index),
                (3, Field::Delimited(range)) => data = Some(range),
                (1..=3, _) => return Err(bad("a field of a sub-record has the wrong type")),
                _ => {}
            }
        }
        match (partition_key_index, data) {
            (Some(partition_key_index), Some(data)) => Ok(Record { partition_key_index, hash_key_index, data }),
            (None, _) => Err(bad("a sub-record has no partition key")),
            (_, None) => Err(bad("a sub-record has no data")),
        }
    }
}

fn bad(what: &str) -> Refusal {
    Refusal { kind: RefusalKind::Kpl, message: format!("the aggregate has a good MD5 but cannot be read: {what}") }
}
