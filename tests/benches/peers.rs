//! Work in processes of its own, asked for one turn at a time: `CASE N` in, `cpu_ns …` out. Plain handlers
//! (`tests/peers`) and ours (`ours`) alike: rows that shared a heap would slow each other, by up to a tenth here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The argument that makes this program do our work.
pub(crate) const SERVE: &str = "serve";

/// A process that says nothing for this long is ended: the slowest turn takes a second.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A program that serves rounds. The first letter of a case says which job, the rest which events.
#[derive(Clone)]
pub(crate) struct Program {
    command: PathBuf,
    /// What comes in front of the usual arguments: the file that an interpreter runs.
    first: Option<PathBuf>,
    /// Which of its handlers.
    mode: Option<&'static str>,
}

impl Program {
    /// A handler of `tests/peers/native`, as `make bench` built it.
    pub(crate) fn native(built: &Path, mode: &'static str) -> Result<Program, String> {
        Program { command: built.join("peers/release/native"), first: None, mode: Some(mode) }.if_built()
    }

    /// The same with mimalloc.
    pub(crate) fn native_mimalloc(built: &Path, mode: &'static str) -> Result<Program, String> {
        Program { command: built.join("native-mimalloc"), first: None, mode: Some(mode) }.if_built()
    }

    /// The transform alone.
    pub(crate) fn steps(built: &Path) -> Result<Program, String> {
        Program { command: built.join("peers/release/steps"), first: None, mode: None }.if_built()
    }

    /// One of our tasks: this program once more.
    pub(crate) fn ours(task: &'static str) -> Result<Program, String> {
        let command = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(Program { command, first: Some(SERVE.into()), mode: Some(task) })
    }

    /// A script of `tests/peers`.
    pub(crate) fn script(interpreter: &str, script: &str) -> Result<Program, String> {
        let answers = Command::new(interpreter).arg("--version").output().is_ok_and(|output| output.status.success());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        match answers {
            true => Ok(Program { command: interpreter.into(), first: Some(script), mode: None }),
            false => Err("not installed".into()),
        }
    }

    fn if_built(self) -> Result<Program, String> {
        match self.command.exists() {
            true => Ok(self),
            false => Err("not built: `make bench` does".into()),
        }
    }

    fn start(&self, words: &[&str]) -> Result<Process, String> {
        let mut command = Command::new(&self.command);
        command.args(&self.first).args(words).args(self.mode);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{}: {error}", self.command.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        let (send, lines) = channel();
        // Ends with the process, which closes its output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Process { child, stdin, lines })
    }
}

/// One case of one program, in a process of its own.
pub(crate) struct Peer {
    program: Program,
    folder: String,
    case: String,
    process: Process,
}

impl Peer {
    /// Starts it on the events in `folder`.
    pub(crate) fn start(program: Program, folder: &Path, case: &str) -> Result<Peer, String> {
        let folder = folder.display().to_string();
        let process = program.start(&[&folder])?;
        Ok(Peer { program, folder, case: case.to_owned(), process })
    }

    /// The same work of ours by an earlier program of this kind; none if it is not ours.
    pub(crate) fn before(&self, earlier: &Path) -> Option<Result<Peer, String>> {
        let is_ours = self.program.first.as_deref() == Some(Path::new(SERVE));
        let program = Program { command: earlier.to_owned(), ..self.program.clone() };
        is_ours.then(|| Peer::start(program.if_built()?, Path::new(&self.folder), &self.case))
    }

    /// Has the work done so many times; CPU time of all runs for each of so many rows.
    pub(crate) fn turn(&mut self, runs: u32, rows: usize) -> Result<Vec<Duration>, String> {
        let stdin = self.process.stdin.as_mut().expect("it is open while rounds run");
        writeln!(stdin, "{} {runs}", self.case).map_err(|error| format!("it takes no orders: {error}"))?;
        let answer = self.process.line()?.ok_or("it ended")?;
        let time = |word: &str| word.parse::<f64>().map(|time| Duration::from_nanos(time as u64));
        let times: Result<Vec<_>, _> = answer.split(' ').take(rows).map(time).collect();
        times.map_err(|_| format!("an answer that is no time: {answer}"))
    }

    /// The documents that one run makes.
    pub(crate) fn documents(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut process = self.program.start(&["dump", &self.folder, &self.case])?;
        process.stdin = None;
        let mut documents = Vec::new();
        while let Some(line) = process.line()? {
            documents.push(line.into_bytes());
        }
        Ok(documents)
    }
}

/// A process, ended with this value.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Its next line; `None` when it ended.
    fn line(&mut self) -> Result<Option<String>, String> {
        match self.lines.recv_timeout(ANSWER_MAX) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer in {} s", ANSWER_MAX.as_secs())),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
