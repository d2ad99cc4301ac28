//! Everything that is read from the environment.

use std::collections::BTreeMap;

/// User and password for OpenSearch.
pub(crate) fn opensearch_login() -> Option<(String, String)> {
    let user = variable("OPENSEARCH_USERNAME")?;
    Some((user, variable("OPENSEARCH_PASSWORD").unwrap_or_default()))
}

/// Values for `{ secret = "NAME" }`, with the function's own rules.
pub(crate) fn secrets() -> anyhow::Result<lambda::Secrets> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let secret = |(name, _): &(String, String)| name.starts_with("PADDLE_SECRET_");
    let variables: BTreeMap<String, String> = std::env::vars_os().filter_map(text).filter(secret).collect();
    Ok(lambda::Settings::read(&variables)?.secrets)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// This program as it was called, for commands that a person is to copy: a path if it is not on the PATH.
pub(crate) fn program() -> String {
    std::env::args().next().filter(|program| program.contains('/')).unwrap_or_else(|| "paddle".into())
}
