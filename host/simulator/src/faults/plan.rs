//! What goes wrong with which request: scripted, by rules, or drawn from a seed.

use super::S3Error;
use crate::random::Random;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A request, before it is forwarded.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// 1 for the proxy's first request.
    pub number: u64,
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it was sent, without the query.
    pub path: &'a str,
    /// The query, without the question mark.
    pub query: &'a str,
}

/// What is to go wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is forwarded this much later.
    Late(Duration),
    /// It is forwarded at once, and its answer comes this much later.
    Slow(Duration),
    /// The answer's body comes in pieces of so many bytes (at least one), with a pause before each but the first.
    Trickle {
        /// Bytes of a piece.
        piece_bytes: usize,
        /// Time before the next one; a millisecond at least.
        pause: Duration,
    },
    /// It is not forwarded, but answered with an error.
    Error(S3Error),
    /// It is forwarded and carried out, and yet answered with an error.
    ErrorAfter(S3Error),
    /// Half of the answer's body comes, then the connection is closed. An answer without a body is cut before it
    /// begins.
    Half,
    /// The answer is whole, but its body is only so many bytes long, and its length says so.
    Shortened(usize),
    /// A bit of the answer's body is flipped: in this byte, counted around if the body is shorter. An empty body stays.
    Tampered {
        /// The byte, from 0.
        at: usize,
    },
    /// The answer's body is another one, with the answer's own status and headers.
    Replaced(Vec<u8>),
    /// The connection is closed; nothing is forwarded.
    Dropped,
    /// It is forwarded and carried out; the answer is lost with the connection.
    DroppedAfter,
    /// The connection is reset; nothing is forwarded.
    Reset,
    /// No answer ever comes, until the client gives up or the proxy ends; nothing is forwarded.
    Stall,
}

/// Asked once for every request, in the order of their numbers.
pub type Plan = Box<dyn FnMut(Request<'_>) -> Fault + Send>;

/// No faults.
pub fn none() -> Plan {
    always(Fault::None)
}

/// The same with every request.
pub fn always(fault: Fault) -> Plan {
    Box::new(move |_| fault.clone())
}

/// The faults of the first requests, one each; none after them.
pub fn script(faults: impl IntoIterator<Item = Fault>) -> Plan {
    let mut faults: VecDeque<Fault> = faults.into_iter().collect();
    Box::new(move |_| faults.pop_front().unwrap_or(Fault::None))
}

/// The fault of the first rule that fits; none if there is no such rule.
pub fn rules(rules: impl IntoIterator<Item = Rule>) -> Plan {
    let mut rules: Vec<Rule> = rules.into_iter().collect();
    Box::new(move |request| {
        // Every rule counts, also behind one that fits.
        let fits: Vec<bool> = rules.iter_mut().map(|rule| rule.fits(request)).collect();
        let first = rules.iter().zip(fits).find(|(_, fits)| *fits);
        first.map_or(Fault::None, |(rule, _)| rule.fault.clone())
    })
}

/// One of these faults with about `percent` of 100 requests. The same seed gives the same faults to the same requests.
pub fn seeded(seed: u64, percent: u64, faults: impl IntoIterator<Item = Fault>) -> Plan {
    let faults: Vec<Fault> = faults.into_iter().collect();
    let mut random = Random(seed);
    Box::new(move |_| {
        if faults.is_empty() || random.below(100) >= percent {
            return Fault::None;
        }
        faults[random.below(faults.len() as u64) as usize].clone()
    })
}

/// A fault for requests of one kind.
#[derive(Debug, Clone)]
pub struct Rule {
    method: String,
    prefix: String,
    only: RangeInclusive<u64>,
    fault: Fault,
    matched: u64,
}

impl Rule {
    /// For requests with this method (`*` for any) whose path begins so.
    pub fn new(method: impl Into<String>, prefix: impl Into<String>, fault: Fault) -> Rule {
        Rule { method: method.into(), prefix: prefix.into(), only: 1..=u64::MAX, fault, matched: 0 }
    }

    /// Only for these of them, counted from 1 since the plan began.
    #[must_use]
    pub fn only(self, only: RangeInclusive<u64>) -> Rule {
        Rule { only, ..self }
    }

    fn fits(&mut self, request: Request<'_>) -> bool {
        if !is_of_kind(request.method, request.path, &self.method, &self.prefix) {
            return false;
        }
        self.matched += 1;
        self.only.contains(&self.matched)
    }
}

/// Whether a request has this method (`*` for any) and a path that begins so.
pub(super) fn is_of_kind(method: &str, path: &str, wanted: &str, prefix: &str) -> bool {
    (wanted == "*" || wanted == method) && path.starts_with(prefix)
}
