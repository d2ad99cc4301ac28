//! The project's cases: a release whose tests fail is not made.

use crate::Context;
use crate::cases::{self, Case, wrong};
use crate::commands::test::LOADING;
use crate::error::Error;
use crate::input::{Data, Record};
use crate::project::{Project, Ready};
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
    let all = Case::all(&project.folder)?;
    let ready = project.load(context, &LOADING)?;
    let mut tested = Tested { cases: Vec::new(), report: Report::default(), warnings: Vec::new(), ready };
    let mut failed = Vec::new();
    let mut progress = context.ui.progress("testing", "cases");
    for case in &all {
        let records = case.records()?;
        let ran = cases::run(&tested.ready.loaded, &records)?;
        let wrong = wrong::of(case, &ran)?;
        if !wrong.is_empty() {
            failed.push((case.name.clone(), wrong::lines(&wrong, context.ui.note_paint())));
        }
        tested.cases.push((case.name.clone(), records.iter().map(bytes).collect()));
        tested.report.merge(ran.report);
        progress.add(1);
    }
    drop(progress);
    if !failed.is_empty() {
        return Err(refused(&failed, all.len(), context)?);
    }
    tested.warnings = report::warnings(&tested.report);
    if all.is_empty() {
        tested.warnings.insert(0, "there are no tests: nothing says that this release does what it should".to_owned());
    }
    Ok(tested)
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
