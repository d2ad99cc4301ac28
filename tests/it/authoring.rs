//! From nothing to a tested plugin, as a person does it: `paddle new`, `paddle add`, `paddle build`, `paddle test`, in
//! every language and with every template.

use serde_json::Value;
use tests::desk::Desk;

const TEMPLATES: [&str; 4] = ["filter", "enrich", "parse", "fan-out"];

/// A project with a plugin of each template, or none where the language's tools are not there.
fn project(language: &str, tool: &str, needs: &str) -> Option<Desk> {
    let mut desk = Desk::empty();
    desk.use_caches();
    if language == "ts" {
        desk.link_tool("esbuild/node_modules", "node_modules");
    }
    desk.write("paddle.toml", "[pipeline]\nname = \"shop\"\n");
    for template in TEMPLATES {
        let told = desk.json(&["add", template, "--language", language, "--template", template]);
        if let Some(missing) = told["missing"].as_object() {
            assert!(missing["command"].as_str().is_some_and(|command| !command.is_empty()), "{told}");
            tests::skip(&format!("plugins in {language} from nothing"), tool, needs);
            return None;
        }
    }
    Some(desk)
}

/// What was added is built, and each plugin's test passes alone; a break of the source is shown in the compiler's
/// words.
fn check(desk: &Desk, source: &str) {
    let built = desk.json(&["build"]);
    let names: Vec<&str> =
        built.as_array().expect("a list").iter().filter_map(|built| built["name"].as_str()).collect();
    assert_eq!(names, TEMPLATES, "{built}");
    assert!(built.as_array().is_some_and(|all| all.iter().all(|built| built["bytes"].as_u64() > Some(0))), "{built}");
    let told = desk.json(&["test"]);
    assert_eq!(told["failed"], 0, "{told:#}");
    let cases: Vec<&str> =
        told["cases"].as_array().expect("a list").iter().filter_map(|case| case["case"].as_str()).collect();
    assert_eq!(cases, TEMPLATES.map(|template| format!("{template}/first")), "{told}");
    let alone = desk.json(&["test", "plugins/parse"]);
    assert_eq!((alone["failed"].as_u64(), alone["cases"].as_array().map(Vec::len)), (Some(0), Some(1)), "{alone}");
    let again = desk.json(&["build", "plugins/filter"]);
    assert_eq!((&again[0]["changed"], &again[0]["digest"]), (&Value::Bool(false), &built[0]["digest"]), "{again}");

    let file = desk.path("project/plugins/filter").join(source);
    let text = std::fs::read_to_string(&file).expect("there");
    std::fs::write(&file, format!("{text}\n)\n")).expect("written");
    let ran = desk.run(&["build"]);
    assert!(ran.code == 3 && ran.err.contains(source), "the compiler's words name the file: {ran:#?}");
}

#[test]
fn javascript_from_nothing() {
    check(&project("js", "nothing", "nothing").expect("JavaScript needs no tools"), "plugin.js");
}

#[test]
fn typescript_from_nothing() {
    if let Some(desk) = project("ts", "esbuild", "npm") {
        check(&desk, "plugin.ts");
    }
}

#[test]
fn python_from_nothing() {
    check(&project("py", "nothing", "nothing").expect("Python needs no tools"), "plugin.py");
}

#[test]
fn rust_from_nothing() {
    if let Some(desk) = project("rust", "Rust's target", "rustup") {
        check(&desk, "src/lib.rs");
    }
}

/// A plugin that uses what Rust's library has only where there is a system.
const STAMP: &str = r#"
use paddlewheel::prelude::*;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Deserialize)]
struct Stamp {}

impl Plugin for Stamp {
    fn transform(&self, event: Event) -> Answer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later");
        println!("at {now:?}");
        event.set("at", &Value::Integer(now.as_millis() as i64))?;
        keep(event)
    }
}

paddlewheel::plugin!(Stamp);
"#;

#[test]
fn a_plugin_in_rust_gets_the_system_that_it_asks_for() {
    if !tests::guests::has_preview1("plugins in Rust with a system") {
        return;
    }
    let mut desk = Desk::empty();
    desk.use_caches();
    desk.write("paddle.toml", "[pipeline]\nname = \"shop\"\n");
    desk.ok(&["add", "stamp", "--language", "rust"]);
    let manifest = std::fs::read_to_string(desk.path("project/plugins/stamp/Cargo.toml")).expect("there");
    let with = |target: &str| format!("{manifest}\n[package.metadata.paddlewheel]\ntarget = \"{target}\"\n");
    desk.write("plugins/stamp/src/lib.rs", STAMP);
    desk.write("paddle.toml", "[pipeline]\nname = \"shop\"\n\n[[step]]\nplugin = \"./plugins/stamp\"\n");

    desk.write("plugins/stamp/Cargo.toml", &with("wasm32-wasip2"));
    desk.fails(
        &["build"],
        3,
        "[package.metadata.paddlewheel] in its Cargo.toml: the target is wasm32-unknown-unknown or wasm32-wasip1, not `wasm32-wasip2`",
    );
    desk.write("plugins/stamp/Cargo.toml", &with("wasm32-wasip1"));
    let built = desk.json(&["build"]);
    let imports = built[0]["imports"].to_string();
    assert!(imports.contains("wasi:clocks/wall-clock") && !imports.contains("preview1"), "{built}");
    desk.ok(&["test", "plugins/stamp", "--update"]);
    let told = desk.json(&["test"]);
    assert_eq!(told["failed"], 0, "time stands still in tests: {told:#}");
    let expected = std::fs::read_to_string(desk.path("project/plugins/stamp/tests/first/expected.ndjson"));
    assert!(expected.as_ref().is_ok_and(|text| text.contains("\"at\":1")), "{expected:?}");
}

#[test]
fn go_from_nothing() {
    if let Some(desk) = project("go", "Go", "Go") {
        check(&desk, "plugin.go");
    }
}

#[test]
fn c_from_nothing() {
    if let Some(desk) = project("c", "clang", "root on Debian") {
        check(&desk, "plugin.c");
    }
}

#[test]
fn a_new_project_runs_at_once() {
    let desk = Desk::empty();
    let told = desk.ok(&["new", "clickstream"]);
    assert!(told.contains("cd clickstream") && told.contains("plugins/enrich/plugin.js"), "{told}");
    let inside = |arguments: &[&str]| {
        let output =
            desk.command(arguments).current_dir(desk.path("project/clickstream")).output().expect("paddle runs");
        tests::desk::Ran::of(&output)
    };
    let ran = inside(&["run", "-i", "samples/events.ndjson"]);
    assert!(ran.code == 0 && ran.out.lines().count() == 4 && ran.out.contains("\"slow\":true"), "{ran:#?}");
    for arguments in [&["test"][..], &["check"], &["build"]] {
        let ran = inside(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:#?}");
    }
    // An editor's current file stands for the plugin, and nothing is said of building what needs none.
    let ran = inside(&["test", "plugins/enrich/plugin.js"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:#?}");
    // A second step leaves the first one's test as it was.
    assert_eq!(inside(&["add", "orders", "--template", "fan-out"]).code, 0);
    assert_eq!(inside(&["test"]).code, 0);

    desk.fails(&["new", "clickstream"], 2, "is there already, and not empty");
    desk.fails(&["new", "a b"], 2, "not a valid pipeline name");
    desk.fails(&["add", "enrich"], 2, "paddle new NAME");
    std::fs::write(desk.path("project/file"), "").expect("written");
    desk.fails(&["new", "file/inside"], 4, "write file/inside/paddle.toml");
}
