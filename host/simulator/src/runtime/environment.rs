//! An execution environment: one process after the other, one invocation after the other, as Lambda drives them.

use super::exchange::Invocation;
use super::function::{Freeze, Function};
use super::invoked::{self, Failure, FailureKind, Invoked, Outcome, Start};
use super::log::{Line, Log, Source};
use super::process::{Memory, Process};
use super::{PAYLOAD_BYTES_MAX, exchange};
use crate::time;
use anyhow::ensure;
use hyper::body::Bytes;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout_at};

/// An execution environment. Dropping it kills its process.
pub struct Environment {
    function: Function,
    number: u64,
    log: Arc<Log>,
    log_stream: String,
    scratch: Option<PathBuf>,
    process: Option<Process>,
    processes: u64,
    /// The lines before the process that is there.
    process_mark: u64,
    init: Init,
    /// The process has had no invocation yet, and its init took so long.
    fresh: Option<Duration>,
    /// An invocation has begun and not ended: whoever waited for it gave up.
    unfinished: bool,
}

/// How the init of an environment's first process went.
#[derive(Debug, Clone)]
pub struct Init {
    /// From the start of the process until it asked for its first event, or failed to.
    pub duration: Duration,
    /// Why it failed, if it did. Lambda then repeats it inside the first invocation.
    pub failure: Option<Failure>,
}

/// One invocation, as far as it is known before it runs.
struct Call {
    id: String,
    timeout: Duration,
    began: Instant,
    deadline: Instant,
    deadline_ms: u64,
}

/// How an invocation went, and when it was answered.
struct Ran {
    outcome: Outcome,
    at: Instant,
    after_response: Duration,
}

impl Environment {
    /// Starts a process and waits for its init, for as long as Lambda would. An init that fails is no error here: see
    /// [`Environment::init`].
    ///
    /// # Errors
    /// When the program cannot be started, or the configuration is one that Lambda refuses.
    pub async fn start(function: &Function) -> anyhow::Result<Environment> {
        Environment::start_numbered(function, 1, Arc::default()).await
    }

    pub(super) async fn start_numbered(function: &Function, number: u64, log: Arc<Log>) -> anyhow::Result<Environment> {
        function.check()?;
        let mut environment = Environment {
            function: function.clone(),
            number,
            log,
            log_stream: random_hex(32),
            scratch: function.scratch(number)?,
            process: None,
            processes: 0,
            process_mark: 0,
            init: Init { duration: Duration::ZERO, failure: None },
            fresh: None,
            unfinished: false,
        };
        let call = Call::new(function.init_limit);
        environment.init = environment.start_process(&call, "init").await?;
        environment.fresh = environment.process.is_some().then_some(environment.init.duration);
        environment.freeze().await;
        Ok(environment)
    }

    /// How the init of the first process went.
    pub fn init(&self) -> &Init {
        &self.init
    }

    /// The number of the process, while there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// How many processes there were.
    pub fn processes(&self) -> u64 {
        self.processes
    }

    /// The memory of the process, while there is one.
    pub fn memory(&self) -> Option<Memory> {
        self.process.as_ref()?.memory()
    }

    /// All lines up to now, of all processes, as far as they are kept.
    pub fn log(&self) -> Vec<Line> {
        self.process.iter().for_each(Process::flush);
        self.log.since(0)
    }

    /// Invokes the function with its configured timeout.
    ///
    /// # Errors
    /// When the event is larger than [`PAYLOAD_BYTES_MAX`], or a process cannot be started. What the function does
    /// wrong is an [`Outcome`].
    pub async fn invoke(&mut self, payload: &[u8]) -> anyhow::Result<Invoked> {
        self.invoke_within(payload, self.function.timeout).await
    }

    /// Invokes the function with a timeout of its own. Dropping the future gives the invocation up; its process is
    /// killed before the next one.
    ///
    /// # Errors
    /// As [`Environment::invoke`].
    pub async fn invoke_within(&mut self, payload: &[u8], timeout: Duration) -> anyhow::Result<Invoked> {
        let bytes = payload.len();
        ensure!(bytes <= PAYLOAD_BYTES_MAX, "an event of {bytes} bytes, where Lambda takes {PAYLOAD_BYTES_MAX}");
        if self.unfinished {
            self.end_process().await;
        }
        self.unfinished = true;
        self.process.iter().for_each(Process::flush);
        let call = Call::new(timeout);
        let mark = if self.fresh.is_some() { self.process_mark } else { self.log.mark() };
        let (start, failure) = self.make_ready(&call).await?;
        let ran = match failure {
            Some(failure) => Ran::failed(failure),
            None => self.run(&call, payload).await,
        };
        self.settle(&call, &ran).await;
        let invoked = Invoked {
            request_id: call.id,
            environment: self.number,
            process: self.processes,
            start,
            outcome: ran.outcome,
            duration: ran.at - call.began,
            after_response: ran.after_response,
            log: self.log.since(mark),
        };
        self.unfinished = false;
        Ok(invoked)
    }

    /// Lets time pass between two invocations: with the process frozen, unless it never is.
    pub async fn idle(&self, time: Duration) {
        sleep(time).await;
    }

    /// Kills the process between two invocations, as when it ran out of memory; the next invocation starts another one
    /// inside its own time.
    pub async fn crash(&mut self) {
        self.end_process().await;
    }

    /// Ends the environment and waits until its process is gone. A function without extensions gets no SIGTERM from
    /// Lambda, but SIGKILL.
    pub async fn shutdown(mut self) {
        self.end_process().await;
    }

    /// Starts a process and waits for its init until the call's deadline. A process whose init failed is gone when this
    /// returns.
    async fn start_process(&mut self, call: &Call, phase: &str) -> anyhow::Result<Init> {
        self.process_mark = self.log.mark();
        let process = Process::spawn(&self.function, &self.log, &self.log_stream, self.scratch.as_deref()).await?;
        self.processes += 1;
        let spawned = process.spawned;
        let exchange = process.exchange.clone();
        self.process = Some(process);
        // A process that reported an init error is to end by itself: it may have something to write before.
        let known = |state: &exchange::State| state.ready_at().is_some() || state.exit.is_some();
        let in_time = timeout_at(call.deadline.into(), exchange.until(known)).await.is_ok();
        let (ready_at, failure) = exchange.read(|state| match (&state.init_failure, &state.exit) {
            (Some(reported), _) => (None, Some(reported.clone())),
            _ if !in_time => (None, Some(Failure::timed_out(&call.id, call.timeout).during_init())),
            (None, Some(how)) => (None, Some(Failure::exited(&call.id, how).during_init())),
            (None, None) => (state.ready_at(), None),
        });
        let duration = ready_at.unwrap_or_else(Instant::now).saturating_duration_since(spawned);
        if let Some(failure) = &failure {
            self.end_process().await;
            self.report_init(phase, duration, failure);
        }
        Ok(Init { duration, failure })
    }

    fn report_init(&self, phase: &str, duration: Duration, failure: &Failure) {
        let status = match failure.kind {
            FailureKind::TimedOut => "Status: timeout".to_owned(),
            FailureKind::Reported | FailureKind::ResponseTooLarge | FailureKind::Exited => {
                format!("Status: error\tError Type: {}", failure.error_type)
            }
        };
        let millis = duration.as_secs_f64() * 1000.0;
        let line = format!("INIT_REPORT Init Duration: {millis:.2} ms\tPhase: {phase}\t{status}");
        self.log.push(Source::Platform, line);
    }

    /// Sees to it that there is a process which may go on.
    async fn make_ready(&mut self, call: &Call) -> anyhow::Result<(Start, Option<Failure>)> {
        if self.process.is_none() {
            let init = self.start_process(call, "invoke").await?;
            return Ok((Start::InInvocation { init: init.duration }, init.failure));
        }
        let start = self.fresh.take().map_or(Start::Warm, |init| Start::Cold { init });
        Ok((start, None))
    }

    /// Gives the process an event, and waits until it has answered and asks for the next one.
    async fn run(&mut self, call: &Call, payload: &[u8]) -> Ran {
        let Some(process) = &self.process else {
            return Ran::failed(Failure::exited(&call.id, "Runtime exited without providing a reason"));
        };
        let exchange = process.exchange.clone();
        exchange.offer(Invocation {
            id: call.id.clone(),
            deadline_ms: call.deadline_ms,
            arn: self.function.arn(),
            trace_id: call.trace_id(),
            payload: Bytes::copy_from_slice(payload),
        });
        process.thaw();
        let waits_for_next = self.function.freeze != Freeze::AfterResponse;
        let over = |state: &exchange::State| {
            let answered = state.outcome.is_some() && (!waits_for_next || state.ready_at().is_some());
            answered || state.exit.is_some()
        };
        let in_time = timeout_at(call.deadline.into(), exchange.until(over)).await.is_ok();
        exchange.read(|state| match (&state.outcome, &state.exit) {
            (Some((outcome, at)), exit) if in_time && (exit.is_none() || !waits_for_next) => {
                let after_response = state.ready_at().filter(|_| waits_for_next).map(|ready| ready - *at);
                Ran { outcome: outcome.clone(), at: *at, after_response: after_response.unwrap_or_default() }
            }
            // A response counts for nothing when the process ends before it asks for the next event: whether AWS still
            // delivers it is not known, and this is the harsher reading.
            (_, Some(how)) => Ran::failed(Failure::exited(&call.id, how)),
            (_, None) => Ran::failed(Failure::timed_out(&call.id, call.timeout)),
        })
    }

    /// What follows from an invocation's outcome for the process.
    async fn settle(&mut self, call: &Call, ran: &Ran) {
        let kind = ran.outcome.failure().filter(|failure| !failure.during_init).map(|failure| failure.kind);
        match kind {
            Some(FailureKind::TimedOut) => {
                self.end_process().await;
                let (now, why) = (time::iso8601((time::system_clock())()), invoked::timed_out(call.timeout));
                self.log.push(Source::Platform, format!("{now} {} {why}", call.id));
            }
            Some(FailureKind::Exited) => {
                self.end_process().await;
                let failure = ran.outcome.failure().map(|failure| failure.message.clone());
                self.log.push(Source::Platform, failure.unwrap_or_default());
            }
            Some(FailureKind::Reported | FailureKind::ResponseTooLarge) | None => {
                self.freeze().await;
                self.process.iter().for_each(Process::flush);
            }
        }
    }

    async fn freeze(&self) {
        if let Some(process) = self.process.as_ref().filter(|_| self.function.freeze != Freeze::Never) {
            process.freeze().await;
        }
    }

    async fn end_process(&mut self) {
        self.fresh = None;
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }
}

impl Call {
    fn new(timeout: Duration) -> Call {
        let began = Instant::now();
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let deadline_ms = (time::system_clock())().saturating_add(millis);
        Call { id: request_id(), timeout, began, deadline: began + timeout, deadline_ms }
    }

    fn trace_id(&self) -> String {
        let seconds = self.deadline_ms / 1000;
        format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", random_hex(24), random_hex(16))
    }
}

impl Ran {
    fn failed(failure: Failure) -> Ran {
        Ran { outcome: Outcome::Error(failure), at: Instant::now(), after_response: Duration::ZERO }
    }
}

/// A UUID of version 4.
fn request_id() -> String {
    let hex = random_hex(32);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// So many random hexadecimal digits.
fn random_hex(digits: usize) -> String {
    // The standard library's hasher starts from the system's randomness.
    let mut hex = String::new();
    while hex.len() < digits {
        hex.push_str(&format!("{:016x}", RandomState::new().hash_one(hex.len())));
    }
    hex.truncate(digits);
    hex
}
