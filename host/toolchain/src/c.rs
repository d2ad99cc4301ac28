//! C: clang for `wasm32-wasi`, every `.c` file of the folder together with our library's.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Adapter, BuildError, Core, Language, Options, place, sdk, tool};

/// The command that installs the compiler, its linker and a libc.
#[cfg(target_os = "linux")]
pub(crate) const INSTALL: &str =
    "apt-get install -y --no-install-recommends clang lld libclang-rt-dev-wasm32 wasi-libc";
/// The command that installs a compiler that brings its own linker and libc.
#[cfg(not(target_os = "linux"))]
pub(crate) const INSTALL: &str = "python3 -m pip install ziglang==0.17.1";

/// What is asked for.
pub(crate) const WANTED: &str = "a C compiler for WebAssembly (clang, its linker wasm-ld, and wasi-libc)";

/// Releases of clang whose programs Debian names after them, newest first.
const RELEASES: [&str; 10] = ["22", "21", "20", "19", "18", "17", "16", "15", "14", "13"];

/// Where distributions put wasi-libc.
const LIBC: [&str; 2] = ["/usr/lib/wasm32-wasi/libc.a", "/usr/share/wasi-sysroot/lib/wasm32-wasi/libc.a"];

/// What stands in a module that can print: then preview 1 has to be answered.
const PREVIEW1: &[u8] = b"wasi_snapshot_preview1";

/// A compiler that can link WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// clang, with a linker and a libc beside it.
    Clang { program: PathBuf, sysroot: Option<PathBuf> },
    /// Zig's, which brings linker and libc: the program itself, or a Python that has it as a package.
    Zig { program: PathBuf, package: bool },
}

/// The compiler that plugins in a folder are compiled with, or what is missing.
///
/// The plugin's own environment comes first. A clang that lacks something, as macOS has one, gives way to Zig.
pub(crate) fn compiler(folder: &Path) -> Result<Compiler, BuildError> {
    let own = place::upwards(folder, ".venv/bin/python").and_then(packaged_zig);
    own.map_or_else(complete_clang, Ok).or_else(|missing| zig().ok_or(missing))
}

/// clang with its linker and a libc, or what is missing.
fn complete_clang() -> Result<Compiler, BuildError> {
    let missing = |what: &str| Err(BuildError::Missing { what: what.to_owned(), command: INSTALL.to_owned() });
    let Some((program, linked)) = clang() else { return missing(WANTED) };
    if !linked {
        return missing("wasm-ld, clang's linker for WebAssembly,");
    }
    match LIBC.iter().map(Path::new).find(|libc| libc.is_file()) {
        Some(libc) if libc.starts_with("/usr/share/wasi-sysroot") => {
            Ok(Compiler::Clang { program, sysroot: Some("/usr/share/wasi-sysroot".into()) })
        }
        Some(_) => Ok(Compiler::Clang { program, sysroot: None }),
        None => missing("wasi-libc, a C library for WebAssembly,"),
    }
}

/// The newest clang that has a linker of its release, or any clang; and whether it has one.
fn clang() -> Option<(PathBuf, bool)> {
    let named = |release: Option<&str>| {
        let suffix = release.map_or(String::new(), |release| format!("-{release}"));
        let program = tool::on_path(&format!("clang{suffix}"))?;
        Some((program, tool::on_path(&format!("wasm-ld{suffix}")).is_some()))
    };
    let all: Vec<(PathBuf, bool)> = [None].into_iter().chain(RELEASES.map(Some)).filter_map(named).collect();
    all.iter().find(|(_, linked)| *linked).or(all.first()).cloned()
}

/// Zig on the path: the program, or the package of the Python there.
fn zig() -> Option<Compiler> {
    let program = tool::on_path("zig").filter(|program| tool::ask(program, &["version"]).is_some());
    program.map(|program| Compiler::Zig { program, package: false }).or_else(|| packaged_zig(tool::on_path("python3")?))
}

/// A Python, if it has the package `ziglang`.
fn packaged_zig(python: PathBuf) -> Option<Compiler> {
    let has = tool::ask(&python, &["-c", "import ziglang"]).is_some();
    has.then_some(Compiler::Zig { program: python, package: true })
}

/// What a compiler says of itself, in a line.
pub(crate) fn version(compiler: &Compiler) -> Option<String> {
    match compiler {
        Compiler::Clang { program, .. } => Some(tool::ask(program, &["--version"])?.lines().next()?.to_owned()),
        Compiler::Zig { program, package } => {
            let asked: &[&str] = if *package { &["-m", "ziglang", "version"] } else { &["version"] };
            Some(format!("zig {}", tool::ask(program, asked)?))
        }
    }
}

/// Compiles the plugin in a folder to a core module, and says who answers what it asks of preview 1.
pub(crate) fn compile(folder: &Path, options: &Options) -> Result<(Core, Adapter), BuildError> {
    let folder = place::full(folder)?;
    let compiler = compiler(&folder)?;
    let library = sdk::write(Language::C, &place::root(&folder))?;
    let out = place::build(&folder, options)?;
    let name = place::folder_name(&folder);
    let file = out.join(format!("{name}.core.wasm"));
    let mut command = started(&compiler);
    command.current_dir(&folder).args(["-mexec-model=reactor", "-O2", "-g0", "-Wall", "-Wextra", "-std=c11"]);
    // Neither where the source lies nor where the library does shows in what is made.
    command.arg(format!("-ffile-prefix-map={}=plugin", folder.display()));
    command.arg(format!("-ffile-prefix-map={}=paddlewheel", library.display()));
    command.arg(include(&library)).args(sources(&folder)?);
    command.args(["paddlewheel.c", "member.c", "random.c"].map(|file| library.join(file)));
    command.arg("-Wl,--strip-debug").arg("-o").arg(&file);
    let said = tool::compile(&mut command, options.messages)?;
    let prints = memmem(&crate::output::read(&file)?, PREVIEW1);
    let wasi = if prints { Adapter::Inside } else { Adapter::None };
    Ok((Core { name, folder, file, out, warnings: said.stderr }, wasi))
}

fn started(compiler: &Compiler) -> Command {
    match compiler {
        Compiler::Clang { program, sysroot } => {
            let mut command = tool::command(program);
            command.arg("--target=wasm32-wasi");
            if let Some(sysroot) = sysroot {
                command.arg(format!("--sysroot={}", sysroot.display()));
            }
            command
        }
        Compiler::Zig { program, package } => {
            let mut command = tool::command(program);
            if *package {
                command.args(["-m", "ziglang"]);
            }
            command.args(["cc", "-target", "wasm32-wasi"]);
            command
        }
    }
}

fn include(library: &Path) -> String {
    format!("-I{}", library.display())
}

/// The folder's own source files by name, in an order that does not depend on the file system.
fn sources(folder: &Path) -> Result<Vec<String>, BuildError> {
    let entries = folder.read_dir().map_err(BuildError::io(format!("read {}", folder.display())))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".c")).collect();
    names.sort();
    // A name may begin with a dash; as a path it is no option.
    Ok(names.into_iter().map(|name| format!("./{name}")).collect())
}

fn memmem(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
