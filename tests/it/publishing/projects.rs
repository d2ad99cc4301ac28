//! What people see while they work on a project: why a test failed, that plugins are being built, what became of a
//! record.

use super::Desk;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::programs::program;

/// The failures of one case, as `test --format json` gives them.
fn why(desk: &Desk, case: &str) -> Vec<Value> {
    let ran = desk.run(&["test", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &told["failed"]), (1, &json!(1)), "{told}");
    let cases = told["cases"].as_array().expect("a list");
    for told in cases {
        assert_eq!(told["passed"], told["why"] == json!([]), "{told}");
    }
    let told = cases.iter().find(|told| told["case"] == case).expect("it ran");
    told["why"].as_array().expect("a list").clone()
}

#[test]
fn a_failing_test_says_why_in_json_too() {
    let desk = Desk::without_key();
    desk.edit("\"user.ip\", ", "");
    let told = why(&desk, "secrets-are-masked");
    assert_eq!(told.len(), 1, "{told:?}");
    let answer = &told[0];
    assert_eq!((&answer["kind"], &answer["event"]), (&json!("answer"), &json!(1)));
    assert_eq!(answer["place"], "line 1 of tests/secrets-are-masked/input.ndjson");
    let ip = |answer: &Value| answer["out"][0]["document"]["user"]["ip"].clone();
    assert_eq!((ip(&answer["expected"]), ip(&answer["actual"])), (json!("***"), json!("198.51.100.23")));
    let difference: Vec<&str> =
        answer["difference"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert!(difference.iter().any(|line| line.starts_with('-') && line.contains("\"ip\": \"***\"")), "{difference:?}");
    assert!(difference.iter().any(|line| line.starts_with('+') && line.contains("198.51.100.23")), "{difference:?}");

    desk.edit("fields = [\"user.email\", ", "fields = [\"user.email\", \"user.ip\", ");
    desk.write("tests/secrets-are-masked/fuel.json", "{\"filter\": 1}");
    let told = why(&desk, "secrets-are-masked");
    assert_eq!(
        (&told[0]["kind"], &told[0]["step"], &told[0]["expected"]),
        (&json!("fuel"), &json!("filter"), &json!(1))
    );
    assert!(told[0]["actual"].as_u64().is_some_and(|fuel| fuel > 100), "{told:?}");
    std::fs::remove_file(desk.path("project/tests/secrets-are-masked/expected.ndjson")).expect("it was there");
    assert_eq!(why(&desk, "secrets-are-masked"), [json!({"kind": "nothing-expected"})]);
    desk.write("tests/secrets-are-masked/expected.ndjson", "");
    let told = why(&desk, "secrets-are-masked");
    let count = told.iter().find(|wrong| wrong["kind"] == "count").expect("it is counted");
    assert_eq!((&count["expected"], &count["actual"]), (&json!(0), &json!(4)));
    assert_eq!(told[0]["expected"], Value::Null);
}

/// A desk that finds this machine's compilers, with a plugin that is warned of.
fn desk_with_plugin() -> Desk {
    let mut desk = Desk::without_key();
    for (name, usual) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let home = || std::env::home_dir().map(|home| home.join(usual));
        if let Some(folder) = std::env::var_os(name).map(PathBuf::from).or_else(home).filter(|folder| folder.is_dir()) {
            desk.set(name, &folder.display().to_string());
        }
    }
    // Where the toolchain's own tests have compiled what plugins need.
    let target = program("paddle").ancestors().nth(2).expect("target/debug/paddle").join("tmp/plugins");
    desk.write("enrich/.cargo/config.toml", &format!("[build]\ntarget-dir = \"{}\"\n", target.display()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let manifest = format!(
        "[package]\nname = \"enrich\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n\
         [dependencies]\npaddlewheel = {{ path = \"{}\" }}\nserde = \"1\"\n[workspace]\n",
        root.join("plugins/sdk/rust").display()
    );
    desk.write("enrich/Cargo.toml", &manifest);
    // Another plugin each time, so that there is something to build.
    let mark = desk.path("").display().to_string();
    let source = "use paddlewheel::prelude::*;\n#[derive(Deserialize)]\nstruct Enrich {}\nimpl Plugin for Enrich {\n    \
                  fn transform(&self, event: Event) -> Answer {\n        let forgotten = 1;\n        \
                  event.set_text(\"mark\", \"MARK\")?;\n        keep(event)\n    }\n}\npaddlewheel::plugin!(Enrich);\n";
    desk.write("enrich/src/lib.rs", &source.replace("MARK", &mark));
    std::fs::copy(root.join("plugins/Cargo.lock"), desk.path("project/enrich/Cargo.lock")).expect("copied");
    desk
}

#[test]
fn building_is_told_where_no_terminal_shows_it() {
    let desk = desk_with_plugin();
    let ran = desk.run(&["build", "enrich"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.first(), Some(&"building enrich"), "{ran:#?}");
    assert!(lines.get(1).is_some_and(|line| line.starts_with("built enrich in ")), "{ran:#?}");
    assert!(ran.err.contains("warning: unused variable: `forgotten`") && ran.err.contains("src/lib.rs:"), "{ran:#?}");
    // Nothing to do: still said, and still warned of, once.
    desk.write("paddle.toml", "[pipeline]\nname = \"clickstream\"\n[[step]]\nplugin = \"./enrich\"\n");
    std::fs::remove_dir_all(desk.path("project/tests")).expect("the example's");
    desk.ok(&["keygen"]);
    let ran = desk.run(&["publish"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    for words in [
        "building enrich\n",
        "enrich is as it was (",
        "unused variable",
        "compiling 1 plugin for ",
        "compiled 1 plugin in ",
    ] {
        assert_eq!(ran.err.matches(words).count(), 1, "{words}: {ran:#?}");
    }
    // One JSON value and what the compiler has to say.
    let ran = desk.run(&["build", "enrich", "--format", "json"]);
    assert!(!ran.err.contains("building") && ran.err.contains("unused variable"), "{ran:#?}");
    serde_json::from_str::<Value>(&ran.out).expect("JSON");
}

#[test]
fn a_dead_letter_is_shown_whole() {
    let desk = Desk::without_key();
    let long = "x".repeat(500);
    let text = format!("first line {long}\n  second line");
    let record = base64_simd::STANDARD.encode_to_string(&text);
    desk.write("bad.ndjson", &format!("{{\"$base64\":\"{record}\"}}\n"));
    let ran = desk.run(&["run", "-i", "bad.ndjson", "--dead-letters", "letters"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    let file =
        std::fs::read_dir(desk.path("project/letters")).expect("a folder").next().expect("a file").expect("an entry");
    let shown = desk.ok(&["dead-letters", "show", &file.path().display().to_string()]);
    assert!(shown.contains(&format!("  data   first line {long}\n           second line\n")), "{shown}");
}
