//! Fields as permissions, through the real engine: every spelling of one secret, and what a plugin can learn of it.

use crate::support::{event, runner, settle};

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
fn a_step_that_may_not_read_it_learns_nothing() {
    let toml = "[[step]]\nplugin = \"misbehave\"\nreads = [\"mode\", \"count\"]\nwrites = [\"seen\", \"secret\"]\n";
    let mut runner = runner(toml);
    let learnt = |runner: &mut pipeline::Runner, secret: &str| {
        settle(runner, event(0, format!(r#"{{"mode":"denied-read"{secret}}}"#))).replace(secret, "")
    };
    let nothing = learnt(&mut runner, "");
    for secret in
        [r#","secret":"S""#, r#","secret":null"#, r#","secret":{"a":[1,2]}"#, r#","secret.x":1"#, r#","secr\u0065t":1"#]
    {
        let seen = learnt(&mut runner, secret);
        assert!(!seen.contains('S') || seen == nothing, "{secret}: {seen}");
    }
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
    let limited =
        |may: &str| format!("[[step]]\nplugin = \"misbehave\"\nreads = [\"mode\", \"count\"]\nmay = [{may}]\n");
    for (mode, permission) in [("drop", "\"drop\""), ("too-many-outputs", "\"fan-out\"")] {
        let text = format!(r#"{{"mode":"{mode}","count":2}}"#);
        assert_eq!(settle(&mut runner(&limited("")), event(0, text.clone())), "failed: denied", "{mode}");
        assert_ne!(settle(&mut runner(&limited(permission)), event(0, text)), "failed: denied", "{mode}");
    }
}
