//! What is promised of secrets in texts, by tables and beside a naive definition.

use super::hidden::SEARCHED;
use super::spellings::{SPELLING_BYTES_MAX, SPELLINGS_BYTES_MAX, spellings};
use super::{DUMMY_SECRET, Hidden, MASK, TooLong, check, fill};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

fn hidden(secrets: &[&str]) -> Hidden {
    Hidden::new(secrets.iter().map(|&secret| secret.to_owned())).expect("they are short")
}

#[test]
fn secrets_are_filled_in_and_known() {
    let config = json!({"a": {"secret": "one"}, "b": [{"secret": "two"}], "c": {"secret": "x", "d": 1}});
    let filled = fill(&config, &|name| Ok(format!("{name}-value"))).expect("both are there");
    let expected = json!({"a": "one-value", "b": ["two-value"], "c": {"secret": "x", "d": 1}});
    assert_eq!(filled.json, expected.to_string());
    assert_eq!(filled.hidden.hide("one-value, two-value, x-value"), "***, ***, x-value");
    assert!(!format!("{filled:?} {:?}", filled.hidden).contains("value"));
}

#[test]
fn a_secret_that_cannot_be_hidden_is_refused() {
    let refused = fill(&json!({"a": {"secret": "key"}}), &|_| Ok("äöü".to_owned())).expect_err("too short");
    assert!(refused.to_string().starts_with("secret `key`: its value has fewer than 4 characters"), "{refused}");
    assert!(!refused.to_string().contains("äöü"));
    assert!(fill(&json!({"secret": "key"}), &|_| Ok(String::new())).is_err());
    assert!(fill(&json!({"secret": "key"}), &|_| Ok("äöüß".to_owned())).is_ok());
    assert_eq!(check(DUMMY_SECRET), Ok(()));

    let config = json!([{"secret": "short"}, {"secret": "long"}]);
    let text = |name: &str| Ok(if name == "long" { text_of(300_000) } else { "short".to_owned() });
    let refused = fill(&config, &text).expect_err("too long").to_string();
    assert!(refused.starts_with("secret `long`: the secrets of this step are too long to be hidden"), "{refused}");
    assert!(check(&text_of(300_000)).is_err());
}

#[test]
fn secrets_are_hidden_wherever_they_stand() {
    for (secrets, text, expected) in [
        (&["hush"][..], "hush, hushhush and hus", "***, ****** and hus"),
        (&["line one\nline two\r\n--"], "line two\n-- line one", "***\n-- ***"),
        (&["line one\nline two\r\n--"], "<line one\nline two\r\n-->", "<***>"),
        (&["  hush hush\n"], "<  hush hush\n> <hush hush> <hush hush\n>", "<***> <***> <***>"),
        (&["ab\ncd\nef"], "<ab\ncd\nef> ab cd", "<***> ab cd"),
        (&["abcd1234", "1234wxyz"], "-abcd1234wxyz-", "-***-"),
        (&["1234", "abcd", "34ab"], "-1234abcd-", "-***-"),
        (&["1234", "5678", "23456789"], "-12345678-123456789-", "-******-***-"),
        (&["abcd", "abcdefgh"], "abcdefgh abcde", "*** ***e"),
        (&["größe"], "die größe!", "die ***!"),
        (&[], "hush", "hush"),
    ] {
        assert_eq!(hidden(secrets).hide(text), expected, "{secrets:?}");
        let apart = secrets.iter().fold(Hidden::default(), |all, secret| all.and(&hidden(&[secret])));
        assert_eq!(apart.hide(text), expected, "{secrets:?}, put together");
    }
}

/// Each text was made by the library that is named, from the secret.
#[test]
fn secrets_are_hidden_as_libraries_write_them() {
    const SECRET: &str = "pä \"&<s>\\/+?:😀\u{2028}~\u{7f}*(x)\n";
    for (library, text) in [
        ("JSON.stringify, serde_json", "pä \\\"&<s>\\\\/+?:😀\u{2028}~\u{7f}*(x)\\n"),
        ("Go's encoding/json", "pä \\\"\\u0026\\u003cs\\u003e\\\\/+?:😀\\u2028~\u{7f}*(x)\\n"),
        ("Python's json.dumps", "p\\u00e4 \\\"&<s>\\\\/+?:\\ud83d\\ude00\\u2028~\\u007f*(x)\\n"),
        ("the same in upper case", "p\\u00E4 \\\"&<s>\\\\/+?:\\uD83D\\uDE00\\u2028~\\u007F*(x)\\n"),
        ("Jinja's tojson", "p\\u00e4 \\\"\\u0026\\u003cs\\u003e\\\\/+?:\\ud83d\\ude00\\u2028~\\u007f*(x)\\n"),
        ("encodeURIComponent", "p%C3%A4%20%22%26%3Cs%3E%5C%2F%2B%3F%3A%F0%9F%98%80%E2%80%A8~%7F*(x)%0A"),
        ("encodeURI", "p%C3%A4%20%22&%3Cs%3E%5C/+?:%F0%9F%98%80%E2%80%A8~%7F*(x)%0A"),
        ("URLSearchParams", "p%C3%A4+%22%26%3Cs%3E%5C%2F%2B%3F%3A%F0%9F%98%80%E2%80%A8%7E%7F*%28x%29%0A"),
        ("Python's quote", "p%C3%A4%20%22%26%3Cs%3E%5C/%2B%3F%3A%F0%9F%98%80%E2%80%A8~%7F%2A%28x%29%0A"),
        ("Python's quote_plus", "p%C3%A4+%22%26%3Cs%3E%5C%2F%2B%3F%3A%F0%9F%98%80%E2%80%A8~%7F%2A%28x%29%0A"),
        ("Go's PathEscape", "p%C3%A4%20%22&%3Cs%3E%5C%2F+%3F:%F0%9F%98%80%E2%80%A8~%7F%2A%28x%29%0A"),
        ("lower case", "p%c3%a4%20%22%26%3cs%3e%5c%2f%2b%3f%3a%f0%9f%98%80%e2%80%a8~%7f*(x)%0a"),
        ("base64", "cMOkICImPHM+XC8rPzrwn5iA4oCofn8qKHgpCg=="),
        ("base64 without padding", "cMOkICImPHM+XC8rPzrwn5iA4oCofn8qKHgpCg"),
        ("base64 for URLs", "cMOkICImPHM-XC8rPzrwn5iA4oCofn8qKHgpCg"),
        ("hex", "70c3a42022263c733e5c2f2b3f3af09f9880e280a87e7f2a2878290a"),
        ("hex in upper case", "70C3A42022263C733E5C2F2B3F3AF09F9880E280A87E7F2A2878290A"),
    ] {
        let hidden = hidden(&[SECRET]);
        assert_eq!(hidden.hide(&format!("<{text}>")), "<***>", "{library}");
        assert_eq!(hidden.hide_start(&format!("<{text}>"), 4), "<***", "{library}");
        let cut = text.floor_char_boundary(text.len() - 2);
        assert_eq!(hidden.hide_cut(&format!("<{}", &text[..cut])), "<***", "{library}");
    }
}

/// `Authorization: Basic` and its like: what stays is what neighbours have a share in.
#[test]
fn secrets_are_hidden_inside_base64() {
    for (before, behind, expected) in [
        ("", "", "***"),
        ("u:", "", "dTp***"),
        ("us:", "", "dXM6***"),
        ("use:", "", "dXNlOm***"),
        ("", ":user", "***Tp1c2Vy"),
        ("us:", ":us", "dXM6***Tp1cw=="),
    ] {
        let encoded = base64_simd::STANDARD.encode_to_string(format!("{before}correct horse{behind}"));
        assert_eq!(hidden(&["correct horse"]).hide(&encoded), expected, "{before:?} {behind:?} {encoded}");
    }
}

#[test]
fn strings_in_a_secret_that_is_json_are_hidden() {
    let secret = r#"{"username": "ädmin", "password": "a\"b\u00e9\\c", "port": 12345, "db": {"name": "shop", "on": true},
        "hosts": ["db-1.local"], "inner": "{\"token\":\"of-inside\"}", "lone": "x\ud800yz", "password": "again", "pin": "123"}"#;
    let hidden = hidden(&[secret]);
    for text in ["ädmin", "%C3%A4dmin", "\\u00e4dmin", "a\"bé\\c", "shop", "db-1.local", "of-inside", "again"] {
        assert_eq!(hidden.hide(text), MASK, "{text}");
    }
    assert_eq!(hidden.hide(&base64_simd::STANDARD.encode_to_string("shop!")), "***CE=", "base64");
    assert_eq!(hidden.hide("x\\ud800yz"), MASK, "what cannot be read is hidden as it is written");
    for text in ["username", "password", "12345", "true", "123", "name"] {
        assert_eq!(hidden.hide(text), text, "a name, a number, or too short");
    }
    assert_eq!(hidden.hide(secret), MASK, "the whole");
    assert_eq!(super::Hidden::new(["no \"json\" here".to_owned()]).expect("short").hide("json"), "json");
}

#[test]
fn a_long_secret_is_hidden_and_so_is_a_large_part_of_it() {
    let secret = text_of(1_000);
    let hidden = hidden(&[&secret]);
    assert_eq!(hidden.hide(&format!("<{secret}>")), "<***>");
    assert_eq!(hidden.hide(&secret[..500]), "***".to_owned() + &secret[64 + 7 * 56..500]);
    assert_eq!(hidden.hide_cut(&secret[..500]), MASK);
    for before in ["", "u:", "us:", "use:"] {
        let encoded = base64_simd::STANDARD.encode_to_string(format!("{before}{secret}"));
        let masked = hidden.hide(&encoded);
        assert!(masked.ends_with(MASK) && masked.matches(MASK).count() == 1 && masked.len() < 10, "{masked}");
    }
}

#[test]
fn of_a_text_that_was_cut_the_end_is_hidden_too() {
    let hidden = hidden(&["hush-hush"]);
    assert_eq!(hidden.hide_cut("it is hush-hu"), "it is ***");
    assert_eq!(hidden.hide_cut("hush-hush, it is h"), "***, it is ***");
    assert_eq!(hidden.hide_cut("hush-hush"), "***");
    assert_eq!(hidden.hide_cut("it is"), "it is");
    assert_eq!(hidden.hide("it is hush-hu"), "it is hush-hu");
}

#[test]
fn of_the_first_bytes_a_secret_at_the_edge_is_hidden() {
    let hidden = hidden(&["hush-hush"]);
    for (bytes_max, expected) in [
        (0, ""),
        (1, ""),
        (2, "ö"),
        (5, "ö is"),
        (6, "ö is "),
        (7, "ö is *"),
        (9, "ö is ***"),
        (15, "ö is ***"),
        (16, "ö is ***!"),
    ] {
        assert_eq!(hidden.hide_start("ö is hush-hush!", bytes_max), expected, "{bytes_max}");
    }
    assert_eq!(hidden.hide_start("hus", 3), "hus", "it was not cut");
}

#[test]
fn a_text_is_searched_once_and_only_where_it_is_shown() {
    let searched = |search: &dyn Fn()| {
        SEARCHED.set(0);
        search();
        SEARCHED.get()
    };
    let hidden = hidden(&[&text_of(40_000)]);
    let text = "hush ".repeat(200_000);
    assert_eq!(searched(&|| drop(hidden.hide(&text))), text.len());
    assert_eq!(searched(&|| drop(hidden.hide_start(&text, 4_096))), 4_096 + SPELLING_BYTES_MAX);
    assert_eq!(searched(&|| drop(hidden.hide_start("short", 4_096))), 5);
    assert_eq!(searched(&|| drop(Hidden::default().hide(&text))), 0, "nothing is hidden");
}

/// Text that is not the same anywhere, with characters that URLs and JSON escape.
fn text_of(bytes: usize) -> String {
    let mut text = String::new();
    let mut state = 1_u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize],
        ));
    }
    text
}

/// Secrets Manager stores 64 KiB: one text, a file of lines, or nearly half of that as an object.
#[test]
fn the_largest_secrets_are_hidden_in_bounded_memory() {
    let text = text_of(64 << 10);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    let lines = &lines[..64 << 10];
    let object = json!({"key": &text[..30 << 10], "more": 1}).to_string();
    for secret in [&text, lines, &object] {
        let all = spellings([secret]).expect("few enough");
        assert!(all.iter().map(String::len).sum::<usize>() <= SPELLINGS_BYTES_MAX);
        assert!(all.iter().all(|spelling| spelling.len() <= SPELLING_BYTES_MAX));
        let hidden = Hidden::new([secret.to_owned()]).expect("small enough");
        assert_eq!(hidden.hide(&format!("<{secret}>")), "<***>");
        let bytes: usize =
            hidden.0.iter().map(|secrets| aho_corasick::automaton::Automaton::memory_usage(&**secrets)).sum();
        assert!(bytes <= super::hidden::AUTOMATON_BYTES_MAX, "{bytes}");
    }
}

#[test]
fn secrets_made_to_be_costly_are_refused() {
    let too_long = |secret: String| assert_eq!(Hidden::new([secret]).err(), Some(TooLong));
    too_long(text_of(256 << 10));
    too_long(json!({"key": text_of(60 << 10)}).to_string());
    // A string of JSON in a string of JSON, and so on.
    too_long((0..12).fold(text_of(1_000), |inside, _| json!([inside, inside]).to_string()));
    // Each line is the end of many others, and the automaton lists for each line all that are its end.
    let runs = (4..60).map(|length| format!("{}\n", "a".repeat(length))).collect::<String>();
    let ends = (0..1_000).map(|number| format!("{number:03}{}\n", "a".repeat(60))).collect::<String>();
    let lines = runs + &ends;
    assert!(spellings([lines.as_str()]).is_some(), "its spellings alone are within their bound");
    too_long(lines);
}

/// What `hide_start` is defined as: one mask for all places of spellings that overlap.
fn naive(secrets: &[String], text: &str, bytes_max: usize) -> String {
    let all = spellings(secrets.iter().map(String::as_str)).expect("few");
    let mut is_hidden = vec![false; text.len()];
    // Between two bytes that one place of a spelling covers.
    let mut is_joined = vec![false; text.len() + 1];
    for spelling in &all {
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at..].starts_with(spelling.as_bytes())) {
            is_hidden[at..at + spelling.len()].fill(true);
            is_joined[at + 1..at + spelling.len()].fill(true);
        }
    }
    let end = text.floor_char_boundary(bytes_max);
    let mut bytes = Vec::new();
    for at in 0..end {
        match (is_hidden[at], is_joined[at]) {
            (false, _) => bytes.push(text.as_bytes()[at]),
            (true, false) => bytes.extend_from_slice(MASK.as_bytes()),
            (true, true) => {}
        }
    }
    let mut masked = String::from_utf8(bytes).expect("secrets are characters");
    masked.truncate(masked.floor_char_boundary(bytes_max));
    masked
}

/// All that is promised to be hidden of a secret without lines, spelled without the code under test.
fn promised(secret: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(secret).expect("a string");
    let json = &json[1..json.len() - 1];
    let escape = |text: &str, is_escaped: fn(char) -> bool| -> String {
        let one = |character: char| match is_escaped(character) {
            true => character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
            false => character.to_string(),
        };
        text.chars().map(one).collect()
    };
    let percent = |kept: &str, space: &str| -> String {
        let one = |byte: &u8| match char::from(*byte) {
            ' ' => space.to_owned(),
            character if character.is_ascii_alphanumeric() || kept.contains(character) => character.to_string(),
            _ => format!("%{byte:02X}"),
        };
        secret.as_bytes().iter().map(one).collect()
    };
    let base64 = base64_simd::STANDARD.encode_to_string(secret);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    BTreeSet::from([
        secret.to_owned(),
        json.to_owned(),
        escape(json, |character| !character.is_ascii()),
        escape(json, |character| "&<>\u{2028}\u{2029}".contains(character)),
        percent("-._~", "%20"),
        percent("-._~", "+"),
        percent("-._~/", "%20"),
        percent("-._~", "%20").to_lowercase().replace(&secret.to_lowercase(), secret),
        hex.to_uppercase(),
        hex,
        base64.trim_end_matches('=').replace('+', "-").replace('/', "_"),
        base64,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn hiding_is_what_its_definition_says(
        secrets in prop::collection::vec("[ab\"\\\\é&/ \n]{1,6}|(ab|é){30,50}|\\[\"[abé\\\\]{0,5}\"\\]", 1..4),
        text in "[ab\"\\\\é*%0-9YWJ=]{0,60}",
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        bytes_max in 0_usize..200,
    ) {
        let all: Vec<String> = spellings(secrets.iter().map(String::as_str)).expect("few").into_iter().collect();
        let chosen = places.iter().filter(|_| !all.is_empty()).map(|place| place.get(&all).as_str());
        let text = chosen.fold(text, |text, spelling| text + spelling);
        let hidden = Hidden::new(secrets.clone()).expect("few");
        prop_assert_eq!(hidden.hide(&text), naive(&secrets, &text, usize::MAX));
        prop_assert_eq!(hidden.hide_start(&text, bytes_max), naive(&secrets, &text, bytes_max));
        let apart = secrets.iter().map(|secret| Hidden::new([secret.clone()]).expect("few"));
        let apart = apart.fold(Hidden::default(), |all, secret| all.and(&secret));
        prop_assert_eq!(apart.hide_start(&text, bytes_max), naive(&secrets, &text, bytes_max));
    }

    #[test]
    fn no_secret_is_left(
        secrets in prop::collection::vec("[ab\"\\\\é&<+/ ~😀\u{2028}]{4,8}", 1..4),
        text in "[ab\"\\\\é*]{0,60}",
        seed in any::<prop::sample::Index>(),
    ) {
        let hidden = Hidden::new(secrets.clone()).expect("short");
        let all: Vec<String> = secrets.iter().flat_map(|secret| promised(secret)).collect();
        let spelled = seed.get(&all);
        let text = format!("{text}{spelled}{text}");
        let masked = hidden.hide(&text);
        prop_assert!(!masked.contains(spelled.as_str()), "{spelled:?} in {masked:?} of {text:?}");
        prop_assert!(masked.matches(MASK).count() > text.matches(MASK).count(), "{:?} of {:?}", masked, text);
        for end in text.char_indices().map(|(at, _)| at) {
            prop_assert!(!hidden.hide_cut(&text[..end]).contains(spelled.as_str()));
            prop_assert!(hidden.hide(&text).starts_with(&*hidden.hide_start(&text, end)));
        }
    }
}
