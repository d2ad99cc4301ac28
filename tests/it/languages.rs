//! One plugin in every language: built as `paddle build` builds it, and run through the real engine beside its twin in
//! Rust. What the plugin does stands in `tests/guests/every`; the others are in `tests/data/languages`.

use crate::support::{event, failure, runner};
use pipeline::{FailureKind, Level, Outcome, Runner};
use std::fs;
use std::path::Path;
use tests::desk::Desk;
use tests::project::{Project, root};
use toolchain::{Built, Contract, Language, Made, Options};

/// Events whose outcome must be the twin's, byte for byte.
const EVENTS: &[&str] = &[
    r#"{"level":"DEBUG","n":1}"#,
    r#"{"level":"INFO","email":"a@example.com","ssn":["1","2"],"user":{"email":"b@example.com"}}"#,
    r#"{"bad":true}"#,
    r#"{"level":"x","through":1}"#,
    r#"{"twice":null,"n":true}"#,
    r#"{"n":null}"#,
    r#"{"n":9223372036854775807}"#,
    r#"{"n":-9223372036854775808}"#,
    r#"{"n":9007199254740993}"#,
    r#"{"n":123456789012345678901234567890}"#,
    r#"{"n":1e400}"#,
    r#"{"n":-0}"#,
    r#"{"n":1.0}"#,
    r#"{"n":1e3}"#,
    r#"{"n":0.1}"#,
    r#"{"n":1e308}"#,
    r#"{"n":"größer 😀 \" \\ \n \u0000"}"#,
    r#"{"n":"\ud800"}"#,
    r#"{"n":["x\udfff",{"a":[1,null,true,"ö"]}]}"#,
    r#"{"n":[]}"#,
    r#"{"n":{}}"#,
    r#"{"n":[1,-9223372036854775808,18446744073709551615,1.5]}"#,
    "no JSON",
    "[1]",
];

/// A project with a copy of the plugin of a language in it.
fn project(language: Language) -> Project {
    Project::new(language, &root().join("tests/data/languages").join(language.id()), "every")
}

/// Whether plugins in a language can be built here; if not, a test says that it is skipped.
fn has(language: Language) -> bool {
    let Some((tool, needs)) = project(language).missing(language) else { return true };
    tests::skip(&format!("plugins in {}", language.name()), &tool, needs);
    false
}

const STEP: &str = "limits = { log_lines = 100 }\n[routes]\ndefault = \"default\"\naudit = \"audit\"\n";

fn running(plugin: &str) -> Runner {
    runner(&format!("[[step]]\nplugin = \"{plugin}\"\n{STEP}"))
}

/// All that came of an event.
fn outcome(runner: &mut Runner, k: usize, text: &str) -> String {
    match runner.process(event(k, text.to_owned()), crate::support::NOW_MS, None) {
        Outcome::Emit(documents) => {
            let shown = |document: &pipeline::Emitted| {
                format!("{} to {:?}\n", String::from_utf8_lossy(&document.bytes), document.route)
            };
            documents.iter().map(shown).collect()
        }
        Outcome::Drop(dropped) => format!("dropped by {:?}", dropped.step),
        Outcome::DeadLetter(failed) => format!("{}: {}", failed.failure.kind, failed.failure.message()),
        Outcome::Retry(failed) => format!("retry: {}", failed.failure.message()),
        Outcome::Unsettled(reason) => panic!("unsettled: {reason}"),
    }
}

/// Checks a built plugin against its twin, and what it does when it breaks.
fn check(language: Language, built: &Built) {
    let wasm = built.component().expect("it is a component").display().to_string();
    let (mut twin, mut ours) = (running("every"), running(&wasm));
    for (k, text) in EVENTS.iter().enumerate() {
        let (expected, got) = (outcome(&mut twin, k, text), outcome(&mut ours, k, text));
        assert_eq!(got, expected, "{}: {text}", language.name());
    }
    let broken = failure(&mut ours, event(100, r#"{"boom":1}"#));
    assert_eq!(broken.kind, FailureKind::Error, "{broken}");
    assert!(outcome(&mut ours, 101, r#"{"later":1}"#).starts_with("retry"), "{}", language.name());
    assert!(outcome(&mut ours, 102, r#"{"n":1}"#).starts_with(r#"{"n":1,"copied":1,"processed_by":"x""#));
}

/// The message and the places in an uncaught exception.
fn exception(built: &Built) -> String {
    let wasm = built.component().expect("it is a component").display().to_string();
    failure(&mut running(&wasm), event(0, r#"{"boom":1}"#)).message().to_owned()
}

/// The lines of the log of an event that prints.
fn printed(built: &Built) -> Vec<(Level, String)> {
    let wasm = built.component().expect("it is a component").display().to_string();
    let mut runner = running(&wasm);
    // A dead letter has the lines of its event.
    match runner.process(event(0, r#"{"print":1,"level":"x","through":1}"#), crate::support::NOW_MS, None) {
        Outcome::DeadLetter(failed) => failed.log.iter().map(|line| (line.level, line.message.to_string())).collect(),
        other => panic!("it did not fail: {other:?}"),
    }
}

/// The same source in another folder, and again in the same one, gives the same digest.
fn reproducible(language: Language, first: &Project, built: &Built) {
    let again = first.build();
    assert!(!again.changed, "{}: nothing changed", language.name());
    assert_eq!(again.digest, built.digest, "{}", language.name());
    let elsewhere = project(language).build();
    assert_eq!(elsewhere.digest, built.digest, "{}: another folder", language.name());
}

#[test]
fn go_is_its_twin_in_rust() {
    if !has(Language::Go) {
        return;
    }
    let project = project(Language::Go);
    let built = project.build();
    assert_eq!((built.name.as_str(), built.language), ("every", Language::Go));
    assert!(built.component().expect("one").ends_with(".paddle/build/every/every.wasm"));
    let inspection = toolchain::inspect(&fs::read(built.component().expect("one")).expect("it was written"));
    let contract = inspection.expect("it is a component").contract;
    assert!(matches!(contract, Contract::Kept { wasi: true, .. }), "it asks for the time: {contract:?}");
    check(Language::Go, &built);
    let told = exception(&built);
    assert!(told.starts_with("assignment to entry in nil map\n  at main.transform (every/plugin.go:26)"), "{told}");
    assert_eq!(printed(&built), [(Level::Info, "größer gedruckt".to_owned())]);
    let mut runner = running(&built.component().expect("one").display().to_string());
    let told = outcome(&mut runner, 0, r#"{"clock":0}"#);
    assert!(told.starts_with(&format!(r#"{{"clock":{},"#, crate::support::NOW_MS)), "{told}");
    reproducible(Language::Go, &project, &built);
}

#[test]
fn go_keeps_its_memory_over_many_events_and_collections() {
    if !has(Language::Go) {
        return;
    }
    let project = project(Language::Go);
    let built = project.build();
    let mut runner = running(&built.component().expect("one").display().to_string());
    // More than the library's arena, so that room is made on Go's heap, where a collection may begin.
    let large = format!(r#"{{"n":"{}","twice":1}}"#, "größer".repeat(4_000));
    for k in 0..3_000 {
        let text = if k % 3 == 0 { large.as_str() } else { r#"{"n":[1,2,{"a":"b"}],"twice":1}"# };
        assert!(outcome(&mut runner, k, text).contains("\"part\":\"second\""), "event {k}");
    }
    let bytes = runner.take_report().steps[0].memory_bytes_max;
    assert!(bytes < 24 << 20, "{bytes} bytes");
}

#[test]
fn c_is_its_twin_in_rust() {
    if !has(Language::C) {
        return;
    }
    let project = project(Language::C);
    let built = project.build();
    assert_eq!(built.warnings, "");
    check(Language::C, &built);
    assert_eq!(exception(&built), "größer");
    reproducible(Language::C, &project, &built);
}

#[test]
fn python_is_taken_as_it_is() {
    let project = project(Language::Python);
    let built = project.build();
    reproducible(Language::Python, &project, &built);
    fs::create_dir_all(project.plugin.join("shop")).expect("it can be made");
    fs::write(project.plugin.join("shop/prices.py"), "rate = 2").expect("it can be written");
    fs::write(project.plugin.join("requirements.txt"), "# none\n\n").expect("it can be written");
    let more = project.build();
    assert_ne!(more.digest, built.digest, "a module counts");
    let Made::Script(script) = &more.made else { panic!("it is a script") };
    assert_eq!(script.files.keys().collect::<Vec<_>>(), [toolchain::MAIN, "shop/prices.py"]);
}

#[test]
fn typescript_becomes_one_script() {
    if !has(Language::TypeScript) {
        return;
    }
    let project = project(Language::TypeScript);
    let built = project.build();
    let Made::Script(script) = &built.made else { panic!("it is a script") };
    assert_eq!(script.files.keys().collect::<Vec<_>>(), [toolchain::MAIN]);
    let text = fs::read_to_string(&script.files[toolchain::MAIN]).expect("it was written");
    assert!(text.contains("from \"paddlewheel\"") && text.contains("function mask("), "{text}");
    assert!(!text.contains(&project.folder.path().display().to_string()), "{text}");
    reproducible(Language::TypeScript, &project, &built);
}

#[test]
fn javascript_is_taken_as_it_is() {
    let project = project(Language::JavaScript);
    let built = project.build();
    let Made::Script(script) = &built.made else { panic!("it is a script") };
    assert_eq!(script.files.keys().collect::<Vec<_>>(), ["lib/mask.js", toolchain::MAIN]);
    reproducible(Language::JavaScript, &project, &built);
    fs::write(project.plugin.join("lib/mask.js"), "export {}").expect("it can be written");
    assert_ne!(project.build().digest, built.digest, "a module counts");
}

/// What a plugin of these files is refused with: its folder as `<plugin>`, the rest as a person sees it.
fn refusal(language: Language, files: &[(&str, &str)]) -> String {
    let project = project(language);
    for (name, text) in files {
        fs::write(project.plugin.join(name), text).expect("it can be written");
    }
    let error = toolchain::build(&project.plugin, &Options::default()).expect_err("it must be refused");
    let folder = project.plugin.canonicalize().expect("it is there").display().to_string();
    error.to_string().replace(&folder, "<plugin>")
}

#[test]
fn a_package_file_that_cannot_be_read_is_told() {
    let said = |text| refusal(Language::JavaScript, &[("package.json", text)]);
    let refused = "<plugin> is not a plugin: its package.json cannot be read: ";
    assert_eq!(said("{\"dependencies\":{\"a\":\"1\",}}"), format!("{refused}trailing comma at line 1 column 26"));
    let told = said("{\"dependencies\":[\"a\"]}");
    assert!(told.starts_with(refused) && told.contains("expected a map"), "{told}");
}

#[test]
fn go_says_what_is_wrong() {
    if !has(Language::Go) {
        return;
    }
    let said = |text| refusal(Language::Go, &[("plugin.go", text)]);
    let expected = "the plugin does not compile:\n# every\n./plugin.go:4:1: syntax error: unexpected EOF, expected }";
    assert_eq!(said("package main\n\nfunc main() {\n"), expected);
    let wrong = "package main\n\nimport \"paddlewheel\"\n\nfunc init() { paddlewheel.Transform(t) }\n\nfunc main() {}\n\nfunc t() {}\n";
    let expected = "the plugin does not compile:\n# every\n./plugin.go:5:37: cannot use t (value of type func()) as \
        func(event *paddlewheel.Event) (paddlewheel.Answer, error) value in argument to paddlewheel.Transform";
    assert_eq!(said(wrong), expected);
    let expected = "<plugin> is not a plugin: its Go code exports no plugin; it must use our library, paddlewheel";
    assert_eq!(said("package main\n\nfunc main() {}\n"), expected);
}

#[test]
fn c_says_what_is_wrong() {
    if !has(Language::C) {
        return;
    }
    let said = |text| refusal(Language::C, &[("plugin.c", text)]);
    let told = said("#include \"paddlewheel.h\"\nint x\n");
    assert!(
        told.starts_with(
            "the plugin does not compile:\n./plugin.c:2:6: error: expected ';' after top level declarator"
        ),
        "{told}"
    );
    let told = said("#include \"paddlewheel.h\"\npw_refusal pw_init(pw_text c) { (void)c; return pw_ready(); }\n");
    assert!(told.contains("undefined symbol: pw_transform"), "{told}");
    let told = said("#include \"paddlewheel.h\"\nint pw_transform(int event) { return event; }\n");
    assert!(told.contains("error: conflicting types for 'pw_transform'"), "{told}");
}

#[test]
fn typescript_says_what_is_wrong() {
    if !has(Language::TypeScript) {
        return;
    }
    let said = |text| refusal(Language::TypeScript, &[("plugin.ts", text)]);
    let told = said("export function transform(event { }\n");
    assert!(
        told.starts_with(
            "the plugin does not compile:\n✘ [ERROR] Expected \")\" but found \"{\"\n\n    plugin.ts:1:32:"
        ),
        "{told}"
    );
    let told = said("import http from \"node:http\";\nhttp.get(\"x\");\n");
    assert!(
        told.starts_with(
            "the plugin does not compile:\n✘ [ERROR] Could not resolve \"node:http\"\n\n    plugin.ts:1:17:"
        ),
        "{told}"
    );
}

#[test]
fn what_is_missing_comes_with_the_command_that_installs_it() {
    let mut desk = Desk::without_key();
    desk.set("PATH", &desk.path("nothing").display().to_string());
    desk.write("missing/requirements.txt", "six");
    for (file, text, expected) in [
        (
            "plugin.py",
            "",
            "an environment with the packages that it names is missing; run: python3 -m venv .venv && .venv/bin/python -m pip install -r ",
        ),
        ("go.mod", "module m", "Go 1.24 or later is missing; run: curl -fsSL https://go.dev/dl/go1.26.8."),
        ("plugin.ts", "", "esbuild is missing; run: npm install --save-dev --prefix "),
        (
            "plugin.c",
            "",
            "a C compiler for WebAssembly (clang, its linker wasm-ld, and wasi-libc) is missing; run: apt-get install -y \
             --no-install-recommends clang lld libclang-rt-dev-wasm32 wasi-libc",
        ),
        (
            "Cargo.toml",
            "",
            "Rust is missing; run: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --target wasm32-unknown-unknown",
        ),
    ] {
        desk.write(&format!("missing/{file}"), text);
        desk.fails(&["build", "missing"], 3, expected);
        fs::remove_file(desk.path("project/missing").join(file)).expect("it was written");
    }
    let told = desk.json(&["doctor"]);
    let ready: Vec<(&str, bool)> = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (it["language"].as_str().expect("a name"), it["ready"].as_bool().expect("yes or no")))
        .collect();
    let expected =
        Language::ALL.map(|language| (language.id(), [Language::JavaScript, Language::Python].contains(&language)));
    assert_eq!(ready, expected);
    let line = "plugins in Go cannot be built here: Go 1.24 or later is missing; run: curl ";
    desk.fails(&["doctor", "--language", "go"], 3, line);
    desk.fails(
        &["doctor", "--language", "ruby"],
        2,
        "invalid value 'ruby' for '--language <LANGUAGE>': there are rust, go, python, typescript, javascript, c",
    );
    desk.ok(&["doctor", "--language", "js"]);
}

/// A program of a few lines of shell.
fn fake(desk: &Desk, name: &str, script: &str) {
    let file = desk.path(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
}

#[test]
fn a_zig_on_the_path_compiles_c_where_clang_cannot() {
    let mut desk = Desk::without_key();
    desk.set("PATH", &desk.path("bin").display().to_string());
    let found = |desk: &Desk| {
        let told = desk.json(&["doctor", "--language", "c"]);
        (told[0]["found"][0]["version"].to_string(), told[0]["found"][0]["place"].to_string())
    };
    let zig = |version: &str, place: &Path| (format!("\"zig {version}\""), format!("\"{}\"", place.display()));

    fake(&desk, "bin/zig", "exit 1");
    desk.fails(
        &["doctor", "--language", "c"],
        3,
        "a C compiler for WebAssembly (clang, its linker wasm-ld, and wasi-libc)",
    );
    fake(&desk, "bin/python3", "echo 0.17.1");
    assert_eq!(found(&desk), zig("0.17.1", &desk.path("bin/python3")), "its package does, if the program does not run");
    fake(&desk, "bin/zig", "echo 0.16.0");
    assert_eq!(found(&desk), zig("0.16.0", &desk.path("bin/zig")));
    fake(&desk, "bin/clang", "echo clang 17");
    assert_eq!(found(&desk), zig("0.16.0", &desk.path("bin/zig")), "that clang has no linker");
    fake(&desk, "project/.venv/bin/python", "echo 0.17.0");
    assert_eq!(found(&desk), zig("0.17.0", &desk.path("project/.venv/bin/python")), "the project's own comes first");
}

#[test]
fn what_cannot_be_a_plugin_is_refused_in_a_sentence() {
    let desk = Desk::without_key();
    // Where the folder of what is built should be, there is a file: root may write anywhere else.
    desk.write("plugins/loud/plugin.py", "");
    fs::write(desk.path("project/.paddle"), "").expect("it can be written");
    desk.fails(&["build", "plugins/loud"], 3, "failed to make ");

    let large = fs::File::create(desk.path("project/large.wasm")).expect("it can be made");
    large.set_len(300 << 20).expect("a file with a hole");
    desk.fails(&["check", "large.wasm"], 3, "project/large.wasm: the component has 300 MiB; the most is 128");
}
