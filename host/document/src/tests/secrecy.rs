//! Two documents that differ only in what a step may not see answer it alike, whatever it asks and changes.
//!
//! Documents, lists of permissions and calls are made at random (`SECRECY_CASES` says how many, `SECRECY_SEED` where it
//! begins). One difference is conceded: a change may be denied in one of them because something hidden stands in its
//! way that is not an object.

use super::{Doc, document, json, path, pattern};
use crate::{EditError, Scope, Value};
use fastrand::Rng;
use serde_json::{Map, Value as Json};

/// How many pairs, where nobody says.
const CASES: usize = 30_000;

const KEYS: [&str; 7] = ["a", "b", "c", "a.b", "b.c", "a.", "a.b.c"];
const NAMES: [&[&str]; 9] =
    [&["a"], &["b"], &["a", "b"], &["a", "c"], &["*", "b"], &["b", "*"], &["a", "b", "c"], &["c", "a"], &["c"]];

/// How a list of names covers a name: all of it, something below it, or nothing.
fn cover(list: &[&[&str]], name: &[String]) -> Option<bool> {
    let agree = |known: &&&[&str]| known.iter().zip(name).all(|(known, part)| *known == "*" || known == part);
    let covers = list.iter().filter(agree).map(|known| known.len() <= name.len());
    covers.max()
}

fn below(name: &[String], key: &str) -> Vec<String> {
    let parts = key.trim_end_matches('.').split('.').map(str::to_owned);
    name.iter().cloned().chain(parts).collect()
}

fn scalar(random: &mut Rng) -> Json {
    match random.usize(..5) {
        0 => Json::Null,
        1 => Json::Bool(random.bool()),
        2 => Json::from(random.u8(..9)),
        _ => Json::from(["", "s", "a\"b"][random.usize(..3)]),
    }
}

fn any_json(random: &mut Rng, depth: usize) -> Json {
    match random.usize(..if depth < 4 { 6 } else { 2 }) {
        0 | 1 => scalar(random),
        2 => Json::Array((0..random.usize(..4)).map(|_| any_json(random, depth + 1)).collect()),
        _ => Json::Object(members(random, depth, &mut |random| any_json(random, depth + 1))),
    }
}

fn members(random: &mut Rng, depth: usize, value: &mut dyn FnMut(&mut Rng) -> Json) -> Map<String, Json> {
    let count = random.usize(..if depth == 0 { 5 } else { 4 });
    (0..count).map(|_| (KEYS[random.usize(..KEYS.len())].to_owned(), value(random))).collect()
}

/// Whether a step sees anything of a value.
fn is_seen(json: &Json, name: &[String], reads: &[&[&str]]) -> bool {
    match (cover(reads, name), json) {
        (Some(true), _) => true,
        (Some(false), Json::Object(object)) => {
            object.iter().any(|(key, value)| is_seen(value, &below(name, key), reads))
        }
        (Some(false), Json::Array(items)) => items.iter().any(|item| is_seen(item, name, reads)),
        (Some(false) | None, _) => false,
    }
}

/// A value of which a step sees nothing; none where it may as well not be there.
fn unseen(name: &[String], reads: &[&[&str]], random: &mut Rng) -> Option<Json> {
    let value = match random.usize(..4) {
        0 => return None,
        1 => scalar(random),
        _ => any_json(random, 2),
    };
    Some(if is_seen(&value, name, reads) { scalar(random) } else { value })
}

/// The same with everything hidden made anew.
fn with_other_secrets(json: &Json, name: &[String], reads: &[&[&str]], random: &mut Rng) -> Json {
    match (cover(reads, name), json) {
        (Some(false), Json::Object(object)) => {
            let mut other = Map::new();
            for (key, value) in object {
                let name = below(name, key);
                let value = match is_seen(value, &name, reads) {
                    true => Some(with_other_secrets(value, &name, reads, random)),
                    false => unseen(&name, reads, random),
                };
                other.extend(value.map(|value| (key.clone(), value)));
            }
            for key in KEYS {
                if !object.contains_key(key) && random.usize(..4) == 0 {
                    other.extend(unseen(&below(name, key), reads, random).map(|value| (key.to_owned(), value)));
                }
            }
            Json::Object(other)
        }
        (Some(false), Json::Array(items)) => {
            let mut other = |item: &Json| match is_seen(item, name, reads) {
                true => with_other_secrets(item, name, reads, random),
                false => unseen(name, reads, random).unwrap_or_default(),
            };
            Json::Array(items.iter().map(&mut other).collect())
        }
        (Some(true | false) | None, json) => json.clone(),
    }
}

/// One call of the contract, and what it comes to as text.
fn ask(call: &Call, held: &mut Doc, scope: &Scope) -> Result<String, EditError> {
    let answer = match call {
        Call::Read(at) => {
            let view = held.restricted(scope).expect("a step that does not see everything").0.view.clone();
            let mut view = Doc::new(view);
            let at = path(at);
            let value = format!("{:?}", view.get(&at)) + &format!("{:?}", view.text(&at));
            let (keys, length) = (view.keys(&at), view.length(&at));
            format!("{value} {} {keys:?} {length:?} {}", view.has(&at), json(&view))
        }
        Call::Expand(at) => {
            let view = held.restricted(scope).expect("a step that does not see everything").0.view.clone();
            format!("{:?}", Doc::new(view).expand(&pattern(at)))
        }
        Call::Set(at, value) => format!("{:?}", held.set(&path(at), &Value::Json(value.into()), Some(scope))?),
        Call::Replace(at) => format!("{:?}", held.replace_text(&pattern(at), "w", Some(scope))?),
        Call::Remove(at) => format!("{:?}", held.remove(&pattern(at), Some(scope))?),
        Call::Rename(from, to) => format!("{:?}", held.rename(&path(from), &path(to), Some(scope))?),
        Call::Copy => {
            *held = held.clone();
            String::new()
        }
    };
    Ok(answer)
}

#[derive(Clone, Debug)]
enum Call {
    Read(String),
    Expand(String),
    Set(String, String),
    Replace(String),
    Remove(String),
    Rename(String, String),
    Copy,
}

fn any_path(random: &mut Rng) -> String {
    let mut text = ["a", "b", "c", "\"a.b\""][random.usize(..4)].to_owned();
    for _ in 0..random.usize(..3) {
        text += [".a", ".b", ".c", "[0]", "[1]", "[2]"][random.usize(..6)];
    }
    text
}

fn any_pattern(random: &mut Rng) -> String {
    let text = any_path(random);
    match random.usize(..4) {
        0 => text.replace("[0]", "[*]").replace("[1]", "[*]"),
        1 => format!("*.{}", &["a", "b", "c"][random.usize(..3)]),
        _ => text,
    }
}

fn any_call(random: &mut Rng) -> Call {
    match random.usize(..10) {
        0 | 1 => Call::Read(any_path(random)),
        2 => Call::Expand(any_pattern(random)),
        3..6 => Call::Set(any_path(random), any_json(random, 3).to_string()),
        6 => Call::Replace(any_pattern(random)),
        7 => Call::Remove(any_pattern(random)),
        8 => Call::Rename(any_path(random), any_path(random)),
        _ => Call::Copy,
    }
}

fn names(random: &mut Rng) -> Vec<&'static [&'static str]> {
    (0..random.usize(1..4)).map(|_| NAMES[random.usize(..NAMES.len())]).collect()
}

fn scope(reads: &[&[&str]], writes: Option<&[&[&str]]>) -> Scope {
    let list = |names: &[&[&str]]| names.iter().map(|name| pattern(&name.join("."))).collect();
    Scope::new(Some(list(reads)), writes.map(list), false)
}

/// Whether something stands in the way of a write that holds no fields (or, before an index, no elements), though it is
/// named by what the step reads: all that a denial may tell.
fn is_in_the_way(held: &Doc, call: &Call, reads: &[&[&str]]) -> bool {
    let (Call::Set(at, _) | Call::Rename(_, at)) = call else { return false };
    let ends = at.char_indices().filter(|(end, c)| *end > 0 && matches!(c, '.' | '[') && !at.starts_with('"'));
    ends.into_iter().any(|(end, next)| {
        let name: Vec<String> =
            at[..end].split(['.', '[']).filter(|part| !part.ends_with(']')).map(str::to_owned).collect();
        let value = held.clone().get(&path(&at[..end])).map(|value| match value {
            Value::Json(json) => json.chars().next().unwrap_or_default(),
            _ => '-',
        });
        let fits = if next == '[' { '[' } else { '{' };
        cover(reads, &name).is_some() && value.is_some_and(|first| first != fits)
    }) || at.starts_with('"')
}

/// Whether a case was of use: the documents look the same to the step.
fn check(seed: u64) -> bool {
    let random = &mut Rng::with_seed(seed);
    let (reads, writes) = (names(random), random.bool().then(|| names(random)));
    let scope = scope(&reads, writes.as_deref());
    let one = Json::Object(members(random, 0, &mut |random| any_json(random, 1)));
    let other = with_other_secrets(&one, &[], &reads, random);
    let (one, other) = (one.to_string(), other.to_string());
    let (mut first, mut second) = (document(&one), document(&other));
    if json(&first.visible(&scope)) != json(&second.visible(&scope)) {
        return false;
    }
    let mut calls = Vec::new();
    for _ in 0..random.usize(1..8) {
        let call = any_call(random);
        calls.push(call.clone());
        let told = |answer: &str| {
            format!("seed {seed}: {one} and {other}, reads {reads:?}, writes {writes:?}: {calls:?}: {answer}")
        };
        let before = (first.clone(), second.clone());
        match (ask(&call, &mut first, &scope), ask(&call, &mut second, &scope)) {
            // The call is over.
            (Err(EditError::Denied(_)), Err(EditError::Denied(_))) => break,
            (Err(EditError::Denied(_)), _) => {
                assert!(is_in_the_way(&before.0, &call, &reads), "{}", told("it is denied in one"));
                break;
            }
            (_, Err(EditError::Denied(_))) => {
                assert!(is_in_the_way(&before.1, &call, &reads), "{}", told("it is denied in the other"));
                break;
            }
            (first, second) => {
                let (first, second) = (format!("{first:?}"), format!("{second:?}"));
                assert_eq!(first, second, "{}", told("they differ"));
            }
        }
        // What is written is read again, whatever a step did that does not see everything.
        document(&json(&first));
    }
    true
}

#[test]
fn a_step_cannot_tell_documents_apart_that_differ_in_what_it_may_not_see() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().expect("a number"));
    let (seed, cases) = (number("SECRECY_SEED").unwrap_or(1), number("SECRECY_CASES").unwrap_or(CASES as u64));
    let useful = (seed..seed + cases).filter(|&seed| check(seed)).count() as u64;
    assert!(useful * 3 > cases, "{useful} of {cases} pairs look the same to the step");
}
