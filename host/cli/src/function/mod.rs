//! `paddle check --function`: a live function, the mappings that feed it, and the delivery streams behind it. Each
//! setting that loses data or keeps it from flowing is named, with what to set.
//!
//! Layout: `facts` (AWS's answers, as far as they matter), `read` (asking for them), and what each says:
//! `configuration`, `variables` (`PADDLE_…`), `mappings`, `streams`, `live` (the release it should run), `permissions`.

mod configuration;
mod facts;
mod live;
mod mappings;
mod permissions;
mod read;
mod streams;
#[cfg(test)]
mod tests;
mod variables;

use crate::Context;
use crate::aws::api::Api;
use crate::error::{Error, Status};
use crate::text::{count, one_line};
use facts::Facts;
use pipeline::Pipeline;
use serde::Serialize;
use serde_json::json;

/// How bad a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    /// Records or documents are gone, sooner or later, and nobody is told.
    LosesData,
    /// Records do not flow, or will not when something goes wrong.
    BlocksData,
    /// Works, and may not be what was meant.
    Look,
    /// Could not be checked.
    NotChecked,
}

/// A setting, what is wrong with it, and what to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// Where: `mapping of clicks`.
    about: String,
    problem: String,
    todo: String,
}

impl Finding {
    fn new(level: Level, about: &str, problem: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { level, about: about.to_owned(), problem: problem.into(), todo: todo.into() }
    }
}

/// Findings about one thing.
struct Findings<'a> {
    about: String,
    all: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    fn loses(&mut self, problem: impl Into<String>, todo: impl Into<String>) {
        self.all.push(Finding::new(Level::LosesData, &self.about, problem, todo));
    }

    fn blocks(&mut self, problem: impl Into<String>, todo: impl Into<String>) {
        self.all.push(Finding::new(Level::BlocksData, &self.about, problem, todo));
    }

    fn look(&mut self, problem: impl Into<String>, todo: impl Into<String>) {
        self.all.push(Finding::new(Level::Look, &self.about, problem, todo));
    }
}

/// Checks a function. `here`: the pipeline of this folder, for a function whose own is not known.
pub(crate) fn check(
    named: &str,
    here: Option<&Pipeline>,
    strict: bool,
    context: &mut Context,
) -> Result<Status, Error> {
    let progress = context.ui.progress("asking AWS", "");
    let (facts, findings) = context.runtime.block_on(async {
        let api = Api::new(region_of(named)).await?;
        let facts = read::facts(&api, named).await?;
        let findings = findings(&api, &facts, here).await?;
        Ok::<_, Error>((facts, findings))
    })?;
    drop(progress);
    match context.ui.is_json() {
        true => context.ui.json(&as_json(&facts, &findings))?,
        false => show(&facts, &findings, context)?,
    }
    let bad = |finding: &Finding| finding.level <= if strict { Level::Look } else { Level::BlocksData };
    Ok(Status::failed_if(findings.iter().any(bad)))
}

/// Of a function's ARN.
fn region_of(named: &str) -> Option<&str> {
    named.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).filter(|region| !region.is_empty())
}

async fn findings(api: &Api, facts: &Facts, here: Option<&Pipeline>) -> Result<Vec<Finding>, Error> {
    let mut all = Vec::new();
    configuration::check(facts, &mut all);
    let settings = variables::check(facts, &mut all);
    let live = match settings.as_ref().and_then(|settings| settings.store.as_ref()) {
        Some(store) => live::check(store, &facts.configuration, &mut all).await,
        None => None,
    };
    let pipeline = live.as_ref().or(here);
    if let (Some(settings), Some(pipeline)) = (&settings, pipeline) {
        variables::check_pipeline(settings, pipeline, &mut all);
    }
    mappings::check(facts, settings.as_ref(), pipeline, &mut all);
    streams::check(facts, &mut all);
    permissions::check(api, facts, settings.as_ref(), &mut all).await?;
    all.extend(facts.not_checked.iter().cloned());
    all.sort_by_key(|finding| finding.level);
    Ok(all)
}

fn show(facts: &Facts, findings: &[Finding], context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    let configuration = &facts.configuration;
    let (timeout, memory) = (configuration.timeout, configuration.memory_size);
    let (arch, mappings) = (configuration.architecture(), facts.mappings.len() as u64);
    ui.line(format!(
        "{}: {}, {arch}, {timeout} s, {memory} MB, {}, {}",
        paint.bold(&one_line(&configuration.function_name)),
        one_line(&configuration.runtime),
        count(mappings, "mapping"),
        count(facts.streams.len() as u64, "delivery stream")
    ))?;
    for finding in findings {
        let level = match finding.level {
            Level::LosesData => paint.red("loses data "),
            Level::BlocksData => paint.red("blocks data"),
            Level::Look => paint.yellow("look at    "),
            Level::NotChecked => paint.dim("not checked"),
        };
        let (about, problem, todo) = (&finding.about, one_line(&finding.problem), one_line(&finding.todo));
        ui.line(format!("  {level}  {about}: {problem}; {todo}"))?;
    }
    let bad = findings.iter().filter(|finding| finding.level <= Level::BlocksData).count() as u64;
    ui.line(match bad {
        0 => paint.green("nothing here loses or blocks data"),
        bad => paint.red(&format!("{} that {} or {} data", count(bad, "setting"), s("lose", bad), s("block", bad))),
    })
}

/// A verb for so many.
fn s(verb: &str, count: u64) -> String {
    if count == 1 { format!("{verb}s") } else { verb.to_owned() }
}

fn as_json(facts: &Facts, findings: &[Finding]) -> serde_json::Value {
    json!({
        "function": facts.configuration.function_arn,
        "mappings": facts.mappings.iter().map(|mapping| &mapping.uuid).collect::<Vec<_>>(),
        "delivery_streams": facts.streams.keys().collect::<Vec<_>>(),
        "findings": findings,
    })
}
