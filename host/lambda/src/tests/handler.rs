//! One promise a test.

use super::fakes::{Bench, FakeFirehose, NOW_MS, Reply, event, reported, settings, told};
use crate::firehose::SendError;
use crate::{HandleError, Loaded, prepare};
use bytes::Bytes;
use pipeline::{FailureKind, Pipeline, Runner};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn bench(script: impl IntoIterator<Item = Reply>) -> Bench {
    Bench::new(settings(&[]), FakeFirehose::scripted(script))
}

async fn handle(bench: &Bench, what: &[&str]) -> (Option<u64>, pipeline::Report) {
    let handled = bench.host.handle(told(what), bench.invocation()).await.unwrap();
    (reported(&handled.response), handled.report)
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_faults_is_settled() {
    let bench = bench([]);
    let (reported, report) = handle(&bench, &["emit", "drop", "fan", "reject", "audit"]).await;
    assert_eq!(reported, None);
    let counts = report.counts;
    assert_eq!(
        (counts.events, counts.delivered, counts.dropped, counts.dead_letters, counts.returned),
        (5, 3, 1, 1, 0)
    );
    assert_eq!((report.documents["default"], report.documents["audit"]), (3, 2));
    let requests = bench.firehose.requests.lock().unwrap();
    assert_eq!(
        requests.iter().map(|(stream, documents)| (stream.as_str(), documents.len())).collect::<Vec<_>>(),
        [("clicks", 3), ("audit-stream", 2)]
    );
    let first: Value = serde_json::from_slice(&requests[0].1[0]).unwrap();
    assert_eq!(first["paddle_id"], "clicks/shardId-000000000001:8");
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_records_is_settled() {
    let bench = bench([]);
    let handled = bench.host.handle(Bytes::from_static(b"{\"Records\":[]}"), bench.invocation()).await.unwrap();
    assert_eq!(handled.response, b"{\"batchItemFailures\":[]}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_apart_is_a_dead_letter_and_stops_nobody() {
    let bench = bench([]);
    let mut text = String::from_utf8(told(&["emit", "emit", "emit"]).to_vec()).unwrap();
    let second = base64_simd::STANDARD.encode_to_string(json!({ "do": "emit", "n": 1 }).to_string());
    text = text.replace(&second, "***");
    let handled = bench.host.handle(text.into(), bench.invocation()).await.unwrap();
    assert_eq!(reported(&handled.response), None);
    assert_eq!((handled.report.counts.delivered, handled.report.counts.dead_letters), (2, 1));
    assert_eq!(handled.report.failures(FailureKind::Unpack), 1);
    let line = &bench.dead_letters.lines()[0];
    assert_eq!((&line["kind"], &line["step"]), (&json!("unpack"), &Value::Null));
    assert_eq!(line["data"], base64_simd::STANDARD.encode_to_string("***"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_tells_the_whole_story() {
    let bench = bench([]);
    handle(&bench, &["emit", "reject"]).await;
    let objects = bench.dead_letters.objects.lock().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(objects, ["pipeline/2027/01/01/00/shardId-000000000001-8-request.ndjson.gz"]);
    assert_eq!(
        bench.dead_letters.lines(),
        [json!({
            "version": 1, "id": "shardId-000000000001:9", "stream": "clicks", "shard": "shardId-000000000001",
            "sequence_number": "9", "partition_key": "key", "arrived_at": "2026-12-31T23:59:55.000Z",
            "failed_at": "2027-01-01T00:00:00.000Z", "pipeline": "pipeline", "release": null, "step": "obey",
            "plugin": "obedient", "digest": "abc", "kind": "reject", "message": "as told", "log": [], "elapsed_us": 3,
            "memory_bytes": 65_536, "data": base64_simd::STANDARD.encode_to_string("{\"do\":\"reject\",\"n\":1}"),
        })]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_at_or_behind_a_retry_is_sent_or_written() {
    let bench = bench([]);
    let (first, report) = handle(&bench, &["emit", "reject", "retry", "emit", "reject"]).await;
    assert_eq!(first, Some(10));
    assert_eq!((report.counts.delivered, report.counts.dead_letters, report.counts.returned), (1, 1, 3));
    assert_eq!(bench.firehose.taken.lock().unwrap().len(), 1);
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:9"]);
}

#[tokio::test(start_paused = true)]
async fn parts_of_an_aggregate_wait_for_each_other() {
    let bench = bench([]);
    let parts = [("a", &b"{\"do\":\"emit\"}"[..]), ("b", b"{\"do\":\"retry\"}"), ("c", b"{\"do\":\"reject\"}")];
    let records = [(1, b"{}".to_vec()), (2, unpack::build::aggregate(parts))];
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    assert_eq!(reported(&handled.response), Some(2));
    assert_eq!(handled.report.counts.returned, 3);
    assert_eq!((bench.firehose.taken.lock().unwrap().len(), bench.dead_letters.ids().len()), (1, 0));
    let again = bench.host.handle(event(&records[1..]), bench.invocation()).await.unwrap();
    assert_eq!(reported(&again.response), None);
    assert_eq!((again.report.counts.delivered, again.report.counts.dead_letters, again.report.input.kpl), (2, 1, 1));
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:2/2"]);
    assert_eq!(bench.dead_letters.lines()[0]["partition_key"], "c");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_that_cannot_be_written_are_not_acknowledged() {
    let bench = bench([]);
    bench.dead_letters.fails.lock().unwrap().push_back(true);
    let (first, report) = handle(&bench, &["emit", "reject", "emit", "reject"]).await;
    assert_eq!(first, Some(9));
    assert_eq!((report.counts.delivered, report.counts.dead_letters, report.counts.returned), (1, 0, 3));
    assert_eq!(bench.firehose.taken.lock().unwrap().len(), 1, "nothing behind the first is sent");
}

#[tokio::test(start_paused = true)]
async fn what_firehose_refuses_is_found_and_kept() {
    let bench = bench([]);
    let mut records: Vec<_> = (0..20).map(|n| (100 + n, json!({ "n": n }).to_string().into_bytes())).collect();
    records[7].1 = b"{\"do\":\"fan\",\"is\":\"poison\"}".to_vec();
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    assert_eq!(reported(&handled.response), None);
    assert_eq!((handled.report.counts.delivered, handled.report.counts.dead_letters), (19, 1));
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:107"]);
    assert_eq!(bench.firehose.taken.lock().unwrap().len(), 19);
    assert!(bench.firehose.broken.lock().unwrap().is_empty());
    let line = &bench.dead_letters.lines()[0];
    assert!(line["message"].as_str().unwrap().contains("poison") && line["input"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_set_up_that_is_wrong_fails_the_invocation_unless_something_was_accepted() {
    let wrong = Reply::Error(SendError::Configuration("create the stream".into()));
    let none_yet = bench([wrong.clone()]);
    let error = none_yet.host.handle(told(&["emit"]), none_yet.invocation()).await.unwrap_err();
    assert!(matches!(&error, HandleError::Configuration(what) if what == "create the stream"));
    let some = bench([Reply::Take, wrong]);
    let (first, report) = handle(&some, &["emit", "audit", "emit"]).await;
    assert_eq!((first, report.counts.delivered, report.counts.returned), (Some(9), 1, 2));
}

/// A record goes back, which is a reason to stop; what Firehose says of the set-up is the more serious one.
#[tokio::test(start_paused = true)]
async fn a_record_that_goes_back_does_not_hide_a_set_up_that_is_wrong() {
    let wrong = Reply::Error(SendError::Configuration("create the stream".into()));
    let check_log = |bench: &Bench| {
        let line = bench.lines().into_iter().find(|line| line["level"] == "ERROR").unwrap();
        assert_eq!(line["message"], "The batch was returned to Kinesis and will be retried until this is fixed.");
        assert_eq!(line["reason"], "create the stream");
    };
    let none_yet = bench([wrong.clone()]);
    let error = none_yet.host.handle(told(&["emit", "retry"]), none_yet.invocation()).await.unwrap_err();
    assert!(matches!(&error, HandleError::Configuration(what) if what == "create the stream"), "{error}");
    check_log(&none_yet);
    let some = bench([Reply::Take, wrong.clone()]);
    let (first, report) = handle(&some, &["emit", "audit", "retry"]).await;
    assert_eq!((first, report.counts.delivered, report.counts.returned), (Some(9), 1, 2));
    check_log(&some);
    // Nor do dead letters that cannot be written.
    let unwritten = bench([wrong]);
    unwritten.dead_letters.fails.lock().unwrap().push_back(true);
    let error = unwritten.host.handle(told(&["emit", "reject"]), unwritten.invocation()).await.unwrap_err();
    assert!(matches!(&error, HandleError::Configuration(what) if what == "create the stream"), "{error}");
}

/// The outputs of one event are on two routes, so in two requests: the one is accepted before the other is refused.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_tells_how_much_of_its_event_was_accepted_before() {
    let refused = || Reply::Error(SendError::Refused("it is too large".into()));
    for (script, taken, others) in [
        (vec![Reply::Take, refused()], 3, "; 2 of the event's 3 documents had been accepted before"),
        (vec![refused(), refused(), refused()], 1, ""),
    ] {
        let bench = Bench::new(settings(&[("PADDLE_DELIVERY_CONCURRENCY", "1")]), FakeFirehose::scripted(script));
        let (first, report) = handle(&bench, &["fan", "emit"]).await;
        assert_eq!((first, report.counts.delivered, report.counts.dead_letters), (None, 1, 1));
        assert_eq!(bench.firehose.taken.lock().unwrap().len(), taken);
        let line = &bench.dead_letters.lines()[0];
        assert_eq!(line["message"], format!("Firehose refuses the document: it is too large{others}"));
    }
}

/// Between a refused document and what lies far behind it stands a dead letter.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_written_makes_no_more_come_again_than_the_bound() {
    for (fails, first, taken) in [(true, Some(8), 499), (false, None, 1_199)] {
        let bench = Bench::new(settings(&[("PADDLE_DELIVERY_CONCURRENCY", "1")]), FakeFirehose::scripted([]));
        bench.dead_letters.fails.lock().unwrap().push_back(fails);
        let mut records: Vec<_> = (0..1_200).map(|n| (8 + n, json!({ "n": n }).to_string().into_bytes())).collect();
        records[0].1 = json!({ "is": "poison" }).to_string().into_bytes();
        let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
        assert_eq!(reported(&handled.response), first);
        assert_eq!(bench.firehose.taken.lock().unwrap().len(), taken);
        let counts = handled.report.counts;
        assert_eq!((counts.dead_letters, counts.delivered), if fails { (0, 0) } else { (1, 1_199) });
    }
}

#[tokio::test(start_paused = true)]
async fn records_without_events_are_counted_once_they_are_settled() {
    let bench = bench([]);
    let control = unpack::build::gzip(&unpack::build::cloudwatch_control());
    let empty = unpack::build::aggregate([]);
    let retry = unpack::build::aggregate([("k", &b"{\"do\":\"retry\"}"[..])]);
    let records = [(1, control.clone()), (2, empty), (3, control.clone()), (4, retry), (5, control)];
    let metrics = |bench: &Bench| {
        let line = bench.lines().into_iter().rfind(|line| line.get("Records").is_some()).unwrap();
        (line["ControlMessages"].as_u64().unwrap(), line["EmptyRecords"].as_u64().unwrap())
    };
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), metrics(&bench)), (Some(4), (2, 1)));
    assert_eq!((handled.report.input.control_messages, handled.report.input.kpl), (2, 1));
    let handled = bench.host.handle(event(&records[3..]), bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), metrics(&bench)), (None, (1, 0)));
    assert_eq!((handled.report.input.control_messages, handled.report.input.kpl), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn without_partial_failures_an_unsettled_batch_is_an_error() {
    let settings = crate::Settings { partial_failures: false, ..settings(&[]) };
    let bench = Bench::new(settings, FakeFirehose::scripted([]));
    let error = bench.host.handle(told(&["emit", "retry"]), bench.invocation()).await.unwrap_err();
    let HandleError::Unsettled(_, handled) = &error else { panic!("{error}") };
    assert_eq!((handled.report.counts.delivered, handled.report.counts.returned), (1, 1));
    assert!(!handled.out_of_time, "a record goes back; there was time");
    assert!(error.to_string().contains("PADDLE_PARTIAL_FAILURES"));
    assert_eq!(handle(&bench, &["emit"]).await.0, None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_firehose_ends_in_a_partial_failure_before_the_time_is_up() {
    let bench = bench([Reply::Take, Reply::Hang]);
    let begun = tokio::time::Instant::now();
    let (first, report) = handle(&bench, &["emit", "audit", "emit"]).await;
    assert_eq!((first, report.counts.delivered), (Some(9), 1));
    let took = begun.elapsed();
    assert!((Duration::from_secs(58)..Duration::from_secs(60)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_plugin_makes_progress_window_by_window() {
    // Each takes ten of the sixty seconds: a third window has no time left to begin.
    let bench = Bench::new(settings(&[("PADDLE_WORKERS", "1")]), FakeFirehose::scripted([]));
    let records: Vec<_> = (0..100).map(|n| (1_000 + n, b"{\"do\":\"slow\"}".to_vec())).collect();
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    let first = reported(&handled.response).unwrap();
    assert!((1_001..1_100).contains(&first), "{first}");
    assert_eq!(handled.report.counts.events, 100);
}

#[tokio::test(start_paused = true)]
async fn that_a_batch_ran_out_of_time_is_known_with_and_without_partial_failures() {
    let records: Vec<_> = (0..100).map(|n| (1_000 + n, b"{\"do\":\"slow\"}".to_vec())).collect();
    for partial_failures in [true, false] {
        let settings = crate::Settings { partial_failures, ..settings(&[("PADDLE_WORKERS", "1")]) };
        let bench = Bench::new(settings, FakeFirehose::scripted([]));
        let handled = match bench.host.handle(event(&records), bench.invocation()).await {
            Ok(handled) => handled,
            Err(HandleError::Unsettled(_, handled)) if !partial_failures => *handled,
            Err(error) => panic!("{error}"),
        };
        assert!(handled.out_of_time && handled.iterator_age_ms.is_some(), "{partial_failures}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_invocation_ran_is_known_unless_it_was_no_batch() {
    let bench = bench([]);
    let (ran, handled) = bench.host.handle_with(told(&["break"]), bench.invocation()).await;
    assert!(matches!(handled, Err(HandleError::Bug(_))));
    assert!(ran.is_some_and(|ran| Arc::ptr_eq(&ran, &bench.host.active())), "a release may be to blame");
    let (ran, handled) = bench.host.handle_with(Bytes::from_static(b"{"), bench.invocation()).await;
    assert!(ran.is_none() && matches!(handled, Err(HandleError::Event(_))));
}

#[tokio::test(start_paused = true)]
async fn an_event_cut_short_by_the_deadline_is_unsettled() {
    let bench = bench([]);
    let (first, report) = handle(&bench, &["emit", "cut", "emit"]).await;
    assert_eq!((first, report.counts.delivered, report.counts.dead_letters), (Some(9), 1, 0));
}

#[tokio::test(start_paused = true)]
async fn windows_bound_memory_and_lose_nothing() {
    let bench = Bench::new(settings(&[("PADDLE_WINDOW_MIB", "1")]), FakeFirehose::scripted([]));
    let text = "x".repeat(100_000);
    let records: Vec<_> =
        (0..40).map(|n| (100 + n, json!({ "n": n, "text": text }).to_string().into_bytes())).collect();
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    assert_eq!((reported(&handled.response), handled.report.counts.delivered), (None, 40));
    let batch = bench.lines().into_iter().find(|line| line.get("Windows").is_some()).unwrap();
    let windows = batch["Windows"].as_u64().unwrap();
    assert!((3..=6).contains(&windows), "{windows} windows");
    let taken = bench.firehose.taken.lock().unwrap();
    let order: Vec<u64> =
        taken.iter().map(|d| serde_json::from_slice::<Value>(d).unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..40).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_becomes_too_much_is_one_dead_letter() {
    let bench = bench([]);
    let line = format!("{{\"text\":\"{}\"}}", "y".repeat(900_000));
    let parts: Vec<_> = (0..4).map(|_| ("k", line.as_bytes())).collect();
    let fan = format!("{{\"do\":\"fan\",\"text\":\"{}\"}}", "y".repeat(900_000));
    let many: Vec<_> = (0..7).map(|_| ("k", fan.as_bytes())).collect();
    let records = [(1, unpack::build::aggregate(parts)), (2, unpack::build::aggregate(many)), (3, b"{}".to_vec())];
    let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
    assert_eq!(reported(&handled.response), None);
    assert_eq!((handled.report.counts.delivered, handled.report.counts.dead_letters), (5, 1));
    assert_eq!(handled.report.failures(FailureKind::Oversize), 1);
    assert_eq!(bench.dead_letters.ids(), ["shardId-000000000001:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_outside_of_a_record_fails_its_invocation_only() {
    let bench = bench([]);
    let error = bench.host.handle(told(&["break"]), bench.invocation()).await.unwrap_err();
    assert!(matches!(&error, HandleError::Bug(bug) if bug.to_string().contains("as told")), "{error}");
    assert_eq!(handle(&bench, &["emit"]).await.0, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_invocations_share_nothing() {
    let bench = Arc::new(bench([]));
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..8_u64 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let record = |n| {
                (
                    first * 1_000 + n,
                    json!({ "do": if n == 90 { "retry" } else { "emit" }, "times": 99 }).to_string().into_bytes(),
                )
            };
            let records: Vec<_> = (0..100).map(record).collect();
            let handled = bench.host.handle(event(&records), bench.invocation()).await.unwrap();
            assert_eq!(reported(&handled.response), Some(first * 1_000 + 90));
            assert_eq!((handled.report.counts.events, handled.report.counts.delivered), (100, 90));
            assert_eq!(handled.report.documents(), 90);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_takes_effect_between_batches() {
    let bench = bench([]);
    assert_eq!(handle(&bench, &["reject"]).await.1.counts.dead_letters, 1);
    bench.host.swap(Loaded::identity("plain")).unwrap();
    let (_, report) = handle(&bench, &["reject"]).await;
    assert_eq!((report.pipeline.as_str(), report.counts.delivered), ("plain", 1));
}

#[test]
fn a_route_that_lambda_does_not_bind_refuses_the_start() {
    let on_lambda =
        [("AWS_LAMBDA_RUNTIME_API", "x"), ("PADDLE_DEAD_LETTERS", "file:///x"), ("PADDLE_ROUTES", "default=a")];
    let made = std::panic::catch_unwind(|| Bench::new(settings(&on_lambda), FakeFirehose::scripted([])));
    let panic = made.err().and_then(|panic| panic.downcast::<String>().ok()).expect("audit is not bound");
    assert!(panic.contains("audit=<delivery stream>"), "{panic}");
}

#[tokio::test(start_paused = true)]
async fn logs_and_metrics_are_what_cloudwatch_reads() {
    let bench = bench([Reply::FailAt(vec![0])]);
    handle(&bench, &["emit", "reject", "drop"]).await;
    let lines = bench.lines();
    for line in lines.iter().filter(|line| line.get("_aws").is_none()) {
        assert!(
            line["level"].is_string()
                && line["timestamp"] == "2027-01-01T00:00:00.000Z"
                && line["requestId"] == "request"
        );
    }
    let metrics: Vec<_> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    assert_eq!(metrics.len(), 2);
    for line in &metrics {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let names = directive["Metrics"].as_array().unwrap();
        assert!(names.len() <= 100 && names.iter().all(|metric| line[metric["Name"].as_str().unwrap()].is_number()));
        assert!(
            directive["Dimensions"][0].as_array().unwrap().iter().all(|name| line[name.as_str().unwrap()].is_string())
        );
    }
    assert_eq!((&metrics[0]["IteratorAge"], &metrics[0]["Resent"]), (&json!(5_000), &json!(1)));
    assert_eq!(metrics[1]["Failures.reject"], 1);
}

#[tokio::test(start_paused = true)]
async fn guests_text_in_the_log_is_cut() {
    for (bytes, shown) in [("0", ""), ("2", "as"), ("100", "as told")] {
        let bench = Bench::new(settings(&[("PADDLE_LOG_GUEST_TEXT", bytes)]), FakeFirehose::scripted([]));
        handle(&bench, &["reject"]).await;
        let line = bench.lines().into_iter().find(|line| line.get("kind").is_some()).unwrap();
        assert_eq!((line["reason"].as_str().unwrap(), &line["kind"]), (shown, &json!("reject")));
        handle(&bench, &["retry"]).await;
        let line =
            bench.lines().into_iter().find(|line| line["message"] == "A record was returned to Kinesis.").unwrap();
        assert_eq!(line["reason"], if shown == "as" { "no" } else { &"not now"[..shown.len()] });
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_missing_fields_are_guests_text() {
    for (bytes, shown) in
        [("0", json!({"count": 1})), ("2", json!({"fields": ["as"]})), ("9", json!({"fields": ["as told"]}))]
    {
        let bench = Bench::new(settings(&[("PADDLE_LOG_GUEST_TEXT", bytes)]), FakeFirehose::scripted([]));
        handle(&bench, &["emit"; 1_000]).await;
        let asks =
            |line: &Value| line["message"].as_str().is_some_and(|text| text.starts_with("A step asks for fields"));
        let line = bench.lines().into_iter().find(asks).unwrap();
        assert_eq!((line.get("count"), line.get("fields")), (shown.get("count"), shown.get("fields")), "{line}");
        assert!(bytes != "0" || !line.to_string().contains("as told"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hosts_own_reasons_are_in_the_log_whatever_guests_may_say() {
    let bench = Bench::new(settings(&[("PADDLE_LOG_GUEST_TEXT", "0")]), FakeFirehose::scripted([]));
    handle(&bench, &["trap"]).await;
    handle(&bench, &["drop", "cut"]).await;
    let lines = bench.lines();
    let reasons: Vec<_> = lines.iter().filter_map(|line| line["reason"].as_str()).collect();
    let cut = "the batch ran out of time in the middle of the event";
    let back = format!("record shardId-000000000001:9 goes back: {cut}");
    assert_eq!(reasons, ["as told", cut, &*back]);
}

#[tokio::test(start_paused = true)]
async fn what_plugins_log_is_written_with_its_event_and_bounded() {
    // One worker: lines of several come in the order in which these end.
    let bench = Bench::new(settings(&[("PADDLE_WORKERS", "1")]), FakeFirehose::scripted([]));
    handle(&bench, &["say", "warn"]).await;
    let lines: Vec<_> = bench.lines().into_iter().filter(|line| line.get("text").is_some()).collect();
    let seen: Vec<_> =
        lines.iter().map(|line| (line["level"].as_str().unwrap(), line["id"].as_str().unwrap())).collect();
    assert_eq!(seen, [("INFO", "shardId-000000000001:8"), ("WARN", "shardId-000000000001:9")], "{lines:?}");
    assert!(lines.iter().all(|line| line["text"] == "as told" && line["step"].is_string()));
    let many = ["say"; 500];
    let bench = Bench::new(settings(&[]), FakeFirehose::scripted([]));
    handle(&bench, &many).await;
    assert!(bench.lines().iter().filter(|line| line.get("text").is_some()).count() < 101);
    let bench = Bench::new(settings(&[("PADDLE_LOG_GUEST_TEXT", "0")]), FakeFirehose::scripted([]));
    handle(&bench, &["warn"]).await;
    assert!(bench.lines().iter().all(|line| line.get("text").is_none()));
}

#[test]
fn preparing_is_the_handler_without_the_network() {
    let pipeline = Arc::new(Pipeline::identity("p"));
    let mut runner = Runner::new(Arc::clone(&pipeline), Vec::new(), "");
    let prepared = prepare(told(&["a", "b"]), &pipeline, &mut runner, NOW_MS).unwrap();
    assert_eq!(prepared.entries.len(), 2);
    let second = base64_simd::STANDARD.decode_to_vec(&prepared.entries[1]).unwrap();
    let second: Value = serde_json::from_slice(&second).unwrap();
    assert_eq!((&second["do"], &second["paddle_id"]), (&json!("b"), &json!("clicks/shardId-000000000001:9")));
}

#[tokio::test]
async fn a_folder_keeps_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/made/on the way", folder.path().display());
    let place = crate::open_dead_letters(&url).unwrap();
    place.write("pipeline/2027/01/01/00/x-1-request.ndjson.gz".into(), b"body".to_vec()).await.unwrap();
    let path = folder.path().join("made/on the way/pipeline/2027/01/01/00/x-1-request.ndjson.gz");
    assert_eq!(std::fs::read(path).unwrap(), b"body");
    assert!(crate::open_dead_letters("ftp://x").is_err());
}
