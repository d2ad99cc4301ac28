//! A script as a step, by all ways that lead to production: run, tested, packaged, published and taken by hosts.

use serde_json::json;
use tests::desk::Desk;

const SCRIPT: &str = "import { tier } from \"./lib/tiers.js\";
let region;
export function init(config) {
  if (typeof config.region !== \"string\") throw new Error(\"`region` is missing\");
  region = config.region;
}
export function transform(event) {
  event.set(\"region\", region);
  event.set(\"tier\", tier(event.get(\"user.spent\") ?? 0));
}
";

fn project(config: &str) -> Desk {
    let mut desk = Desk::empty();
    desk.write(
        "paddle.toml",
        &format!("[pipeline]\nname = \"shop\"\n[[step]]\nplugin = \"./plugins/enrich.js\"\n{config}\n"),
    );
    desk.write("plugins/enrich.js", SCRIPT);
    desk.write("plugins/lib/tiers.js", "export const tier = (spent) => spent > 100 ? \"gold\" : \"basic\";\n");
    desk.write("events.ndjson", "{\"user\":{\"spent\":250}}\n{\"user\":{}}\n");
    let store = desk.path("store").display().to_string();
    desk.set("PADDLE_STORE", &store);
    desk
}

const EU: &str = "config = { region = \"eu\" }";

#[test]
fn a_script_runs_without_being_built() {
    let desk = project(EU);
    let out = desk.ok(&["run", "-i", "events.ndjson"]);
    assert!(out.starts_with("{\"user\":{\"spent\":250},\"region\":\"eu\",\"tier\":\"gold\",\"paddle_id\""), "{out}");
    let built = desk.json(&["build"]);
    assert_eq!(
        (&built[0]["language"], &built[0]["file"]),
        (&json!("JavaScript"), &json!("plugins/enrich.js")),
        "{built}"
    );
    let told = desk.ok(&["build"]);
    assert!(
        told.contains("runs in  the ready-made plugin `javascript`") && told.contains("modules  lib/tiers.js"),
        "{told}"
    );

    // The long form means the same.
    let long = "[[step]]\nname = \"enrich\"\nplugin = \"javascript\"\nconfig = { region = \"eu\" }\n\
        assets = { script = \"./plugins/enrich.js\", \"lib/tiers.js\" = \"./plugins/lib/tiers.js\" }\n";
    desk.write("long.toml", &format!("[pipeline]\nname = \"shop\"\n{long}"));
    assert_eq!(desk.ok(&["run", "long.toml", "-i", "events.ndjson"]), out);
    assert_eq!(desk.ok(&["run", "plugins/enrich.js", "-i", "events.ndjson"]), out, "with its step's config");
}

#[test]
fn a_script_is_shown_as_what_it_is() {
    let desk = project(EU);
    let shown = desk.ok(&["inspect", "plugins/enrich.js"]);
    let lines: Vec<&str> = shown.lines().collect();
    let size = SCRIPT.len();
    assert!(lines[0].starts_with("enrich: script, 2 files, "), "{shown}");
    assert_eq!(lines[1], format!("  plugins/enrich.js, {size} B"), "{shown}");
    assert!(
        shown.contains("\n  plugins/lib/tiers.js, ") && shown.contains("runs in the ready-made plugin `javascript`")
    );
    let told = desk.json(&["inspect", "plugins/enrich.js"]);
    let digest = lambda::digest(SCRIPT.as_bytes());
    assert_eq!(told["script"][0], json!({"file": "plugins/enrich.js", "bytes": size, "digest": digest}), "{told:#}");
    assert_eq!(told["contract"]["kept"], true, "{told:#}");
    assert_eq!(desk.json(&["inspect", "javascript"])["script"], json!(null));
    // Its size is its own, not the runtime's.
    let checked = desk.json(&["check"]);
    assert!(
        checked["steps"][0]["bytes"].as_u64().is_some_and(|bytes| bytes > size as u64 && bytes < 2_000),
        "{checked}"
    );
}

#[test]
fn what_is_wrong_with_a_script_is_told_with_its_place() {
    let desk = project(EU);
    let failing = |script: &str, code: i32, words: &[&str]| {
        desk.write("plugins/enrich.js", script);
        let ran = desk.fails(&["run", "-i", "events.ndjson"], code, words[0]);
        assert!(words.iter().all(|word| ran.err.contains(word)), "{words:?}: {ran:#?}");
    };
    failing(
        "export function transform(event) {\n  event.set(\"a\" 1);\n}\n",
        3,
        &["SyntaxError", "plugins/enrich.js:2:"],
    );
    failing("export function transfrom(event) {}\n", 3, &["transform"]);
    failing("import { x } from \"./lib/none.js\";\nexport function transform() {}\n", 3, &["lib/none.js"]);
    failing("import { readFileSync } from \"node:fs\";\nexport function transform() {}\n", 3, &["node:fs"]);
    failing("throw new Error(\"größer\");\nexport function transform() {}\n", 3, &["größer", "plugins/enrich.js:1:"]);
    let desk = project("");
    desk.fails(&["run", "-i", "events.ndjson"], 2, "`region` is missing");
}

#[test]
fn a_release_holds_the_script_and_a_changed_one_compiles_nothing() {
    let desk = project(EU);
    desk.ok(&["keygen"]);
    desk.ok(&["test", "--add", "tiers", "-i", "events.ndjson"]);
    let first = desk.publish();
    let blobs = || std::fs::read_dir(desk.path("store/blobs/sha256")).expect("a store").count();
    let before = blobs();
    desk.write("plugins/enrich.js", &SCRIPT.replace("\"region\", region", "\"region\", `${region}-1`"));
    desk.fails(&["publish", "--to", "live"], 5, "1 test failed");
    desk.ok(&["test", "--update"]);
    let told = desk.ok(&["publish", "--to", "live", "--allow-slower"]);
    assert!(told.contains("script"), "what changes is told: {told}");
    // The new script and the new test records: no component, and no machine code.
    assert_eq!(blobs(), before + 2);
    desk.ok(&["rollback", "--why", "a test"]);
    let status = desk.json(&["releases"]);
    assert!(status.to_string().contains(&first[..12]), "{status}");
}

#[test]
fn files_of_a_step_are_bounded_and_named() {
    let desk = project("config = { region = \"eu\" }\nassets = { words = \"./missing.txt\" }");
    desk.fails(&["run", "-i", "events.ndjson"], 2, "step `enrich`: read missing.txt, its file `words`");
}
