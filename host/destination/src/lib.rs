//! Where documents go at the end: nowhere but memory, a folder, lines of something open, or a real OpenSearch.
//!
//! `paddle` delivers to one of these, and so does the simulated Firehose. What becomes of each document is counted in a
//! [`Summary`]; an error means that the destination as a whole cannot be used.

mod folder;
mod lines;
mod opensearch;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub use folder::Folder;
pub use lines::Lines;
pub use opensearch::{OpenSearch, Settings};

use std::collections::BTreeMap;
use std::sync::Arc;

/// Tells the time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Different reasons kept in a [`Summary`]; the rest is counted as `other`.
const REASONS_MAX: usize = 50;
/// Bytes of an example's document and message that are kept.
const EXAMPLE_BYTES_MAX: usize = 1024;

/// Where records go.
#[derive(Debug)]
pub enum Destination {
    /// They are only counted: whoever delivers them keeps them.
    Memory(Summary),
    /// One file for each stream, one document per line.
    Folder(Folder),
    /// One document per line, all streams in one.
    Lines(Lines),
    /// Indexed by a node or cluster.
    OpenSearch(OpenSearch),
}

/// What became of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Documents stored.
    pub indexed: u64,
    /// Documents refused, all reasons together.
    pub refused: u64,
    /// The reasons, such as `mapper_parsing_exception`.
    pub reasons: BTreeMap<String, Refused>,
}

/// Documents refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The first of them, cut at 1 KiB.
    pub document: String,
    /// What was said about it, cut at 1 KiB.
    pub message: String,
}

impl Default for Destination {
    fn default() -> Destination {
        Destination::Memory(Summary::default())
    }
}

impl Destination {
    /// Stores the records of `stream`, in order.
    ///
    /// # Errors
    /// When the destination as a whole cannot be used: it is full, unreachable, or answers nonsense. A refused document
    /// is no error, it is in the [`Summary`].
    pub async fn deliver<'a>(&mut self, stream: &str, records: impl Iterator<Item = &'a [u8]>) -> anyhow::Result<()> {
        match self {
            Destination::Memory(summary) => {
                summary.indexed += records.count() as u64;
                Ok(())
            }
            Destination::Folder(folder) => folder.deliver(stream, records).await,
            Destination::Lines(lines) => lines.deliver(records),
            Destination::OpenSearch(opensearch) => opensearch.deliver(stream, records).await,
        }
    }

    /// What became of the records so far.
    pub fn summary(&self) -> Summary {
        match self {
            Destination::Memory(summary) => summary.clone(),
            Destination::Folder(folder) => folder.summary(),
            Destination::Lines(lines) => lines.summary(),
            Destination::OpenSearch(opensearch) => opensearch.summary(),
        }
    }
}

impl Summary {
    fn refuse(&mut self, reason: &str, document: &[u8], message: &str) {
        self.refused += 1;
        let full = self.reasons.len() >= REASONS_MAX && !self.reasons.contains_key(reason);
        let reason = if full { "other" } else { reason };
        let refused = self.reasons.entry(reason.to_owned()).or_insert_with(|| Refused {
            count: 0,
            document: cut(&String::from_utf8_lossy(document)),
            message: cut(message),
        });
        refused.count += 1;
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(EXAMPLE_BYTES_MAX)].to_owned()
}
