//! What breaks the host settles alone: panics while a record is run, records that no invocation has the time for, and
//! batches in which the process died.

use super::fakes::{Bench, FakeFirehose, Reply, SECRET, contains, event, reported, settings, told};
use crate::HandleError;
use crate::firehose::SendError;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The last metrics of a batch.
fn metric(bench: &Bench, name: &str) -> u64 {
    let line = bench.lines().into_iter().rfind(|line| line.get("Records").is_some()).unwrap();
    line[name].as_u64().unwrap()
}

/// The numbers of the documents that Firehose took, in its order.
fn taken(firehose: &FakeFirehose) -> Vec<u64> {
    let number = |document: &bytes::Bytes| serde_json::from_slice::<Value>(document).unwrap()["n"].as_u64().unwrap();
    firehose.taken.lock().unwrap().iter().map(number).collect()
}

/// So many records that are delivered, but for those that do something else.
fn records(count: u64, others: &[(u64, Value)]) -> Vec<(u64, Vec<u8>)> {
    let record = |n| {
        let other = others.iter().find(|(at, _)| *at == n).map(|(_, other)| other.clone());
        let mut json = other.unwrap_or_else(|| json!({ "do": "emit" }));
        json["n"] = json!(n);
        (100 + n, json.to_string().into_bytes())
    };
    (0..count).map(record).collect()
}

#[tokio::test(start_paused = true)]
async fn a_record_that_panics_settles_alone() {
    for workers in ["1", "4"] {
        for (what, dead, panics) in [("panic", true, 2), ("panic-once", false, 1)] {
            let bench = Bench::new(settings(&[("PADDLE_WORKERS", workers)]), FakeFirehose::scripted([]));
            let batch = event(&records(501, &[(250, json!({ "do": what }))]));
            let handled = bench.host.handle(batch, bench.invocation()).await.unwrap();
            assert_eq!(reported(&handled.response), None, "{what} {workers}");
            let counts = handled.report.counts;
            assert_eq!((counts.events, counts.dead_letters), (501, u64::from(dead)), "{what} {workers}");
            let all: Vec<u64> = (0..501).filter(|n| !dead || *n != 250).collect();
            assert_eq!(taken(&bench.firehose), all, "{what} {workers}");
            let has_id = |document: &bytes::Bytes| contains(document, b"\"paddle_id\":\"clicks/shardId-000000000001:");
            assert!(bench.firehose.taken.lock().unwrap().iter().all(has_id), "of the same stream as before");
            assert_eq!(metric(&bench, "HostPanics"), panics, "{what} {workers}");
            assert_eq!(handled.report.steps[0].events, 501 + 1, "what happened before the panic is counted");
            let errors: Vec<_> = bench.lines().into_iter().filter(|line| line["level"] == "ERROR").collect();
            assert_eq!(errors.len() as u64, panics);
            assert!(errors.iter().all(|line| line["id"] == "shardId-000000000001:350"));
            let Some(letter) = bench.dead_letters.lines().pop() else { continue };
            assert_eq!((&letter["kind"], &letter["step"]), (&json!("host"), &Value::Null));
            let message = letter["message"].as_str().unwrap();
            let place = "(host/lambda/src/tests/fakes.rs:";
            assert!(message.starts_with("the host panicked twice while it ran this record: as told ("), "{message}");
            assert!(message.contains(place), "{message}");
            let data = base64_simd::STANDARD.decode_to_vec(letter["data"].as_str().unwrap()).unwrap();
            assert_eq!(data, records(501, &[(250, json!({ "do": what }))])[250].1);
        }
    }
}

/// What came of parts of a record before one panicked is not sent.
#[tokio::test(start_paused = true)]
async fn a_record_with_a_part_that_panics_is_one_dead_letter() {
    let bench = Bench::new(settings(&[]), FakeFirehose::scripted([]));
    let parts = [("a", &b"{\"do\":\"emit\",\"n\":7}"[..]), ("b", b"{\"do\":\"reject\"}"), ("c", b"{\"do\":\"panic\"}")];
    let packed = unpack::build::aggregate(parts);
    let batch = [(1, b"{\"n\":1}".to_vec()), (2, packed.clone()), (3, b"{\"n\":3}".to_vec())];
    let handled = bench.host.handle(event(&batch), bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), taken(&bench.firehose)), (None, vec![1, 3]));
    let letters = bench.dead_letters.lines();
    assert_eq!((letters.len(), &letters[0]["kind"]), (1, &json!("host")));
    assert_eq!(letters[0]["data"], base64_simd::STANDARD.encode_to_string(packed));
    assert_eq!(handled.report.input.kpl, 0, "it was never taken apart to its end");
}

#[tokio::test(start_paused = true)]
async fn what_a_panic_says_is_cut_and_has_no_secrets() {
    let says = format!("{SECRET} {}\nand more", "x".repeat(5_000));
    let bench = Bench::new(settings(&[("PADDLE_LOG_GUEST_TEXT", "8")]), FakeFirehose::scripted([]));
    let batch = event(&records(1, &[(0, json!({ "do": "panic", "says": says }))]));
    bench.host.handle(batch, bench.invocation()).await.unwrap();
    let letter = bench.dead_letters.lines().pop().unwrap();
    let message = letter["message"].as_str().unwrap();
    assert!(message.contains("*** xxx") && !message.contains(SECRET) && !message.contains("and more"), "{message}");
    assert!(message.len() < 1_024 + 200, "{} bytes", message.len());
    let reasons: Vec<_> = bench.lines().iter().filter_map(|line| line["reason"].as_str().map(str::to_owned)).collect();
    assert_eq!(reasons.len(), 3, "two panics and the dead letter");
    assert!(reasons.iter().all(|reason| reason.contains(": *** xxxx (") && reason.len() < 200), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn many_panics_are_counted_and_some_are_told() {
    let bench = Bench::new(settings(&[]), FakeFirehose::scripted([]));
    let others: Vec<_> = (0..100).map(|n| (n, json!({ "do": "panic" }))).collect();
    let handled = bench.host.handle(event(&records(120, &others)), bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), handled.report.counts.dead_letters), (None, 100));
    assert_eq!((metric(&bench, "HostPanics"), taken(&bench.firehose).len()), (200, 20));
    assert_eq!(bench.lines().iter().filter(|line| line["level"] == "ERROR").count(), 20);
    let next = bench.host.handle(told(&["emit"]), bench.invocation()).await.unwrap();
    assert_eq!((next.report.counts.delivered, metric(&bench, "HostPanics")), (1, 0));
}

/// An event that is cut at the end of a batch had less time than an invocation has, unless it was the first one.
#[tokio::test(start_paused = true)]
async fn a_record_that_no_invocation_has_the_time_for_is_a_dead_letter() {
    let bench = Bench::new(settings(&[]), FakeFirehose::scripted([]));
    let packed = unpack::build::aggregate([("a", &b"{\"do\":\"emit\"}"[..]), ("b", b"{\"do\":\"cut\"}")]);
    let (plain, cut) = (b"{}".to_vec(), b"{\"do\":\"cut\"}".to_vec());
    let batch = [(8, plain.clone()), (9, cut), (10, plain.clone()), (11, packed), (12, plain)];
    for (name, from, back, dead) in [
        ("the process may have taken long to start", 1, Some(9), 0),
        ("others were before it", 0, Some(9), 0),
        ("it had all the time", 1, Some(11), 1),
        ("so had a record of several events", 3, None, 2),
    ] {
        let handled = bench.host.handle(event(&batch[from..]), bench.invocation()).await.unwrap();
        assert_eq!((reported(&handled.response), bench.dead_letters.lines().len()), (back, dead), "{name}");
    }
    let letters = bench.dead_letters.lines();
    assert!(letters.iter().all(|letter| letter["kind"] == "timeout"), "{letters:?}");
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:11", "shardId-000000000001:9"]);
}

fn journaled(folder: &Path, firehose: &Arc<FakeFirehose>, more: &[(&str, &str)]) -> Bench {
    let more = [&[("PADDLE_DELIVERY_CONCURRENCY", "1")][..], more].concat();
    Bench::with_journal(settings(&more), Arc::clone(firehose), Some(&folder.join("journal")))
}

/// Begins a batch, and gives it up once so many requests were made.
async fn die(bench: &Bench, batch: &bytes::Bytes, requests: usize) {
    let is_time = async {
        while bench.firehose.requests.lock().unwrap().len() < requests {
            tokio::task::yield_now().await; // A runtime that waits would have its clock go on.
        }
    };
    tokio::select! {
        handled = bench.host.handle(batch.clone(), bench.invocation()) => panic!("it ended: {handled:?}"),
        () = is_time => {}
    }
}

/// The process dies while a request is in flight: only that one is repeated.
#[tokio::test(start_paused = true)]
async fn a_batch_goes_on_where_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let firehose = FakeFirehose::scripted([Reply::Take, Reply::Hang]);
    let batch = event(&records(1_200, &[(3, json!({ "do": "reject" }))]));
    let first = journaled(folder.path(), &firehose, &[]);
    die(&first, &batch, 2).await;
    assert_eq!(first.dead_letters.ids(), ["shardId-000000000001:103"]);
    drop(first);
    let next = journaled(folder.path(), &firehose, &[]);
    let handled = next.host.handle(batch.clone(), next.invocation()).await.unwrap();
    assert_eq!(reported(&handled.response), None);
    assert_eq!(taken(&firehose), (0..1_200).filter(|n| *n != 3).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(next.dead_letters.ids(), Vec::<String>::new());
    let metrics = ["SettledBefore", "CarefulBatches", "DeathsRemembered", "JournalErrors"];
    assert_eq!(metrics.map(|name| metric(&next, name)), [501, 1, 1, 0]);
    assert!(metric(&next, "Records") == 1_200 && metric(&next, "Events") == 699);
    // What is answered comes again only if its answer was lost; what follows has nothing to do with it.
    let handled = next.host.handle(told(&["emit"]), next.invocation()).await.unwrap();
    assert_eq!(handled.report.counts.delivered, 1);
    assert_eq!(metrics.map(|name| metric(&next, name)), [0, 0, 0, 0]);
}

/// Without partial failures the whole batch comes again, and goes on where it stopped.
#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_as_a_whole_goes_on_where_it_stopped() {
    for folder in [Some(tempfile::tempdir().unwrap()), None] {
        let firehose = FakeFirehose::scripted([]);
        let settings = crate::Settings { partial_failures: false, ..settings(&[]) };
        let path = folder.as_ref().map(|folder| folder.path().join("journal"));
        let bench = Bench::with_journal(settings, Arc::clone(&firehose), path.as_deref());
        let batch = told(&["emit", "emit", "retry", "emit"]);
        let error = bench.host.handle(batch.clone(), bench.invocation()).await.unwrap_err();
        assert!(matches!(error, HandleError::Unsettled(..)));
        let handled = bench.host.handle(batch, bench.invocation()).await.unwrap();
        assert_eq!(reported(&handled.response), None);
        let all = if folder.is_some() { vec![0, 1, 2, 3] } else { vec![0, 1, 0, 1, 2, 3] };
        assert_eq!(taken(&firehose), all);
        assert_eq!(metric(&bench, "DeathsRemembered"), 0);
    }
}

/// A set-up that is wrong fails the invocation before anything is delivered; dead letters were written, and are not
/// again.
#[tokio::test(start_paused = true)]
async fn dead_letters_of_a_batch_that_failed_are_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let firehose = FakeFirehose::scripted([Reply::Error(SendError::Configuration("create the stream".into()))]);
    let bench = journaled(folder.path(), &firehose, &[]);
    let batch = told(&["reject", "drop", "emit"]);
    let error = bench.host.handle(batch.clone(), bench.invocation()).await.unwrap_err();
    assert!(matches!(error, HandleError::Configuration(_)), "{error}");
    let handled = bench.host.handle(batch, bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), metric(&bench, "SettledBefore")), (None, 2));
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:8"]);
}

/// A batch that runs carefully is run by one worker, in small windows, and comes to the same.
#[tokio::test(start_paused = true)]
async fn a_careful_batch_comes_to_the_same_in_small_windows() {
    let folder = tempfile::tempdir().unwrap();
    let firehose = FakeFirehose::scripted([Reply::Hang]);
    let grows = |n| (n, json!({ "do": "grow", "bytes": 500_000 }));
    let batch = event(&records(40, &(0..40).map(grows).collect::<Vec<_>>()));
    let first = journaled(folder.path(), &firehose, &[("PADDLE_WORKERS", "4")]);
    die(&first, &batch, 1).await;
    drop(first);
    let next = journaled(folder.path(), &firehose, &[("PADDLE_WORKERS", "4")]);
    let handled = next.host.handle(batch, next.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), taken(&firehose)), (None, (0..40).collect()));
    assert_eq!(metric(&next, "Windows"), 5, "20 MB in windows of 4 MiB");
    assert_eq!(handled.report.steps[0].events, 40, "each is run once");
}

/// A folder that goes away, or that is none, is told once and stops nobody.
#[tokio::test(start_paused = true)]
async fn trouble_with_the_journal_fails_no_batch() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("journal"), "in the way").unwrap();
    let bench = journaled(folder.path(), &FakeFirehose::scripted([]), &[]);
    for errors in [1, 0] {
        let handled = bench.host.handle(told(&["emit", "emit"]), bench.invocation()).await.unwrap();
        assert_eq!((handled.report.counts.delivered, metric(&bench, "JournalErrors")), (2, errors));
    }
    let told_once = |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with("The journal could"));
    assert_eq!(bench.lines().iter().filter(told_once).count(), 1);
}
