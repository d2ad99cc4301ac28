//! What is JSON and what is not: the categories of JSONTestSuite, and the nasty ones.

use super::{document, json};
use crate::{DEPTH_MAX, Document};
use proptest::prelude::*;

fn refused(text: &[u8]) {
    assert!(Document::parse(text.to_vec().into()).is_err(), "{} was taken", String::from_utf8_lossy(text));
}

#[test]
fn what_the_standard_allows_is_taken_and_kept() {
    for text in [
        r#"{}"#,
        r#"[]"#,
        r#"null"#,
        r#"true"#,
        r#"false"#,
        r#"0"#,
        r#"-0"#,
        r#"-0.0"#,
        r#"1E5"#,
        r#"1e+5"#,
        r#"1e-5"#,
        r#"123456789012345678901234567890"#,
        r#"0.1000"#,
        r#"1.0"#,
        r#""""#,
        r#""\u0000""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\\\"\/\b\f\n\r\t""#,
        r#"[[[[1]]]]"#,
        r#"{"":0}"#,
        r#"{"a":{"":{"":1}}}"#,
        r#"{"a":1,"A":2}"#,
        "\"\u{7f}\u{2028}\u{10ffff}\"",
        "[1,\r2]",
        "{\t\"a\" : [ ] }",
        r#"{"\u0061":1,"\u0062":2}"#,
    ] {
        assert_eq!(json(&document(text)), text);
    }
    assert_eq!(json(&document("  \n{\"a\": 1} \n")), "{\"a\": 1}");
    assert_eq!(json(&document("\u{feff}{\"a\":1}")), "{\"a\":1}");
}

#[test]
fn what_the_standard_forbids_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "01",
        "-",
        "+1",
        ".5",
        "5.",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "True",
        "nul",
        "tru",
        "\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{1}\"",
        "{}{}",
        "{} x",
        "1 2",
        "// c\n1",
        "1/* c */",
        "[1]]",
        "\u{a0}1",
        "\u{c}1",
        "{\"a\":1}\0",
        "\u{feff}\u{feff}1",
        "\"\\",
        "\"\\u",
        "[\"a",
    ] {
        refused(text.as_bytes());
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
        b"\xff\xfe1\0",
        b"\xef\xbb1",
    ] {
        refused(bytes);
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_at_every_level_after_unescaping() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"o":{"a":1,"b":2,"a":3}}"#,
        r#"[[{"x":0,"x":0}]]"#,
        r#"{"\ud800":1,"\ud800":2}"#,
        r#"{"\n":1,"\u000a":2}"#,
    ] {
        refused(text.as_bytes());
    }
    let different = document(r#"{"\ud800":1,"\ud801":2,"\ufffd":3}"#);
    assert_eq!(different.0.children(different.0.root).count(), 3);
}

#[test]
fn a_key_that_stands_twice_is_found_among_many() {
    for count in [23, 24, 25, 26, 100, 5_000] {
        let keys = |last: String| {
            format!("{{{}, \"{last}\":0}}", (0..count).map(|k| format!("\"k{k}\":0")).collect::<Vec<_>>().join(","))
        };
        document(&keys("new".into()));
        for twin in [0, count / 2, count - 1] {
            refused(keys(format!("k{twin}")).as_bytes());
            refused(keys(format!("\\u006b{twin}")).as_bytes());
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    document(&nested(DEPTH_MAX));
    refused(nested(DEPTH_MAX + 1).as_bytes());
    refused("[".repeat(100_000).as_bytes());
    refused("{\"a\":".repeat(100_000).as_bytes());
}

#[test]
fn an_error_says_where() {
    let error = Document::parse((&b"{\"a\": tru}"[..]).into()).expect_err("not JSON");
    assert_eq!(error.to_string(), "an unknown word stands for a value at byte 6");
    let error = Document::parse((&b"\xef\xbb\xbf{\"a\":1"[..]).into()).expect_err("not JSON");
    assert_eq!(error.to_string(), "the text ends too early at byte 9");
}

/// JSON text of any shape, with white space and escapes.
fn any_json() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-z]{0,6}".prop_map(|s| format!("\"{s}\"")),
        any::<String>().prop_map(|s| serde_json::to_string(&s).expect("a string")),
        prop::collection::vec(0u16.., 0..4)
            .prop_map(|units| format!("\"{}\"", units.iter().map(|u| format!("\\u{u:04x}")).collect::<String>())),
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?"
    ];
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), number, string];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let key = prop_oneof!["[a-c.]{0,3}", "\\\\u00(61|62|2e)"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec((key, inner), 0..8).prop_map(|members| format!(
                "{{{}}}",
                members.into_iter().map(|(k, v)| format!(" \"{k}\" : {v}")).collect::<Vec<_>>().join(",")
            )),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_about_what_is_json(text in any_json()) {
        // serde_json takes repeated keys and refuses lone surrogates in strings it reads; RawValue checks the grammar
        // alone.
        let grammar = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        match Document::parse(text.clone().into()) {
            Ok(document) => { prop_assert!(grammar); prop_assert_eq!(json(&super::Doc::new(document)), text.trim_matches([' ', '\n', '\t', '\r'])); }
            Err(error) => prop_assert!(!grammar || error.reason.contains("twice"), "{} {}", text, error),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let taken = Document::parse(bytes.clone().into()).is_ok();
        let known = serde_json::from_slice::<&serde_json::value::RawValue>(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes)).is_ok();
        prop_assert!(!taken || known);
    }

    #[test]
    fn a_mutated_document_is_read_or_refused_as_serde_json_does(text in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let known = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes).is_ok();
        match Document::parse(bytes.into()) {
            Ok(_) => prop_assert!(known),
            Err(error) => prop_assert!(!known || error.reason.contains("twice"), "{}", error),
        }
    }
}
