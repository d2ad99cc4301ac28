//! The real `bootstrap` and the main job under AWS's own Runtime Interface Emulator: an independent judge of how a
//! runtime behaves. One invocation at a time, since two at once crash the emulator.

use crate::support;
use crate::whole::{PIPELINE, dead_letters, documents, expect_settled, mapping, stream};
use simulator::firehose::{Firehose, Options};
use simulator::kinesis::EventSource;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::programs;

/// How long the emulator may take to listen, and one invocation to end.
const TIME_MAX: Duration = Duration::from_secs(60);

const RECORDS: usize = 600;

/// A running emulator with the function in it, ended by its process id.
struct Emulator {
    process: Child,
    address: String,
}

impl Emulator {
    fn start(program: &Path, environment: &[(&str, String)], log: &Path) -> Emulator {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (address, runtime) = (free().to_string(), free().to_string());
        let log = std::fs::File::create(log).expect("a file");
        let process = Command::new(program)
            .args(["--runtime-interface-emulator-address", &address, "--runtime-api-address", &runtime])
            .arg(programs::program("bootstrap"))
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("the emulator");
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < TIME_MAX, "the emulator does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Emulator { process, address }
    }

    /// One invocation: the answer, or what the emulator says of an error.
    fn invoke(&self, event: &[u8]) -> Result<Vec<u8>, String> {
        let mut connection = TcpStream::connect(&self.address).expect("the emulator listens");
        connection.set_read_timeout(Some(TIME_MAX)).expect("a time-out");
        let path = "/2015-03-31/functions/function/invocations";
        let head = format!("POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", self.address, event.len());
        connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(event)).expect("sent");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let (head, body) = (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec());
        let told = String::from_utf8_lossy(&body).into_owned();
        // An error of the function is a 200 with its type; a timeout is a sentence.
        let failed = !head.contains(" 200 ") || told.contains("\"errorType\"") || told.starts_with("Task timed out");
        if failed { Err(format!("{}: {told}", head.lines().next().unwrap_or_default())) } else { Ok(body) }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(".tools/rie");
    tools.join("version").is_file().then(|| tools.join("aws-lambda-rie"))
}

/// A package as `paddle package` makes it: the pipeline, and its plugins beside it.
fn package(folder: &Path) {
    std::fs::create_dir(folder.join("plugins")).expect("a folder");
    std::fs::write(folder.join("paddle.toml"), PIPELINE).expect("written");
    for plugin in ["filter", "redact", "split"] {
        std::fs::copy(support::file(plugin), folder.join(format!("plugins/{plugin}.wasm"))).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_runs_under_the_emulator_of_aws() {
    let Some(program) = program() else {
        tests::skip("the main job under AWS's emulator", "emulator", "Python with pip");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    package(folder.path());
    let firehose = Firehose::start(Options::new(["clicks"])).await.expect("a port");
    let own = |name: &str| folder.path().join(name).display().to_string();
    let environment = [
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", "30".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769".to_owned()),
        ("AWS_ENDPOINT_URL_FIREHOSE", firehose.url().to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("PADDLE_CONFIG", own("paddle.toml")),
        ("PADDLE_ROUTES", "default=clicks".to_owned()),
        ("PADDLE_DEAD_LETTERS", format!("file://{}", own("letters"))),
        ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
    ];
    let emulator = Emulator::start(&program, &environment, &folder.path().join("log"));
    let mut source = EventSource::new(stream(RECORDS), mapping());
    let journal = source.run(|| support::NOW_MS, async |event: Vec<u8>| emulator.invoke(&event)).await;
    let log = std::fs::read_to_string(folder.path().join("log")).expect("it was written");
    assert!(journal.complete && journal.rewinds() == 0, "{journal:?}\n{log}");
    assert_eq!(firehose.violations().len(), 0, "{:?}", firehose.violations());
    let accepted = firehose.accepted("clicks").into_iter().map(|accepted| accepted.data.to_vec());
    expect_settled(RECORDS, &documents(accepted), &dead_letters(&folder.path().join("letters")));
    // What is none of Kinesis is an error of the function, and the next event is handled.
    let told = emulator.invoke(b"{\"hello\":1}").expect_err("no event of Kinesis");
    assert!(told.contains("Paddlewheel.Event"), "{told}");
    assert_eq!(emulator.invoke(b"{\"Records\":[]}").expect("an empty batch"), br#"{"batchItemFailures":[]}"#);
    firehose.shutdown().await;
}
