//! A real host that follows the store's channel, and what `status` and `--wait` tell of it.

use super::Desk;
use crate::releases::{TAKE_TIME_MAX, event, until};
use lambda::{Follower, Host, Invocation};
use registry::{HostReport, Minute, Name, Options, Registry, ReleaseId, Running, StepMinute, Store, Trust};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::shop::{Keeping, follow};

/// The store, for writing what hosts say.
fn registry(desk: &Desk) -> Registry {
    let store = Store::open(&desk.store().display().to_string(), &Options::default()).expect("a store");
    Registry::new(store, Name::new("clickstream").expect("a name"), Trust::Unsigned)
}

fn now_ms() -> u64 {
    (lambda::Clock::system().wall_ms)()
}

/// A host that only speaks.
fn speaker() -> HostReport {
    let mut report = HostReport::new(Name::new("live").expect("a name"), now_ms());
    report.paddle = env!("CARGO_PKG_VERSION").to_owned();
    report.engine = Some("e".repeat(64).parse().expect("64 digits"));
    report
}

fn variables(desk: &Desk) -> BTreeMap<String, String> {
    let own = [
        ("PADDLE_STORE", format!("file://{}", desk.store().display())),
        ("PADDLE_PIPELINE", "clickstream".to_owned()),
        ("PADDLE_TRUSTED_KEYS", desk.public.clone()),
        ("PADDLE_POLL_SECONDS", "1".to_owned()),
        ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
        ("PADDLE_WORKERS", "1".to_owned()),
    ];
    own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Batches until `stop`, one after the other.
async fn work(follower: Arc<Follower>, host: Arc<Host>, stop: Arc<AtomicBool>) {
    for number in 1_000.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let invocation = Invocation { request_id: format!("w{number}"), remaining: Duration::from_secs(60) };
        follower.handle(&host, event(number), invocation).await.expect("handled");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Batches until one ran with this release and the host has told that it runs it: its file is written by work that a
/// later batch begins.
async fn told(desk: &Desk, follower: &Follower, host: &Arc<Host>, release: ReleaseId) {
    let (registry, begun) = (registry(desk), Instant::now());
    loop {
        until(follower, host, release).await;
        let hosts = registry.hosts(now_ms()).await.expect("listed").live;
        if hosts.iter().any(|(_, report)| report.running.as_ref().is_some_and(|running| running.release == release)) {
            return;
        }
        assert!(begun.elapsed() < TAKE_TIME_MAX, "the host does not tell of itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs `paddle` while batches flow.
async fn beside<T: Send + 'static>(
    desk: &Arc<Desk>,
    follower: &Arc<Follower>,
    host: &Arc<Host>,
    run: impl FnOnce(&Desk) -> T + Send + 'static,
) -> T {
    let stop = Arc::new(AtomicBool::new(false));
    let working = tokio::spawn(work(Arc::clone(follower), Arc::clone(host), Arc::clone(&stop)));
    let desk = Arc::clone(desk);
    let ran = tokio::task::spawn_blocking(move || run(&desk)).await.expect("no panic");
    stop.store(true, Ordering::Relaxed);
    working.await.expect("no panic");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_is_waited_for_and_shown() {
    let desk = Arc::new(Desk::new());
    let first = desk.publish();
    let (cache, firehose) = (tempfile::tempdir().expect("a folder"), Arc::new(Keeping::default()));
    let (follower, host) = follow(&variables(&desk), cache.path(), &firehose).await;
    told(&desk, &follower, &host, first.parse().expect("an id")).await;
    let follower = Arc::new(follower);

    let waited = beside(&desk, &follower, &host, |desk| {
        desk.edit("index_field = \"item_index\"", "index_field = \"at\"");
        desk.ok(&["test", "--update"]);
        desk.json(&["publish", "--to", "live", "--wait=120s"])
    })
    .await;
    assert_eq!(waited["hosts"]["taken"].as_array().map(Vec::len), Some(1), "{waited}");
    assert_eq!(waited["running_hosts"]["running"], 1);
    assert_eq!(waited["running_hosts"]["must_compile"], Value::Array(vec![]), "it has this machine's engine");
    let second = waited["release"].as_str().expect("an id").to_owned();

    let status = desk.json(&["status"]);
    let told = &status["channels"][0]["hosts"][0];
    assert_eq!((&told["state"], &told["report"]["running"]["release"]), (&"current".into(), &second.clone().into()));
    assert_eq!(told["report"]["swaps"][0]["from"], first);
    let text = desk.ok(&["status"]);
    assert_eq!(told["report"]["paddle"], env!("CARGO_PKG_VERSION"));
    let version = format!("  {}", env!("CARGO_PKG_VERSION"));
    for words in
        ["1 host: 1 current", "swapped", "in the last", "time per event", "its probation runs on 1 host", &version]
    {
        assert!(text.contains(words), "{words}: {text}");
    }

    // A release that the host must refuse: its test records come to something else there.
    let refused = beside(&desk, &follower, &host, |desk| {
        let id = spoil(desk);
        let ran = desk.run(&["promote", &id, "--to", "live", "--wait=120s"]);
        (id, ran)
    })
    .await;
    let (id, ran) = refused;
    assert!(ran.code == 1 && ran.out.contains("refused by host-") && ran.out.contains("test-records"), "{ran:#?}");
    let status = desk.run(&["status"]);
    let words = format!("refused {} (revision 3) by 1 host", &id[..12]);
    assert!(status.code == 1 && status.out.contains(&words), "{words}: {status:#?}");
    let back = beside(&desk, &follower, &host, |desk| desk.json(&["rollback", "--wait=120s"])).await;
    assert_eq!((&back["release"], back["hosts"]["taken"].as_array().map(Vec::len)), (&second.into(), Some(1)));
}

/// A release whose test records are damaged on purpose, signed all the same; not on any channel.
fn spoil(desk: &Desk) -> String {
    desk.edit("index_field = \"at\"", "index_field = \"spoilt\"");
    desk.ok(&["test", "--update"]);
    let key = std::fs::read_to_string(desk.path("home/.config/paddlewheel/publisher.key")).expect("a key");
    let key = registry::SigningKey::parse(&key).expect("a key");
    let id = desk.json(&["publish"])["release"].as_str().expect("an id").to_owned();
    let registry = registry(desk);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let spoilt = runtime.block_on(async {
        let release = registry.release(id.parse().expect("an id")).await.expect("it is there");
        let mut manifest = release.manifest;
        manifest.config = manifest.config.replace("spoilt", "other");
        let mut blobs = Vec::new();
        for blob in manifest.blobs() {
            let file = desk.store().join(format!("blobs/sha256/{}", blob.digest));
            blobs.push(std::fs::read(file).expect("a blob").into());
        }
        let draft = registry::Draft::new(manifest, blobs).expect("a draft");
        let how = registry::testing::publishing(&key, now_ms());
        registry.publish(&draft, how).await.expect("published")
    });
    spoilt.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_is_an_answer_and_a_silent_one_is_waited_for_in_vain() {
    let desk = Desk::new();
    let told = desk.ok(&["publish", "--to", "live", "--wait"]);
    assert!(told.contains("no host is running: it is taken with the next batch"), "{told}");
    let registry = registry(&desk);
    let silent = Name::new("host-silent").expect("a name");
    registry.write_host(&silent, &speaker()).await.expect("written");
    desk.fails(
        &["promote", "live", "--to", "live", "--wait=1s"],
        6,
        "1 of 1 host had not taken revision 2 of `live` after 1 s",
    );
    interrupted_while_it_waits(&desk);
    let ran = desk.run(&["promote", "live", "--to", "live", "--wait=1s", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &told["hosts"]["pending"][0]), (6, &"host-silent".into()));
    let status = desk.ok(&["status"]);
    assert!(status.contains("1 host: 1 behind") && status.contains("host-silent"), "{status}");
    // Nothing was compiled for its engine.
    desk.edit("index_field = \"item_index\"", "index_field = \"at\"");
    desk.ok(&["test", "--update"]);
    let dry = desk.json(&["publish", "--to", "live", "--dry-run"]);
    assert_eq!(dry["running_hosts"]["must_compile"][0], "host-silent");
    let dry = desk.ok(&["publish", "--to", "live", "--dry-run"]);
    assert!(
        dry.contains("1 running host, 1 with another engine (host-silent): each would have to compile it"),
        "{dry}"
    );
}

/// Whoever interrupts it knows already that the channel is moved.
fn interrupted_while_it_waits(desk: &Desk) {
    let mut command = desk.command(&["promote", "live", "--to", "live", "--wait=600s"]);
    let mut paddle = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("paddle runs");
    let mut line = String::new();
    BufReader::new(paddle.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("live now holds"), "{line}");
    kill_process(Pid::from_child(&paddle), Signal::INT).expect("it runs");
    assert_eq!(paddle.wait().expect("a child").code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_minute_of_all_hosts_is_added_up() {
    let desk = Desk::new();
    let id = desk.publish();
    let registry = registry(&desk);
    for (name, events) in [("host-a", 600), ("host-b", 1_200)] {
        let mut report = speaker();
        report.revision = 1;
        report.running = Some(Running { release: id.parse().expect("an id"), since_ms: now_ms() });
        report.minute = Some(Minute {
            span_ms: 60_000,
            events,
            documents: events,
            dropped: 1,
            failures: BTreeMap::from([("trap".to_owned(), 2)]),
            steps: BTreeMap::from([("mask".to_owned(), StepMinute { events, time_ns: 1_500 })]),
            deadline_stops: 1,
            iterator_age_ms: events,
        });
        registry.write_host(&Name::new(name).expect("a name"), &report).await.expect("written");
    }
    let minute = desk.json(&["status", "--channel", "live"])["channels"][0]["minute"].clone();
    assert_eq!((&minute["events"], &minute["events_per_second"]), (&1_800.into(), &30.0.into()));
    let text = desk.ok(&["status"]);
    for words in [
        "2 hosts: 2 current",
        "in the last 60.0 s: 1,800 events (30.0 a second), 1,800 documents, 2 dropped, iterator age 1.2 s",
        "failures  trap 4",
        "batches cut short by the deadline  2",
        "time per event  mask 1.5 µs",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // From anywhere, by what is typed alone.
    let mut other = desk.colleague();
    other.set("PADDLE_STORE", "");
    other.set("PADDLE_TRUSTED_KEYS", &desk.public);
    let store = desk.store().display().to_string();
    let elsewhere = other.ok(&["status", "--store", &store, "--pipeline", "clickstream", "--channel", "live"]);
    assert!(elsewhere.contains("2 hosts: 2 current"), "{elsewhere}");
    other.fails(&["status"], 2, "no store is named");
    // And from a checkout that is broken at the moment.
    desk.write("paddle.toml", "[[stap]]");
    desk.fails(&["status"], 2, "paddle.toml");
    desk.ok(&["status", "--pipeline", "clickstream"]);
}

#[test]
fn gc_says_what_it_would_remove() {
    let desk = Desk::new();
    desk.publish();
    let text = desk.ok(&["gc", "--dry-run"]);
    assert!(text.contains("would remove 0 blobs (0 B), 0 files of hosts that are gone"), "{text}");
    // A blob of nobody's, from long ago.
    let blob = desk.store().join(format!("blobs/sha256/{}", registry::Digest::of(b"old")));
    std::fs::write(&blob, b"old").expect("written");
    let file = std::fs::File::options().write(true).open(&blob).expect("it is there");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("changed");
    let told = desk.json(&["gc", "--dry-run"]);
    assert_eq!(
        (&told["bytes"], told["blobs"].as_array().map(Vec::len), &told["dry_run"]),
        (&3.into(), Some(1), &true.into())
    );
    assert!(blob.exists());
    let text = desk.ok(&["gc"]);
    assert!(text.contains("removed 1 blob (3 B)") && !blob.exists(), "{text}");
}
