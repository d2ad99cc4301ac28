//! Every limit and every fault, seen by a plain HTTP client.

use super::*;
use crate::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn of(firehose: &Firehose) -> Client {
        // Long enough for a busy machine; no test waits for it.
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Client { http, url: firehose.url().to_owned() }
    }

    fn request(&self, operation: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.http
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Firehose_20150804.{operation}"))
            .body(body)
    }

    async fn call(&self, operation: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let answer = self.request(operation, body).send().await.unwrap();
        let status = answer.status().as_u16();
        let error = answer.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["__type"].as_str(), error.as_deref());
        assert_eq!(status == 200, error.is_none());
        (status, body)
    }

    async fn put(&self, stream: &str, records: &[Vec<u8>]) -> (u16, Value) {
        self.call("PutRecordBatch", batch(stream, records)).await
    }

    /// A request that must be refused with this exception and text; nothing of it is accepted.
    async fn refused(&self, stream: &str, records: &[Vec<u8>], kind: &str, message: &str) {
        let (status, body) = self.put(stream, records).await;
        assert_eq!((status, body["__type"].as_str()), (400, Some(kind)), "{body}");
        assert!(body["message"].as_str().unwrap().contains(message), "{body}");
    }
}

fn batch(stream: &str, records: &[Vec<u8>]) -> String {
    let encoded = records.iter().map(|data| json!({"Data": base64_simd::STANDARD.encode_to_string(data)}));
    json!({"DeliveryStreamName": stream, "Records": encoded.collect::<Vec<_>>()}).to_string()
}

fn documents(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect()
}

async fn start(faults: Faults) -> (Firehose, Client) {
    let firehose = Firehose::start(Options { faults, ..Options::new(["clicks", "audit"]) }).await.unwrap();
    let client = Client::of(&firehose);
    (firehose, client)
}

fn data(accepted: Vec<Accepted>) -> Vec<Vec<u8>> {
    accepted.into_iter().map(|record| record.data).collect()
}

#[tokio::test]
async fn a_batch_is_accepted_and_remembered_in_order() {
    let (firehose, client) = start(fault::none()).await;
    let (status, body) = client.put("clicks", &documents(2)).await;
    assert_eq!((status, &body["FailedPutCount"], &body["Encrypted"]), (200, &json!(0), &json!(false)));
    let ids: Vec<_> =
        body["RequestResponses"].as_array().unwrap().iter().map(|entry| entry["RecordId"].as_str()).collect();
    assert!(ids.len() == 2 && ids[0].is_some() && ids[0] != ids[1]);
    client.put("audit", &documents(1)).await;
    client.put("clicks", &documents(3)).await;
    let accepted = firehose.accepted("clicks");
    let places: Vec<_> = accepted.iter().map(|record| (record.request, record.entry)).collect();
    assert_eq!(places, [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2)]);
    assert_eq!(data(accepted)[..2], documents(2));
    assert_eq!((firehose.accepted("audit").len(), firehose.accepted_count()), (1, 6));
    assert_eq!(firehose.violation_count(), 0);
    assert_eq!(firehose.shutdown().await.indexed, 6);
}

#[tokio::test]
async fn a_batch_has_1_to_500_records() {
    let (firehose, client) = start(fault::none()).await;
    client
        .refused(
            "clicks",
            &[],
            "ValidationException",
            "'records' failed to satisfy constraint: Member must have length greater than or equal to 1",
        )
        .await;
    client
        .refused("clicks", &documents(501), "ValidationException", "Member must have length less than or equal to 500")
        .await;
    assert_eq!(firehose.accepted_count(), 0);
    assert_eq!(client.put("clicks", &documents(500)).await.0, 200);
    assert_eq!(firehose.accepted_count(), 500);
    let errors: Vec<_> = firehose.requests().into_iter().map(|request| request.error).collect();
    assert_eq!(errors, [Some("ValidationException".to_owned()), Some("ValidationException".to_owned()), None]);
}

#[tokio::test]
async fn a_record_has_at_most_1_024_000_bytes_before_base64() {
    let (firehose, client) = start(fault::none()).await;
    assert_eq!(client.put("clicks", &[vec![b'x'; RECORD_BYTES_MAX]]).await.0, 200);
    let records = [b"{}".to_vec(), vec![b'x'; RECORD_BYTES_MAX + 1]];
    let message = "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' at \
                   'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000";
    client.refused("clicks", &records, "ValidationException", message).await;
    // One record too large refuses its neighbours, too.
    assert_eq!(firehose.accepted_count(), 1);
    let body = json!({"DeliveryStreamName": "clicks", "Record": {"Data": base64_simd::STANDARD.encode_to_string(&records[1])}});
    assert_eq!(client.call("PutRecord", body.to_string()).await.0, 400);
}

#[tokio::test]
async fn a_request_has_at_most_4_mib_counted_with_base64_and_overhead() {
    let (firehose, client) = start(fault::none()).await;
    // 4 records of base64 length 1,048,564 and 12 bytes of overhead each: 4,194,304 to the byte.
    let record = vec![b'x'; 786_423];
    assert_eq!((record.len().div_ceil(3) * 4 + ENTRY_OVERHEAD_BYTES) * 4, REQUEST_BYTES_MAX);
    let mut records = vec![record; 4];
    assert_eq!(client.put("clicks", &records).await.0, 200);
    records[3].push(b'x');
    client.refused("clicks", &records, "InvalidArgumentException", "Records size exceeds 4 MB limit").await;
    // Far over it, and still answered as the service does.
    client.refused("clicks", &vec![vec![b'x'; 1_000_000]; 8], "InvalidArgumentException", "4 MB limit").await;
    assert_eq!(firehose.accepted_count(), 4);
}

#[tokio::test]
async fn names_of_streams_are_checked_before_they_are_looked_up() {
    let (_firehose, client) = start(fault::none()).await;
    let one = documents(1);
    client
        .refused("nowhere", &one, "ResourceNotFoundException", "Firehose nowhere under account 123456789012 not found.")
        .await;
    client.refused("a b", &one, "ValidationException", "[a-zA-Z0-9_.-]+").await;
    client.refused("", &one, "ValidationException", "greater than or equal to 1").await;
    client.refused(&"n".repeat(65), &one, "ValidationException", "less than or equal to 64").await;
    client.refused(&"n".repeat(64), &one, "ResourceNotFoundException", "not found").await;
    client.refused("a b", &[], "ValidationException", "2 validation errors detected").await;
}

#[tokio::test]
async fn malformed_requests_are_serialization_errors() {
    let (firehose, client) = start(fault::none()).await;
    for body in [
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"e30"}]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"e3_-"}]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":1}]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"e30="}]"#,
        "",
    ] {
        let (status, answer) = client.call("PutRecordBatch", body).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some("SerializationException")), "{body}");
    }
    for body in [
        r#"{"Records":[{"Data":"e30="}]}"#,
        r#"{"DeliveryStreamName":"clicks"}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{}]}"#,
    ] {
        let (status, answer) = client.call("PutRecordBatch", body).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some("ValidationException")), "{body}");
        assert!(answer["message"].as_str().unwrap().contains("must not be null"));
    }
    assert_eq!(client.call("Nothing", "{}").await.1["__type"], "UnknownOperationException");
    assert_eq!(firehose.accepted_count(), 0);
}

#[tokio::test]
async fn single_records_and_descriptions_work_too() {
    let (firehose, client) = start(fault::none()).await;
    let (status, body) = client.call("PutRecord", r#"{"DeliveryStreamName":"clicks","Record":{"Data":"e30="}}"#).await;
    assert!(status == 200 && body["RecordId"].is_string());
    assert_eq!(data(firehose.accepted("clicks")), [b"{}"]);
    let (_, body) = client.call("DescribeDeliveryStream", r#"{"DeliveryStreamName":"clicks"}"#).await;
    assert_eq!(body["DeliveryStreamDescription"]["DeliveryStreamStatus"], "ACTIVE");
    let (_, body) = client.call("DescribeDeliveryStream", r#"{"DeliveryStreamName":"nowhere"}"#).await;
    assert_eq!(body["__type"], "ResourceNotFoundException");
}

#[tokio::test]
async fn chosen_entries_fail_and_only_they() {
    let error = EntryError::ServiceUnavailable;
    let internal = EntryError::InternalFailure;
    let faults =
        [Fault::FailEntries { entries: vec![0, 2], error }, Fault::FailEntries { entries: vec![1], error: internal }];
    let (firehose, client) = start(fault::script(faults)).await;
    let (status, body) = client.put("clicks", &documents(3)).await;
    let throttled = json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."});
    assert_eq!((status, &body["FailedPutCount"]), (200, &json!(2)));
    assert_eq!((&body["RequestResponses"][0], &body["RequestResponses"][2]), (&throttled, &throttled));
    assert!(body["RequestResponses"][1]["RecordId"].is_string());
    assert_eq!(data(firehose.accepted("clicks")), documents(2)[1..]);
    let (_, body) = client.put("clicks", &documents(2)).await;
    assert_eq!(body["RequestResponses"][1]["ErrorCode"], "InternalFailure");
    assert_eq!(client.put("clicks", &documents(2)).await.1["FailedPutCount"], 0);
    let accepted: Vec<_> = firehose.requests().iter().map(|request| (request.number, request.accepted)).collect();
    assert_eq!(accepted, [(1, 1), (2, 1), (3, 2)]);
}

#[tokio::test]
async fn whole_requests_fail_before_or_after_accepting() {
    let faults = [Fault::Error(ServiceError::unavailable()), Fault::ErrorAfterAccepting(ServiceError::internal())];
    let (firehose, client) = start(fault::script(faults)).await;
    let (status, body) = client.put("clicks", &documents(1)).await;
    assert_eq!((status, body["__type"].as_str()), (503, Some("ServiceUnavailableException")));
    assert_eq!(firehose.accepted_count(), 0);
    let (status, body) = client.put("clicks", &documents(1)).await;
    assert_eq!((status, body["__type"].as_str()), (500, Some("InternalFailure")));
    assert_eq!(firehose.accepted_count(), 1);
}

#[tokio::test]
async fn connections_are_dropped_before_or_after_accepting() {
    let (firehose, client) = start(fault::script([Fault::DropConnection, Fault::DropAfterAccepting])).await;
    let body = batch("clicks", &documents(2));
    // A client may try a dropped connection again by itself only if it was an idle one; these are fresh.
    assert!(client.request("PutRecordBatch", body.clone()).send().await.is_err());
    assert_eq!(firehose.accepted_count(), 0);
    assert!(client.request("PutRecordBatch", body.clone()).send().await.is_err());
    assert_eq!(firehose.accepted_count(), 2);
    assert_eq!(client.put("clicks", &documents(1)).await.0, 200);
}

#[tokio::test]
async fn an_answer_that_never_comes_does_not_hold_the_shutdown() {
    let (firehose, client) = start(fault::script([Fault::NoAnswer])).await;
    let waiting = tokio::spawn(client.request("PutRecordBatch", batch("clicks", &documents(2))).send());
    while firehose.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!((firehose.accepted_count(), waiting.is_finished()), (2, false));
    firehose.shutdown().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn answers_may_contradict_themselves_or_stop_short() {
    let faults = [
        Fault::WrongCount { entries: vec![1], failed_put_count: 0 },
        Fault::WrongCount { entries: vec![], failed_put_count: 2 },
        Fault::ShortAnswer(1),
    ];
    let (firehose, client) = start(fault::script(faults)).await;
    let body = client.put("clicks", &documents(2)).await.1;
    assert_eq!(
        (&body["FailedPutCount"], &body["RequestResponses"][1]["ErrorMessage"]),
        (&json!(0), &json!("Slow down."))
    );
    assert_eq!(firehose.accepted_count(), 1);
    let body = client.put("clicks", &documents(2)).await.1;
    assert_eq!(body["FailedPutCount"], 2);
    assert!(body["RequestResponses"][1]["RecordId"].is_string());
    let body = client.put("clicks", &documents(3)).await.1;
    assert_eq!(body["RequestResponses"].as_array().unwrap().len(), 1);
    assert_eq!(firehose.accepted_count(), 6);
}

#[tokio::test]
async fn a_quota_throttles_by_the_clock() {
    let now_ms = Arc::new(AtomicU64::new(1000));
    let clock: Clock = Arc::new({
        let now_ms = now_ms.clone();
        move || now_ms.load(Ordering::Relaxed)
    });
    let (firehose, client) = start(fault::quota(10, clock)).await;
    let failed = |body: Value| body["FailedPutCount"].as_u64().unwrap();
    assert_eq!(failed(client.put("clicks", &documents(12)).await.1), 2);
    assert_eq!(failed(client.put("clicks", &documents(3)).await.1), 3);
    now_ms.store(1250, Ordering::Relaxed);
    assert_eq!(failed(client.put("clicks", &documents(3)).await.1), 1);
    // No more than a second's worth is saved up.
    now_ms.store(60_000, Ordering::Relaxed);
    assert_eq!(failed(client.put("clicks", &documents(12)).await.1), 2);
    assert_eq!(firehose.accepted_count(), 22);
}

#[test]
fn a_seed_gives_the_same_faults_again() {
    let records = documents(20);
    let faults = |seed, percent| -> Vec<Fault> {
        let mut faults = fault::seeded(seed, percent);
        (1..200).map(|number| faults(Request { number, stream: "clicks", records: &records })).collect()
    };
    assert_eq!(faults(7, 50), faults(7, 50));
    assert_ne!(faults(7, 50), faults(8, 50));
    let count = faults(7, 50).iter().filter(|fault| **fault != Fault::None).count();
    assert!((60..140).contains(&count), "{count}");
    assert!(faults(7, 0).iter().all(|fault| *fault == Fault::None));
}

#[tokio::test]
async fn records_that_are_not_documents_are_violations() {
    let (firehose, client) = start(fault::none()).await;
    let records = [b"{}".to_vec(), b"{}\n".to_vec(), b"[1]".to_vec()];
    assert_eq!(client.put("clicks", &records).await.1["FailedPutCount"], 0);
    let violations = firehose.violations();
    let places: Vec<_> = violations.iter().map(|violation| (violation.request, violation.entry)).collect();
    assert_eq!(places, [(1, 1), (1, 2)]);
    assert_eq!((violations[0].why.as_str(), firehose.violation_count()), ("it holds a raw newline", 2));
}

#[test]
fn the_judge_takes_one_object_on_one_line() {
    for good in ["{}", " {\"a\":[1,-2.5e3,null,true,\"\\u00e9\\ud83d\\ude00\"]} ", "{\"a\":{\"b\":1},\"b\":{\"b\":2}}"]
    {
        assert_eq!(judge(good.as_bytes()), Ok(()), "{good}");
    }
    let bad: [&[u8]; 18] = [
        b"",
        b" ",
        b"1",
        b"null",
        b"\"x\"",
        b"[]",
        b"{}{}",
        b"{} x",
        b"{",
        b"{\"a\":1,}",
        b"{\"a\":1e999}",
        b"{\"a\":NaN}",
        b"{\"a\":1,\n\"b\":2}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":1,\"\\u0061\":2}",
        b"{\"a\":[{\"b\":1,\"b\":2}]}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\x01\"}",
    ];
    for bad in bad {
        assert!(judge(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[tokio::test]
async fn memory_is_bounded_when_asked() {
    let options = Options { records_kept_max: 3, ..Options::new(["clicks"]) };
    let firehose = Firehose::start(options).await.unwrap();
    Client::of(&firehose).put("clicks", &documents(5)).await;
    assert_eq!((firehose.accepted("clicks").len(), firehose.accepted_count()), (3, 5));
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_does_not_hold_the_shutdown() {
    use tokio::io::AsyncWriteExt;
    let (firehose, client) = start(fault::none()).await;
    let mut socket = tokio::net::TcpStream::connect(client.url.trim_start_matches("http://")).await.unwrap();
    socket.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    client.put("clicks", &documents(1)).await;
    assert_eq!(firehose.shutdown().await.indexed, 1);
}

#[tokio::test]
async fn many_clients_at_once_lose_nothing() {
    let (firehose, client) = start(fault::none()).await;
    let client = Arc::new(client);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        requests.spawn(async move { client.put("clicks", &documents(50)).await.0 });
    }
    assert_eq!(requests.join_all().await, [200; 20]);
    let places: std::collections::HashSet<_> =
        firehose.accepted("clicks").iter().map(|record| (record.request, record.entry)).collect();
    assert_eq!(places.len(), 1000);
    // Records of one request stay together, in order.
    assert!(firehose.accepted("clicks").chunks(50).all(|chunk| chunk.iter().enumerate().all(|(n, r)| r.entry == n)));
}

#[tokio::test]
async fn a_destination_gets_what_is_accepted_before_the_answer() {
    let path = std::env::temp_dir().join(format!("simulator-{}-firehose", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    let destination = Destination::Folder(destination::Folder::new(&path));
    let faults = fault::script([Fault::AcceptFirst(1)]);
    let options = Options { destination, faults, ..Options::new(["clicks"]) };
    let firehose = Firehose::start(options).await.unwrap();
    Client::of(&firehose).put("clicks", &documents(2)).await;
    assert_eq!(std::fs::read_to_string(path.join("clicks.ndjson")).unwrap(), "{\"n\":0}\n");
    // A destination that fails is noted and not told to the sender.
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, "a file where the folder was").unwrap();
    assert_eq!(Client::of(&firehose).put("clicks", &documents(2)).await.1["FailedPutCount"], 0);
    assert_eq!(firehose.delivery_errors().len(), 1);
    std::fs::remove_file(&path).unwrap();
}
