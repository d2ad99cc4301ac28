//! Generated programs of reads, writes, loops and exceptions, run in our runtime and in Node over the SDK's plain
//! event: they must come to the same documents.

use super::{root, started, told};
use crate::support::Way;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// How many programs a run of all tests compares; `make javascript-programs` asks for 10,000.
const PROGRAMS: u64 = 300;

/// The variable that asks for another number.
const COUNT: &str = "JAVASCRIPT_PROGRAMS";

/// Programs that one Node process is given, so that no pipe fills up.
const PROGRAMS_A_PROCESS: usize = 500;

const PATHS: [&str; 16] = [
    "a",
    "b",
    "a.b",
    "a.b.c",
    "b.c",
    "list",
    "list[0]",
    "list[1]",
    "list[2].x",
    "list[3]",
    "list[0][1]",
    "n",
    "s",
    "a.list[0].x",
    "new.x.y",
    "",
];
const PATTERNS: [&str; 8] = ["a.*", "list[*]", "list[*].x", "*", "a.b", "list.x", "*.c", "list[1]"];
const VALUES: [&str; 22] = [
    "0",
    "1",
    "-7",
    "1.5",
    "-0",
    "2 ** 53",
    "2 ** 53 - 1",
    "9007199254740993n",
    "-123456789012345678901234567890n",
    "1e21",
    "1e-7",
    "5e-324",
    "''",
    "'ä😀'",
    "'\\ud800'",
    "'line\\n\"q\"'",
    "true",
    "null",
    "[]",
    "{}",
    "[1, [2, 'x'], { x: 3n }]",
    "{ b: { c: -0 }, x: [null] }",
];
/// Values that have no JSON.
const REFUSED: [&str; 5] = ["undefined", "NaN", "{ x: [1, Infinity] }", "() => 1", "[, 1]"];

/// What the programs share: `log` collects what they saw.
const FRAME: &str = r#"(event, { reject, retry, send }) => {
  const log = [];
  const special = (k, v) => typeof v === "bigint" ? `${v}n` : Object.is(v, -0) ? "-0" : v === undefined ? "undefined" : v;
  const show = (value) => JSON.stringify(value, special) ?? "undefined";
  // How long half a surrogate pair is, is the host's to say.
  const size = (path) => typeof event.get(path) === "string" && event.text(path) === undefined ? "odd" : event.length(path);
  const seen = (one) => one.derive({ log: show(log), doc: show(one.get()) });
  let n = 1;
"#;

#[test]
fn generated_programs_come_to_what_they_come_to_in_node() {
    if !Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        tests::skip("generated programs in Node", "node", "a package of your system");
        return;
    }
    let count = std::env::var(COUNT).ok().and_then(|count| count.parse().ok()).unwrap_or(PROGRAMS);
    let programs: Vec<(String, String)> = (1..=count).map(|seed| Generator(seed).program()).collect();
    let theirs: Vec<String> = programs.chunks(PROGRAMS_A_PROCESS).flat_map(in_node).collect();
    let mut kinds = std::collections::BTreeMap::<String, u64>::new();
    for (seed, ((program, record), theirs)) in (1..).zip(programs.iter().zip(&theirs)) {
        let text = format!(
            "import * as paddlewheel from 'paddlewheel';\nconst f = {program};\nexport default (event) => f(event, paddlewheel);"
        );
        let mut runner =
            started(Way::Flat, &[("p.js", &text)], "").unwrap_or_else(|error| panic!("{seed}: {error}\n{text}"));
        let ours = told(&mut runner, record);
        let ours = ours.lines().next().unwrap_or_default();
        *kinds.entry(ours.split(':').next().unwrap_or_default().chars().take(12).collect()).or_default() += 1;
        assert_eq!(parsed(ours), parsed(theirs), "program {seed} of {record}:\n{program}");
    }
    // Programs that all end the same way would compare nothing.
    assert!(kinds.len() >= 4, "{kinds:?}");
}

/// Documents compare as values, all else as text.
fn parsed(told: &str) -> Vec<Value> {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(told).into_iter().collect();
    documents.unwrap_or_else(|_| vec![json!(told)])
}

fn in_node(programs: &[(String, String)]) -> Vec<String> {
    let mut node = Command::new("node")
        .arg(root().join("tests/it/javascript/differential.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut lines = String::new();
    for (program, record) in programs {
        writeln!(lines, "{}", json!({ "program": program, "record": record })).expect("writing to a string succeeds");
    }
    // It reads all before it writes.
    node.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("node reads");
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success(), "node failed");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let told: Vec<String> = told.lines().map(|line| serde_json::from_str(line).expect("a JSON text")).collect();
    assert_eq!(told.len(), programs.len());
    told
}

/// The same seed makes the same program.
struct Generator(u64);

impl Generator {
    /// Below `bound` (splitmix64).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn program(mut self) -> (String, String) {
        // Neighbouring seeds begin far apart.
        self.0 = self.0.wrapping_mul(0xD134_2543_DE82_EF95);
        let record = self.record();
        let mut text = FRAME.to_owned();
        for _ in 0..3 + self.below(8) {
            self.statement(&mut text, 2);
        }
        let end = self.one(&[
            "return seen(event);",
            "return seen(event);",
            "return seen(event);",
            "return [seen(event), seen(event.copy())];",
            "return [];",
            "return [seen(event), log.length];",
            "return reject('not thrown');",
            "throw retry(show(log));",
        ]);
        writeln!(text, "  {end}\n}}").expect("writing to a string succeeds");
        (text, record)
    }

    fn record(&mut self) -> String {
        let mut fields = Vec::new();
        for name in ["a", "b", "list", "n", "s"] {
            if self.below(5) > 0 {
                let value = self.json(3, name == "list");
                fields.push(format!("{}:{value}", json!(name)));
            }
        }
        format!("{{{}}}", fields.join(","))
    }

    fn json(&mut self, depth: usize, array: bool) -> String {
        if depth > 0 && (array || self.below(3) == 0) {
            let elements: Vec<String> = (0..self.below(4)).map(|_| self.json(depth - 1, false)).collect();
            return format!("[{}]", elements.join(","));
        }
        if depth > 0 && self.below(2) == 0 {
            let mut members = Vec::new();
            for name in ["b", "c", "x", "list"] {
                if self.below(2) == 0 {
                    let value = self.json(depth - 1, name == "list");
                    members.push(format!("\"{name}\":{value}"));
                }
            }
            return format!("{{{}}}", members.join(","));
        }
        let scalars = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "-42",
            "1.0",
            "1e3",
            "0.1",
            "9007199254740991",
            "9007199254740993",
            "-9223372036854775809",
            "1e400",
            "\"\"",
            "\"x\"",
            "\"\\u00e4\\n\"",
            "\"\\ud83d\\ude00\"",
            "\"\\udc00\"",
            "\"\u{2028}€\"",
        ];
        // The host and Node agree that 1e400 is no number; both then have another document.
        let scalar = self.one(&scalars);
        (if scalar == "1e400" { "1e30" } else { scalar }).to_owned()
    }

    fn statement(&mut self, text: &mut String, indent: usize) {
        let pad = " ".repeat(indent);
        let (path, other, pattern) = (self.one(&PATHS), self.one(&PATHS), self.one(&PATTERNS));
        let value = if self.below(20) == 0 { self.one(&REFUSED) } else { self.one(&VALUES) };
        let line = match self.below(17) {
            0 | 1 => format!("log.push(event.get('{path}'));"),
            2 => format!("log.push(event.text('{path}'), event.has('{other}'), size('{path}'));"),
            3 => format!("log.push(event.keys('{path}'));"),
            4 => format!("log.push(event.expand('{pattern}'));"),
            5 if self.below(6) == 0 => format!("event.set('{path}', {value});"),
            5..=7 => format!(
                "try {{ event.set('{path}', {value}); }} catch (error) {{ log.push(`${{error.name}}: ${{error.message}}`); }}"
            ),
            8 => format!("log.push(event.remove('{pattern}'));"),
            9 => format!("log.push(event.replaceText('{pattern}', '***'));"),
            10 => format!("log.push(event.rename('{path}', '{other}'));"),
            11 => format!("n = (n * 31 + (Number(size('{path}') ?? 7) || 0)) | 0; log.push(n);"),
            12 => {
                return self.block(text, indent, &format!("for (let i = 0; i < {}; i++)", self.0 % 4));
            }
            13 => return self.block(text, indent, &format!("if (event.has('{path}'))")),
            14 => return self.block(text, indent, &format!("for (const name of event.expand('{pattern}'))")),
            15 => format!(
                "{{ const tree = event.get('{path}'); if (Array.isArray(tree)) tree.push({value}); \
                 try {{ event.set('{other}', tree); }} catch (error) {{ log.push(error.message); }} }}"
            ),
            _ if self.below(12) == 0 => {
                self.one(&["throw reject(`no ${n}`);", "throw new RangeError('ä' + n);", "throw `${n}`;"]).to_owned()
            }
            _ => format!("{{ const copy = event.copy(); copy.remove('{pattern}'); log.push(copy.get()); }}"),
        };
        writeln!(text, "{pad}{line}").expect("writing to a string succeeds");
    }

    fn block(&mut self, text: &mut String, indent: usize, head: &str) {
        let pad = " ".repeat(indent);
        writeln!(text, "{pad}{head} {{").expect("writing to a string succeeds");
        if indent < 8 {
            for _ in 0..1 + self.below(3) {
                self.statement(text, indent + 2);
            }
        }
        writeln!(text, "{pad}}}").expect("writing to a string succeeds");
    }
}
