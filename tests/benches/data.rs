//! The records that all rows share: web events of 419 to 432 bytes, and the same with a longer message, 2,000 bytes
//! exactly.

const WORDS: &str = " the cart service took the items of this order from the stock and wrote the result back";

/// The `k`-th record; every tenth is DEBUG.
pub fn record(k: usize, size: Option<usize>) -> Vec<u8> {
    let text = |message: &str| {
        format!(
            concat!(
                r#"{{"timestamp":"2026-11-22T10:00:{:02}.123Z","level":"{}","service":"checkout","#,
                r#""host":"ip-10-0-{}-{}.ec2.internal","trace_id":"4bf92f3577b34da6a3ce929d0e0e{:04x}","#,
                r#""user":{{"id":{},"tier":"gold","country":"DE"}},"email":"user{}@example.com","ssn":"123-45-6789","#,
                r#""http":{{"method":"POST","path":"/api/v1/cart/{}","status":{},"latency_ms":{}.5}},"#,
                r#""message":"{}","tags":["a","b","c"]}}"#
            ),
            k % 60,
            if k.is_multiple_of(10) { "DEBUG" } else { "INFO" },
            k % 256,
            k % 199,
            k % 65_536,
            k,
            k,
            k,
            200 + k % 5,
            k % 1_000,
            message
        )
    };
    let mut message = "request completed for cart with items and some text in it".to_owned();
    if let Some(size) = size {
        let room = size - text(&message).len();
        message.extend(WORDS.repeat(40).chars().take(room));
    }
    text(&message).into_bytes()
}

/// A Lambda event of `count` records.
pub fn event(count: usize, size: Option<usize>) -> Vec<u8> {
    let records: Vec<_> = (0..count)
        .map(|k| {
            let sequence_number = format!("4959033827149025660855969253836{:019}", k * 7_919);
            serde_json::json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": format!("user-{k}"),
                    "sequenceNumber": sequence_number,
                    "data": base64_simd::STANDARD.encode_to_string(record(k, size)),
                    "approximateArrivalTimestamp": 1_795_341_600.123 + k as f64 / 1_000.0,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": format!("shardId-000000000006:{sequence_number}"),
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
                "awsRegion": "eu-central-1",
                "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/lambda-stream",
            })
        })
        .collect();
    serde_json::json!({ "Records": records }).to_string().into_bytes()
}
