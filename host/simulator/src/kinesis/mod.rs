//! Kinesis and its event source mapping: a stream of shards, batches of its records as the events a Lambda is given,
//! and what AWS does with each answer: checkpoint, rewind, retry, bisect, give up.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use simulator::kinesis::{EventSource, Mapping, Stream};
//! let mut source = EventSource::new(Stream::new("clicks", 2), Mapping::default());
//! source.stream_mut().put("user-1", b"{}", 1_700_000_000_000);
//! let clock = || 1_700_000_000_500;
//! let journal = source.run(clock, async |_event: Vec<u8>| Ok(b"{\"batchItemFailures\":[]}".to_vec())).await;
//! assert_eq!(journal.invocations.len(), 1);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod event;
mod failure;
mod mapping;
mod response;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub use event::{EVENT_BYTES_MAX, event};
pub use failure::{Condition, FailureRecord};
pub use mapping::{BATCH_SIZE_MAX, EventSource, INVOCATIONS_MAX, Invocation, Journal, Mapping};
pub use response::{Outcome, RESPONSE_BYTES_MAX};
pub use stream::{Record, SHARDS_MAX, Stream};
