//! Every event that AWS may send is read, and what is wrong with one record stays with that record
//! (docs/aws-checklist.md, 1 to 6).

use super::records;
use crate::batch::{Batch, Encoded, compare_sequence_numbers};
use bytes::Bytes;
use serde_json::{Value, json};
use std::cmp::Ordering;

fn event(records: Value) -> Bytes {
    json!({ "Records": records }).to_string().into()
}

fn record(number: &str, data: &str) -> Value {
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0", "partitionKey": "key", "sequenceNumber": number,
            "data": data, "approximateArrivalTimestamp": 1_545_084_650.987,
        },
        "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{number}"),
        "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/r", "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
    })
}

fn read(records_json: Value) -> Batch {
    records(event(records_json)).unwrap()
}

#[test]
fn an_ordinary_record_is_read_whole() {
    let batch = read(json!([record("4959", "aGVsbG8=")]));
    assert_eq!((batch.stream.as_str(), batch.shard.as_str()), ("clicks", "shardId-000000000006"));
    let record = &batch.records[0];
    assert_eq!(record.id, "shardId-000000000006:4959");
    assert_eq!((&*record.sequence_number, &*record.partition_key), ("4959", "key"));
    assert_eq!(record.arrived_at_ms, 1_545_084_650_987);
    assert_eq!(record.data.decode().unwrap(), "hello");
}

#[test]
fn the_typed_event_of_aws_reads_the_same() {
    let text = event(json!([record("4959", "aGVsbG8="), record("4960", "")]));
    let typed: aws_lambda_events::kinesis::KinesisEvent = serde_json::from_slice(&text).unwrap();
    let batch = records(text).unwrap();
    assert_eq!(typed.records.len(), batch.records.len());
    for (typed, ours) in typed.records.iter().zip(&batch.records) {
        assert_eq!(typed.kinesis.sequence_number, *ours.sequence_number);
        assert_eq!(typed.kinesis.partition_key, *ours.partition_key);
        assert_eq!(&typed.kinesis.data.0[..], &ours.data.decode().unwrap()[..]);
    }
}

#[test]
fn texts_share_the_memory_of_the_event() {
    let text = event(json!([record("4959", "aGVsbG8=")]));
    let range = text.as_ptr_range();
    let batch = records(text).unwrap();
    let record = &batch.records[0];
    let Encoded::Base64(data) = &record.data else { panic!("there is data") };
    let texts = [&record.id, &record.sequence_number, &record.partition_key].map(|text| text.as_bytes());
    for part in texts.into_iter().chain([data]) {
        assert!(range.contains(&part.as_ptr()));
    }
}

#[test]
fn bad_data_concerns_one_record() {
    for bad in
        [json!("a"), json!("aGVsbG8"), json!("aGVs bG8="), json!("aGVsbG8_"), json!(null), json!(7), json!([1, {}])]
    {
        let mut second = record("2", "");
        second["kinesis"]["data"] = bad.clone();
        let batch = read(json!([record("1", "aGVsbG8="), second, record("3", "")]));
        assert_eq!(batch.records[0].data.decode().unwrap(), "hello");
        assert!(batch.records[1].data.decode().is_err(), "{bad}");
        assert_eq!(batch.records[2].data.decode().unwrap(), "");
    }
}

#[test]
fn oddities_are_accepted() {
    let mut odd = record("7", "aGVsbG8=");
    odd["kinesis"]["encryptionType"] = json!("ROT13");
    odd["kinesis"]["approximateArrivalTimestamp"] = json!(1_545_084_650);
    odd["kinesis"]["kinesisSchemaVersion"] = json!({ "major": 2 });
    odd["kinesis"]["partitionKey"] = json!("k\u{e9}y \"quoted\"\n");
    odd["more"] = json!([{ "deep": [null] }]);
    odd["awsRegion"] = json!(5);
    let batch = read(json!([odd]));
    assert_eq!(batch.records[0].arrived_at_ms, 1_545_084_650_000);
    assert_eq!(batch.records[0].partition_key, "k\u{e9}y \"quoted\"\n");

    let batch = read(json!([{ "kinesis": { "sequenceNumber": "7", "data": "" } }]));
    let bare = &batch.records[0];
    assert_eq!((&*bare.id, bare.arrived_at_ms, &*bare.partition_key), ("shardId-unknown:7", 0, ""));
    assert_eq!((batch.stream.as_str(), batch.shard.as_str()), ("", "shardId-unknown"));

    for (stamp, ms) in
        [(json!("soon"), 0), (json!(-5), 0), (json!(null), 0), (json!(1e300), u64::MAX), (json!(0.001), 1)]
    {
        let mut odd = record("7", "");
        odd["kinesis"]["approximateArrivalTimestamp"] = stamp;
        assert_eq!(read(json!([odd])).records[0].arrived_at_ms, ms);
    }
    for id in [json!(null), json!("7"), json!(":7"), json!("a:b:7"), json!("shardId-1:8"), json!({})] {
        let mut odd = record("7", "");
        odd["eventID"] = id.clone();
        assert_eq!(read(json!([odd])).records[0].id, "shardId-unknown:7", "{id}");
    }
}

#[test]
fn keys_are_what_they_are_however_they_are_escaped() {
    let plain = event(json!([record("4959", "aGVsbG8="), record("4960", "")]));
    let mut text = String::from_utf8(plain.to_vec()).unwrap();
    for key in
        ["Records", "kinesis", "sequenceNumber", "partitionKey", "data", "eventID", "eventSource", "eventSourceARN"]
    {
        let escaped = format!("\"\\u{:04x}{}\":", key.as_bytes()[0], &key[1..]);
        assert!(text.contains(&format!("\"{key}\":")), "{key}");
        text = text.replace(&format!("\"{key}\":"), &escaped);
    }
    assert_eq!(format!("{:?}", records(text.into()).unwrap()), format!("{:?}", records(plain).unwrap()));
}

#[test]
fn no_records_is_a_batch_without_records() {
    assert!(read(json!([])).records.is_empty());
}

#[test]
fn what_is_no_kinesis_event_is_told_by_name() {
    let mut sqs = record("1", "");
    sqs["eventSource"] = json!("aws:sqs");
    let mut unnumbered = record("1", "");
    unnumbered["kinesis"]["sequenceNumber"] = json!("");
    let mut number = record("1", "");
    number["kinesis"]["sequenceNumber"] = json!(1);
    let mut hex = record("1", "");
    hex["kinesis"]["sequenceNumber"] = json!("1f");
    for (event, part) in [
        (event(json!([sqs])), "aws:sqs"),
        (event(json!([unnumbered])), "record 0"),
        (event(json!([record("1", ""), number])), "record 1"),
        (event(json!([hex])), "sequence number"),
        (event(json!([{}])), "sequence number"),
        (event(json!([null])), "not a Kinesis event"),
        (Bytes::from_static(b"{}"), "no `Records`"),
        (Bytes::from_static(b"{\"Records\":null}"), "no `Records`"),
        (Bytes::from_static(b"{\"Records\":[],\"window\":{\"start\":\"x\"}}"), "TumblingWindowInSeconds"),
        (Bytes::from_static(b"[]"), "not a Kinesis event"),
        (Bytes::from_static(b"{\"Records\":"), "not a Kinesis event"),
        (Bytes::from_static(b"\xff"), "UTF-8"),
    ] {
        let told = records(event.clone()).expect_err("no Kinesis event").to_string();
        assert!(told.contains(part), "{part:?} is not in {told:?}");
    }
}

#[test]
fn sequence_numbers_are_integers_of_any_length() {
    for (one, other, order) in [
        ("9", "10", Ordering::Less),
        ("0009", "9", Ordering::Equal),
        (
            "49590338271490256608559692538361571095921575989136588899",
            "49590338271490256608559692538361571095921575989136588898",
            Ordering::Greater,
        ),
        ("0", "", Ordering::Equal),
    ] {
        assert_eq!(compare_sequence_numbers(one, other), order);
    }
}
