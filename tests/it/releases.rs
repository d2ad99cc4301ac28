//! Releases from a store, a folder's and S3's, to running code: published with compiled plugins, taken, swapped, raced
//! for.

use base64_simd::STANDARD;
use bytes::Bytes;
use lambda::{Follower, Host, Invocation};
use registry::testing::{pipeline, publisher, trusting};
use registry::{Options, Registry, ReleaseId, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::place::Place;
use tests::shop::{Keeping, RECORD, Shop};

/// Longest wait for a release to be taken.
pub const TAKE_TIME_MAX: Duration = Duration::from_secs(60);

/// A Kinesis event of one record.
pub fn event(number: u64) -> Bytes {
    let data = STANDARD.encode_to_string(RECORD);
    let event = serde_json::json!({"Records": [{
        "eventID": format!("shardId-000000000000:{number}"),
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:1:stream/clicks",
        "kinesis": {"sequenceNumber": number.to_string(), "partitionKey": "k", "data": data},
    }]});
    event.to_string().into()
}

/// Batches until one runs with this release.
pub async fn until(follower: &Follower, host: &Arc<Host>, release: ReleaseId) {
    let begun = Instant::now();
    let mut number = 1;
    loop {
        let invocation = Invocation { request_id: format!("r{number}"), remaining: Duration::from_secs(60) };
        let handled = follower.handle(host, event(number), invocation).await.expect("handled");
        assert_eq!((handled.report.counts.delivered, handled.report.counts.events), (1, 1));
        if handled.report.release.as_deref() == Some(&release.to_string()) {
            return;
        }
        assert!(begun.elapsed() < TAKE_TIME_MAX, "release {release} was not taken");
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// From publishing to swapped code, there and back, and a start from what was kept.
async fn life_of_a_function(shop: &Shop) {
    let (cache, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Keeping::default()));
    let first = shop.publish("one").await;
    let (follower, host) = shop.start(cache.path(), &firehose).await;
    until(&follower, &host, first).await;
    let second = shop.publish("two").await;
    until(&follower, &host, second).await;
    shop.promote(first).await;
    until(&follower, &host, first).await;
    let documents = firehose.0.lock().expect("no test panics here").clone();
    let masks: BTreeSet<String> = documents.iter().map(|document| mask(document)).collect();
    assert_eq!(masks, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
    assert_eq!(mask(documents.last().expect("documents")), "one");
    let (said, begun) = (async || shop.said().await.swaps.len(), Instant::now());
    while said().await < 2 {
        // The host's file is written by the work of a later batch.
        assert!(begun.elapsed() < TAKE_TIME_MAX, "the swaps are not told");
        until(&follower, &host, first).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said = shop.said().await;
    assert!(said.refused.is_empty(), "{:?}", said.refused);
    let last = said.swaps.last().expect("a swap");
    assert_eq!((last.from, last.to), (Some(second), first));
    let took: Vec<u64> = said.swaps.iter().map(|swap| swap.took_us).collect();
    println!("swaps of three Rust plugins took {took:?} µs, the last one from the cache ({})", shop.url);
    // Everything was kept: another function of this machine starts with the same, compiled code.
    let (again, host) = shop.start(cache.path(), &firehose).await;
    until(&again, &host, first).await;
}

fn mask(document: &[u8]) -> String {
    let document: serde_json::Value = serde_json::from_slice(document).expect("JSON");
    document["email"].as_str().expect("it is masked").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_a_folder() {
    let place = Place::folder();
    life_of_a_function(&Shop::new(place.url(), place.aws())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_a_bucket_and_two_publishers_race_for_it() {
    let Some(place) = Place::bucket() else { return };
    life_of_a_function(&Shop::new("s3://releases/of the team".into(), place.aws())).await;
    let racer = |seed| {
        let options = Options { settings: place.aws(), seed: Some(seed), ..Options::default() };
        let store = Store::open("s3://releases/race", &options).expect("a store");
        Registry::new(store, pipeline(), trusting(&[&publisher(1), &publisher(2)]))
    };
    registry::testing::race(racer(1), racer(2), 200).await;
}
