//! The dearest calls: what each call of the contract costs on records that are made to make it dear.
//!
//! The records are those of `tests::hostile`, found by a search that maximises cost. What counts is the CPU time of the
//! thread that runs the event, the least of some tries, without what reading the record takes.

use super::measure::{Bar, Row, Unit};
use bytes::Bytes;
use bytestring::ByteString;
use engine::{Code, Engine, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Assets, Event, Plugin};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::hostile::{CALLS, Hostile, records};

/// Milliseconds of CPU time that one call may take.
const CALL_MS_MAX: f64 = 20.0;

/// Times that each is measured.
const TRIES: usize = 5;

/// What all rows are named after.
pub(crate) const NAME: &str = "worst_call_ms";

/// A call that has the record read, and little else.
const READING: &str = r#"{"has":"zzz"}"#;

/// The rows, if one of the words is in their name: the worst of all, and of each call.
pub(crate) fn rows(words: &[String]) -> Vec<Row> {
    if !words.is_empty() && !words.iter().any(|word| NAME.contains(word.as_str())) {
        return Vec::new();
    }
    eprintln!("{NAME}");
    let engine = Engine::new(&Settings::default()).expect("an engine");
    let wasm = std::fs::read(tests::guests::MISBEHAVE).expect("the guest was built");
    let guest = Guest { code: engine.compile(&wasm).expect("it is a plugin"), engine };
    let mut worst: BTreeMap<String, (f64, &'static str)> = BTreeMap::new();
    for Hostile { name, text } in records() {
        let record = Bytes::from(text);
        let reading = guest.least(&format!("[{READING}]"), &record);
        for call in CALLS {
            let took = guest.least(&format!("[{READING},{call}]"), &record).saturating_sub(reading);
            let ms = took.as_secs_f64() * 1e3;
            let entry = worst.entry(kind(call)).or_insert((0.0, name));
            if ms > entry.0 {
                *entry = (ms, name);
            }
        }
    }
    let most = worst.values().map(|(ms, _)| *ms).fold(0.0, f64::max);
    let row = |name: &str, about, ms| Row { unit: Unit::Ms, values: Ok(vec![ms]), ..Row::new(name, about, 1) };
    let all = Row { bar: Some(Bar::Median(CALL_MS_MAX)), ..row(NAME, "the dearest call there is", most) };
    let each = worst.iter().map(|(call, (ms, record))| row(&format!("{NAME}_{call}"), record, *ms));
    std::iter::once(all).chain(each).collect()
}

/// The function of the contract that a call is of.
fn kind(call: &str) -> String {
    call.chars()
        .skip_while(|character| !character.is_ascii_lowercase())
        .take_while(|character| *character != '"')
        .collect()
}

/// The guest that makes the calls that its config names.
struct Guest {
    engine: Engine,
    code: Code,
}

impl Guest {
    /// The least CPU time of an event with these calls.
    fn least(&self, calls: &str, record: &Bytes) -> Duration {
        let mut plugin = self.plugin(calls);
        (0..TRIES).map(|_| time(&mut *plugin, record)).min().expect("some tries")
    }

    fn plugin(&self, calls: &str) -> Box<dyn Plugin> {
        let pipeline = Pipeline::parse("[[step]]\nplugin = \"misbehave\"").expect("settings");
        let mut step = pipeline.steps[0].clone();
        step.config = serde_json::from_str(&format!("{{\"calls\":{calls}}}")).expect("JSON");
        self.engine.load(&self.code, &step, &tests::filled(&step), &Assets::default()).expect("it starts").plugin()
    }
}

fn time(plugin: &mut dyn Plugin, record: &Bytes) -> Duration {
    let id = ByteString::from_static("shardId-000000000006:1");
    let event = Event::new(id, ByteString::from_static("user"), 0, record.clone());
    let begun = thread_cpu();
    // However it ends: what it cost is asked here, and tests ask the rest.
    let _ = plugin.transform(&event, None);
    thread_cpu() - begun
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
