//! The function's environment, read with the function's own rules.

use super::facts::Facts;
use super::{Finding, Findings, Level};
use lambda::Settings;
use pipeline::{Pipeline, secret_names};

/// What Lambda adds to the variables that were configured.
fn as_on_lambda(facts: &Facts) -> std::collections::BTreeMap<String, String> {
    let mut variables = facts.configuration.environment.variables.clone();
    variables.insert("AWS_LAMBDA_RUNTIME_API".into(), "127.0.0.1:9001".into());
    variables.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), facts.configuration.memory_size.to_string());
    variables.insert("LAMBDA_TASK_ROOT".into(), "/var/task".into());
    variables
}

/// The settings that the function has; none when it does not start with them, or they cannot be read.
pub(super) fn check(facts: &Facts, all: &mut Vec<Finding>) -> Option<Settings> {
    if let Some(error) = &facts.configuration.environment.error {
        let problem = format!("they cannot be read: {} ({})", error.error_code, error.message);
        all.push(Finding::new(
            Level::NotChecked,
            "variables",
            problem,
            "allow these credentials kms:Decrypt with their key",
        ));
        return None;
    }
    let mut found = Findings { about: "variables".to_owned(), all };
    let settings = match Settings::read(&as_on_lambda(facts)) {
        Ok(settings) => settings,
        Err(error) => {
            found.blocks(format!("the function does not start with them: {error:#}"), "correct that");
            return None;
        }
    };
    let letters = settings.dead_letters.as_deref().unwrap_or_default();
    if letters.starts_with("file:") {
        found.loses(
            format!("PADDLE_DEAD_LETTERS is {letters}, which is gone with its environment"),
            "name a bucket: s3://bucket/dead-letters",
        );
    }
    let timeout_ms = u128::from(facts.configuration.timeout) * 1_000;
    if settings.deadline_reserve.as_millis() * 2 > timeout_ms {
        let problem =
            format!("PADDLE_DEADLINE_RESERVE_MS is {}, of {timeout_ms}", settings.deadline_reserve.as_millis());
        found.blocks(problem, "leave it out, or raise the function's timeout");
    }
    if settings.routes.is_empty() {
        found.blocks("PADDLE_ROUTES binds no delivery stream", "set it to default=<delivery stream>");
    }
    let Some(store) = &settings.store else { return Some(settings) };
    if store.url.starts_with("file:") {
        found.blocks(format!("PADDLE_STORE is {}: nothing is there on Lambda", store.url), "name a bucket");
    }
    if matches!(store.trust, registry::Trust::Unsigned) {
        found.look(
            "PADDLE_ALLOW_UNSIGNED: whoever can write the bucket decides what runs",
            "set PADDLE_TRUSTED_KEYS instead",
        );
    }
    let bucket =
        |url: &str| url.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or_default().to_owned());
    if bucket(letters).is_some_and(|letters| Some(letters) == bucket(&store.url)) {
        found.look(
            "dead letters go to the bucket of the releases, so the function may write there",
            "use another bucket for PADDLE_DEAD_LETTERS",
        );
    }
    Some(settings)
}

/// Whether the settings have all that a pipeline asks for.
pub(super) fn check_pipeline(settings: &Settings, pipeline: &Pipeline, all: &mut Vec<Finding>) {
    let mut found = Findings { about: "variables".to_owned(), all };
    for route in pipeline.routes.iter().filter(|route| !settings.routes.contains_key(&route.name)) {
        let name = &route.name;
        found.blocks(
            format!("PADDLE_ROUTES does not bind the route `{name}` of pipeline `{}`", pipeline.name),
            format!("add {name}=<delivery stream>"),
        );
    }
    let mut names: Vec<String> = pipeline.steps.iter().flat_map(|step| secret_names(&step.config)).collect();
    names.sort();
    names.dedup();
    for name in names {
        match settings.secrets.get(&name).map(|value| pipeline::check_secret(&value)) {
            Err(why) => found.blocks(format!("the secret `{name}` of pipeline `{}` is missing", pipeline.name), why),
            Ok(Err(why)) => found.blocks(
                format!("the secret `{name}` of pipeline `{}` is refused: {why}", pipeline.name),
                "set a longer one".to_owned(),
            ),
            Ok(Ok(())) => {}
        }
    }
}
