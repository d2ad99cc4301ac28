//! Puts documents into delivery streams, in order, each until it is accepted, refused for good, or the time is up.
//!
//! Kinesis will rewind to the first record that is not settled, and whatever was accepted behind it is sent twice. So
//! there are two bounds. While a document is failed, nothing new is started, on any route: what failed is sent again
//! alone, the earliest document first. And while a document is open, for whatever reason, no request reaches further
//! ahead of it than all requests at once could hold ([`Progress::limit`]).
//!
//! A document that Firehose refuses for good is settled by the dead letter of its event, which the caller writes: until
//! then it holds back what lies far behind it like any open document, and [`Delivery::run`] returns when nothing else
//! is left.

mod progress;
pub(crate) mod request;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod schedules;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub(crate) use progress::State;

use crate::firehose::{Answer, Firehose, SendError};
use crate::outcomes::Document;
use crate::time::Clock;
use progress::Progress;
use request::{RECORDS_MAX, Room};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The longest pause before the first, second, third … time that something is sent again: doubled up to the cap, of
/// which a random part is waited (full jitter), so that many functions do not come back together.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Answers in a row without one accepted entry, after which the batch goes back to Kinesis, which waits at no cost:
/// about half a minute. The SDK's own attempts (see `firehose`) multiply whole-request failures by two.
const FRUITLESS_MAX: u32 = 20;

/// Documents between a request's first one and the bound, below which a request that the bound cuts short waits for the
/// bound to move: half a request. Otherwise requests on alternating routes would shrink to one document each.
const STRETCH_MIN: usize = RECORDS_MAX / 2;

/// What delivery needs to know, besides the documents.
pub(crate) struct DeliveryOptions<'a> {
    pub(crate) firehose: &'a Arc<dyn Firehose>,
    /// Delivery streams, by route.
    pub(crate) streams: &'a [String],
    /// Requests in flight at once.
    pub(crate) concurrency: usize,
    /// When nothing is started any more, and nobody waits for an answer.
    pub(crate) until: Instant,
    pub(crate) clock: &'a Clock,
    /// Called with the number of documents that are settled from the first one on, whenever it has grown: at most once
    /// an answer, and once after dead letters were written. Those documents need not be sent again, whatever happens
    /// next.
    pub(crate) on_settled: Option<&'a (dyn Fn(usize) + Send + Sync)>,
}

/// What became of the documents.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// One for each document.
    pub(crate) states: Vec<State>,
    /// Requests made.
    pub(crate) requests: u64,
    /// Entries sent again.
    pub(crate) resent: u64,
}

/// A document that Firehose will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) document: usize,
    pub(crate) reason: String,
}

/// Why delivery ended before everything was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Throttled, unreachable or out of time: what Kinesis can help with.
    Transient(String),
    /// A person must act.
    Configuration(String),
}

impl Stopped {
    /// Which of two reasons to report: the more serious one. Of two that are alike it is the later one, since every
    /// stage of a batch that stops does so at an earlier record than the stage before.
    pub(crate) fn worse(before: Option<Stopped>, later: Stopped) -> Stopped {
        match before {
            Some(before) if before.severity() > later.severity() => before,
            Some(_) | None => later,
        }
    }

    fn severity(&self) -> u8 {
        match self {
            Stopped::Transient(_) => 0,
            Stopped::Configuration(_) => 1,
        }
    }
}

/// Documents on their way.
pub(crate) struct Delivery<'a> {
    documents: &'a [Document],
    options: DeliveryOptions<'a>,
    random: fastrand::Rng,
    progress: Progress<'a>,
    /// Documents not sent yet, by route.
    queues: Vec<VecDeque<usize>>,
    /// Documents to send again.
    failed: BTreeSet<usize>,
    /// Parts of refused requests, none of them empty: somewhere in them is a document that Firehose will not take.
    parts: Vec<Vec<usize>>,
    in_flight: JoinSet<(Vec<usize>, Result<Answer, SendError>)>,
    /// Refused documents whose dead letters are not written yet.
    refused: Vec<Refusal>,
    fruitless: u32,
    last_error: String,
    stopped: Option<Stopped>,
    requests: u64,
    resent: u64,
}

impl<'a> Delivery<'a> {
    /// Nothing is sent yet. The documents are in the order of their records.
    pub(crate) fn new(documents: &'a [Document], options: DeliveryOptions<'a>, random: fastrand::Rng) -> Delivery<'a> {
        let mut queues = vec![VecDeque::new(); options.streams.len()];
        for (at, document) in documents.iter().enumerate() {
            queues[usize::from(document.route)].push_back(at);
        }
        Delivery {
            documents,
            options,
            random,
            progress: Progress::new(documents),
            queues,
            failed: BTreeSet::new(),
            parts: Vec::new(),
            in_flight: JoinSet::new(),
            refused: Vec::new(),
            fruitless: 0,
            last_error: String::new(),
            stopped: None,
            requests: 0,
            resent: 0,
        }
    }

    /// Sends until every document is decided, delivery has stopped, or refused documents hold back all others: then
    /// their dead letters come first ([`Delivery::refused`], [`Delivery::dead_lettered`]), and it may be called again.
    /// No request is in flight when it returns.
    pub(crate) async fn run(&mut self) {
        loop {
            if self.stopped.is_none() {
                self.start_more().await;
            }
            match self.in_flight.join_next().await {
                Some(Ok((request, answer))) => {
                    self.take(request, answer);
                    self.advance();
                }
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(error)) => unreachable!("nobody cancels requests: {error}"),
                None => return,
            }
        }
    }

    /// Documents that Firehose will never take, and whose dead letters are not written yet.
    pub(crate) fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// The dead letters of refused documents are written, for all records before `record`.
    pub(crate) fn dead_lettered(&mut self, record: usize) {
        self.refused.retain(|refusal| self.documents[refusal.document].record >= record);
        for at in 0..self.documents.partition_point(|document| document.record < record) {
            if self.progress.state(at) == State::GivenUp {
                self.progress.set(at, State::DeadLettered);
            }
        }
        self.advance();
    }

    /// The state of each document.
    pub(crate) fn states(&self) -> &[State] {
        self.progress.states()
    }

    /// Why nothing more is sent, once that is so.
    pub(crate) fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// The first document that is neither accepted nor given up. When delivery has stopped, it has to come again, and
    /// so has what is behind it.
    pub(crate) fn first_undecided(&self) -> Option<usize> {
        self.states().iter().position(|state| !state.is_decided())
    }

    /// What became of the documents.
    pub(crate) fn end(self) -> Delivered {
        Delivered { states: self.progress.into_states(), requests: self.requests, resent: self.resent }
    }

    fn advance(&mut self) {
        if self.progress.advance()
            && let Some(on_settled) = self.options.on_settled
        {
            on_settled(self.progress.settled());
        }
    }

    fn stop(&mut self, reason: Stopped) {
        self.stopped = Some(Stopped::worse(self.stopped.take(), reason));
    }

    fn is_time_up(&self) -> bool {
        (self.options.clock.now)() >= self.options.until
    }

    /// What has to be sent again comes first, one request at a time and after everything that is in flight, since
    /// Firehose is in trouble.
    async fn start_more(&mut self) {
        if self.failed.is_empty() && self.parts.is_empty() {
            self.start_new();
        } else if self.in_flight.is_empty() {
            self.start_again().await;
        }
    }

    /// Starts requests with documents that were never sent, the earliest document first.
    fn start_new(&mut self) {
        while self.in_flight.len() < self.options.concurrency.max(1) {
            let Some(request) = self.next_request() else { return };
            if self.is_time_up() {
                self.stop(Stopped::Transient("the invocation's time is up".into()));
                return;
            }
            self.start(request);
        }
    }

    /// The request that begins with the earliest document that was never sent; none if there is none, or not yet.
    fn next_request(&mut self) -> Option<Vec<usize>> {
        let limit = self.progress.limit(self.options.concurrency.max(1) * RECORDS_MAX);
        let progress = &self.progress;
        for queue in &mut self.queues {
            while queue.front().is_some_and(|&at| progress.state(at) != State::Waiting) {
                queue.pop_front();
            }
        }
        let queue = self.queues.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| queue[0])?;
        let (mut room, mut request, mut is_cut) = (Room::of_a_request(), Vec::new(), false);
        for &at in queue.iter().filter(|&&at| progress.state(at) == State::Waiting) {
            is_cut = at >= limit;
            if is_cut || !room.take(self.documents[at].bytes.len()) {
                break;
            }
            request.push(at);
        }
        let (first, last) = (*request.first()?, *request.last()?);
        if is_cut && limit - first < STRETCH_MIN && !self.in_flight.is_empty() {
            return None;
        }
        while queue.front().is_some_and(|&at| at <= last) {
            queue.pop_front();
        }
        Some(request)
    }

    /// Sends part of a refused request at once, or what failed after a pause, whichever has the earlier document.
    async fn start_again(&mut self) {
        let first_part = (0..self.parts.len()).min_by_key(|&part| self.parts[part][0]);
        let parts_begin = first_part.map_or(usize::MAX, |part| self.parts[part][0]);
        let request = match first_part {
            Some(part) if self.failed.first().is_none_or(|&failed| parts_begin < failed) => {
                self.parts.swap_remove(part)
            }
            Some(_) | None => {
                self.pause().await;
                self.failed_of_one_route(0..parts_begin)
            }
        };
        if self.stopped.is_none() && self.is_time_up() {
            self.stop(Stopped::Transient(self.last_error.clone()));
        }
        if self.stopped.is_none() {
            self.resent += request.len() as u64;
            self.start(request);
        }
    }

    async fn pause(&mut self) {
        let doublings = self.fruitless.saturating_sub(1).min(16);
        let longest = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
        let pause = longest.mul_f64(self.random.f64());
        let left = self.options.until.saturating_duration_since((self.options.clock.now)());
        if pause >= left || self.fruitless > FRUITLESS_MAX {
            self.stop(Stopped::Transient(self.last_error.clone()));
            return;
        }
        tokio::time::sleep(pause).await;
    }

    /// Failed documents of one route, the earliest and those that fit beside it.
    fn failed_of_one_route(&self, among: Range<usize>) -> Vec<usize> {
        let mut failed = self.failed.range(among).copied().peekable();
        let Some(route) = failed.peek().map(|&first| self.documents[first].route) else { return Vec::new() };
        let mut room = Room::of_a_request();
        let of_route = failed.filter(|&at| self.documents[at].route == route);
        of_route.take_while(|&at| room.take(self.documents[at].bytes.len())).collect()
    }

    fn start(&mut self, request: Vec<usize>) {
        self.requests += 1;
        for &at in &request {
            self.progress.set(at, State::Open);
        }
        let documents = request.iter().map(|&at| self.documents[at].bytes.clone()).collect();
        let stream = self.options.streams[usize::from(self.documents[request[0]].route)].clone();
        let firehose = Arc::clone(self.options.firehose);
        let left = self.options.until.saturating_duration_since((self.options.clock.now)());
        self.in_flight.spawn(async move {
            let answer = tokio::time::timeout(left, firehose.put_record_batch(&stream, documents)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(SendError::Transient("no answer before the time was up".into())));
            (request, answer)
        });
    }

    fn take(&mut self, request: Vec<usize>, answer: Result<Answer, SendError>) {
        match answer {
            Ok(answer) => self.take_entries(request, answer),
            Err(SendError::Transient(reason)) => {
                self.fruitless += 1;
                request.into_iter().for_each(|at| self.fail(at, &reason));
            }
            Err(SendError::Configuration(reason)) => self.stop(Stopped::Configuration(reason)),
            Err(SendError::Refused(reason)) => self.split(request, reason),
        }
    }

    fn take_entries(&mut self, request: Vec<usize>, answer: Answer) {
        let mut entries = answer.into_iter();
        let mut accepted = false;
        for at in request {
            // An answer with too few entries says nothing about the rest: sent again rather than lost.
            match entries.next().unwrap_or_else(|| Err("the answer has no entry for it".into())) {
                Ok(()) => {
                    accepted = true;
                    self.progress.set(at, State::Accepted);
                    self.failed.remove(&at);
                }
                Err(reason) => self.fail(at, &reason),
            }
        }
        self.fruitless = if accepted { 0 } else { self.fruitless + 1 };
    }

    fn fail(&mut self, at: usize, reason: &str) {
        self.last_error.clear();
        self.last_error.push_str(reason);
        if self.progress.state(at) == State::Open {
            self.failed.insert(at);
        }
    }

    /// Somewhere in a refused request is what Firehose will not take: looked for by halves.
    fn split(&mut self, mut request: Vec<usize>, reason: String) {
        for at in &request {
            self.failed.remove(at);
        }
        let is_alone = request.len() == 1;
        // Another request may have given up some of them meanwhile.
        request.retain(|&at| self.progress.state(at) == State::Open);
        let Some(&first) = request.first() else { return };
        if is_alone {
            self.give_up_event(first);
            self.refused.push(Refusal { document: first, reason });
            return;
        }
        let later = request.split_off(request.len().div_ceil(2));
        self.parts.extend([request, later].into_iter().filter(|part| !part.is_empty()));
    }

    /// Documents of the refused one's event that Firehose does not have yet are not sent either. Those that are in
    /// flight may still be accepted.
    fn give_up_event(&mut self, culprit: usize) {
        for at in of_event(self.documents, culprit) {
            if self.progress.state(at).is_decided() {
                continue;
            }
            self.progress.set(at, State::GivenUp);
            self.failed.remove(&at);
            self.parts.iter_mut().for_each(|part| part.retain(|&other| other != at));
        }
        self.parts.retain(|part| !part.is_empty());
    }
}

/// Which documents belong to the same event as this one.
pub(crate) fn of_event(documents: &[Document], of: usize) -> Range<usize> {
    let same = |document: &&Document| (document.record, document.event) == (documents[of].record, documents[of].event);
    let before = documents[..of].iter().rev().take_while(same).count();
    let behind = documents[of..].iter().take_while(same).count();
    of - before..of + behind
}
