//! Processes that die with a batch, in every phase of it: the batch comes again to the next process in the same
//! environment, until it is answered. Nothing is lost, what killed the process is a dead letter and nothing else is,
//! and no more is repeated than was in flight.

use base64_simd::STANDARD;
use flate2::read::MultiGzDecoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use simulator::firehose::fault::script;
use simulator::firehose::{Fault, Firehose, Options};
use simulator::runtime::{Environment, Freeze, Function, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use tests::programs::program;

/// Invocations after which a batch that still comes again is stuck.
const INVOCATIONS_MAX: usize = 20;

/// Documents of one request; `PADDLE_DELIVERY_CONCURRENCY` is 1, so as many are in flight at most.
const REQUEST: usize = 500;

/// A function, the Firehose behind it, and what came of its events.
struct Stage {
    scratch: tempfile::TempDir,
    firehose: Firehose,
    environment: Environment,
    /// Invocations in which the process died.
    deaths: usize,
}

impl Stage {
    /// A function that runs `command` in a shell, where `$0` is the program.
    async fn new(name: &str, command: &str, faults: Vec<Fault>) -> Stage {
        let scratch = tempfile::tempdir().expect("a folder");
        std::fs::write(scratch.path().join("paddle.toml"), "[routes]\ndefault = \"clicks\"\n").expect("written");
        let firehose = Firehose::start(Options { faults: script(faults), ..Options::new(["clicks"]) });
        let firehose = firehose.await.expect("a Firehose");
        let mut function = Function::new("/bin/sh");
        function.arguments = vec!["-c".to_owned(), command.to_owned(), program(name).display().to_string()];
        function.freeze = Freeze::AfterNext;
        function.scratch = Some(scratch.path().join("tmp"));
        let own = [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_ENDPOINT_URL_FIREHOSE", firehose.url().to_owned()),
            ("PADDLE_CONFIG", scratch.path().join("paddle.toml").display().to_string()),
            ("PADDLE_DEAD_LETTERS", format!("file://{}/letters", scratch.path().display())),
            ("PADDLE_DELIVERY_CONCURRENCY", "1".to_owned()),
            ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
            ("PADDLE_ROUTES", "default=clicks".to_owned()),
            ("PADDLE_WORKERS", "2".to_owned()),
        ];
        function.env = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let environment = Environment::start(&function).await.expect("it starts");
        assert!(environment.init().failure.is_none(), "{:?}", environment.log());
        Stage { scratch, firehose, environment, deaths: 0 }
    }

    /// Has a batch come again and again until it is answered, each time within this time.
    async fn drive(&mut self, mut records: &[(u64, String)], time: Duration) {
        for _ in 0..INVOCATIONS_MAX {
            if records.is_empty() {
                return;
            }
            let invoked = self.environment.invoke_within(&event(records), time).await.expect("the simulator works");
            match invoked.outcome {
                Outcome::Response(answer) => records = open(records, &answer),
                Outcome::Error(_) => self.deaths += 1,
            }
        }
        panic!("it does not end: {:#?}", self.environment.log());
    }

    /// Sends a batch, and kills the process once `is_time` says so, if it has not answered before.
    async fn kill(&mut self, records: &[(u64, String)], is_time: impl AsyncFn(&Firehose)) -> Option<Outcome> {
        // There must be a process to kill.
        self.environment.invoke(br#"{"Records":[]}"#).await.expect("the simulator works");
        let id = self.environment.process_id().expect("a process");
        let pid = Pid::from_raw(i32::try_from(id).expect("a process id")).expect("a process id");
        let payload = event(records);
        let mut invoked = std::pin::pin!(self.environment.invoke(&payload));
        let outcome = tokio::select! {
            biased;
            invoked = &mut invoked => Some(invoked.expect("the simulator works").outcome),
            () = is_time(&self.firehose) => None,
        };
        if outcome.is_some() {
            return outcome;
        }
        kill_process(pid, Signal::KILL).unwrap_or_default(); // It may have ended just now.
        let outcome = invoked.await.expect("the simulator works").outcome;
        self.deaths += usize::from(outcome.failure().is_some());
        Some(outcome).filter(|outcome| outcome.failure().is_none())
    }

    /// How often each record's document was accepted.
    fn accepted(&self) -> BTreeMap<u64, usize> {
        let mut accepted = BTreeMap::new();
        for document in self.firehose.accepted("clicks") {
            let document: Value = serde_json::from_slice(&document.data).expect("a document");
            *accepted.entry(document["n"].as_u64().expect("n")).or_default() += 1;
        }
        accepted
    }

    /// Everything settled in exactly one way; gives how many documents were repeated.
    fn check(&self, records: &[(u64, String)], poison: &[u64]) -> usize {
        let accepted = self.accepted();
        let expected: BTreeSet<u64> = records.iter().map(|(n, _)| *n).filter(|n| !poison.contains(n)).collect();
        assert_eq!(accepted.keys().copied().collect::<BTreeSet<_>>(), expected, "{:#?}", self.environment.log());
        let letters = letters(&self.scratch.path().join("letters"));
        let seen: BTreeMap<&str, &str> = (letters.iter())
            .map(|letter| (letter["id"].as_str().expect("an id"), letter["kind"].as_str().expect("a kind")))
            .collect();
        let expected: Vec<String> = poison.iter().map(|n| id(*n)).collect();
        assert_eq!(seen, expected.iter().map(|id| (&**id, "host")).collect(), "only what killed the process");
        assert_eq!(self.firehose.violation_count(), 0);
        accepted.values().map(|count| count - 1).sum()
    }
}

fn number(n: u64) -> String {
    format!("4959033827149025660855969253836157109592157598913{n:07}")
}

fn id(n: u64) -> String {
    format!("shardId-000000000000:{}", number(n))
}

fn event(records: &[(u64, String)]) -> Vec<u8> {
    let record = |(n, data): &(u64, String)| {
        json!({
            "eventID": id(*n), "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/clicks",
            "kinesis": {"sequenceNumber": number(*n), "partitionKey": "k", "data": STANDARD.encode_to_string(data)},
        })
    };
    json!({"Records": records.iter().map(record).collect::<Vec<_>>()}).to_string().into_bytes()
}

/// What of a batch comes again after its answer.
fn open<'r>(records: &'r [(u64, String)], answer: &[u8]) -> &'r [(u64, String)] {
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    let Some(failure) = answer["batchItemFailures"].as_array().expect("a list").first() else { return &[] };
    let from = records.iter().position(|(n, _)| failure["itemIdentifier"] == number(*n)).expect("one of the batch");
    &records[from..]
}

/// So many records, of which some ask for something.
fn records(count: u64, asks: &str, poison: &[u64]) -> Vec<(u64, String)> {
    let text = |n| if poison.contains(&n) { format!("please {asks}") } else { "a plain record".to_owned() };
    (0..count).map(|n| (n, json!({"n": n, "text": text(n)}).to_string())).collect()
}

/// All dead letters below a folder.
fn letters(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(letters(&path));
            continue;
        }
        let mut text = String::new();
        let file = std::fs::File::open(&path).expect("a file");
        MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        found.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
    }
    found
}

/// What the function's log says under this name, of all metrics and in all.
fn counted(stage: &Stage, name: &str) -> u64 {
    let lines = stage.environment.log();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    lines.filter_map(|line| line[name].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kills_the_process_settles_alone() {
    let plain = "exec \"$0\"";
    let minute = Duration::from_secs(60);
    for (asks, command, time) in [
        ("abort", plain, minute),
        // 400 MiB, of which it asks for a gibibyte.
        ("eat", "ulimit -d 409600 && exec \"$0\"", minute),
        // The function's time-out.
        ("hang", plain, Duration::from_secs(2)),
    ] {
        // The first death is unexpected; then each record is tried until it has killed twice.
        for (poison, deaths) in [(&[700][..], 3), (&[0, 1, 1_199], 7)] {
            let mut stage = Stage::new("fragile", command, Vec::new()).await;
            let records = records(1_200, asks, poison);
            stage.drive(&records, time).await;
            let repeated = stage.check(&records, poison);
            assert_eq!((stage.deaths, repeated), (deaths, 0), "{asks} {poison:?}");
            assert!(counted(&stage, "CarefulBatches") > 0 && counted(&stage, "JournalErrors") == 0);
            // What comes later has nothing to do with it.
            let later: Vec<_> = self::records(1_210, "", &[]).split_off(1_200);
            let careful = counted(&stage, "CarefulBatches");
            stage.drive(&later, time).await;
            assert_eq!((counted(&stage, "CarefulBatches"), stage.deaths), (careful, deaths), "{asks}");
            stage.environment.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_goes_on_where_it_was_killed_with_a_request_in_flight() {
    let mut stage = Stage::new("bootstrap", "exec \"$0\"", vec![Fault::None, Fault::NoAnswer]).await;
    let records = records(1_700, "", &[]);
    let in_flight = async |firehose: &Firehose| {
        while firehose.accepted_count() < 2 * REQUEST as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(stage.kill(&records, in_flight).await.is_none(), "it waits for an answer");
    stage.drive(&records, Duration::from_secs(60)).await;
    assert_eq!(stage.check(&records, &[]), REQUEST, "what was in flight, and no more");
    assert_eq!((stage.deaths, counted(&stage, "SettledBefore")), (1, REQUEST as u64));
    stage.environment.shutdown().await;
}

/// Once while the batch runs as usual, and once while it runs carefully, at any time.
#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_loses_nothing_whenever_it_is_killed() {
    for (round, milliseconds) in [[2, 3], [8, 4], [15, 9], [30, 15], [45, 30], [70, 60]].into_iter().enumerate() {
        let mut stage = Stage::new("bootstrap", "exec \"$0\"", Vec::new()).await;
        let records = records(8_000, "", &[]);
        let mut left = &records[..];
        for wait in milliseconds {
            let is_time = async |_: &Firehose| tokio::time::sleep(Duration::from_millis(wait)).await;
            if let Some(Outcome::Response(answer)) = stage.kill(left, is_time).await {
                left = open(left, &answer);
            }
        }
        stage.drive(left, Duration::from_secs(60)).await;
        let repeated = stage.check(&records, &[]);
        println!("round {round}: {} deaths, {repeated} documents repeated", stage.deaths);
        assert!(repeated <= stage.deaths * REQUEST, "{repeated} repeated after {} deaths", stage.deaths);
        stage.environment.shutdown().await;
    }
}

/// A process that dies between two batches had answered; if the answer did not arrive, nothing of the batch is
/// repeated.
#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_may_die_between_batches() {
    let mut stage = Stage::new("bootstrap", "exec \"$0\"", Vec::new()).await;
    let (minute, records) = (Duration::from_secs(60), records(900, "", &[]));
    stage.drive(&records[..600], minute).await;
    stage.environment.crash().await;
    stage.drive(&records[..600], minute).await;
    stage.environment.crash().await;
    stage.drive(&records[600..], minute).await;
    assert_eq!((stage.check(&records, &[]), stage.environment.processes()), (0, 3));
    assert_eq!((counted(&stage, "SettledBefore"), counted(&stage, "CarefulBatches")), (600, 0));
    stage.environment.shutdown().await;
}

/// Without a journal nothing is remembered: what this is all for.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_a_batch_comes_again_as_a_whole() {
    let command = "PADDLE_JOURNAL=off exec \"$0\"";
    let mut stage = Stage::new("bootstrap", command, vec![Fault::None, Fault::NoAnswer]).await;
    let records = records(1_200, "", &[]);
    let in_flight = async |firehose: &Firehose| {
        while firehose.accepted_count() < 2 * REQUEST as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    stage.kill(&records, in_flight).await;
    stage.drive(&records, Duration::from_secs(60)).await;
    assert_eq!(stage.check(&records, &[]), 2 * REQUEST);
    stage.environment.shutdown().await;
}
