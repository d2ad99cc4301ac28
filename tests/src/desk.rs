//! Where a person works with the built `paddle`: a home of its own, so that nothing of this machine's is seen, a
//! project, and variables.

use crate::programs::program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What one run came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it writes UTF-8");
        let code = output.status.code().expect("it ends by itself");
        Ran { code, out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Where a person works: a home, a project, and variables.
pub struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    /// What `keygen` printed.
    pub public: String,
}

impl Desk {
    /// A copy of the example, a store beside it, and a publisher's key.
    #[expect(clippy::new_without_default, reason = "it writes files and runs a program")]
    pub fn new() -> Desk {
        let mut desk = Desk::without_key();
        desk.public = desk.ok(&["keygen"]).trim().to_owned();
        desk
    }

    /// The same before `keygen`.
    pub fn without_key() -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("plugins/example");
        copy(&example, &folder.path().join("project"));
        let store = folder.path().join("store").display().to_string();
        let variables = vec![("PADDLE_STORE".to_owned(), store), ("PADDLE_BY".to_owned(), "ann".to_owned())];
        Desk { folder, variables, public: String::new() }
    }

    /// An empty project, and no store.
    pub fn empty() -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("project")).expect("a folder");
        Desk { folder, variables: Vec::new(), public: String::new() }
    }

    /// Somebody else at the same store, with a home of their own and no project.
    pub fn colleague(&self) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        Desk { folder, variables: self.variables.clone(), public: String::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Has the languages' own caches, which are this machine's; everything else is as on a new one.
    pub fn use_caches(&mut self) {
        for (name, usual) in
            [("CARGO_HOME", Some(".cargo")), ("RUSTUP_HOME", Some(".rustup")), ("GOMODCACHE", None), ("GOCACHE", None)]
        {
            let usual = || Some(std::env::home_dir()?.join(usual?).into_os_string());
            if let Some(value) = std::env::var_os(name).or_else(usual) {
                self.set(name, &value.to_string_lossy());
            }
        }
        // The compiler that these tests were built with is the one that has WebAssembly's targets; rustup says which.
        if let Some(toolchain) = std::env::var_os("RUSTUP_TOOLCHAIN") {
            self.set("RUSTUP_TOOLCHAIN", &toolchain.to_string_lossy());
        }
    }

    /// Links a tool that `make tools` brings, `python` or `esbuild/node_modules`, to where the project's tools look for
    /// it.
    pub fn link_tool(&self, tool: &str, to: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its tests");
        let from = root.join(".tools").join(tool);
        if from.is_dir() {
            std::os::unix::fs::symlink(from, self.path("project").join(to)).expect("linked");
        }
    }

    /// Sets a variable for all runs from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Changes the project's `paddle.toml`.
    pub fn edit(&self, from: &str, to: &str) {
        let file = self.path("project/paddle.toml");
        let text = std::fs::read_to_string(&file).expect("a paddle.toml");
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&file, text.replace(from, to)).expect("written");
    }

    pub fn write(&self, name: &str, text: &str) {
        let file = self.path("project").join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("written");
    }

    /// `paddle` with these arguments, about to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let project = self.path("project");
        let place = if project.is_dir() { project } else { self.folder.path().to_owned() };
        let mut command = Command::new(program("paddle"));
        command
            .args(arguments)
            .current_dir(place)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("paddle runs"))
    }

    /// Runs what must succeed; its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:#?}");
        ran.out
    }

    /// Runs what must fail with this code and these words, in one line of error.
    pub fn fails(&self, arguments: &[&str], code: i32, words: &str) -> Ran {
        let ran = self.run(arguments);
        let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(ran.code == code && errors.len() == 1 && errors[0].contains(words), "{arguments:?}: {words}: {ran:#?}");
        ran
    }

    /// Runs with `--format json`; the one JSON value.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Publishes onto `live`; the release's id.
    pub fn publish(&self) -> String {
        let told = self.json(&["publish", "--to", "live", "--allow-slower"]);
        told["release"].as_str().expect("an id").to_owned()
    }

    /// Another release onto `live`: its documents have another mask.
    pub fn publish_mask(&self, mask: &str) -> String {
        let file = self.path("project/paddle.toml");
        let text = std::fs::read_to_string(&file).expect("a paddle.toml");
        let fields = r#"fields = ["user.email""#;
        let start = text.find(fields).expect("the example masks");
        let before = text[..start].rfind("config = { ").expect("its config") + "config = { ".len();
        let changed = format!("{}mask = \"{mask}\", {}", &text[..before], &text[start..]);
        std::fs::write(&file, changed).expect("written");
        self.ok(&["test", "--update"]);
        self.publish()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true if entry.file_name() == ".paddle" => {}
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copied")),
        }
    }
}
