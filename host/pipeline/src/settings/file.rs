//! `paddle.toml` as it is typed: its tables and their keys. What they mean is decided in `resolve`.

use super::values::{Config, IdField, OnFailure};
use super::{EdgePolicy, Isolation, Unpack};
use crate::forbid::Forbidden;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) pipeline: PipelineTable,
    #[serde(default)]
    pub(super) step: Vec<Spanned<StepTable>>,
    #[serde(default)]
    pub(super) routes: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) input: InputTable,
    #[serde(default)]
    pub(super) document: DocumentTable,
    #[serde(default)]
    pub(super) release: ReleaseTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) requires: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) plugin: Spanned<String>,
    #[serde(default)]
    pub(super) config: Option<Config>,
    #[serde(default)]
    pub(super) assets: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) required: Option<bool>,
    #[serde(default)]
    pub(super) on_failure: Option<Spanned<OnFailure>>,
    pub(super) reads: Option<Vec<Spanned<String>>>,
    pub(super) writes: Option<Vec<Spanned<String>>>,
    pub(super) may: Option<Vec<Permission>>,
    pub(super) retry_for_s: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) isolation: Isolation,
    #[serde(default)]
    pub(super) limits: LimitsTable,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Permission {
    Drop,
    Route,
    FanOut,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) time_ms: Option<Spanned<u64>>,
    pub(super) memory_mib: Option<Spanned<u64>>,
    pub(super) output_bytes: Option<Spanned<u64>>,
    pub(super) outputs: Option<Spanned<u64>>,
    pub(super) log_lines: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CloudwatchMessage {
    #[default]
    Text,
    Json,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct InputTable {
    pub(super) unpack: Option<Vec<Spanned<Unpack>>>,
    #[serde(default)]
    pub(super) cloudwatch_message: CloudwatchMessage,
    #[serde(default)]
    pub(super) on_failure: EdgePolicy,
}

/// [`document::Newlines`], which knows nothing of files.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NewlinesName {
    #[default]
    Refuse,
    Space,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentTable {
    #[serde(default)]
    pub(super) on_failure: EdgePolicy,
    pub(super) id_field: Option<Spanned<IdField>>,
    pub(super) release_field: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) strict: bool,
    #[serde(default)]
    pub(super) newlines: NewlinesName,
    #[serde(default)]
    pub(super) forbid: Vec<Forbidden>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseTable {
    pub(super) store: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) test_records: Option<bool>,
}
