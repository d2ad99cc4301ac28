//! The real `bootstrap` under the Runtime API, while releases are published: good ones and such as must be refused.

use crate::{spoiled, support};
use base64_simd::STANDARD;
use serde_json::{Value, json};
use simulator::firehose::{Firehose, Options};
use simulator::runtime::{Environment, Freeze, Function, Memory, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tests::place::Place;
use tests::programs::program;
use tests::shop::Shop;

/// Releases that are published one after the other, spoiled ones among them.
const RELEASES: usize = 100;

/// Records of a batch.
const BATCH: u64 = 20;

/// `PADDLE_POLL_SECONDS`, as the shop sets it.
const POLL: Duration = Duration::from_millis(200);

/// Between two batches that follow each other.
const PAUSE: Duration = Duration::from_millis(2);

/// How much more memory fifty further swaps may take. Fifty releases that left their code behind would take several
/// times that.
const MEMORY_GROWTH_MIB_MAX: u64 = 16;

/// Longest wait for anything.
const TIME_MAX: Duration = Duration::from_secs(120);

/// A function, the Firehose behind it, and the store it follows.
pub struct Stage {
    pub place: Place,
    scratch: tempfile::TempDir,
    pub shop: Shop,
    firehose: Firehose,
    next: u64,
    /// When each release was put on the channel, good ones only.
    live: Vec<(String, Instant)>,
    batches: Vec<Batch>,
}

/// A batch: when it began and ended, and the release that its documents name.
struct Batch {
    begun: Instant,
    ended: Instant,
    release: String,
}

impl Stage {
    pub async fn new(place: Place) -> Stage {
        let shop = Shop::new(place.url(), place.aws());
        let firehose = Firehose::start(Options::new(["clicks"])).await.expect("a Firehose");
        let scratch = tempfile::tempdir().expect("a folder");
        Stage { place, scratch, shop, firehose, next: 0, live: Vec::new(), batches: Vec::new() }
    }

    pub fn function(&self, freeze: Freeze) -> Function {
        let mut function = Function::new(program("bootstrap"));
        function.memory_mib = 256;
        function.freeze = freeze;
        function.scratch = Some(self.scratch.path().join("tmp"));
        let letters = format!("file://{}/letters", self.scratch.path().display());
        let own = [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("PADDLE_ROUTES", "default=clicks".to_owned()),
            ("PADDLE_DEAD_LETTERS", letters),
            ("AWS_ENDPOINT_URL_FIREHOSE", self.firehose.url().to_owned()),
        ];
        let endpoint = self.place.aws().remove_entry("AWS_ENDPOINT_URL_S3");
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        function.env = own.chain(endpoint).chain(self.shop.variables()).collect();
        function
    }

    /// Publishes a good release.
    pub async fn publish(&mut self, mark: &str) -> String {
        let id = self.shop.publish(mark).await.to_string();
        self.live.push((id.clone(), Instant::now()));
        id
    }

    /// Invokes once; all documents must be there, of one release.
    pub async fn batch(&mut self, environment: &mut Environment) -> String {
        let numbers: Vec<u64> = (self.next..self.next + BATCH).collect();
        self.next += BATCH;
        let begun = Instant::now();
        let invoked = environment.invoke(&event(&numbers)).await.expect("the simulator works");
        let ended = Instant::now();
        let answer = invoked.outcome.into_result().unwrap_or_else(|failure| panic!("{failure}: {:?}", invoked.log));
        assert_eq!(answer, br#"{"batchItemFailures":[]}"#);
        let accepted = self.firehose.accepted("clicks");
        let documents: Vec<Value> = accepted[accepted.len() - 2 * numbers.len()..]
            .iter()
            .map(|accepted| serde_json::from_slice(&accepted.data).expect("a document"))
            .collect();
        let seen: BTreeSet<u64> = documents.iter().map(|document| document["k"].as_u64().expect("k")).collect();
        assert_eq!(seen, numbers.into_iter().collect(), "no document is lost");
        let releases: BTreeSet<&str> =
            documents.iter().map(|document| document["release"].as_str().expect("stamped")).collect();
        assert_eq!(releases.len(), 1, "a batch has one release");
        let release = releases.first().map(|release| (*release).to_owned()).expect("one");
        self.batches.push(Batch { begun, ended, release: release.clone() });
        release
    }

    /// Invokes once, whatever becomes of the records; none may be lost.
    pub async fn any_batch(&mut self, environment: &mut Environment) {
        let numbers: Vec<u64> = (self.next..self.next + BATCH).collect();
        self.next += BATCH;
        let invoked = environment.invoke(&event(&numbers)).await.expect("the simulator works");
        let answer = invoked.outcome.into_result().unwrap_or_else(|failure| panic!("{failure}: {:?}", invoked.log));
        assert_eq!(answer, br#"{"batchItemFailures":[]}"#);
    }

    /// Batches until something is so.
    async fn batches_until(
        &mut self,
        environment: &mut Environment,
        what: &str,
        so: impl Fn(&str, &Environment) -> bool,
    ) {
        let begun = Instant::now();
        loop {
            let release = self.batch(environment).await;
            if so(&release, environment) {
                return;
            }
            assert!(begun.elapsed() < TIME_MAX, "in vain: {what}: {:?}", environment.log());
            environment.idle(PAUSE).await;
        }
    }

    /// No batch ran with a release that was superseded for longer than a poll interval, the batch, and `slack`.
    fn check_ages(&self, poll: Duration, slack: Duration) {
        for batch in &self.batches {
            let at = self.live.iter().position(|(id, _)| *id == batch.release).expect("only good releases run");
            let Some((_, superseded)) = self.live.get(at + 1) else { continue };
            let age = batch.begun.saturating_duration_since(*superseded);
            let most = poll + (batch.ended - batch.begun) + slack;
            assert!(age <= most, "a batch ran with a release that was superseded {age:?} before; {most:?} is allowed");
        }
    }
}

impl Stage {
    /// Prints how long batches took, those that ran while a release was on its way and all others.
    fn print_latencies(&self) {
        let swapping = |batch: &Batch| {
            let at = self.live.iter().position(|(id, _)| *id == batch.release);
            at.and_then(|at| self.live.get(at + 1)).is_some_and(|(_, superseded)| batch.ended >= *superseded)
        };
        let percentile = |mut times: Vec<Duration>, share: f64| {
            times.sort_unstable();
            times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default()
        };
        for (name, wanted) in [("while a release is on its way", true), ("otherwise", false)] {
            let of = self.batches.iter().filter(|batch| swapping(batch) == wanted);
            let times: Vec<Duration> = of.map(|batch| batch.ended - batch.begun).collect();
            let count = times.len();
            println!(
                "{count} batches {name}: p50 {:?}, p99 {:?}",
                percentile(times.clone(), 0.5),
                percentile(times, 0.99)
            );
        }
    }
}

/// How long after a superseding move a batch may still run with the old release, besides a poll interval and its own
/// time: a second, on a machine where a cold start, which does the same and more, takes no longer than
/// that.
fn slack(environment: &Environment) -> Duration {
    Duration::from_secs(1).max(environment.init().duration)
}

pub fn event(numbers: &[u64]) -> Vec<u8> {
    let record = |k: &u64| {
        let data = json!({"level": "INFO", "k": k, "email": "a@b.co", "items": [{"sku": 1}, {"sku": 2}]}).to_string();
        json!({
            "eventID": format!("shardId-000000000000:{k}"),
            "eventSource": "aws:kinesis",
            "eventSourceARN": format!("arn:aws:kinesis:us-east-1:1:stream/{}", support::STREAM),
            "kinesis": {"sequenceNumber": k.to_string(), "partitionKey": "k", "data": STANDARD.encode_to_string(data)},
        })
    };
    json!({"Records": numbers.iter().map(record).collect::<Vec<_>>()}).to_string().into_bytes()
}

/// What the log says of a refused release.
pub fn refusals(environment: &Environment) -> BTreeMap<String, String> {
    let lines = environment.log();
    let told = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    let refused = told.filter(|line| line["message"].as_str().is_some_and(|text| text.contains("refused")));
    refused.map(|line| (text_of(&line["release"]), text_of(&line["kind"]))).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A hundred releases while batches run.
async fn a_hundred_releases(mut stage: Stage) {
    stage.publish("r0").await;
    let mut environment = Environment::start(&stage.function(Freeze::Never)).await.expect("it starts");
    println!("a cold start from {} took {:?}", stage.place.url(), environment.init().duration);
    let mut kinds = spoiled::KINDS.iter();
    let mut expected = BTreeMap::new();
    let mut memory = Vec::new();
    for round in 1..RELEASES {
        memory.extend(environment.memory());
        let mark = format!("r{round}");
        let spoiled = if round.is_multiple_of(RELEASES / spoiled::KINDS.len()) { kinds.next() } else { None };
        let Some((how, kind)) = spoiled else {
            let id = stage.publish(&mark).await;
            stage.batches_until(&mut environment, &format!("release {id} is taken"), |release, _| release == id).await;
            continue;
        };
        let id = spoiled::publish(&stage.shop, &stage.place, how, &mark).await.to_string();
        expected.insert(id.clone(), (*kind).to_owned());
        let what = format!("{how} is refused as {kind}");
        let told = |_: &str, environment: &Environment| refusals(environment).contains_key(&id);
        stage.batches_until(&mut environment, &what, told).await;
    }
    assert_eq!(kinds.next(), None, "every kind was tried");
    assert_eq!(refusals(&environment), expected);
    stage.check_ages(POLL, slack(&environment));
    assert_eq!(stage.firehose.violation_count(), 0);
    // Its file tells the same, as far as it remembers.
    let last = stage.publish("last").await;
    stage.batches_until(&mut environment, "the last one is taken", |release, _| release == last).await;
    let said = stage.shop.said().await;
    let told = said.refused.iter().filter_map(|refused| Some((refused.release?.to_string(), refused.kind.clone())));
    let told: BTreeMap<String, String> = told.collect();
    assert!(!told.is_empty() && told.iter().all(|(id, kind)| expected.get(id) == Some(kind)), "{told:?}");
    stage.print_latencies();
    check_memory(&memory);
    environment.shutdown().await;
}

/// Whether the memory of releases that are over is given back: once each kind of release was met, and the pool's slots
/// have been used, swaps take no more.
fn check_memory(memory: &[Memory]) {
    let (early, late) = memory.split_at(memory.len() / 2);
    let most = |some: &[Memory]| some.iter().map(|memory| memory.resident_bytes >> 20).max().expect("it was measured");
    let (one, before, after) = (most(&memory[..1]), most(early), most(late));
    println!(
        "in memory: {one} MiB with one release; at most {before} MiB in the first 50 swaps, {after} MiB in the next"
    );
    assert!(after <= before + MEMORY_GROWTH_MIB_MAX, "each swap leaves something behind: {memory:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_takes_good_releases_of_a_folder_and_names_why_it_refuses_others() {
    a_hundred_releases(Stage::new(Place::folder()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_takes_good_releases_of_a_bucket_and_names_why_it_refuses_others() {
    if let Some(bucket) = Place::bucket() {
        a_hundred_releases(Stage::new(bucket).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pointer_that_goes_back_is_refused() {
    const LIVE: &str = "pipelines/clickstream/channels/live.json";
    let mut stage = Stage::new(Place::folder()).await;
    stage.publish("r0").await;
    let old = stage.place.get(LIVE);
    let good = stage.publish("r1").await;
    let mut environment = Environment::start(&stage.function(Freeze::Never)).await.expect("it starts");
    stage.place.put(LIVE, &old);
    let told = |_: &str, environment: &Environment| refusals(environment).values().any(|kind| kind == "went-back");
    stage.batches_until(&mut environment, "the old pointer is refused", told).await;
    assert_eq!(stage.batch(&mut environment).await, good);
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_frozen_between_batches_swaps_all_the_same() {
    let mut stage = Stage::new(Place::folder()).await;
    stage.publish("r0").await;
    let mut environment = Environment::start(&stage.function(Freeze::AfterResponse)).await.expect("it starts");
    // Batches of milliseconds, the process stopped between them.
    let pause = Duration::from_secs(2);
    let mut release = String::new();
    for round in 1..=4 {
        stage.publish(&format!("r{round}")).await;
        for _ in 0..2 {
            environment.idle(pause).await;
            release = stage.batch(&mut environment).await;
        }
    }
    stage.check_ages(POLL.max(pause), slack(&environment));
    assert_eq!(stage.live.last().map(|(id, _)| id), Some(&release));
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_into_a_bad_release_takes_the_one_before() {
    let mut stage = Stage::new(Place::folder()).await;
    let good = stage.publish("good").await;
    let bad = spoiled::publish(&stage.shop, &stage.place, "a changed blob", "bad").await;
    let mut environment = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("it starts");
    assert!(environment.init().failure.is_none(), "{:?}", environment.log());
    assert_eq!(stage.batch(&mut environment).await, good);
    assert!(refusals(&environment).contains_key(&bad.to_string()), "{:?}", environment.log());
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_to_run_the_start_fails_with_a_sentence() {
    let stage = Stage::new(Place::folder()).await;
    let environment = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("the simulator works");
    let failure = environment.init().failure.clone().expect("it has nothing to run");
    assert!(failure.message.contains("nothing to run from channel `live`"), "{failure:?}");
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_it_writes_is_json_with_a_level_and_a_time() {
    let mut stage = Stage::new(Place::folder()).await;
    let empty = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("the simulator works");
    let failed_start = parsed(&empty);
    empty.shutdown().await;
    stage.publish("r0").await;
    let mut environment = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("it starts");
    stage.batch(&mut environment).await;
    let foreign = br#"{"Records":[{"eventSource":"aws:sqs","messageId":"1"}]}"#;
    environment.invoke(foreign).await.expect("the simulator works").outcome.into_result().expect_err("not its event");
    let ran = parsed(&environment);
    environment.shutdown().await;
    let errors = |lines: &[Value]| -> Vec<String> {
        lines.iter().filter(|line| line["level"] == "ERROR").map(|line| text_of(&line["message"])).collect()
    };
    let start = errors(&failed_start);
    assert!(start.iter().any(|text| text.contains("nothing to run from channel `live`")), "{start:?}");
    let event = errors(&ran);
    assert!(event.iter().any(|text| text.starts_with("Paddlewheel.Event: ")), "{event:?}");
    // The metrics have their own time: CloudWatch finds them by `_aws`.
    for line in failed_start.iter().chain(&ran).filter(|line| line.get("_aws").is_none()) {
        let time = text_of(&line["timestamp"]);
        assert!(time.len() >= "2026-01-01T00:00:00Z".len() && time.ends_with('Z'), "{line}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&&*text_of(&line["level"])), "{line}");
        assert!(!text_of(&line["message"]).is_empty(), "{line}");
    }
}

/// The lines that the function itself wrote.
fn parsed(environment: &Environment) -> Vec<Value> {
    let lines = environment.log();
    let own = lines.iter().filter(|line| line.source != Source::Platform);
    own.map(|line| serde_json::from_str(&line.text).unwrap_or_else(|_| panic!("not JSON: {}", line.text))).collect()
}
