//! Puts documents into delivery streams, in order, each until it is accepted, refused for good, or the time is up.
//!
//! What failed is sent again alone; while something is failed nothing new is started, on any route, because Kinesis will
//! rewind to the first record that is not settled and everything behind it would be sent twice.

pub(crate) mod request;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

use crate::firehose::{Answer, Firehose, SendError};
use crate::record::Document;
use crate::time::Clock;
use request::Room;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The longest pause before the first, second, third … time that something is sent again: doubled up to the cap, of which a
/// random part is waited (full jitter), so that many functions do not come back together.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Answers in a row without one accepted entry, after which the batch goes back to Kinesis, which waits at no cost: about
/// half a minute. The SDK's own attempts (see `firehose`) multiply whole-request failures by two.
const FRUITLESS_MAX: u32 = 20;

/// What delivering needs to know.
pub(crate) struct Terms<'a> {
    pub(crate) firehose: &'a Arc<dyn Firehose>,
    /// Delivery streams, by route.
    pub(crate) streams: &'a [String],
    /// Requests in flight at once.
    pub(crate) concurrency: usize,
    /// When nothing is started any more, and nobody waits for an answer.
    pub(crate) until: Instant,
    pub(crate) clock: &'a Clock,
}

/// What became of the documents.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// One for each document.
    pub(crate) states: Vec<State>,
    /// Documents that Firehose will never take, and why.
    pub(crate) refused: Vec<(usize, String)>,
    /// Why not everything was settled.
    pub(crate) stopped: Option<Stopped>,
    /// Requests made.
    pub(crate) requests: u64,
    /// Entries sent again.
    pub(crate) resent: u64,
}

/// How far a document got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not sent yet.
    Waiting,
    /// Sent, and not accepted as far as we know.
    Open,
    /// Firehose has it.
    Accepted,
    /// Firehose will never take it.
    Refused,
    /// Not sent, because another document of its event was refused: an event settles as a whole.
    Skipped,
}

impl State {
    /// Whether there is nothing left to do about it.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, State::Accepted | State::Refused | State::Skipped)
    }
}

/// Why delivery ended before everything was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Throttled, unreachable or out of time: what Kinesis can help with.
    Transient(String),
    /// A person must act.
    Configuration(String),
}

/// Delivers `documents`, which are in the order of their records.
pub(crate) async fn deliver(documents: &[Document], terms: &Terms<'_>, random: &mut fastrand::Rng) -> Delivered {
    let mut queues = vec![VecDeque::new(); terms.streams.len()];
    for (at, document) in documents.iter().enumerate() {
        queues[usize::from(document.route)].push_back(at);
    }
    let result = Delivered { states: vec![State::Waiting; documents.len()], ..Delivered::default() };
    let delivery = Delivery {
        documents,
        terms,
        random,
        queues,
        failed: BTreeSet::new(),
        halves: Vec::new(),
        in_flight: JoinSet::new(),
        fruitless: 0,
        last_error: String::new(),
        result,
    };
    delivery.run().await
}

struct Delivery<'a> {
    documents: &'a [Document],
    terms: &'a Terms<'a>,
    random: &'a mut fastrand::Rng,
    /// Documents not sent yet, by route.
    queues: Vec<VecDeque<usize>>,
    /// Documents to send again.
    failed: BTreeSet<usize>,
    /// Parts of refused requests, the next one last: somewhere in them is a document that Firehose will not take.
    halves: Vec<Vec<usize>>,
    in_flight: JoinSet<(Vec<usize>, Result<Answer, SendError>)>,
    fruitless: u32,
    last_error: String,
    result: Delivered,
}

impl Delivery<'_> {
    async fn run(mut self) -> Delivered {
        loop {
            if self.result.stopped.is_none() {
                if self.failed.is_empty() && self.halves.is_empty() {
                    self.start_new();
                } else if self.in_flight.is_empty() {
                    self.start_again().await;
                    if self.result.stopped.is_none() && self.in_flight.is_empty() {
                        continue; // What was to be sent again was given up meanwhile.
                    }
                }
            }
            match self.in_flight.join_next().await {
                Some(Ok((request, answer))) => self.take(request, answer),
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(error)) => unreachable!("nobody cancels requests: {error}"),
                None => return self.result,
            }
        }
    }

    /// Starts requests with documents that were never sent, the earliest document first.
    fn start_new(&mut self) {
        while self.in_flight.len() < self.terms.concurrency.max(1) {
            for queue in &mut self.queues {
                while queue.front().is_some_and(|&at| self.result.states[at] != State::Waiting) {
                    queue.pop_front();
                }
            }
            let Some(queue) = self.queues.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| queue[0])
            else {
                return;
            };
            if (self.terms.clock.now)() >= self.terms.until {
                self.result.stopped = Some(Stopped::Transient("the invocation's time is up".into()));
                return;
            }
            let (mut room, mut request) = (Room::of_a_request(), Vec::new());
            while let Some(&at) = queue.front() {
                let waits = self.result.states[at] == State::Waiting;
                if waits && !room.take(self.documents[at].bytes.len()) {
                    break;
                }
                queue.pop_front();
                if waits {
                    request.push(at);
                }
            }
            self.start(request);
        }
    }

    /// Sends part of a refused request at once, or what failed after a pause: one request at a time, since Firehose is in
    /// trouble.
    async fn start_again(&mut self) {
        let request = match self.halves.pop() {
            Some(half) => half,
            None => {
                self.pause().await;
                self.failed_of_one_route()
            }
        };
        if self.result.stopped.is_none() && (self.terms.clock.now)() >= self.terms.until {
            self.result.stopped = Some(Stopped::Transient(self.last_error.clone()));
        }
        if self.result.stopped.is_none() && !request.is_empty() {
            self.result.resent += request.len() as u64;
            self.start(request);
        }
    }

    async fn pause(&mut self) {
        let doublings = self.fruitless.saturating_sub(1).min(16);
        let longest = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
        let pause = longest.mul_f64(self.random.f64());
        let left = self.terms.until.saturating_duration_since((self.terms.clock.now)());
        if pause >= left || self.fruitless > FRUITLESS_MAX {
            self.result.stopped = Some(Stopped::Transient(self.last_error.clone()));
            return;
        }
        tokio::time::sleep(pause).await;
    }

    fn failed_of_one_route(&self) -> Vec<usize> {
        let Some(&first) = self.failed.first() else { return Vec::new() };
        let route = self.documents[first].route;
        let mut room = Room::of_a_request();
        let of_route = self.failed.iter().copied().filter(|&at| self.documents[at].route == route);
        of_route.take_while(|&at| room.take(self.documents[at].bytes.len())).collect()
    }

    fn start(&mut self, request: Vec<usize>) {
        self.result.requests += 1;
        for &at in &request {
            self.result.states[at] = State::Open;
        }
        let documents = request.iter().map(|&at| self.documents[at].bytes.clone()).collect();
        let stream = self.terms.streams[usize::from(self.documents[request[0]].route)].clone();
        let firehose = Arc::clone(self.terms.firehose);
        let left = self.terms.until.saturating_duration_since((self.terms.clock.now)());
        self.in_flight.spawn(async move {
            let answer = tokio::time::timeout(left, firehose.put_record_batch(&stream, documents)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(SendError::Transient("no answer before the time was up".into())));
            (request, answer)
        });
    }

    fn take(&mut self, request: Vec<usize>, answer: Result<Answer, SendError>) {
        match answer {
            Ok(answer) => {
                let mut entries = answer.into_iter();
                let mut accepted = false;
                for at in request {
                    // An answer with too few entries says nothing about the rest: sent again rather than lost.
                    match entries.next().unwrap_or_else(|| Err("the answer has no entry for it".into())) {
                        Ok(()) => {
                            accepted = true;
                            self.result.states[at] = State::Accepted;
                            self.failed.remove(&at);
                        }
                        Err(reason) => self.fail(at, &reason),
                    }
                }
                self.fruitless = if accepted { 0 } else { self.fruitless + 1 };
            }
            Err(SendError::Transient(reason)) => {
                self.fruitless += 1;
                request.into_iter().for_each(|at| self.fail(at, &reason));
            }
            Err(SendError::Configuration(reason)) => {
                self.result.stopped = Some(Stopped::Configuration(reason));
            }
            Err(SendError::Refused(reason)) => self.split(request, reason),
        }
    }

    fn fail(&mut self, at: usize, reason: &str) {
        self.last_error.clear();
        self.last_error.push_str(reason);
        if self.result.states[at] == State::Open {
            self.failed.insert(at);
        }
    }

    /// Somewhere in a refused request is what Firehose will not take: looked for by halves.
    fn split(&mut self, mut request: Vec<usize>, reason: String) {
        for at in &request {
            self.failed.remove(at);
        }
        if request.len() > 1 {
            let later = request.split_off(request.len() / 2);
            self.halves.push(later);
            self.halves.push(request);
            return;
        }
        let culprit = request[0];
        self.result.states[culprit] = State::Refused;
        self.result.refused.push((culprit, reason));
        self.give_up_siblings(culprit);
    }

    /// Documents of the refused one's event that Firehose does not have yet are not sent.
    fn give_up_siblings(&mut self, culprit: usize) {
        let event = |at: usize| (self.documents[at].record, self.documents[at].event);
        let same = |at: &usize| event(*at) == event(culprit);
        let siblings = (0..culprit).rev().take_while(same).chain((culprit + 1..self.documents.len()).take_while(same));
        let siblings: Vec<usize> = siblings.filter(|&at| !self.result.states[at].is_settled()).collect();
        for at in siblings {
            self.result.states[at] = State::Skipped;
            self.failed.remove(&at);
            self.halves.iter_mut().for_each(|half| half.retain(|&other| other != at));
        }
        self.halves.retain(|half| !half.is_empty());
    }
}
