//! The project's cases: a release whose tests fail is not made.

use crate::Context;
use crate::cases::{self, Case, Ran, wrong};
use crate::error::Error;
use crate::input::{Data, Record};
use crate::project::{Components, Loading, Project, Ready};
use crate::report;
use crate::text::count;
use bytes::Bytes;
use pipeline::{Report, StepReport};
use registry::Observed;
use std::collections::{BTreeMap, BTreeSet};

/// Fields that are kept of one step and kind: a manifest has a bound.
const FIELDS_MAX: usize = 200;

/// Fields that begin like this are a ready-made plugin's own.
const SCRATCH: &str = "__paddlewheel_";

/// Cases that passed.
pub(crate) struct Tested {
    /// Names, and the bytes of their records.
    pub(crate) cases: Vec<(String, Vec<Bytes>)>,
    /// All of them together.
    pub(crate) report: Report,
    pub(crate) warnings: Vec<String>,
    /// The pipeline as it was tested: counting fuel.
    pub(crate) ready: Ready,
}

/// Runs all cases.
///
/// # Errors
/// [`Error::Refused`] when one fails, after showing how.
pub(crate) fn run(project: &Project, context: &mut Context) -> Result<Tested, Error> {
    let suites = cases::suites(project)?;
    let mut components = Components::default();
    let ready = project.load_of(&mut components, context, &Loading::TEST)?;
    let (mut cases, mut report, mut failed, mut all) = (Vec::new(), Report::default(), Vec::new(), 0);
    for suite in &suites {
        // Cases of one plugin are no records of the pipeline: they say that it works, and hosts do not try them.
        let alone = match suite.project.text {
            Some(_) => None,
            None => Some(suite.project.load_of(&mut components, context, &Loading::TEST)?),
        };
        let mut progress = context.ui.progress("testing", "cases");
        for case in &suite.cases {
            let records = case.records()?;
            let ran = cases::run(alone.as_ref().map_or(&ready.loaded, |alone| &alone.loaded), &records)?;
            failed.extend(failure(case, &ran, context)?);
            all += 1;
            report.merge(ran.report);
            if alone.is_none() {
                cases.push((case.name.clone(), records.iter().map(bytes).collect()));
            }
            progress.add(1);
        }
    }
    if !failed.is_empty() {
        return Err(refused(&failed, all, context)?);
    }
    let mut tested = Tested { warnings: report::warnings(&report), cases, report, ready };
    if all == 0 {
        tested.warnings.insert(0, "there are no tests: nothing says that this release does what it should".to_owned());
    }
    Ok(tested)
}

/// What is wrong with a case, if anything.
fn failure(case: &Case, ran: &Ran, context: &Context) -> Result<Option<(String, Vec<String>)>, Error> {
    let wrong = wrong::of(case, ran)?;
    let lines = || (case.name.clone(), wrong::lines(&wrong, context.ui.note_paint()));
    Ok((!wrong.is_empty()).then(lines))
}

fn bytes(record: &Record) -> Bytes {
    let (Data::Bytes(bytes) | Data::Undecodable(bytes, _)) = &record.data;
    bytes.clone()
}

fn refused(failed: &[(String, Vec<String>)], cases: usize, context: &mut Context) -> Result<Error, Error> {
    let paint = context.ui.note_paint();
    for (name, lines) in failed {
        context.ui.note(format!("{} {name}", paint.red("FAILED")))?;
        lines.iter().try_for_each(|line| context.ui.note(line))?;
    }
    Ok(Error::refused(format!(
        "{} of {} failed: nothing was published; look at them with paddle test",
        failed.len(),
        count(cases as u64, "test")
    )))
}

impl Tested {
    fn step(&self, step: &str) -> Option<&StepReport> {
        self.report.steps.iter().find(|report| report.name == step)
    }

    /// The fields that a step was seen touching.
    pub(crate) fn observed(&self, step: &str) -> Option<Observed> {
        let fields = &self.step(step).filter(|step| step.events > 0)?.fields;
        let names = |fields: &BTreeMap<String, u64>| -> BTreeSet<String> {
            fields.keys().filter(|field| !field.starts_with(SCRATCH)).take(FIELDS_MAX).cloned().collect()
        };
        Some(Observed { reads: names(&fields.read), writes: names(&fields.written) })
    }

    /// What an event costs at a step.
    pub(crate) fn fuel_per_event(&self, step: &str) -> Option<u64> {
        self.step(step).and_then(fuel_per_event)
    }
}

/// What an event costs at a step; none where there were none.
pub(super) fn fuel_per_event(step: &StepReport) -> Option<u64> {
    step.fuel.checked_div(step.events)
}
