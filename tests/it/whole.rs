//! The whole way: a simulated stream, its event source mapping, the Lambda's own handler with real plugins, the real
//! AWS client over HTTP, and a Firehose as strict as AWS. Also one delivery to a real OpenSearch.

use crate::support;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use destination::{Destination, OpenSearch};
use lambda::{AwsFirehose, Bundle, Clock, HandleError, Host, Invocation, LogFormat, Output, Secrets, Settings, World};
use serde_json::{Value, json};
use simulator::firehose::{Fault, Faults, Firehose, Options, fault};
use simulator::kinesis::{EventSource, Journal, Mapping, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Three steps with the ready-made plugins.
pub const PIPELINE: &str = r#"
[pipeline]
name = "whole"
[[step]]
plugin = "filter"
config = { drop_if = [{ field = "level", equals = "DEBUG" }] }
[[step]]
plugin = "redact"
config = { fields = ["user.email"], patterns = ["card"] }
[[step]]
plugin = "split"
config = { path = "items", into = "item", keep = "all", on_missing = "keep" }
"#;

fn ready_made(name: &str) -> Option<Bytes> {
    std::fs::read(support::file(name)).ok().map(Bytes::from)
}

/// A host of a pipeline in `folder`, its client pointed at `url`.
fn host(folder: &Path, pipeline: &str, url: &str, seed: u64, output: Output) -> Host {
    std::fs::write(folder.join("paddle.toml"), pipeline).expect("written");
    let bundle = Bundle::read(&folder.join("paddle.toml")).expect("a pipeline");
    let loaded =
        bundle.load(support::engine(support::Way::Flat), &Secrets::default(), &ready_made).expect("its plugins load");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "tests")))
        .endpoint_url(url)
        .build();
    let dead_letters = format!("file://{}", folder.join("dead-letters").display());
    let world = World {
        firehose: Arc::new(AwsFirehose::new(&config)),
        dead_letters: lambda::open_dead_letters(&dead_letters).expect("a folder"),
        clock: Clock::system(),
        output,
        seed,
        journal: None,
    };
    let settings = Settings { workers: 2, partial_failures: true, log_format: LogFormat::Json, ..Settings::default() };
    Host::new(settings, loaded, world).expect("a host")
}

/// The `k`-th record: every seventh is DEBUG, every fifth an order of three items, every eleventh not JSON.
fn record(k: usize) -> Vec<u8> {
    if k.is_multiple_of(11) {
        return format!("not json {k}").into_bytes();
    }
    let mut event = json!({
        "level": if k.is_multiple_of(7) { "DEBUG" } else { "INFO" },
        "n": k,
        "user": {"email": format!("user{k}@example.com"), "tier": "gold"},
        "message": "paid with 4111 1111 1111 1111 today",
    });
    if k.is_multiple_of(5) {
        event["items"] = json!([{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]);
    }
    event.to_string().into_bytes()
}

pub fn stream(records: usize) -> Stream {
    let mut stream = Stream::new(support::STREAM, 2);
    for k in 0..records {
        stream.put(&format!("key-{k}"), &record(k), support::NOW_MS + k as u64);
    }
    stream
}

async fn drive(host: &Host, source: &mut EventSource) -> Journal {
    let mut number = 0;
    let handle = async |event: Vec<u8>| {
        number += 1;
        let invocation = Invocation { request_id: format!("request-{number}"), remaining: Duration::from_secs(60) };
        match host.handle(event.into(), invocation).await {
            Ok(handled) => Ok(handled.response),
            Err(
                error @ (HandleError::Event(_)
                | HandleError::Configuration(_)
                | HandleError::Unsettled(..)
                | HandleError::Bug(_)),
            ) => Err(error.to_string()),
        }
    };
    source.run(|| support::NOW_MS, handle).await
}

pub fn mapping() -> Mapping {
    Mapping { batch_size: 200, report_batch_item_failures: true, ..Mapping::default() }
}

/// Documents by id, from what Firehose accepted; repeats must be equal.
pub fn documents(accepted: impl IntoIterator<Item = Vec<u8>>) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    for bytes in accepted {
        let document: Value = serde_json::from_slice(&bytes).expect("a document");
        let id = document["paddle_id"].as_str().expect("an id").to_owned();
        let known = documents.insert(id.clone(), document.clone());
        assert!(known.is_none_or(|known| known == document), "{id} came twice with different bytes");
    }
    documents
}

/// Every dead letter's sequence number.
pub fn dead_letters(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(dead_letters(&path));
            continue;
        }
        let mut text = String::new();
        let file = std::fs::File::open(&path).expect("a dead-letter file");
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip of text");
        for line in text.lines() {
            let letter: Value = serde_json::from_str(line).expect("one object a line");
            found.insert(letter["sequence_number"].as_str().expect("a number").to_owned());
        }
    }
    found
}

/// Runs `records` through a Firehose with these faults; documents by id, and dead letters.
async fn run(records: usize, faults: Faults, seed: u64) -> (BTreeMap<String, Value>, BTreeSet<String>, Journal) {
    let folder = tempfile::tempdir().expect("a folder");
    let firehose = Firehose::start(Options { faults, ..Options::new(["default"]) }).await.expect("a port");
    let host = host(folder.path(), PIPELINE, firehose.url(), seed, Output::none());
    let mut source = EventSource::new(stream(records), mapping());
    let journal = drive(&host, &mut source).await;
    assert_eq!(firehose.violations().len(), 0, "{:?}", firehose.violations());
    let accepted = firehose.accepted("default").into_iter().map(|accepted| accepted.data.to_vec());
    let result = (documents(accepted), dead_letters(&folder.path().join("dead-letters")), journal);
    firehose.shutdown().await;
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_ends_in_one_place_and_nothing_secret_leaves() {
    let records = 600;
    let (documents, letters, journal) = run(records, fault::none(), 1).await;
    assert!(journal.complete && journal.rewinds() == 0);
    expect_settled(records, &documents, &letters);
}

/// What [`stream`] comes to.
pub fn expect_settled(records: usize, documents: &BTreeMap<String, Value>, letters: &BTreeSet<String>) {
    let is_letter = |k: &usize| k.is_multiple_of(11);
    let is_dropped = |k: &usize| !is_letter(k) && k.is_multiple_of(7);
    let settled = (0..records).filter(|k| !is_letter(k) && !is_dropped(k));
    let expected: usize = settled.map(|k| if k.is_multiple_of(5) { 3 } else { 1 }).sum();
    assert_eq!(documents.len(), expected);
    assert_eq!(letters.len(), (0..records).filter(is_letter).count());
    for document in documents.values() {
        let text = document.to_string();
        assert!(!text.contains("@example.com") && !text.contains("4111 1111"), "{text}");
    }
}

/// Keeps what the function prints.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_for_a_field_that_is_never_there_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let firehose = Firehose::start(Options::new(["default"])).await.expect("a port");
    let printed = Printed::default();
    let pipeline = "[pipeline]\nname = \"whole\"\n[[step]]\nname = \"mask\"\nplugin = \"redact\"\n\
                    config = { fields = [\"user.email\", \"usr.phone\"] }\n";
    let host = host(folder.path(), pipeline, firehose.url(), 1, Output::new(printed.clone()));
    let source = &mut EventSource::new(stream(2_600), Mapping { batch_size: 2_000, ..mapping() });
    assert!(drive(&host, source).await.complete);
    let text = String::from_utf8(printed.0.lock().expect("no test panics here").clone()).expect("text");
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    // The first batch is watched, and has more than a thousand events.
    let told: Vec<&Value> = lines.iter().filter(|line| line["fields"].is_array()).collect();
    assert_eq!(told.len(), 1, "{text}");
    assert_eq!((&told[0]["step"], &told[0]["fields"]), (&json!("mask"), &json!(["usr.phone"])));
    let missing: Vec<u64> = lines.iter().filter_map(|line| line["StepFieldsMissing"].as_u64()).collect();
    assert_eq!(missing, [1]);
    firehose.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_firehose_lose_nothing_and_change_nothing() {
    let (expected, letters, _) = run(400, fault::none(), 1).await;
    for seed in 1..4 {
        let (documents, found, journal) = run(400, fault::seeded(seed, 20), seed).await;
        assert!(journal.complete, "seed {seed}");
        assert_eq!(documents, expected, "seed {seed}");
        assert_eq!(found, letters, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disagreeing_count_and_a_short_answer_are_taken_by_their_entries() {
    let (expected, _, _) = run(200, fault::none(), 1).await;
    let faults = fault::script([
        Fault::WrongCount { entries: vec![1, 3], failed_put_count: 0 },
        Fault::WrongCount { entries: vec![], failed_put_count: 7 },
        Fault::ShortAnswer(2),
    ]);
    let (documents, _, journal) = run(200, faults, 1).await;
    assert!(journal.complete);
    assert_eq!(documents, expected);
}

/// A running OpenSearch, ended by its process id.
struct Node {
    process: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Node {
    /// Starts the node that `make tools` built; none where there is no JDK and Maven.
    fn start() -> Option<Node> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
        let build = root.join(".tools/opensearch");
        if !build.is_dir() {
            return None;
        }
        let data = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut process = Command::new("sh")
            .arg(root.join("tests/opensearch/start.sh"))
            .args([port.to_string(), data.path().display().to_string()])
            .env("OPENSEARCH_BUILD", &build)
            .env("OPENSEARCH_HEAP", "512m")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let ready = output.lines().map_while(Result::ok).find(|line| line.starts_with("ready: "));
        assert!(ready.is_some(), "the node ended before it was ready");
        Some(Node { process, url: format!("http://127.0.0.1:{port}"), _data: data })
    }

    /// One request, answered whole.
    fn get(&self, path: &str) -> String {
        let address = self.url.trim_start_matches("http://");
        let mut connection = std::net::TcpStream::connect(address).expect("the node listens");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_opensearch_holds_the_very_bytes() {
    let Some(node) = Node::start() else {
        tests::skip("delivery to a real node", "OpenSearch", "a JDK and Maven");
        return;
    };
    let settings = destination::Settings {
        url: node.url.clone(),
        login: None,
        insecure: false,
        failed_folder: None,
        clock: simulator::system_clock(),
    };
    let opensearch = OpenSearch::new(settings).expect("a client");
    let options = Options { destination: Destination::OpenSearch(opensearch), ..Options::new(["default"]) };
    let firehose = Firehose::start(options).await.expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path(), PIPELINE, firehose.url(), 1, Output::none());
    let mut source = EventSource::new(stream(150), mapping());
    assert!(drive(&host, &mut source).await.complete);
    let sent: BTreeSet<String> = firehose
        .accepted("default")
        .into_iter()
        .map(|one| String::from_utf8(one.data.to_vec()).expect("UTF-8"))
        .collect();
    let summary = firehose.shutdown().await;
    assert_eq!((summary.indexed as usize, summary.refused), (sent.len(), 0), "{:?}", summary.reasons);
    node.get("/default/_refresh");
    let answer = node.get("/default/_search?size=1000&filter_path=hits.hits._source");
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        hits: Hits<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Hits<'a> {
        #[serde(borrow)]
        hits: Vec<Hit<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Hit<'a> {
        #[serde(borrow, rename = "_source")]
        source: &'a serde_json::value::RawValue,
    }
    let answer: Answer<'_> = serde_json::from_str(&answer).expect("a search answer");
    let stored: BTreeSet<String> = answer.hits.hits.iter().map(|hit| hit.source.get().to_owned()).collect();
    assert_eq!(stored, sent);
}
