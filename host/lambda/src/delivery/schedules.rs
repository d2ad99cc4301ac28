//! Delivery under schedules that are drawn at random: requests that are answered in any order, in any way, late or
//! never, and a process that is killed meanwhile. A model that shares no code with delivery is asked at every moment.

use super::{Delivery, DeliveryOptions, FRUITLESS_MAX};
use crate::firehose::{Answer, Firehose, SendError, Sending};
use crate::outcomes::Document;
use crate::time::Clock;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the schedule does something. Time is paused, so delivery has always come to where it waits.
const TICK: Duration = Duration::from_millis(50);

/// How long delivery may take.
const TIME: Duration = Duration::from_secs(120);

const REQUEST_MAX: usize = 500;

/// Documents for which Firehose has no use: always refused, and so is a request with one of them.
type Poison = BTreeSet<usize>;

/// What the schedule does with one request.
#[derive(Clone, Debug)]
enum Move {
    Take,
    /// Fails the entries at these places, modulo the request's length.
    Fail(Vec<usize>),
    /// Takes everything and answers with this many entries less.
    Short(usize),
    /// Takes everything; the answer is an error.
    Lose,
    /// Takes nothing; the answer is an error.
    Throttle,
    /// Refuses the request whole, if it has more than one document.
    Refuse,
    /// Is never answered.
    Hang,
}

/// Records, each with the routes of its documents; an event is a document or a pair of them.
#[derive(Clone, Debug)]
struct Batch {
    documents: Vec<(usize, u16)>,
    poison: Poison,
}

impl Batch {
    fn documents(&self, from: usize) -> Vec<Document> {
        let mut begins = 0;
        let mut document = |(at, &(record, route)): (usize, &(usize, u16))| {
            if at > 0 && self.documents[at - 1].0 != record {
                begins = at;
            }
            Document { record, event: (at - begins) / 2, route, bytes: Bytes::from(format!("{at:08}")) }
        };
        let all: Vec<Document> = self.documents.iter().enumerate().map(&mut document).collect();
        all.into_iter().skip(from).collect()
    }

    fn record(&self, at: usize) -> Range<usize> {
        let record = self.documents[at].0;
        self.documents.partition_point(|(other, _)| *other < record)
            ..self.documents.partition_point(|(other, _)| *other <= record)
    }

    fn event(&self, at: usize) -> Range<usize> {
        let record = self.record(at);
        let begins = record.start + (at - record.start) / 2 * 2;
        begins..record.end.min(begins + 2)
    }
}

/// A request that waits for its answer.
struct Waiting {
    documents: Vec<usize>,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Answer, SendError>>;

/// What is known of a document from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Known {
    taken: usize,
    acknowledged: bool,
    failed: bool,
    begun: bool,
    refused: bool,
    dead_lettered: bool,
}

/// Firehose, and what it knows.
struct Stage {
    batch: Batch,
    concurrency: usize,
    known: Mutex<Vec<Known>>,
    waiting: Mutex<Vec<Waiting>>,
    hung: Mutex<Vec<Reply>>,
    in_flight: Mutex<usize>,
    /// What delivery reported as settled.
    reported: Mutex<usize>,
    /// The most documents that were accepted behind the first one not settled.
    ahead_most: Mutex<usize>,
}

impl Firehose for Stage {
    fn put_record_batch<'a>(&'a self, stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        let number = |document: &Bytes| std::str::from_utf8(document).unwrap().parse().unwrap();
        let documents: Vec<usize> = documents.iter().map(number).collect();
        assert!(documents.iter().all(|&at| stream == self.batch.documents[at].1.to_string()));
        self.begin(&documents);
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap().push(Waiting { documents, reply });
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(SendError::Transient("never".into()))) })
    }
}

impl Stage {
    fn new(batch: Batch, concurrency: usize) -> Arc<Stage> {
        Arc::new(Stage {
            known: Mutex::new(vec![Known::default(); batch.documents.len()]),
            batch,
            concurrency,
            waiting: Mutex::default(),
            hung: Mutex::default(),
            in_flight: Mutex::default(),
            reported: Mutex::default(),
            ahead_most: Mutex::default(),
        })
    }

    /// The documents that may lie ahead.
    fn ahead_max(&self) -> usize {
        self.concurrency * REQUEST_MAX
    }

    /// What has to be so when a request begins.
    fn begin(&self, request: &[usize]) {
        let mut known = self.known.lock().unwrap();
        let mut in_flight = self.in_flight.lock().unwrap();
        assert!(!request.is_empty() && request.len() <= REQUEST_MAX && request.is_sorted());
        let mut open = (0..known.len()).filter(|&at| known[at].failed);
        if let Some(first) = open.next() {
            assert_eq!(*in_flight, 0, "while {first} is failed, one request at a time");
            assert_eq!(request[0], first, "the earliest failed document is first");
            assert!(request.iter().all(|&at| known[at].failed), "nothing new while {first} is failed");
            let route = |at: usize| self.batch.documents[at].1;
            let skipped = open.find(|&at| {
                at < request[request.len() - 1] && route(at) == route(first) && request.binary_search(&at).is_err()
            });
            assert_eq!(skipped, None, "overtaken on its route");
        }
        for &at in request {
            let Known { acknowledged, refused, .. } = known[at];
            assert!(!acknowledged && !refused, "{at} is sent again: {:?}", known[at]);
            known[at] = Known { begun: true, failed: false, ..known[at] };
        }
        *in_flight += 1;
        assert!(*in_flight <= self.concurrency);
    }

    fn first_unsettled(&self, known: &[Known]) -> usize {
        known.iter().position(|known| !known.acknowledged && !known.dead_lettered).unwrap_or(known.len())
    }

    /// What has to be so at every moment.
    fn check(&self) {
        let known = self.known.lock().unwrap();
        let first = self.first_unsettled(&known);
        assert_eq!(*self.reported.lock().unwrap(), first, "all that is settled is reported");
        if first == known.len() {
            return;
        }
        let count = |range: Range<usize>, is: fn(&Known) -> bool| range.filter(|&at| is(&known[at])).count();
        let ahead = count(first + 1..known.len(), |known| known.acknowledged);
        let begun = count(first + 1..known.len(), |known| known.begun);
        assert!(begun < self.ahead_max(), "{begun} documents were begun behind {first}");
        let mut most = self.ahead_most.lock().unwrap();
        *most = ahead.max(*most);
        let record = self.batch.record(first);
        let repeated = count(record.start..known.len(), |known| known.begun);
        assert!(repeated <= record.len().max(self.ahead_max()), "{repeated} documents would come again");
    }

    /// Answers a waiting request.
    fn answer(&self, which: usize, how: &Move) {
        let mut waiting = self.waiting.lock().unwrap();
        let which = which % waiting.len();
        if matches!(how, Move::Hang) {
            let Waiting { documents, reply } = waiting.swap_remove(which);
            documents.iter().for_each(|&at| self.known.lock().unwrap()[at].taken += 1);
            self.hung.lock().unwrap().push(reply); // Dropping it would be an answer.
            return;
        }
        let Waiting { documents, reply } = waiting.swap_remove(which);
        let answer = self.answered(&documents, how);
        *self.in_flight.lock().unwrap() -= 1;
        reply.send(answer).ok();
    }

    fn answered(&self, request: &[usize], how: &Move) -> Result<Answer, SendError> {
        let mut known = self.known.lock().unwrap();
        let alone = request.len() == 1;
        let is_poisoned = request.iter().any(|at| self.batch.poison.contains(at));
        if is_poisoned || (matches!(how, Move::Refuse) && !alone) {
            if alone {
                for known in &mut known[self.batch.event(request[0])] {
                    known.refused = !known.acknowledged;
                    known.failed = false;
                }
            } else {
                self.fail(&mut known, request);
            }
            return Err(SendError::Refused("too large".into()));
        }
        let throttled = || Err("ServiceUnavailableException: Slow down.".to_owned());
        let taken: Vec<bool> = match how {
            Move::Throttle => {
                self.fail(&mut known, request);
                return Err(SendError::Transient("throttled".into()));
            }
            Move::Lose => {
                request.iter().for_each(|&at| known[at].taken += 1);
                self.fail(&mut known, request);
                return Err(SendError::Transient("lost".into()));
            }
            Move::Short(less) => {
                request.iter().for_each(|&at| known[at].taken += 1);
                let (answered, missing) = request.split_at(request.len().saturating_sub(*less));
                answered.iter().for_each(|&at| known[at].acknowledged = true);
                self.fail(&mut known, missing);
                return Ok(vec![Ok(()); answered.len()]);
            }
            Move::Fail(places) => {
                let failed: BTreeSet<usize> = places.iter().map(|place| place % request.len()).collect();
                (0..request.len()).map(|at| !failed.contains(&at)).collect()
            }
            Move::Take | Move::Refuse | Move::Hang => vec![true; request.len()],
        };
        for (&at, &taken) in request.iter().zip(&taken) {
            match taken {
                true => known[at] = Known { acknowledged: true, taken: known[at].taken + 1, ..known[at] },
                false => self.fail(&mut known, &[at]),
            }
        }
        Ok(taken.into_iter().map(|taken| if taken { Ok(()) } else { throttled() }).collect())
    }

    /// They are to be sent again, but for those whose event is refused.
    fn fail(&self, known: &mut [Known], documents: &[usize]) {
        documents.iter().for_each(|&at| known[at].failed = !known[at].refused);
    }

    /// Delivers the documents from `from` on to the end, with dead letters that are written at once.
    async fn deliver(self: &Arc<Stage>, from: usize) {
        let documents = self.batch.documents(from);
        let clock = Clock::system();
        let on_settled = |settled: usize| {
            let before = std::mem::replace(&mut *self.reported.lock().unwrap(), from + settled);
            assert!(before < from + settled, "reported once, and only when there is more");
        };
        let options = DeliveryOptions {
            firehose: &(Arc::clone(self) as Arc<dyn Firehose>),
            streams: &["0".into(), "1".into(), "2".into()],
            concurrency: self.concurrency,
            until: (clock.now)() + TIME,
            clock: &clock,
            on_settled: Some(&on_settled),
        };
        let mut delivery = Delivery::new(&documents, options, fastrand::Rng::with_seed(1));
        loop {
            delivery.run().await;
            let undecided = delivery.stopped().and_then(|_| delivery.first_undecided());
            let record = undecided.map_or(usize::MAX, |at| documents[at].record);
            let refused = delivery.refused().iter().map(|refusal| refusal.document);
            let refused: Vec<usize> = refused.filter(|&at| documents[at].record < record).collect();
            if refused.is_empty() {
                return;
            }
            for at in refused.iter().flat_map(|&at| self.batch.event(from + at)) {
                let known = &mut self.known.lock().unwrap()[at];
                known.dead_lettered = !known.acknowledged;
            }
            delivery.dead_lettered(record);
        }
    }
}

/// Answers one waiting request a tick; kills delivery after so many, if at all. True if it was killed.
async fn play(stage: &Arc<Stage>, from: usize, schedule: &[(usize, Move)], kill_after: usize) -> bool {
    let answers = async {
        let mut schedule = schedule.iter();
        for _ in 0..kill_after {
            tokio::time::sleep(TICK).await;
            if !stage.waiting.lock().unwrap().is_empty() {
                stage.check();
                let (which, how) = schedule.next().map_or((0, &Move::Take), |(which, how)| (*which, how));
                stage.answer(which, how);
            }
        }
    };
    tokio::select! {
        biased;
        () = stage.deliver(from) => false,
        () = answers => true,
    }
}

/// Plays a schedule, kills delivery after so many turns, and lets another one go on where the first one said.
async fn check(batch: Batch, concurrency: usize, schedule: &[(usize, Move)], kill_after: usize) {
    let stage = Stage::new(batch, concurrency);
    let was_killed = play(&stage, 0, schedule, kill_after).await;
    let from = *stage.reported.lock().unwrap();
    let before = stage.known.lock().unwrap().clone();
    let is_safe = |known: &Known| known.taken > 0 || known.dead_lettered;
    assert!(before[..from].iter().all(is_safe), "what is reported as settled is safe");
    let is_fruitless = |how: &Move| !matches!(how, Move::Take | Move::Refuse);
    let fruitless = schedule.iter().filter(|(_, how)| is_fruitless(how)).count();
    let may_stop = fruitless > FRUITLESS_MAX as usize || schedule.iter().any(|(_, how)| matches!(how, Move::Hang));
    assert!(was_killed || may_stop || from == before.len(), "it ends only when everything is settled");
    if from == before.len() {
        return;
    }
    // Another process, to which nothing has happened yet.
    let next = Stage::new(stage.batch.clone(), concurrency);
    *next.reported.lock().unwrap() = from;
    next.known.lock().unwrap()[..from].iter_mut().for_each(|known| known.acknowledged = true);
    assert!(!play(&next, from, &[], usize::MAX).await);
    let after = next.known.lock().unwrap().clone();
    assert!(after[from..].iter().all(is_safe), "the rest comes with the second try");
    let repeated = (from..after.len()).filter(|&at| before[at].taken > 0 && after[at].taken > 0).count();
    assert!(repeated <= stage.ahead_max(), "{repeated} documents came twice");
}

fn batch() -> impl Strategy<Value = Batch> {
    let sizes = prop_oneof![6 => 1_usize..4, 2 => 4_usize..300, 1 => 300_usize..2_600];
    let sizes = proptest::collection::vec(sizes, 1..60);
    let routes = prop_oneof![
        Just(vec![0]),
        Just(vec![0, 1]),
        Just(vec![0, 0, 1, 2]),
        proptest::collection::vec(0_u16..3, 1..700),
        (1_usize..900).prop_map(|block| [vec![0; block], vec![1; block], vec![2; 1]].concat()),
    ];
    let poison = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(0_usize..4_000, 1..5)];
    (sizes, routes, 1_usize..1_200, poison).prop_map(|(sizes, routes, plain, poison)| {
        let records = std::iter::repeat_n(1, plain).chain(sizes);
        let records = records.enumerate().flat_map(|(record, size)| std::iter::repeat_n(record, size));
        let documents: Vec<(usize, u16)> = records.zip(routes.into_iter().cycle()).collect();
        let poison = poison.into_iter().map(|at| at % documents.len()).collect();
        Batch { documents, poison }
    })
}

fn how() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => Just(Move::Take),
        3 => proptest::collection::vec(0_usize..500, 1..6).prop_map(Move::Fail),
        1 => (1_usize..400).prop_map(Move::Short),
        1 => Just(Move::Lose),
        1 => Just(Move::Throttle),
        1 => Just(Move::Refuse),
        1 => Just(Move::Hang),
    ]
}

fn in_paused_time(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn at_every_moment_what_would_come_again_is_bounded(
        batch in batch(),
        concurrency in prop_oneof![Just(1_usize), Just(2), Just(4)],
        schedule in proptest::collection::vec((0_usize..4, how()), 0..30),
        kill_after in prop_oneof![1_usize..40, Just(usize::MAX)],
    ) {
        in_paused_time(check(batch, concurrency, &schedule, kill_after));
    }
}

/// One document a record, on these routes in turn.
fn plain(count: usize, routes: &[u16]) -> Batch {
    let documents = (0..count).zip(routes.iter().copied().cycle()).collect();
    Batch { documents, poison: Poison::new() }
}

/// The first request hangs, and all others are taken; or its first document fails for ever.
#[test]
fn behind_a_document_that_stays_open_no_more_than_the_bound_is_accepted() {
    let hang = [(0, Move::Hang)];
    let throttle = vec![(0, Move::Fail(vec![0])); 100];
    let alone: Vec<u16> = [vec![1], vec![0; 9_999]].concat();
    for (name, concurrency, routes, schedule, ahead) in [
        ("the only request hangs", 1, vec![0], &hang[..], 0),
        ("the only request hangs, two routes", 1, vec![0, 1], &hang, 0),
        ("one of two requests hangs", 2, vec![0], &hang, 500),
        ("one of two requests hangs, two routes", 2, vec![0, 1], &hang, 500),
        ("one of two requests hangs, a document alone", 2, alone.clone(), &hang, 999),
        ("one of four requests hangs", 4, vec![0], &hang, 1_500),
        ("one of four requests hangs, two routes", 4, vec![0, 1], &hang, 1_500),
        ("one of four requests hangs, three routes", 4, vec![0, 1, 2], &hang, 1_500),
        ("one of four requests hangs, a document alone", 4, alone, &hang, 1_999),
        ("a document fails, one request", 1, vec![0], &throttle, 499),
        ("a document fails, four requests", 4, vec![0], &throttle, 1_999),
    ] {
        in_paused_time(async {
            let stage = Stage::new(plain(10_000, &routes), concurrency);
            assert!(!play(&stage, 0, schedule, usize::MAX).await);
            stage.check();
            assert_eq!((*stage.ahead_most.lock().unwrap(), *stage.reported.lock().unwrap()), (ahead, 0), "{name}");
        });
    }
}

/// Three routes in all orders: the first request hangs, until the time is up or the process is killed.
#[test]
fn however_routes_alternate_no_more_comes_again_than_the_bound() {
    let routes = (0..27_u16).map(|pattern| [pattern / 9, pattern / 3 % 3, pattern % 3]);
    for (routes, concurrency) in routes.flat_map(|routes| [1, 2, 4].map(|concurrency| (routes, concurrency))) {
        for kill_after in [100, usize::MAX] {
            in_paused_time(check(plain(2_400, &routes), concurrency, &[(0, Move::Hang)], kill_after));
        }
    }
}

/// What the bound costs where nothing goes wrong and all answers take equally long. Without it, 20 or 21 requests would
/// do, in as many rounds as there are slots for: with few routes it takes little more, and requests do not shrink to
/// nothing.
#[test]
fn the_bound_leaves_requests_large_and_slots_busy() {
    for (name, concurrency, routes, requests, rounds) in [
        ("one route", 4, vec![0], 20, 5),
        ("one route, one request at a time", 1, vec![0], 20, 20),
        ("two routes", 4, vec![0, 1], 20, 5),
        ("two routes, one request at a time", 1, vec![0, 1], 40, 40),
        ("three routes", 4, vec![0, 1, 2], 30, 8),
        ("a document in a hundred apart", 4, [vec![0; 99], vec![1]].concat(), 29, 8),
        ("routes in blocks", 4, [vec![0; 700], vec![1; 700]].concat(), 27, 7),
    ] {
        in_paused_time(async {
            let stage = Stage::new(plain(10_000, &routes), concurrency);
            let (mut answered, mut ticks) = (0, 0);
            let answers = async {
                loop {
                    tokio::time::sleep(TICK).await;
                    ticks += 1;
                    stage.check();
                    let waiting = stage.waiting.lock().unwrap().len();
                    (0..waiting).for_each(|_| stage.answer(0, &Move::Take));
                    answered += waiting;
                }
            };
            tokio::select! {
                biased;
                () = stage.deliver(0) => (),
                () = answers => unreachable!("it goes on until delivery ends"),
            }
            assert_eq!(*stage.reported.lock().unwrap(), 10_000, "{name}");
            assert_eq!((answered, ticks), (requests, rounds), "{name}");
        });
    }
}
