//! The real `bootstrap` under the Runtime API, while releases are published: good ones and such as must be refused.

use crate::releases::Shop;
use crate::support;
use base64_simd::STANDARD;
use registry::ReleaseId;
use serde_json::{Value, json};
use simulator::firehose::{Firehose, Options};
use simulator::runtime::{Environment, Freeze, Function};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Good releases that are published one after the other; between them are the spoiled ones.
const RELEASES: usize = 12;

/// Records of a batch.
const BATCH: u64 = 20;

/// `PADDLE_POLL_SECONDS`.
const POLL: Duration = Duration::from_secs(1);

/// How long after a superseding move a batch may still run with the old release, besides its own time (design §8).
const SLACK: Duration = Duration::from_secs(1);

/// Longest wait for anything.
const TIME_MAX: Duration = Duration::from_secs(120);

/// The program that `make build` has put beside the tests.
fn bootstrap() -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    let folder = test.parent().and_then(Path::parent).expect("target/debug");
    let program = folder.join("bootstrap");
    assert!(program.is_file(), "build the workspace's programs first (make build)");
    program
}

/// A function, the Firehose behind it, and the store it follows.
struct Stage {
    folder: tempfile::TempDir,
    shop: Shop,
    firehose: Firehose,
    next: u64,
}

/// A batch: when it began and ended, and the release that its documents name.
struct Batch {
    begun: Instant,
    ended: Instant,
    release: String,
}

impl Stage {
    async fn new() -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let shop = Shop::new(format!("file://{}/store", folder.path().display()), BTreeMap::new());
        let firehose = Firehose::start(Options::new(["clicks"])).await.expect("a Firehose");
        Stage { folder, shop, firehose, next: 0 }
    }

    fn function(&self, freeze: Freeze) -> Function {
        let mut function = Function::new(bootstrap());
        function.freeze = freeze;
        function.scratch = Some(self.folder.path().join("tmp"));
        let letters = format!("file://{}/letters", self.folder.path().display());
        let own = [
            ("PADDLE_ROUTES", "default=clicks".to_owned()),
            ("PADDLE_DEAD_LETTERS", letters),
            ("AWS_ENDPOINT_URL_FIREHOSE", self.firehose.url().to_owned()),
        ];
        function.env =
            own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(self.shop.variables()).collect();
        function
    }

    /// Invokes once; all documents must be there, of one release.
    async fn batch(&mut self, environment: &mut Environment) -> Batch {
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
        Batch { begun, ended, release }
    }
}

fn event(numbers: &[u64]) -> Vec<u8> {
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

/// What is wrong with a release that must be refused, and what the host calls it.
const SPOILED: [(&str, &str); 4] =
    [("test records", "test-records"), ("config", "config"), ("foreign plugin", "load"), ("missing blob", "not-found")];

/// Publishes a release that no host may take.
async fn publish_spoiled(stage: &Stage, how: &str, round: usize) -> ReleaseId {
    let id = stage
        .shop
        .shelve(&format!("spoiled {round}"), |manifest| match how {
            "test records" => manifest.config = manifest.config.replace("drop_if", "keep_if"),
            "config" => manifest.config.push_str("\n[stap]\n"),
            "foreign plugin" => {
                let [one, _, other] = manifest.plugins.as_mut_slice() else { panic!("three steps") };
                std::mem::swap(&mut one.wasm, &mut other.wasm);
            }
            _ => manifest.why.push('!'),
        })
        .await;
    if how == "missing blob" {
        let manifest = stage.shop.registry.release(id).await.expect("it is there").manifest;
        let records = manifest.test_records.expect("it has some").digest;
        let blob = stage.folder.path().join(format!("store/blobs/sha256/{records}"));
        std::fs::remove_file(blob).expect("it is there");
    }
    stage.shop.promote(id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_takes_good_releases_and_names_why_it_refuses_others() {
    let mut stage = Stage::new().await;
    // When each release was put on the channel, good ones only.
    let mut live: Vec<(String, Instant)> = vec![(stage.shop.publish("r0").await.to_string(), Instant::now())];
    let mut environment = Environment::start(&stage.function(Freeze::Never)).await.expect("it starts");
    println!("a cold start from a folder's store took {:?}", environment.init().duration);
    let mut batches = Vec::new();
    let mut refused = BTreeMap::new();
    for round in 1..=RELEASES {
        if round.is_multiple_of(3) {
            let (how, kind) = SPOILED[round / 3 - 1];
            let id = publish_spoiled(&stage, how, round).await;
            refused.insert(id, kind);
            // The host looks at it, and stays with what it has.
            let until = Instant::now() + POLL + SLACK;
            while Instant::now() < until {
                batches.push(stage.batch(&mut environment).await);
            }
        }
        let id = stage.shop.publish(&format!("r{round}")).await.to_string();
        live.push((id.clone(), Instant::now()));
        let begun = Instant::now();
        loop {
            batches.push(stage.batch(&mut environment).await);
            if batches.last().is_some_and(|batch| batch.release == id) {
                break;
            }
            assert!(begun.elapsed() < TIME_MAX, "release {id} was not taken: {:?}", environment.log());
        }
    }
    check_ages(&batches, &live, POLL);
    let said = stage.shop.said().await;
    let told: BTreeMap<ReleaseId, &str> =
        said.refused.iter().filter_map(|refused| Some((refused.release?, refused.kind.as_str()))).collect();
    assert_eq!(told, refused, "{:?}", said.refused);
    assert_eq!(stage.firehose.violation_count(), 0);
    environment.shutdown().await;
}

/// No batch ran with a release that was superseded for longer than a poll interval, the batch and the slack.
fn check_ages(batches: &[Batch], live: &[(String, Instant)], poll: Duration) {
    for batch in batches {
        let at = live.iter().position(|(id, _)| *id == batch.release).expect("only good releases run");
        let Some((_, superseded)) = live.get(at + 1) else { continue };
        let age = batch.begun.saturating_duration_since(*superseded);
        let most = poll + (batch.ended - batch.begun) + SLACK;
        assert!(age <= most, "a batch ran with a release that was superseded {age:?} before; {most:?} is allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_frozen_between_batches_swaps_all_the_same() {
    let mut stage = Stage::new().await;
    let mut live: Vec<(String, Instant)> = vec![(stage.shop.publish("r0").await.to_string(), Instant::now())];
    let mut environment = Environment::start(&stage.function(Freeze::AfterResponse)).await.expect("it starts");
    let mut batches = Vec::new();
    for round in 1..=4 {
        live.push((stage.shop.publish(&format!("r{round}")).await.to_string(), Instant::now()));
        // Batches of milliseconds, the process stopped between them.
        let pause = Duration::from_secs(2);
        for _ in 0..2 {
            environment.idle(pause).await;
            batches.push(stage.batch(&mut environment).await);
        }
        check_ages(&batches, &live, POLL.max(pause));
    }
    let last = live.last().map(|(id, _)| id.clone());
    assert_eq!(batches.last().map(|batch| batch.release.clone()), last);
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_into_a_bad_release_takes_the_one_before() {
    let mut stage = Stage::new().await;
    let good = stage.shop.publish("good").await;
    let bad = publish_spoiled(&stage, "test records", 1).await;
    let mut environment = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("it starts");
    assert!(environment.init().failure.is_none(), "{:?}", environment.log());
    assert_eq!(stage.batch(&mut environment).await.release, good.to_string());
    assert!(environment.log().iter().any(|line| line.text.contains("refused")), "{bad} is refused in the log");
    environment.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_to_run_the_start_fails_with_a_sentence() {
    let stage = Stage::new().await;
    let environment = Environment::start(&stage.function(Freeze::AfterNext)).await.expect("the simulator works");
    let failure = environment.init().failure.clone().expect("it has nothing to run");
    assert!(failure.message.contains("nothing to run from channel `live`"), "{failure:?}");
    environment.shutdown().await;
}
