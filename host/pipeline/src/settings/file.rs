//! `paddle.toml` as it is typed, and what it resolves to.

use super::{
    DocumentRules, Input, Isolation, Limits, May, Pipeline, Policies, Policy, Release, Route, SettingsError, Step,
    Unpack, pattern,
};
use crate::failure::FailureKind;
use crate::forbid::Forbidden;
use document::{Newlines, Rules, Scope};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The field that gets the deterministic id. Not `event.id`: OpenSearch would refuse a document with a scalar `event`.
pub(super) const ID_FIELD_DEFAULT: &str = "paddle_id";

/// How long a plugin's `retry` is obeyed: five minutes ride out most troubles and block a shard for no longer.
pub(super) const RETRY_FOR_DEFAULT: Duration = Duration::from_secs(300);

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    pipeline: PipelineTable,
    #[serde(default)]
    step: Vec<StepTable>,
    #[serde(default)]
    routes: BTreeMap<String, String>,
    #[serde(default)]
    input: InputTable,
    #[serde(default)]
    document: DocumentTable,
    #[serde(default)]
    release: ReleaseTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PipelineTable {
    name: Option<String>,
    requires: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    name: Option<String>,
    plugin: String,
    #[serde(default)]
    config: Option<toml::Value>,
    #[serde(default)]
    required: Option<bool>,
    #[serde(default)]
    on_failure: Option<OnFailure>,
    reads: Option<Vec<String>>,
    writes: Option<Vec<String>>,
    may: Option<Vec<Permission>>,
    retry_for_s: Option<u64>,
    #[serde(default)]
    isolation: IsolationName,
    #[serde(default)]
    limits: LimitsTable,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum PolicyName {
    DeadLetter,
    Drop,
    Pass,
    Retry,
}

/// One policy for all, or one by kind. Written out by hand: `serde(untagged)` would hide which value was wrong.
enum OnFailure {
    All(PolicyName),
    ByKind(BTreeMap<FailureKind, PolicyName>),
}

impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<OnFailure, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = OnFailure;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a policy (dead-letter, drop, pass, retry) or a table of policies by failure kind")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OnFailure, E> {
                PolicyName::deserialize(serde::de::value::StrDeserializer::new(text)).map(OnFailure::All)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<OnFailure, A::Error> {
                BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OnFailure::ByKind)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Permission {
    Drop,
    Route,
    FanOut,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum IsolationName {
    #[default]
    Shared,
    Event,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    time_ms: Option<u64>,
    memory_mib: Option<u64>,
    output_bytes: Option<u64>,
    outputs: Option<u64>,
    log_lines: Option<u64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum UnpackName {
    Kpl,
    Gzip,
    CloudwatchLogs,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum CloudwatchMessage {
    #[default]
    Text,
    Json,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case")]
enum EdgePolicy {
    #[default]
    DeadLetter,
    Drop,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct InputTable {
    unpack: Option<Vec<UnpackName>>,
    #[serde(default)]
    cloudwatch_message: CloudwatchMessage,
    #[serde(default)]
    on_failure: EdgePolicy,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum NewlinesName {
    #[default]
    Refuse,
    Space,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct DocumentTable {
    #[serde(default)]
    on_failure: EdgePolicy,
    id_field: Option<IdField>,
    release_field: Option<String>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    newlines: NewlinesName,
    #[serde(default)]
    forbid: Vec<Forbidden>,
}

/// A field's name, or `false`.
enum IdField {
    Name(String),
    Off,
}

impl<'de> Deserialize<'de> for IdField {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<IdField, D::Error> {
        struct Either;
        impl serde::de::Visitor<'_> for Either {
            type Value = IdField;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a field, or false")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<IdField, E> {
                Ok(IdField::Name(text.to_owned()))
            }

            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<IdField, E> {
                if on { Err(E::invalid_value(serde::de::Unexpected::Bool(true), &self)) } else { Ok(IdField::Off) }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ReleaseTable {
    store: Option<String>,
    channel: Option<String>,
    test_records: Option<bool>,
}

fn wrong<T>(message: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError { message: message.into() })
}

pub(super) fn parse(text: &str) -> Result<Pipeline, SettingsError> {
    // The error of the toml crate shows the line, the text under a caret, and the known keys or values.
    let file: File =
        toml::from_str(text).map_err(|error| SettingsError { message: error.to_string().trim_end().into() })?;
    if let Some(requires) = &file.pipeline.requires {
        check_version(requires)?;
    }
    let name = file.pipeline.name.unwrap_or_else(|| "pipeline".into());
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return wrong(format!("[pipeline] name `{name}`: 1 to 128 letters, digits, `-`, `_` or `.` are expected"));
    }
    if file.step.len() > STEPS_MAX {
        return wrong(format!("{} steps: a pipeline has at most {STEPS_MAX}", file.step.len()));
    }
    let steps = file.step.into_iter().map(step).collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twin) = steps.iter().find(|step| !names.insert(&step.name)) {
        return wrong(format!("two steps are called `{}`: give one of them another `name`", twin.name));
    }
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

fn check_version(requires: &str) -> Result<(), SettingsError> {
    let version = requires.trim().strip_prefix(">=").map(str::trim).and_then(|version| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().unwrap_or(Ok(0)).ok()?;
        numbers.all(|number| number.is_ok()).then_some((major, minor))
    });
    match version {
        None => wrong(format!("[pipeline] requires = \"{requires}\": something like \">=0.1\" is expected")),
        Some(needed) if needed > VERSION => {
            wrong(format!("this pipeline requires paddle {requires}; this is {}.{}", VERSION.0, VERSION.1))
        }
        Some(_) => Ok(()),
    }
}

fn step(table: StepTable) -> Result<Step, SettingsError> {
    if table.plugin.is_empty() {
        return wrong("a step's `plugin` is empty: a name or a path is expected");
    }
    let name = table.name.unwrap_or_else(|| plugin_name(&table.plugin).to_owned());
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return wrong(format!("step name `{}`: 1 to 128 printable characters are expected", name.escape_debug()));
    }
    let on_failure = policies(table.on_failure);
    let required = table.required.unwrap_or(table.plugin == "redact");
    if required && on_failure.any(Policy::Pass) {
        return wrong(format!(
            "step `{name}` is required, so on_failure = \"pass\" would let events by unchanged: choose another policy, or say required = false"
        ));
    }
    let restricted = table.reads.is_some() || table.writes.is_some();
    let patterns = |list: Option<Vec<String>>, key: &str| -> Result<_, SettingsError> {
        list.map(|list| list.iter().map(|text| pattern(text, key, &name)).collect()).transpose()
    };
    // `@partition-key` is no field: it says whether the plugin may see the partition key.
    let scope = if restricted {
        let sees_key = table.reads.as_ref().is_none_or(|reads| reads.iter().any(|field| field == "@partition-key"));
        let reads = table.reads.map(|reads| reads.into_iter().filter(|field| field != "@partition-key").collect());
        Some(Arc::new(Scope::new(patterns(reads, "reads")?, patterns(table.writes, "writes")?, sees_key)))
    } else {
        None
    };
    let granted = table.may.unwrap_or_else(|| {
        if restricted { Vec::new() } else { vec![Permission::Drop, Permission::Route, Permission::FanOut] }
    });
    let may = |permission| granted.contains(&permission);
    Ok(Step {
        config: config(table.config, &name)?,
        on_failure,
        scope,
        may: May { drop: may(Permission::Drop), route: may(Permission::Route), fan_out: may(Permission::FanOut) },
        retry_for: retry_for(table.retry_for_s, &name)?,
        isolation: match table.isolation {
            IsolationName::Shared => Isolation::Shared,
            IsolationName::Event => Isolation::Event,
        },
        limits: limits(&table.limits, &name)?,
        plugin: table.plugin,
        name,
    })
}

/// The last part of a path, without its ending: what a step is called that has no name of its own.
fn plugin_name(plugin: &str) -> &str {
    let last = plugin.trim_end_matches('/').rsplit('/').next().unwrap_or(plugin);
    last.rsplit_once('.').map_or(last, |(stem, _)| if stem.is_empty() { last } else { stem })
}

fn policies(typed: Option<OnFailure>) -> Policies {
    let policy = |name| match name {
        PolicyName::DeadLetter => Policy::DeadLetter,
        PolicyName::Drop => Policy::Drop,
        PolicyName::Pass => Policy::Pass,
        PolicyName::Retry => Policy::Retry,
    };
    match typed {
        None => Policies::all(Policy::DeadLetter),
        Some(OnFailure::All(name)) => Policies::all(policy(name)),
        Some(OnFailure::ByKind(kinds)) => Policies {
            default: Policy::DeadLetter,
            by_kind: kinds.into_iter().map(|(kind, name)| (kind, policy(name))).collect(),
        },
    }
}

fn config(typed: Option<toml::Value>, step: &str) -> Result<serde_json::Value, SettingsError> {
    let Some(typed) = typed else { return Ok(serde_json::json!({})) };
    // TOML has dates and infinities, JSON has neither.
    serde_json::to_value(&typed)
        .map_err(|error| SettingsError { message: format!("step `{step}`: config is not JSON: {error}") })
}

fn retry_for(typed: Option<u64>, step: &str) -> Result<Duration, SettingsError> {
    // Kinesis keeps records for a year at most.
    bounded(typed, RETRY_FOR_DEFAULT.as_secs(), 0..=31_536_000, step, "retry_for_s").map(Duration::from_secs)
}

fn limits(typed: &LimitsTable, step: &str) -> Result<Limits, SettingsError> {
    let default = Limits::default();
    let get = |typed, default, range, key| bounded(typed, default, range, step, key);
    Ok(Limits {
        // A batch has 15 minutes; one event that takes a minute is no transform.
        time: Duration::from_millis(get(typed.time_ms, default.time.as_millis() as u64, 1..=60_000, "limits.time_ms")?),
        // The address space of wasm32.
        memory_mib: get(typed.memory_mib, default.memory_mib.into(), 1..=4_096, "limits.memory_mib")? as u32,
        output_bytes: get(typed.output_bytes, default.output_bytes, 1..=16_777_216, "limits.output_bytes")?,
        outputs: get(typed.outputs, default.outputs.into(), 1..=10_000, "limits.outputs")? as u32,
        log_lines: get(typed.log_lines, default.log_lines.into(), 0..=1_000, "limits.log_lines")? as u32,
    })
}

fn bounded(
    typed: Option<u64>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
    step: &str,
    key: &str,
) -> Result<u64, SettingsError> {
    let value = typed.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    wrong(format!("step `{step}`: {key} = {value}: {} to {} is expected", range.start(), range.end()))
}

fn routes(typed: BTreeMap<String, String>) -> Result<Vec<Route>, SettingsError> {
    if typed.len() > ROUTES_MAX {
        return wrong(format!("{} routes: at most {ROUTES_MAX}", typed.len()));
    }
    let mut routes = vec![Route { name: "default".into(), stream: "default".into() }];
    for (name, stream) in typed {
        let fits = (1..=64).contains(&stream.len())
            && stream.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !fits {
            return wrong(format!(
                "[routes] {name} = \"{stream}\": a delivery stream's name has 1 to 64 letters, digits, `_`, `.` or `-`"
            ));
        }
        match name.as_str() {
            "default" => routes[0].stream = stream,
            _ => routes.push(Route { name, stream }),
        }
    }
    Ok(routes)
}

fn input(typed: InputTable) -> Result<Input, SettingsError> {
    let names = typed.unpack.unwrap_or_else(|| vec![UnpackName::Kpl, UnpackName::Gzip, UnpackName::CloudwatchLogs]);
    if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        return wrong("[input] unpack names a packing twice: each is looked for once");
    }
    let unpack = |name: &UnpackName| match name {
        UnpackName::Kpl => Unpack::Kpl,
        UnpackName::Gzip => Unpack::Gzip,
        UnpackName::CloudwatchLogs => Unpack::CloudwatchLogs,
    };
    Ok(Input {
        unpack: names.iter().map(unpack).collect(),
        cloudwatch_message_json: matches!(typed.cloudwatch_message, CloudwatchMessage::Json),
        on_failure: edge(typed.on_failure),
    })
}

fn edge(policy: EdgePolicy) -> Policy {
    match policy {
        EdgePolicy::DeadLetter => Policy::DeadLetter,
        EdgePolicy::Drop => Policy::Drop,
    }
}

fn document_rules(typed: DocumentTable) -> Result<DocumentRules, SettingsError> {
    let id_field = match typed.id_field {
        None => Some(ID_FIELD_DEFAULT.to_owned()),
        Some(IdField::Off) => None,
        Some(IdField::Name(name)) => Some(field_name("id_field", name)?),
    };
    let release_field = typed.release_field.map(|name| field_name("release_field", name)).transpose()?;
    if release_field.is_some() && release_field == id_field {
        return wrong("[document] id_field and release_field are the same field: each needs its own".to_owned());
    }
    let newlines = match typed.newlines {
        NewlinesName::Refuse => Newlines::Refuse,
        NewlinesName::Space => Newlines::Space,
    };
    Ok(DocumentRules {
        rules: Rules { strict: typed.strict, newlines, id_field, stamp: None },
        release_field,
        on_failure: edge(typed.on_failure),
        forbid: typed.forbid,
    })
}

/// A name that the host may give to a field of its own.
fn field_name(key: &str, name: String) -> Result<String, SettingsError> {
    let plain = (1..=256).contains(&name.len())
        && !name.starts_with('_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@'));
    if !plain {
        return wrong(format!(
            "[document] {key} = \"{name}\": 1 to 256 letters, digits, `_`, `-` or `@`, no `_` in front, are expected"
        ));
    }
    Ok(name)
}
