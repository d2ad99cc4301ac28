//! The story of `make demo-swap`, and that nothing of it is left when somebody interrupts it. And what comes after its
//! last act: what a host has gone back from, no later host runs.

use crate::function::{Stage, refusals};
use rustix::process::{Pid, Signal, kill_process_group};
use simulator::runtime::{Environment, Freeze};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tests::place::Place;
use tests::programs::program;
use tests::shop::Recipe;

/// Longest wait for a process to end.
const TIME_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_demo_swap_is_true() {
    let mut told = Vec::new();
    let books = tests::swap::tell(&mut told).await;
    let told = String::from_utf8(told).expect("it tells text");
    let books = books.unwrap_or_else(|error| panic!("{error:#}\n{told}"));
    assert_eq!(books.records, books.delivered + books.dropped + books.dead);
    for words in [
        "nothing was published",
        "its bytes have another digest",
        "this host has gone back to the one before. 16.0 % of the events fail (invalid-output)",
        "its probation ended on 1 host",
        "1 host: 1 current",
        "0 were lost, 0 came twice",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut demo = Command::new(program("demo-swap"))
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the demo");
    let mut lines = BufReader::new(demo.stdout.take().expect("its output")).lines();
    let function = lines.find_map(|line| process_in(&line.expect("a line"))).expect("it tells its function's process");
    assert!(is_running(function));
    // It has begun to publish, so that paddle runs, too.
    let goes_on = lines.any(|line| line.expect("a line").contains("A live swap"));
    assert!(goes_on);
    // As a terminal does it: to the whole group.
    kill_process_group(Pid::from_child(&demo), Signal::INT).expect("it runs");
    let status = ended(&mut demo);
    let mut told = String::new();
    demo.stderr.take().expect("its errors").read_to_string(&mut told).expect("text");
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted"), "{told}");
    let left: Vec<_> = std::fs::read_dir(temporary.path()).expect("a folder").collect();
    assert!(!is_running(function) && left.is_empty(), "{left:?}");
}

/// Batches that a host has before a release comes: more than the 50 events that it is compared with.
const BATCHES_BEFORE: usize = 4;

/// Batches of a host that starts later, each after a pause in which it would look: the failed one was taken at the
/// first look.
const BATCHES_AFTER: usize = 4;

/// Batches that it may take until a release is taken and left again.
const BATCHES_MAX: usize = 100;

/// Long enough that a host looks with its next batch, and waits for that.
const PAUSE: Duration = Duration::from_millis(600);

/// Puts a release on the channel with which every event of these tests fails: each would become two documents.
async fn publish_bad(stage: &Stage) -> String {
    let good = Recipe::good("bad");
    let steps = good.steps.replace("plugin = \"split\"", "plugin = \"split\"\nlimits = { outputs = 1 }");
    assert_ne!(steps, good.steps);
    let bad = stage.shop.shelve(&Recipe { steps, ..good }, "bad").await;
    stage.shop.promote(bad).await;
    bad.to_string()
}

/// Batches until the host has gone back.
async fn until_it_returns(stage: &mut Stage, environment: &mut Environment) {
    for _ in 0..BATCHES_MAX {
        environment.idle(PAUSE).await;
        stage.any_batch(environment).await;
        if environment.log().iter().any(|line| line.text.contains("this host has gone back to the one before")) {
            return;
        }
    }
    panic!("it does not go back: {:#?}", environment.log());
}

/// A new host, with a `/tmp` of its own.
async fn start(stage: &Stage, freeze: Freeze) -> (Environment, tempfile::TempDir) {
    let (mut function, scratch) = (stage.function(freeze), tempfile::tempdir().expect("a folder"));
    function.scratch = Some(scratch.path().to_owned());
    (Environment::start(&function).await.expect("it starts"), scratch)
}

/// A host that starts now never runs the bad release: every record of every batch comes through.
async fn check_successor(stage: &mut Stage, good: &str, bad: &str) {
    let (mut successor, _scratch) = start(stage, Freeze::AfterResponse).await;
    for _ in 0..BATCHES_AFTER {
        assert_eq!(stage.batch(&mut successor).await, good);
        successor.idle(PAUSE).await;
    }
    let refused = refusals(&successor);
    assert_eq!(refused.get(bad).map(String::as_str), Some("returned"), "{:#?}", successor.log());
    successor.shutdown().await;
}

/// Removes what hosts said of themselves: fifteen minutes later nobody reads it, and a day later it is not there.
fn forget_hosts(stage: &Stage) {
    let Place::Folder(folder) = &stage.place else { panic!("these tests use a folder") };
    let hosts = folder.path().join("store/pipelines/clickstream/hosts");
    let files = std::fs::read_dir(hosts).expect("hosts have spoken").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file()).for_each(|path| std::fs::remove_file(path).expect("it is there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_went_back_from_its_successor_does_not_run() {
    let mut stage = Stage::new(Place::folder()).await;
    let good = stage.publish("good").await;
    // Frozen as soon as a batch is answered, and then killed: what is known of the bad release was written before.
    let (mut only, _scratch) = start(&stage, Freeze::AfterResponse).await;
    for _ in 0..BATCHES_BEFORE {
        assert_eq!(stage.batch(&mut only).await, good);
    }
    let bad = publish_bad(&stage).await;
    until_it_returns(&mut stage, &mut only).await;
    only.shutdown().await;
    check_successor(&mut stage, &good, &bad).await;
    forget_hosts(&stage);
    check_successor(&mut stage, &good, &bad).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_hosts_went_back_from_a_third_one_does_not_run() {
    let mut stage = Stage::new(Place::folder()).await;
    let good = stage.publish("good").await;
    let mut hosts = [start(&stage, Freeze::AfterNext).await, start(&stage, Freeze::AfterNext).await];
    for (host, _) in &mut hosts {
        for _ in 0..BATCHES_BEFORE {
            assert_eq!(stage.batch(host).await, good);
        }
    }
    let bad = publish_bad(&stage).await;
    for (host, _) in &mut hosts {
        until_it_returns(&mut stage, host).await;
        assert_eq!(stage.batch(host).await, good);
    }
    check_successor(&mut stage, &good, &bad).await;
    for (host, _scratch) in hosts {
        host.shutdown().await;
    }
    forget_hosts(&stage);
    check_successor(&mut stage, &good, &bad).await;
}

/// The number in `process 123`.
fn process_in(line: &str) -> Option<u32> {
    let rest = line.split_once("(process ")?.1;
    rest.split_once(')')?.0.parse().ok()
}

/// Whether there is such a process that is no zombie.
fn is_running(process: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn ended(demo: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = demo.try_wait().expect("a child") {
            return status;
        }
        assert!(begun.elapsed() < TIME_MAX, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}
