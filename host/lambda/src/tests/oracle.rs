//! The promise from outside: the handler and AWS's own client against a Firehose that is nothing but bytes on a wire,
//! under any mix of answers, silences and kills. It knows what the service took and what an answer proves, and nothing
//! else of the host.

use super::answers::config;
use super::fakes::{Bench, FakeDeadLetters, Retries, event, reported, settings};
use super::promises::{Given, Model, Told, given};
use super::shapes::{Ended, Entry, Shape, Silence, Wire};
use crate::firehose::AwsFirehose;
use crate::{HandleError, Invocation};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

const REQUEST_MAX: usize = 500;

/// Invocations after which a batch that still comes back is stuck.
const INVOCATIONS_MAX: usize = 200;

/// What the world does with one HTTP request.
#[derive(Clone, Debug)]
enum Move {
    /// After so many milliseconds at least.
    Answer(Shape, u64),
    /// The process is killed: before the service has the request, or after it took everything.
    Kill(bool),
}

/// A document, as the world sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// How often the service took it, and whether it was ever refused for its size, all alone.
    taken: usize,
    was_refused: bool,
    /// In this invocation: whether it was sent, whether an answer proves that it was taken, whether the last one does
    /// not, and whether it or another document of its event was refused.
    is_sent: bool,
    is_acknowledged: bool,
    is_failed: bool,
    is_given_up: bool,
}

/// What is known of a document before anything is sent.
struct Known {
    /// Which event of the batch it belongs to, and what that one is called.
    event: usize,
    event_id: String,
    /// The documents of its record.
    record: Range<usize>,
}

/// The service and the network before it.
struct World {
    /// The documents of the batch in the order of their records, and their numbers by id.
    known: Vec<Known>,
    numbers: BTreeMap<String, usize>,
    /// Of each record, its first document; behind the last, their number.
    begins: Vec<usize>,
    concurrency: usize,
    script: Mutex<VecDeque<Move>>,
    seen: Mutex<Vec<Seen>>,
    /// The first document of this invocation's batch.
    from: Mutex<usize>,
    dead_letters: Arc<FakeDeadLetters>,
    kill: Notify,
    begun: tokio::time::Instant,
    /// When answers come, in milliseconds.
    turns: Mutex<BTreeSet<u64>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// The wire itself.
#[derive(Clone, Debug)]
struct Connector(Arc<World>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { world.request(&request).await })
    }
}

impl World {
    fn new(model: &Model, script: Vec<Move>, concurrency: usize) -> World {
        let (mut known, mut numbers, mut begins, mut event) = (Vec::new(), BTreeMap::new(), Vec::new(), 0);
        for record in &model.records {
            begins.push(known.len());
            let count: usize = record.iter().map(|(_, told)| told.documents().len()).sum();
            let documents = known.len()..known.len() + count;
            for (id, told) in record {
                event += 1;
                for k in told.documents() {
                    numbers.insert(format!("clicks/{id}{k}"), known.len());
                    known.push(Known { event, event_id: id.clone(), record: documents.clone() });
                }
            }
        }
        begins.push(known.len());
        World {
            seen: Mutex::new(vec![Seen::default(); known.len()]),
            known,
            numbers,
            begins,
            concurrency,
            script: Mutex::new(script.into()),
            from: Mutex::new(0),
            dead_letters: Arc::default(),
            kill: Notify::new(),
            begun: tokio::time::Instant::now(),
            turns: Mutex::default(),
        }
    }

    async fn request(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // The second attempt is the client's own, and its last.
        let is_second = request.headers().get("amz-sdk-request").unwrap().contains("attempt=2");
        let documents = self.begin(request.body().bytes().unwrap(), is_second);
        let next = self.script.lock().unwrap().pop_front();
        let ended = match next.unwrap_or(Move::Answer(Shape::Take, 1)) {
            Move::Answer(shape, latency_ms) => {
                tokio::time::sleep_until(self.turn(latency_ms)).await;
                shape.end(documents.len())
            }
            Move::Kill(taken) => {
                self.kill.notify_one();
                Shape::Hang(taken).end(documents.len())
            }
        };
        self.end(&documents, &ended, ended.is_final || is_second);
        match ended.wire {
            Wire::Http(status, body) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
                response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
                Ok(response)
            }
            Wire::Hang => std::future::pending().await,
            Wire::Break => Err(ConnectorError::io("the connection broke".into())),
        }
    }

    /// When an answer comes: never two at once, so that the host has seen each before the next.
    fn turn(&self, latency_ms: u64) -> tokio::time::Instant {
        let mut turns = self.turns.lock().unwrap();
        let mut at_ms = self.begun.elapsed().as_millis() as u64 + latency_ms;
        while !turns.insert(at_ms) {
            at_ms += 1;
        }
        self.begun + Duration::from_millis(at_ms)
    }

    /// What has to be so whenever a request is sent. One that is sent a second time by the client was in flight all the
    /// time.
    fn begin(&self, body: &[u8], is_second: bool) -> Vec<usize> {
        let request: Value = serde_json::from_slice(body).unwrap();
        let records = request["Records"].as_array().unwrap();
        let documents: Vec<usize> = records.iter().map(|record| self.number(record)).collect();
        assert!((1..=REQUEST_MAX).contains(&documents.len()) && body.len() <= 4 << 20);
        let mut seen = self.seen.lock().unwrap();
        // Nothing is started but what failed, as long as something has.
        if let Some(failed) = seen.iter().position(|seen| seen.is_failed) {
            let new = documents.iter().find(|&&at| !seen[at].is_sent);
            assert_eq!(new, None, "a new document is sent while {failed} is failed");
            assert!(self.concurrency > 1 || documents[0] <= failed, "{} overtakes {failed}", documents[0]);
        }
        for &at in &documents {
            assert!(!seen[at].is_acknowledged, "{at} is sent again, and the service said that it has it");
            assert!(is_second || !seen[at].is_given_up, "{at} is sent, and the service will not have all of its event");
            seen[at].is_sent = true;
        }
        drop(seen);
        self.check();
        documents
    }

    fn number(&self, record: &Value) -> usize {
        let data = base64_simd::STANDARD.decode_to_vec(record["Data"].as_str().unwrap()).unwrap();
        let document: Value = serde_json::from_slice(&data).unwrap();
        self.numbers[document["paddle_id"].as_str().unwrap()]
    }

    /// `is_over`: the host hears of it, and no attempt of the client's own follows.
    fn end(&self, documents: &[usize], ended: &Ended, is_over: bool) {
        let mut seen = self.seen.lock().unwrap();
        for (place, &at) in documents.iter().enumerate() {
            let document = &mut seen[at];
            document.taken += usize::from(ended.taken[place]);
            document.is_acknowledged = ended.acknowledged[place];
            document.is_failed =
                is_over && !ended.acknowledged[place] && !document.is_given_up && ended.wire != Wire::Hang;
        }
        if ended.is_refused && documents.len() == 1 {
            seen[documents[0]].was_refused = true;
            let event = self.known[documents[0]].event;
            for (seen, _) in seen.iter_mut().zip(&self.known).filter(|(_, known)| known.event == event) {
                seen.is_given_up = true;
                seen.is_failed = false;
            }
        }
    }

    /// The first document that would have to come again, if everything ended now.
    fn first_unsettled(&self) -> Option<usize> {
        let seen = self.seen.lock().unwrap();
        let mut open = (*self.from.lock().unwrap()..seen.len()).filter(|&at| !seen[at].is_acknowledged).peekable();
        let first = *open.peek()?;
        if !seen[first].is_given_up {
            return Some(first);
        }
        let dead = self.dead_letters.ids();
        open.find(|&at| !seen[at].is_given_up || !dead.contains(&self.known[at].event_id))
    }

    /// What would be repeated if everything ended now is bounded.
    fn check(&self) {
        let Some(first) = self.first_unsettled() else { return };
        let seen = self.seen.lock().unwrap();
        let sent = |range: Range<usize>| range.filter(|&at| seen[at].is_sent).count();
        let ahead = sent(first + 1..seen.len());
        assert!(ahead < self.concurrency * REQUEST_MAX, "{ahead} documents are sent behind {first}");
        let record = self.known[first].record.clone();
        let repeated = sent(record.start..seen.len());
        assert!(repeated <= record.len().max(self.concurrency * REQUEST_MAX), "{repeated} documents would come again");
    }

    /// A new invocation of what begins with this record.
    fn next_invocation(&self, from: usize) {
        *self.from.lock().unwrap() = self.begins[from];
        for document in &mut *self.seen.lock().unwrap() {
            *document = Seen { taken: document.taken, was_refused: document.was_refused, ..Seen::default() };
        }
    }

    /// After an invocation that nobody killed: the first record that it could not settle, given the first that had to
    /// go back.
    fn first_open(&self, back: usize) -> usize {
        // Records without documents begin where the next one does: the last of them is meant.
        let record = |at| self.begins.iter().rposition(|&begins| begins <= at);
        self.first_unsettled().and_then(record).unwrap_or(self.begins.len() - 1).min(back)
    }

    fn is_none_acknowledged(&self) -> bool {
        self.seen.lock().unwrap().iter().all(|seen| !seen.is_acknowledged)
    }

    fn is_none_sent(&self, documents: Range<usize>) -> bool {
        self.seen.lock().unwrap()[documents].iter().all(|seen| !seen.is_sent)
    }
}

/// A client of AWS's for Firehose, in this world.
fn client(world: &Arc<World>) -> Arc<AwsFirehose> {
    let connector = Connector(Arc::clone(world));
    let client = http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()));
    Arc::new(AwsFirehose::new(&config().into_builder().http_client(client).build()))
}

/// Runs a batch until it is settled, on a fresh host after each kill.
async fn check(given: &[Given], script: Vec<Move>, workers: &str, concurrency: usize) {
    let model = Model::new(given);
    let world = Arc::new(World::new(&model, script, concurrency));
    let (firehose, retries, output) = (client(&world), Retries::default(), Arc::default());
    let concurrency = concurrency.to_string();
    let host = || {
        let more = [("PADDLE_WORKERS", workers), ("PADDLE_DELIVERY_CONCURRENCY", concurrency.as_str())];
        Bench::host(settings(&more), firehose.clone(), &world.dead_letters, &output, &retries, None)
    };
    let (mut running, mut from) = (host(), 0);
    for invocations in 1..=INVOCATIONS_MAX {
        world.next_invocation(from);
        let asked = retries.lock().unwrap().clone();
        let back = (from..given.len()).find(|&record| model.goes_back(record, &asked)).unwrap_or(given.len());
        let invocation =
            Invocation { request_id: format!("request-{invocations}"), remaining: Duration::from_secs(60) };
        let handled = tokio::select! {
            biased;
            () = world.kill.notified() => None,
            handled = running.handle(event(&model.data[from..]), invocation) => Some(handled),
        };
        world.check();
        assert!(world.is_none_sent(world.begins[back]..world.known.len()), "nothing behind a record that goes back");
        let response = match handled {
            None => {
                running = host();
                continue;
            }
            Some(Err(HandleError::Configuration(_))) => {
                assert!(world.is_none_acknowledged(), "something was accepted");
                continue;
            }
            Some(handled) => handled.unwrap().response,
        };
        let Some(number) = reported(&response) else {
            assert_eq!(world.first_open(back), given.len(), "all is settled");
            return settled_as_a_whole(&model, &world);
        };
        from = model.data.iter().position(|(other, _)| *other == number).unwrap();
        assert_eq!(from, world.first_open(back), "it goes on at the first record that is not settled");
    }
    panic!("it does not end");
}

/// Each event is in exactly one place, or, where Firehose refused one of its documents, kept, and perhaps in part
/// delivered.
fn settled_as_a_whole(model: &Model, world: &World) {
    let dead = world.dead_letters.ids();
    let seen = world.seen.lock().unwrap();
    for (id, told) in model.records.iter().flatten() {
        let documents = told.documents().iter().map(|k| &seen[world.numbers[&format!("clicks/{id}{k}")]]);
        let documents: Vec<&Seen> = documents.collect();
        let may_be_dead = told.is_dead_letter() || documents.iter().any(|document| document.was_refused);
        let is_delivered = !told.is_dead_letter() && documents.iter().all(|document| document.taken > 0);
        match dead.contains(id) {
            true => assert!(may_be_dead, "{id} is kept without a reason"),
            false => assert!(is_delivered, "{id} is lost"),
        }
    }
}

/// Here every document is one that Firehose may take.
fn takeable(given: Given) -> Given {
    let told = |told| if told == Told::Poison { Told::Emit } else { told };
    Given { events: given.events.into_iter().map(told).collect(), ..given }
}

fn shape() -> impl Strategy<Value = Shape> {
    let places = || proptest::collection::vec(0_usize..500, 1..6);
    let entry = || proptest::sample::select(&Entry::ALL[..]);
    let every = proptest::collection::vec(0_usize..500, 1..4)
        .prop_flat_map(|places| proptest::sample::select(Shape::all(&places)));
    let silence = (proptest::sample::select(&Silence::ALL[..]), any::<bool>());
    let sizes =
        [Shape::Page(413, false), Shape::Error(400, "InvalidArgumentException", "Records size exceeds 4 MB limit")];
    prop_oneof![
        6 => Just(Shape::Take),
        2 => (places(), entry()).prop_map(|(places, entry)| Shape::Failed(places, entry)),
        1 => (places(), entry()).prop_map(|(places, entry)| Shape::FailedUncounted(places, entry)),
        1 => silence.prop_map(|(silence, taken)| Shape::Silent(silence, taken)),
        2 => proptest::sample::select(sizes.to_vec()),
        4 => every,
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    let answer = (shape(), 1_u64..60).prop_map(|(shape, latency_ms)| Move::Answer(shape, latency_ms));
    prop_oneof![12 => answer, 1 => any::<bool>().prop_map(Move::Kill)]
}

fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// A record of so many events that all do the same.
fn many(events: usize, told: &Told) -> Given {
    Given { events: vec![told.clone(); events], aggregated: events != 1 }
}

/// Batches for which the bound matters: more documents than all requests at once can hold.
fn large() -> impl Strategy<Value = Vec<Given>> {
    let record = prop_oneof![
        3 => Just(many(1, &Told::Emit)),
        1 => Just(many(1, &Told::Audit)),
        1 => (1_usize..40).prop_map(|events| many(events, &Told::Fan)),
        1 => (1_usize..700).prop_map(|events| many(events, &Told::Emit)),
    ];
    proptest::collection::vec(record, 10..30)
}

/// The same cases each time, or those of `PROPTEST_RNG_SEED`.
fn seeded(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::with_cases(cases);
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed => fixed,
    };
    ProptestConfig { rng_seed, ..config }
}

proptest! {
    #![proptest_config(seeded(150))]

    #[test]
    fn no_mix_of_answers_and_kills_loses_anything(
        given in proptest::collection::vec(given().prop_map(takeable), 1..30),
        script in proptest::collection::vec(moves(), 0..16),
        workers in prop_oneof![Just("1"), Just("3")],
        concurrency in prop_oneof![Just(1_usize), Just(4)],
    ) {
        in_paused_time(check(&given, script, workers, concurrency));
    }
}

proptest! {
    #![proptest_config(seeded(16))]

    #[test]
    fn no_mix_of_answers_and_kills_repeats_more_than_the_bound(
        given in large(),
        script in proptest::collection::vec(moves(), 0..16),
        concurrency in prop_oneof![Just(1_usize), Just(2), Just(4)],
    ) {
        in_paused_time(check(&given, script, "2", concurrency));
    }
}

/// Each answer there is, to the whole request, to each part of one that was refused, and to what is sent after a
/// failure.
#[test]
fn each_answer_at_each_place_of_a_split_loses_nothing() {
    let given: Vec<Given> = (0..8).map(|at| many(1 + at % 2, if at == 5 { &Told::Fan } else { &Told::Emit })).collect();
    let too_large = || Move::Answer(Shape::Page(413, false), 1);
    let throttled = || Move::Answer(Shape::Failed(vec![1], Entry::Throttled), 1);
    let take = || Move::Answer(Shape::Take, 1);
    let places = [
        vec![],
        vec![take()],
        vec![throttled()],
        vec![too_large()],
        vec![too_large(), take()],
        vec![too_large(), throttled()],
        vec![too_large(), throttled(), take()],
        vec![too_large(), too_large()],
        vec![too_large(), too_large(), take()],
        vec![too_large(), too_large(), too_large()],
    ];
    for shape in Shape::all(&[0, 2]) {
        for before in &places {
            for concurrency in [1, 4] {
                let script = before.iter().cloned().chain([Move::Answer(shape.clone(), 1)]).collect();
                in_paused_time(check(&given, script, "1", concurrency));
            }
        }
    }
}
