//! What reading the event costs; run by hand: `cargo test --release -p lambda speed -- --ignored --nocapture`.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::time::Instant;

#[test]
#[ignore = "a measurement, not a test"]
fn envelope_and_base64() {
    let document = format!("{{\"level\":\"INFO\",\"text\":\"{}\"}}", "y".repeat(419 - 26));
    let record = |n: u64| {
        let number = format!("49590338271490256608559692538361571095921575989136{n:06}");
        serde_json::json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": "customer-4711", "sequenceNumber": number,
                "data": base64_simd::STANDARD.encode_to_string(&document), "approximateArrivalTimestamp": 1_545_084_650.987,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{number}"),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2", "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        })
    };
    let text = serde_json::json!({ "Records": (0..1000).map(record).collect::<Vec<_>>() }).to_string();
    let event = bytes::Bytes::from(text.clone());
    let measure = |what: &str, run: &dyn Fn() -> usize| {
        let mut best = f64::MAX;
        for _ in 0..30 {
            let begun = Instant::now();
            std::hint::black_box(run());
            best = best.min(begun.elapsed().as_secs_f64() * 1e6 / 1000.0);
        }
        println!("{what}: {best:.3} µs a record");
    };
    measure("RawValue", &|| serde_json::from_slice::<Box<serde_json::value::RawValue>>(&event).unwrap().get().len());
    measure("envelope", &|| crate::records(event.clone()).unwrap().records.len());
    measure("envelope and base64", &|| {
        let batch = crate::records(event.clone()).unwrap();
        batch.records.iter().map(|record| record.data.decode().unwrap().len()).sum()
    });
    let pipeline = std::sync::Arc::new(pipeline::Pipeline::identity("p"));
    let runner = std::cell::RefCell::new(pipeline::Runner::new(pipeline.clone(), Vec::new(), ""));
    measure("identity pipeline, entries", &|| {
        crate::prepare(event.clone(), &pipeline, &mut runner.borrow_mut(), 0).unwrap().entries.len()
    });
}
