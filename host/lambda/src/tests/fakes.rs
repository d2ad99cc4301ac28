//! A Firehose and a place for dead letters that fail as told, and a plugin that does what the event says.

use crate::dead_letter::{DeadLetters, Writing};
use crate::firehose::{Firehose, SendError, Sending};
use crate::{Clock, Host, Invocation, Journal, Loaded, Output, Settings, World};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use pipeline::settings::Pipeline;
use pipeline::{Event, Failure, FailureKind, Plugin, Signal, Transformed, Unsettled};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the fake Firehose does with one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// Takes everything.
    Take,
    /// Fails the entries at these places (modulo the request's length).
    FailAt(Vec<usize>),
    /// Takes everything and answers with this many entries less.
    Short(usize),
    /// Takes everything and the answer is lost.
    Lose,
    /// Takes nothing, with this error.
    Error(SendError),
    /// Never answers.
    Hang,
}

#[derive(Default)]
pub(crate) struct FakeFirehose {
    pub(crate) script: Mutex<VecDeque<Reply>>,
    /// What happens when the script is at its end.
    pub(crate) then: Mutex<Option<Reply>>,
    /// Every request: its stream and documents.
    pub(crate) requests: Mutex<Vec<(String, Vec<Bytes>)>>,
    /// Documents that were acknowledged, one by one.
    pub(crate) acknowledged: Mutex<Vec<Bytes>>,
    /// Documents that were taken, acknowledged or not.
    pub(crate) taken: Mutex<Vec<Bytes>>,
    /// What broke a rule.
    pub(crate) broken: Mutex<Vec<String>>,
}

impl FakeFirehose {
    pub(crate) fn scripted(script: impl IntoIterator<Item = Reply>) -> Arc<FakeFirehose> {
        let fake = FakeFirehose::default();
        fake.script.lock().unwrap().extend(script);
        Arc::new(fake)
    }

    /// Forgets what was acknowledged: another invocation may send it again.
    pub(crate) fn next_invocation(&self) {
        self.acknowledged.lock().unwrap().clear();
    }

    fn judge(&self, documents: &[Bytes]) {
        // Reckoned in another way than the host does: the request as text.
        let entries: Vec<Value> =
            documents.iter().map(|d| json!({ "Data": base64_simd::STANDARD.encode_to_string(d) })).collect();
        let body = json!({ "DeliveryStreamName": "x".repeat(64), "Records": entries }).to_string();
        let mut broken = self.broken.lock().unwrap();
        if documents.is_empty() || documents.len() > 500 || body.len() > 4 << 20 {
            broken.push(format!("{} records, {} bytes", documents.len(), body.len()));
        }
        if documents.iter().any(|document| document.is_empty() || document.len() > 1_024_000) {
            broken.push("a record's size".into());
        }
        let acknowledged = self.acknowledged.lock().unwrap();
        if documents.iter().any(|document| acknowledged.contains(document)) {
            broken.push("an acknowledged document came again".into());
        }
    }
}

impl Firehose for FakeFirehose {
    fn put_record_batch<'a>(&'a self, stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        self.judge(&documents);
        self.requests.lock().unwrap().push((stream.to_owned(), documents.clone()));
        let reply = self.script.lock().unwrap().pop_front();
        let reply = reply.or_else(|| self.then.lock().unwrap().clone()).unwrap_or(Reply::Take);
        Box::pin(async move {
            if documents.iter().any(|document| contains(document, b"poison")) {
                return Err(SendError::Refused("InvalidArgumentException: it is poison".into()));
            }
            let taken = |documents: &[Bytes]| self.taken.lock().unwrap().extend_from_slice(documents);
            let count = documents.len();
            let failed: Vec<usize> = match reply {
                Reply::Error(error) => return Err(error),
                Reply::Hang => std::future::pending().await,
                Reply::Lose => {
                    taken(&documents);
                    return Err(SendError::Transient("the connection was lost".into()));
                }
                Reply::Short(less) => {
                    taken(&documents);
                    let entries = count.saturating_sub(less);
                    self.acknowledged.lock().unwrap().extend_from_slice(&documents[..entries]);
                    return Ok(vec![Ok(()); entries]);
                }
                Reply::FailAt(places) => places.into_iter().map(|place| place % count).collect(),
                Reply::Take => Vec::new(),
            };
            let mut answer = Vec::new();
            for (at, document) in documents.into_iter().enumerate() {
                if failed.contains(&at) {
                    answer.push(Err("ServiceUnavailableException: Slow down.".into()));
                    continue;
                }
                self.taken.lock().unwrap().push(document.clone());
                self.acknowledged.lock().unwrap().push(document);
                answer.push(Ok(()));
            }
            Ok(answer)
        })
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Keeps objects, or fails as told: one entry a write.
#[derive(Default)]
pub(crate) struct FakeDeadLetters {
    pub(crate) fails: Mutex<VecDeque<bool>>,
    pub(crate) objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl DeadLetters for FakeDeadLetters {
    fn write(&self, path: String, body: Vec<u8>) -> Writing<'_> {
        Box::pin(async move {
            if self.fails.lock().unwrap().pop_front().unwrap_or(false) {
                anyhow::bail!("the bucket is on fire");
            }
            let before = self.objects.lock().unwrap().insert(path, body);
            assert!(before.is_none(), "an object was written over");
            Ok(())
        })
    }
}

impl FakeDeadLetters {
    /// Every line of every object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for object in self.objects.lock().unwrap().values() {
            let mut text = String::new();
            MultiGzDecoder::new(&object[..]).read_to_string(&mut text).unwrap();
            lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        lines
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.lines().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// How often each event was asked to be retried, by its `n`.
pub(crate) type Retries = Arc<Mutex<BTreeMap<String, u64>>>;

/// Does what the event's `do` says.
struct Obedient {
    /// Whether it panics outside of a record, when the window is over.
    breaks: bool,
    retries: Retries,
    clock: Arc<Mutex<Duration>>,
}

impl Plugin for Obedient {
    fn transform(&mut self, event: &Event, deadline: Option<Instant>) -> Transformed {
        let json: Value = serde_json::from_slice(&event.content.bytes()).unwrap_or_default();
        let output = |route: Option<&str>| pipeline::Output { event: event.clone(), route: route.map(str::to_owned) };
        let told = json["do"].as_str().unwrap_or("emit");
        let result = match told {
            "drop" => Ok(Vec::new()),
            "fan" => Ok(vec![output(None), output(Some("audit")), output(None)]),
            "audit" => Ok(vec![output(Some("audit"))]),
            "reject" => Err(Signal::Failed(Failure::of_guest(FailureKind::Reject, "as told"))),
            "trap" => Err(Signal::Failed(Failure::new(FailureKind::Trap, "as told"))),
            "slow" => {
                *self.clock.lock().unwrap() += Duration::from_secs(10);
                Ok(vec![output(None)])
            }
            "grow" => Ok(vec![pipeline::Output { event: grown(event, &json), route: None }]),
            "cut" if deadline.is_some() => Err(Signal::Unsettled(Unsettled::CutShort)),
            "panic" => panic!("{}", json["says"].as_str().unwrap_or("as told")),
            "panic-once" if self.retries.lock().unwrap().insert(event.identity.id.to_string(), 0).is_none() => {
                panic!("only once")
            }
            "break" => {
                self.breaks = true;
                Ok(vec![output(None)])
            }
            "retry" => {
                let mut retries = self.retries.lock().unwrap();
                let left =
                    retries.entry(event.identity.id.to_string()).or_insert_with(|| json["times"].as_u64().unwrap_or(1));
                if *left > 0 {
                    *left -= 1;
                    Err(Signal::Retry("not now".into()))
                } else {
                    Ok(vec![output(None)])
                }
            }
            _ => Ok(vec![output(None)]),
        };
        let line = |level| pipeline::LogLine { level, message: "as told".into() };
        let log = match told {
            "say" => vec![line(pipeline::Level::Info), line(pipeline::Level::Debug)],
            "warn" => vec![line(pipeline::Level::Warn)],
            _ => Vec::new(),
        };
        Transformed { result, elapsed: Duration::from_micros(3), memory_bytes: 65_536, log, log_dropped: 0, fuel: 0 }
    }

    /// It asked for a field that was not there.
    fn take_fields(&mut self) -> pipeline::Fields {
        assert!(!self.breaks, "as told, at the end");
        let asked = BTreeMap::from([("as told".to_owned(), 1)]);
        pipeline::Fields { read: asked.clone(), absent: asked, ..Default::default() }
    }

    fn hide_start<'t>(&self, text: &'t str, bytes_max: usize) -> std::borrow::Cow<'t, str> {
        let hidden = text.replace(SECRET, "***");
        hidden[..hidden.len().min(bytes_max)].to_owned().into()
    }
}

/// The secret of the plugin.
pub(crate) const SECRET: &str = "hush-hush";

/// The event with as many bytes more as it says.
fn grown(event: &Event, json: &Value) -> Event {
    let text = "x".repeat(json["bytes"].as_u64().unwrap() as usize);
    let pipeline::Identity { id, .. } = &*event.identity;
    Event::new(id.clone(), "key".into(), NOW_MS, json!({ "n": json["n"], "text": text }).to_string().into())
}

/// A host among fakes.
pub(crate) struct Bench {
    pub(crate) host: Arc<Host>,
    pub(crate) firehose: Arc<FakeFirehose>,
    pub(crate) dead_letters: Arc<FakeDeadLetters>,
    pub(crate) output: Arc<Mutex<Vec<u8>>>,
    pub(crate) retries: Retries,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Now, for all tests.
pub(crate) const NOW_MS: u64 = 1_798_761_600_000;

pub(crate) fn settings(more: &[(&str, &str)]) -> Settings {
    let all = [("PADDLE_PARTIAL_FAILURES", "reported"), ("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("PADDLE_WORKERS", "2")];
    let all = all.iter().chain(more).filter(|(_, value)| !value.is_empty());
    Settings::read(&all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).unwrap()
}

pub(crate) fn loaded(retries: &Retries, clock: &Arc<Mutex<Duration>>) -> Loaded {
    let text =
        "[[step]]\nname = \"obey\"\nplugin = \"obedient\"\n[routes]\naudit = \"audit-stream\"\ndefault = \"clicks\"";
    let (retries, clock) = (Arc::clone(retries), Arc::clone(clock));
    Loaded {
        pipeline: Arc::new(Pipeline::parse(text).unwrap()),
        plugins: Box::new(move || {
            let (retries, clock) = (Arc::clone(&retries), Arc::clone(&clock));
            Ok(vec![Box::new(Obedient { breaks: false, retries, clock }) as Box<dyn Plugin>])
        }),
        digests: vec!["abc".into()],
        release: None,
    }
}

impl Bench {
    pub(crate) fn new(settings: Settings, firehose: Arc<FakeFirehose>) -> Bench {
        Bench::with_journal(settings, firehose, None)
    }

    /// The same with a journal in a folder, where another bench may have left one.
    pub(crate) fn with_journal(settings: Settings, firehose: Arc<FakeFirehose>, folder: Option<&Path>) -> Bench {
        let service = Arc::clone(&firehose) as Arc<dyn Firehose>;
        let (dead_letters, retries) = (Arc::new(FakeDeadLetters::default()), Retries::default());
        let output = Arc::new(Mutex::new(Vec::new()));
        let host = Bench::host(settings, service, &dead_letters, &output, &retries, folder);
        Bench { host: Arc::new(host), firehose, dead_letters, output, retries }
    }

    /// A host of its own among what outlives it.
    pub(crate) fn host(
        settings: Settings,
        firehose: Arc<dyn Firehose>,
        dead_letters: &Arc<FakeDeadLetters>,
        output: &Arc<Mutex<Vec<u8>>>,
        retries: &Retries,
        journal: Option<&Path>,
    ) -> Host {
        // The workers' clock stands still but for plugins that say they are slow; delivery's is tokio's, paused.
        let slow = Arc::new(Mutex::new(Duration::ZERO));
        let offset = Arc::clone(&slow);
        let begun = Instant::now();
        let (in_runtime, paused) = (tokio::time::Instant::now(), Clock::system());
        let now = move || {
            let runtime = tokio::runtime::Handle::try_current().is_ok();
            let advanced =
                if runtime { (paused.now)().saturating_duration_since(in_runtime.into_std()) } else { Duration::ZERO };
            begun + advanced + *offset.lock().unwrap()
        };
        let clock = Clock { wall_ms: Arc::new(|| NOW_MS), now: Arc::new(now) };
        let world = World {
            firehose,
            dead_letters: Arc::clone(dead_letters) as Arc<dyn DeadLetters>,
            journal: journal.map(|folder| Journal::open(folder, clock.clone())),
            clock,
            output: Output::new(Shared(Arc::clone(output))),
            seed: 7,
        };
        Host::new(settings, loaded(retries, &slow), world).unwrap()
    }

    pub(crate) fn invocation(&self) -> Invocation {
        Invocation { request_id: "request".into(), remaining: Duration::from_secs(60) }
    }

    /// The log and metrics written so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.output.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A Kinesis event with records of these numbers and bytes.
pub(crate) fn event(records: &[(u64, Vec<u8>)]) -> Bytes {
    let record = |(number, data): &(u64, Vec<u8>)| {
        json!({
            "kinesis": {
                "partitionKey": "key", "sequenceNumber": number.to_string(),
                "data": base64_simd::STANDARD.encode_to_string(data),
                "approximateArrivalTimestamp": (NOW_MS - 5_000) as f64 / 1e3,
            },
            "eventSource": "aws:kinesis", "eventID": format!("shardId-000000000001:{number}"),
            "eventSourceARN": "arn:aws:kinesis:eu-west-1:1:stream/clicks",
        })
    };
    json!({ "Records": records.iter().map(record).collect::<Vec<_>>() }).to_string().into()
}

/// Records that tell the plugin what to do, numbered from 8: the number grows a digit within a batch.
pub(crate) fn told(what: &[&str]) -> Bytes {
    let record = |(at, what): (usize, &&str)| (8 + at as u64, json!({ "do": what, "n": at }).to_string().into_bytes());
    event(&what.iter().enumerate().map(record).collect::<Vec<_>>())
}

/// The sequence number in an answer, whose bytes are checked; none when everything is settled.
pub(crate) fn reported(response: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(response).unwrap();
    if text == "{\"batchItemFailures\":[]}" {
        return None;
    }
    let number =
        text.strip_prefix("{\"batchItemFailures\":[{\"itemIdentifier\":\"").unwrap().strip_suffix("\"}]}").unwrap();
    Some(number.parse().unwrap())
}
