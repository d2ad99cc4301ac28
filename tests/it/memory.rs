//! 10,000 events that each grow to the limit, in a process that may not: windows keep what is alive bounded.
//!
//! The inner test runs in a process of its own under `ulimit -d` (RLIMIT_DATA), the limit that counts memory in use, and under
//! RLIMIT_AS: as much address space again as it may use memory, on top of what the instance pool has reserved at the start, which
//! is 4 GiB a linear memory that nobody touches.

use crate::support;
use bytes::Bytes;
use engine::Engine;
use lambda::{Answer, Bundle, Clock, Firehose, Host, Invocation, Output, Secrets, Sending, Settings, World};
use simulator::kinesis::{EventSource, Mapping, Stream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Records, and what each grows to: 4.5 GB in all.
const RECORDS: u64 = 10_000;
const GROWN_BYTES: usize = 450_000;

/// Memory the process may have, in KiB: a fifteenth of what the documents come to.
const MEMORY_KIB: u64 = 300 << 10;

/// Takes everything, keeps nothing, counts.
#[derive(Default)]
struct Counting {
    documents: AtomicU64,
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
    let most = pages * rustix::param::page_size() as u64 + (MEMORY_KIB << 10);
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit may be lowered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "run by the test below, in a process of its own"]
async fn inner() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[[step]]\nplugin = \"misbehave\"\nconfig = { mode = \"huge-output\" }\n";
    std::fs::write(folder.path().join("paddle.toml"), toml).expect("written");
    let ready_made = |name: &str| std::fs::read(support::file(name)).ok().map(Bytes::from);
    let bundle = Bundle::read(&folder.path().join("paddle.toml")).expect("a pipeline");
    let instances = bundle.instances(2);
    let engine = Engine::new(&engine::Settings { instances, ..engine::Settings::default() }).expect("an engine");
    let loaded = bundle.load(&engine, &Secrets::default(), &ready_made).expect("it loads");
    let firehose = Arc::new(Counting::default());
    let world = World {
        firehose: Arc::clone(&firehose) as Arc<dyn Firehose>,
        dead_letters: lambda::open_dead_letters(&format!("file://{}/dead", folder.path().display())).expect("a folder"),
        clock: Clock::system(),
        output: Output::none(),
        seed: 1,
    };
    let settings = Settings { workers: 2, partial_failures: true, window_bytes: 64 << 20, ..Settings::default() };
    let host = Host::new(settings, loaded, world).expect("a host");
    limit_address_space();
    let mut stream = Stream::new(support::STREAM, 1);
    for k in 0..RECORDS {
        stream.put("key", format!(r#"{{"count":{GROWN_BYTES},"k":{k}}}"#).as_bytes(), support::NOW_MS);
    }
    let mapping = Mapping { batch_size: RECORDS as usize, report_batch_item_failures: true, ..Mapping::default() };
    let handle = async |event: Vec<u8>| {
        let invocation = Invocation { request_id: "one".into(), remaining: Duration::from_secs(600) };
        host.handle(event.into(), invocation).await.map(|handled| handled.response).map_err(|error| error.to_string())
    };
    let journal = EventSource::new(stream, mapping).run(|| support::NOW_MS, handle).await;
    assert!(journal.complete && journal.rewinds() == 0);
    assert_eq!(firehose.documents.load(Ordering::Relaxed), RECORDS);
    assert!(firehose.bytes.load(Ordering::Relaxed) > RECORDS * GROWN_BYTES as u64);
}

#[test]
fn events_that_each_grow_to_the_limit_stay_within_memory() {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("sh")
        .args(["-c", "ulimit -d \"$1\" && exec \"$2\" --exact memory::inner --ignored", "sh"])
        .arg(MEMORY_KIB.to_string())
        .arg(program)
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
