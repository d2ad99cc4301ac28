//! The transform without its frame: a record's JSON in, a document's JSON out. What `plugin_over_native` and
//! `pipeline3_over_native` of `make bench` are against, as people write it with `serde_json`.
//!
//! The protocol of `harness.rs`: `steps DIR`, then `CASE N` a line; `steps dump DIR CASE`. Cases: `t419` is the
//! transform in one step, `p419` three steps that know nothing of each other, so that each parses and prints.

#[allow(dead_code)]
#[path = "../../../harness.rs"]
mod harness;

use harness::{Event, decode};
use serde_json::Value;
use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

const FIELDS: [&str; 2] = ["email", "ssn"];

/// Drop DEBUG, mask two fields, add one: bytes in, bytes out.
pub fn transform(data: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(data) else { return None };
    if document.get("level").and_then(Value::as_str) == Some("DEBUG") {
        return None;
    }
    for field in FIELDS {
        if let Some(value) = document.get_mut(field) {
            *value = "***".into();
        }
    }
    document.insert("processed_by".into(), "x".into());
    serde_json::to_vec(&document).ok()
}

/// Three steps that know nothing of each other: each parses and prints.
pub fn three_steps(data: &[u8]) -> Option<Vec<u8>> {
    add(&mask(&drop_debug(data)?)?)
}

fn drop_debug(data: &[u8]) -> Option<Vec<u8>> {
    let document: Value = serde_json::from_slice(data).ok()?;
    (document["level"] != "DEBUG").then(|| serde_json::to_vec(&document).ok())?
}

fn mask(data: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(data).ok()?;
    for field in FIELDS {
        if let Some(value) = document.get_mut(field) {
            *value = "***".into();
        }
    }
    serde_json::to_vec(&document).ok()
}

fn add(data: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(data).ok()?;
    document["processed_by"] = "x".into();
    if let Some(Value::Object(http)) = document.get_mut("http")
        && let Some(value) = http.shift_remove("latency_ms")
    {
        http.insert("latency".into(), value);
    }
    serde_json::to_vec(&document).ok()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [dump, dir, case] if dump == "dump" => {
            let run = pick(case);
            for document in records(dir, case).iter().filter_map(|data| run(data)) {
                println!("{}", String::from_utf8(document).expect("JSON is UTF-8"));
            }
        }
        [dir] => serve(dir),
        _ => panic!("steps DIR, or steps dump DIR CASE"),
    }
}

/// Answers `CASE N` with `cpu_ns wall_ns records`, until its input ends.
fn serve(dir: &str) {
    let mut loaded: Option<(String, Vec<Vec<u8>>)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (case, runs) = line.split_once(' ').expect("CASE N");
        if loaded.as_ref().is_none_or(|(name, _)| name != case) {
            loaded = Some((case.to_owned(), records(dir, case)));
        }
        let (_, records) = loaded.as_ref().expect("loaded above");
        let (run, runs): (_, u64) = (pick(case), runs.parse().expect("a number"));
        let (cpu_before, before) = (cpu(), Instant::now());
        for _ in 0..runs {
            std::hint::black_box(records.iter().filter_map(|data| run(data)).map(|out| out.len()).sum::<usize>());
        }
        let (time, wall) = (cpu() - cpu_before, before.elapsed());
        println!("{} {} {}", time.as_nanos(), wall.as_nanos(), runs * records.len() as u64);
        std::io::stdout().flush().expect("somebody reads");
    }
}

fn pick(case: &str) -> fn(&[u8]) -> Option<Vec<u8>> {
    if case.starts_with('p') { three_steps } else { transform }
}

/// The records of an event file; taking them out is not part of what is timed.
fn records(dir: &str, case: &str) -> Vec<Vec<u8>> {
    let event = std::fs::read(format!("{dir}/s{}.json", &case[1..])).expect("data file");
    let event: Event = serde_json::from_slice(&event).expect("event");
    event.records.iter().map(|record| decode(&record.kinesis.data)).collect()
}

fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
