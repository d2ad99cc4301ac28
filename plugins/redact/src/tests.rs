//! What a config hides, and which configs are refused.

use paddlewheel::{Failure, read_config, testing::Fake};
use serde_json::{Value, json};

use crate::config::Redact;

fn hidden(config: Value, document: Value) -> Value {
    let redact: Redact = read_config(&config.to_string()).expect("the config is right");
    let event = Fake::new(document);
    redact.hide(&event).expect("the event can be redacted");
    event.document()
}

#[test]
fn fields_are_masked_whatever_they_hold() {
    let masked = hidden(
        json!({"fields": ["user.email", "items[*].card", "n", "o", "b", "z", "absent"]}),
        json!({"user": {"email": "a@b.co"}, "items": [{"card": 1}, {"sku": "x"}], "n": 1, "o": {"p": 1}, "b": true, "z": null}),
    );
    let expected = json!({"user": {"email": "***"}, "items": [{"card": "***"}, {"sku": "x"}], "n": "***", "o": "***", "b": "***", "z": null});
    assert_eq!(masked, expected);
}

#[test]
fn a_field_in_an_array_is_masked_without_a_star() {
    let masked = hidden(json!({"fields": ["user.email"]}), json!({"user": [{"email": "a"}, {"email": "b"}]}));
    assert_eq!(masked, json!({"user": [{"email": "***"}, {"email": "***"}]}));
}

#[test]
fn fields_are_removed() {
    let removed =
        hidden(json!({"fields": ["a", "l[*].x"], "action": "remove"}), json!({"a": 1, "l": [{"x": 1, "y": 2}]}));
    assert_eq!(removed, json!({"l": [{"y": 2}]}));
}

#[test]
fn fields_are_hashed_with_the_key() {
    let config = json!({"fields": ["email"], "hash_key": "0123456789abcdef"});
    let hashed = hidden(config, json!({"email": "joe@example.com"}));
    // printf joe@example.com | openssl dgst -sha256 -hmac 0123456789abcdef
    assert_eq!(hashed, json!({"email": EXPECTED_HASH}));
}

const EXPECTED_HASH: &str = "6f7ab77d330429616882b73f647b32f9115c110b55824b3addfcd73c6ffd0206";

fn hash_of(value: Value) -> Value {
    hidden(json!({"fields": ["v"], "hash_key": "0123456789abcdef"}), json!({ "v": value }))["v"].clone()
}

#[test]
fn a_value_is_hashed_once_whatever_leads_to_it() {
    let config = json!({"fields": ["email", "*", "email", "l[*].x", "l"], "hash_key": "0123456789abcdef"});
    let hashed = hidden(config, json!({"email": "joe@example.com", "l": [{"x": 1}], "z": null}));
    assert_eq!(hashed, json!({"email": EXPECTED_HASH, "l": hash_of(json!([{"x": 1}])), "z": null}));
}

#[test]
fn equal_numbers_have_equal_hashes_however_they_are_spelled() {
    let one = hash_of(json!(1));
    assert_eq!(hash_of(json!(1.0)), one);
    assert_eq!(hash_of(json!("1")), one);
    assert_ne!(hash_of(json!(1.5)), one);
    assert_eq!(hash_of(json!(1e20)), hash_of(json!("100000000000000000000")));
}

#[test]
fn patterns_are_masked_anywhere() {
    let masked = hidden(
        json!({"patterns": ["email", "card"]}),
        json!({"message": "joe@example.com paid with 4111 1111 1111 1111", "a.b": [{"c": "x@example.com"}], "n": 4_111_111_111_111_111_i64}),
    );
    let expected = json!({"message": "*** paid with ***", "a.b": [{"c": "***"}], "n": 4_111_111_111_111_111_i64});
    assert_eq!(masked, expected);
}

#[test]
fn patterns_are_masked_in_chosen_fields_alone() {
    let document = json!({"a": "x@example.com", "b": "y@example.com", "c": {"d": ["z@example.com"]}});
    let masked = hidden(json!({"patterns": ["email"], "in": ["b", "c"]}), document);
    assert_eq!(masked, json!({"a": "x@example.com", "b": "***", "c": {"d": ["***"]}}));
}

#[test]
fn a_hash_is_not_taken_for_a_pattern() {
    let config = json!({"fields": ["email"], "hash_key": "0123456789abcdef", "patterns": ["email", "card", "iban"]});
    let hashed = hidden(config, json!({"email": "joe@example.com"}));
    assert_eq!(hashed, json!({"email": EXPECTED_HASH}));
}

#[test]
fn what_is_not_json_is_rejected() {
    for config in
        [json!({"fields": ["a"]}), json!({"patterns": ["card"]}), json!({"fields": ["a"], "action": "remove"})]
    {
        let redact: Redact = read_config(&config.to_string()).expect("the config is right");
        let Err(Failure::Reject(reason)) = redact.hide(&Fake::not_json()) else { panic!("it must be rejected") };
        assert_eq!(reason, "not JSON: cannot be redacted");
    }
}

#[test]
fn a_mask_that_makes_new_matches_hides_these_too() {
    let document = json!({"m": "4111111111111111@example.com 4111111111111111"});
    let masked = hidden(json!({"patterns": ["card", "email"], "mask": "gone"}), document);
    assert_eq!(masked, json!({"m": "gone gone"}));
}

#[test]
fn wrong_configs_are_refused() {
    let refused = |config: Value, part: &str| {
        let message = read_config::<Redact>(&config.to_string()).expect_err("the config is wrong");
        assert!(message.contains(part), "{message}");
    };
    refused(json!({}), "it needs fields");
    refused(json!({"field": ["a"]}), "unknown field `field`, expected one of `fields`, `action`");
    refused(json!({"fields": ["a["]}), "fields[0]: the path `a[` lacks a closing bracket");
    refused(json!({"fields": ["a"], "action": "hide"}), "unknown variant `hide`");
    refused(json!({"fields": ["a"], "action": "hash"}), "needs hash_key");
    refused(json!({"fields": ["a"], "hash_key": "short"}), "hash_key has 5 bytes; it needs 16 or more");
    refused(json!({"fields": ["a"], "action": "mask", "hash_key": "0123456789abcdef"}), "hash_key is for");
    refused(json!({"patterns": ["ssn"]}), "expected one of `email`, `card`, `iban`");
    refused(json!({"fields": ["a"], "in": ["b"]}), "there are no patterns");
    refused(json!({"patterns": ["email"], "mask": "a@example.com"}), "mask is itself");
}
