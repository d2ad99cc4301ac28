//! Records that are made to be slow, large or both, and calls that are: each is a kind, and all of them together are
//! what a single call may meet. A search in `host/document` looks for worse ones; those it found are here.

use std::fmt::Write as _;

/// A record that is hostile, as it comes: plain, or inflated from a packed one.
pub struct Hostile {
    /// What it is.
    pub name: &'static str,
    /// JSON, nearly always.
    pub text: String,
}

/// Calls as the guest `misbehave` takes them in its config, each for a call of its own.
pub const CALLS: &[&str] = &[
    r#"{"get":"a"}"#,
    r#"{"get":"a.b"}"#,
    r#"{"get":"zzz.status"}"#,
    r#"{"get":""}"#,
    r#"{"text":"a"}"#,
    r#"{"has":"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z"}"#,
    r#"{"keys":""}"#,
    r#"{"keys":"a"}"#,
    r#"{"length":"a"}"#,
    r#"{"length":""}"#,
    r#"{"expand":"*"}"#,
    r#"{"expand":"*.*"}"#,
    r#"{"expand":"a[*]"}"#,
    r#"{"expand":"a[*].b"}"#,
    r#"{"expand":"*[*]"}"#,
    r#"{"set-text":["a.b",1000]}"#,
    r#"{"set-text":["zzz.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z",4194304]}"#,
    r#"{"set":["a","{\"b\":[1,2,3]}"]}"#,
    r#"{"set":["a[0]","1"]}"#,
    r#"{"replace-text":["a[*]",4000]}"#,
    r#"{"replace-text":["*",1]}"#,
    r#"{"replace-text":["*.*",1]}"#,
    r#"{"replace-text":["a.b",1]}"#,
    r#"{"remove":"*"}"#,
    r#"{"remove":"a[*]"}"#,
    r#"{"remove":"*.b"}"#,
    r#"{"rename":["a","zzz"]}"#,
    r#"{"rename":["a.b","b"]}"#,
    r#"{"rename":["zzz","a"]}"#,
    r#""json""#,
    r#""data""#,
    r#""copy""#,
    r#"{"derive":16777216}"#,
    r#"{"log":16777216}"#,
];

/// Calls that come before, so that what is asked is a document that was changed.
pub const BEFORE: &[&str] =
    &["", r#"{"replace-text":["a[*]",4000]},"#, r#"{"set-text":["zzz",1]},"#, r#"{"rename":["a","zzz"]},"#];

fn object(count: usize, member: impl Fn(usize) -> String) -> String {
    let members: Vec<String> = (0..count).map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn array(count: usize, element: &str) -> String {
    format!("[{}]", vec![element; count].join(","))
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        write!(escaped, "\\u{byte:04x}").expect("writing to a string succeeds");
        escaped
    })
}

/// Records of at most 1 MiB as they come, or of 32 MiB that a packed one becomes.
pub fn records() -> Vec<Hostile> {
    let dots = |count: usize| ".".repeat(count);
    let long = |count: usize| "k".repeat(count);
    let record = |name, text| Hostile { name, text };
    vec![
        record("ones", format!(r#"{{"a":{}}}"#, array(500_000, "1"))),
        record("objects", format!(r#"{{"a":{}}}"#, array(90_000, r#"{"b":1,"c":2}"#))),
        record("wide", object(80_000, |k| format!("\"k{k:x}\":1"))),
        record("wide, packed", object(440_000, |k| format!("\"k{k:x}\":1"))),
        record("wide and dotted", object(60_000, |k| format!("\"a.k{k:x}.b\":1"))),
        record("wide and escaped", object(12_000, |k| format!("\"{}\":1", escaped(&format!("k{k:x}"))))),
        record("spelled", format!(r#"{{"a{}":{}}}"#, dots(500_000), object(24_000, |k| format!("\"b.{k:x}\":1")))),
        record("spellings", object(1_300, |k| format!("\"a{}\":{{\"b\":1}}", dots(k)))),
        record("spellings, packed", object(7_000, |k| format!("\"a{}\":[1,2,3]", dots(k)))),
        record("trailing dots", format!(r#"{{"a{}":{}}}"#, dots(500_000), array(30_000, r#"{"b":1}"#))),
        record("long keys", object(60, |k| format!("\"a.{}{k}.b\":1", long(16_000)))),
        record("long keys, packed", object(300, |k| format!("\"a{k}{}\":{{\"b\":1}}", long(100_000)))),
        record("one long key", format!(r#"{{"{}":{}}}"#, long(500_000), array(200_000, "1"))),
        record("keys apart", object(30_000, |k| format!("\"a.k{k:x}\":\"{}\"", long(1_000)))),
        record("many parts", format!(r#"{{"a{}":{{"b":1}},"a":2}}"#, ".b".repeat(400_000))),
        record("deep", format!("{}{}{}", r#"{"a":"#.repeat(500), array(400_000, "1"), "}".repeat(500))),
        record("deep arrays", format!(r#"{{"a":{}}}"#, array(900, &format!("{}{}", "[".repeat(500), "]".repeat(500))))),
        record("long text", format!(r#"{{"a":"{}"}}"#, "x".repeat(32 << 20))),
        record("long text, not ASCII", format!(r#"{{"a":"{}"}}"#, "ä".repeat(16 << 20))),
        record("escapes", format!(r#"{{"a":"{}"}}"#, "\\n".repeat(500_000))),
        record("escapes, packed", format!(r#"{{"a":"{}"}}"#, "\\u00e4".repeat(1_000_000))),
        record("pairs", format!(r#"{{"a":"{}"}}"#, "\\ud83d\\ude00".repeat(85_000))),
        record("halves", format!(r#"{{"a":{}}}"#, array(100_000, r#""\ud800""#))),
        record("digits", format!(r#"{{"a":{}}}"#, "7".repeat(1 << 20))),
        record("numbers", format!(r#"{{"a":{}}}"#, array(60_000, "-1234.5678e10"))),
        record("one key too many", object(80_001, |k| format!("\"k{:x}\":1", k % 80_000))),
        record("nearly JSON", format!(r#"{{"a":{}"#, array(500_000, "1"))),
        record("white space", format!("{{\"a\":{}1}}", " ".repeat(30 << 20))),
    ]
}
