//! Every sequence of operations against a `serde_json` tree: same answers, same document.

use super::{Doc, document, json, path, pattern};
use crate::{Document, Meter, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

#[derive(Clone, Debug)]
enum Op {
    Get(String),
    Set(String, Json),
    Replace(String, String),
    Remove(String),
    Rename(String, String),
    Copy,
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn some_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![4 => prop::sample::select(&KEYS[..]).prop_map(|k| format!(".{k}")), 1 => (0..3u8).prop_map(|i| format!("[{i}]"))];
    (prop::sample::select(&KEYS[..]), prop::collection::vec(segment, 0..3))
        .prop_map(|(first, rest)| format!("{first}{}", rest.concat()))
}

fn some_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::from),
        "[a-z\"\\\\\n]{0,4}".prop_map(Json::String)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(prop::sample::select(&KEYS[..]).prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn some_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        some_path().prop_map(Op::Get),
        (some_path(), some_json()).prop_map(|(path, value)| Op::Set(path, value)),
        (some_path(), "[a-z\"]{0,3}").prop_map(|(path, text)| Op::Replace(path, text)),
        some_path().prop_map(Op::Remove),
        (some_path(), some_path()).prop_map(|(path, to)| Op::Rename(path, to)),
        Just(Op::Copy),
    ]
}

fn steps(path: &str) -> Vec<String> {
    path.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn at<'a>(tree: &'a mut Json, step: &str) -> Option<&'a mut Json> {
    match tree {
        Json::Object(map) => map.get_mut(step).filter(|_| step.parse::<usize>().is_err()),
        Json::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        _ => None,
    }
}

fn model_get<'a>(tree: &'a mut Json, path: &str) -> Option<&'a mut Json> {
    steps(path).iter().try_fold(tree, |tree, step| at(tree, step))
}

fn model_set(tree: &mut Json, steps: &[String], value: Json) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        *tree = value;
        return true;
    };
    let index = step.parse::<usize>();
    if at(tree, step).is_none() {
        // What is missing is made: every index on the way must be the next one.
        let mut made = value;
        for step in rest.iter().rev() {
            made = match step.parse::<usize>() {
                Ok(0) => Json::Array(vec![made]),
                Ok(_) => return false,
                Err(_) => Json::Object([(step.clone(), made)].into_iter().collect()),
            };
        }
        return match (tree, index) {
            (Json::Object(map), Err(_)) => map.insert(step.clone(), made).is_none(),
            (Json::Array(items), Ok(index)) if index == items.len() => {
                items.push(made);
                true
            }
            _ => false,
        };
    }
    at(tree, step).is_some_and(|child| model_set(child, rest, value))
}

/// Removes with arrays being transparent.
fn model_remove(tree: &mut Json, steps: &[String]) -> u32 {
    let (step, rest) = steps.split_first().expect("not the root");
    match (tree, step.parse::<usize>()) {
        (Json::Object(map), Err(_)) if rest.is_empty() => u32::from(map.remove(step).is_some()),
        (Json::Object(map), Err(_)) => map.get_mut(step).map_or(0, |child| model_remove(child, rest)),
        (Json::Array(items), Ok(index)) if rest.is_empty() => {
            let there = index < items.len();
            if there {
                items.remove(index);
            }
            u32::from(there)
        }
        (Json::Array(items), Ok(index)) => items.get_mut(index).map_or(0, |child| model_remove(child, rest)),
        (Json::Array(items), Err(_)) => items.iter_mut().map(|item| model_remove(item, steps)).sum(),
        _ => 0,
    }
}

/// Replaces with arrays being transparent; null stays.
fn model_replace(tree: &mut Json, steps: &[String], text: &str) -> u32 {
    let Some((step, rest)) = steps.split_first() else {
        let there = !tree.is_null();
        if there {
            *tree = text.into();
        }
        return u32::from(there);
    };
    match (tree, step.parse::<usize>()) {
        (Json::Object(map), Err(_)) => map.get_mut(step).map_or(0, |child| model_replace(child, rest, text)),
        (Json::Array(items), Ok(index)) => items.get_mut(index).map_or(0, |child| model_replace(child, rest, text)),
        (Json::Array(items), Err(_)) => items.iter_mut().map(|item| model_replace(item, steps, text)).sum(),
        _ => 0,
    }
}

fn as_value(value: &Json) -> Value<'static> {
    Value::Json(value.to_string().into())
}

/// Operations on a document and on the model. `spaced`: with white space between all tokens, as people write it.
fn check(start: &Json, spaced: bool, ops: &[Op]) {
    let mut tree = start.clone();
    let text = if spaced { format!("{start:#}").replace(':', " : ") } else { start.to_string() };
    let mut held = document(&text);
    for op in ops {
        match op {
            Op::Get(at) => {
                let expected = model_get(&mut tree, at).cloned();
                let found = held.get(&path(at)).map(|value| match value {
                    Value::Null => Json::Null,
                    Value::Boolean(b) => b.into(),
                    Value::Integer(n) => n.into(),
                    Value::Number(n) => n.into(),
                    Value::Text(t) => t.into_owned().into(),
                    Value::Json(j) => serde_json::from_str(&j).expect("JSON"),
                });
                assert_eq!(found, expected, "get {at}");
                assert_eq!(held.has(&path(at)), expected.is_some());
            }
            Op::Set(at, value) => {
                let done = model_set(&mut tree, &steps(at), value.clone());
                assert_eq!(held.set(&path(at), &as_value(value), None).is_ok(), done, "set {at}");
            }
            Op::Replace(at, text) => {
                let replaced = model_replace(&mut tree, &steps(at), text);
                assert_eq!(held.replace_text(&pattern(at), text, None), Ok(replaced), "replace {at}");
            }
            Op::Remove(at) => {
                let removed = model_remove(&mut tree, &steps(at));
                assert_eq!(held.remove(&pattern(at), None), Ok(removed), "remove {at}");
            }
            Op::Rename(from, to) => {
                let renamed = held.rename(&path(from), &path(to), None).expect("no scope");
                let Some(value) = model_get(&mut tree, from).cloned() else {
                    assert!(!renamed);
                    continue;
                };
                // Where the move is refused nothing may change; where it is made, the value is there and the old place
                // is not.
                if renamed && from != to {
                    let before = tree.clone();
                    let exact = steps(from);
                    let in_array = model_get(&mut tree, &parent(from)).is_some_and(|tree| tree.is_array());
                    if in_array || to.contains('[') {
                        tree = serde_json::from_str(&json(&held)).expect("JSON");
                        continue;
                    }
                    assert!(model_set(&mut tree, &steps(to), value), "{before} {from} -> {to}");
                    // Onto what it stood in: the old place is gone with it.
                    if !exact.starts_with(&steps(to)) {
                        model_remove(&mut tree, &exact);
                    }
                }
            }
            Op::Copy => held = held.clone(),
        }
        let written: Json =
            serde_json::from_str(&json(&held)).unwrap_or_else(|error| panic!("{error}: {}", json(&held)));
        assert_eq!(written, tree, "after {op:?}");
        assert_eq!(held.json_bytes(), json(&held).len());
        assert!(held.json_bytes() <= held.0.json_bytes_at_most());
        document(&json(&held));
    }
}

fn parent(path: &str) -> String {
    path.rfind(['.', '[']).map_or(String::new(), |end| path[..end].to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_sequence_of_operations_agrees_with_a_tree(start in some_json().prop_filter("an object", Json::is_object), spaced: bool, ops in prop::collection::vec(some_op(), 1..12)) {
        check(&start, spaced, &ops);
    }
}

/// Objects whose keys may have dots, so that a path has several spellings, and some of its spellings are in each
/// other's way.
fn some_dotted() -> impl Strategy<Value = Json> {
    let key = prop::sample::select(&["a", "b", "a.b", "b.a", "a.b.c", "a.", "b.c.d"][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![Just(Json::Null), (0..9).prop_map(Json::from), "[a-z]{0,2}".prop_map(Json::String)];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            3 => prop::collection::btree_map(key.clone(), inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Whether no field is left at a path, in any spelling.
fn is_gone(held: &mut Doc, at: &str) -> bool {
    held.expand(&pattern(at)).is_ok_and(|left| left.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_sequence_of_operations_on_dotted_keys_leaves_json_and_does_what_it_says(start in some_dotted().prop_filter("an object", Json::is_object), ops in prop::collection::vec(some_op(), 1..8)) {
        let mut held = document(&start.to_string());
        for op in &ops {
            let before = json(&held);
            match op {
                Op::Get(at) => prop_assert_eq!(held.get(&path(at)).is_some(), held.has(&path(at))),
                Op::Set(at, value) => match held.set(&path(at), &as_value(value), None) {
                    Ok(()) => prop_assert!(held.has(&path(at)), "set {} in {}: {}", at, before, json(&held)),
                    Err(_) => prop_assert_eq!(json(&held), before),
                },
                Op::Replace(at, text) => drop(held.replace_text(&pattern(at), text, None)),
                Op::Remove(at) => {
                    held.remove(&pattern(at), None).expect("no scope");
                    // Elements behind a removed one move up.
                    prop_assert!(at.contains('[') || is_gone(&mut held, at), "remove {} from {}: {}", at, before, json(&held));
                }
                Op::Rename(from, to) => {
                    if !held.rename(&path(from), &path(to), None).expect("no scope") {
                        prop_assert_eq!(json(&held), before);
                    }
                }
                Op::Copy => held = held.clone(),
            }
            // What is written is read again: no key stands twice.
            document(&json(&held));
            prop_assert_eq!(held.json_bytes(), json(&held).len());
        }
    }
}

/// Objects and arrays so wide that they get an index, and operations that use it, keep it and spoil it.
#[test]
fn wide_containers_agree_with_a_tree() {
    for seed in 0..60 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let wide = |random: &mut fastrand::Rng, at: &str| -> Json {
            let members = (0..random.usize(60..300)).map(|k| (format!("{at}{k}"), Json::from(k)));
            Json::Object(members.collect())
        };
        let items: Vec<Json> = (0..random.usize(60..200)).map(Json::from).collect();
        let mut start = wide(random, "k");
        start["a"] = items.into();
        start["b"] = wide(random, "k");
        let at = |random: &mut fastrand::Rng| {
            let key = format!("k{}", random.usize(..320));
            [key.clone(), format!("b.{key}"), format!("a[{}]", random.usize(..220)), format!("b.{key}.c")]
                [random.usize(..4)]
            .clone()
        };
        let ops: Vec<Op> = (0..150)
            .map(|_| match random.usize(..10) {
                0..3 => Op::Get(at(random)),
                3..6 => Op::Set(at(random), Json::from(random.u16(..))),
                6 => Op::Replace(at(random), "x".to_owned()),
                7 => Op::Remove(at(random)),
                8 => Op::Rename(format!("k{}", random.usize(..320)), format!("b.k{}", random.usize(..320))),
                _ => Op::Set(format!("a[{}]", random.usize(60..220)), Json::from("new")),
            })
            .collect();
        check(&start, false, &ops);
    }
}

#[test]
fn setting_many_fields_takes_time_that_is_linear_in_their_number() {
    let work = |count: usize, first: &str| {
        let mut document = Document::parse(first.to_owned().into()).expect("JSON");
        let mut meter = Meter::new(u64::MAX, usize::MAX);
        for k in 0..count {
            document.set_text(&path(&format!("field{k}")), "x", None, &mut meter).expect("set");
        }
        u64::MAX - meter.work_left()
    };
    // Where no name has a dot, and where one has.
    for first in ["{}", r#"{"a.b":1}"#] {
        let [few, many] = [512, 8_192].map(|count| work(count, first) as f64 / count as f64);
        assert!(many < few * 1.5, "{few} units a field, and {many} in a wide object");
    }
}
