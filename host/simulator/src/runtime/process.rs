//! One process of a function: started, stopped, continued, killed, and reaped when it ends.
//!
//! It leads a process group of its own, and signals go to the group, so what it started is frozen and killed with it.
//! When this program dies without a word, the kernel continues and hangs up a stopped group that has lost its parent,
//! and a running one finds its Runtime API gone.

use super::api;
use super::exchange::Exchange;
use super::function::Function;
use super::log::{Log, Source};
use super::pipe::Pipe;
use crate::server::Server;
use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a signal may take to stop or end a process before we go on without knowing.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at whether a process has stopped.
const LOOK_PAUSE: Duration = Duration::from_micros(500);

/// Memory of a process, as the kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in memory now.
    pub resident_bytes: u64,
    /// The most there were.
    pub peak_bytes: u64,
}

/// A process and its Runtime API. Dropping it kills the process and all that it started.
pub(super) struct Process {
    pub(super) exchange: Arc<Exchange>,
    pub(super) spawned: Instant,
    group: Leash,
    pipes: [Arc<Pipe>; 2],
    _server: Server,
}

impl Process {
    pub(super) async fn spawn(
        function: &Function,
        log: &Arc<Log>,
        log_stream: &str,
        scratch: Option<&Path>,
    ) -> anyhow::Result<Process> {
        let exchange = Arc::new(Exchange::new());
        let shared = exchange.clone();
        let server = Server::start(move |request| api::answer(shared.clone(), request)).await?;
        let runtime_api = server.url().trim_start_matches("http://");
        let program = function.absolute_program()?;
        let task_root = program.parent().unwrap_or(Path::new("/"));
        let spawned = Instant::now();
        let mut child = Command::new(&program)
            .args(&function.arguments)
            .env_clear()
            .envs(function.variables(runtime_api, log_stream, task_root, scratch))
            .current_dir(task_root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let outputs = (child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from));
        // From here on the process is somebody's, also when something fails.
        let group = Leash(Arc::new(Group { leader: Pid::from_child(&child), gone: Mutex::new(false) }));
        reap_later(child, group.0.clone(), exchange.clone())?;
        let (Some(stdout), Some(stderr)) = outputs else { anyhow::bail!("the process has no outputs") };
        let pipes =
            [Pipe::read(stdout, Source::Stdout, log.clone())?, Pipe::read(stderr, Source::Stderr, log.clone())?];
        Ok(Process { exchange, spawned, group, pipes, _server: server })
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.group.0.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Reads its outputs up to now.
    pub(super) fn flush(&self) {
        self.pipes.iter().for_each(|pipe| pipe.flush());
    }

    /// Stops it; when this returns, it does nothing any more.
    pub(super) async fn freeze(&self) {
        self.group.0.signal(Signal::STOP);
        let stopped_or_gone = async {
            while !self.group.0.is_stopped() {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(SIGNAL_LIMIT, stopped_or_gone).await;
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.group.0.signal(Signal::CONT);
    }

    /// Kills it (SIGKILL, as Lambda does with a function that has no extensions), and waits until it is gone.
    pub(super) async fn kill(self) {
        self.group.0.signal(Signal::KILL);
        let gone = self.exchange.until(|state| state.exit.is_some());
        let _ = tokio::time::timeout(SIGNAL_LIMIT, gone).await;
        self.flush();
    }

    /// Its memory; `None` when it has ended.
    pub(super) fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib << 10)
        };
        Some(Memory { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.exchange.close();
    }
}

/// A process group, whose number means it only until its leader is reaped.
struct Group {
    leader: Pid,
    gone: Mutex<bool>,
}

impl Group {
    fn signal(&self, signal: Signal) {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if !*gone {
            // It fails when nobody is left to signal.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// Whether the leader has stopped or ended.
    fn is_stopped(&self) -> bool {
        let states = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.leader), states), Ok(None) | Err(Errno::INTR))
    }

    /// Waits for the leader's end, kills who is left, and gives its number back to the system.
    fn reap(&self, mut child: Child) -> std::io::Result<ExitStatus> {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.leader), ended) {}
        self.signal(Signal::KILL);
        *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = true;
        child.wait()
    }
}

/// Kills a group when it is dropped.
struct Leash(Arc<Group>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}

/// Waits for the end of a process in a thread of its own: a runtime that is shutting down would forget it.
fn reap_later(child: Child, group: Arc<Group>, exchange: Arc<Exchange>) -> anyhow::Result<()> {
    let reaper = move || {
        let how = match group.reap(child) {
            Ok(status) => end_in_words(status),
            Err(error) => format!("Runtime exited with error: {error}"),
        };
        exchange.exited(how);
    };
    std::thread::Builder::new().name("reaper".to_owned()).spawn(reaper).context("start a thread")?;
    Ok(())
}

/// The end of a process as Lambda writes it.
fn end_in_words(status: ExitStatus) -> String {
    const NAMES: &[(i32, &str)] = &[
        (4, "illegal instruction"),
        (6, "aborted"),
        (7, "bus error"),
        (8, "floating point exception"),
        (9, "killed"),
        (11, "segmentation fault"),
        (13, "broken pipe"),
        (15, "terminated"),
    ];
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => match NAMES.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) => format!("Runtime exited with error: signal: {name}"),
            None => format!("Runtime exited with error: signal: signal {signal}"),
        },
        (None, None) => "Runtime exited with error: unknown".to_owned(),
    }
}
