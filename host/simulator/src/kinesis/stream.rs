//! A stream: shards, the records in them, and how Kinesis places and numbers records.

use md5::{Digest, Md5};

/// Shards of a stream, at most; the default quota of large regions.
pub const SHARDS_MAX: usize = 20_000;

/// A record as the stream holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What places it.
    pub partition_key: String,
    /// 56 decimal digits, increasing within a shard, with gaps.
    pub sequence_number: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// When it arrived, in milliseconds since the Unix epoch.
    pub arrived_at_ms: u64,
}

/// A stream in memory. Positions within a shard count from 0 and stay valid when settled records are forgotten.
#[derive(Debug, Clone)]
pub struct Stream {
    name: String,
    shards: Vec<Shard>,
}

#[derive(Debug, Clone, Default)]
struct Shard {
    /// Records forgotten.
    base: usize,
    records: Vec<Record>,
    /// The sequence number's lower 32 digits.
    last_number: u128,
}

impl Stream {
    /// A stream of `shards` shards (from 1 to 20,000, or the nearest of these) that share the hash keys evenly.
    pub fn new(name: &str, shards: usize) -> Stream {
        Stream { name: name.to_owned(), shards: vec![Shard::default(); shards.clamp(1, SHARDS_MAX)] }
    }

    /// Puts a record into the shard of its partition key; gives that shard and the record's position in it.
    pub fn put(&mut self, partition_key: &str, data: &[u8], arrived_at_ms: u64) -> (usize, usize) {
        let shard = self.shard_of(partition_key);
        let number = self.shards[shard].next_number(data.len());
        let sequence_number = format!("4966{:020}{number:032}", 1_000_003 * (shard as u64 + 1));
        self.put_numbered(shard, partition_key, data, arrived_at_ms, sequence_number)
    }

    /// Puts a record with a sequence number of the caller's, for tests of how they are compared. It should be larger
    /// than all before it in the shard; nothing checks that.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn put_numbered(
        &mut self,
        shard: usize,
        partition_key: &str,
        data: &[u8],
        arrived_at_ms: u64,
        sequence_number: String,
    ) -> (usize, usize) {
        let record =
            Record { partition_key: partition_key.to_owned(), sequence_number, data: data.to_vec(), arrived_at_ms };
        self.shards[shard].records.push(record);
        (shard, self.end(shard) - 1)
    }

    /// The shard in whose range the MD5 of `partition_key` lies. Ranges are equal, and the last takes what is over.
    pub fn shard_of(&self, partition_key: &str) -> usize {
        let hash_key = u128::from_be_bytes(Md5::digest(partition_key).into());
        let count = self.shards.len() as u128;
        // For one shard the range would be 2^128, which no u128 holds.
        if count == 1 {
            return 0;
        }
        let range = u128::MAX / count + u128::from(u128::MAX % count == count - 1);
        usize::try_from((hash_key / range).min(count - 1)).expect("it is below the number of shards")
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its ARN, in us-east-1 and account 123456789012.
    pub fn arn(&self) -> String {
        format!("arn:aws:kinesis:us-east-1:123456789012:stream/{}", self.name)
    }

    /// How many shards it has.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// `shardId-000000000000` for shard 0.
    pub fn shard_id(shard: usize) -> String {
        format!("shardId-{shard:012}")
    }

    /// The record at `position` of `shard`, unless it was forgotten or does not exist yet.
    pub fn record(&self, shard: usize, position: usize) -> Option<&Record> {
        let shard = self.shards.get(shard)?;
        shard.records.get(position.checked_sub(shard.base)?)
    }

    /// The records of `shard` from `start` to before `end`, without those that were forgotten.
    pub fn records(&self, shard: usize, range: std::ops::Range<usize>) -> &[Record] {
        let Some(shard) = self.shards.get(shard) else {
            return &[];
        };
        let index = |position: usize| position.saturating_sub(shard.base).min(shard.records.len());
        &shard.records[index(range.start)..index(range.end.max(range.start))]
    }

    /// The position after the last record of `shard`.
    pub fn end(&self, shard: usize) -> usize {
        self.shards.get(shard).map_or(0, |shard| shard.base + shard.records.len())
    }

    /// Forgets the records of `shard` before `position`.
    pub(crate) fn forget(&mut self, shard: usize, position: usize) {
        let shard = &mut self.shards[shard];
        let count = position.saturating_sub(shard.base).min(shard.records.len());
        shard.records.drain(..count);
        shard.base += count;
    }
}

impl Shard {
    /// Numbers have gaps, as real ones do: here of up to about 100,000, from the record's size and place.
    fn next_number(&mut self, bytes: usize) -> u128 {
        let count = (self.base + self.records.len()) as u128;
        self.last_number += 1 + (count * 7919 + bytes as u128 * 104_729) % 100_003;
        self.last_number
    }
}
