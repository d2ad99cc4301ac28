//! What is measured, and against what.

use super::data;
use super::measure::{Bar, Bench, Row, Unit};
use super::peers::{Peer, Program};
use super::split::PARTS;
use std::path::Path;

/// Records of one event, and of the event for `handler_ms_10k`.
const RECORDS: usize = 1_000;
const HANDLER_RECORDS: usize = 10_000;

/// The whole job: size, and its bar.
const JOBS: [(&str, f64); 2] = [("419", 0.65), ("2000", 0.5)];

/// The variable that names an earlier build of this program, to be measured in the same rounds.
const BEFORE: &str = "BENCH_BEFORE";

/// Milliseconds that `handler_ms_10k` may take.
const HANDLER_MS_MAX: f64 = 80.0;

/// Share of that time that the journal may take.
const JOURNAL_SHARE_MAX: f64 = 0.005;

/// Host calls that the guest makes for a record.
const CALLS: usize = 100;

/// Sizes of all events: name, records, bytes of a record if the message is made longer.
const EVENTS: [(&str, usize, Option<usize>); 3] =
    [("419", RECORDS, None), ("2000", RECORDS, Some(2_000)), ("600", HANDLER_RECORDS, Some(600))];

/// Where events are, and what was built.
struct Places<'a> {
    folder: &'a Path,
    built: &'a Path,
}

/// Every row, bases before what is compared with them. Events are written to `folder`.
pub(crate) fn all(folder: &Path, built: &Path) -> Vec<Bench> {
    for (size, count, bytes) in EVENTS {
        let event = data::event(count, bytes);
        std::fs::write(folder.join(format!("s{size}.json")), event).expect("a folder of our own");
    }
    let places = Places { folder, built };
    let mut benches = transforms(&places);
    for (size, bar) in JOBS {
        benches.extend(jobs(&places, size, bar));
    }
    benches.extend(handler(&places));
    if let Some(earlier) = std::env::var_os(BEFORE) {
        let before: Vec<Bench> = benches.iter().filter_map(|bench| before(bench, Path::new(&earlier))).collect();
        benches.extend(before);
    }
    benches
}

/// The same work by an earlier build of this program: its ratio says how much slower that was.
fn before(bench: &Bench, earlier: &Path) -> Option<Bench> {
    let work = bench.work.as_ref().ok()?.before(earlier)?;
    let before = |row: &Row| Row {
        name: format!("{}_before", row.name),
        base: Some(row.name.clone()),
        bar: None,
        values: Ok(Vec::new()),
        ..*row
    };
    Some(Bench { rows: bench.rows.iter().map(before).collect(), same_as: None, work })
}

/// Keeps the rows whose name has one of the words, and what they are compared with.
pub(crate) fn keep(benches: &mut Vec<Bench>, words: &[String]) {
    let wanted = |row: &Row| words.is_empty() || words.iter().any(|word| row.name.contains(word.as_str()));
    let bases: Vec<String> = (benches.iter())
        .filter(|bench| bench.rows.iter().any(wanted))
        .flat_map(|bench| bench.rows.iter().filter_map(|row| row.base.clone()).chain(bench.same_as.clone()))
        .collect();
    benches.retain(|bench| bench.rows.iter().any(|row| wanted(row) || bases.contains(&row.name)));
}

/// A record's JSON in, a document's JSON out.
fn transforms(places: &Places<'_>) -> Vec<Bench> {
    let row = |name, about| Row::new(name, about, RECORDS);
    let native = |name, about, case| same(name, row(name, about), places.start(Program::steps(places.built), case));
    let measured = |base, bar, name, about, task| {
        same(base, against(base, Some(bar), row(name, about)), places.ours(task, "r419"))
    };
    let part = |name, about, task| alone(against("native_419", None, row(name, about)), places.ours(task, "r419"));
    let calls = Row { unit: Unit::NsPerCall, units: RECORDS * CALLS, ..row("host_call_ns", "`has` of a field") };
    vec![
        native("native_419", "one step, plain serde_json", "t419"),
        measured("native_419", 0.65, "plugin_over_native", "one step, our plugin", "through:whole"),
        native("native3", "three steps, each parses and prints", "p419"),
        measured("native3", 0.5, "pipeline3_over_native", "three steps, our pipeline", "through:drop,mask,add"),
        alone(calls, places.ours("through:calls", "r419")),
        part("identity_step", "a step that does nothing", "through:nothing"),
        part("no_step", "no step: pass, check, id, bytes", "through:"),
        part("document_index_419", "the validating pass", "index"),
        alone(row("document_index_2000", "the validating pass"), places.ours("index", "r2000")),
    ]
}

/// The whole job: event text in, entries of PutRecordBatch out, one step.
fn jobs(places: &Places<'_>, size: &str, bar: f64) -> Vec<Bench> {
    let base = format!("job_native_{size}");
    let case = format!("r{size}");
    let native = |mode| Program::native(places.built, mode);
    let row = |name, about, bar, program| {
        let row = against(&base, bar, Row::new(&format!("job_{name}_{size}"), about, RECORDS));
        same(&base, row, places.start(program, &case))
    };
    let base_row = Row::new(&base, "whole job, plain serde_json", RECORDS);
    vec![
        same(&base, base_row, places.start(native("serde"), &case)),
        row("over_native", "whole job, our handler", Some(bar), Program::ours("job:whole")),
        row("mimalloc", "serde_json with mimalloc", None, Program::native_mimalloc(places.built, "serde")),
        row("sonic_rs", "sonic-rs", None, native("sonic")),
        row("simd_json", "simd-json", None, native("simd")),
        row("node", "plain Node", None, Program::script("node", "node/bench.mjs")),
        row("python", "plain Python", None, Program::script("python3", "python/bench.py")),
    ]
}

/// 10,000 records of 600 bytes through three plugins on one worker, without the network; and the same in parts.
fn handler(places: &Places<'_>) -> Vec<Bench> {
    let base = "handler_native_ms_10k";
    let ms = |name: &str, about| Row { unit: Unit::Ms, ..Row::new(name, about, 1) };
    let whole = against(base, None, ms("handler_ms_10k", "10,000 × 600 bytes, three plugins"));
    let whole = Row { bar: Some(Bar::Median(HANDLER_MS_MAX)), ..whole };
    let abouts = ["event text into records", "the three steps", "check, id, final bytes", "base64"];
    let parts = PARTS.iter().zip(abouts).map(|(part, about)| ms(&format!("handler_ms_10k_{part}"), about));
    let native = places.start(Program::native(places.built, "serde"), "p600");
    vec![
        same(base, ms(base, "the same, plain serde_json, one tree"), native),
        same(base, whole, places.ours("job:drop,mask,add", "p600")),
        Bench {
            rows: parts.collect(),
            same_as: Some(base.to_owned()),
            work: places.ours("split:drop,mask,add", "p600"),
        },
        alone(
            against("handler_ms_10k", Some(JOURNAL_SHARE_MAX), ms("journal_share", "what the journal writes of them")),
            places.ours("journal", "p600"),
        ),
        alone(ms("handler_ms_10k_pass", "the validating pass, part of plugins"), places.ours("index", "p600")),
    ]
}

impl Places<'_> {
    fn start(&self, program: Result<Program, String>, case: &str) -> Result<Peer, String> {
        Peer::start(program?, self.folder, case)
    }

    fn ours(&self, task: &'static str, case: &str) -> Result<Peer, String> {
        self.start(Program::ours(task), case)
    }
}

/// A row that is compared with another's time, and must keep under a ratio.
fn against(base: &str, bar: Option<f64>, row: Row) -> Row {
    Row { base: Some(base.to_owned()), bar: bar.map(Bar::Ratio), ..row }
}

/// Work whose documents must be those of `same_as`.
fn same(same_as: &str, row: Row, work: Result<Peer, String>) -> Bench {
    Bench { rows: vec![row], same_as: Some(same_as.to_owned()), work }
}

/// Work of its own kind.
fn alone(row: Row, work: Result<Peer, String>) -> Bench {
    Bench { rows: vec![row], same_as: None, work }
}
