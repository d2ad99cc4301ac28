//! A function whose process dies of what its records say: the host and its journal as in `bootstrap`, and in place of a
//! plugin one that breaks out of any sandbox. The Runtime API is spoken by hand.

#![allow(missing_docs, reason = "a program for tests")]

use lambda::{AwsFirehose, Clock, Host, Invocation, Journal, Loaded, Output, Settings, World, open_dead_letters};
use pipeline::{Event, Pipeline, Plugin, Transformed};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// More memory than the test leaves to this process, in steps.
const STEP_BYTES: usize = 16 << 20;
const STEPS: usize = 64;

/// Does what a record's text asks for.
struct Fragile;

impl Plugin for Fragile {
    fn transform(&mut self, event: &Event, _deadline: Option<Instant>) -> Transformed {
        let text = event.content.bytes();
        let asks = |what: &str| text.windows(what.len()).any(|window| window == what.as_bytes());
        if asks("please abort") {
            std::process::abort();
        }
        if asks("please eat") {
            let eaten: Vec<Vec<u8>> = (0..STEPS).map(|_| vec![1; STEP_BYTES]).collect();
            std::hint::black_box(&eaten);
        }
        while asks("please hang") {
            std::thread::park();
        }
        Transformed::without_call(Ok(vec![pipeline::Output { event: event.clone(), route: None }]))
    }
}

fn main() -> anyhow::Result<()> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let settings = Settings::from_environment()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let clock = Clock::system();
    let world = World {
        firehose: Arc::new(runtime.block_on(AwsFirehose::from_environment())),
        dead_letters: open_dead_letters(&settings.dead_letters.clone().unwrap_or_default())?,
        clock: clock.clone(),
        output: Output::new(std::io::stdout()),
        seed: 1,
        journal: settings.journal.as_deref().map(|folder| Journal::open(folder, clock)),
    };
    let text = "[[step]]\nname = \"fragile\"\nplugin = \"fragile\"\n[routes]\ndefault = \"clicks\"\n";
    let loaded = Loaded {
        pipeline: Arc::new(Pipeline::parse(text).map_err(|error| anyhow::anyhow!("{error}"))?),
        plugins: Box::new(|| Ok(vec![Box::new(Fragile) as Box<dyn Plugin>])),
        digests: vec!["fragile".into()],
        release: None,
    };
    let host = Host::new(settings, loaded, world)?;
    loop {
        let (head, event) = request(&api, "GET", "next", b"")?;
        let header = |name: &str| {
            let of_line = |line: &str| {
                let (known, value) = line.split_once(": ")?;
                known.eq_ignore_ascii_case(name).then(|| value.to_owned())
            };
            head.lines().find_map(of_line).unwrap_or_default()
        };
        let (id, deadline) = (header("Lambda-Runtime-Aws-Request-Id"), header("Lambda-Runtime-Deadline-Ms"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let remaining = Duration::from_millis(deadline.parse()?).saturating_sub(now);
        match runtime.block_on(host.handle(event.into(), Invocation { request_id: id.clone(), remaining })) {
            Ok(handled) => request(&api, "POST", &format!("{id}/response"), &handled.response)?,
            Err(error) => request(&api, "POST", &format!("{id}/error"), error.to_string().as_bytes())?,
        };
    }
}

/// One request to the Runtime API: the head and the body of its answer.
fn request(api: &str, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(api)?;
    let head = format!(
        "{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nHost: {api}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len().saturating_sub(4));
    let body = answer.split_off(end + 4);
    Ok((String::from_utf8_lossy(&answer).into_owned(), body))
}
