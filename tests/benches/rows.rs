//! What is measured, and against what.

use super::data;
use super::measure::{Bar, Bench, Row, Unit, Work};
use super::ours::{Index, Job, Mask, Through};
use super::peers::{Peer, Program};
use super::split::{PARTS, Split};
use bytes::Bytes;
use std::path::Path;

/// Records of one event, as in `peers.md`, and of the event for `handler_ms_10k`.
const RECORDS: usize = 1_000;
const HANDLER_RECORDS: usize = 10_000;

/// The sizes of the whole job: name, bytes of a record if the message is made longer, bar.
const JOBS: [(&str, Option<usize>, f64); 2] = [("419", None, 0.65), ("2000", Some(2_000), 0.5)];

/// Host calls that the guest makes for a record.
const CALLS: usize = 100;

/// The parts of the three-step pipeline.
const THREE: [&str; 3] = ["drop", "mask", "add"];

/// Where a plain handler finds its events, and where it is.
struct Places<'a> {
    folder: &'a Path,
    built: &'a Path,
}

/// Every row, bases before what is compared with them. Events for plain handlers are written to `folder`.
pub(crate) fn all(folder: &Path, built: &Path) -> Vec<Bench> {
    let places = Places { folder, built };
    let mask = Mask::new();
    let mut benches = transforms(&mask, &places);
    for (size, bytes, bar) in JOBS {
        benches.extend(jobs(&mask, &places, size, bytes, bar));
    }
    benches.extend(handler(&mask, &places));
    benches
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
fn transforms(mask: &Mask, places: &Places<'_>) -> Vec<Bench> {
    let short: Vec<Bytes> = (0..RECORDS).map(|k| data::record(k, None).into()).collect();
    let long: Vec<Bytes> = (0..RECORDS).map(|k| data::record(k, Some(2_000)).into()).collect();
    let through = |parts: &[&str]| Through::new(mask, &short, parts);
    let steps = |case| places.peer(Program::steps(places.built), case);
    let calls =
        Row { unit: Unit::NsPerCall, units: RECORDS * CALLS, ..Row::new("host_call_ns", "`has` of a field", 1) };
    vec![
        same("native_419", Row::new("native_419", "one step, plain serde_json", RECORDS), steps("t419")),
        same(
            "native_419",
            against("native_419", Some(0.65), Row::new("plugin_over_native", "one step, our plugin", RECORDS)),
            ours(through(&["whole"])),
        ),
        same("native3", Row::new("native3", "three steps, each parses and prints", RECORDS), steps("p419")),
        same(
            "native3",
            against("native3", Some(0.5), Row::new("pipeline3_over_native", "three steps, our pipeline", RECORDS)),
            ours(through(&THREE)),
        ),
        alone(calls, through(&["calls"])),
        alone(
            against("native_419", None, Row::new("identity_step", "a step that does nothing", RECORDS)),
            through(&["nothing"]),
        ),
        alone(
            against("native_419", None, Row::new("no_step", "no step: pass, check, id, bytes", RECORDS)),
            through(&[]),
        ),
        alone(
            against("native_419", None, Row::new("document_index_419", "the validating pass", RECORDS)),
            Index(short.clone()),
        ),
        alone(Row::new("document_index_2000", "the validating pass", RECORDS), Index(long)),
    ]
}

/// The whole job of `peers.md`: event text in, entries of PutRecordBatch out, one step.
fn jobs(mask: &Mask, places: &Places<'_>, size: &str, bytes: Option<usize>, bar: f64) -> Vec<Bench> {
    let event: Bytes = data::event(RECORDS, bytes).into();
    places.write(size, &event);
    let base = format!("job_native_{size}");
    let case = format!("r{size}");
    let row = |name: &str, about| Row::new(&format!("job_{name}_{size}"), about, RECORDS);
    let ours_row = against(&base, Some(bar), row("over_native", "whole job, our handler"));
    let mut benches = vec![
        same(
            &base,
            row("native", "whole job, plain serde_json"),
            places.peer(Program::native(places.built, "serde"), &case),
        ),
        same(&base, ours_row, ours(Job::new(mask, &event, &["whole"]))),
    ];
    let orientation = [
        ("mimalloc", "serde_json with mimalloc", Program::native_mimalloc(places.built, "serde")),
        ("sonic_rs", "sonic-rs", Program::native(places.built, "sonic")),
        ("simd_json", "simd-json", Program::native(places.built, "simd")),
        ("node", "plain Node", Program::script("node", "node/bench.mjs")),
        ("python", "plain Python", Program::script("python3", "python/bench.py")),
    ];
    for (name, about, program) in orientation {
        benches.push(same(&base, against(&base, None, row(name, about)), places.peer(program, &case)));
    }
    benches
}

/// 10,000 records of 600 bytes through three plugins on one worker, without the network; and the same in parts.
fn handler(mask: &Mask, places: &Places<'_>) -> Vec<Bench> {
    let event: Bytes = data::event(HANDLER_RECORDS, Some(600)).into();
    places.write("600", &event);
    let records = (0..HANDLER_RECORDS).map(|k| data::record(k, Some(600)).into()).collect();
    let ms = |name: &str, about| Row { unit: Unit::Ms, ..Row::new(name, about, 1) };
    let base = "handler_native_ms_10k";
    let whole = against(base, None, ms("handler_ms_10k", "10,000 × 600 bytes, three plugins"));
    let whole = Row { bar: Some(Bar::Median(80.0)), ..whole };
    let abouts = ["event text into records", "the three steps", "check, id, final bytes", "base64"];
    let parts = PARTS.iter().zip(abouts).map(|(part, about)| ms(&format!("handler_ms_10k_{part}"), about));
    vec![
        same(
            base,
            ms(base, "the same, plain serde_json, one tree"),
            places.peer(Program::native(places.built, "serde"), "p600"),
        ),
        same(base, whole, ours(Job::new(mask, &event, &THREE))),
        Bench { rows: parts.collect(), same_as: Some(base.to_owned()), work: ours(Split::new(mask, &event, &THREE)) },
        alone(ms("handler_ms_10k_pass", "the validating pass, part of plugins"), Index(records)),
    ]
}

impl Places<'_> {
    fn peer(&self, program: Result<Program, String>, case: &str) -> Result<Box<dyn Work>, String> {
        Ok(Box::new(Peer::start(program?, self.folder, case)?))
    }

    /// Plain handlers read the event called `s<size>.json`.
    fn write(&self, size: &str, event: &[u8]) {
        std::fs::write(self.folder.join(format!("s{size}.json")), event).expect("a folder of our own");
    }
}

fn ours(work: impl Work + 'static) -> Result<Box<dyn Work>, String> {
    Ok(Box::new(work))
}

/// A row that is compared with another's time, and must keep under a ratio.
fn against(base: &str, bar: Option<f64>, row: Row) -> Row {
    Row { base: Some(base.to_owned()), bar: bar.map(Bar::Ratio), ..row }
}

/// Work whose documents must be those of `same_as`.
fn same(same_as: &str, row: Row, work: Result<Box<dyn Work>, String>) -> Bench {
    Bench { rows: vec![row], same_as: Some(same_as.to_owned()), work }
}

/// Work of its own kind.
fn alone(row: Row, work: impl Work + 'static) -> Bench {
    Bench { rows: vec![row], same_as: None, work: ours(work) }
}
