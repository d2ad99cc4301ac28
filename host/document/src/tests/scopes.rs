//! Fields as permissions: what a step may not see does not exist for it.

use super::{document, json, path, pattern, text};
use crate::{EditError, Scope, Value};
use proptest::prelude::*;

fn scope(reads: &[&str], writes: &[&str]) -> Scope {
    let list = |patterns: &[&str]| Some(patterns.iter().map(|p| pattern(p)).collect());
    Scope::new(list(reads), list(writes), false)
}

fn seen(text: &str, reads: &[&str]) -> String {
    json(&document(text).visible(&scope(reads, &[])))
}

#[test]
fn hidden_fields_do_not_exist() {
    let doc = r#"{"level":"INFO","user":{"email":"S","tier":"gold"},"user.ssn":"S","items":[{"sku":1,"p":"S"},"S",{"p":"S"}],"x":"S"}"#;
    assert_eq!(seen(doc, &["level"]), r#"{"level":"INFO"}"#);
    assert_eq!(seen(doc, &["user.tier"]), r#"{"user":{"tier":"gold"}}"#);
    assert_eq!(seen(doc, &["items[*].sku"]), r#"{"items":[{"sku":1},null,null]}"#);
    assert_eq!(seen(doc, &["*.tier", "nothing.*"]), r#"{"user":{"tier":"gold"}}"#);
    assert_eq!(seen(doc, &["user.missing"]), "{}");
    assert_eq!(seen(doc, &[]), "{}");
}

#[test]
fn every_spelling_of_a_hidden_field_is_hidden() {
    for doc in [
        r#"{"user":{"email":"S"}}"#,
        r#"{"user.email":"S"}"#,
        r#"{"user.email.":"S"}"#,
        r#"{"user":{"em\u0061il":"S"}}"#,
        r#"{"user":[{"email":"S"}]}"#,
        r#"{"user":[[{"email.":"S"}]]}"#,
        r#"{"user.email":{"x":"S"}}"#,
        r#"{"user.email.x":"S"}"#,
        r#"{"user":"S"}"#,
        r#"{"user":["S"]}"#,
    ] {
        let shown = seen(doc, &["level", "user.tier"]);
        assert!(!shown.contains('S'), "{doc} shows {shown}");
    }
}

#[test]
fn writes_outside_are_denied() {
    let limited = scope(&["level", "user.*"], &["user.segment"]);
    let mut d = document(r#"{"level":"INFO","user":{"tier":"gold"},"secret":1}"#);
    d.set_text(&path("user.segment"), "a", Some(&limited)).expect("allowed");
    for at in ["level", "user", "user.tier", "secret", "secret.x", "new", ""] {
        assert!(matches!(d.set(&path(at), &Value::Null, Some(&limited)), Err(EditError::Denied(_))), "{at}");
    }
    assert!(d.remove(&pattern("user.*"), Some(&limited)).is_err());
    assert_eq!(d.remove(&pattern("secret"), Some(&limited)), Ok(0));
    assert!(matches!(d.replace_text(&pattern("user.*"), "x", Some(&limited)), Err(EditError::Denied(_))));
    assert_eq!(d.replace_text(&pattern("secret"), "x", Some(&limited)), Ok(0));
    assert_eq!(d.replace_text(&pattern("user.segment"), "b", Some(&limited)), Ok(1));
    assert_eq!(d.remove(&pattern("user.segment"), Some(&limited)), Ok(1));
    assert!(d.rename(&path("level"), &path("user.segment"), Some(&limited)).is_err());
    assert_eq!(d.rename(&path("secret"), &path("user.segment"), Some(&limited)), Ok(false));
    assert_eq!(json(&d), r#"{"level":"INFO","user":{"tier":"gold"},"secret":1}"#);
}

#[test]
fn a_write_out_of_sight_is_denied_whatever_is_there() {
    let blind = Scope::new(Some(vec![pattern("level")]), None, false);
    for doc in ["{}", r#"{"secret":1}"#, r#"{"secret":null}"#, r#"{"secret":{"a":1}}"#, r#"{"secret":[]}"#] {
        let mut d = document(doc);
        for at in ["secret", "secret.a", "fresh"] {
            let result = d.set(&path(at), &text("x"), Some(&blind));
            assert!(matches!(result, Err(EditError::Denied(_))), "{at} of {doc}: {result:?}");
        }
    }
}

#[test]
fn a_field_that_writes_names_may_be_written_unseen() {
    let writer = scope(&["level"], &["score", "user.email", "far.off"]);
    for (doc, expected) in [
        (r#"{"level":"INFO"}"#, r#"{"level":"INFO","score":"x"}"#),
        (r#"{"score":1,"level":"INFO"}"#, r#"{"score":"x","level":"INFO"}"#),
        (r#"{"score":{"a":[1]},"level":"INFO"}"#, r#"{"score":"x","level":"INFO"}"#),
    ] {
        let mut d = document(doc);
        assert_eq!(d.set(&path("score"), &text("x"), Some(&writer)), Ok(()), "{doc}");
        assert_eq!(json(&d), expected);
        // Where even the object around it is out of sight, whether it is one would show.
        assert!(d.set(&path("user.email"), &text("x"), Some(&writer)).is_err(), "{doc}");
        assert!(d.set(&path("far.off"), &text("x"), Some(&writer)).is_err(), "{doc}");
        assert_eq!(d.remove(&pattern("score"), Some(&writer)), Ok(0), "what it does not see it cannot count");
    }
}

#[test]
fn of_a_value_that_is_written_the_part_is_seen_that_may_be_read() {
    let reads =
        Scope::new(Some(vec![pattern("user.name"), pattern("n")]), Some(vec![pattern("user"), pattern("n")]), false);
    let mut d = document(r#"{"user":{"name":"ann","ssn":"S"},"n":1}"#);
    let seen = |d: &mut super::Doc| {
        let (restricted, _) = d.restricted(&reads).expect("not everything is seen");
        json(&super::Doc::new(restricted.view.clone()))
    };
    d.set(&path("user"), &Value::Json(r#"{"name":"bob","ssn":"T"}"#.into()), Some(&reads)).expect("allowed");
    assert_eq!(json(&d), r#"{"user":{"name":"bob","ssn":"T"},"n":1}"#);
    assert_eq!(seen(&mut d), r#"{"user":{"name":"bob"},"n":1}"#);
    d.set(&path("user"), &Value::Json(r#"{"ssn":"T"}"#.into()), Some(&reads)).expect("allowed");
    assert_eq!(seen(&mut d), r#"{"n":1}"#);
    assert_eq!(d.rename(&path("n"), &path("user"), Some(&reads)), Ok(true));
    assert_eq!((json(&d), seen(&mut d)), (r#"{"user":1}"#.to_owned(), "{}".to_owned()));
}

#[test]
fn white_space_does_not_tell_what_is_hidden() {
    let reads = ["a", "o.b", "l[*].c"];
    let open = r#"{ "a":1,  "o": { "b": 2 }, "l": [ {"c": 3}, null ] }"#;
    let more = r#"{ "a":1, "h" : 9,  "o": { "x":{}, "b": 2 , "y":0}, "l": [ {"h":1,"c": 3}, {"h":[1]} ],"z":0 }"#;
    assert_eq!(seen(open, &reads), seen(more, &reads));
    assert_eq!(seen(open, &reads), r#"{"a":1,"o":{"b": 2},"l":[{"c": 3},null]}"#);
}

/// Two documents that agree in what is open, and differ in everything else: in values, in what is there, in white
/// space.
fn pair() -> impl Strategy<Value = (String, String)> {
    let leaf = || {
        prop_oneof![
            Just("1".to_owned()),
            Just("\"s\"".to_owned()),
            Just("null".to_owned()),
            Just("{\"k\":\"v\"}".to_owned()),
            Just("[1,{\"k\":2}]".to_owned())
        ]
    };
    let hidden = || prop::option::of((leaf(), prop::sample::select(&["", " ", "\t"][..])));
    let sides = (hidden(), hidden());
    (leaf(), sides.clone(), sides, leaf(), 0..4usize).prop_map(|(open, hidden, nested, element, spelling)| {
        let member = |key: &str, value: &Option<(String, &str)>| match value {
            Some((value, space)) => format!("{space},{space}\"{key}\":{space}{value}"),
            None => String::new(),
        };
        let build = |hidden: &Option<(String, &str)>, nested: &Option<(String, &str)>| {
            let second = nested.as_ref().map_or(element.as_str(), |(value, _)| value);
            match spelling {
                0 => format!(
                    r#"{{"open":{open}{},"user":{{"tier":{open}{}}}}}"#,
                    member("hidden", hidden),
                    member("email", nested)
                ),
                1 => format!(
                    r#"{{"open":{open}{},"user.tier":{open}{}}}"#,
                    member("hidden.x", hidden),
                    member("user.email", nested)
                ),
                2 => format!(
                    r#"{{"open":{open}{},"user":[{{"tier":{open}{}}},{second}]}}"#,
                    member("h\\u0069dden", hidden),
                    member("email", nested)
                ),
                _ => format!(
                    r#"{{"open":{open},"user":{{"tier":{open}{}}}{}}}"#,
                    member("email.", nested),
                    member("hidden", hidden)
                ),
            }
        };
        (build(&hidden.0, &nested.0), build(&hidden.1, &nested.1))
    })
}

proptest! {
    #[test]
    fn two_documents_that_differ_only_in_hidden_fields_answer_alike(pair in pair(), at in prop::sample::select(&["open", "open.k", "open[1].k", "hidden", "hidden.k", "hidden.x", "user", "user.tier", "user.email", "user[0].tier", "user[1]", "", "new"][..])) {
        let limited = scope(&["open", "user.tier", "new"], &["open", "hidden", "user.tier", "user.email", "new"]);
        let answers = |text: &str| {
            let mut document = document(text);
            let mut view = document.visible(&limited);
            let mut reads = format!("{:?}", view.get(&path(at)));
            reads += &format!("{:?}", view.text(&path(at)));
            reads += &format!("{:?} {:?}", view.has(&path(at)), view.keys(&path(at)));
            reads += &format!("{:?} {:?}", view.length(&path(at)), view.expand(&pattern(at)));
            let everything = view.expand(&pattern("*")).map(|paths| paths.join(" ")).unwrap_or_default();
            let set = document.set_text(&path(at), "w", Some(&limited));
            let replaced = document.replace_text(&pattern(at), "r", Some(&limited));
            let removed = document.remove(&pattern(at), Some(&limited));
            let renamed = document.rename(&path("open"), &path("new"), Some(&limited));
            format!("{reads} {everything} {} {set:?} {replaced:?} {removed:?} {renamed:?} {}", json(&view), json(&document.visible(&limited)))
        };
        prop_assert_eq!(answers(&pair.0), answers(&pair.1));
    }
}
