//! Every kind of call on every shape of record: where a loop would be long that no other pays for.
//!
//! Nothing is measured by a clock here, so the answer is the same each time and on every machine.

use super::calls::{Asked, BYTES_MAX, Call, Cost};
use super::record::Plan;
use super::{UNPAID_MAX, pattern, wrong_looks};
use crate::Scope;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How often something stands in a record that is wide, and bytes of a text that is long.
const MANY: usize = 2_400;
const LONG: usize = 80 << 10;

/// Work that a call may be: what follows would not show more.
const WORK_MAX: u64 = 250_000;

/// Memory that a call may take in the second run, and what it takes besides: lists of nodes, each paid for as work.
const BYTES_FEW: usize = 16 << 10;
const BYTES_MORE: u64 = 96 << 10;

/// `{…}` of so many members.
fn object(count: usize, member: impl Fn(usize) -> String) -> String {
    format!("{{{}}}", (0..count).map(member).collect::<Vec<_>>().join(","))
}

/// `[…]` of so many elements.
fn array(count: usize, element: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(element).collect::<Vec<_>>().join(","))
}

/// `inside` at the fields that calls name, beside others.
fn at_fields(inside: &str) -> String {
    format!(r#"{{"b":1,"a":{inside},"items":[{inside}],"c":{{"a":1}}}}"#)
}

/// Every character escaped.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "\\u{byte:04x}").expect("writing to a string succeeds");
        out
    })
}

/// Records, each with what is special about it.
fn shapes() -> Vec<(&'static str, String)> {
    let key = |at: usize| format!(r#""k{at:06}":{at}"#);
    let wide = object(MANY, key);
    let rows = array(MANY / 4, |at| format!(r#"{{"a":{at},"b":[1,2]}}"#));
    let deep = format!("{}{wide}{}", "{\"a\":".repeat(17), "}".repeat(17));
    let arrays = |inside: &str| format!("{}{inside}{}", "[".repeat(17), "]".repeat(17));
    let text = |of: &str| format!("\"{}\"", of.repeat(LONG / of.len()));
    let names = |count: usize| (0..count).map(|at| format!(r#""k{at}":1"#)).collect::<Vec<_>>().join(",");
    let key_of = |name: String| format!(r#"{{"{name}":{{"b":1}}}}"#);
    vec![
        ("wide root", wide.clone()),
        ("wide fields", at_fields(&wide)),
        ("a late field", object(MANY, |at| if at + 1 < MANY { key(at) } else { r#""late":{"b":1},"b":2"#.to_owned() })),
        ("keys of all lengths", at_fields(&object(MANY / 16, |at| format!(r#""{}{at}":1"#, "k".repeat(at % 64))))),
        ("keys alike at first", object(MANY, |at| format!(r#""{}{at:06}":1"#, "k".repeat(70)))),
        ("long keys alike", object(80, |at| format!(r#""{}{at:06}":1"#, "k".repeat(4_000)))),
        ("narrow levels", (0..60).fold("1".to_owned(), |inside, _| format!(r#"{{{},"a":{inside}}}"#, names(100)))),
        ("long arrays", at_fields(&array(MANY, |at| at.to_string()))),
        ("rows", at_fields(&rows)),
        ("rows at the root", rows.clone()),
        ("arrays in arrays", at_fields(&array(MANY / 4, |_| "[[],[1]]".to_owned()))),
        ("deep and wide", at_fields(&deep)),
        ("deep arrays", at_fields(&arrays(&array(MANY, |_| "1".to_owned())))),
        ("very deep", at_fields(&format!("{}{rows}{}", "[".repeat(490), "]".repeat(490)))),
        ("chains", at_fields(&array(MANY / 200, |_| format!("{}1{}", "[".repeat(256), "]".repeat(256))))),
        ("dotted keys", at_fields(&object(MANY, |at| format!(r#""a.k{at:06}":1"#)))),
        ("dotted keys at the root", object(MANY, |at| format!(r#""a.k{at:06}":1"#))),
        ("keys that go on", object(MANY / 4, |at| format!(r#""user.b{at}":{{"a":1,"k.b":2}}"#))),
        ("keys that go on, late", object(MANY / 4, |at| format!(r#""k{at}.b":{{"a":1}}"#))),
        ("dots behind keys", at_fields(&object(MANY / 4, |at| format!(r#""k{at}.":1"#)))),
        ("dots behind twins", at_fields(&object(600, |at| format!(r#""a{}":{{"b":1}}"#, ".".repeat(at))))),
        ("dots behind twins at the root", object(600, |at| format!(r#""a{}":{{"b":[1,2]}}"#, ".".repeat(at)))),
        ("many dots", key_of(format!("a{}", ".".repeat(LONG)))),
        ("many parts", key_of(format!("a{}", ".b".repeat(LONG / 2)))),
        ("many odd parts", key_of(format!("a{}*", ".b".repeat(20_000)))),
        ("a few dotted", at_fields(&array(MANY / 40, |_| object(64, |at| format!(r#""k{at}.b":1"#))))),
        ("64 dotted", object(64, |at| format!(r#""k{at}.b":1"#))),
        ("two spellings", object(MANY / 8, |at| format!(r#""k{at}.b":[1,"x"],"k{at}":{{"c":1.5}}"#))),
        ("nested spellings", at_fields(&format!(r#"{{"c.d":{wide},"c":{{"e":{wide}}}}}"#))),
        ("long spelled numbers", object(64, |at| format!(r#""k{at}.b":{}"#, "7".repeat(LONG / 64)))),
        ("escaped keys", at_fields(&object(MANY / 4, |at| format!(r#""{}":1"#, escaped(&format!("k{at:06}")))))),
        ("escaped keys at the root", object(MANY / 4, |at| format!(r#""{}":1"#, escaped(&format!("k{at}"))))),
        ("a long key", key_of("k".repeat(LONG))),
        ("a long escaped key", at_fields(&key_of(escaped(&"k".repeat(LONG / 8))))),
        ("a long escaped key with dots", key_of(escaped(&format!("a{}", ".bc".repeat(4_000))))),
        ("long keys", object(40, |at| format!(r#""a.{}{at}":1"#, "k".repeat(4_000)))),
        ("long escaped keys", object(40, |at| format!(r#""a.{}{at}":1"#, escaped(&"k".repeat(4_000))))),
        ("texts", at_fields(&array(MANY, |_| r#""x""#.to_owned()))),
        ("long texts", at_fields(&array(MANY, |_| format!("\"{}\"", "x".repeat(500))))),
        ("a long text", at_fields(&text("x"))),
        ("a long text that is not ASCII", at_fields(&text("ä"))),
        ("a long escaped text", at_fields(&text("\\n"))),
        ("a long escaped text of numbers", at_fields(&text("\\u0041"))),
        ("a long text of halves", at_fields(&text("\\ud800"))),
        ("texts of halves", at_fields(&array(MANY, |_| r#""\ud800""#.to_owned()))),
        ("booleans and texts", at_fields(&array(MANY, |at| if at % 2 == 0 { "true" } else { "\"\"" }.to_owned()))),
        ("odd numbers", at_fields(&array(MANY, |_| "1e5".to_owned()))),
        ("a long number", at_fields(&"7".repeat(LONG))),
        ("newlines", at_fields(&format!("[{}1]", "\n".repeat(LONG)))),
        ("odd numbers behind points", at_fields(&format!("[-0.{}]", "7".repeat(990)))),
    ]
}

/// Calls, each on its own.
fn calls() -> Vec<Call> {
    let paths = [
        "", "a", "b", "late", "zz", "k000000", "user.b", "a.b", "a.zz.y", "items[0]", "a[2399]", "a[2400]", "a.a",
        "[599].b",
    ];
    let long_paths =
        [format!("{}000079", "k".repeat(4_000)), format!("{}002399", "k".repeat(70)), "a.".repeat(60) + "b"];
    let patterns =
        ["a", "late", "zz", "user", "*", "a.*", "*.*", "a[*]", "items.a", "*.b", "*.b[*]", "a.a.*", "*.*.*", "a[*].b"];
    let of_path = |path: &str| {
        let path = path.to_owned();
        let to = |to: &str| Call::Rename(path.clone(), to.to_owned());
        [
            vec![Call::Get(path.clone()), Call::Text(path.clone()), Call::Has(path.clone())],
            vec![Call::Keys(path.clone()), Call::Length(path.clone()), Call::SetText(path.clone(), 3)],
            vec![to("new"), to("c.new")],
        ]
    };
    let of_pattern = |pattern: &&str| {
        let pattern = (*pattern).to_owned();
        vec![Call::Expand(pattern.clone()), Call::ReplaceText(pattern.clone(), 3), Call::Remove(pattern)]
    };
    let set = |path: &str, plan| Call::SetJson(path.to_owned(), Box::new(plan));
    let ones = || Plan::Array(vec![(MANY, Plan::Word("1"))]);
    let mut calls: Vec<Call> =
        paths.into_iter().chain(long_paths.iter().map(String::as_str)).flat_map(of_path).flatten().collect();
    calls.extend(patterns.iter().flat_map(of_pattern));
    for path in ["", "a", "a.new", "b", "c", "user"] {
        calls.extend([Call::SetText(path.to_owned(), LONG), set(path, ones())]);
        calls.push(set(path, Plan::Text { length: LONG / 8, of: "\\n" }));
        calls.push(Call::ReplaceText(path.to_owned(), LONG));
    }
    calls.extend([Call::Json, Call::Copy, Call::Visible, Call::Check, Call::Forbid]);
    calls
}

/// Who may see and change what; the lists of the last are long.
fn scopes() -> Vec<Option<Scope>> {
    let list = |patterns: &[&str]| patterns.iter().map(|text| pattern(text)).collect::<Vec<_>>();
    let long = || (0..200).map(|at| pattern(&format!("*.x{at}.y"))).collect::<Vec<_>>();
    let scope = |reads, writes| Some(Scope::new(Some(reads), Some(writes), false));
    vec![
        None,
        scope(list(&["a", "items[*].b"]), list(&["a", "b", "items"])),
        scope(list(&["*.b", "c", "a.k000001", "new.b"]), list(&["*"])),
        scope(long(), long()),
    ]
}

/// What was done with the record before.
fn before() -> Vec<Vec<Call>> {
    let text = |path: &str| Call::SetText(path.to_owned(), 3);
    vec![
        vec![],
        // Containers that differ from their text.
        vec![text("a.b"), text("items[0].b"), Call::ReplaceText("*.b".to_owned(), 1)],
        vec![Call::ReplaceText("*.*".to_owned(), 1), Call::ReplaceText("a[*].a".to_owned(), 1)],
    ]
}

/// The worst of each wrong of each kind of call: an example, and how many there are.
type Found = BTreeMap<(usize, &'static str), (Cost, String, usize)>;

fn note(found: &mut Found, call: &Call, cost: Cost, example: impl Fn() -> String) {
    let Some(what) = wrong_looks(&cost, UNPAID_MAX) else { return };
    let (worst, worst_example, times) = found.entry((call.kind(), what)).or_default();
    *times += 1;
    if *times == 1 || cost.looks.unpaid > worst.looks.unpaid {
        (*worst, *worst_example) = (cost, example());
    }
}

/// Asks these calls, each of the same record, so many times.
fn ask_each(shape: &str, read: &Asked, calls: &[Call], times: usize, found: &mut Found) {
    for call in calls {
        let mut asked = read.copied();
        for time in 1..=times {
            let cost = asked.ask_within(call, WORK_MAX, BYTES_MAX);
            note(found, call, cost, || format!("{shape}, time {time}, {call:.200?}"));
            if cost.ended {
                break;
            }
        }
    }
}

/// Asks these calls where there is next to no memory.
fn ask_each_for_nothing(shape: &str, read: &Asked, calls: &[Call], found: &mut Found) {
    for call in calls {
        let mut asked = read.copied();
        let cost = asked.ask_within(call, WORK_MAX, asked.held() + BYTES_FEW);
        if cost.bytes > BYTES_MORE + 2 * cost.work {
            let (worst, example, times) = found.entry((call.kind(), "takes more memory than it may")).or_default();
            *times += 1;
            if cost.bytes > worst.bytes {
                (*worst, *example) = (cost, format!("{shape}, {call:.200?}"));
            }
        }
    }
}

/// All calls of a record, by who may see and change all of it or parts, as it came and after changes.
fn ask_all(shape: &str, record: &str, calls: &[Call], found: &mut Found) {
    // What a scope hides is not in what is read: there the reads are the same.
    let changes: Vec<Call> = calls.iter().filter(|call| !call.is_read()).cloned().collect();
    for (at, scope) in scopes().into_iter().enumerate() {
        let is_open = scope.is_none();
        for (changed, before) in before().into_iter().enumerate().take(if is_open { 3 } else { 1 }) {
            let shape = format!("{shape}, scope {at}, before {changed}");
            let mut asked = Asked::read(record.to_owned(), scope.clone()).0.expect("a record");
            if before.iter().any(|call| asked.ask(call).ended) {
                continue;
            }
            // At the third time a wide container has an index.
            let times = if is_open && changed == 0 { 3 } else { 1 };
            ask_each(&shape, &asked, if is_open { calls } else { &changes }, times, found);
            if is_open {
                ask_each_for_nothing(&shape, &asked, calls, found);
            }
        }
    }
}

#[test]
fn no_call_looks_at_or_takes_more_than_it_counts() {
    let (calls, mut found) = (calls(), Found::new());
    for (shape, record) in shapes() {
        ask_all(shape, &record, &calls, &mut found);
    }
    let tell = |((kind, what), (cost, example, times)): ((usize, _), (Cost, String, usize))| {
        format!("{} {what}, {times} times: {example} {cost:?}", Call::name(kind))
    };
    let found: Vec<String> = found.into_iter().map(tell).collect();
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
