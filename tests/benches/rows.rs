//! What is measured, and against what.

use super::{Row, data, native};
use bytes::Bytes;
use bytestring::ByteString;
use document::Document;
use engine::{Engine, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Event, Outcome, Runner};
use std::sync::Arc;

/// The guest that does the job, compiled once.
struct Mask {
    engine: Engine,
    code: engine::Code,
}

/// Records of one round: enough that a tick of the clock does not show.
const RECORDS: usize = 1_000;

/// Every row, bases before what is compared with them.
pub fn all() -> Vec<Row> {
    let short: Vec<Bytes> = (0..RECORDS).map(|k| data::record(k, None).into()).collect();
    let long: Vec<Bytes> = (0..RECORDS).map(|k| data::record(k, Some(2_000)).into()).collect();
    let engine = Engine::new(&Settings::default()).expect("an engine");
    let wasm = std::fs::read(env!("GUEST_MASK")).expect("the guest was built");
    let mask = Mask { code: engine.compile(&wasm).expect("it is a plugin"), engine };
    let mut rows = vec![
        row("native_419", None, None, over(&short, |data| native::transform(data).map_or(0, |out| out.len()))),
        row("plugin_over_native", Some("native_419"), Some(0.65), through(&mask, &short, &["whole"])),
        row("native3", None, None, over(&short, |data| native::three_steps(data).map_or(0, |out| out.len()))),
        row("pipeline3_over_native", Some("native3"), Some(0.5), through(&mask, &short, &["drop", "mask", "add"])),
        row("identity_step", Some("native_419"), None, through(&mask, &short, &["nothing"])),
        row("no_step", Some("native_419"), None, through(&mask, &short, &[])),
        row("document_index_419", Some("native_419"), None, index(&short)),
        row("document_index_2000", None, None, index(&long)),
    ];
    for (base, name, size, bar) in [
        ("job_native_419", "job_over_native_419", None, 0.65),
        ("job_native_2000", "job_over_native_2000", Some(2_000), 0.5),
    ] {
        let event: Bytes = data::event(RECORDS, size).into();
        let native = event.clone();
        rows.push(row(base, None, None, Box::new(move || native::job(&native).len())));
        rows.push(row(name, Some(base), Some(bar), job(&mask, event, &["whole"])));
    }
    let three: Bytes = data::event(10_000, Some(600)).into();
    rows.push(Row { units: 10_000, ..row("handler_10k_600", None, None, job(&mask, three, &["drop", "mask", "add"])) });
    rows.push(Row { units: RECORDS * 100, ..row("host_call_ns", None, None, through(&mask, &short, &["calls"])) });
    rows
}

fn row(name: &'static str, base: Option<&'static str>, bar: Option<f64>, run: Box<dyn FnMut() -> usize>) -> Row {
    Row { name, base, units: RECORDS, bar, run }
}

fn over(records: &[Bytes], work: impl Fn(&[u8]) -> usize + 'static) -> Box<dyn FnMut() -> usize> {
    let records = records.to_vec();
    Box::new(move || records.iter().map(|data| work(data)).sum())
}

/// The validating pass alone.
fn index(records: &[Bytes]) -> Box<dyn FnMut() -> usize> {
    let records = records.to_vec();
    Box::new(move || records.iter().map(|data| Document::parse(data.clone()).expect("JSON").overlay_bytes()).sum())
}

/// Steps of the `mask` guest in the real pipeline: all checks on, id spliced, final bytes included.
fn runner(mask: &Mask, parts: &[&str]) -> (Arc<Pipeline>, Runner) {
    let step =
        |part: &&str| format!("[[step]]\nname = \"{part}\"\nplugin = \"mask\"\nconfig = {{ part = \"{part}\" }}\n");
    let pipeline = Arc::new(Pipeline::parse(&parts.iter().map(step).collect::<String>()).expect("a pipeline"));
    let load = |step: &pipeline::settings::Step| {
        mask.engine.load(&mask.code, step, &step.config.to_string()).expect("it starts").plugin()
    };
    let plugins = pipeline.steps.iter().map(load).collect();
    (Arc::clone(&pipeline), Runner::new(pipeline, plugins, "lambda-stream"))
}

/// The Lambda's work on one event, without the network: event text in, entries out, on one worker.
fn job(mask: &Mask, event: Bytes, parts: &[&str]) -> Box<dyn FnMut() -> usize> {
    let (pipeline, mut runner) = runner(mask, parts);
    Box::new(move || {
        let prepared = lambda::prepare(event.clone(), &pipeline, &mut runner, 0).expect("an event");
        assert_eq!(prepared.dead_letters, 0, "the records are good");
        prepared.entries.len()
    })
}

/// Records one by one through the pipeline.
fn through(mask: &Mask, records: &[Bytes], parts: &[&str]) -> Box<dyn FnMut() -> usize> {
    let (_, mut runner) = runner(mask, parts);
    let id = |k: usize| ByteString::from(format!("shardId-000000000006:4959033827149025660855969253836{k:019}"));
    let events: Vec<_> =
        records.iter().enumerate().map(|(k, data)| (id(k), ByteString::from("user"), data.clone())).collect();
    Box::new(move || {
        let process = |(id, key, data): &(ByteString, ByteString, Bytes)| {
            let event = Event::new(id.clone(), key.clone(), 0, data.clone());
            match runner.process(event, 0, None) {
                Outcome::Emit(documents) => documents.iter().map(|document| document.bytes.len()).sum(),
                Outcome::Drop(_) => 0usize,
                other => panic!("{other:?}"),
            }
        };
        events.iter().map(process).sum()
    })
}
