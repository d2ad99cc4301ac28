//! Numbered web events, of which it is known beforehand what must become.

use serde_json::{Value, json};

/// The domain's events have at most so many items in an order.
const ITEMS_MAX: u64 = 5;

/// How many documents the `k`-th record becomes: none when it is noise, one for each item of an order, else one.
pub fn documents(k: u64) -> u64 {
    match k % 10 {
        0 => 0,
        1 | 3 | 6 | 8 => items(k),
        _ => 1,
    }
}

/// The `k`-th record: its partition key and its bytes.
pub fn record(k: u64) -> (String, Vec<u8>) {
    let number = format!("{k:032x}");
    let user =
        json!({"id": k % 997, "email": "ann.lee@example.com", "tier": "gold", "country": "SE", "ip": "203.0.113.7"});
    let event = match documents(k) {
        0 => json!({"level": "DEBUG", "service": "web", "trace_id": number, "message": "cache miss"}),
        count if is_order(k) => {
            let items: Vec<Value> = (0..count).map(|at| json!({"sku": format!("TEA-{at}"), "qty": 1})).collect();
            json!({"level": "INFO", "service": "checkout", "trace_id": number, "user": user, "items": items})
        }
        _ => json!({"level": "INFO", "service": "web", "trace_id": number, "user": user, "message": "GET / took 3 ms"}),
    };
    (number, event.to_string().into_bytes())
}

/// The number of the record that a document, or a record itself, comes from.
pub fn number(event: &Value) -> Option<u64> {
    u64::from_str_radix(event["trace_id"].as_str()?, 16).ok()
}

fn is_order(k: u64) -> bool {
    matches!(k % 10, 1 | 3 | 6 | 8)
}

fn items(k: u64) -> u64 {
    (k / 10 + k) % ITEMS_MAX + 1
}
