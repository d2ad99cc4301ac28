//! `paddle check`: is this pipeline sound? Everything is built, loaded and started, and dangerous settings are named.
//! With `--function` the same question about a live function and what is around it.

use crate::Context;
use crate::error::{Error, Status};
use crate::function;
use crate::project::{FILE, Loading, Project, Ready, SecretsFrom, shown};
use crate::table::{Align, Table};
use crate::text;
use clap::Args;
use pipeline::settings::{EdgePolicy, Isolation, Policy, Step};
use pipeline::{FailureKind, Pipeline};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// How long Kinesis keeps records when nobody changes that.
const RETENTION_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// Check that a pipeline is sound, or a live function
///
/// A pipeline: every step is built, loaded and started, and dangerous settings are named.
///
/// With --function: the function, the event source mappings that feed it, its PADDLE_ variables, the delivery streams
/// behind it and what its role may do are read from AWS, and each setting that loses or blocks data is named, with what
/// to set. Nothing is changed. Needs lambda:GetFunctionConfiguration, lambda:GetFunctionConcurrency,
/// lambda:ListEventSourceMappings, firehose:DescribeDeliveryStream and, for the role, iam:SimulatePrincipalPolicy.
/// Exits with 1 when a setting loses or blocks data.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle check
  paddle check plugins/example --strict
  paddle check --function clicks
  AWS_PROFILE=production paddle check --function clicks --format json")]
pub(crate) struct Check {
    /// A paddle.toml, its folder, or one plugin; default: the current folder
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Exit with 1 when there is a warning
    #[arg(long)]
    strict: bool,
    /// Check this live function: a name or an ARN
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
}

impl Check {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        if let Some(named) = &self.function {
            // What the function's own store says comes first, so a paddle.toml that nobody named need not be good.
            let here = match self.pipeline {
                Some(_) => Some(Project::find(self.pipeline.as_deref())?),
                None => Path::new(FILE).is_file().then(|| Project::find(None).ok()).flatten(),
            };
            return function::check(named, here.as_ref().map(|project| &project.pipeline), self.strict, context);
        }
        let project = Project::find(self.pipeline.as_deref())?;
        // A secret that is not here is a warning: checking must work where production's secrets are not.
        let missing = project.missing_secrets()?;
        let secrets = if missing.is_empty() { SecretsFrom::Environment } else { SecretsFrom::Dummy };
        let ready = project.load(context, &Loading { secrets, ..Loading::PRODUCTION })?;
        let mut warnings = warnings(&project.pipeline);
        for (name, variable) in &missing {
            warnings.push(format!(
                "secret `{name}` is not set here: {variable} is needed to run (a dummy was used to check)"
            ));
        }
        match context.ui.is_json() {
            true => context.ui.json(&as_json(&project, &ready, &warnings))?,
            false => show(&project, &ready, &warnings, context)?,
        }
        Ok(Status::failed_if(self.strict && !warnings.is_empty()))
    }
}

fn show(project: &Project, ready: &Ready, warnings: &[String], context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.paint();
    ui.line(format!("{} ({})", paint.bold(&project.pipeline.name), project.source))?;
    let columns = [
        ("step", Align::Left),
        ("plugin", Align::Left),
        ("size", Align::Right),
        ("loads in", Align::Right),
        ("when it fails", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (step, info) in project.pipeline.steps.iter().zip(&ready.steps) {
        let plugin = if step.plugin.starts_with('/') { shown(step) } else { info.origin.describe() };
        table.row([step.name.clone(), plugin, text::bytes(info.parts.size()), text::time(info.load), policy(step)]);
    }
    if !project.pipeline.steps.is_empty() {
        for line in table.lines(paint) {
            ui.line(line)?;
        }
    }
    let route = |route: &pipeline::settings::Route| format!("{} → {}", route.name, route.stream);
    let routes: Vec<String> = project.pipeline.routes.iter().map(route).collect();
    ui.line(format!("  {}  {}", paint.dim("routes"), routes.join(", ")))?;
    for warning in warnings {
        ui.warn(warning)?;
    }
    if warnings.is_empty() {
        return ui.line(paint.green("sound"));
    }
    ui.line(format!("it works, with {}", text::count(warnings.len() as u64, "warning")))
}

fn policy(step: &Step) -> String {
    let default = step.on_failure.of(FailureKind::Reject);
    let others = FailureKind::ALL.iter().copied().filter(|&kind| step.on_failure.of(kind) != default);
    let others: Vec<String> = others.map(|kind| format!("{kind}: {}", step.on_failure.of(kind).as_str())).collect();
    if others.is_empty() {
        default.as_str().to_owned()
    } else {
        format!("{} ({})", default.as_str(), others.join(", "))
    }
}

fn as_json(project: &Project, ready: &Ready, warnings: &[String]) -> serde_json::Value {
    let step = |(step, info): (&Step, &crate::project::StepInfo)| json!({"name": step.name, "plugin": step.plugin, "bytes": info.parts.size(), "load_ms": info.load.as_secs_f64() * 1e3});
    let steps: Vec<_> = project.pipeline.steps.iter().zip(&ready.steps).map(step).collect();
    json!({"pipeline": project.pipeline.name, "steps": steps, "digests": ready.loaded.digests, "warnings": warnings})
}

/// Settings that work and may still not be meant.
fn warnings(pipeline: &Pipeline) -> Vec<String> {
    let mut warnings: Vec<String> = pipeline.steps.iter().flat_map(of_step).collect();
    if pipeline.steps.is_empty() {
        warnings.push("there is no step: events are unpacked, checked and delivered as they are".into());
    }
    if pipeline.input.on_failure == EdgePolicy::Drop {
        warnings.push(
            "[input] on_failure = \"drop\": records that cannot be taken apart are lost, and only counted".into(),
        );
    }
    if pipeline.document.on_failure == EdgePolicy::Drop {
        warnings
            .push("[document] on_failure = \"drop\": documents that may not be sent are lost, and only counted".into());
    }
    if pipeline.document.rules.id_field.is_none() {
        warnings.push(
            "[document] id_field = false: a record that Kinesis delivers twice cannot be told from two records".into(),
        );
    }
    for (at, route) in pipeline.routes.iter().enumerate() {
        if let Some(twin) = pipeline.routes[..at].iter().find(|twin| twin.stream == route.stream) {
            warnings.push(format!("routes `{}` and `{}` go to one stream, `{}`", twin.name, route.name, route.stream));
        }
    }
    warnings
}

/// Whether an event that failed in this way most likely fails so again: the plugin decides by the event alone.
fn fails_again(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Reject
        | FailureKind::Error
        | FailureKind::Trap
        | FailureKind::Denied
        | FailureKind::InvalidOutput
        | FailureKind::Oversize => true,
        FailureKind::RetryExhausted
        | FailureKind::Timeout
        | FailureKind::NotCalled
        | FailureKind::Memory
        | FailureKind::Forbidden
        | FailureKind::Unpack
        | FailureKind::Host => false,
    }
}

fn of_step(step: &Step) -> Vec<String> {
    let name = &step.name;
    let mut warnings = Vec::new();
    let kinds = |policy| FailureKind::ALL.iter().copied().filter(|&kind| step.on_failure.of(kind) == policy).count();
    if kinds(Policy::Drop) > 0 {
        warnings.push(format!("step `{name}`: on_failure = \"drop\" loses events that fail, and only counts them"));
    }
    if kinds(Policy::Pass) > 0 && step.plugin == "redact" {
        warnings.push(format!("step `{name}`: on_failure = \"pass\" sends what redact could not mask on unmasked"));
    } else if kinds(Policy::Pass) == FailureKind::ALL.len() {
        warnings.push(format!(
            "step `{name}`: on_failure = \"pass\" sends every event that fails on unchanged, traps and timeouts too"
        ));
    }
    let retried: Vec<&str> = (FailureKind::ALL.iter().copied())
        .filter(|&kind| fails_again(kind) && step.on_failure.of(kind) == Policy::Retry)
        .map(FailureKind::as_str)
        .collect();
    if !retried.is_empty() {
        warnings.push(format!(
            "step `{name}`: on_failure = \"retry\" blocks the shard for {} for each event that always fails ({})",
            text::time(step.retry_for),
            retried.join(", ")
        ));
    }
    if step.retry_for > RETENTION_DEFAULT {
        warnings.push(format!("step `{name}`: retry_for_s is longer than Kinesis keeps records by default (24 h): records may expire unprocessed"));
    }
    if step.isolation == Isolation::Event {
        warnings.push(format!(
            "step `{name}`: isolation = \"event\" makes a fresh instance for each event, which costs about 11 × a call"
        ));
    }
    warnings.extend(not_granted(step));
    warnings
}

/// What a restricted step may not do besides, when that may not be meant: nobody said so, or its plugin lives by it.
fn not_granted(step: &Step) -> Option<String> {
    step.scope.as_ref()?;
    let (name, may) = (&step.name, step.may);
    let needs = match step.plugin.as_str() {
        "filter" if !may.drop => Some(("drops events", "drop")),
        "split" if !may.fan_out => Some(("fans out", "fan-out")),
        _ => None,
    };
    if let Some((does, permission)) = needs {
        let plugin = &step.plugin;
        return Some(format!(
            "step `{name}`: {plugin} {does}, which this step may not: such events fail as `denied`; allow it with may = [\"{permission}\"]"
        ));
    }
    (!may.stated).then(|| {
        format!(
            "step `{name}`: it has reads or writes and no may, so it may not drop, route or fan out (an event fails as `denied`): \
             list what it may do, or write may = []"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::warnings;
    use pipeline::Pipeline;

    fn check(text: &str, expected: &[&str]) {
        let pipeline = Pipeline::parse(text).unwrap_or_else(|error| panic!("{error}"));
        let found = warnings(&pipeline);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn dangerous_settings_are_named() {
        check("[[step]]\nplugin = \"filter\"", &[]);
        check("[document]\nid_field = false", &["there is no step", "id_field"]);
        check("[[step]]\nplugin = \"a\"\non_failure = \"drop\"\nretry_for_s = 90000", &["loses", "retry_for_s"]);
        check("[[step]]\nplugin = \"redact\"\nrequired = false\non_failure = { trap = \"pass\" }", &["unmasked"]);
        check("[[step]]\nplugin = \"a\"\non_failure = \"pass\"\nisolation = \"event\"", &["unchanged", "11 ×"]);
        check(
            "[[step]]\nplugin = \"a\"\non_failure = { reject = \"retry\" }",
            &["for each event that always fails (reject)"],
        );
        check("[[step]]\nplugin = \"a\"\non_failure = { timeout = \"retry\" }", &[]);
        check("[[step]]\nplugin = \"a\"\n[routes]\na = \"x\"\nb = \"x\"", &["go to one stream"]);
    }

    #[test]
    fn what_a_restricted_step_may_not_do_is_named() {
        let step = |plugin, more: &str| format!("[[step]]\nplugin = \"{plugin}\"\n{more}");
        check(&step("a", "reads = [\"x\"]\nwrites = []"), &["may not drop, route or fan out"]);
        check(&step("a", "reads = [\"x\"]\nwrites = []\nmay = []"), &[]);
        check(&step("filter", "reads = [\"x\"]"), &["filter drops events"]);
        check(&step("filter", "may = [\"route\"]"), &["filter drops events"]);
        check(&step("filter", "reads = [\"x\"]\nmay = [\"drop\"]"), &[]);
        check(&step("split", "may = []"), &["split fans out"]);
        check(&step("split", "may = [\"fan-out\"]"), &[]);
    }
}
