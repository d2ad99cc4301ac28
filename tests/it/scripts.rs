//! A script as a step, by all ways that lead to production: run, tested, packaged, published and taken by hosts.

use serde_json::json;
use std::io::{Cursor, Write as _};
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

/// A project whose plugin in Python uses a package.
fn geo() -> Desk {
    let mut desk = Desk::empty();
    desk.use_caches();
    let store = desk.path("store").display().to_string();
    desk.set("PADDLE_STORE", &store);
    desk.write("paddle.toml", "[pipeline]\nname = \"shop\"\n[[step]]\nplugin = \"./plugins/geo\"\n");
    desk.write(
        "plugins/geo/plugin.py",
        "import tiers\n\n\ndef transform(event):\n    event.set(\"tier\", tiers.FIRST)\n",
    );
    desk.write("plugins/geo/packages/tiers/__init__.py", "from tiers.names import FIRST\n");
    desk.write("plugins/geo/packages/tiers/names.py", "FIRST = \"gold\"\n");
    desk.write("plugins/geo/packages/tiers/other.py", "raise RuntimeError(\"nobody imports this\")\n");
    desk.write("events.ndjson", "{\"a\":1}\n");
    desk
}

#[test]
fn packages_of_python_travel_in_a_release_and_a_missing_one_is_explained() {
    let desk = geo();
    let out = desk.ok(&["run", "-i", "events.ndjson"]);
    assert!(out.starts_with("{\"a\":1,\"tier\":\"gold\","), "{out}");
    desk.ok(&["keygen"]);
    desk.ok(&["test", "--add", "tiers", "-i", "events.ndjson"]);
    desk.publish();
    let files = desk.ok(&["inspect", "."]);
    assert!(files.contains("geo: script, 2 files"), "{files}");
    // The packages change, not the plugin.
    let blobs = || std::fs::read_dir(desk.path("store/blobs/sha256")).expect("a store").count();
    let before = blobs();
    desk.write("plugins/geo/packages/tiers/names.py", "FIRST = \"silver\"\n");
    desk.ok(&["test", "--update"]);
    desk.ok(&["publish", "--to", "live", "--allow-slower"]);
    assert_eq!(blobs(), before + 2, "the new archive and the new test records");

    std::fs::remove_dir_all(desk.path("project/plugins/geo/packages")).expect("it was there");
    let told =
        "load the plugin of step `geo`: the script cannot be loaded: ModuleNotFoundError: No module named 'tiers'";
    let ran = desk.fails(&["build"], 3, told);
    let hint = "  A plugin with packages is a folder with a plugin.py and a requirements.txt that names them; `paddle build` says how to \
        install them.";
    assert!(ran.err.ends_with(&format!("{told}\n  at <module> (plugins/geo/plugin.py:1)\n{hint}\n")), "{ran:#?}");
}

/// What is found in the project's folder may have been committed, or come out of a CI's cache.
#[test]
fn archives_that_another_put_there_are_made_again() {
    let desk = geo();
    let run = || desk.ok(&["run", "-i", "events.ndjson"]);
    let expected = run();
    let other = geo();
    other.write("plugins/geo/packages/tiers/names.py", "FIRST = \"evil\"\n");
    assert!(other.ok(&["run", "-i", "events.ndjson"]).contains("\"evil\""), "the other's archives hold other code");
    let file = |desk: &Desk, name: &str| desk.path("project/.paddle/build/geo").join(name);
    for swapped in [
        // The archives alone, beside the marks of what was there.
        &["packages.bytecode.zip"][..],
        &["packages.zip"],
        // With the marks of whoever made them.
        &["packages.bytecode.zip", "packages.bytecode.inputs"],
        &["packages.zip", "packages.inputs", "packages.bytecode.zip", "packages.bytecode.inputs"],
    ] {
        let ours: Vec<Vec<u8>> = swapped.iter().map(|name| std::fs::read(file(&desk, name)).expect("made")).collect();
        for name in swapped {
            std::fs::copy(file(&other, name), file(&desk, name)).expect("copied");
        }
        assert_eq!(run(), expected, "{swapped:?}");
        for (name, ours) in swapped.iter().zip(ours) {
            assert!(std::fs::read(file(&desk, name)).expect("made") == ours, "{name} is made again");
        }
    }
    // What nobody touched is not made again.
    let built = |desk: &Desk| std::fs::metadata(file(desk, "packages.bytecode.zip")).and_then(|file| file.modified());
    let before = built(&desk).expect("there");
    run();
    assert_eq!(built(&desk).expect("there"), before);
}

#[test]
fn what_a_plugin_in_python_imports_is_bytecode() {
    let desk = geo();
    desk.ok(&["build"]);
    let file = desk.path("project/.paddle/build/geo/packages.bytecode.zip");
    let bytes = std::fs::read(&file).expect("it was made");
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).expect("it is one");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("UTF-8").into_owned()).collect();
    let cached = |module: &str| format!("tiers/__pycache__/{module}.cpython-313.pyc");
    let sources = ["__init__", "names", "other"].map(|module| format!("tiers/{module}.py"));
    assert_eq!(names, Vec::from_iter(sources.into_iter().chain([cached("__init__"), cached("names")])));
    let elsewhere = geo();
    elsewhere.ok(&["build"]);
    let again = std::fs::read(elsewhere.path("project/.paddle/build/geo/packages.bytecode.zip")).expect("it was made");
    assert!(again == bytes, "the same packages give the same bytes");
    // It is what runs: with another source beside it, nothing else comes out.
    let mut other = zip::ZipWriter::new(std::fs::File::create(desk.path("project/other.zip")).expect("it can be made"));
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).expect("it is there");
        if entry.name().expect("UTF-8") == "tiers/names.py" {
            other.start_file("tiers/names.py", zip::write::SimpleFileOptions::default()).expect("written");
            other.write_all(b"FIRST = \"other\"\n").expect("written");
        } else {
            other.raw_copy_file(entry).expect("written");
        }
    }
    other.finish().expect("written");
    let step =
        "[[step]]\nplugin = \"python\"\nassets = { script = \"plugins/geo/plugin.py\", packages = \"other.zip\" }\n";
    desk.write("other.toml", step);
    let out = desk.ok(&["run", "other.toml", "-i", "events.ndjson"]);
    assert!(out.starts_with("{\"a\":1,\"tier\":\"gold\","), "{out}");
    // A script that cannot be imported is told of as any other, and so is one that does not end.
    for (script, words) in
        [("import tiers\n1 / 0\n", "`: the script cannot be loaded: ZeroDivisionError"), ("while True: pass\n", "`")]
    {
        desk.write("plugins/geo/plugin.py", script);
        desk.fails(&["build"], 3, &format!("load the plugin of step `geo{words}"));
    }
}
