//! What a process may not have, it does not need: 10,000 events that each grow to the limit, a flood of dead letters,
//! and documents made to be dear.
//!
//! The inner tests run in a process of its own under `ulimit -d` (RLIMIT_DATA), the limit that counts memory in use,
//! and under RLIMIT_AS: as much address space again as it may use memory, on top of what the instance pool has reserved
//! at the start, which is 4 GiB a linear memory that nobody touches.

use crate::support;
use bytes::Bytes;
use engine::Engine;
use lambda::{Answer, Bundle, Clock, Firehose, Host, Invocation, Output, Secrets, Sending, Settings, World};
use simulator::kinesis::{EventSource, Mapping, Stream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Records, and what each grows to: 4.5 GB in all.
const RECORDS: u64 = 10_000;
const GROWN_BYTES: usize = 450_000;

/// Memory the process may have, in KiB: a fifteenth of what the documents come to.
const MEMORY_KIB: u64 = 300 << 10;

/// Seconds of a processor that it may use.
const CPU_SECONDS: u64 = 60;

/// Takes everything, keeps nothing, counts.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) documents: AtomicU64,
    bytes: AtomicU64,
}

impl Firehose for Counting {
    fn put_record_batch<'a>(&'a self, _stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        self.documents.fetch_add(documents.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(documents.iter().map(|document| document.len() as u64).sum(), Ordering::Relaxed);
        let answer: Answer = documents.iter().map(|_| Ok(())).collect();
        Box::pin(async move { Ok(answer) })
    }
}

/// From here on the process may map this much more, whatever for.
fn limit_address_space() {
    let sizes = std::fs::read_to_string("/proc/self/statm").expect("Linux tells a process its size");
    let pages: u64 = sizes.split_whitespace().next().and_then(|pages| pages.parse().ok()).expect("a number of pages");
    let memory_kib = std::env::var("MEMORY_KIB").map_or(MEMORY_KIB, |text| text.parse().expect("a number"));
    let most = pages * rustix::param::page_size() as u64 + (memory_kib << 10);
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit may be lowered");
}

/// A function with one misbehaving step, or none, whose process may have no more memory from here on than the limit.
pub(crate) fn host(folder: &Path, toml: &str, firehose: &Arc<Counting>) -> Host {
    std::fs::write(folder.join("paddle.toml"), toml).expect("written");
    let ready_made = |name: &str| std::fs::read(support::file(name)).ok().map(Bytes::from);
    let bundle = Bundle::read(&folder.join("paddle.toml")).expect("a pipeline");
    let instances = bundle.instances(2);
    let engine = Engine::new(&engine::Settings { instances, ..engine::Settings::default() }).expect("an engine");
    let loaded = bundle.load(&engine, &Secrets::default(), &ready_made).expect("it loads");
    let world = World {
        firehose: Arc::clone(firehose) as Arc<dyn Firehose>,
        dead_letters: lambda::open_dead_letters(&format!("file://{}/dead", folder.display())).expect("a folder"),
        clock: Clock::system(),
        output: Output::none(),
        seed: 1,
        journal: None,
    };
    let settings = Settings { workers: 2, partial_failures: true, window_bytes: 64 << 20, ..Settings::default() };
    let host = Host::new(settings, loaded, world).expect("a host");
    limit_address_space();
    host
}

/// Drives records through a host, in one batch.
pub(crate) async fn drive(host: &Host, records: impl Iterator<Item = Vec<u8>>) {
    let mut stream = Stream::new(support::STREAM, 1);
    records.for_each(|record| {
        stream.put("key", &record, support::NOW_MS);
    });
    let mapping = Mapping { batch_size: 10_000, report_batch_item_failures: true, ..Mapping::default() };
    let handle = async |event: Vec<u8>| {
        let invocation = Invocation { request_id: "one".into(), remaining: Duration::from_secs(600) };
        host.handle(event.into(), invocation).await.map(|handled| handled.response).map_err(|error| error.to_string())
    };
    let journal = EventSource::new(stream, mapping).run(|| support::NOW_MS, handle).await;
    assert!(journal.complete && journal.rewinds() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "run by the tests below, in a process of its own"]
async fn growing_events() {
    let (folder, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Counting::default()));
    let toml = "[[step]]\nplugin = \"misbehave\"\nconfig = { mode = \"huge-output\" }\n";
    let host = host(folder.path(), toml, &firehose);
    drive(&host, (0..RECORDS).map(|k| format!(r#"{{"count":{GROWN_BYTES},"k":{k}}}"#).into_bytes())).await;
    assert_eq!(firehose.documents.load(Ordering::Relaxed), RECORDS);
    assert!(firehose.bytes.load(Ordering::Relaxed) > RECORDS * GROWN_BYTES as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "run by the tests below, in a process of its own"]
async fn dead_letters_with_long_logs() {
    let (folder, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Counting::default()));
    let toml = "[document]\nforbid = [\"email\"]\n[[step]]\nplugin = \"misbehave\"\nlimits = { log_lines = 1000 }\n";
    let host = host(folder.path(), toml, &firehose);
    let record = |k| format!(r#"{{"mode":"log-and-reject","count":1000,"k":{k}}}"#).into_bytes();
    drive(&host, (0..RECORDS).map(record)).await;
    assert_eq!(firehose.documents.load(Ordering::Relaxed), 0);
}

/// Documents within every bound that take long or much of a check that is careless.
fn dear_documents() -> Vec<String> {
    let members = |count: usize, member: &dyn Fn(usize) -> String| (0..count).map(member).collect::<Vec<_>>().join(",");
    let long = |part: char| part.to_string().repeat(49_000);
    let (a, b, c) = (long('a'), long('b'), long('c'));
    let leaves = members(10_000, &|k| format!("\"k{k}\":1"));
    vec![
        format!(r#"{{"x.y":1,"x":{{"{a}":{{"{b}":{{"{c}":{{{leaves}}}}}}}}}}}"#),
        format!("{{{}}}", members(60_000, &|k| format!("\"k{k}.\":1"))),
        format!("{{{}}}", members(30_000, &|k| format!("\"k{k}\":1,\"k{k}.\":1"))),
        format!("{{{}}}", members(600, &|k| format!("\"a{}\":1", ".".repeat(k)))),
        format!("{{\"a\":[{}]}}", members(400_000, &|_| "1".to_owned())),
        format!("{{{}}}", members(80_000, &|k| format!("\"u\\u0030{k}\":1"))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "run by the tests below, in a process of its own"]
async fn documents_made_to_be_dear() {
    let (folder, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Counting::default()));
    let host = host(folder.path(), "[document]\nforbid = [\"card\", \"email\"]\n", &firehose);
    drive(&host, dear_documents().into_iter().map(String::into_bytes)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "run by the tests below, in a process of its own"]
async fn arrays_of_many_elements() {
    let (folder, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Counting::default()));
    let toml = "[[step]]\nplugin = \"split\"\nconfig = { path = \"items\" }\n\
                [[step]]\nplugin = \"redact\"\nreads = [\"*.x\"]\nwrites = [\"*.x\"]\nrequired = false\n\
                may = []\nconfig = { fields = [\"*.x\"] }\n";
    let host = host(folder.path(), toml, &firehose);
    let item =
        |k| format!(r#"{{"sku":{k},"name":"article {k}","price":1.50,"x":"s","tags":["a","b"],"n":{{"x":{k}}}}}"#);
    let items: Vec<String> = (0..1_000).map(item).collect();
    let hidden: Vec<String> = (0..30_000).map(|k| format!("\"m{k}\":{{\"x\":\"s\",\"y\":1}}")).collect();
    let records = [format!("{{\"items\":[{}]}}", items.join(",")), format!("{{{}}}", hidden.join(","))];
    drive(&host, records.into_iter().map(String::into_bytes)).await;
    assert_eq!(firehose.documents.load(Ordering::Relaxed), 1_001);
}

/// Runs an inner test in a process that may have so much memory, and so many seconds of a processor: a minute is many
/// times what each takes, and little for what is quadratic.
fn within_bounds(inner: &str) {
    within_bounds_about(inner, "", MEMORY_KIB);
}

/// The same for an inner test that is about what the variable `ABOUT` says, with so much memory.
pub(crate) fn within_bounds_about(inner: &str, about: &str, memory_kib: u64) {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("sh")
        .args(["-c", "ulimit -d \"$1\" && ulimit -t \"$2\" && exec \"$3\" --exact \"$4\" --ignored", "sh"])
        .args([memory_kib.to_string(), CPU_SECONDS.to_string()])
        .env("MEMORY_KIB", memory_kib.to_string())
        .arg(program)
        .arg(inner)
        .env("ABOUT", about)
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{about} {}: {told}", output.status);
}

#[test]
fn events_that_each_grow_to_the_limit_stay_within_memory() {
    within_bounds("memory::growing_events");
}

#[test]
fn dead_letters_count_with_their_logs() {
    within_bounds("memory::dead_letters_with_long_logs");
}

#[test]
fn no_document_is_dear() {
    within_bounds("memory::documents_made_to_be_dear");
}

#[test]
fn parts_of_an_array_cost_what_they_have() {
    within_bounds("memory::arrays_of_many_elements");
}
