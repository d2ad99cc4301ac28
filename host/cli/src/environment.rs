//! Everything that is read from the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

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

/// `PADDLE_STORE`: where releases are.
pub(crate) fn store() -> Option<String> {
    variable("PADDLE_STORE")
}

/// `PADDLE_PIPELINE`: a pipeline's name in the store.
pub(crate) fn pipeline() -> Option<String> {
    variable("PADDLE_PIPELINE")
}

/// `PADDLE_CHANNEL`.
pub(crate) fn channel() -> Option<String> {
    variable("PADDLE_CHANNEL")
}

/// `PADDLE_TRUSTED_KEYS`: whose signatures are believed.
pub(crate) fn trusted_keys() -> Option<String> {
    variable("PADDLE_TRUSTED_KEYS")
}

/// `PADDLE_SIGNING_KEY`: a key file's line.
pub(crate) fn signing_key() -> Option<String> {
    variable("PADDLE_SIGNING_KEY")
}

/// `PADDLE_ALLOW_UNSIGNED=1`: anything is believed, for development.
pub(crate) fn allows_unsigned() -> bool {
    variable("PADDLE_ALLOW_UNSIGNED").as_deref() == Some("1")
}

/// AWS's own variables.
pub(crate) fn aws() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("AWS_")).collect()
}

/// `AWS_ENDPOINT_URL_LAMBDA` and its like.
pub(crate) fn aws_endpoint(service: &str) -> Option<String> {
    variable(&format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase()))
}

/// The profile that `AWS_PROFILE` names, if no file of AWS's tools has it and no access keys make up for it.
pub(crate) fn missing_aws_profile() -> Option<String> {
    let profile = variable("AWS_PROFILE").filter(|profile| profile != "default")?;
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        return None;
    }
    let home = variable("HOME").map(PathBuf::from);
    let file = |named: &str, usual: &str| {
        variable(named).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".aws").join(usual)))
    };
    let files = [file("AWS_CONFIG_FILE", "config"), file("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let has = |path: PathBuf| std::fs::read_to_string(path).is_ok_and(|text| names_profile(&text, &profile));
    (!files.into_iter().flatten().any(has)).then_some(profile)
}

/// Whether a file of AWS's tools has a section for this profile.
fn names_profile(text: &str, profile: &str) -> bool {
    let section = |line: &str| Some(line.trim().strip_prefix('[')?.split_once(']')?.0.trim().to_owned());
    text.lines().filter_map(section).any(|name| {
        let named = name.strip_prefix("profile").filter(|rest| rest.starts_with(char::is_whitespace)).unwrap_or(&name);
        named.trim() == profile
    })
}

/// The folder of our files in the user's configuration: `XDG_CONFIG_HOME`, which must be absolute, or `~/.config`.
pub(crate) fn config_folder() -> Option<PathBuf> {
    ours("XDG_CONFIG_HOME", ".config")
}

fn ours(named: &str, at_home: &str) -> Option<PathBuf> {
    let named = variable(named).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = named.or_else(|| Some(PathBuf::from(variable("HOME")?).join(at_home)))?;
    Some(folder.join("paddlewheel"))
}

/// The folder of what can be fetched again: `XDG_CACHE_HOME`, which must be absolute, or `~/.cache`.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    ours("XDG_CACHE_HOME", ".cache")
}

/// Who works here, for people: what stands as `by` in a release.
pub(crate) fn user() -> String {
    ["PADDLE_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"]
        .into_iter()
        .find_map(variable)
        .unwrap_or_else(|| "somebody".to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// This program as it was called, for commands that a person is to copy: a path if it is not on the PATH.
pub(crate) fn program() -> String {
    std::env::args().next().filter(|program| program.contains('/')).unwrap_or_else(|| "paddle".into())
}

#[cfg(test)]
mod tests {
    use super::names_profile;

    #[test]
    fn a_profile_is_found_in_both_kinds_of_files() {
        let config = "[default]\nregion = x\n[profile work]\n  [ profile  home ] # comment\n[profiles]\n";
        for (profile, there) in [("work", true), ("home", true), ("default", true), ("s", false), ("other", false)] {
            assert_eq!(names_profile(config, profile), there, "{profile}");
        }
        assert!(names_profile("[work]\naws_access_key_id = x", "work"));
    }
}
