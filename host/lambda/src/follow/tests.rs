//! A host on a channel: swaps, refusals, returns, and starts with and without a store.

use super::Follower;
use super::start::PATIENCE;
use crate::config::StoreSettings;
use crate::tests::fakes::{FakeDeadLetters, FakeFirehose, event, settings};
use crate::trial::{TrialCase, TrialRecords};
use crate::{Clock, Host, Invocation, Output, Settings, World};
use engine::Engine;
use registry::testing::{Fault, FaultyStore, live, moving, pipeline, publisher, publishing};
use registry::{Action, Blob, Draft, HostReport, Manifest, Options, Outcome, Registry, ReleaseId, SigningKey, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// A store in a folder, and somebody who may publish to it.
struct Shop {
    folder: tempfile::TempDir,
    registry: Registry,
    key: SigningKey,
}

impl Shop {
    fn new() -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let key = publisher(1);
        let store = Store::open(folder.path().to_str().unwrap(), &Options::default()).unwrap();
        let registry = Registry::new(store, pipeline(), registry::testing::trusting(&[&key]));
        Shop { folder, registry, key }
    }

    /// Publishes a pipeline without steps and puts it on the channel.
    async fn publish(&self, config: &str, records: Option<TrialRecords>) -> ReleaseId {
        let records = records.map(|records| records.to_bytes());
        let manifest = Manifest {
            pipeline: pipeline(),
            config: format!("[pipeline]\nname = \"clickstream\"\n{config}"),
            plugins: Vec::new(),
            assets: Vec::new(),
            test_records: records.as_ref().map(|records| Blob::of(records)),
            at_ms: now_ms(),
            by: "ann".into(),
            why: "a test".into(),
            paddle: "0.1.0".into(),
        };
        let draft = Draft::new(manifest, records).unwrap();
        let id = self.registry.publish(&draft, publishing(&self.key, now_ms())).await.unwrap();
        self.promote(id).await;
        id
    }

    async fn promote(&self, id: ReleaseId) {
        self.registry.promote(id, Action::Promote, &moving(now_ms()), Some(&self.key)).await.unwrap();
    }

    fn settings(&self, more: &[(&str, &str)]) -> (Settings, StoreSettings) {
        let url = format!("file://{}", self.folder.path().display());
        let trusted = self.key.public().to_string();
        let of_store = [
            ("PADDLE_STORE", url.as_str()),
            ("PADDLE_PIPELINE", "clickstream"),
            ("PADDLE_TRUSTED_KEYS", trusted.as_str()),
            ("PADDLE_CONFIG", "/nowhere/paddle.toml"),
        ];
        let mut settings = settings(&[&of_store[..], more].concat());
        let store = settings.store.take().unwrap();
        (settings, store)
    }

    /// What the one host of a test said last.
    async fn said(&self) -> HostReport {
        let hosts = self.registry.hosts(now_ms()).await.unwrap();
        hosts.live.into_iter().next().expect("a host has spoken").1
    }
}

/// A function that runs.
struct Running {
    follower: Follower,
    host: Arc<Host>,
    firehose: Arc<FakeFirehose>,
    output: Arc<Mutex<Vec<u8>>>,
}

fn now_ms() -> u64 {
    (Clock::system().wall_ms)()
}

fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE
        .get_or_init(|| Engine::new(&engine::Settings { instances: 1, ..engine::Settings::default() }).unwrap())
        .clone()
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Running {
    async fn start(settings: Settings, store: StoreSettings) -> anyhow::Result<Running> {
        let opened = Store::open(&store.url, &Options::default())?;
        Running::start_over(opened, settings, store).await
    }

    async fn start_over(opened: Store, settings: Settings, store: StoreSettings) -> anyhow::Result<Running> {
        let output = Arc::new(Mutex::new(Vec::new()));
        let sink = Output::new(Sink(Arc::clone(&output)));
        let clock = Clock::system();
        let opened = opened.with_patience(PATIENCE);
        let started = Follower::start_over(opened, &settings, store, engine(), clock.clone(), sink.clone(), 7);
        let (follower, loaded) = started.await?;
        let firehose = FakeFirehose::scripted([]);
        let world = World {
            firehose: Arc::clone(&firehose) as Arc<dyn crate::Firehose>,
            dead_letters: Arc::new(FakeDeadLetters::default()),
            clock,
            output: sink,
            seed: 7,
        };
        Ok(Running { follower, host: Arc::new(Host::new(settings, loaded, world)?), firehose, output })
    }

    /// One batch of this many good events; gives the release it ran with.
    async fn batch(&self, events: u64) -> Option<ReleaseId> {
        self.batch_and_wait(events).await.0
    }

    /// The same, and how long the batch has waited for the store.
    async fn batch_and_wait(&self, events: u64) -> (Option<ReleaseId>, Duration) {
        let records: Vec<_> =
            (0..events).map(|k| (1_000 + k, format!("{{\"k\":{k},\"mail\":\"a@b.co\"}}").into_bytes())).collect();
        let invocation =
            Invocation { request_id: format!("r{}", fastrand::u64(..)), remaining: Duration::from_secs(60) };
        // What `handle` does. The batch itself runs on other threads, and a paused clock runs on while they work.
        let begun = tokio::time::Instant::now();
        self.follower.before(&self.host).await;
        let waited = begun.elapsed();
        let handled = self.host.handle(event(&records), invocation).await.unwrap();
        self.follower.after(&self.host, &handled);
        (handled.report.release.map(|release| release.parse().unwrap()), waited)
    }

    /// Batches, each after the poll interval, until one runs with this release.
    async fn until(&self, release: ReleaseId) {
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(6)).await;
            if self.batch(2).await == Some(release) {
                return;
            }
        }
        panic!("the release was not taken: {}", self.told());
    }

    fn told(&self) -> String {
        String::from_utf8(self.output.lock().unwrap().clone()).unwrap()
    }
}

fn records(expected: &str) -> TrialRecords {
    let case = TrialCase { name: "one".into(), records: vec!["eyJhIjoxfQ==".into()], expected: vec![expected.into()] };
    TrialRecords { version: 1, cases: vec![case] }
}

#[tokio::test(start_paused = true)]
async fn a_new_release_is_taken_between_two_batches() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    assert_eq!(running.batch(1).await, Some(first));
    let stamped = "[document]\nrelease_field = \"release\"\n";
    let second = shop.publish(stamped, Some(records(r#"{"out":[{"route":"default","document":{"a":1}}]}"#))).await;
    running.until(second).await;
    running.until(second).await;
    let said = shop.said().await;
    assert_eq!((said.running.unwrap().release, said.revision), (second, 2));
    assert_eq!((said.swaps[0].from, said.swaps[0].to), (Some(first), second));
    assert_eq!(said.probations[0].outcome, Outcome::Running);
    assert!(running.told().contains("\"Swaps\":1"));
    let document = running.firehose.taken.lock().unwrap().last().unwrap().clone();
    assert!(String::from_utf8_lossy(&document).ends_with(&format!("\"release\":\"{second}\"}}")), "{document:?}");
    // Ten minutes on it has passed.
    tokio::time::advance(Duration::from_secs(601)).await;
    let mut outcome = Outcome::Running;
    for _ in 0..10 {
        running.until(second).await;
        outcome = shop.said().await.probations.last().unwrap().outcome;
        if outcome != Outcome::Running {
            break;
        }
    }
    assert_eq!(outcome, Outcome::Passed);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_release_is_told_and_the_old_one_stays() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    let mut kinds = Vec::new();
    for wrong in ["test-records", "config", "missing", "tampered", "pointer"] {
        let id = match wrong {
            "test-records" => shop.publish("# 1\n", Some(records("{\"dropped_by\":\"x\"}"))).await,
            "config" => shop.publish("[[stap]]\n", None).await,
            _ => shop.publish(&format!("# {wrong}\n"), Some(records(r#"{"out":[]}"#))).await,
        };
        let release = shop.folder.path().join(format!("pipelines/clickstream/releases/{id}/manifest.json"));
        match wrong {
            "missing" => std::fs::remove_file(&release).unwrap(),
            "tampered" => {
                std::fs::write(&release, std::fs::read_to_string(&release).unwrap().replace("ann", "eve")).unwrap()
            }
            "pointer" => {
                let pointer = shop.folder.path().join("pipelines/clickstream/channels/live.json");
                std::fs::write(&pointer, std::fs::read_to_string(&pointer).unwrap().replace("ann", "eve")).unwrap();
            }
            _ => {}
        }
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(6)).await;
            assert_eq!(running.batch(2).await, Some(first), "{wrong}");
        }
        let said = shop.said().await;
        kinds.push(said.refused.last().unwrap().kind.clone());
        assert_eq!(said.running.unwrap().release, first);
    }
    assert_eq!(&kinds[..3], ["test-records", "config", "not-found"], "{kinds:?}");
    assert_eq!(shop.said().await.refused.len(), 5, "each is said once: {:?}", shop.said().await.refused);
    assert!(running.told().contains("ReleasesRefused"));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_does_badly_is_left_until_the_channel_moves() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    running.batch(100).await;
    let bad = shop.publish("[document]\nforbid = [\"email\"]\n", None).await;
    running.until(bad).await;
    assert_eq!(running.batch(100).await, Some(bad), "the batch that shows it");
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(running.batch(2).await, Some(first), "{}", running.told());
    }
    let said = shop.said().await;
    assert_eq!(said.running.unwrap().release, first);
    let probation = said.probations.last().unwrap();
    assert_eq!((probation.release, probation.outcome), (bad, Outcome::Returned));
    assert!(probation.reason.contains("forbidden"), "{}", probation.reason);
    let third = shop.publish("# mended\n", None).await;
    running.until(third).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_traffic_goes_on() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    let (there, away) = (shop.folder.path().join("pipelines"), shop.folder.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    std::fs::write(&there, "nothing can be read or written below a file").unwrap();
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(70)).await;
        assert_eq!(running.batch(2).await, Some(first));
    }
    std::fs::remove_file(&there).unwrap();
    std::fs::rename(&away, &there).unwrap();
    let second = shop.publish("# back\n", None).await;
    running.until(second).await;
}

/// An hour of batches, one a second, while every request to the store fails in one way; then the store is back.
async fn an_hour_of(fault: Fault) {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let faulty = FaultyStore::folder(shop.folder.path());
    let poll = store.poll;
    let running = Running::start_over(faulty.store(), settings, store).await.unwrap();
    let mut waits = Vec::new();
    let (begun, before) = (tokio::time::Instant::now(), faulty.requests());
    while begun.elapsed() < Duration::from_secs(3_600) {
        faulty.fail_next((0..8).map(|_| fault.clone()));
        let (release, waited) = running.batch_and_wait(1).await;
        assert_eq!(release, Some(first), "{fault:?}");
        waits.push(waited);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    // A look in a poll interval, and this host's file once a minute, each tried a few times.
    let requests = faulty.requests() - before;
    let looks = begun.elapsed().as_secs_f64() / (poll.as_secs_f64() * 0.8);
    let most = (looks as u64 + 60) * u64::from(PATIENCE.tries);
    assert!((100..=most).contains(&requests), "{fault:?}: {requests} requests, {most} at most");
    // A batch waits for the store now and then, never long, and not batch after batch: once for each look at most.
    let waited = waits.iter().filter(|waited| !waited.is_zero()).count();
    assert!(waits.iter().max() <= Some(&Duration::from_millis(250)), "{fault:?}: {:?}", waits.iter().max());
    assert!(waited as f64 <= looks, "{fault:?}: {waited} of {} batches waited", waits.len());
    faulty.revive();
    let second = shop.publish("# back\n", None).await;
    let back = tokio::time::Instant::now();
    while running.batch(1).await != Some(second) {
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(back.elapsed() <= poll + Duration::from_secs(5), "{fault:?}: not back after {:?}", back.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_a_store_that_fails_costs_no_batch() {
    let slow = Fault::Slow(Duration::from_secs(20));
    for fault in [slow, Fault::Forbidden, Fault::Missing, Fault::Unavailable, Fault::HalfAnswer, Fault::AnswerLost] {
        an_hour_of(fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_idle_hour_the_first_batch_runs_what_the_channel_holds() {
    let shop = Shop::new();
    shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    running.batch(1).await;
    let second = shop.publish("# while nobody looked\n", None).await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(running.batch(1).await, Some(second));
}

#[tokio::test(start_paused = true)]
async fn a_start_finds_the_next_best_thing() {
    let shop = Shop::new();
    let (settings, store) = shop.settings(&[]);
    let error = Running::start(settings, store).await.err().unwrap().to_string();
    assert!(error.starts_with("nothing to run from channel `live` of pipeline `clickstream`"), "{error}");

    let bundle = shop.folder.path().join("paddle.toml");
    std::fs::write(&bundle, "[pipeline]\nname = \"clickstream\"\n").unwrap();
    let (settings, store) = shop.settings(&[("PADDLE_CONFIG", bundle.to_str().unwrap())]);
    let running = Running::start(settings, store).await.unwrap();
    assert_eq!(running.batch(1).await, None, "the bundled pipeline is no release");
    assert!(running.told().contains("the bundled pipeline runs"));
    let first = shop.publish("", None).await;
    running.until(first).await;

    let bad = shop.publish("[[stap]]\n", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    assert_eq!(running.batch(1).await, Some(first), "{bad} cannot be loaded, the one before can");
    let good = shop.publish("# good\n", None).await;
    running.until(good).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_runs_without_the_store_but_nothing_that_was_changed() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let cache = tempfile::tempdir().unwrap();
    let start = async || {
        let (settings, mut store) = shop.settings(&[]);
        store.cache = Some(cache.path().to_owned());
        Running::start(settings, store).await
    };
    assert_eq!(start().await.unwrap().batch(1).await, Some(first));
    std::fs::rename(shop.folder.path().join("pipelines"), shop.folder.path().join("away")).unwrap();
    assert_eq!(start().await.unwrap().batch(1).await, Some(first));
    damage(cache.path());
    assert!(start().await.is_err(), "damaged files are not trusted");
}

/// Changes a byte in each file.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn settings_of_the_store_are_checked() {
    let read = |more: &[(&str, &str)]| {
        let variables: BTreeMap<String, String> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::read(&variables).map(|settings| settings.store).map_err(|error| error.to_string())
    };
    let store = ("PADDLE_STORE", "s3://bucket/prefix");
    let pipeline = ("PADDLE_PIPELINE", "clickstream");
    for (variables, part) in [
        (&[store][..], "PADDLE_PIPELINE"),
        (&[store, pipeline], "PADDLE_TRUSTED_KEYS"),
        (&[pipeline], "PADDLE_STORE"),
        (&[("PADDLE_STORE", "ftp://x"), pipeline], "s3://bucket/prefix"),
        (&[store, pipeline, ("PADDLE_TRUSTED_KEYS", "x")], "PADDLE_TRUSTED_KEYS"),
        (&[store, pipeline, ("PADDLE_ALLOW_UNSIGNED", "yes")], "1 is for development"),
        (&[store, pipeline, ("PADDLE_ALLOW_UNSIGNED", "1"), ("PADDLE_POLL_SECONDS", "0")], "PADDLE_POLL_SECONDS"),
    ] {
        let error = read(variables).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let read =
        read(&[store, pipeline, ("PADDLE_ALLOW_UNSIGNED", "1"), ("AWS_REGION", "eu-central-1")]).unwrap().unwrap();
    assert_eq!((read.channel, read.poll, read.stale), (live(), Duration::from_secs(5), Duration::from_secs(60)));
    assert_eq!(read.aws["AWS_REGION"], "eu-central-1");
}
