//! Releases from a store, a folder's and S3's, to running code: published with compiled plugins, taken, swapped, raced for.

use crate::s3::Moto;
use crate::support;
use base64_simd::STANDARD;
use bytes::Bytes;
use engine::Engine;
use lambda::trial::TrialRecords;
use lambda::{Answer, Clock, Firehose, Follower, Host, Invocation, Loaded, Output, Sending, Settings, World};
use pipeline::{Pipeline, Plugin};
use registry::testing::{moving, pipeline, publisher, publishing, trusting};
use registry::{
    Action, Blob, Digest, Draft, DraftCompiled, HostReport, Manifest, Options, Registry, ReleaseId, SigningKey, Store,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for a release to be taken.
const TAKE_TIME_MAX: Duration = Duration::from_secs(60);

/// Keeps every document.
#[derive(Default)]
pub struct Keeping(Mutex<Vec<Bytes>>);

impl Firehose for Keeping {
    fn put_record_batch<'a>(&'a self, _stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        let answer: Answer = documents.iter().map(|_| Ok(())).collect();
        self.0.lock().expect("no test panics here").extend(documents);
        Box::pin(async move { Ok(answer) })
    }
}

/// A store, and a function that follows its channel.
pub struct Shop {
    url: String,
    aws: BTreeMap<String, String>,
    pub registry: Registry,
    pub key: SigningKey,
    engine: Engine,
}

impl Shop {
    pub fn new(url: String, aws: BTreeMap<String, String>) -> Shop {
        let options = Options { settings: aws.clone(), create_folder: true, ..Options::default() };
        let key = publisher(1);
        let store = Store::open(&url, &options).expect("a store");
        let registry = Registry::new(store, pipeline(), trusting(&[&key]));
        let engine =
            Engine::new(&engine::Settings { instances: 64, ..engine::Settings::default() }).expect("an engine");
        Shop { url, aws, registry, key, engine }
    }

    /// Publishes the three ready-made plugins, compiled, with a mask of its own, and test records that came to what they do.
    pub async fn publish(&self, mask: &str) -> ReleaseId {
        let id = self.shelve(mask, |_| {}).await;
        self.promote(id).await;
        id
    }

    /// Publishes a release that may have been spoiled first, without moving the channel.
    pub async fn shelve(&self, mask: &str, spoil: impl FnOnce(&mut Manifest)) -> ReleaseId {
        let config = format!(
            "[pipeline]\nname = \"clickstream\"\n[document]\nrelease_field = \"release\"\n\
             [[step]]\nplugin = \"filter\"\nconfig = {{ drop_if = [{{ field = \"level\", equals = \"DEBUG\" }}] }}\n\
             [[step]]\nplugin = \"redact\"\nconfig = {{ fields = [\"email\"], mask = \"{mask}\" }}\n\
             [[step]]\nplugin = \"split\"\nconfig = {{ path = \"items\" }}\n"
        );
        let settings = Pipeline::parse(&config).expect("a pipeline");
        let (mut plugins, mut blobs, mut artifacts, mut steps) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        for step in &settings.steps {
            let wasm = Bytes::from(std::fs::read(support::file(&step.plugin)).expect("it was built"));
            let artifact = self.engine.precompile(&wasm).expect("it compiles");
            let code = self.engine.compile(&wasm).expect("it compiles");
            steps.push(self.engine.load(&code, step, &step.config.to_string()).expect("it loads"));
            artifacts.insert(Digest::of(&wasm), Bytes::from(artifact));
            plugins.push(registry::Plugin {
                step: step.name.clone(),
                plugin: step.plugin.clone(),
                wasm: Blob::of(&wasm),
                imports: Vec::new(),
                observed: None,
                fuel_per_event: None,
                load_us: None,
            });
            blobs.push(wasm);
        }
        let make = move || Ok(steps.iter().map(engine::Loaded::plugin).collect::<Vec<Box<dyn Plugin>>>());
        let loaded =
            Loaded { pipeline: Arc::new(settings), plugins: Box::new(make), digests: Vec::new(), release: None };
        let case = ("one".to_owned(), vec![Bytes::from_static(RECORD)]);
        let records = TrialRecords::record(&loaded, &[case]).expect("they run").to_bytes();
        let mut manifest = Manifest {
            pipeline: pipeline(),
            config,
            plugins,
            assets: Vec::new(),
            test_records: Some(Blob::of(&records)),
            at_ms: now_ms(),
            by: "ann".into(),
            why: mask.into(),
            paddle: "0.1.0".into(),
        };
        blobs.push(records);
        spoil(&mut manifest);
        let engine = self.engine.fingerprint().parse().expect("a digest");
        let compiled = DraftCompiled { engine, artifacts, at_ms: now_ms(), by: "ann".into() };
        let draft = Draft::new(manifest, blobs).and_then(|draft| draft.with_compiled(compiled)).expect("a draft");
        self.registry.publish(&draft, publishing(&self.key, now_ms())).await.expect("published")
    }

    /// Puts a release on the channel.
    pub async fn promote(&self, id: ReleaseId) {
        self.registry.promote(id, Action::Promote, &moving(now_ms()), Some(&self.key)).await.expect("promoted");
    }

    /// The function's settings for this store.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let trusted = self.key.public().to_string();
        let own = [
            ("PADDLE_STORE", self.url.as_str()),
            ("PADDLE_PIPELINE", "clickstream"),
            ("PADDLE_TRUSTED_KEYS", &trusted),
            ("PADDLE_POLL_SECONDS", "1"),
            ("PADDLE_PARTIAL_FAILURES", "reported"),
            ("PADDLE_WORKERS", "1"),
        ];
        own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A function that follows the channel.
    async fn start(&self, cache: &Path, firehose: &Arc<Keeping>) -> (Follower, Arc<Host>) {
        let mut variables = self.aws.clone();
        variables.extend(self.variables());
        follow(&variables, cache, firehose).await
    }

    /// What the one host says.
    pub async fn said(&self) -> HostReport {
        let hosts = self.registry.hosts(now_ms()).await.expect("listed");
        hosts.live.into_iter().next().expect("a host has spoken").1
    }
}

/// A function with these variables that follows a channel, with an engine and a cache of its own.
pub async fn follow(
    variables: &BTreeMap<String, String>,
    cache: &Path,
    firehose: &Arc<Keeping>,
) -> (Follower, Arc<Host>) {
    let mut settings = Settings::read(variables).expect("settings");
    let mut store = settings.store.take().expect("a store");
    store.cache = Some(cache.to_owned());
    let instances = Follower::instances(settings.workers);
    let engine = Engine::new(&engine::Settings { instances, ..engine::Settings::default() }).expect("an engine");
    let clock = Clock::system();
    let (follower, loaded) =
        Follower::start(&settings, store, engine, clock.clone(), Output::none(), 1).await.expect("it starts");
    let dead_letters = lambda::open_dead_letters(&format!("file://{}/dead", cache.display())).expect("a folder");
    let firehose = Arc::clone(firehose) as Arc<dyn Firehose>;
    let world = World { firehose, dead_letters, clock, output: Output::none(), seed: 1 };
    (follower, Arc::new(Host::new(settings, loaded, world).expect("a host")))
}

const RECORD: &[u8] = br#"{"level":"INFO","email":"a@b.co","items":[{"sku":1},{"sku":2}]}"#;

fn now_ms() -> u64 {
    (Clock::system().wall_ms)()
}

/// A Kinesis event of one record.
pub fn event(number: u64) -> Bytes {
    let data = STANDARD.encode_to_string(RECORD);
    let event = serde_json::json!({"Records": [{
        "eventID": format!("shardId-000000000000:{number}"),
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:1:stream/clicks",
        "kinesis": {"sequenceNumber": number.to_string(), "partitionKey": "k", "data": data},
    }]});
    event.to_string().into()
}

/// Batches until one runs with this release.
pub async fn until(follower: &Follower, host: &Arc<Host>, release: ReleaseId) {
    let begun = Instant::now();
    let mut number = 1;
    loop {
        let invocation = Invocation { request_id: format!("r{number}"), remaining: Duration::from_secs(60) };
        let handled = follower.handle(host, event(number), invocation).await.expect("handled");
        assert_eq!((handled.report.counts.delivered, handled.report.counts.events), (1, 1));
        if handled.report.release.as_deref() == Some(&release.to_string()) {
            return;
        }
        assert!(begun.elapsed() < TAKE_TIME_MAX, "release {release} was not taken");
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// From publishing to swapped code, there and back, and a start from what was kept.
async fn life_of_a_function(shop: &Shop) {
    let (cache, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Keeping::default()));
    let first = shop.publish("one").await;
    let (follower, host) = shop.start(cache.path(), &firehose).await;
    until(&follower, &host, first).await;
    let second = shop.publish("two").await;
    until(&follower, &host, second).await;
    shop.promote(first).await;
    until(&follower, &host, first).await;
    let documents = firehose.0.lock().expect("no test panics here").clone();
    let masks: BTreeSet<String> = documents.iter().map(|document| mask(document)).collect();
    assert_eq!(masks, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
    assert_eq!(mask(documents.last().expect("documents")), "one");
    let (said, begun) = (async || shop.said().await.swaps.len(), Instant::now());
    while said().await < 2 {
        // The host's file is written by the work of a later batch.
        assert!(begun.elapsed() < TAKE_TIME_MAX, "the swaps are not told");
        until(&follower, &host, first).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said = shop.said().await;
    assert!(said.refused.is_empty(), "{:?}", said.refused);
    let last = said.swaps.last().expect("a swap");
    assert_eq!((last.from, last.to), (Some(second), first));
    let took: Vec<u64> = said.swaps.iter().map(|swap| swap.took_us).collect();
    println!("swaps of three Rust plugins took {took:?} µs, the last one from the cache ({})", shop.url);
    // Everything was kept: another function of this machine starts with the same, compiled code.
    let (again, host) = shop.start(cache.path(), &firehose).await;
    until(&again, &host, first).await;
}

fn mask(document: &[u8]) -> String {
    let document: serde_json::Value = serde_json::from_slice(document).expect("JSON");
    document["email"].as_str().expect("it is masked").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = Shop::new(format!("file://{}/store", folder.path().display()), BTreeMap::new());
    life_of_a_function(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_a_bucket_and_two_publishers_race_for_it() {
    let Some(moto) = Moto::start() else {
        eprintln!("skipped: there is no moto (make tools needs Python with pip)");
        return;
    };
    moto.make_bucket("releases");
    let aws: BTreeMap<String, String> = [
        ("AWS_ENDPOINT_URL_S3", moto.url().as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    life_of_a_function(&Shop::new("s3://releases/of the team".into(), aws.clone())).await;
    let racer = |seed| {
        let options = Options { settings: aws.clone(), seed: Some(seed), ..Options::default() };
        let store = Store::open("s3://releases/race", &options).expect("a store");
        Registry::new(store, pipeline(), trusting(&[&publisher(1), &publisher(2)]))
    };
    registry::testing::race(racer(1), racer(2), 200).await;
}
