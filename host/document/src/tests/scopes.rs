//! Fields as permissions: what a step may not see does not exist for it.

use super::{document, json, path, pattern, text};
use crate::{Document, EditError, Scope, Value};
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
fn a_write_that_touches_a_hidden_value_is_denied_whatever_it_is() {
    let blind = Scope::new(Some(vec![pattern("level")]), None, false);
    for value in ["1", "null", "\"x\"", "{\"a\":1}", "[]"] {
        let mut d = document(&format!("{{\"secret\":{value}}}"));
        assert!(
            matches!(d.set(&path("secret"), &text("x").clone(), Some(&blind)), Err(EditError::Denied(_))),
            "{value}"
        );
    }
    let mut d = document(r#"{"secret":1}"#);
    d.set_text(&path("fresh"), "x", Some(&blind)).expect("touches nothing");
}

/// Two documents that agree in `open` and differ in everything else.
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
    (leaf(), (leaf(), leaf()), (leaf(), leaf()), 0..4usize).prop_map(|(open, hidden, nested, spelling)| {
        let build = |hidden: &str, nested: &str| match spelling {
            0 => format!(r#"{{"open":{open},"hidden":{hidden},"user":{{"tier":{open},"email":{nested}}}}}"#),
            1 => format!(r#"{{"open":{open},"hidden.x":{hidden},"user.tier":{open},"user.email":{nested}}}"#),
            2 => format!(
                r#"{{"open":{open},"h\u0069dden":{hidden},"user":[{{"tier":{open},"email":{nested}}},{nested}]}}"#
            ),
            _ => format!(r#"{{"open":{open},"user":{{"email.":{nested},"tier":{open}}},"hidden":[{hidden}]}}"#),
        };
        (build(&hidden.0, &nested.0), build(&hidden.1, &nested.1))
    })
}

proptest! {
    #[test]
    fn two_documents_that_differ_only_in_hidden_fields_answer_alike(pair in pair(), at in prop::sample::select(&["open", "open.k", "open[1].k", "hidden", "hidden.k", "hidden.x", "user", "user.tier", "user.email", "user[0].tier", "user[1]", "", "new"][..])) {
        let limited = scope(&["open", "user.tier", "new"], &["open", "hidden", "user.tier", "user.email", "new"]);
        let answers = |text: &str| {
            let mut document: Document = document(text);
            let mut view = document.visible(&limited);
            let mut reads = format!("{:?}", view.get(&path(at)));
            reads += &format!("{:?}", view.text(&path(at)));
            reads += &format!("{:?} {:?}", view.has(&path(at)), view.keys(&path(at)));
            reads += &format!("{:?} {:?}", view.length(&path(at)), view.expand(&pattern(at), 99));
            let everything = view.expand(&pattern("*"), 99).map(|paths| paths.join(" ")).unwrap_or_default();
            let set = document.set_text(&path(at), "w", Some(&limited));
            let replaced = document.replace_text(&pattern(at), "r", Some(&limited));
            let removed = document.remove(&pattern(at), Some(&limited));
            let renamed = document.rename(&path("open"), &path("new"), Some(&limited));
            format!("{reads} {everything} {} {set:?} {replaced:?} {removed:?} {renamed:?} {}", json(&view), json(&document.visible(&limited)))
        };
        prop_assert_eq!(answers(&pair.0), answers(&pair.1));
    }
}
