//! A host on a channel: swaps, refusals, returns, and starts with and without a store.

mod judging;
mod model;
mod states;

use super::start::PATIENCE;
use super::state::{Event, Source};
use super::{Follower, Round, StartContext};
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

    /// Puts a release on the channel again and insists on it.
    async fn force(&self, id: ReleaseId) {
        let how = registry::Move { force: true, ..moving(now_ms()) };
        self.registry.promote(id, Action::Promote, &how, Some(&self.key)).await.unwrap();
    }

    /// What hosts have gone back from since the channel's last move.
    async fn verdicts(&self) -> registry::Tally {
        let pointer = self.registry.pointer(&live()).await.unwrap().unwrap();
        self.registry.verdicts(&live(), pointer.revision).await.unwrap()
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

    /// As a function starts, which opens its store itself.
    async fn start_with(settings: Settings, store: StoreSettings) -> anyhow::Result<Running> {
        Running::starting(settings, async |settings, context| Follower::start(settings, store, context).await).await
    }

    async fn start_over(opened: Store, settings: Settings, store: StoreSettings) -> anyhow::Result<Running> {
        let opened = opened.with_patience(PATIENCE);
        let start = async |settings: &Settings, context| Follower::start_over(opened, settings, store, context).await;
        Running::starting(settings, start).await
    }

    async fn starting(
        settings: Settings,
        start: impl AsyncFnOnce(&Settings, StartContext) -> anyhow::Result<(Follower, crate::Loaded)>,
    ) -> anyhow::Result<Running> {
        let output = Arc::new(Mutex::new(Vec::new()));
        let sink = Output::new(Sink(Arc::clone(&output)));
        let clock = Clock::system();
        let (begun, output_of_start) = ((clock.now)(), sink.clone());
        let context = StartContext { engine: engine(), clock: clock.clone(), output: output_of_start, seed: 7, begun };
        let (follower, loaded) = start(&settings, context).await?;
        let firehose = FakeFirehose::scripted([]);
        let world = World {
            firehose: Arc::clone(&firehose) as Arc<dyn crate::Firehose>,
            dead_letters: Arc::new(FakeDeadLetters::default()),
            clock,
            output: sink,
            seed: 7,
            journal: None,
        };
        Ok(Running { follower, host: Arc::new(Host::new(settings, loaded, world)?), firehose, output })
    }

    /// One batch of this many good events; gives the release it ran with.
    async fn batch(&self, events: u64) -> Option<ReleaseId> {
        self.batch_and_wait(events).await.0
    }

    /// The same, and how long the batch has waited for the store.
    async fn batch_and_wait(&self, events: u64) -> (Option<ReleaseId>, Duration) {
        self.batch_of((0..events).map(|k| format!("{{\"k\":{k},\"mail\":\"a@b.co\"}}").into_bytes())).await
    }

    /// One batch of these records.
    async fn batch_of(&self, records: impl IntoIterator<Item = Vec<u8>>) -> (Option<ReleaseId>, Duration) {
        let records: Vec<_> = (1_000..).zip(records).collect();
        let invocation =
            Invocation { request_id: format!("r{}", fastrand::u64(..)), remaining: Duration::from_secs(60) };
        // What `handle` does. The batch itself runs on other threads, and a paused clock runs on while they work.
        let begun = tokio::time::Instant::now();
        self.follower.before(&self.host).await;
        let waited = begun.elapsed();
        let until = tokio::time::Instant::now().into_std() + Duration::from_secs(60);
        let (ran, handled) = self.host.handle_with(event(&records), invocation).await;
        self.follower.after(&self.host, ran, &handled, until).await;
        let handled = handled.unwrap();
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

    /// The end of what is on its way at the store.
    async fn at_rest(&self) {
        let shared = &self.follower.shared;
        let mut progress = shared.progress.subscribe();
        while shared.inner().round != Round::Idle {
            progress.changed().await.unwrap();
        }
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
    assert_eq!(kinds, ["test-records", "config", "not-found", "bad-signature", "bad-signature"]);
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

/// A pipeline that forbids what every record of these tests contains: each event fails.
const BAD: &str = "[document]\nforbid = [\"email\"]\n";

/// A first release, a second one that is bad, and one host that has gone back from it.
async fn returned(shop: &Shop, cache: &Path) -> (ReleaseId, ReleaseId) {
    let first = shop.publish("", None).await;
    let (settings, mut store) = shop.settings(&[]);
    store.cache = Some(cache.to_owned());
    let running = Running::start(settings, store).await.unwrap();
    running.batch(100).await;
    let bad = shop.publish(BAD, None).await;
    running.until(bad).await;
    assert_eq!(running.batch(100).await, Some(bad), "the batch that shows it");
    assert_eq!(shop.verdicts().await.returned, 1, "it is written before that batch is answered");
    assert_eq!(running.batch(2).await, Some(first));
    (first, bad)
}

#[tokio::test(start_paused = true)]
async fn what_a_host_went_back_from_no_later_host_runs() {
    let (shop, cache) = (Shop::new(), tempfile::tempdir().unwrap());
    let (first, bad) = returned(&shop, cache.path()).await;
    // That host is gone for days, and what it said of itself with it.
    let hosts = shop.folder.path().join("pipelines/clickstream/hosts");
    for entry in std::fs::read_dir(&hosts).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        std::fs::remove_file(entry.path()).unwrap();
    }
    let start = async || {
        let (settings, store) = shop.settings(&[]);
        Running::start(settings, store).await.unwrap()
    };
    let successor = start().await;
    for _ in 0..30 {
        assert_eq!(successor.batch(10).await, Some(first), "{}", successor.told());
        tokio::time::advance(Duration::from_secs(6)).await;
    }
    successor.at_rest().await;
    let said = shop.said().await;
    assert_eq!(said.running.unwrap().release, first);
    let refused = said.refused.last().unwrap();
    assert_eq!((refused.release, refused.revision, &*refused.kind), (Some(bad), 2, "returned"));
    // Somebody promotes it again: it is tried again, and left again, with the new revision.
    shop.promote(bad).await;
    successor.until(bad).await;
    successor.batch(100).await;
    assert_eq!(shop.verdicts().await.returned, 1);
    assert_eq!(start().await.batch(1).await, Some(first));
    // Somebody insists: then it runs, in a host that has left it and in one that starts.
    shop.force(bad).await;
    successor.until(bad).await;
    successor.batch(200).await;
    for host in [successor, start().await] {
        host.batch(200).await;
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(host.batch(1).await, Some(bad));
    }
    assert_eq!(shop.verdicts().await.returned, 0);
}

#[tokio::test(start_paused = true)]
async fn what_this_environment_went_back_from_it_does_not_run_without_the_store() {
    let (shop, cache) = (Shop::new(), tempfile::tempdir().unwrap());
    let (first, _) = returned(&shop, cache.path()).await;
    std::fs::rename(shop.folder.path().join("pipelines"), shop.folder.path().join("away")).unwrap();
    let (settings, mut store) = shop.settings(&[]);
    store.cache = Some(cache.path().to_owned());
    let restarted = Running::start(settings, store).await.unwrap();
    assert_eq!(restarted.batch(1).await, Some(first), "{}", restarted.told());
}

#[tokio::test(start_paused = true)]
async fn what_hosts_went_back_from_is_not_preferred_for_being_compiled() {
    let (shop, cache) = (Shop::new(), tempfile::tempdir().unwrap());
    let (first, bad) = returned(&shop, cache.path()).await;
    let engine = engine().fingerprint().parse().unwrap();
    let compiled = registry::DraftCompiled { engine, artifacts: BTreeMap::new(), at_ms: 1, by: "ann".into() };
    shop.registry.add_compiled(bad, &[compiled], publishing(&shop.key, 1)).await.unwrap();
    let (settings, store) = shop.settings(&[]);
    assert_eq!(Running::start(settings, store).await.unwrap().batch(1).await, Some(first));
}

#[tokio::test(start_paused = true)]
async fn forged_verdicts_lead_to_what_the_channel_has_held_and_no_further() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let second = shop.publish("# second\n", None).await;
    // A release that is signed and was never on the channel.
    let third = shop.publish("# third\n", None).await;
    let forge = async |revision: u64, count: usize| {
        let folder = format!("pipelines/clickstream/hosts/verdicts/live/{revision:016}/returned");
        let folder = shop.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            let text = format!("{{\"release\":\"{second}\",\"run\":\"{third}\"}}");
            std::fs::write(folder.join(format!("{number}.json")), text).unwrap();
        }
    };
    let start = async || {
        let (settings, store) = shop.settings(&[]);
        Running::start(settings, store).await.unwrap().batch(1).await
    };
    shop.promote(second).await;
    forge(3, 100).await;
    assert_eq!(start().await, Some(second), "about another revision");
    forge(4, 1_500).await;
    assert_eq!(start().await, Some(third), "what the pointer names before it, and nothing that the forged text names");
    shop.force(second).await;
    forge(5, 1_500).await;
    assert_eq!(start().await, Some(second), "somebody insists");
    assert_ne!(first, third);
}

#[tokio::test(start_paused = true)]
async fn damaged_records_are_not_the_releases_fault() {
    let shop = Shop::new();
    shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    running.batch(100).await;
    let second = shop.publish("# mends a hole\n", None).await;
    running.until(second).await;
    let damaged = (0..100).map(|k| if k % 2 == 0 { vec![0x1f, 0x8b, 8, 0, 9, 9] } else { b"{\"k\":1}".to_vec() });
    assert_eq!(running.batch_of(damaged).await.0, Some(second));
    running.until(second).await;
    assert_eq!(shop.verdicts().await.returned, 0, "{}", running.told());
}

#[tokio::test(start_paused = true)]
async fn a_swap_and_a_return_that_cross_leave_the_host_as_its_state_says() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let running = Running::start(settings, store).await.unwrap();
    running.batch(100).await;
    let bad = shop.publish(BAD, None).await;
    running.until(bad).await;
    // The next one is being loaded when a batch shows that this one is bad.
    let next = shop.publish(&format!("# next\n{BAD}"), None).await;
    let (shared, host) = (&running.follower.shared, &running.host);
    assert!(shared.look(host).await);
    let ready = shared.load(host, Source::Release(next)).await.unwrap();
    assert_eq!(running.batch(100).await, Some(bad));
    assert_eq!(host.active().loaded.release, Some(first.to_string()), "it was left");
    shared.happened(host, Event::Loaded(Source::Release(next)), Some(ready), Duration::ZERO);
    assert_eq!(running.batch(100).await, Some(next));
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(running.batch(2).await, Some(first), "{}", running.told());
    }
    running.at_rest().await;
    let said = shop.said().await;
    assert_eq!(said.running.unwrap().release, first);
    let swaps: Vec<_> = said.swaps.iter().map(|swap| (swap.from, swap.to)).collect();
    assert_eq!(swaps, [(Some(first), bad), (Some(bad), first), (Some(first), next), (Some(next), first)]);
}

/// A bundled pipeline in a folder of its own.
fn bundle(folder: &Path) -> String {
    let file = folder.join("paddle.toml");
    std::fs::write(&file, "[pipeline]\nname = \"clickstream\"\n").unwrap();
    file.to_str().unwrap().to_owned()
}

/// How long a start takes by the paused clock, which only waits let go on, and what the first batch then runs.
async fn timed_start(faulty: &FaultyStore, settings: Settings, store: StoreSettings) -> (Duration, Option<ReleaseId>) {
    let begun = tokio::time::Instant::now();
    let running = Running::start_over(faulty.store(), settings, store).await.unwrap();
    let took = begun.elapsed();
    faulty.revive();
    (took, running.batch(1).await)
}

#[tokio::test(start_paused = true)]
async fn a_start_has_ten_seconds_whatever_the_store_does() {
    let package = tempfile::tempdir().unwrap();
    let config = bundle(package.path());
    let silent = || vec![Fault::Slow(Duration::from_secs(3_600)); 200];
    // The store never answers: what was kept runs within five seconds, or else what the package has.
    for cached in [true, false] {
        let (shop, cache) = (Shop::new(), tempfile::tempdir().unwrap());
        let first = shop.publish("", Some(records(r#"{"out":[{"route":"default","document":{"a":1}}]}"#))).await;
        let faulty = FaultyStore::folder(shop.folder.path());
        let start = async || {
            let (settings, mut store) = shop.settings(&[("PADDLE_CONFIG", &config)]);
            store.cache = cached.then(|| cache.path().to_owned());
            timed_start(&faulty, settings, store).await
        };
        assert_eq!(start().await.1, Some(first));
        faulty.fail_next(silent());
        let (took, runs) = start().await;
        assert!(took < Duration::from_secs(5), "{cached}: {took:?}");
        assert_eq!(runs, cached.then_some(first));
    }
    // The pointer comes, and then nothing more: two releases are waited for, and the package still has its time.
    let shop = Shop::new();
    shop.publish("", None).await;
    shop.publish("# second\n", None).await;
    let faulty = FaultyStore::folder(shop.folder.path());
    let (settings, store) = shop.settings(&[("PADDLE_CONFIG", &config)]);
    faulty.fail_next([vec![Fault::None], silent()].concat());
    let (took, runs) = timed_start(&faulty, settings, store).await;
    assert_eq!((took <= Duration::from_secs(7), runs), (true, None), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_counts_from_the_beginning_of_its_process() {
    let shop = Shop::new();
    shop.publish("", None).await;
    let package = tempfile::tempdir().unwrap();
    let faulty = FaultyStore::folder(shop.folder.path());
    let (settings, store) = shop.settings(&[("PADDLE_CONFIG", &bundle(package.path()))]);
    faulty.fail_next([vec![Fault::None], vec![Fault::Slow(Duration::from_secs(3_600)); 200]].concat());
    let clock = Clock::system();
    let begun = (clock.now)();
    // Secrets took five seconds.
    tokio::time::advance(Duration::from_secs(5)).await;
    let context = StartContext { engine: engine(), clock: clock.clone(), output: Output::none(), seed: 7, begun };
    let opened = faulty.store().with_patience(PATIENCE);
    let (_, loaded) = Follower::start_over(opened, &settings, store, context).await.unwrap();
    assert_eq!(loaded.release, None);
    let took = (clock.now)() - begun;
    assert!(took <= Duration::from_secs(7), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_folder_is_missing_is_one_that_is_away() {
    let (shop, package) = (Shop::new(), tempfile::tempdir().unwrap());
    let (settings, mut store) = shop.settings(&[("PADDLE_CONFIG", &bundle(package.path()))]);
    let folder = shop.folder.path().join("later");
    store.url = format!("file://{}", folder.display());
    let running = Running::start_with(settings, store).await.unwrap();
    assert_eq!(running.batch(1).await, None, "the bundled pipeline is no release");
    let first = shop.publish("", None).await;
    std::fs::create_dir(&folder).unwrap();
    std::fs::rename(shop.folder.path().join("pipelines"), folder.join("pipelines")).unwrap();
    running.until(first).await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_could_not_be_written_is_written_soon() {
    let shop = Shop::new();
    shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let faulty = FaultyStore::folder(shop.folder.path());
    let running = Running::start_over(faulty.store(), settings, store).await.unwrap();
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(6)).await;
        running.batch(1).await;
        running.at_rest().await;
    }
    assert_eq!(shop.said().await.swaps.len(), 0);
    let second = shop.publish("# second\n", None).await;
    faulty.kill_at_write(1, false);
    running.until(second).await;
    running.at_rest().await;
    assert!(faulty.revive(), "a write has failed");
    assert_eq!(shop.said().await.swaps.len(), 0);
    tokio::time::advance(Duration::from_secs(6)).await;
    running.batch(1).await;
    running.at_rest().await;
    assert_eq!(shop.said().await.swaps.len(), 1, "{}", running.told());
    let told = running.told();
    assert_eq!(told.matches("This host's file could not be written").count(), 1, "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_cannot_be_fetched_is_told_once_and_taken_when_it_can() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let faulty = FaultyStore::folder(shop.folder.path());
    let running = Running::start_over(faulty.store(), settings, store).await.unwrap();
    let second = shop.publish("# second\n", None).await;
    for round in 0..20 {
        tokio::time::advance(Duration::from_secs(6)).await;
        // A good look each time; the manifest may not be read.
        faulty.fail_next([Fault::None, Fault::Forbidden]);
        assert_eq!(running.batch(2).await, Some(first), "{round}");
        running.at_rest().await;
        faulty.revive();
    }
    let told = running.told();
    assert_eq!(told.matches("A release could not be fetched").count(), 1, "{told}");
    assert!(shop.said().await.refused.is_empty(), "it is not refused");
    running.until(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_is_not_the_last_one() {
    let shop = Shop::new();
    let first = shop.publish("", None).await;
    let (settings, store) = shop.settings(&[]);
    let faulty = FaultyStore::folder(shop.folder.path());
    let running = Running::start_over(faulty.store(), settings, store).await.unwrap();
    let second = shop.publish("# second\n", None).await;
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(6)).await;
        faulty.fail_next([Fault::Panic]);
        assert_eq!(running.batch(2).await, Some(first));
        running.at_rest().await;
    }
    let told = running.told();
    assert!(told.contains("A look at the channel broke") && told.contains("as told"), "{told}");
    running.until(second).await;
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
