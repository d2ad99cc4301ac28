//! Fields as permissions, through the real engine: every spelling of one secret, and what a plugin can learn of it.

use crate::support::{NOW_MS, WAYS, event, runner, runner_as, settle};
use pipeline::Outcome;

/// One secret, `user.email`, in every spelling there is.
const SPELLINGS: &[&str] = &[
    r#"{"user":{"email":"SECRET"}}"#,
    r#"{"user.email":"SECRET"}"#,
    r#"{"user.email.":"SECRET"}"#,
    r#"{"user.":{"email..":"SECRET"}}"#,
    r#"{"us\u0065r":{"em\u0061il":"SECRET"}}"#,
    r#"{"user\u002eemail":"SECRET"}"#,
    r#"{"user.email":"SECRET","user":{"email":"SECRET"}}"#,
    r#"{"user":{"email":"SECRET","email.":"SECRET"}}"#,
    r#"{"user":[{"email":"SECRET"},{"email":["SECRET"]}]}"#,
    r#"{"user":[[{"email.":"SECRET"}]]}"#,
    r#"{"user":{"email":{"address":"SECRET"}}}"#,
    r#"{"user.email.address":"SECRET"}"#,
    r#"{"user":{"email.address":"SECRET"}}"#,
];

#[test]
fn redact_leaves_the_secret_in_no_spelling() {
    for action in ["mask", "remove"] {
        let toml =
            format!("[[step]]\nplugin = \"redact\"\nconfig = {{ fields = [\"user.email\"], action = \"{action}\" }}");
        let mut runner = runner(&toml);
        for (k, text) in SPELLINGS.iter().enumerate() {
            let settled = settle(&mut runner, event(k, *text));
            assert!(settled.starts_with('{') && !settled.contains("SECRET"), "{action} of {text}: {settled}");
        }
    }
}

#[test]
fn each_spelling_is_hashed_once_with_its_own_value() {
    let key = "hash_key = \"0123456789abcdef\"";
    let mut runner = runner(&format!("[[step]]\nplugin = \"redact\"\nconfig = {{ fields = [\"user.email\"], {key} }}"));
    let mut hash = |value: &str| {
        let settled = settle(&mut runner, event(0, format!(r#"{{"user":{{"email":{value}}}}}"#)));
        let document: serde_json::Value = serde_json::from_str(&settled).unwrap_or_else(|_| panic!("{settled}"));
        document["user"]["email"].to_string()
    };
    let (a, b, one) = (hash("\"a\""), hash("\"b\""), hash("1.0"));
    assert!(a != b && hash("1") == one && a.len() == 66, "{a} {b} {one}");
    for (given, hashed) in [
        (
            r#"{"user.email":"a","user":{"email":"b"},"n":1.50}"#,
            format!(r#"{{"user.email":{a},"user":{{"email":{b}}},"n":1.50}}"#),
        ),
        (r#"{"user":{"email":"b"},"user.email":1}"#, format!(r#"{{"user":{{"email":{b}}},"user.email":{one}}}"#)),
        (r#"{"user":[{"email":"a"},{"email":1}]}"#, format!(r#"{{"user":[{{"email":{a}}},{{"email":{one}}}]}}"#)),
    ] {
        let settled = match runner.process(event(1, given), NOW_MS, None) {
            Outcome::Emit(documents) => String::from_utf8_lossy(&documents[0].bytes).into_owned(),
            other => panic!("{given}: {other:?}"),
        };
        let (document, _) = settled.split_once(",\"paddle_id\"").unwrap_or_else(|| panic!("{settled}"));
        assert_eq!(format!("{document}}}"), hashed, "{given}");
    }
}

#[test]
fn a_pattern_is_masked_in_the_spelling_that_has_it_alone() {
    for (more, given, masked) in [
        (
            "",
            r#"{"user.note":"to a@b.de","user":{"note":"plain"}}"#,
            r#"{"user.note":"to ***","user":{"note":"plain"}}"#,
        ),
        (
            "",
            r#"{"user.note":"x\n\"","user":{"note":"a@b.de\n\""},"n":1.50}"#,
            r#"{"user.note":"x\n\"","user":{"note":"***\n\""},"n":1.50}"#,
        ),
        (
            "in = [\"user\"]",
            r#"{"user.note":"a@b.de!","user":{"note":"c@d.ef"},"x":"a@b.de"}"#,
            r#"{"user.note":"***!","user":{"note":"***"},"x":"a@b.de"}"#,
        ),
    ] {
        let comma = if more.is_empty() { "" } else { ", " };
        let mut runner =
            runner(&format!("[[step]]\nplugin = \"redact\"\nconfig = {{ patterns = [\"email\"]{comma}{more} }}"));
        let expected: serde_json::Value = serde_json::from_str(masked).expect("JSON");
        assert_eq!(settle(&mut runner, event(0, given)), expected.to_string(), "{given}");
    }
}

/// What the guest noted in `seen`.
fn seen(runner: &mut pipeline::Runner, text: String) -> String {
    let settled = settle(runner, event(0, text));
    let document: serde_json::Value = serde_json::from_str(&settled).unwrap_or_else(|_| panic!("{settled}"));
    document["seen"].as_str().unwrap_or_else(|| panic!("nothing was noted: {settled}")).to_owned()
}

/// Other documents that differ from one without the field in `secret` alone.
const SECRETS: &[&str] = &[
    r#","secret":"S""#,
    r#","secret":null"#,
    r#","secret":{"a":[1,2]}"#,
    r#","secret.x":1"#,
    r#","secr\u0065t":"S""#,
    r#","secret.":["S"]"#,
];

#[test]
fn a_step_that_may_not_read_it_learns_nothing() {
    let step = "[[step]]\nplugin = \"misbehave\"\n";
    for way in WAYS {
        let scoped = format!("{step}reads = [\"mode\", \"count\"]\nwrites = [\"seen\", \"secret\"]\n");
        let (mut scoped, mut open) = (runner_as(way, &scoped), runner_as(way, step));
        let of =
            |runner: &mut pipeline::Runner, secret: &str| seen(runner, format!(r#"{{"mode":"denied-read"{secret}}}"#));
        let nothing = of(&mut scoped, "");
        for secret in SECRETS {
            assert_eq!(of(&mut scoped, secret), nothing, "{way:?}: {secret}");
            assert_ne!(of(&mut open, secret), nothing, "an open step sees nothing either: {secret}");
        }
    }
}

#[test]
fn the_partition_key_is_a_permission_of_its_own() {
    for (lists, key) in [
        ("", "key-0"),
        ("reads = [\"mode\", \"@partition-key\"]\nwrites = [\"seen\"]", "key-0"),
        ("reads = [\"mode\"]\nwrites = [\"seen\"]", ""),
        ("writes = [\"seen\"]", ""),
        ("may = [\"drop\", \"route\", \"fan-out\"]", ""),
    ] {
        for way in WAYS {
            let mut runner = runner_as(way, &format!("[[step]]\nplugin = \"misbehave\"\n{lists}\n"));
            assert_eq!(seen(&mut runner, r#"{"mode":"partition-key"}"#.to_owned()), key, "{lists}");
        }
    }
}

#[test]
fn only_json_reaches_a_restricted_step() {
    let not_json: &[&[u8]] = &[b"not json", b"{\"a\":1,\"a\":2}", b"\xff\x00", b"{\"a\":", b""];
    let step =
        |lists: &str| runner(&format!("[[step]]\nplugin = \"misbehave\"\nconfig = {{ mode = \"drop\" }}\n{lists}\n"));
    for lists in ["reads = [\"mode\"]\nmay = [\"drop\"]", "writes = [\"seen\"]\nmay = [\"drop\"]", "may = [\"drop\"]"] {
        let mut runner = step(lists);
        for bytes in not_json {
            let settled = settle(&mut runner, event(0, bytes.to_vec()));
            assert_eq!(settled, "failed: denied", "{lists}: {}", String::from_utf8_lossy(bytes));
        }
        for json in ["{}", "[{\"mode\":\"ok\"}]", "7", "\"text\"", "null"] {
            assert_eq!(settle(&mut runner, event(0, json)), "dropped by step Some(0)", "{lists}: {json}");
        }
    }
    let mut open = step("");
    for bytes in not_json {
        assert_eq!(settle(&mut open, event(0, bytes.to_vec())), "dropped by step Some(0)");
    }
}

#[test]
fn a_step_with_may_alone_reads_and_writes_everything() {
    let mut runner = runner("[[step]]\nplugin = \"misbehave\"\nmay = []\n");
    let settled = settle(&mut runner, event(0, r#"{"mode":"denied-write","secret":1}"#));
    assert_eq!(settled, r#"{"mode":"denied-write","secret":"overwritten"}"#);
    assert_eq!(settle(&mut runner, event(1, r#"{"mode":"drop"}"#)), "failed: denied");
}

#[test]
fn a_write_that_is_not_granted_is_denied() {
    let mut runner = runner("[[step]]\nplugin = \"misbehave\"\nreads = [\"mode\", \"count\"]\nwrites = [\"seen\"]\n");
    assert_eq!(settle(&mut runner, event(0, r#"{"mode":"denied-write","secret":1}"#)), "failed: denied");
    assert_eq!(settle(&mut runner, event(1, r#"{"mode":"denied-write"}"#)), "failed: denied");
    assert_eq!(settle(&mut runner, event(2, "not json")), "failed: denied");
}

#[test]
fn what_a_step_may_not_do_besides_is_denied() {
    let limited = |may: &str| format!("[[step]]\nplugin = \"misbehave\"\nreads = [\"mode\", \"count\"]\n{may}\n");
    for (mode, permission, allowed) in [
        ("drop", "drop", "dropped by step Some(0)"),
        ("route-unknown", "route", "failed: invalid-output"),
        (
            "too-many-outputs",
            "fan-out",
            r#"{"mode":"too-many-outputs","count":2} {"mode":"too-many-outputs","count":2}"#,
        ),
    ] {
        let text = format!(r#"{{"mode":"{mode}","count":2}}"#);
        for none in ["", "may = []"] {
            assert_eq!(settle(&mut runner(&limited(none)), event(0, text.clone())), "failed: denied", "{mode}");
        }
        let granted = limited(&format!("may = [\"{permission}\"]"));
        assert_eq!(settle(&mut runner(&granted), event(0, text)), allowed, "{mode}");
    }
}
