//! Faults on request: what goes wrong with which request, scripted or drawn from a seed.

use super::ServiceError;
use crate::random::Random;
use std::collections::VecDeque;

/// A request that passed every limit, before it is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// 1 for the first request that passed the limits.
    pub number: u64,
    /// The delivery stream.
    pub stream: &'a str,
    /// The records, decoded.
    pub records: &'a [Vec<u8>],
}

/// What is to go wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// These entries, by index, are not accepted.
    FailEntries {
        /// Indices from 0; those beyond the request are ignored.
        entries: Vec<usize>,
        /// What their answers say.
        error: EntryError,
    },
    /// The first so many are accepted, the rest are throttled: `Slow down.`
    AcceptFirst(usize),
    /// The request is refused whole; nothing is accepted.
    Error(ServiceError),
    /// Everything is accepted, and yet the answer is an error.
    ErrorAfterAccepting(ServiceError),
    /// The connection is dropped; nothing is accepted.
    DropConnection,
    /// Everything is accepted; the answer is lost with the connection.
    DropAfterAccepting,
    /// Everything is accepted; no answer ever comes, until the client gives up or the server ends.
    NoAnswer,
    /// These entries fail, and `FailedPutCount` says something else.
    WrongCount {
        /// Indices from 0.
        entries: Vec<usize>,
        /// The count that is answered.
        failed_put_count: u64,
    },
    /// Everything is accepted; only the first so many entries are answered.
    ShortAnswer(usize),
}

/// The two errors that a single entry can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryError {
    /// `ServiceUnavailableException`, `Slow down.`: throttled.
    ServiceUnavailable,
    /// `InternalFailure`.
    InternalFailure,
}

/// Asked once for every request that passes the limits, in the order of their numbers.
pub type Faults = Box<dyn FnMut(Request<'_>) -> Fault + Send>;

/// No faults.
pub fn none() -> Faults {
    Box::new(|_| Fault::None)
}

/// The faults of the first requests, one each; none after them.
pub fn script(faults: impl IntoIterator<Item = Fault>) -> Faults {
    let mut faults: VecDeque<Fault> = faults.into_iter().collect();
    Box::new(move |_| faults.pop_front().unwrap_or(Fault::None))
}

/// At most so many records a second, over all streams; the rest of a request is throttled. Up to one second's worth can
/// be saved up. The clock tells milliseconds; a clock that stands still makes a quota that is used up once.
pub fn quota(records_per_second: u64, clock: crate::Clock) -> Faults {
    let mut thousandths = records_per_second.saturating_mul(1000);
    let mut last_ms = clock();
    Box::new(move |request| {
        let now_ms = clock();
        let earned = now_ms.saturating_sub(last_ms).saturating_mul(records_per_second);
        last_ms = now_ms;
        thousandths = thousandths.saturating_add(earned).min(records_per_second.saturating_mul(1000));
        let allowed = usize::try_from(thousandths / 1000).unwrap_or(usize::MAX).min(request.records.len());
        thousandths -= allowed as u64 * 1000;
        if allowed == request.records.len() { Fault::None } else { Fault::AcceptFirst(allowed) }
    })
}

/// In about `percent` of 100 requests something goes wrong: any fault but [`Fault::NoAnswer`], which would make a
/// client wait for its timeout. The same seed gives the same faults for the same requests.
pub fn seeded(seed: u64, percent: u64) -> Faults {
    let mut random = Random(seed);
    Box::new(move |request| {
        let count = request.records.len();
        if random.below(100) >= percent {
            return Fault::None;
        }
        let entries: Vec<usize> = (0..count).filter(|_| random.below(2) == 0).collect();
        match random.below(8) {
            0 => Fault::FailEntries { entries, error: EntryError::ServiceUnavailable },
            1 => Fault::FailEntries { entries, error: EntryError::InternalFailure },
            2 => Fault::AcceptFirst(random.below(count as u64) as usize),
            3 => Fault::Error(ServiceError::unavailable()),
            4 => Fault::ErrorAfterAccepting(ServiceError::internal()),
            5 => Fault::DropAfterAccepting,
            6 => Fault::WrongCount { entries, failed_put_count: random.below(3) },
            _ => Fault::ShortAnswer(random.below(count as u64) as usize),
        }
    })
}
