//! The recorded answers of the real service, and what follows from them.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::Cell;

const NOW_MS: u64 = 1_700_000_000_000;

/// A stream of one shard with `count` records, which are their own numbers.
fn source(count: usize, mapping: Mapping) -> EventSource {
    let mut stream = Stream::new("clicks", 1);
    for n in 0..count {
        stream.put("key", n.to_string().as_bytes(), NOW_MS + n as u64);
    }
    EventSource::new(stream, mapping)
}

fn reporting() -> Mapping {
    Mapping { report_batch_item_failures: true, maximum_retry_attempts: Some(2), ..Mapping::default() }
}

/// The records of an event: data as text, and sequence number.
fn records(event: &[u8]) -> Vec<(String, String)> {
    let event: Value = serde_json::from_slice(event).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let record = |record: &Value| {
        let data = base64_simd::STANDARD.decode_to_vec(text(&record["kinesis"]["data"])).unwrap();
        (String::from_utf8(data).unwrap(), text(&record["kinesis"]["sequenceNumber"]))
    };
    event["Records"].as_array().unwrap().iter().map(record).collect()
}

fn failures(ids: &[&str]) -> Vec<u8> {
    let items: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": items}).to_string().into_bytes()
}

async fn run<F>(source: &mut EventSource, function: F) -> Journal
where
    F: AsyncFnMut(Vec<u8>) -> Result<Vec<u8>, String>,
{
    source.run(|| NOW_MS + 1000, function).await
}

fn spans(journal: &Journal) -> Vec<std::ops::Range<usize>> {
    journal.invocations.iter().map(|invocation| invocation.records.clone()).collect()
}

#[tokio::test]
async fn the_recorded_table_of_responses() {
    let success = ["\"\"", "[]", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#];
    let failure = [
        r#"{"batchItemFailures":[{"itemIdentifier":"123"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
        r#"{"batchItemFailures":[{"foo":"bar"}]}"#,
    ];
    for answer in success {
        let mut source = source(3, reporting());
        let journal = run(&mut source, async |_| Ok(answer.as_bytes().to_vec())).await;
        assert_eq!((journal.invocations.len(), journal.failures.len()), (1, 0), "{answer}");
    }
    for answer in failure.iter().map(|text| Ok(*text)).chain([Err("function error"), Err("exception")]) {
        let mut source = source(3, reporting());
        let given = answer.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
        let journal = run(&mut source, async |_| given.clone()).await;
        assert_eq!(spans(&journal), [0..3, 0..3, 0..3], "{answer:?}");
        let [record] = journal.failures.as_slice() else { panic!("one failure record") };
        let function_error = if answer.is_err() { json!("Unhandled") } else { Value::Null };
        assert_eq!(record.json["responseContext"]["functionError"], function_error);
        assert_eq!(record.json["requestContext"]["condition"], "RetryAttemptsExhausted");
        assert_eq!(record.json["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!((record.records.clone(), source.checkpoint(0)), (0..3, 3));
    }
}

#[tokio::test]
async fn other_wrong_responses() {
    // Another outer key is silent loss; an empty payload is success; a mix of good and bad ids fails the batch.
    for (answer, invocations) in [
        (r#"{"batch_item_failures":[{"itemIdentifier":"123"}]}"#, 1),
        ("", 1),
        ("oops", 3),
        ("[1]", 3),
        (r#"{"batchItemFailures":"all"}"#, 3),
        (r#"{"batchItemFailures":[{}]}"#, 3),
    ] {
        let journal = run(&mut source(3, reporting()), async |_| Ok(answer.as_bytes().to_vec())).await;
        assert_eq!(journal.invocations.len(), invocations, "{answer}");
    }
    let mixed = async |event: Vec<u8>| Ok(failures(&[&records(&event)[1].1, "123"]));
    assert_eq!(spans(&run(&mut source(3, reporting()), mixed).await), [0..3, 0..3, 0..3]);
    let large = async |_| Ok(vec![b' '; RESPONSE_BYTES_MAX + 1]);
    let journal = run(&mut source(1, reporting()), large).await;
    assert!(matches!(journal.invocations[0].outcome, Outcome::FunctionError(_)));
}

#[tokio::test]
async fn without_the_response_type_failures_are_silently_lost() {
    let mapping = Mapping { maximum_retry_attempts: Some(2), ..Mapping::default() };
    let report = async |event: Vec<u8>| Ok(failures(&[&records(&event)[0].1]));
    let journal = run(&mut source(3, mapping.clone()), report).await;
    assert_eq!((journal.invocations.len(), journal.failures.len()), (1, 0));
    let journal = run(&mut source(3, mapping), async |_| Err("x".to_owned())).await;
    assert_eq!((journal.invocations.len(), journal.failures.len()), (3, 1));
}

#[tokio::test]
async fn the_lowest_failure_is_the_checkpoint() {
    let mut source = source(6, reporting());
    let mut first = true;
    let journal = run(&mut source, async |event| {
        let records = records(&event);
        let answer = if first { failures(&[&records[4].1, &records[2].1, &records[5].1]) } else { failures(&[]) };
        first = false;
        Ok(answer)
    })
    .await;
    assert_eq!(spans(&journal), [0..6, 2..6]);
    assert_eq!(journal.invocations[0].outcome, Outcome::Partial(2));
    assert_eq!((journal.invocations[1].retry, journal.rewinds()), (1, 1));
}

/// Fails every batch that holds one of `poison`, by a partial answer or by an error.
async fn poisoned(poison: &[usize], count: usize, mapping: Mapping, partial: bool) -> (Journal, Vec<usize>) {
    let mut source = source(count, mapping);
    let mut done = Vec::new();
    let journal = run(&mut source, async |event| {
        let records = records(&event);
        let data: Vec<usize> = records.iter().map(|(data, _)| data.parse().unwrap()).collect();
        let bad = data.iter().position(|n| poison.contains(n));
        match (bad, partial) {
            (None, _) => done.extend(&data),
            (Some(bad), true) => done.extend(&data[..bad]),
            (Some(_), false) => return Err("poison".to_owned()),
        }
        Ok(bad.map_or_else(|| failures(&[]), |bad| failures(&[&records[bad].1])))
    })
    .await;
    assert!(journal.complete);
    (journal, done)
}

#[tokio::test]
async fn without_bisect_a_poison_record_takes_the_rest_of_its_batch_with_it() {
    let mapping = Mapping { batch_size: 4, ..reporting() };
    let (journal, done) = poisoned(&[1], 8, mapping, true).await;
    assert_eq!(spans(&journal), [0..4, 1..4, 1..4, 4..8]);
    assert_eq!(done, [0, 4, 5, 6, 7]);
    assert_eq!(journal.failures[0].records, 1..4);
    assert_eq!(journal.failures[0].json["requestContext"]["approximateInvokeCount"], 3);
}

proptest! {
    /// Point 17 of the checklist: exactly the poison records end in the on-failure destination.
    #[test]
    fn with_bisect_exactly_the_poison_is_given_up(
        count in 1..40usize,
        spots in proptest::collection::vec(any::<proptest::sample::Index>(), 1..4),
        batch_size in 1..20usize,
        retries in 0..3u32,
        partial: bool,
    ) {
        let mut poison: Vec<usize> = spots.iter().map(|spot| spot.index(count)).collect();
        poison.sort_unstable();
        poison.dedup();
        let mapping = Mapping {
            batch_size,
            bisect_batch_on_function_error: true,
            maximum_retry_attempts: Some(retries),
            ..reporting()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (journal, done) = runtime.block_on(poisoned(&poison, count, mapping, partial));
        let given_up: Vec<usize> = journal.failures.iter().flat_map(|failure| failure.records.clone()).collect();
        prop_assert_eq!(&given_up, &poison);
        let rest: Vec<usize> = (0..count).filter(|n| !poison.contains(n)).collect();
        prop_assert_eq!(done, rest);
        for failure in &journal.failures {
            prop_assert_eq!(&failure.json["requestContext"]["approximateInvokeCount"], &json!(retries + 1));
        }
    }
}

#[tokio::test]
async fn a_partial_answer_is_cut_where_it_says_and_uses_no_retry_under_bisect() {
    let mapping = Mapping { bisect_batch_on_function_error: true, maximum_retry_attempts: Some(0), ..reporting() };
    let mut source = source(6, mapping);
    // Each answer settles one record more: without the rule, zero retries would give up after the first.
    let journal = run(&mut source, async |event| {
        let records = records(&event);
        Ok(records.get(1).map_or_else(|| failures(&[]), |second| failures(&[&second.1])))
    })
    .await;
    assert_eq!(spans(&journal), [0..6, 1..6, 2..6, 3..6, 4..6, 5..6]);
    assert_eq!(journal.failures.len(), 0);
}

#[tokio::test]
async fn records_that_are_too_old_are_given_up_by_the_clock() {
    let mapping = Mapping { maximum_record_age_ms: Some(60_000), maximum_retry_attempts: None, ..reporting() };
    let mut source = source(3, mapping);
    let now_ms = Cell::new(NOW_MS + 60_000);
    // The first call fails while all are young enough; then the clock passes the age of the first two.
    let journal = source
        .run(
            || now_ms.get(),
            async |event| {
                let all = records(&event).len() == 3;
                now_ms.set(NOW_MS + 60_002);
                if all { Err("not yet".to_owned()) } else { Ok(Vec::new()) }
            },
        )
        .await;
    assert_eq!(spans(&journal), [0..3, 2..3]);
    let [failure] = journal.failures.as_slice() else { panic!("one failure record") };
    assert_eq!((failure.records.clone(), failure.condition), (0..2, Condition::RecordAgeExceeded));
    assert_eq!(failure.json["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(failure.json["requestContext"]["approximateInvokeCount"], 1);
}

#[tokio::test]
async fn endless_retries_stop_at_the_bound_and_can_be_taken_up_again() {
    let mapping = Mapping { maximum_retry_attempts: None, invocations_max: 7, ..reporting() };
    let mut source = source(3, mapping);
    let journal = run(&mut source, async |_| Err("always".to_owned())).await;
    assert_eq!((journal.invocations.len(), journal.complete, source.checkpoint(0)), (7, false, 0));
    let journal = run(&mut source, async |_| Ok(Vec::new())).await;
    assert_eq!(spans(&journal), std::slice::from_ref(&(0..3)));
    assert_eq!((journal.complete, source.checkpoint(0)), (true, 3));
}

#[tokio::test]
async fn more_records_go_on_from_the_checkpoint() {
    let mut source = source(2, reporting());
    run(&mut source, async |_| Ok(Vec::new())).await;
    source.forget_settled();
    assert_eq!((source.stream().record(0, 1), source.stream().end(0)), (None, 2));
    source.stream_mut().put("key", b"more", NOW_MS);
    let journal = run(&mut source, async |event| {
        assert_eq!(records(&event)[0].0, "more");
        Ok(Vec::new())
    })
    .await;
    assert_eq!(spans(&journal), std::slice::from_ref(&(2..3)));
    assert!(run(&mut source, async |_| Ok(Vec::new())).await.invocations.is_empty());
}

#[tokio::test]
async fn one_failing_shard_does_not_hold_the_others() {
    let mut stream = Stream::new("clicks", 3);
    for n in 0..30 {
        stream.put(&format!("key {n}"), b"{}", NOW_MS);
    }
    let mut source =
        EventSource::new(stream, Mapping { batch_size: 2, maximum_retry_attempts: Some(1), ..reporting() });
    let bad = "shardId-000000000001";
    let journal = run(&mut source, async |event| {
        let event = String::from_utf8(event).unwrap();
        if event.contains(bad) { Err("bad shard".to_owned()) } else { Ok(Vec::new()) }
    })
    .await;
    assert!(journal.complete && (0..3).all(|shard| source.checkpoint(shard) == source.stream().end(shard)));
    assert!(journal.failures.iter().all(|failure| failure.json["KinesisBatchInfo"]["shardId"] == bad));
    let mut taken = journal.invocations.iter().take(3).map(|invocation| invocation.shard).collect::<Vec<_>>();
    taken.dedup();
    assert_eq!(taken, [0, 1, 2]);
}

#[tokio::test]
async fn an_event_stays_within_6_mb() {
    let mut stream = Stream::new("clicks", 1);
    for _ in 0..12 {
        stream.put("key", &vec![b'x'; 1 << 20], NOW_MS);
    }
    stream.put("key", &vec![b'x'; 5 << 20], NOW_MS);
    stream.put("key", b"last", NOW_MS);
    let mut source = EventSource::new(stream, reporting());
    let mut sizes = Vec::new();
    let journal = run(&mut source, async |event| {
        sizes.push(event.len());
        Ok(Vec::new())
    })
    .await;
    assert_eq!(spans(&journal), [0..4, 4..8, 8..12, 13..14]);
    assert!(sizes.iter().all(|size| *size <= EVENT_BYTES_MAX));
    assert_eq!(
        (journal.failures[0].condition, journal.failures[0].records.clone()),
        (Condition::PayloadTooLarge, 12..13)
    );
    assert_eq!(journal.failures[0].json.get("responseContext"), None);
}

#[tokio::test]
async fn the_size_of_an_event_is_foreseen_to_the_byte() {
    let stream = |key: &str, bytes: usize| {
        let mut stream = Stream::new("clicks", 1);
        stream.put(key, &vec![0; bytes], NOW_MS);
        stream
    };
    let size = |stream: &Stream| event(stream, 0, stream.records(0, 0..1)).len();
    // Base64 grows by four, so the key fills up to a multiple of it: the largest event has 6 MiB exactly.
    let mut key = "k\"é".to_owned();
    while !(EVENT_BYTES_MAX - size(&stream(&key, 0))).is_multiple_of(4) {
        key.push('k');
    }
    let fitting = (EVENT_BYTES_MAX - size(&stream(&key, 0))) / 4 * 3;
    assert_eq!(size(&stream(&key, fitting)), EVENT_BYTES_MAX);
    for (bytes, invocations) in [(fitting, 1), (fitting + 1, 0)] {
        let journal = run(&mut EventSource::new(stream(&key, bytes), reporting()), async |_| Ok(Vec::new())).await;
        assert_eq!(journal.invocations.len(), invocations);
    }
}

#[test]
fn an_event_looks_as_it_does_at_aws() {
    let mut stream = Stream::new("clicks", 1);
    stream.put_numbered(
        0,
        "user \"1\"",
        b"{\"a\":1}",
        1_545_084_650_987,
        "49590338271490256608559692538361571095921575989136588898".to_owned(),
    );
    let event = String::from_utf8(event(&stream, 0, stream.records(0, 0..1))).unwrap();
    let expected = concat!(
        r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"user \"1\"","#,
        r#""sequenceNumber":"49590338271490256608559692538361571095921575989136588898","data":"eyJhIjoxfQ==","#,
        r#""approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0","#,
        r#""eventID":"shardId-000000000000:49590338271490256608559692538361571095921575989136588898","#,
        r#""eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","#,
        r#""awsRegion":"us-east-1","eventSourceARN":"arn:aws:kinesis:us-east-1:123456789012:stream/clicks"}]}"#,
    );
    assert_eq!(event, expected);
}

#[tokio::test]
async fn a_failure_record_looks_as_it_does_at_aws() {
    let mapping = Mapping { maximum_retry_attempts: Some(0), ..reporting() };
    let mut source = source(2, mapping);
    let mut sent = Vec::new();
    let journal = run(&mut source, async |event| {
        sent = event;
        Err("boom".to_owned())
    })
    .await;
    let mut json = journal.failures[0].json.clone();
    assert_eq!(json["payload"].as_str().unwrap().as_bytes(), sent);
    json.as_object_mut().unwrap().remove("payload");
    let number = |position| source.stream().record(0, position).unwrap().sequence_number.clone();
    let expected = json!({
        "requestContext": {
            "requestId": "00000000-0000-4000-8000-000000000000",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:paddlewheel",
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:21.000Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000", "startSequenceNumber": number(0), "endSequenceNumber": number(1),
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.000Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.001Z",
            "batchSize": 2, "streamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn records_are_placed_by_the_md5_of_their_key() {
    // md5("a") = 0cc1…, md5("b") = 92eb…, md5("c") = 4a8a…, md5("d") = 8277…
    let placed = |shards, key: &str| Stream::new("s", shards).shard_of(key);
    assert_eq!(["a", "b", "c", "d"].map(|key| placed(2, key)), [0, 1, 0, 1]);
    assert_eq!(["a", "b", "c", "d"].map(|key| placed(4, key)), [0, 2, 1, 2]);
    assert_eq!(placed(1, "b"), 0);
    // Nothing lies beyond the last shard, also where the ranges leave something over.
    assert!((0..2000).all(|n| placed(3, &n.to_string()) < 3 && placed(7, &n.to_string()) < 7));
}

#[test]
fn sequence_numbers_have_56_digits_and_increase() {
    let mut stream = Stream::new("clicks", 2);
    for n in 0..1000 {
        stream.put(&n.to_string(), &vec![0; n % 50], NOW_MS);
    }
    for shard in 0..2 {
        let numbers: Vec<&str> =
            stream.records(shard, 0..1000).iter().map(|record| record.sequence_number.as_str()).collect();
        assert!(numbers.len() > 300 && numbers.iter().all(|number| number.len() == 56));
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }
}

#[tokio::test]
async fn a_run_can_be_spawned() {
    let mut source = source(2, reporting());
    let run = async move { source.run(|| NOW_MS, async |_: Vec<u8>| Ok(Vec::new())).await };
    assert!(tokio::spawn(run).await.unwrap().complete);
}
