//! The rules of the house that a program can check.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["host", "plugins", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source file");
        (path, text)
    };
    files.into_iter().map(read).collect()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "it" | "benches")))
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "without a `//!` header: {silent:#?}");
}

#[test]
fn files_have_one_idea_each() {
    const LINES_MAX: usize = 500;
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !is_test(path) && text.lines().count() > LINES_MAX)
        .map(|(path, text)| (path, text.lines().count()))
        .collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:#?}");
}

/// Whether a line begins a function: `fn`, behind nothing but what may stand before it.
fn begins_function(line: &str) -> bool {
    let before = line.split_whitespace().take_while(|word| *word != "fn").collect::<Vec<_>>();
    let may_stand = |word: &&str| {
        ["pub", "const", "async", "unsafe", "default", "extern", "\"C\""].contains(word)
            || (word.starts_with("pub(") && word.ends_with(')'))
    };
    line.split_whitespace().any(|word| word == "fn") && before.iter().all(may_stand)
}

#[test]
fn functions_are_found_however_they_begin() {
    for line in
        ["fn a() {", "pub(super) async fn a() {", "const fn a() {", "pub(crate) const unsafe extern \"C\" fn a() {"]
    {
        assert!(begins_function(line), "{line}");
    }
    for line in ["// fn a() {", "let a: fn() = b;", "make(fn a", "\"fn \","] {
        assert!(!begins_function(line), "{line}");
    }
}

#[test]
fn functions_fit_on_a_screen() {
    const LINES_MAX: usize = 70;
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start();
            let body = || lines[at..].iter().position(|line| line.ends_with(['{', ';', '}']));
            if !begins_function(words) || body().is_none_or(|open| !lines[at + open].ends_with('{')) {
                continue; // It has no body, or one on its only line.
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|line| *line == end);
            let length = length.unwrap_or_else(|| panic!("{}:{}: a function without an end", path.display(), at + 1));
            if length > LINES_MAX {
                long.push(format!("{}:{}: {length} lines", path.display(), at + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Which of our crates each may depend on: the picture in ARCHITECTURE.md.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("document", &[]),
    ("pii", &[]),
    ("unpack", &[]),
    ("toolchain", &[]),
    ("destination", &[]),
    ("simulator", &["destination"]),
    ("registry", &[]),
    ("pipeline", &["document", "pii"]),
    ("engine", &["document", "pipeline"]),
    ("lambda", &["document", "engine", "pipeline", "registry", "unpack"]),
    ("cli", &["destination", "engine", "lambda", "pii", "pipeline", "registry", "simulator", "toolchain", "unpack"]),
];

/// Packages that only one crate may know.
const KNOWN_ONLY_TO: &[(&str, &[&str])] = &[
    ("wasmtime", &["engine"]),
    ("aws-sdk-firehose", &["lambda"]),
    ("aws-sdk-secretsmanager", &["lambda"]),
    ("lambda_runtime", &["lambda"]),
    ("object_store", &["lambda", "registry"]),
    ("hyper", &["simulator"]),
];

fn dependencies(krate: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("host").join(krate).join("Cargo.toml")).expect("a manifest");
    let start = text.find("[dependencies]").map_or("", |at| &text[at + "[dependencies]".len()..]);
    let section = start.find("\n[").map_or(start, |end| &start[..end]);
    let name = |line: &str| Some(line.split(['=', '.', ' ']).next()?.to_owned()).filter(|name| !name.is_empty());
    section.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(name).collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let crates: Vec<&str> = MAY_KNOW.iter().map(|(krate, _)| *krate).collect();
    for (krate, known) in MAY_KNOW {
        for dependency in dependencies(krate) {
            if crates.contains(&dependency.as_str()) {
                assert!(known.contains(&dependency.as_str()), "{krate} must not know {dependency}");
            }
            if let Some((_, only)) = KNOWN_ONLY_TO.iter().find(|(package, _)| *package == dependency) {
                assert!(only.contains(krate), "{krate} must not know {dependency}");
            }
        }
    }
    let folders = std::fs::read_dir(root().join("host")).expect("host").count();
    assert_eq!(folders, crates.len(), "a crate in host/ is missing from MAY_KNOW");
}

/// It is built into a plugin too, so whatever it knew would have to compile for WebAssembly.
#[test]
fn pii_depends_on_nothing() {
    assert_eq!(dependencies("pii"), Vec::<String>::new());
}

#[test]
fn the_pipeline_does_no_input_or_output() {
    let mut files = Vec::new();
    rust_files(&root().join("host/pipeline/src"), &mut files);
    rust_files(&root().join("host/document/src"), &mut files);
    rust_files(&root().join("host/unpack/src"), &mut files);
    rust_files(&root().join("host/pii/src"), &mut files);
    for path in files.iter().filter(|path| !is_test(path)) {
        let text = std::fs::read_to_string(path).expect("a source file");
        for forbidden in
            ["std::fs", "std::net", "std::env", "std::process", "SystemTime", "Instant::now", "async fn", "tokio"]
        {
            assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
        }
    }
}

/// What a host decides when it follows a channel, apart from the tests beside it.
#[test]
fn the_decisions_of_following_a_channel_are_pure() {
    for file in ["state", "probation", "choice", "waiting", "polling", "reporter", "not_taken"] {
        let path = root().join(format!("host/lambda/src/follow/{file}.rs"));
        let text = std::fs::read_to_string(&path).expect("a source file");
        let code = text.split("mod tests {").next().unwrap_or_default();
        for forbidden in
            ["std::fs", "std::env", "SystemTime", "::now()", "async ", "tokio", "crate::log", "Mutex", "Registry"]
        {
            assert!(!code.contains(forbidden), "{}: {forbidden}", path.display());
        }
    }
}

#[test]
fn unsafe_stands_in_one_place() {
    let places: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            path.starts_with(root().join("host")) && text.lines().any(|line| line.contains("unsafe {"))
        })
        .map(|(path, _)| path.strip_prefix(root()).expect("below the root").to_owned())
        .collect();
    assert_eq!(places, [Path::new("host/engine/src/code.rs")]);
}

/// Who may read the environment, each for its program: by itself, or by what a library reads there.
const READS_ENVIRONMENT: &[&str] = &[
    "host/cli/src/environment.rs",
    "host/lambda/src/config/mod.rs",
    "host/lambda/src/config/secrets.rs",
    "host/lambda/src/main.rs",
    "host/toolchain/src/environment.rs",
    // Where programs are.
    "host/toolchain/src/rust.rs",
    "host/toolchain/src/tool.rs",
    // AWS's own variables, for credentials and endpoints.
    "host/lambda/src/dead_letter.rs",
    "host/lambda/src/firehose.rs",
];

#[test]
fn environment_variables_are_read_in_one_place_a_program() {
    let reads = |text: &str| ["env::var", "from_env("].iter().any(|read| text.contains(read));
    for (path, _) in sources().into_iter().filter(|(path, text)| reads(text) && !is_test(path)) {
        let relative = path.strip_prefix(root()).expect("below the root");
        let allowed = path.ends_with("build.rs") || READS_ENVIRONMENT.iter().any(|known| relative == Path::new(known));
        assert!(allowed, "{} reads the environment", path.display());
    }
    for known in READS_ENVIRONMENT {
        assert!(reads(&std::fs::read_to_string(root().join(known)).expect(known)), "{known} does not read it");
    }
}

#[test]
fn nothing_is_left_open() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimplemented", "!"), concat!("todo", "!(")];
    for (path, text) in sources() {
        for word in words {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn the_page_about_configuration_is_true() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).expect("the page");
    let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a paddle.toml");
    let pipeline = pipeline::Pipeline::parse(block).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pipeline.steps.len(), 2);
    // A misspelt variable is told with all that are known.
    let misspelt = std::collections::BTreeMap::from([("PADDLE_X".to_owned(), String::new())]);
    let told = lambda::Settings::read(&misspelt).expect_err("there is none").to_string();
    let known: Vec<&str> = told.split_once("known are ").expect("a list").1.split(", ").collect();
    for variable in &known {
        assert!(page.contains(&format!("| `{variable}` |")), "{variable} is not on the page");
    }
    let on_page = page.lines().filter(|line| line.starts_with("| `PADDLE_")).count();
    assert_eq!(on_page, known.len());
}

/// The two runtimes that are checked in were made from the sources that lie beside them.
#[test]
fn runtimes_belong_to_their_sources() {
    for runtime in ["javascript", "python"] {
        let plugins = root().join("plugins");
        let output = std::process::Command::new("sh").arg(plugins.join("inputs.sh")).arg(runtime).output().expect("sh");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = String::from_utf8(output.stdout).expect("paths in UTF-8");
        let file = plugins.join(runtime).join("inputs.sha256");
        let noted = std::fs::read_to_string(&file).expect("digests of what it was made from");
        assert!(noted.lines().any(|line| line.contains(&format!("{runtime}/{runtime}.wasm"))), "{noted}");
        let changed: Vec<&str> = found.lines().filter(|line| !noted.lines().any(|known| known == *line)).collect();
        assert!(changed.is_empty(), "changed since {runtime} was made (run make {runtime}): {changed:#?}");
        assert_eq!(found, noted, "{} names files that are gone: run make {runtime}", file.display());
    }
}
