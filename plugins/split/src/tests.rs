//! What a config makes of an event, and which configs are refused.

use paddlewheel::{Failure, read_config, testing::Fake};
use serde_json::{Value, json};

use crate::config::Split;

fn split(config: &Value, document: &Value) -> Result<Option<Vec<Value>>, Failure> {
    let split: Split = read_config(&config.to_string()).expect("the config is right");
    let event = Fake::new(document.clone());
    let Some(count) = split.count(&event)? else { return Ok(None) };
    let parts = split.split(&event, count)?;
    assert_eq!(event.document(), *document, "the event itself is left alone");
    Ok(Some(parts.iter().map(Fake::document).collect()))
}

#[track_caller]
fn check(config: Value, expected: Value) {
    let document = json!({
        "id": 7, "user": {"id": 1, "email": "a@b.co"}, "order": {"total": 3, "items": [{"sku": "a", "items": 2}, {"sku": "b"}]},
    });
    let parts = split(&config, &document).expect("it can be split");
    assert_eq!(json!(parts), expected);
}

#[test]
fn one_event_for_each_element() {
    let rest = json!({"id": 7, "user": {"id": 1, "email": "a@b.co"}, "order": {"total": 3}});
    let with = |item: Value| {
        let mut part = rest.clone();
        part["item"] = item;
        part
    };
    check(json!({"path": "order.items"}), json!([with(json!({"sku": "a", "items": 2})), with(json!({"sku": "b"}))]));
}

#[test]
fn only_chosen_fields_are_kept() {
    check(
        json!({"path": "order.items", "keep": ["id", "user.id", "absent"], "into": "line", "index_field": "n"}),
        json!([
            {"id": 7, "user": {"id": 1}, "line": {"sku": "a", "items": 2}, "n": 0},
            {"id": 7, "user": {"id": 1}, "line": {"sku": "b"}, "n": 1},
        ]),
    );
    check(
        json!({"path": "order.items", "keep": ["order"]}),
        json!([
            {"order": {"total": 3}, "item": {"sku": "a", "items": 2}},
            {"order": {"total": 3}, "item": {"sku": "b"}},
        ]),
    );
    check(
        json!({"path": "order.items", "keep": []}),
        json!([{"item": {"sku": "a", "items": 2}}, {"item": {"sku": "b"}}]),
    );
}

#[test]
fn elements_are_merged() {
    check(
        json!({"path": "order.items", "keep": ["id"], "merge": true}),
        json!([{"id": 7, "sku": "a", "items": 2}, {"id": 7, "sku": "b"}]),
    );
}

#[test]
fn an_element_may_take_the_arrays_place_or_its_parents() {
    check(
        json!({"path": "order.items", "keep": [], "into": "order.items"}),
        json!([{"order": {"items": {"sku": "a", "items": 2}}}, {"order": {"items": {"sku": "b"}}}]),
    );
    check(
        json!({"path": "order.items", "keep": ["order.total"], "into": "order"}),
        json!([{"order": {"sku": "a", "items": 2}}, {"order": {"sku": "b"}}]),
    );
}

#[test]
fn what_has_no_elements_is_missing() {
    for document in [json!({}), json!({"a": []}), json!({"a": {"b": 1}}), json!({"a": "text"}), json!({"a": null})] {
        assert!(split(&json!({"path": "a"}), &document).expect("nothing fails").is_none(), "{document}");
    }
}

#[test]
fn what_cannot_be_split_is_rejected() {
    let rejected = |config: Value, part: &str| {
        let Err(Failure::Reject(reason)) = split(&config, &json!({"a": [1, 2, 3], "s": "x"})) else {
            panic!("{config} must be rejected")
        };
        assert!(reason.contains(part), "{reason}");
    };
    rejected(json!({"path": "a", "max": 2}), "a has 3 elements, more than max = 2");
    rejected(json!({"path": "a", "merge": true}), "a[0] is not an object");
    rejected(json!({"path": "a", "into": "s.t"}), "s.t cannot be set");
}

#[test]
fn wrong_configs_are_refused() {
    let refused = |config: Value, part: &str| {
        let message = read_config::<Split>(&config.to_string()).expect_err("the config is wrong");
        assert!(message.contains(part), "{message}");
    };
    refused(json!({}), "missing field `path`");
    refused(json!({"path": "a", "in": "b"}), "unknown field `in`, expected one of `path`, `into`");
    refused(json!({"path": "a", "into": "b", "merge": true}), "exclude each other");
    refused(json!({"path": "a", "keep": "some"}), "expected \"all\" or a list of fields");
    refused(json!({"path": "a", "keep": ["b[0]"]}), "keep names b[0]");
    refused(json!({"path": "a", "max": 0}), "no array could be split");
    refused(json!({"path": "a[*]"}), "one field is wanted here");
    refused(json!({"path": "a", "on_missing": "ignore"}), "expected one of `keep`, `drop`, `reject`");
}
