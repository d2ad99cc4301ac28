//! `paddle test`: the cases of a project, with the same components, a clock that stands still and secrets that are
//! none.

use crate::Context;
use crate::cases::wrong::{self, Wrong};
use crate::cases::{self, Case, Ran, Suite, fuel};
use crate::commands::dead_letters::as_record;
use crate::error::{Error, Status};
use crate::files;
use crate::input::{Data, Flow, Reader, Record};
use crate::project::{Components, Loading, Project, tidy};
use crate::ready_made;
use crate::report;
use crate::text::count;
use clap::Args;
use pipeline::Report;
use serde_json::json;
use std::path::Path;

/// Run the cases in tests/, each an input.ndjson with its expected.ndjson
///
/// Cases in the tests/ of a plugin's folder run that plugin alone, with the config of its step.
///
/// A fuel.json beside them is the budget of each step: about the instructions that the plugin may take for all events
/// of the case, and a quarter more. Every case runs in order; then each event alone, all in reverse, and all twice: an
/// answer that changes means that a plugin remembers something from one event to the next, which is a failure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle test
  paddle test plugins/example noise-is-dropped
  paddle test plugins/enrich                 the cases of one plugin
  paddle test --add a-strange-order -i events.ndjson
  paddle test --update")]
pub(crate) struct Test {
    /// A paddle.toml or its folder (default: the current folder), then names of cases
    #[arg(value_name = "PIPELINE | CASE")]
    names: Vec<String>,
    /// Write what came as what is expected
    #[arg(long)]
    update: bool,
    /// Make a new case of the records in -i
    #[arg(long, value_name = "NAME", requires = "input")]
    add: Option<String>,
    /// Records for the new case: files, or `-`
    #[arg(short, long, value_name = "FILE", requires = "add")]
    input: Vec<String>,
}

/// What became of a case.
enum Verdict {
    Passed,
    Failed(Vec<Wrong>),
    Written,
}

impl Test {
    pub(crate) fn exec(mut self, context: &mut Context) -> Result<Status, Error> {
        let mut project = self.project()?;
        // Ids are made of sequence numbers, which a case does not have.
        project.pipeline = project.pipeline.without_ids();
        if let Some(name) = self.add.take() {
            return self.record(&name, &project, context);
        }
        let mut suites = cases::suites(&project)?;
        let known: Vec<&str> = suites.iter().flat_map(|suite| &suite.cases).map(|case| case.name.as_str()).collect();
        if let Some(name) = self.names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(Error::usage(format!(
                "there is no case `{name}` in {}; there are: {}",
                project.source,
                known.join(", ")
            )));
        }
        suites.iter_mut().for_each(|suite| {
            suite.cases.retain(|case| self.names.is_empty() || self.names.contains(&case.name));
        });
        suites.retain(|suite| !suite.cases.is_empty());
        if suites.is_empty() {
            return Err(Error::usage(
                "there are no cases: each is a folder tests/<name> with an input.ndjson (make one: paddle test --add NAME -i FILE)",
            ));
        }
        self.run(&suites, context)
    }

    /// The project, whose name is taken from the names when it is there.
    fn project(&mut self) -> Result<Project, Error> {
        let Some(first) = self.names.first() else { return Project::find(None) };
        let here = Project::find(None);
        if let Ok(here) = here
            && (Case::named(&here.tests, first).input().is_file() || !looks_like_a_pipeline(first))
        {
            return Ok(here);
        }
        let project = Project::find(Some(first))?;
        self.names.remove(0);
        Ok(project)
    }

    fn run(&self, suites: &[Suite<'_>], context: &mut Context) -> Result<Status, Error> {
        let (mut failed, mut events) = (0, 0);
        let (mut told, mut warnings) = (Vec::new(), Vec::new());
        let mut components = Components::default();
        for suite in suites {
            let ready = suite.project.load_of(&mut components, context, &Loading::TEST)?;
            let mut total = Report::default();
            for case in &suite.cases {
                let ran = cases::run(&ready.loaded, &case.records()?)?;
                events += ran.answers.len() as u64;
                let verdict = self.judge(case, &ran)?;
                failed += u64::from(matches!(verdict, Verdict::Failed(_)));
                told.push(show(case, &ran, verdict, context)?);
                total.merge(ran.report);
            }
            warnings.extend(report::warnings(&total));
        }
        let ui = &mut context.ui;
        if ui.is_json() {
            ui.json(&json!({"cases": told, "failed": failed, "warnings": warnings}))?;
            return Ok(Status::failed_if(failed > 0));
        }
        for warning in warnings {
            ui.warn(warning)?;
        }
        let paint = ui.paint();
        let cases = count(told.len() as u64, "case");
        let result = if failed == 0 { paint.green("all passed") } else { paint.red(&format!("{failed} failed")) };
        ui.line(format!("{cases}, {}: {result}", count(events, "event")))?;
        Ok(Status::failed_if(failed > 0))
    }

    fn judge(&self, case: &Case, ran: &Ran) -> Result<Verdict, Error> {
        if !self.update {
            let wrong = wrong::of(case, ran)?;
            return Ok(if wrong.is_empty() { Verdict::Passed } else { Verdict::Failed(wrong) });
        }
        let differs = case.expected_answers()?.as_ref() != Some(&ran.answers);
        if differs {
            write(&case.expected(), &ran.answers)?;
        }
        let fuel = fuel::of(ran);
        let costs = fuel::is_stale(fuel::budget(case)?.as_ref(), &fuel);
        if costs {
            fuel::write(case, &fuel)?;
        }
        Ok(match wrong::remembers(ran) {
            Some(remembers) => Verdict::Failed(vec![remembers]),
            None if differs || costs => Verdict::Written,
            None => Verdict::Passed,
        })
    }

    /// Makes a case of records.
    fn record(self, name: &str, project: &Project, context: &mut Context) -> Result<Status, Error> {
        let plain = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(Error::usage(format!(
                "--add {name}: letters, digits, `-`, `_` and `.` make the name of a case"
            )));
        }
        let case = Case::named(&project.tests, name);
        if case.input().exists() {
            return Err(Error::usage(format!("there is a case `{name}` already")));
        }
        let mut lines = Vec::new();
        Reader::default().files(&self.input, &mut |record: Record| {
            let (Data::Bytes(bytes) | Data::Undecodable(bytes, _)) = &record.data;
            lines.push(as_record(bytes));
            Ok(Flow::Continue(()))
        })?;
        if lines.is_empty() {
            return Err(Error::usage("the input holds no records: a case needs one at least"));
        }
        let ready = project.load(context, &Loading::TEST)?;
        write(&case.input(), &lines)?;
        let ran = cases::run(&ready.loaded, &case.records()?)?;
        write(&case.expected(), &ran.answers)?;
        fuel::write(&case, &fuel::of(&ran))?;
        let ui = &mut context.ui;
        for answer in &ran.answers {
            ui.line(answer)?;
        }
        let folder = tidy(&case.folder);
        ui.note(format!(
            "{} recorded in {folder}: read expected.ndjson, it is what the test will ask for",
            count(ran.answers.len() as u64, "event")
        ))?;
        if let Some(how) = &ran.remembers {
            ui.warn(how)?;
        }
        Ok(Status::failed_if(ran.remembers.is_some()))
    }
}

/// Whether a name that is no case can be a pipeline: then what is wrong with it is told as such.
fn looks_like_a_pipeline(name: &str) -> bool {
    name.contains(['/', '.']) || Path::new(name).is_dir() || ready_made::find(name).is_some()
}

fn show(case: &Case, ran: &Ran, verdict: Verdict, context: &mut Context) -> Result<serde_json::Value, Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    let events = count(ran.answers.len() as u64, "event");
    let (word, wrong) = match &verdict {
        Verdict::Passed => (paint.green("ok    "), &[][..]),
        Verdict::Written => (paint.yellow("wrote "), &[][..]),
        Verdict::Failed(wrong) => (paint.red("FAILED"), wrong.as_slice()),
    };
    if !ui.is_json() {
        ui.line(format!("{word} {} ({events})", case.name))?;
        wrong::lines(wrong, paint).iter().try_for_each(|line| ui.line(line))?;
    }
    let passed = !matches!(verdict, Verdict::Failed(_));
    Ok(json!({
        "case": case.name,
        "events": ran.answers.len(),
        "passed": passed,
        "why": wrong,
        "remembers": ran.remembers,
        "fuel": fuel::of(ran),
        "answers": ran.answers,
    }))
}

fn write(path: &Path, lines: &[String]) -> Result<(), Error> {
    files::write(path, lines.join("\n") + "\n")
}
