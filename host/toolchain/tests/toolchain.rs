//! What the toolchain promises: a folder becomes a component, the same one anywhere; what is wrong is said in words.
//! Plugins in Rust are compiled for real, so the first run takes a minute.

use std::fs;
use std::path::{Path, PathBuf};

use toolchain::{Adapter, BuildError, Built, Contract, Encoding, Options, WasmKind, Wit, build, componentize, inspect};

/// A plugin in a folder of its own, with a name that is not the folder's.
const MANIFEST: &str = r#"
[package]
name = "my-plugin"
version = "1.2.3"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[dependencies]
paddlewheel = { path = "SDK" }
serde = "1"
[workspace]
"#;

const SOURCE: &str = r#"
use paddlewheel::prelude::*;
#[derive(Deserialize)]
struct Loud { field: String }
impl Plugin for Loud {
    fn transform(&self, event: Event) -> Answer {
        let text = event.text(&self.field).expect("the field is there");
        event.set_text(&self.field, &text.to_uppercase())?;
        keep(event)
    }
}
paddlewheel::plugin!(Loud);
"#;

const HELLO: &[u8] = include_bytes!("data/hello.wat");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// One target folder for all tests, so that dependencies are compiled once.
fn options() -> Options {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    Options { target_dir: Some(target_dir), ..Options::default() }
}

/// Writes a plugin of its own into a folder.
fn project(folder: &Path, manifest: &str, source: &str) {
    let sdk = repository().join("plugins/sdk/rust");
    fs::create_dir_all(folder.join("src")).expect("folders can be made");
    fs::write(folder.join("Cargo.toml"), manifest.replace("SDK", &sdk.display().to_string()))
        .expect("it can be written");
    fs::write(folder.join("src/lib.rs"), source).expect("it can be written");
    fs::copy(repository().join("plugins/Cargo.lock"), folder.join("Cargo.lock")).expect("it can be copied");
}

#[track_caller]
fn built(folder: &Path, options: &Options) -> (Built, Vec<u8>) {
    let built = build(folder, options).unwrap_or_else(|error| panic!("{error}"));
    let wasm = fs::read(component(&built)).expect("the component was written");
    (built, wasm)
}

#[track_caller]
fn component(built: &Built) -> &Path {
    built.component().expect("it is a component")
}

#[test]
fn a_member_of_a_workspace_becomes_a_component() {
    toolchain::ensure_rust_target().unwrap_or_else(|error| panic!("{error}"));
    let folder = repository().join("plugins/filter");
    let (first, wasm) = built(&folder, &options());
    assert_eq!(first.name, "filter");
    assert!(component(&first).ends_with("paddle/filter.wasm"));
    assert_eq!(first.size, wasm.len() as u64);

    let inspection = inspect(&wasm).expect("it is a component");
    assert_eq!(inspection.kind, WasmKind::Component);
    assert_eq!(inspection.contract, Contract::Kept { version: "0.1.0".to_owned(), wasi: false });
    assert_eq!(inspection.digest, first.digest);
    assert_eq!((inspection.memories, inspection.core_modules.is_empty()), (1, false));
    let plugin = inspection.exports.iter().find(|export| export.name == "paddlewheel:transform/plugin@0.1.0");
    assert_eq!(plugin.expect("it exports a plugin").functions, ["init", "transform"]);

    let (second, _) = built(&folder, &options());
    assert!(!second.changed, "nothing changed, so nothing is written");
}

#[test]
fn the_same_source_gives_the_same_component_in_any_folder() {
    let temporary = tempfile::tempdir().expect("there is room");
    let (here, there) = (temporary.path().join("here"), temporary.path().join("some/where/else"));
    project(&here, MANIFEST, SOURCE);
    project(&there, MANIFEST, SOURCE);
    let (first, wasm) = built(&here, &options());
    // Another target folder as well: what is found there must not matter either.
    let elsewhere = Options { target_dir: None, ..options() };
    let (second, _) = built(&there, &elsewhere);
    assert_eq!(first.name, "my-plugin");
    assert!(component(&second).starts_with(there.canonicalize().expect("it is there")));
    assert_eq!(first.digest, second.digest);
    let contains = |text: &str| wasm.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(!contains(&temporary.path().display().to_string()), "the machine's paths stay out");
    assert!(!contains(&repository().display().to_string()), "nor do those of a library beside it come in");
    assert!(!contains("/.cargo/"), "the registry's paths stay out");
    assert!(contains("my_plugin"), "names of functions stay in");
}

#[test]
fn the_compilers_messages_come_back_unchanged() {
    let temporary = tempfile::tempdir().expect("there is room");
    project(temporary.path(), MANIFEST, &SOURCE.replace("keep(event)", "keep(evnt)"));
    let Err(BuildError::Compile { messages }) = build(temporary.path(), &options()) else {
        panic!("it must not compile")
    };
    assert!(messages.contains("cannot find value `evnt` in this scope"), "{messages}");
    assert!(messages.contains("src/lib.rs:"), "{messages}");
}

#[test]
fn warnings_come_with_what_was_built_each_time() {
    let temporary = tempfile::tempdir().expect("there is room");
    let warned = SOURCE.replace("keep(event)", "let forgotten = 1;\n        keep(event)");
    project(temporary.path(), MANIFEST, &warned);
    let (first, _) = built(temporary.path(), &options());
    assert!(first.warnings.contains("unused variable: `forgotten`"), "{first:?}");
    assert!(first.warnings.contains("src/lib.rs:"), "{first:?}");
    // Also when there is nothing to compile.
    assert_eq!(built(temporary.path(), &options()).0.warnings, first.warnings);
    project(temporary.path(), MANIFEST, SOURCE);
    assert_eq!(built(temporary.path(), &options()).0.warnings, "");
}

#[test]
fn what_is_no_plugin_is_said() {
    let temporary = tempfile::tempdir().expect("there is room");
    let error = build(temporary.path(), &options()).expect_err("the folder is empty");
    assert!(error.to_string().contains("it needs one of these files: Cargo.toml (Rust), go.mod (Go), "), "{error}");

    project(temporary.path(), "[package]\nname = \"library\"\nedition = \"2024\"\n[workspace]\n", "");
    let error = build(temporary.path(), &options()).expect_err("it is a library");
    assert!(error.to_string().contains("crate-type = [\"cdylib\"]"), "{error}");

    project(
        temporary.path(),
        "[package]\nname = \"bare\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
        "",
    );
    let (_, wasm) = built(temporary.path(), &options());
    let Contract::Broken(reasons) = inspect(&wasm).expect("an empty component is one").contract else {
        panic!("it exports nothing")
    };
    assert_eq!(reasons, ["it does not export paddlewheel:transform/plugin"]);
}

#[test]
fn preview_1_is_answered_inside_or_by_the_host() {
    let wit = Some(Wit::contract());
    let unanswered = componentize(HELLO, &Encoding { wasi: Adapter::None, wit });
    let Err(BuildError::Encode { reason }) = unanswered else { panic!("nobody answers fd_write") };
    assert!(reason.contains("wasi_snapshot_preview1"), "{reason}");

    let inside = componentize(HELLO, &Encoding { wasi: Adapter::Inside, wit }).expect("it is answered inside");
    let inspection = inspect(&inside).expect("it is a component");
    assert_eq!(inspection.contract, Contract::Kept { version: "0.1.0".to_owned(), wasi: false });

    let outside = componentize(HELLO, &Encoding { wasi: Adapter::Preview1, wit }).expect("the adapter answers");
    let inspection = inspect(&outside).expect("it is a component");
    assert_eq!(inspection.contract, Contract::Kept { version: "0.1.0".to_owned(), wasi: true });
    assert!(inspection.imports.iter().any(|import| import.name.starts_with("wasi:cli/stdout@")));
}

#[test]
fn a_core_module_is_told_from_a_component() {
    let inspection = inspect(b"\0asm\x01\0\0\0").expect("it is a core module");
    assert_eq!(inspection.kind, WasmKind::CoreModule);
    assert!(matches!(inspection.contract, Contract::Broken(_)));
    assert!(inspect(b"#!/bin/sh").is_err());
}
