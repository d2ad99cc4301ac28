//! Rust: `cargo build --release` for a WebAssembly target, and the search for what it made.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use crate::environment::clean;
use crate::{Adapter, BuildError, Core, Language, Messages, Options, place, sdk};

/// Without WASI: the smallest component, and one that asks the host for nothing.
const PLAIN: &str = "wasm32-unknown-unknown";
/// With WASI preview 1.
const PREVIEW1: &str = "wasm32-wasip1";

/// What our library is told when preview 1 is answered inside: that it may say when the plugin is set up.
const INSIDE: &str = "--cfg=paddlewheel_inside";

/// The command that installs the compiler and its WebAssembly target.
pub(crate) const INSTALL: &str =
    "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --target wasm32-unknown-unknown";

/// Debian's second compiler (package `rustc-web`). It has no WebAssembly library, but may build one from source.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Which compiler compiles for the target.
enum Compiler {
    /// The one on the path, with a ready-made library for the target.
    Installed,
    /// Debian's, which builds the library from source. Holds the folder of the other compiler's linker, which it needs.
    FromSource { linker_dir: PathBuf },
}

/// Makes sure that plugins in Rust can be compiled: asks `rustup` for the target if it is missing. Debian's `rustc-web`
/// with `rust-web-src` will do where `rustup` cannot reach its server.
///
/// # Errors
///
/// [`BuildError::MissingTarget`] with the command to run, or [`BuildError::MissingTool`] when there is no compiler.
pub fn ensure_rust_target() -> Result<(), BuildError> {
    let folder = Path::new(".");
    if compiler(folder, PLAIN).is_ok() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    clean(&mut rustup);
    // Whether it worked is asked of the compiler, not of rustup.
    let _ = rustup.args(["target", "add", PLAIN]).stdin(Stdio::null()).output();
    compiler(folder, PLAIN).map(drop)
}

/// Whether plugins in a folder can be compiled, and if not, what is missing.
pub(crate) fn check(folder: &Path) -> Result<(), BuildError> {
    compiler(folder, PLAIN).map(drop)
}

/// Compiles the plugin in a folder to a core module, and says who answers what it asks of preview 1.
pub(crate) fn compile(folder: &Path, options: &Options) -> Result<(Core, Adapter), BuildError> {
    let folder = folder.canonicalize().map_err(BuildError::io(format!("find {}", folder.display())))?;
    let mut options = options.clone();
    if let Some(target_dir) = &mut options.target_dir {
        // The compiler runs in the plugin's folder, not in this one.
        *target_dir = std::path::absolute(&target_dir).map_err(BuildError::io("find the target folder"))?;
    }
    embedded_library(&folder)?;
    let metadata = metadata(&folder, &options)?;
    let wasi = match options.wasi {
        Adapter::None => metadata.wasi(&folder)?,
        named @ (Adapter::Preview1 | Adapter::Inside) => named,
    };
    let target = if wasi == Adapter::None { PLAIN } else { PREVIEW1 };
    let compiler = compiler(&folder, target)?;
    let mut cargo = cargo(&folder, target, &options)?;
    cargo.arg("--config").arg(flags(&metadata, target, wasi, &options)?);
    if let Compiler::FromSource { linker_dir } = compiler {
        build_library_too(&mut cargo, &linker_dir)?;
    }
    let output = run(&mut cargo, options.messages)?;
    if !output.status.success() {
        let messages = diagnostics(&output.stdout) + &String::from_utf8_lossy(&output.stderr);
        return Err(BuildError::Compile { messages });
    }
    Ok((artifact(&folder, &output.stdout)?, wasi))
}

/// A plugin in a project names our library where `paddle` writes it; others name it where they have it.
fn embedded_library(folder: &Path) -> Result<(), BuildError> {
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(BuildError::io(format!("read {}", manifest.display())))?;
    if text.contains(".paddle/sdk/rust") {
        sdk::write(Language::Rust, &place::root(folder))?;
    }
    Ok(())
}

/// The compiler that the folder's own settings choose, when it knows the target.
fn compiler(folder: &Path, target: &str) -> Result<Compiler, BuildError> {
    let library = ask_rustc(folder, &["--print", "target-libdir", "--target", target])?;
    if holds_library(&library) {
        return Ok(Compiler::Installed);
    }
    let sysroot = ask_rustc(folder, &["--print", "sysroot"])?;
    let linker_dir = sysroot.join("lib/rustlib").join(host_triple(folder)?).join("bin");
    if target == PLAIN && linker_dir.join("rust-lld").is_file() && debian_has_source() {
        return Ok(Compiler::FromSource { linker_dir });
    }
    let command = format!("rustup target add {target}");
    Err(BuildError::MissingTarget { target: target.to_owned(), command })
}

fn holds_library(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether Debian's compiler is there, with the source of its library.
fn debian_has_source() -> bool {
    let Ok(output) = Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success() && sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}

/// Debian's recipe: its library is built from source, with the linker that the other compiler ships.
fn build_library_too(cargo: &mut Command, linker_dir: &Path) -> Result<(), BuildError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([linker_dir.to_owned()]);
    let path = std::env::join_paths(folders)
        .map_err(|error| BuildError::MissingTool { tool: "rust-lld".to_owned(), hint: error.to_string() })?;
    cargo.env("PATH", path).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    cargo.arg("-Zbuild-std=std,panic_abort");
    Ok(())
}

fn cargo(folder: &Path, target: &str, options: &Options) -> Result<Command, BuildError> {
    let mut cargo = Command::new("cargo");
    clean(&mut cargo);
    cargo.current_dir(folder);
    cargo.args(["build", "--release", "--lib", "--target", target]);
    // Standard output says which files were made, and what the compiler has to say when that is kept; people get it on
    // standard error.
    cargo.arg(match options.messages {
        Messages::Keep => "--message-format=json",
        Messages::Show => "--message-format=json-render-diagnostics",
    });
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    if let Some(target_dir) = &options.target_dir {
        cargo.arg("--target-dir").arg(target_dir);
    }
    if options.offline {
        cargo.arg("--offline");
    }
    Ok(cargo)
}

/// The compiler's flags: what keeps the machine's paths out of panic messages, so that the same source gives the same
/// component anywhere, and what our library is told.
///
/// As a setting, not as `RUSTFLAGS`, so that flags in the plugin's own `.cargo/config.toml` still count.
fn flags(metadata: &Metadata, target: &str, wasi: Adapter, options: &Options) -> Result<OsString, BuildError> {
    let target_dir = options.target_dir.as_ref().unwrap_or(&metadata.target_directory);
    // Where two match, the compiler takes the last.
    let mut flags = vec![remap(&metadata.workspace_root, "workspace")];
    for package in metadata.packages.iter().filter(|package| package.source.is_none()) {
        if let Some(folder) = package.manifest_path.parent() {
            flags.push(remap(folder, &package.name));
        }
    }
    flags.extend(cargo_home().map(|home| remap(&home, "cargo")));
    flags.push(remap(target_dir, "target"));
    if wasi == Adapter::Inside {
        flags.push(INSIDE.to_owned());
    }
    let flags = serde_json::to_string(&flags).expect("strings are always JSON");
    // A list of strings is written alike in JSON and in TOML.
    Ok(format!("target.{target}.rustflags={flags}").into())
}

fn remap(folder: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", folder.display())
}

fn cargo_home() -> Option<PathBuf> {
    let usual = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(usual)
}

/// Where cargo says that things are.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

/// One package of those that are built.
#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    /// None for a package in a folder of the author's.
    source: Option<String>,
    /// `[package.metadata]`, which belongs to other tools than cargo.
    #[serde(default)]
    metadata: serde_json::Value,
}

/// `[package.metadata.paddlewheel]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    /// The target that the plugin is compiled for.
    target: Option<String>,
}

impl Metadata {
    /// Who answers what a plugin asks of preview 1, by the target that its `Cargo.toml` names.
    fn wasi(&self, folder: &Path) -> Result<Adapter, BuildError> {
        let manifest = folder.join("Cargo.toml");
        let package = self.packages.iter().find(|package| same_file(&package.manifest_path, &manifest));
        let Some(table) = package.and_then(|package| package.metadata.get("paddlewheel")) else {
            return Ok(Adapter::None);
        };
        let wrong = |reason: String| {
            let reason = format!("[package.metadata.paddlewheel] in its Cargo.toml: {reason}");
            Err(BuildError::NotAPlugin { folder: folder.to_owned(), reason })
        };
        match Ours::deserialize(table) {
            Ok(Ours { target }) => match target.as_deref() {
                None | Some(PLAIN) => Ok(Adapter::None),
                Some(PREVIEW1) => Ok(Adapter::Inside),
                Some(other) => wrong(format!("the target is {PLAIN} or {PREVIEW1}, not `{other}`")),
            },
            Err(error) => wrong(error.to_string()),
        }
    }
}

fn metadata(folder: &Path, options: &Options) -> Result<Metadata, BuildError> {
    let mut cargo = Command::new("cargo");
    clean(&mut cargo);
    cargo.current_dir(folder).args(["metadata", "--format-version", "1"]);
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    if options.offline {
        cargo.arg("--offline");
    }
    let output = run(&mut cargo, Messages::Keep)?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BuildError::Compile { messages });
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| BuildError::MissingTool { tool: "cargo metadata".to_owned(), hint: error.to_string() })
}

fn host_triple(folder: &Path) -> Result<String, BuildError> {
    let output = rustc(folder, &["-vV"])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.unwrap_or_default().to_owned())
}

/// Asks the compiler for a path. An empty path when it does not know.
fn ask_rustc(folder: &Path, arguments: &[&str]) -> Result<PathBuf, BuildError> {
    let output = rustc(folder, arguments)?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Runs the compiler in the plugin's folder: a `rust-toolchain.toml` there chooses which one it is.
fn rustc(folder: &Path, arguments: &[&str]) -> Result<Output, BuildError> {
    let mut rustc = Command::new("rustc");
    clean(&mut rustc);
    rustc.current_dir(folder).args(arguments);
    run(&mut rustc, Messages::Keep)
}

fn run(command: &mut Command, messages: Messages) -> Result<Output, BuildError> {
    let stderr = match messages {
        Messages::Keep => Stdio::piped(),
        Messages::Show => Stdio::inherit(),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => BuildError::Missing { what: "Rust".to_owned(), command: INSTALL.to_owned() },
        _ => BuildError::MissingTool {
            tool: command.get_program().to_string_lossy().into_owned(),
            hint: format!("{error}; Rust comes from https://rustup.rs"),
        },
    })
}

/// One line of what cargo says about its work.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    message: Diagnostic,
}

/// What the compiler has to say.
#[derive(Default, Deserialize)]
struct Diagnostic {
    /// As it writes it; none for what is no diagnostic.
    #[serde(default)]
    rendered: Option<String>,
}

#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    crate_types: Vec<String>,
}

/// All that cargo says about its work, in lines of JSON.
fn messages(output: &[u8]) -> impl Iterator<Item = Message> {
    output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Message>(line).ok())
}

/// The compiler's messages as it writes them. Those of dependencies are not among them: cargo keeps their warnings
/// back.
fn diagnostics(output: &[u8]) -> String {
    messages(output)
        .filter(|message| message.reason == "compiler-message")
        .filter_map(|it| it.message.rendered)
        .collect()
}

/// Finds the core module among the files that cargo says it made.
fn artifact(folder: &Path, output: &[u8]) -> Result<Core, BuildError> {
    let not_a_plugin = |reason: &str| BuildError::NotAPlugin { folder: folder.to_owned(), reason: reason.to_owned() };
    let manifest = folder.join("Cargo.toml");
    let message = messages(output)
        .find(|message| message.reason == "compiler-artifact" && same_file(&message.manifest_path, &manifest))
        .ok_or_else(|| not_a_plugin("its Cargo.toml describes no package with a library"))?;
    let module = message.filenames.iter().find(|file| file.extension().is_some_and(|e| e == "wasm"));
    let (true, Some(module)) = (message.target.crate_types.iter().any(|kind| kind == "cdylib"), module) else {
        return Err(not_a_plugin("its Cargo.toml needs [lib] crate-type = [\"cdylib\"]"));
    };
    // <target>/<triple>/release/<name>.wasm
    let out = module.ancestors().nth(3).unwrap_or(folder).join("paddle");
    let warnings = diagnostics(output);
    Ok(Core { name: package_name(&message.package_id), folder: folder.to_owned(), file: module.clone(), out, warnings })
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The name in a package id: `path+file:///…/folder#name@version`, or `…/name#version` where both are the same.
fn package_name(id: &str) -> String {
    let (url, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    let name = fragment.split_once('@').map(|(name, _)| name);
    name.or_else(|| url.rsplit('/').next()).unwrap_or("plugin").to_owned()
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn package_ids_give_names() {
        assert_eq!(package_name("path+file:///p/filter#0.1.0"), "filter");
        assert_eq!(package_name("path+file:///p/folder#filter@0.1.0"), "filter");
    }
}
