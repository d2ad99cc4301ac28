//! What a config keeps, and which configs are refused.

use paddlewheel::{Plugin, read_config, testing::Fake};
use serde_json::json;

use crate::Filter;

fn filter(config: &serde_json::Value) -> Result<Filter, String> {
    let filter: Filter = read_config(&config.to_string())?;
    filter.check().map(|()| filter)
}

/// Whether an event is dropped by one condition.
#[track_caller]
fn check(condition: serde_json::Value, drops: bool) {
    let event = Fake::new(json!({
        "level": "DEBUG", "status": 503, "ratio": 1.0, "ok": false, "nothing": null, "big": 12_345_678_901_234_567_890_u64,
        "user": {"tier": "gold"}, "items": [{"sku": "a-1"}, {"sku": "b-2"}],
    }));
    let filter = filter(&json!({ "drop_if": [condition] })).expect("the config is right");
    assert_eq!(!filter.keeps(&event), drops);
}

#[test]
fn tests_of_text() {
    check(json!({"field": "level", "equals": "DEBUG"}), true);
    check(json!({"field": "level", "equals": "INFO"}), false);
    check(json!({"field": "level", "not_equals": "INFO"}), true);
    check(json!({"field": "level", "in": ["TRACE", "DEBUG"]}), true);
    check(json!({"field": "user.tier", "prefix": "go"}), true);
    check(json!({"field": "user.tier", "suffix": "ld"}), true);
    check(json!({"field": "user.tier", "contains": "x"}), false);
    check(json!({"field": "status", "prefix": "5"}), false);
}

#[test]
fn tests_of_other_values() {
    check(json!({"field": "status", "equals": 503}), true);
    check(json!({"field": "status", "equals": 503.0}), true);
    check(json!({"field": "status", "equals": "503"}), false);
    check(json!({"field": "ratio", "in": [0, 1]}), true);
    check(json!({"field": "ok", "equals": false}), true);
    check(json!({"field": "nothing", "equals": null}), true);
    check(json!({"field": "absent", "equals": null}), false);
    check(json!({"field": "status", "greater_than": 499}), true);
    check(json!({"field": "status", "less_than": 499.5}), false);
    check(json!({"field": "big", "greater_than": 1e18}), true);
    check(json!({"field": "level", "greater_than": 0}), false);
}

#[test]
fn presence() {
    check(json!({"field": "nothing", "exists": true}), true);
    check(json!({"field": "absent", "exists": false}), true);
    check(json!({"field": "absent", "not_equals": 1}), true);
}

#[test]
fn stars_match_any_field() {
    check(json!({"field": "items[*].sku", "equals": "b-2"}), true);
    check(json!({"field": "items[*].sku", "equals": "c-3"}), false);
    check(json!({"field": "items[*].sku", "not_equals": "b-2"}), false);
    check(json!({"field": "items[*].sku", "exists": true}), true);
    check(json!({"field": "user.*", "in": ["gold"]}), true);
    check(json!({"field": "items[*].price", "exists": false}), true);
}

#[test]
fn any_and_all() {
    let debug = json!({"field": "level", "equals": "DEBUG"});
    let healthy = json!({"field": "status", "less_than": 500});
    check(json!({"all": [debug, healthy]}), false);
    check(json!({"any": [debug, healthy]}), true);
}

#[test]
fn keep_if_drops_the_rest() {
    let filter = filter(&json!({"keep_if": [{"field": "level", "in": ["WARN", "ERROR"]}]})).expect("it is right");
    assert!(filter.keeps(&Fake::new(json!({"level": "WARN"}))));
    assert!(!filter.keeps(&Fake::new(json!({"level": "INFO"}))));
    assert!(!filter.keeps(&Fake::not_json()));
}

#[test]
fn wrong_configs_are_refused() {
    let refused = |config: serde_json::Value, part: &str| {
        let message = filter(&config).expect_err("the config is wrong");
        assert!(message.contains(part), "{message}");
    };
    refused(json!({}), "it needs drop_if or keep_if");
    refused(json!({"keep_if": []}), "every event would be dropped");
    refused(json!({"dropif": []}), "unknown field `dropif`, expected `drop_if` or `keep_if`");
    refused(json!({"drop_if": [{"field": "a"}]}), "drop_if[0]: a condition is a field with one of");
    refused(json!({"drop_if": [{"field": "a", "equals": 1, "prefix": "x"}]}), "with one of");
    refused(json!({"drop_if": [{"field": "a..b", "equals": 1}]}), "has an empty name");
    refused(json!({"drop_if": [{"field": "a", "equls": 1}]}), "unknown field `equls`");
    refused(json!({"drop_if": [{"field": "a", "equals": []}]}), "compared with a string");
    let mut deep = json!({"field": "a", "exists": true});
    for _ in 0..9 {
        deep = json!({ "all": [deep] });
    }
    refused(json!({ "drop_if": [deep] }), "nested deeper than 8");
}
