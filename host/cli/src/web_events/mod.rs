//! Made-up web events that look real: the same seed makes the same events. A few are broken in the ways that real ones
//! are.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

/// When the first event happened: 2026-03-02T09:00:00Z.
const BEGIN_MS: u64 = 1_772_442_000_000;

/// One event in so many is broken.
const BROKEN_EVERY: u64 = 200;

/// Deeper than the 512 levels that the host reads.
const TOO_DEEP: usize = 600;

const SERVICES: [&str; 5] = ["web", "checkout", "payment", "search", "newsletter"];
const PATHS: [&str; 6] = ["/products/42", "/products/7", "/search?q=tea", "/", "/account", "/health/live"];
const NAMES: [&str; 8] = ["ann.lee", "bo", "cy.young", "di", "eve.adams", "finn", "gus.berg", "hana"];
const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];
const TIERS: [&str; 3] = ["free", "silver", "gold"];
const COUNTRIES: [&str; 6] = ["SE", "DE", "US", "JP", "BR", "IN"];
const GOODS: [(&str, f64); 5] =
    [("TEA-200", 4.5), ("MUG-01", 12.0), ("POT-3L", 39.9), ("TIN-12", 7.25), ("SPOON", 2.0)];
/// Test numbers of card brands: their check digits are right, and nobody is charged.
const CARDS: [&str; 3] = ["4111 1111 1111 1111", "5555555555554444", "3782-822463-10005"];

/// A record: its partition key and its bytes.
pub(crate) type Made = (String, Vec<u8>);

/// This many events, each a record.
pub(crate) fn events(count: u64, seed: u64) -> impl Iterator<Item = Made> {
    let mut random = Random(seed);
    (0..count).map(move |at| event(at, &mut random))
}

/// One KPL aggregate of five events, and one CloudWatch Logs record of three.
pub(crate) fn packed(seed: u64) -> [Made; 2] {
    let mut random = Random(seed ^ 0x5eed);
    let parts: Vec<Made> = (0..5).map(|at| (at.to_string(), sound(at, &mut random).to_string().into_bytes())).collect();
    let aggregate = unpack::build::aggregate(parts.iter().map(|(key, data)| (key.as_str(), data.as_slice())));
    let messages = ["START RequestId: 7f9c", "signed in as ann.lee@example.com", "{\"level\":\"WARN\",\"retries\":3}"];
    let ids = ["37101", "37102", "37103"];
    let logged: Vec<unpack::build::LogEvent> = messages
        .iter()
        .zip(ids)
        .map(|(message, id)| unpack::build::LogEvent { id, timestamp: BEGIN_MS as i64, message })
        .collect();
    let logs = unpack::build::cloudwatch_logs("/aws/lambda/sign-in", "2026/03/02/[$LATEST]1", &logged);
    [("kpl".to_owned(), aggregate), ("cloudwatch".to_owned(), unpack::build::gzip(&logs))]
}

fn event(at: u64, random: &mut Random) -> Made {
    let event = sound(at, random);
    let key = event["trace_id"].as_str().unwrap_or_default().to_owned();
    let data = match at % BROKEN_EVERY {
        7 => broken(at / BROKEN_EVERY, event),
        _ => event.to_string().into_bytes(),
    };
    (key, data)
}

/// An event in which nothing is wrong.
fn sound(at: u64, random: &mut Random) -> Value {
    let service = random.of(&SERVICES);
    let level = match random.below(100) {
        0..10 => "DEBUG",
        10..90 => "INFO",
        90..97 => "WARN",
        _ => "ERROR",
    };
    let order = *service == "checkout" && random.below(2) == 0;
    let (name, domain, path) = (random.of(&NAMES), random.of(&DOMAINS), random.of(&PATHS));
    let status = match (order, random.below(100)) {
        (true, _) => 201,
        (false, 0..90) => 200,
        (false, 90..96) => 404,
        (false, _) => 500,
    };
    let (method, path) = if order { ("POST", "/orders") } else { ("GET", *path) };
    let latency_ms = 1 + random.below(40) * random.below(20);
    let message = match random.below(20) {
        0 => format!("mail to {name}@{domain} bounced"),
        1 => format!("card {} declined", random.of(&CARDS)),
        2 => format!("unsubscribed: /leave?mail={name}%40{domain}"),
        _ => format!("{method} {path} took {latency_ms} ms"),
    };
    let mut event = Map::new();
    let mut put = |key: &str, value: Value| event.insert(key.to_owned(), value);
    put("timestamp", json!(lambda::date(BEGIN_MS + at * 37)));
    put("level", json!(level));
    put("service", json!(service));
    put("host", json!(format!("{service}-{}", 1 + random.below(4))));
    put("trace_id", json!(format!("{:016x}{:016x}", random.next(), random.next())));
    put(
        "user",
        json!({
            "id": 80_000 + random.below(10_000),
            "email": format!("{name}@{domain}"),
            "tier": random.of(&TIERS),
            "country": random.of(&COUNTRIES),
            // Addresses that are set aside for documentation.
            "ip": format!("203.0.113.{}", 1 + random.below(254)),
        }),
    );
    if *service == "newsletter" {
        put("email", json!(format!("{name}@{domain}")));
    }
    put("http", json!({"method": method, "path": path, "status": status, "latency_ms": latency_ms}));
    put("message", json!(message));
    if order {
        put("items", json!((0..1 + random.below(3)).map(|_| item(random)).collect::<Vec<_>>()));
    }
    put("tags", json!([service, if random.below(2) == 0 { "eu-north" } else { "us-east" }]));
    Value::Object(event)
}

fn item(random: &mut Random) -> Value {
    let (sku, price) = random.of(&GOODS);
    json!({"sku": sku, "qty": 1 + random.below(3), "price": price})
}

/// What real streams hold now and then.
fn broken(kind: u64, event: Value) -> Vec<u8> {
    let text = event.to_string();
    match kind % 5 {
        0 => format!("{} ERROR upstream timed out", event["timestamp"]).into_bytes(),
        1 => format!("{}1{}", "{\"a\":".repeat(TOO_DEEP), "}".repeat(TOO_DEEP)).into_bytes(),
        2 => format!("{{\"level\":\"INFO\",\"level\":\"WARN\",{}", &text[1..]).into_bytes(),
        3 => serde_json::to_vec_pretty(&event).unwrap_or_default(),
        _ => json!({"timestamp": "soon", "level": 3, "user": [event["user"]], "http": "GET", "items": {"sku": 1}})
            .to_string()
            .into_bytes(),
    }
}

/// SplitMix64: small, and good enough to spread things.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}
