//! What `paddle.toml` says, read once into one struct. Unknown keys and wrong values are errors that show the line.
//!
//! `file` is what was typed, with `values` of more than one kind; `resolve` makes of it what it means, a [`Pipeline`],
//! with `permissions` of its steps. `mistake` tells what is wrong, and where.

mod file;
mod mistake;
mod permissions;
mod resolve;
#[cfg(test)]
mod tests;
mod values;

use crate::failure::FailureKind;
use crate::forbid::Forbidden;
use document::{Newlines, Rules, Scope};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The field that gets the deterministic id. Not `event.id`: OpenSearch would refuse a document with a scalar `event`.
const ID_FIELD_DEFAULT: &str = "paddle_id";

/// How long a plugin's `retry` is obeyed: five minutes ride out most troubles and block a shard for no longer.
const RETRY_FOR_DEFAULT: Duration = Duration::from_secs(300);

/// Why a `paddle.toml` cannot be used: one sentence, with the line and the offending text where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    pub(crate) message: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SettingsError {}

/// A pipeline: ordered steps, routes, and how records come in and documents go out.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name, in reports, metrics and dead letters.
    pub name: String,
    /// The steps, in order. None at all: records are unpacked, checked, given their id and delivered.
    pub steps: Vec<Step>,
    /// The routes; the first is `default`.
    pub routes: Vec<Route>,
    /// How records are taken apart.
    pub input: Input,
    /// How documents are checked.
    pub document: DocumentRules,
    /// Defaults of the commands that work with a store.
    pub release: Release,
}

/// A plugin in the pipeline, with its config, limits and failure policy.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique in the pipeline.
    pub name: String,
    /// A bare name (shipped with paddle) or a path, as it stands in the file.
    pub plugin: String,
    /// Handed to `init` as JSON, secrets filled in.
    pub config: serde_json::Value,
    /// Read-only files that the plugin may ask for: the path of each, by the name that it has for the plugin.
    pub assets: BTreeMap<String, String>,
    /// What happens to a failed event, by kind.
    pub on_failure: Policies,
    /// The fields it may see and change; none: nothing restricts the step.
    pub scope: Option<Arc<Scope>>,
    /// What else it may do.
    pub may: May,
    /// How long after arrival a plugin's `retry` is obeyed.
    pub retry_for: Duration,
    /// Whether instances live from event to event.
    pub isolation: Isolation,
    /// Its bounds.
    pub limits: Limits,
}

impl Step {
    /// The ready-made plugin that runs scripts in JavaScript.
    pub const JAVASCRIPT: &str = "javascript";

    /// The one that runs scripts in Python.
    pub const PYTHON: &str = "python";

    /// What the main script is called among a step's files.
    pub const SCRIPT: &str = "script";

    /// Whether `reads`, `writes` or `may` is given: then only JSON reaches it.
    pub fn is_restricted(&self) -> bool {
        self.scope.is_some()
    }

    /// The script, when the plugin is one: it runs in the ready-made plugin that [`Step::runtime`] names.
    pub fn script(&self) -> Option<&str> {
        Step::runtime(&self.plugin).map(|_| self.plugin.as_str())
    }

    /// The ready-made plugin that runs the script at a path; none for what is no script.
    pub fn runtime(path: &str) -> Option<&'static str> {
        match path.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(Step::JAVASCRIPT),
            "py" => Some(Step::PYTHON),
            _ => None,
        }
    }
}

/// A destination that steps may name, and where it goes when no function binds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name steps use.
    pub name: String,
    /// The delivery stream it goes to locally.
    pub stream: String,
}

/// What to do with an event that failed at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Keep it with its story.
    DeadLetter,
    /// Drop the output that failed, counted.
    Drop,
    /// The event goes on as the step was given it.
    Pass,
    /// Back to Kinesis, for as long as `retry_for_s` allows; then a dead letter.
    Retry,
}

impl Policy {
    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::DeadLetter => "dead-letter",
            Policy::Drop => "drop",
            Policy::Pass => "pass",
            Policy::Retry => "retry",
        }
    }
}

/// What to do with what fails outside of the steps, where nothing can go on and a second try would fail alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgePolicy {
    /// Keep it with its story.
    #[default]
    DeadLetter,
    /// Drop it, counted.
    Drop,
}

/// One policy for each kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    default: Policy,
    by_kind: BTreeMap<FailureKind, Policy>,
}

impl Policies {
    /// The same policy for every kind.
    pub fn all(default: Policy) -> Policies {
        Policies { default, by_kind: BTreeMap::new() }
    }

    /// The policy for a kind.
    pub fn of(&self, kind: FailureKind) -> Policy {
        self.by_kind.get(&kind).copied().unwrap_or(self.default)
    }

    /// Whether any kind has this policy.
    pub fn any(&self, policy: Policy) -> bool {
        self.default == policy || self.by_kind.values().any(|&known| known == policy)
    }
}

/// What a restricted step may do besides reading and writing fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct May {
    /// Drop events.
    pub drop: bool,
    /// Name a route.
    pub route: bool,
    /// Make several events of one.
    pub fan_out: bool,
    /// Whether the file says so; else it follows from `reads` and `writes`.
    pub stated: bool,
}

/// How long instances live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// From event to event, while healthy.
    #[default]
    Shared,
    /// A fresh instance for each event.
    Event,
}

/// The bounds of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of one call.
    pub time: Duration,
    /// Linear memories and tables of one instance, together, in MiB.
    pub memory_mib: u32,
    /// Bytes of all outputs of one call.
    pub output_bytes: u64,
    /// Outputs of one call.
    pub outputs: u32,
    /// Log lines kept of one call; the rest is counted.
    pub log_lines: u32,
}

impl Default for Limits {
    /// 100 ms and 64 MiB do for any transform seen so far; 1 MB is what Firehose takes of one record.
    fn default() -> Limits {
        Limits {
            time: Duration::from_millis(100),
            memory_mib: 64,
            output_bytes: 1_000_000,
            outputs: 1_000,
            log_lines: 20,
        }
    }
}

/// A packing to look for in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpack {
    /// Kinesis Producer Library aggregation.
    Kpl,
    /// gzip.
    Gzip,
    /// A CloudWatch Logs subscription.
    CloudwatchLogs,
}

/// How records are taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What to look for, in this order, each once.
    pub unpack: Vec<Unpack>,
    /// Whether a CloudWatch message that is a JSON object stands in its place, not as text.
    pub cloudwatch_message_json: bool,
    /// For records that cannot be taken apart.
    pub on_failure: EdgePolicy,
}

/// How documents are checked on the way out.
#[derive(Clone, Debug)]
pub struct DocumentRules {
    /// What OpenSearch needs, and the id field.
    pub rules: Rules,
    /// For what may not be sent.
    pub on_failure: EdgePolicy,
    /// The field that gets the id of the release the document was made with; none of its own accord.
    pub release_field: Option<String>,
    /// What no outgoing string may contain.
    pub forbid: Vec<Forbidden>,
}

/// Defaults of the commands that work with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The store's URL.
    pub store: Option<String>,
    /// The channel.
    pub channel: Option<String>,
    /// Whether the records of the tests go into releases, for hosts to try them on.
    pub test_records: bool,
}

impl Default for Release {
    fn default() -> Release {
        Release { store: None, channel: None, test_records: true }
    }
}

impl Pipeline {
    /// Reads the text of a `paddle.toml`.
    ///
    /// # Errors
    /// A text that is not TOML, an unknown key (with the known ones), a wrong value, two steps of one name, or settings
    /// that contradict each other.
    pub fn parse(text: &str) -> Result<Pipeline, SettingsError> {
        resolve::parse(text)
    }

    /// A pipeline of one step without config: what `paddle run ./plugin` means.
    pub fn of_plugin(name: &str, plugin: &str) -> Pipeline {
        let step = Step {
            name: name.to_owned(),
            plugin: plugin.to_owned(),
            config: serde_json::json!({}),
            assets: BTreeMap::new(),
            on_failure: Policies::all(Policy::DeadLetter),
            scope: None,
            may: May { drop: true, route: true, fan_out: true, stated: false },
            retry_for: RETRY_FOR_DEFAULT,
            isolation: Isolation::Shared,
            limits: Limits::default(),
        };
        Pipeline { name: name.to_owned(), steps: vec![step], ..Pipeline::identity(name) }
    }

    /// A pipeline without steps.
    pub fn identity(name: &str) -> Pipeline {
        Pipeline {
            name: name.to_owned(),
            steps: Vec::new(),
            routes: vec![Route { name: "default".into(), stream: "default".into() }],
            input: Input {
                unpack: vec![Unpack::Kpl, Unpack::Gzip, Unpack::CloudwatchLogs],
                cloudwatch_message_json: false,
                on_failure: EdgePolicy::DeadLetter,
            },
            document: DocumentRules {
                rules: Rules {
                    strict: false,
                    newlines: Newlines::Refuse,
                    id_field: Some(ID_FIELD_DEFAULT.into()),
                    stamp: None,
                },
                release_field: None,
                on_failure: EdgePolicy::DeadLetter,
                forbid: Vec::new(),
            },
            release: Release::default(),
        }
    }

    /// The same pipeline, whose documents get no id and no stamp: both are made of where a record lay, which tests do
    /// not have.
    pub fn without_ids(&self) -> Pipeline {
        let mut pipeline = self.clone();
        pipeline.document.rules.id_field = None;
        pipeline.document.rules.stamp = None;
        pipeline
    }

    /// The index of a route by its name.
    pub fn route(&self, name: &str) -> Option<u16> {
        self.routes.iter().position(|route| route.name == name).map(|at| at as u16)
    }
}
