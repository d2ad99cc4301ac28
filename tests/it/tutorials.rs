//! The tutorials in docs/, as a reader follows them: each block of commands is run, each file written, each answer
//! looked for.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::desk::Desk;
use tests::programs::program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its tests").to_owned()
}

/// A block between fences.
struct Block {
    /// What stands behind the first fence: a language, then the path of a file, or `install`.
    info: Vec<String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { info, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A reader's shell: where they are, and what the last commands said.
struct Reader {
    desk: Desk,
    folder: PathBuf,
    said: String,
}

impl Reader {
    fn new() -> Reader {
        let mut desk = Desk::empty();
        desk.use_caches();
        let folder = desk.path("project");
        Reader { desk, folder, said: String::new() }
    }

    /// The path of something in the reader's folder, from the desk's project.
    fn inside(&self, name: &str) -> String {
        let project = self.desk.path("project").canonicalize().expect("there");
        let folder = self.folder.canonicalize().expect("there");
        folder.strip_prefix(project).expect("inside").join(name).display().to_string()
    }

    /// Runs lines of shell, and notes where they lead.
    fn run(&mut self, lines: &str) {
        let beside = program("paddle").parent().expect("it is in a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        // One more than was asked for: where the shell is in the end.
        let script = format!("set -e\nexec 2>&1\n{lines}\necho \"@$PWD\"");
        let mut command = Command::new("bash");
        let like = self.desk.command(&[]);
        command.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", format!("{beside}:{path}")).arg("-c").arg(script).current_dir(&self.folder);
        let Output { status, stdout, .. } = command.output().expect("bash runs");
        let said = String::from_utf8(stdout).expect("UTF-8");
        assert!(status.success(), "{lines}\n{said}");
        let (said, here) = said.trim_end().rsplit_once("\n@").unwrap_or(("", said.trim_end().trim_start_matches('@')));
        self.said = said.to_owned();
        self.folder = here.into();
    }
}

/// Follows a tutorial; what is to be installed is linked from where `make tools` put it.
fn follow(page: &str, tools: &[(&str, &str)]) {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("there is the page");
    let mut reader = Reader::new();
    let mut ran = 0;
    for Block { info, text } in blocks(&text) {
        match info.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["sh"] => {
                reader.run(&text);
                ran += 1;
            }
            ["sh", "install"] => {
                tools.iter().for_each(|(tool, to)| reader.desk.link_tool(tool, &reader.inside(to)));
            }
            ["text"] => {
                for line in text.lines() {
                    assert!(reader.said.contains(line), "{page}: `{line}` is not in\n{}", reader.said);
                }
            }
            [_, file] => std::fs::write(reader.folder.join(file), text).expect("written"),
            _ => panic!("{page}: what is to be done with a block of {info:?}?"),
        }
    }
    assert_eq!(ran, 5, "{page}: it has five parts");
}

/// Whether a language's tools are here; if not, its tutorial is skipped.
fn has(language: &str, tool: &str, needs: &str, tools: &[(&str, &str)]) -> bool {
    let mut desk = Desk::empty();
    tools.iter().for_each(|(tool, to)| desk.link_tool(tool, to));
    desk.use_caches();
    let is_there = desk.run(&["doctor", "--language", language]).code == 0;
    if !is_there {
        tests::skip(&format!("the tutorial for {language}"), tool, needs);
    }
    is_there
}

#[test]
fn javascript() {
    follow("javascript.md", &[]);
}

#[test]
fn typescript() {
    let tools = [("esbuild/node_modules", "node_modules")];
    if has("ts", "esbuild", "npm", &tools) {
        follow("typescript.md", &tools);
    }
}

#[test]
fn python() {
    follow("python.md", &[]);
}

#[test]
fn go() {
    if has("go", "Go", "Go", &[]) {
        follow("go.md", &[]);
    }
}

#[test]
fn rust() {
    if has("rust", "Rust's target", "rustup", &[]) {
        follow("rust.md", &[]);
    }
}

#[test]
fn c() {
    if has("c", "clang", "root on Debian", &[]) {
        follow("c.md", &[]);
    }
}
