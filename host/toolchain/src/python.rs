//! Python: a script for the ready-made runtime, with every module in its folder. A plugin that asks for packages is made a component by
//! componentize-py: of its interpreter, our library, the packages and the author's module, which it has imported already.
//!
//! That interpreter starts from a snapshot, whose hashes begin with random numbers of the build: two builds of one source are not
//! alike. So what was built of the same source, by the same tools, is not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::component::CONTRACT;
use crate::script::{self, MAIN, MODULES_MAX, Script};
use crate::{BuildError, Built, Language, Made, Options, output, place, sdk, tool};
use std::collections::BTreeMap;

/// The release of componentize-py that our library is made for.
pub(crate) const RELEASE: &str = "0.25.1";

/// What is asked for.
pub(crate) const WANTED: &str = "componentize-py 0.25.1";

/// The command that installs it, in the plugin's folder or above it.
pub(crate) const INSTALL: &str = "python3 -m venv .venv && .venv/bin/python -m pip install componentize-py==0.25.1";

/// Our module that stands between the contract and the author's.
const MODULE: &str = "paddlewheel_component";

/// What is no part of a plugin, besides names that begin with a dot.
const LEFT_OUT: [&str; 5] = ["__pycache__", "tests", "node_modules", "target", PACKAGES];

/// A folder beside the plugin that `pip install --target packages` fills.
const PACKAGES: &str = "packages";

/// The most files that a plugin's folder may have. Its packages do not count.
const FILES_MAX: usize = 1_000;

/// Builds the plugin in a folder.
pub(crate) fn build(folder: &Path, options: &Options) -> Result<Built, BuildError> {
    let folder = place::full(folder)?;
    // What editors and mypy look at, too.
    let library = sdk::write(Language::Python, &place::root(&folder))?;
    let name = place::folder_name(&folder);
    let Some(named) = names_packages(&folder) else { return of_script(&folder, name) };
    let packages = packages(&folder, &named)?;
    let tool = componentize_py(&folder)?;
    let out = place::build(&folder, options)?;
    let wasm = out.join(format!("{name}.wasm"));
    let sources = sources(&folder)?;
    let inputs = inputs(&tool, &library, &folder, &sources, &packages)?;
    let marker = out.join(format!("{name}.inputs"));
    let known = fs::read_to_string(&marker).is_ok_and(|known| known == inputs) && wasm.is_file();
    let mut warnings = String::new();
    if !known {
        warnings =
            componentize(&tool, &Parts { folder: &folder, library, sources, packages, out: &out }, &wasm, options)?;
        output::write_if_changed(&marker, inputs.as_bytes())?;
    }
    let component = output::read(&wasm)?;
    output::bounded(component.len() as u64)?;
    Ok(Built {
        name,
        language: Language::Python,
        made: Made::Component(wasm),
        size: component.len() as u64,
        digest: output::digest(&component),
        changed: !known,
        warnings,
    })
}

/// The script that a folder is which asks for no packages: its main file, and every other module in it.
fn of_script(folder: &Path, name: String) -> Result<Built, BuildError> {
    let main = folder.join(Language::Python.marker());
    let mut files = BTreeMap::from([(MAIN.to_owned(), main.clone())]);
    for file in sources(folder)? {
        if file.extension().is_some_and(|ending| ending == "py") && folder.join(&file) != main {
            files.insert(script::module_name(&file), folder.join(&file));
        }
    }
    if files.len() > MODULES_MAX {
        return Err(BuildError::TooManyModules { script: main });
    }
    let script = Script { language: Language::Python, files };
    let (size, digest) = script.weigh()?;
    let made = Made::Script(script);
    Ok(Built { name, language: Language::Python, made, size, digest, changed: false, warnings: String::new() })
}

/// The modules in `folder` that a file there imports, by any line that begins like an import. A package brings its `__init__.py`, and
/// all that is in it where something is taken from it.
pub(crate) fn imported(text: &str, file: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // Several may stand in a line: `import a; import b`, `try: import c`.
    for statement in text.split(['\n', ';', ':']).map(str::trim_start) {
        if let Some(names) = statement.strip_prefix("import ") {
            for name in names.split([',', '#']).filter_map(|name| name.split_whitespace().next()) {
                found.extend(on_the_way(folder, name, folder));
            }
        } else if let Some(name) = statement.strip_prefix("from ").and_then(|rest| rest.split_whitespace().next()) {
            let base = match name.bytes().take_while(|byte| *byte == b'.').count() {
                0 => Some(folder),
                // Each dot but the first is a folder up.
                dots => file.ancestors().nth(dots),
            };
            let Some(base) = base.filter(|base| base.starts_with(folder)) else { continue };
            found.extend(on_the_way(base, name, folder));
            let package = below(base, name);
            if package != folder || name.starts_with('.') {
                let inside = package.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
                found.extend(
                    inside.filter(|file| file.is_file() && file.extension().is_some_and(|ending| ending == "py")),
                );
            }
        }
    }
    found
}

/// The path of a module below a folder, without its ending. Dots in front do not count.
fn below(base: &Path, name: &str) -> PathBuf {
    name.split('.').filter(|part| !part.is_empty()).fold(base.to_owned(), |at, part| at.join(part))
}

/// The file of a module, and those of the packages that it is in.
fn on_the_way(base: &Path, name: &str, folder: &Path) -> Vec<PathBuf> {
    let path = below(base, name);
    let packages = path.ancestors().take_while(|at| at.starts_with(folder) && *at != folder);
    let mut found: Vec<PathBuf> = packages.map(|package| package.join("__init__.py")).collect();
    if path != base {
        found.push(path.with_added_extension("py"));
    }
    found.retain(|file| file.is_file());
    found
}

/// componentize-py: that of the plugin's environment or of one above it, or the one on the path.
pub(crate) fn componentize_py(folder: &Path) -> Result<PathBuf, BuildError> {
    let missing = || BuildError::Missing { what: WANTED.to_owned(), command: INSTALL.to_owned() };
    let tool = place::upwards(folder, ".venv/bin/componentize-py").or_else(|| tool::on_path("componentize-py"));
    let tool = tool.ok_or_else(missing)?;
    let version = version(&tool).unwrap_or_default();
    if version == RELEASE {
        return Ok(tool);
    }
    // Our library reaches into what this release generates; another one may generate something else.
    let what = format!("{WANTED} ({} is {version})", tool.display());
    let pip = tool.with_file_name("python");
    let pip = if tool::is_program(&pip) { pip.display().to_string() } else { "python3".to_owned() };
    Err(BuildError::Missing { what, command: format!("{pip} -m pip install componentize-py=={RELEASE}") })
}

/// Its release.
pub(crate) fn version(tool: &Path) -> Option<String> {
    tool::ask(tool, &["--version"])?.rsplit(' ').next().map(str::to_owned)
}

/// What a component is made of.
struct Parts<'a> {
    folder: &'a Path,
    library: PathBuf,
    /// Paths in the folder.
    sources: Vec<PathBuf>,
    packages: Vec<PathBuf>,
    out: &'a Path,
}

/// Runs componentize-py on copies: the interpreter writes what it compiled beside what it read.
fn componentize(tool: &Path, parts: &Parts<'_>, wasm: &Path, options: &Options) -> Result<String, BuildError> {
    let source = parts.out.join("source");
    if source.exists() {
        fs::remove_dir_all(&source).map_err(BuildError::io(format!("remove {}", source.display())))?;
    }
    for file in &parts.sources {
        output::write_if_changed(&source.join(file), &output::read(&parts.folder.join(file))?)?;
    }
    let wit = parts.out.join("transform.wit");
    output::write_if_changed(&wit, CONTRACT.as_bytes())?;
    // Otherwise it looks into whatever environment it is called from.
    let environment = parts.out.join("environment");
    let nothing = environment.join("lib/site-packages");
    fs::create_dir_all(&nothing).map_err(BuildError::io(format!("make {}", nothing.display())))?;
    let made = parts.out.join("made.wasm");
    let mut command = tool::command(tool);
    command.current_dir(parts.out).env("VIRTUAL_ENV", &environment).env("RUST_BACKTRACE", "0");
    command.arg("-q").arg("-d").arg(&wit).args(["-w", "transformer", "componentize"]);
    for folder in [&parts.library, &source].into_iter().chain(&parts.packages) {
        command.arg("-p").arg(folder);
    }
    command.arg(MODULE).arg("-o").arg(&made);
    let said = tool::compile(&mut command, options.messages).map_err(|error| match error {
        BuildError::Compile { messages } => BuildError::Compile { messages: readable(&messages, parts.folder) },
        other => other,
    })?;
    output::write_if_changed(wasm, &output::read(&made)?)?;
    fs::remove_file(&made).map_err(BuildError::io(format!("remove {}", made.display())))?;
    Ok(said.stderr)
}

/// The traceback of the author's module, out of those of componentize-py around it, with the author's paths.
fn readable(messages: &str, folder: &Path) -> String {
    let inner = messages.split_once("AssertionError: ").map_or(messages, |(_, inner)| inner);
    let inner = inner.split_once("\n\nCaused by:").map_or(inner, |(inner, _)| inner);
    let ours = |line: &str| line.contains("\"/0/");
    let mut kept = Vec::new();
    let mut lines = inner.lines().peekable();
    while let Some(line) = lines.next() {
        // Our own frames, and warnings about what was generated from the contract's comments.
        if ours(line) || line.starts_with("/world/") {
            let inner = if line.starts_with('/') { "  " } else { "    " };
            while lines.next_if(|line| line.starts_with(inner)).is_some() {}
            continue;
        }
        kept.push(line.replace("File \"/1/", &format!("File \"{}/", folder.display())));
    }
    kept.join("\n")
}

/// The files of a plugin, in an order that does not depend on the file system.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    collect(folder, Path::new(""), &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    let here = folder.join(below);
    let reading = || format!("read {}", here.display());
    for entry in here.read_dir().map_err(BuildError::io(reading()))? {
        let entry = entry.map_err(BuildError::io(reading()))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || LEFT_OUT.contains(&&*text) {
            continue;
        }
        let path = below.join(&name);
        if entry.path().is_dir() {
            collect(folder, &path, found)?;
        } else {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            let reason =
                format!("there are more than {FILES_MAX} files in it; packages belong into .venv or {PACKAGES}");
            return Err(BuildError::NotAPlugin { folder: folder.to_owned(), reason });
        }
    }
    Ok(())
}

/// What brings the packages that a plugin asks for.
enum Packages {
    /// Its folder of them has them.
    Beside,
    /// `pip install` with these words does.
    Pip(String),
}

/// Where a plugin names packages: a folder of them, a line of `requirements.txt`, or `dependencies` in `pyproject.toml`.
fn names_packages(folder: &Path) -> Option<Packages> {
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let shown = folder.display();
    let is_named = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if text("requirements.txt").lines().any(is_named) {
        return Some(Packages::Pip(format!("-r {shown}/requirements.txt")));
    }
    let project = text("pyproject.toml");
    let begins = project.lines().position(|line| line.trim_start().starts_with("dependencies"));
    let list: String = project.lines().skip(begins.unwrap_or(usize::MAX)).collect::<Vec<_>>().join("\n");
    if list.split_once('[').is_some_and(|(_, list)| !list.trim_start().starts_with([']', '#'])) {
        return Some(Packages::Pip(shown.to_string()));
    }
    folder.join(PACKAGES).is_dir().then_some(Packages::Beside)
}

/// Where the packages are: the plugin's folder of them, and its environment, if it names any.
fn packages(folder: &Path, named: &Packages) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    let beside = folder.join(PACKAGES);
    if beside.is_dir() {
        found.push(beside);
    }
    let Packages::Pip(words) = named else { return Ok(found) };
    if let Some(environment) = place::upwards(folder, ".venv/pyvenv.cfg").as_deref().and_then(Path::parent) {
        let releases = fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
        let folders = releases.map(|release| release.path().join("site-packages")).filter(|folder| folder.is_dir());
        found.extend(folders);
    }
    if found.is_empty() {
        let what = "an environment with the packages that it names".to_owned();
        let command =
            format!("python3 -m venv .venv && .venv/bin/python -m pip install {words} componentize-py=={RELEASE}");
        return Err(BuildError::Missing { what, command });
    }
    Ok(found)
}

/// All that decides what a build comes to, as a digest of it.
fn inputs(
    tool: &Path,
    library: &Path,
    folder: &Path,
    sources: &[PathBuf],
    packages: &[PathBuf],
) -> Result<String, BuildError> {
    let mut all = format!("{}\n{RELEASE}\n{CONTRACT}\n", tool.display()).into_bytes();
    let mut add = |file: &Path, name: &Path| {
        let bytes = output::read(file)?;
        all.extend_from_slice(format!("{} {}\n", name.display(), bytes.len()).as_bytes());
        all.extend_from_slice(&bytes);
        Ok::<(), BuildError>(())
    };
    for file in sources {
        add(&folder.join(file), file)?;
    }
    for file in self::sources(library)? {
        add(&library.join(&file), &file)?;
    }
    for folder in packages {
        stamps(folder, &mut all);
    }
    Ok(output::digest(&all))
}

/// Packages are many files that others wrote: their names, sizes and times will do.
fn stamps(folder: &Path, all: &mut Vec<u8>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    entries.sort();
    for entry in entries.iter().filter(|entry| entry.file_name().is_none_or(|name| name != "__pycache__")) {
        if entry.is_dir() {
            stamps(entry, all);
        } else if let Ok(metadata) = entry.metadata() {
            let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let changed = changed.unwrap_or_default().as_nanos();
            all.extend_from_slice(format!("{} {} {changed}\n", entry.display(), metadata.len()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{readable, sources};

    #[test]
    fn a_traceback_shows_the_authors_own_files() {
        let messages = "Traceback (most recent call last):\n  File \"/x/bin/componentize-py\", line 8, in <module>\n    sys.exit(script())\n\
            AssertionError: /world/events.py:21: SyntaxWarning: odd\n  bare = one\nTraceback (most recent call last):\n  \
            File \"/0/paddlewheel_component.py\", line 91, in <module>\n    import plugin\n  File \"/1/plugin.py\", line 1, in <module>\n    \
            import nothing\nModuleNotFoundError: No module named 'nothing'\n\nCaused by:\n    ModuleNotFoundError";
        let expected = "Traceback (most recent call last):\n  File \"/my/enrich/plugin.py\", line 1, in <module>\n    import nothing\n\
            ModuleNotFoundError: No module named 'nothing'";
        assert_eq!(readable(messages, "/my/enrich".as_ref()), expected);
        assert_eq!(readable("as it is", "/my/enrich".as_ref()), "as it is");
    }

    #[test]
    fn what_is_no_source_is_left_out() {
        let folder = tempfile::tempdir().expect("there is room");
        for file in
            ["plugin.py", "shop/prices.py", ".venv/lib/x.py", "tests/test.py", "__pycache__/x.pyc", "packages/y.py"]
        {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
            std::fs::write(file, "").expect("it can be written");
        }
        assert_eq!(
            sources(folder.path()).expect("it can be read"),
            ["plugin.py", "shop/prices.py"].map(Into::into).to_vec() as Vec<std::path::PathBuf>
        );
    }
}
