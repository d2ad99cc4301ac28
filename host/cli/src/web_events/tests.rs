//! The same seed makes the same events, and they are as promised.

use super::{events, packed};
use serde_json::Value;

#[test]
fn a_seed_decides_everything() {
    let make = |seed| events(300, seed).collect::<Vec<_>>();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert_eq!(packed(1), packed(1));
}

#[test]
fn events_look_like_a_shop() {
    let made: Vec<_> = events(2_000, 42).collect();
    let sound: Vec<Value> = made.iter().filter_map(|(_, data)| serde_json::from_slice(data).ok()).collect();
    let share = |holds: &dyn Fn(&Value) -> bool| sound.iter().filter(|event| holds(event)).count() as f64 / 2_000.0;
    let debug = share(&|event| event["level"] == "DEBUG");
    assert!((0.07..0.13).contains(&debug), "{debug}");
    let orders = share(&|event| event["items"].is_array());
    assert!((0.05..0.15).contains(&orders), "{orders}");
    let mail = share(&|event| event["message"].as_str().is_some_and(|message| message.contains("example.")));
    assert!(mail > 0.02, "{mail}");
    for field in ["timestamp", "level", "service", "host", "trace_id", "user", "http", "message", "tags"] {
        assert!(share(&|event| event.get(field).is_some()) > 0.98, "{field}");
    }
}

#[test]
fn a_few_are_broken_in_five_ways() {
    let made: Vec<_> = events(1_000, 7).collect();
    let broken: Vec<&[u8]> = made.iter().skip(7).step_by(200).map(|(_, data)| data.as_slice()).collect();
    assert_eq!(broken.len(), 5);
    assert!(serde_json::from_slice::<Value>(broken[0]).is_err());
    assert!(broken[1].starts_with(b"{\"a\":{\"a\":{\"a\":"));
    assert!(broken[2].starts_with(b"{\"level\":\"INFO\",\"level\":"));
    assert!(broken[3].contains(&b'\n'));
    assert!(serde_json::from_slice::<Value>(broken[4]).is_ok_and(|event| event["http"] == "GET"));
}

#[test]
fn packed_records_can_be_unpacked() {
    let settings = unpack::Settings::default();
    let counts = packed(3).map(|(_, data)| match unpack::unpack(&data.into(), &settings).0 {
        Ok(unpack::Unpacked::Parts(parts)) => parts.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(counts, [5, 3]);
}
