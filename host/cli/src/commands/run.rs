//! `paddle run`: records in, documents out, by the function's own code.

use crate::Context;
use crate::changes::{self, Call, Calls, Did};
use crate::dead_letters::{Kept, Writer};
use crate::environment;
use crate::error::{Error, Status, Trouble};
use crate::input::{Flow, Reader, Record};
use crate::local::{Local, Settled};
use crate::project::{Loading, Project};
use crate::report;
use crate::sink::{self, Sink};
use crate::terminal::Progress;
use crate::text::{count, one_line, time};
use crate::time::now_ms;
use clap::{Args, ValueEnum};
use pipeline::{Dropped, Outcome};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

/// Run records through a pipeline or one plugin
///
/// Documents go to standard output, one a line; the report goes to standard error. Inputs may be lines of records, a
/// JSON array, a Lambda's Kinesis event, or what `aws kinesis get-records` prints; also compressed with gzip.
#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  paddle run -i events.ndjson
  paddle run plugins/example -i plugins/example/samples/web.ndjson --changes
  paddle run redact --config '{"fields":["user.email"]}' -i events.ndjson
  paddle run -i events.ndjson --only failed
  aws kinesis get-records --shard-iterator … | paddle run --sink out
  paddle run -i events.ndjson --sink https://localhost:9200 --insecure"#)]
pub(crate) struct Run {
    /// A paddle.toml, its folder, or one plugin; default: the current folder
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// The config of one plugin, as JSON
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Records: files, or `-` for standard input (default, if it is not a terminal)
    #[arg(short, long, value_name = "FILE")]
    input: Vec<String>,
    /// Where documents go: `-`, a folder (its files grow with each run), or the URL of an OpenSearch
    #[arg(long, value_name = "SINK")]
    sink: Option<String>,
    /// Take any certificate of an OpenSearch
    #[arg(long)]
    insecure: bool,
    /// Show what each step did to each event, in place of documents
    #[arg(long)]
    changes: bool,
    /// Show these events only (implies --changes)
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Where dead letters are kept (default: .paddle/dead-letters beside the paddle.toml)
    #[arg(long, value_name = "FOLDER")]
    dead_letters: Option<PathBuf>,
}

/// Which events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// A step changed, dropped, split or failed them
    Changed,
    /// They became no document
    Dropped,
    /// They failed at a step or at the final check
    Failed,
}

/// A run under way.
struct Job<'c> {
    context: &'c mut Context,
    local: Local,
    loaded: &'c lambda::Loaded,
    sink: Sink,
    dead_letters: Writer,
    /// Calls of the present event, when they are to be shown.
    calls: Option<Calls>,
    only: Option<Only>,
    event: u64,
}

impl Run {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let changes = self.changes || self.only.is_some();
        if changes && self.sink.as_deref() == Some("-") {
            return Err(Error::usage(
                "--changes and documents cannot share standard output: give --sink a folder, or leave it out",
            ));
        }
        let mut project = Project::find(self.pipeline.as_deref())?;
        if let Some(config) = &self.config {
            project.configure(config)?;
        }
        let sink = match &self.sink {
            None if changes || context.ui.is_json() => Sink::None,
            named => Sink::open(named.as_deref().unwrap_or("-"), self.insecure, &project.pipeline)?,
        };
        let ready = project.load(context, &Loading::PRODUCTION)?;
        let mut local = Local::new(&ready.loaded, None).or_plugin()?;
        local.observe_fields();
        let calls = changes.then(Calls::default);
        if let Some(calls) = &calls {
            local.observe(Box::new(calls.clone()));
        }
        let shows = changes || matches!(sink, Sink::Output);
        let progress = match shows && std::io::stdout().is_terminal() {
            true => Progress::none(),
            false => context.ui.progress("running", "records"),
        };
        let dead_letters = Writer::new(&project.folder, self.dead_letters.as_deref(), &project.pipeline.name, now_ms());
        let job = Job { context, local, loaded: &ready.loaded, sink, dead_letters, calls, only: self.only, event: 0 };
        job.run(&self.input, self.limit, progress)
    }
}

impl Job<'_> {
    fn run(mut self, inputs: &[String], limit: Option<u64>, mut progress: Progress) -> Result<Status, Error> {
        let started = Instant::now();
        let mut records = 0;
        Reader::default().files(inputs, &mut |record| {
            if limit.is_some_and(|limit| records >= limit) {
                return Ok(Flow::Break(()));
            }
            records += 1;
            progress.add(1);
            self.record(&record)?;
            Ok(Flow::Continue(()))
        })?;
        drop(progress);
        self.finish(records, started)
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        let mut calls: Vec<Vec<Call>> = Vec::new();
        let watched = self.calls.clone();
        let ended = self.local.run_record(record, || calls.extend(watched.as_ref().map(Calls::take)));
        for (at, settled) in ended.into_iter().enumerate() {
            self.event += 1;
            let calls = calls.get(at).map_or(&[][..], Vec::as_slice);
            if watched.is_some() && self.only.is_none_or(|only| only.wants(&settled, calls)) {
                self.show(record, &settled, calls)?;
            }
            self.keep(settled)?;
        }
        Ok(())
    }

    fn keep(&mut self, settled: Settled) -> Result<(), Error> {
        match settled.outcome {
            Outcome::Emit(documents) => documents
                .into_iter()
                .try_for_each(|document| self.sink.put(self.context, document.route, document.bytes)),
            Outcome::DeadLetter(failed) => self.dead_letters.write(&settled.entered, &failed, &self.local, self.loaded),
            Outcome::Drop(_) | Outcome::Retry(_) | Outcome::Unsettled(_) => Ok(()),
        }
    }

    /// One event, step by step.
    fn show(&mut self, record: &Record, settled: &Settled, calls: &[Call]) -> Result<(), Error> {
        let steps = &self.local.pipeline.steps;
        if self.context.ui.is_json() {
            let call = |call: &Call| {
                let (step, us) = (&steps[call.step].name, call.elapsed.as_secs_f64() * 1e6);
                let (us, did) = ((us * 10.0).round() / 10.0, call.did());
                json!({"step": step, "us": us, "did": did, "log": call.log, "log_dropped": call.log_dropped})
            };
            let calls: Vec<_> = calls.iter().map(call).collect();
            let (outcome, _) = settled_as(&settled.outcome, &self.local);
            return self.context.ui.json(
                &json!({"event": &*settled.entered.id, "place": record.place, "outcome": outcome, "steps": calls}),
            );
        }
        let ui = &mut self.context.ui;
        let (paint, width) = (ui.paint(), ui.width());
        let names = steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let head = format!("event {}", self.event);
        ui.line(format!("{}  {}", paint.bold(&head), paint.dim(&record.place)))?;
        for call in calls {
            for line in changes::lines(call, &steps[call.step].name, names, paint, width) {
                ui.line(line)?;
            }
        }
        let (outcome, failed) = settled_as(&settled.outcome, &self.local);
        ui.line(format!("  {}", if failed { paint.red(&outcome) } else { paint.bold(&outcome) }))?;
        ui.line("")
    }

    fn finish(mut self, records: u64, started: Instant) -> Result<Status, Error> {
        let summary = self.sink.finish(self.context)?;
        let file = self.dead_letters.finish()?;
        let report = self.local.into_report();
        let ui = &mut self.context.ui;
        let open = report.counts.dead_letters + report.counts.returned;
        let failed = open > 0 || summary.as_ref().is_some_and(|summary| summary.refused > 0);
        let (file, missing) = match file {
            Kept::None => (None, None),
            Kept::In(file) => (Some(file.display().to_string()), None),
            Kept::Nowhere(reason) => (None, Some(reason)),
        };
        if let Some(reason) = missing {
            ui.warn(format!("dead letters are counted and not kept: {reason}; name a folder with --dead-letters"))?;
        }
        if ui.is_json() {
            let sink = summary.as_ref().map(|summary| sink::summary_json(&self.sink.place(), summary));
            ui.json(
                &json!({"report": report, "warnings": report::warnings(&report), "sink": sink, "dead_letters": file}),
            )?;
            return Ok(Status::failed_if(failed));
        }
        if records == 0 {
            ui.note("The input holds no records.")?;
            return Ok(Status::Done);
        }
        report::show(ui, &report)?;
        if self.calls.is_none() && report.steps.iter().any(|step| step.log_lines > 0) {
            ui.note("what plugins logged is shown with --changes")?;
        }
        ui.note(format!("{} in {}", count(records, "record"), time(started.elapsed())))?;
        if let Some(summary) = &summary {
            sink::show_summary(ui, &self.sink.place(), summary)?;
        }
        if let Some(file) = file {
            let paint = ui.note_paint();
            ui.note(format!(
                "dead letters: {file}\n  {}",
                paint.dim(&format!("{} dead-letters show {file}", environment::program()))
            ))?;
        }
        Ok(Status::failed_if(failed))
    }
}

impl Only {
    fn wants(self, settled: &Settled, calls: &[Call]) -> bool {
        let failed = matches!(settled.outcome, Outcome::DeadLetter(_) | Outcome::Retry(_) | Outcome::Unsettled(_));
        match self {
            Only::Changed => calls.iter().any(Call::changed),
            Only::Dropped => matches!(settled.outcome, Outcome::Drop(_)),
            Only::Failed => failed || calls.iter().any(|call| matches!(call.did(), Did::Failed(_))),
        }
    }
}

/// How an event settled, in words, and whether that is bad.
fn settled_as(outcome: &Outcome, local: &Local) -> (String, bool) {
    let at = |step: Option<usize>| step.map_or("the final check", |step| local.pipeline.steps[step].name.as_str());
    match outcome {
        Outcome::Emit(documents) => {
            let mut routes: Vec<&str> = documents
                .iter()
                .map(|document| local.pipeline.routes[usize::from(document.route)].name.as_str())
                .collect();
            routes.dedup();
            (format!("→ {} to {}", count(documents.len() as u64, "document"), routes.join(", ")), false)
        }
        Outcome::Drop(Dropped { step, failure: None }) => (format!("→ dropped by {}", at(*step)), false),
        Outcome::Drop(Dropped { step, failure: Some(failure) }) => {
            (format!("→ dropped: {} at {}", failure.kind, at(*step)), true)
        }
        Outcome::DeadLetter(failed) => {
            let reason = one_line(failed.failure.message());
            (format!("→ dead letter: {} at {}: {reason}", failed.failure.kind, at(failed.step)), true)
        }
        Outcome::Retry(failed) => (format!("→ back to Kinesis, asked for by {}", at(failed.step)), true),
        Outcome::Unsettled(reason) => (format!("→ not settled: {}", one_line(&reason.to_string())), true),
    }
}
