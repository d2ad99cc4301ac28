//! Paths, and one field in its many spellings.

use super::{document, json, path, pattern, text};
use crate::{DEPTH_MAX, EditError, Path, Pattern, Value};

#[test]
fn paths_are_read_or_refused() {
    for good in [
        "",
        "a",
        "a.b",
        "a[0]",
        "a[0][1].b",
        "\"a.b\"",
        "labels.\"a[0]\"",
        "\"\\\"\\\\\"",
        "a.",
        "[0]",
        "\"\"",
        "ä.ö",
        "a b",
        "@timestamp",
    ] {
        assert!(Path::parse(good).is_ok(), "{good}");
    }
    for bad in [
        ".",
        ".a",
        "a..b",
        "a[",
        "a[]",
        "a[x]",
        "a[-1]",
        "a[0]b",
        "a\"b",
        "a]",
        "\"a",
        "\"a\\n\"",
        "a*",
        "a[99999999999]",
        "\"a\"b",
    ] {
        assert!(Path::parse(bad).is_err(), "{bad}");
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
    for stars in ["*", "a.*", "a[*].b", "*.*"] {
        assert!(Path::parse(stars).is_err(), "{stars}");
        assert_eq!(pattern(stars).to_string(), stars);
    }
    assert!(Path::parse(&"a.".repeat(65)).is_err());
    assert!(Path::parse(&"a".repeat(4097)).is_err());
}

#[test]
fn values_come_out_as_they_are() {
    let mut d = document(
        r#"{"i":9007199254740993,"big":18446744073709551616,"f":1.0,"e":1e2,"z":-0,"huge":1e400,"s":"a\u00e9\n","l":"x\ud800","n":null,"t":true,"o":{"a":[1]}}"#,
    );
    for (at, value) in [
        ("i", Value::Integer(9_007_199_254_740_993)),
        ("big", Value::Json("18446744073709551616".into())),
        ("f", Value::Number(1.0)),
        ("e", Value::Number(100.0)),
        ("z", Value::Number(-0.0)),
        ("huge", Value::Json("1e400".into())),
        ("s", text("aé\n")),
        ("l", Value::Json("\"x\\ud800\"".into())),
        ("n", Value::Null),
        ("t", Value::Boolean(true)),
        ("o", Value::Json("{\"a\":[1]}".into())),
        ("o.a", Value::Json("[1]".into())),
        ("o.a[0]", Value::Integer(1)),
    ] {
        assert_eq!(d.get(&path(at)), Some(value), "{at}");
    }
    assert_eq!(d.get(&path("o.a[1]")), None);
    assert_eq!(d.get(&path("s.x")), None);
    assert_eq!(d.text(&path("l")), None);
    assert_eq!(d.text(&path("i")), None);
    assert_eq!(
        (d.length(&path("s")), d.length(&path("o")), d.length(&path("o.a")), d.length(&path("n"))),
        (Some(3), Some(1), Some(1), None)
    );
}

#[test]
fn what_can_be_read_can_be_set() {
    for inside in ["1", ""] {
        let deepest = format!("{}{inside}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        let mut d = document(&deepest);
        assert_eq!(d.set(&path(""), &Value::Json(deepest.as_str().into()), None), Ok(()));
        assert_eq!(json(&d), deepest);
        let mut d = document("{}");
        assert_eq!(d.set(&path("a"), &Value::Json(deepest.into()), None), Err(EditError::TooDeep));
    }
}

#[test]
fn half_of_a_surrogate_pair_is_one_character() {
    let mut d = document(r#"{"half":"\ud800","inside":"a\udfffz","pair":"\ud83d\ude00","text":"größer 😀"}"#);
    let lengths = ["half", "inside", "pair", "text"].map(|at| d.length(&path(at)));
    assert_eq!(lengths, [Some(1), Some(3), Some(1), Some(8)]);
}

#[test]
fn untouched_bytes_stay() {
    let mut d = document(
        r#"{ "z":1.0, "email" : "a@b", "id":12345678901234567890 , "e":"\u00e9\/", "o": { "k" :[ 1 , 2 ] } }"#,
    );
    d.set_text(&path("email"), "***", None).expect("set");
    d.set_text(&path("o.new"), "x\"\u{1}", None).expect("set");
    d.set(&path("deep.er"), &Value::Integer(1), None).expect("set");
    assert_eq!(
        json(&d),
        r#"{"z":1.0,"email":"***","id":12345678901234567890 , "e":"\u00e9\/","o":{"k" :[ 1 , 2 ],"new":"x\"\u0001"},"deep":{"er":1}}"#
    );
}

#[test]
fn a_masked_field_survives_in_no_spelling() {
    for (doc, masked) in [
        (r#"{"user":{"email":"S"}}"#, r#"{"user":{"email":"***"}}"#),
        (r#"{"user.email":"S"}"#, r#"{"user.email":"***"}"#),
        (r#"{"user.email.":"S"}"#, r#"{"user.email.":"***"}"#),
        (r#"{"user.":{"email..":"S"}}"#, r#"{"user.":{"email..":"***"}}"#),
        (r#"{"us\u0065r\u002eemail":"S"}"#, r#"{"us\u0065r\u002eemail":"***"}"#),
        (
            r#"{"user.email":"S","user":{"email":"S","email.":"S"}}"#,
            r#"{"user.email":"***","user":{"email":"***","email.":"***"}}"#,
        ),
        (r#"{"user":{"email":{"x":"S"}},"user.email.x":"S"}"#, r#"{"user":{"email":"***"}}"#),
        (r#"{"a":1,"user.email.x":"S"}"#, r#"{"a":1,"user":{"email":"***"}}"#),
    ] {
        let mut d = document(doc);
        assert!(d.has(&path("user.email")), "{doc}");
        d.set_text(&path("user.email"), "***", None).expect("set");
        assert_eq!(json(&d), masked, "{doc}");
        let mut d = document(doc);
        d.remove(&pattern("user.email"), None).expect("removed");
        assert!(!json(&d).contains('S'), "{}", json(&d));
        let mut d = document(doc);
        assert_ne!(d.replace_text(&pattern("user.email"), "***", None).expect("replaced"), 0, "{doc}");
        assert!(!json(&d).contains('S'), "{}", json(&d));
    }
}

#[test]
fn replacing_makes_nothing_and_reaches_all_that_a_pattern_names() {
    let mut d = document(r#"{"user":[{"email":"a"},{"email":{"x":1}},1],"items":[{"sku":1},{"sku":2}],"n.m":1}"#);
    assert_eq!(d.replace_text(&pattern("gone"), "*", None), Ok(0));
    assert_eq!(d.replace_text(&pattern("user.gone"), "*", None), Ok(0));
    assert_eq!(d.replace_text(&pattern(""), "*", None), Ok(0));
    assert!(!d.0.is_changed());
    assert_eq!(d.replace_text(&pattern("user.email"), "*", None), Ok(2));
    assert_eq!(d.replace_text(&pattern("items[*].sku"), "\"", None), Ok(2));
    assert_eq!(d.replace_text(&pattern("*.m"), "", None), Ok(1));
    assert_eq!(json(&d), r#"{"user":[{"email":"*"},{"email":"*"},1],"items":[{"sku":"\""},{"sku":"\""}],"n.m":""}"#);
}

#[test]
fn recorded_double_spellings_are_one_field() {
    let mut by_path = document(r#"{"a.b":1,"a":{"b":2}}"#);
    assert_eq!(by_path.expand(&pattern("a.b")).expect("few"), ["\"a.b\"", "a.b"]);
    by_path.set_text(&path("a.b"), "*", None).expect("set");
    assert_eq!(json(&by_path), r#"{"a.b":"*","a":{"b":"*"}}"#);
    let mut by_dot = document(r#"{"a":1,"a.":2}"#);
    by_dot.set_text(&path("a"), "*", None).expect("set");
    assert_eq!(json(&by_dot), r#"{"a":"*","a.":"*"}"#);
    let mut plain = document(r#"{"a.b":1}"#);
    assert_eq!(plain.get(&path("a.b")), Some(Value::Integer(1)));
    assert_eq!(plain.get(&path("\"a.b\"")), Some(Value::Integer(1)));
    assert_eq!(plain.get(&path("a")), Some(Value::Json(r#"{"b":1}"#.into())));
    assert_eq!(plain.keys(&path("a")), ["b"]);
    assert_eq!(plain.keys(&path("")), ["\"a.b\""]);
}

#[test]
fn arrays_are_transparent_for_patterns_only() {
    let mut d = document(r#"{"user":[{"email":"a"},{"email":"b","x":[{"email":"c"}]},1],"m":[[{"k":1}],{"k":2}]}"#);
    assert_eq!(d.expand(&pattern("user.email")).expect("few"), ["user[0].email", "user[1].email"]);
    assert_eq!(d.expand(&pattern("user[*].email")).expect("few"), ["user[0].email", "user[1].email"]);
    assert_eq!(d.expand(&pattern("user[1].*")).expect("few"), ["user[1].email", "user[1].x"]);
    assert_eq!(d.expand(&pattern("m.k")).expect("few"), ["m[0][0].k", "m[1].k"]);
    assert_eq!(d.get(&path("user.email")), None);
    assert_eq!(d.remove(&pattern("user.*.email"), None), Ok(1));
    assert_eq!(d.remove(&pattern("user.email"), None), Ok(2));
    assert_eq!(json(&d), r#"{"user":[{},{"x":[{}]},1],"m":[[{"k":1}],{"k":2}]}"#);
}

#[test]
fn set_makes_objects_but_never_through_a_scalar() {
    let mut d = document(r#"{"s":"x","a":[1]}"#);
    assert_eq!(d.set_text(&path("s.t"), "v", None), Err(EditError::ThroughScalar));
    assert_eq!(d.set_text(&path("a.t"), "v", None), Err(EditError::ThroughScalar));
    assert_eq!(d.set_text(&path("s[0]"), "v", None), Err(EditError::ThroughScalar));
    assert_eq!(d.set_text(&path("a[2]"), "v", None), Err(EditError::BeyondEnd));
    assert_eq!(d.set(&path("a[0]"), &Value::Number(f64::NAN), None), Err(EditError::NotFinite));
    assert!(matches!(d.set(&path("x"), &Value::Json("{\"a\":1,\"a\":2}".into()), None), Err(EditError::NotJson(_))));
    assert!(!d.0.is_changed());
    d.set_text(&path("a[1]"), "v", None).expect("append");
    d.set_text(&path("new[0].\"x.y\".z"), "v", None).expect("made");
    d.set(&path("j"), &Value::Json(" [ 1 , {\"k\":2} ] ".into()), None).expect("set");
    d.set_text(&path("j[1].k"), "w", None).expect("set");
    assert_eq!(json(&d), r#"{"s":"x","a":[1,"v"],"new":[{"x.y":{"z":"v"}}],"j":[1,{"k":"w"}]}"#);
    d.set(&path(""), &Value::Json("{}".into()), None).expect("root");
    assert_eq!(json(&d), "{}");
}

#[test]
fn rename_moves_without_copying() {
    let mut d = document(r#"{"http":{"latency_ms": 1.50 ,"s":1},"x":2,"user.id":7,"user":{"id":8,"n":1}}"#);
    assert_eq!(d.rename(&path("http.latency_ms"), &path("http.latency"), None), Ok(true));
    assert_eq!(d.rename(&path("http"), &path("x"), None), Ok(true));
    assert_eq!(d.rename(&path("user.id"), &path("uid"), None), Ok(true));
    assert_eq!(d.rename(&path("gone"), &path("x"), None), Ok(false));
    assert_eq!(d.rename(&path("x"), &path("x.y"), None), Ok(false));
    assert_eq!(d.rename(&path("x.s"), &path("x"), None), Ok(true));
    assert_eq!(d.rename(&path("uid"), &path("x.s.t"), None), Ok(false));
    assert_eq!(json(&d), r#"{"x":1,"user":{"n":1},"uid":7}"#);
}

#[test]
fn rename_onto_what_it_stood_in_is_the_same_in_every_spelling() {
    for doc in
        [r#"{"a":{"b":1}}"#, r#"{"a.b":1}"#, r#"{"a.":{"b":1}}"#, r#"{"a":{"b":1,"c":2}}"#, r#"{"a.b":1,"a.c":2}"#]
    {
        let mut d = document(doc);
        assert_eq!(d.rename(&path("a.b"), &path("a"), None), Ok(true), "{doc}");
        assert_eq!(d.get(&path("a")), Some(Value::Integer(1)), "{doc}");
        assert_eq!(d.rename(&path("a"), &path("a.b"), None), Ok(false), "{doc}");
    }
}

#[test]
fn rename_onto_several_spellings_copies_the_value_to_each() {
    let many = format!("[{}]", vec!["1"; 1_000].join(","));
    let mut d = document(&format!(r#"{{"user":{many},"customer":1,"customer.":2,"customer..":{{"x":3}}}}"#));
    assert_eq!(d.rename(&path("user"), &path("customer"), None), Ok(true));
    assert_eq!(json(&d), format!(r#"{{"customer":{many},"customer.":{many},"customer..":{many}}}"#));
    d.set_text(&path("customer[1]"), "x", None).expect("set");
    assert_eq!(json(&d).matches("[1,\"x\",1").count(), 3, "each is a value of its own, with one name");
}

#[test]
fn what_a_plugin_builds_is_bounded_in_depth() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let mut d = document("{}");
    d.set(&path("a.b.c"), &Value::Json(deep.clone().into()), None).expect("below the bound");
    let far = "x.".repeat(30) + "y";
    assert_eq!(d.set(&path(&far), &Value::Json(deep.into()), None), Err(EditError::TooDeep));
    assert_eq!(d.rename(&path("a"), &path(&far), None), Ok(false));
}
