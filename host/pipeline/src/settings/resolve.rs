//! What a `paddle.toml` means: defaults filled in, and values checked that its types leave open.

use super::file::{
    CloudwatchMessage, DocumentTable, File, InputTable, LimitsTable, NewlinesName, PipelineTable, StepTable,
};
use super::mistake::Mistake;
use super::permissions::permissions;
use super::values::{Config, IdField, OnFailure};
use super::{
    DocumentRules, ID_FIELD_DEFAULT, Input, Limits, Pipeline, Policies, Policy, RETRY_FOR_DEFAULT, Release, Route,
    SettingsError, Step, Unpack,
};
use crate::assets::ASSETS_MAX;
use crate::failure::FailureKind;
use document::{Newlines, Rules};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// Most steps of a pipeline: each is an instance a worker.
const STEPS_MAX: usize = 64;

/// Most routes: each is a delivery stream.
const ROUTES_MAX: usize = 64;

/// This program's version, for `requires`: the workspace's.
const VERSION: (u32, u32) = (digits(env!("CARGO_PKG_VERSION_MAJOR")), digits(env!("CARGO_PKG_VERSION_MINOR")));

/// A number that cargo has checked already.
const fn digits(text: &str) -> u32 {
    let (bytes, mut at, mut number) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        number = number * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    number
}

type Result<T> = std::result::Result<T, Mistake>;

pub(super) fn parse(text: &str) -> std::result::Result<Pipeline, SettingsError> {
    let file = toml::from_str(text).map_err(|error| Mistake::of_toml(&error, text));
    file.and_then(pipeline).map_err(|mistake| mistake.told(text))
}

fn pipeline(file: File) -> Result<Pipeline> {
    let name = pipeline_name(file.pipeline)?;
    let steps = steps(file.step)?;
    Ok(Pipeline {
        name,
        steps,
        routes: routes(file.routes)?,
        input: input(file.input)?,
        document: document_rules(file.document)?,
        release: Release {
            store: file.release.store,
            channel: file.release.channel,
            test_records: file.release.test_records.unwrap_or(true),
        },
    })
}

fn pipeline_name(table: PipelineTable) -> Result<String> {
    if let Some(requires) = &table.requires {
        check_version(requires)?;
    }
    let Some(name) = table.name else { return Ok("pipeline".into()) };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits = (1..=128).contains(&name.get_ref().len()) && name.get_ref().bytes().all(plain);
    if !fits {
        return wrong(&name, "a pipeline's name has 1 to 128 letters, digits, `-`, `_` or `.`");
    }
    Ok(name.into_inner())
}

/// A mistake where a value stands.
fn wrong<T, V>(value: &Spanned<V>, message: impl Into<String>) -> Result<T> {
    Err(Mistake::at(value.span(), message))
}

fn check_version(requires: &Spanned<String>) -> Result<()> {
    let version = requires.get_ref().trim().strip_prefix(">=").map(str::trim).and_then(|version| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().unwrap_or(Ok(0)).ok()?;
        numbers.all(|number| number.is_ok()).then_some((major, minor))
    });
    match version {
        None => wrong(requires, "something like \">=0.1\" is expected"),
        Some(needed) if needed > VERSION => {
            let (major, minor) = VERSION;
            wrong(requires, format!("this pipeline requires paddle {}; this is {major}.{minor}", requires.get_ref()))
        }
        Some(_) => Ok(()),
    }
}

fn steps(tables: Vec<Spanned<StepTable>>) -> Result<Vec<Step>> {
    if let Some(table) = tables.get(STEPS_MAX) {
        return wrong(table, format!("{} steps: a pipeline has at most {STEPS_MAX}", tables.len()));
    }
    let mut steps: Vec<Step> = Vec::with_capacity(tables.len());
    for table in tables {
        let table = table.into_inner();
        let named = table.name.as_ref().unwrap_or(&table.plugin).span();
        let step = step(table)?;
        if steps.iter().any(|before| before.name == step.name) {
            let message = format!("two steps are called `{}`: give one of them another `name`", step.name);
            return Err(Mistake::at(named, message));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(table: StepTable) -> Result<Step> {
    let plugin = table.plugin.get_ref();
    if plugin.is_empty() || plugin.chars().any(char::is_control) {
        return wrong(&table.plugin, "the name of a plugin or the path of one is expected");
    }
    let name = table.name.as_ref().map_or_else(|| plugin_name(plugin), |name| name.get_ref()).to_owned();
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return wrong(
            table.name.as_ref().unwrap_or(&table.plugin),
            "a step's name must be 1 to 128 printable characters; without one, the plugin's name is used",
        );
    }
    let required = table.required.unwrap_or(plugin == "redact");
    let on_failure = policies(table.on_failure, &name, required)?;
    let (scope, may) = permissions(table.reads, table.writes, table.may)?;
    let assets = assets(table.assets)?;
    Ok(Step {
        config: table.config.map_or_else(|| serde_json::json!({}), |Config(json)| json),
        assets,
        on_failure,
        scope,
        may,
        retry_for: retry_for(table.retry_for_s)?,
        isolation: table.isolation,
        limits: limits(&table.limits)?,
        plugin: table.plugin.into_inner(),
        name,
    })
}

/// A step's files, by the name that each has for the plugin.
fn assets(typed: BTreeMap<Spanned<String>, Spanned<String>>) -> Result<BTreeMap<String, String>> {
    if let Some(name) = typed.keys().nth(ASSETS_MAX) {
        return wrong(name, format!("{} files: a step has at most {ASSETS_MAX}", typed.len()));
    }
    let is_plain = |text: &str| !text.is_empty() && text.len() <= 1_024 && !text.chars().any(char::is_control);
    for (name, path) in &typed {
        if !is_plain(name.get_ref()) {
            return wrong(name, "the name that a file has for the plugin is expected");
        }
        if !is_plain(path.get_ref()) {
            return wrong(path, "the path of a file is expected");
        }
    }
    Ok(typed.into_iter().map(|(name, path)| (name.into_inner(), path.into_inner())).collect())
}

/// The last part of a path, without its ending: what a step is called that has no name of its own.
fn plugin_name(plugin: &str) -> &str {
    let last = plugin.trim_end_matches('/').rsplit('/').next().unwrap_or(plugin);
    last.rsplit_once('.').map_or(last, |(stem, _)| if stem.is_empty() { last } else { stem })
}

fn policies(typed: Option<Spanned<OnFailure>>, step: &str, required: bool) -> Result<Policies> {
    let Some(typed) = typed else { return Ok(Policies::all(Policy::DeadLetter)) };
    let span = typed.span();
    let policies = match typed.into_inner() {
        OnFailure::All(policy) => Policies::all(policy),
        OnFailure::ByKind(kinds) => {
            kinds.keys().try_for_each(possible)?;
            let by_kind = kinds.into_iter().map(|(kind, policy)| (kind.into_inner(), policy)).collect();
            Policies { default: Policy::DeadLetter, by_kind }
        }
    };
    if required && policies.any(Policy::Pass) {
        let message = format!(
            "step `{step}` is required, so on_failure = \"pass\" would let events by unchanged: choose another policy, or say required = false"
        );
        return Err(Mistake::at(span, message));
    }
    Ok(policies)
}

/// Refuses a kind of failure that no step has: a policy for it would do nothing.
fn possible(kind: &Spanned<FailureKind>) -> Result<()> {
    let table = match kind.get_ref() {
        FailureKind::Unpack => "[input]",
        FailureKind::Forbidden => "[document]",
        FailureKind::Host => {
            return wrong(kind, "no step fails with `host`: a record that breaks the host is always a dead letter");
        }
        FailureKind::Reject
        | FailureKind::RetryExhausted
        | FailureKind::Error
        | FailureKind::Trap
        | FailureKind::Timeout
        | FailureKind::NotCalled
        | FailureKind::Memory
        | FailureKind::Denied
        | FailureKind::InvalidOutput
        | FailureKind::Oversize => return Ok(()),
    };
    wrong(kind, format!("no step fails with `{}`: on_failure under {table} decides about it", kind.get_ref()))
}

fn retry_for(typed: Option<Spanned<u64>>) -> Result<Duration> {
    // Kinesis keeps records for a year at most.
    bounded(typed.as_ref(), RETRY_FOR_DEFAULT.as_secs(), 0..=31_536_000, "retry_for_s").map(Duration::from_secs)
}

fn limits(typed: &LimitsTable) -> Result<Limits> {
    let default = Limits::default();
    let time_ms = default.time.as_millis() as u64;
    Ok(Limits {
        // A batch has 15 minutes; one event that takes a minute is no transform.
        time: Duration::from_millis(bounded(typed.time_ms.as_ref(), time_ms, 1..=60_000, "time_ms")?),
        // The address space of wasm32.
        memory_mib: bounded(typed.memory_mib.as_ref(), default.memory_mib.into(), 1..=4_096, "memory_mib")? as u32,
        output_bytes: bounded(typed.output_bytes.as_ref(), default.output_bytes, 1..=16_777_216, "output_bytes")?,
        outputs: bounded(typed.outputs.as_ref(), default.outputs.into(), 1..=10_000, "outputs")? as u32,
        log_lines: bounded(typed.log_lines.as_ref(), default.log_lines.into(), 0..=1_000, "log_lines")? as u32,
    })
}

fn bounded(typed: Option<&Spanned<u64>>, default: u64, range: RangeInclusive<u64>, key: &str) -> Result<u64> {
    match typed {
        None => Ok(default),
        Some(typed) if range.contains(typed.get_ref()) => Ok(*typed.get_ref()),
        Some(typed) => wrong(typed, format!("{key} is a number from {} to {}", range.start(), range.end())),
    }
}

fn routes(typed: BTreeMap<Spanned<String>, Spanned<String>>) -> Result<Vec<Route>> {
    if let Some(name) = typed.keys().nth(ROUTES_MAX) {
        return wrong(name, format!("{} routes: at most {ROUTES_MAX}", typed.len()));
    }
    let mut routes = vec![Route { name: "default".into(), stream: "default".into() }];
    for (name, stream) in typed {
        // `PADDLE_ROUTES` writes them as name=stream,name=stream.
        let separates = |c: char| matches!(c, '=' | ',') || c.is_whitespace() || c.is_control();
        if name.get_ref().is_empty() || name.get_ref().len() > 128 || name.get_ref().contains(separates) {
            return wrong(&name, "a route's name has 1 to 128 characters, none of them `=`, `,` or a blank");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if !(1..=64).contains(&stream.get_ref().len()) || !stream.get_ref().bytes().all(plain) {
            return wrong(&stream, "a delivery stream's name has 1 to 64 letters, digits, `_`, `.` or `-`");
        }
        let (name, stream) = (name.into_inner(), stream.into_inner());
        match name.as_str() {
            "default" => routes[0].stream = stream,
            _ => routes.push(Route { name, stream }),
        }
    }
    Ok(routes)
}

fn input(typed: InputTable) -> Result<Input> {
    let names = typed.unpack.as_deref();
    if let Some(names) = names {
        let twin =
            names.iter().enumerate().find(|(at, name)| names[..*at].iter().any(|n| n.get_ref() == name.get_ref()));
        if let Some((_, twin)) = twin {
            return wrong(twin, "this packing stands in the list already: each is looked for once");
        }
    }
    Ok(Input {
        unpack: names.map_or_else(
            || vec![Unpack::Kpl, Unpack::Gzip, Unpack::CloudwatchLogs],
            |names| names.iter().map(|name| *name.get_ref()).collect(),
        ),
        cloudwatch_message_json: matches!(typed.cloudwatch_message, CloudwatchMessage::Json),
        on_failure: typed.on_failure,
    })
}

fn document_rules(typed: DocumentTable) -> Result<DocumentRules> {
    let id_field = match typed.id_field {
        None => Some(ID_FIELD_DEFAULT.to_owned()),
        Some(typed) => {
            let span = typed.span();
            match typed.into_inner() {
                IdField::Off => None,
                IdField::Name(name) => Some(field_name(Spanned::new(span, name))?),
            }
        }
    };
    let release_field = match typed.release_field {
        Some(name) if Some(name.get_ref()) == id_field.as_ref() => {
            return wrong(&name, "id_field and release_field are the same field: each needs its own");
        }
        name => name.map(field_name).transpose()?,
    };
    let newlines = match typed.newlines {
        NewlinesName::Refuse => Newlines::Refuse,
        NewlinesName::Space => Newlines::Space,
    };
    Ok(DocumentRules {
        rules: Rules { strict: typed.strict, newlines, id_field, stamp: None },
        release_field,
        on_failure: typed.on_failure,
        forbid: typed.forbid,
    })
}

/// A name that the host may give to a field of its own.
fn field_name(name: Spanned<String>) -> Result<String> {
    let text = name.get_ref();
    let plain = (1..=256).contains(&text.len())
        && !text.starts_with('_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@'));
    if !plain {
        return wrong(
            &name,
            "a field's name of 1 to 256 letters, digits, `_`, `-` or `@`, no `_` in front, is expected",
        );
    }
    Ok(name.into_inner())
}
