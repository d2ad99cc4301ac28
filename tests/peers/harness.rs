//! Drives a plain handler: the event from a file, rounds on request. See README.md.

// Shared by the Rust drivers.
//   DRIVER DATADIR MODE             serve rounds: "CASE N" on stdin -> "cpu_ns wall_ns records vmhwm_kib" on stdout
//   DRIVER cold FILE MODE           one batch, then "done"
//   DRIVER dump DATADIR CASE MODE   print the documents
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    io::{BufRead, Write},
    time::{Duration, Instant},
};

#[derive(Deserialize)]
pub struct Event {
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub kinesis: Kinesis,
    pub event_source: String,
    pub event_version: String,
    #[serde(rename = "eventID")]
    pub event_id: String,
    pub event_name: String,
    pub invoke_identity_arn: String,
    pub aws_region: String,
    #[serde(rename = "eventSourceARN")]
    pub event_source_arn: String,
}

#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kinesis {
    pub kinesis_schema_version: String,
    pub partition_key: String,
    pub sequence_number: String,
    pub data: String,
    pub approximate_arrival_timestamp: f64,
}

/// One entry of a PutRecordBatch request: the base64 text of `Data`.
pub struct Entry {
    pub data: String,
}

#[allow(dead_code)]
pub fn decode(data: &str) -> Vec<u8> {
    STANDARD.decode(data).expect("base64")
}

#[allow(dead_code)]
pub fn entry(json: &[u8]) -> Entry {
    Entry { data: STANDARD.encode(json) }
}

/// A whole batch: event text in, entries out.
pub type Handler = Box<dyn FnMut(Vec<u8>) -> Vec<Entry>>;

fn cpu() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

fn file(dir: &str, case: &str) -> Vec<u8> {
    std::fs::read(format!("{dir}/s{}.json", &case[1..])).expect("data file")
}

/// `pick(mode, pipeline)` makes the handler.
pub fn main(pick: impl Fn(&str, bool) -> Handler) {
    let args: Vec<String> = std::env::args().collect();
    let arg = |k: usize| args.get(k).map_or("", String::as_str);
    match arg(1) {
        "cold" => {
            let out = pick(arg(3), false)(std::fs::read(arg(2)).expect("file"));
            println!("{}", if out.len() == 90 { "done" } else { "bad" });
        }
        "dump" => {
            for entry in pick(arg(4), arg(3).starts_with('p'))(file(arg(2), arg(3))) {
                println!("{}", String::from_utf8(STANDARD.decode(entry.data).unwrap()).unwrap());
            }
        }
        dir => {
            let mut loaded: Vec<(String, Vec<u8>, Handler)> = vec![];
            for line in std::io::stdin().lock().lines() {
                let line = line.unwrap();
                let (case, n) = line.split_once(' ').unwrap();
                if !loaded.iter().any(|l| l.0 == case) {
                    loaded.push((case.into(), file(dir, case), pick(arg(2), case.starts_with('p'))));
                }
                let (_, text, run) = loaded.iter_mut().find(|l| l.0 == case).unwrap();
                let n: u64 = n.parse().unwrap();
                let (mut c, mut w) = (Duration::ZERO, Duration::ZERO);
                for _ in 0..n {
                    let body = text.clone(); // the runtime owns the body; the copy is not part of the job
                    let (c0, w0) = (cpu(), Instant::now());
                    drop(std::hint::black_box(run(body)));
                    w += w0.elapsed();
                    c += cpu() - c0;
                }
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                let hwm = status.lines().find(|l| l.starts_with("VmHWM")).unwrap().split_whitespace().nth(1).unwrap();
                println!("{} {} {} {hwm}", c.as_nanos(), w.as_nanos(), n * 1000);
                std::io::stdout().flush().unwrap();
            }
        }
    }
}
