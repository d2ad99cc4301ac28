//! Texts that would steer a terminal, from every side that `paddle` prints words of: they appear, and do nothing else.

use crate::dev::Dev;
use registry::{HostReport, Minute, Name, Options, Registry, StepMinute, Store, Trust};
use serde_json::json;
use std::collections::BTreeMap;
use tests::desk::{Desk, Ran};

/// A title, an empty screen, colours by one C1 character, a line written over, one character taken back, and text that
/// runs from right to left.
const HOSTILE: &str = "owned\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\rover\u{8}\u{7f}\u{202e}desrever\u{2066}";

/// What is left of it.
const SHOWN: &str =
    "owned\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}31m\u{fffd}over\u{fffd}\u{fffd}\u{fffd}desrever\u{fffd}";

/// A project of one script, which says the hostile text where its record or config asks for it.
fn project() -> Desk {
    let desk = Desk::empty();
    desk.write("paddle.toml", "[pipeline]\nname = \"shop\"\n[[step]]\nplugin = \"./plugins/say.js\"\n");
    let text = json!(HOSTILE);
    desk.write(
        "plugins/say.js",
        &format!(
            "const text = {text};\nexport function init(config) {{ if (config.fail) throw new Error(text); }}\n\
             export function transform(event) {{\n  console.warn(text);\n  if (event.get('fail')) throw new Error(text);\n  \
             event.set('said', text);\n  event.set('f\\u001b\\u009b', 1);\n}}\n"
        ),
    );
    desk.write("events.ndjson", "{\"a\":1}\n{\"fail\":1}\n");
    desk
}

/// Nothing in the output steers the terminal, and these texts are in it.
fn check(what: &str, ran: &Ran, texts: &[&str]) {
    let all = format!("{}{}", ran.out, ran.err);
    let steering = |char: &char| {
        char.is_control() && !matches!(char, '\n' | '\t')
            || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(all.chars().find(steering), None, "{what}: {ran:?}");
    for shown in texts {
        assert!(all.contains(shown), "{what} does not show {shown:?}: {ran:?}");
    }
}

#[test]
fn words_of_plugins_do_not_steer_the_terminal() {
    let desk = project();
    let run = |arguments: &[&str]| desk.run(arguments);
    check("run --changes", &run(&["run", "-i", "events.ndjson", "--changes"]), &[SHOWN]);
    check(
        "run --changes, JSON",
        &run(&["run", "-i", "events.ndjson", "--changes", "--format", "json"]),
        &["\\u009b31m"],
    );
    check("run, no documents", &run(&["run", "-i", "events.ndjson", "--out", "documents"]), &[]);
    desk.write("tests/one/input.ndjson", "{\"fail\":1}\n");
    check("test", &run(&["test"]), &[]);
    let letters = std::fs::read_dir(desk.path("project/.paddle/dead-letters/shop")).expect("written");
    let letters = letters.map(|file| file.expect("a file").path().display().to_string()).next().expect("one file");
    check("dead-letters show", &run(&["dead-letters", "show", &letters]), &[SHOWN]);

    desk.edit("plugin = \"./plugins/say.js\"", "plugin = \"./plugins/say.js\"\nconfig = { fail = true }");
    for command in [&["run", "-i", "events.ndjson"][..], &["check"], &["test"], &["dev", "--listen", "127.0.0.1:0"]] {
        let ran = run(command);
        assert_ne!(ran.code, 0, "{command:?}: {ran:?}");
        check(&format!("{command:?}, refused by init"), &ran, &[SHOWN]);
    }
}

#[test]
fn forged_dead_letters_do_not_steer_the_terminal() {
    let desk = Desk::empty();
    let data = base64_simd::STANDARD.encode_to_string(HOSTILE);
    let letter = json!({
        "id": HOSTILE, "arrived_at": HOSTILE, "step": HOSTILE, "kind": HOSTILE, "message": HOSTILE,
        "log": [{"level": HOSTILE, "message": HOSTILE}], "data": data, "input": data,
    });
    desk.write("letters.ndjson", &format!("{letter}\n"));
    let shown = desk.run(&["dead-letters", "show", "letters.ndjson"]);
    check("show", &shown, &[SHOWN]);
    assert_eq!(shown.out.matches(SHOWN).count(), 9, "{shown:?}");
    check("--data", &desk.run(&["dead-letters", "show", "letters.ndjson", "--data"]), &["{\"$base64\":"]);
    let json = desk.run(&["dead-letters", "show", "letters.ndjson", "--format", "json"]);
    check("JSON", &json, &["\\u202edesrever"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json.out).expect("JSON"), letter);
}

#[test]
fn words_of_records_do_not_steer_the_terminal_of_dev() {
    let desk = project();
    let dev = Dev::start(&desk, &["--out", "documents"]);
    dev.post("{\"fail\":1}");
    let line = dev.said("dead letter say: ");
    check("dev", &Ran { code: 0, out: String::new(), err: line }, &[SHOWN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_hosts_do_not_steer_the_terminal_of_status() {
    let desk = Desk::new();
    desk.publish();
    let store = Store::open(&desk.store().display().to_string(), &Options::default()).expect("a store");
    let registry = Registry::new(store, Name::new("clickstream").expect("a name"), Trust::Unsigned);
    let now_ms = (lambda::Clock::system().wall_ms)();
    let mut report = HostReport::new(Name::new("live").expect("a name"), now_ms);
    report.paddle = HOSTILE.to_owned();
    report.minute = Some(Minute {
        span_ms: 60_000,
        events: 1,
        documents: 1,
        dropped: 0,
        failures: BTreeMap::from([(HOSTILE.to_owned(), 1)]),
        steps: BTreeMap::from([(HOSTILE.to_owned(), StepMinute { events: 1, time_ns: 1 })]),
        deadline_stops: 0,
        iterator_age_ms: 0,
    });
    registry.write_host(&Name::new("forged").expect("a name"), &report).await.expect("written");
    check("status", &desk.run(&["status"]), &["forged"]);
    check("status, JSON", &desk.run(&["status", "--format", "json"]), &["forged"]);
}
