//! `bootstrap`: what Lambda starts. Reads the settings, loads the pipeline from the package or a store's channel,
//! handles events.

mod bodies;

use bodies::Bodies;
use bytes::Bytes;
use engine::Engine;
use lambda::{
    AwsFirehose, Bundle, Clock, Follower, HandleError, Handled, Host, Invocation, Journal, LogFormat, LogLevel, Output,
    Settings, StartContext, World, open_dead_letters,
};
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tracing::{self, subscriber::fmt};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A batch is thousands of texts of a few kilobytes, made on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A function with less memory has no room for pages of 2 MiB that are used in part. `memory_128` in `make bench`
/// measures the smallest function both ways.
const HUGE_PAGES_MEMORY_MIB_MIN: u64 = 512;

/// Deadlines before 2001, in milliseconds since the Unix epoch, are none: local emulators send the time left instead.
const DEADLINE_MS_MIN: u64 = 1_000_000_000_000;

fn main() -> ExitCode {
    log_what_the_libraries_say();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In the format that Lambda was asked for, like every other line.
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the runtime and the AWS client have to say, in the form of [`lambda::LogFormat`], with the time: the runtime's
/// own subscriber leaves it out, and Lambda sorts JSON lines by it.
fn log_what_the_libraries_say() {
    let asked = |name| std::env::var(name).ok();
    let lines = fmt().with_target(false).with_ansi(false).with_max_level(
        match LogLevel::of_lambda(asked("AWS_LAMBDA_LOG_LEVEL").as_deref()) {
            LogLevel::Debug => tracing::Level::DEBUG,
            LogLevel::Info => tracing::Level::INFO,
            LogLevel::Warn => tracing::Level::WARN,
            LogLevel::Error => tracing::Level::ERROR,
        },
    );
    match LogFormat::of_lambda(asked("AWS_LAMBDA_LOG_FORMAT").as_deref()) {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
        LogFormat::Text => lines.init(),
    }
}

fn run() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match function().await {
            Ok(function) => serve(Arc::new(function)).await,
            Err(error) => Err(report_failed_start(error).await),
        }
    })
}

/// What answers events: a host, and who keeps it up to date.
struct Function {
    host: Arc<Host>,
    follower: Option<Follower>,
}

impl Function {
    async fn handle(&self, event: Bytes, invocation: Invocation) -> Result<Handled, HandleError> {
        match &self.follower {
            Some(follower) => follower.handle(&self.host, event, invocation).await,
            None => self.host.handle(event, invocation).await,
        }
    }
}

async fn function() -> anyhow::Result<Function> {
    let clock = Clock::system();
    let begun = (clock.now)();
    let mut settings = Settings::from_environment()?;
    if settings.memory_mib < HUGE_PAGES_MEMORY_MIB_MIN {
        // Kernels without huge pages refuse, and have nothing to disable.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
    settings.secrets = settings.secrets.fetched().await?;
    let url = settings.dead_letters.clone().unwrap_or_else(local_dead_letters);
    let journal = settings.journal.as_deref().map(|folder| Journal::open(folder, clock.clone()));
    let world = World {
        firehose: Arc::new(AwsFirehose::from_environment().await),
        dead_letters: open_dead_letters(&url)?,
        clock,
        output: Output::new(std::io::stdout()),
        seed: fastrand::u64(..),
        journal,
    };
    let (follower, loaded) = match settings.store.take() {
        Some(store) => {
            let engine = engine(Follower::instances(settings.workers))?;
            let (clock, output) = (world.clock.clone(), world.output.clone());
            let context = StartContext { engine, clock, output, seed: fastrand::u64(..), begun };
            let (follower, loaded) = Follower::start(&settings, store, context).await?;
            (Some(follower), loaded)
        }
        None => {
            let bundle = Bundle::read(&settings.config)?.with_artifacts();
            let engine = engine(bundle.instances(settings.workers))?;
            (None, bundle.load(&engine, &settings.secrets, &|_| None)?)
        }
    };
    Ok(Function { host: Arc::new(Host::new(settings, loaded, world)?), follower })
}

fn engine(instances: u32) -> anyhow::Result<Engine> {
    Engine::new(&engine::Settings { instances, ..engine::Settings::default() })
}

/// Where dead letters go when nobody says, which Lambda's settings do not allow.
fn local_dead_letters() -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    format!("file://{}/.paddle/dead-letters", folder.display())
}

async fn serve(function: Arc<Function>) -> Result<(), Error> {
    let bodies = Bodies::default();
    let to_pick_up = bodies.clone();
    let handler = service_fn(move |event: LambdaEvent<()>| {
        let function = Arc::clone(&function);
        let context = event.context;
        let body = to_pick_up.take(&context.request_id);
        async move {
            let invocation = Invocation { request_id: context.request_id, remaining: remaining(context.deadline) };
            let handled = function.handle(body, invocation).await.map_err(Failed)?;
            answer(handled.response).map_err(|error| Failed(HandleError::Bug(error)))
        }
    });
    Runtime::new(handler).layer(TracingLayer::new()).layer(bodies).run().await
}

/// JSON as it is, past the runtime's serialiser.
fn answer(response: Vec<u8>) -> anyhow::Result<Box<RawValue>> {
    Ok(RawValue::from_string(String::from_utf8(response)?)?)
}

/// A failed invocation. The runtime logs its debug text, so that is the sentence for people.
struct Failed(HandleError);

impl std::fmt::Debug for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.error_type(), self.0)
    }
}

impl From<Failed> for Diagnostic {
    fn from(Failed(error): Failed) -> Diagnostic {
        Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}

fn remaining(deadline_ms: u64) -> Duration {
    if deadline_ms < DEADLINE_MS_MIN {
        return Duration::from_millis(deadline_ms);
    }
    let deadline = std::time::UNIX_EPOCH + Duration::from_millis(deadline_ms);
    deadline.duration_since(std::time::SystemTime::now()).unwrap_or_default()
}

/// Lambda shows what is reported to `/init/error`; `lambda_runtime` has no call for it, so the one request is written
/// here.
async fn report_failed_start(error: anyhow::Error) -> Error {
    let message = format!("{error:#}");
    if let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        let body = serde_json::json!({ "errorType": "Paddlewheel.Init", "errorMessage": message }).to_string();
        // Whether it arrives or not, the process ends with the same message in its log.
        post(&api, "/2018-06-01/runtime/init/error", &body).await.unwrap_or_default();
    }
    message.into()
}

/// How long the one request may take: the other end is on this machine.
const POST_TIMEOUT: Duration = Duration::from_secs(2);

async fn post(host: &str, path: &str, body: &str) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nLambda-Runtime-Function-Error-Type: \
         Paddlewheel.Init\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = tokio::net::TcpStream::connect(host).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; 512];
        stream.read(&mut answer).await.map(|_| ())
    };
    tokio::time::timeout(POST_TIMEOUT, exchange).await.unwrap_or(Ok(()))
}
