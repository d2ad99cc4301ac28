//! The new release beside the one that a channel holds: on the same records, with the same clock, counting fuel.

use super::compile;
use super::test::{Tested, fuel_per_event};
use crate::Context;
use crate::cases::NOW_MS;
use crate::error::{Error, Trouble};
use crate::input::{Data, Record};
use crate::local::Local;
use crate::project::Ready;
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use lambda::trial::{TrialRecords, answer};
use pipeline::{DUMMY_SECRET, Pipeline, Report};
use registry::{Code, Difference, Digest, Fetched, Manifest};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What differs, and by how much.
pub(crate) struct Compared {
    pub(crate) difference: Difference,
    /// What both did on the same records, or why that is not known.
    pub(crate) ran: Result<Ran, String>,
}

/// What both did on the same records.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ran {
    /// Events that both were given.
    pub(crate) events: u64,
    /// Events that come to something else.
    pub(crate) outcomes: Vec<Outcome>,
    /// What an event costs in all steps together; none without events.
    pub(crate) fuel_per_event: Option<Fuel>,
    /// What an event costs at each step.
    pub(crate) steps: BTreeMap<String, StepFuel>,
}

/// Before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Fuel {
    pub(crate) before: u64,
    pub(crate) after: u64,
}

/// Before and after, where there is a step of the name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct StepFuel {
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
}

/// An event that comes to something else.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The test.
    pub(crate) case: String,
    /// The event's place in it, from 1.
    pub(crate) event: usize,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// Compares what was tested with a release of the store. What stops the old one from running here stops no publish: it
/// is told, and the manifests are compared.
pub(crate) fn compare(from: &Fetched, to: &Manifest, tested: &Tested, context: &Context) -> Compared {
    let progress = context.ui.progress("comparing with what the channel holds", "");
    let old = load(from, &tested.ready);
    let ran = old.and_then(|old| run(&old, tested, from.test_records.as_ref()));
    drop(progress);
    let difference = registry::diff(&from.release.manifest, to);
    Compared { difference, ran: ran.map_err(|error| error.to_string()) }
}

/// Loads the old release on the engine of the tests; code that both have is compiled once.
fn load(from: &Fetched, ready: &Ready) -> Result<lambda::Loaded, Error> {
    let manifest = &from.release.manifest;
    let pipeline = super::pipeline_of(manifest)?.without_ids();
    let digest = |step: &pipeline::settings::Step| {
        let plugin = manifest.plugins.iter().find(|plugin| plugin.step == step.name);
        plugin.map(|plugin| plugin.wasm.digest).with_context(|| format!("step `{}` has no plugin", step.name))
    };
    let parts = |step| Ok((digest(step)?, lambda::assets::of_release(step, from)?));
    let parts = pipeline.steps.iter().map(parts).collect::<anyhow::Result<Vec<_>>>().or_plugin()?;
    let code = |digest: &Digest| match (ready.codes.get(&digest.to_string()), from.code.get(digest)) {
        (Some(code), _) => Ok(code.clone()),
        (None, Some(Code::Wasm(wasm))) => Ok(ready.engine.compile(wasm)?),
        (None, Some(Code::Compiled(_)) | None) => Err(anyhow!("its code was not fetched")),
    };
    compile::load(&ready.engine, &pipeline, parts, &code, DUMMY_SECRET)
}

fn run(old: &lambda::Loaded, tested: &Tested, records: Option<&Bytes>) -> Result<Ran, Error> {
    let mut cases = tested.cases.clone();
    for (name, records) in old_cases(records)? {
        if !cases.iter().any(|(_, known)| *known == records) {
            cases.push((name, records));
        }
    }
    let (mut before, mut after) = (Report::default(), Report::default());
    let mut ran = Ran::default();
    for (case, records) in &cases {
        let (was, report) = answers(old, records)?;
        before.merge(report);
        let (is, report) = answers(&tested.ready.loaded, records)?;
        after.merge(report);
        for at in (0..was.len().max(is.len())).filter(|&at| was.get(at) != is.get(at)) {
            let (before, after) = (was.get(at).cloned(), is.get(at).cloned());
            ran.outcomes.push(Outcome { case: case.clone(), event: at + 1, before, after });
        }
    }
    ran.events = after.counts.events;
    ran.fuel_per_event = total(&before).zip(total(&after)).map(|(before, after)| Fuel { before, after });
    let names: BTreeSet<&String> = before.steps.iter().chain(&after.steps).map(|step| &step.name).collect();
    let of =
        |report: &Report, name: &String| report.steps.iter().find(|step| step.name == *name).and_then(fuel_per_event);
    let step = |name: &String| (name.clone(), StepFuel { before: of(&before, name), after: of(&after, name) });
    ran.steps = names.into_iter().map(step).collect();
    Ok(ran)
}

/// What an event costs, from the first step to the last.
fn total(report: &Report) -> Option<u64> {
    report.steps.iter().map(|step| step.fuel).sum::<u64>().checked_div(report.counts.events)
}

/// The records that the old release was tried on.
fn old_cases(records: Option<&Bytes>) -> Result<Vec<(String, Vec<Bytes>)>, Error> {
    let Some(records) = records else { return Ok(Vec::new()) };
    let decode = |record: &String| base64_simd::STANDARD.decode_to_vec(record.as_bytes()).map(Bytes::from);
    let records = TrialRecords::from_bytes(records).or_plugin()?;
    let case = |case: &lambda::trial::TrialCase| {
        let records: Result<Vec<Bytes>, _> = case.records.iter().map(decode).collect();
        Ok((case.name.clone(), records.map_err(|_| anyhow!("test `{}` has a record that is not base64", case.name))?))
    };
    records.cases.iter().map(case).collect::<anyhow::Result<_>>().or_plugin()
}

/// What each event of some records comes to, and what that took.
fn answers(loaded: &lambda::Loaded, records: &[Bytes]) -> Result<(Vec<String>, Report), Error> {
    let mut local = Local::new(loaded, Some(NOW_MS)).or_plugin()?;
    let pipeline: std::sync::Arc<Pipeline> = std::sync::Arc::clone(&local.pipeline);
    let mut answers = Vec::new();
    for (at, bytes) in records.iter().enumerate() {
        let record = Record {
            data: Data::Bytes(bytes.clone()),
            id: format!("test:{at}"),
            partition_key: String::new(),
            stream: None,
            arrived_at_ms: None,
            place: String::new(),
        };
        for event in local.events(&record).into_vec() {
            answers.push(answer(&local.run(event).outcome, &pipeline));
        }
    }
    Ok((answers, local.into_report()))
}

impl Fuel {
    /// How many hundredths more it is; negative for less.
    pub(crate) fn percent_more(self) -> i64 {
        let (before, after) = (i128::from(self.before.max(1)), i128::from(self.after));
        i64::try_from((after - before) * 100 / before).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Fuel;

    #[test]
    fn costs_are_compared_in_hundredths() {
        let check = |before, after| Fuel { before, after }.percent_more();
        assert_eq!([check(100, 126), check(100, 100), check(200, 100), check(0, 5)], [26, 0, -50, 400]);
    }
}
