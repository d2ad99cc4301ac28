//! The story of `make demo-swap`, and that nothing of it is left when somebody interrupts it.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tests::programs::program;

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
