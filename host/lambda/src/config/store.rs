//! The settings of the release store.

use anyhow::{Context as _, anyhow, ensure};
use registry::{Name, Trust};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds between two looks at the channel: fast enough that a publisher waits and sees, and a fortieth of a cent a
/// day.
const POLL_DEFAULT: Duration = Duration::from_secs(5);

/// The shortest and the longest poll interval, in seconds: ten looks a second are what a demonstration wants, and a
/// look an hour is hardly following.
const POLL_SECONDS: std::ops::RangeInclusive<f64> = 0.1..=3_600.0;

/// Seconds after which what the last look said is stale.
const STALE_DEFAULT: u64 = 60;

/// The channel when nobody names one.
const CHANNEL_DEFAULT: &str = "live";

/// Lambda's only folder for files, where fetched releases are kept; `TMPDIR` names another one.
const TMP_DEFAULT: &str = "/tmp";

/// A channel of a pipeline in a store, and whom to believe.
#[derive(Clone)]
pub struct StoreSettings {
    /// `PADDLE_STORE`: `s3://bucket/prefix` or `file:///folder`.
    pub url: String,
    /// `PADDLE_PIPELINE`.
    pub pipeline: Name,
    /// `PADDLE_CHANNEL`.
    pub channel: Name,
    /// `PADDLE_TRUSTED_KEYS`, or nobody with `PADDLE_ALLOW_UNSIGNED`.
    pub trust: Trust,
    /// `PADDLE_POLL_SECONDS`: the longest time between two looks.
    pub poll: Duration,
    /// `PADDLE_STALE_SECONDS`: after this long a batch waits for a look.
    pub stale: Duration,
    /// `PADDLE_MIN_REVISION`: pointers below are refused.
    pub revision_min: u64,
    /// Where fetched releases are kept; none for nowhere.
    pub cache: Option<PathBuf>,
    /// AWS's own variables, by name, for the store.
    pub aws: BTreeMap<String, String>,
}

impl StoreSettings {
    /// The settings that these variables mean; none without `PADDLE_STORE`.
    ///
    /// # Errors
    /// A value that is none, or one that is missing beside `PADDLE_STORE`.
    pub(super) fn read(variables: &BTreeMap<String, String>, on_lambda: bool) -> anyhow::Result<Option<StoreSettings>> {
        let get = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let number = |name, range| get(name).map(|text| super::number(name, text, range)).transpose();
        let Some(url) = get("PADDLE_STORE") else {
            let lonely = ["PADDLE_PIPELINE", "PADDLE_TRUSTED_KEYS"].into_iter().find(|name| get(name).is_some());
            ensure!(lonely.is_none(), "{} is set without PADDLE_STORE: name the store too", lonely.unwrap_or_default());
            return Ok(None);
        };
        let known = url.starts_with("file:///") || url.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty());
        ensure!(known, "PADDLE_STORE is `{url}`: write s3://bucket/prefix or file:///folder");
        let name = |variable: &str, text: &str| {
            text.parse::<Name>().map_err(|error| anyhow!("{variable} is `{text}`: {error}"))
        };
        let pipeline = get("PADDLE_PIPELINE").context("PADDLE_STORE is set: name the pipeline in PADDLE_PIPELINE")?;
        Ok(Some(StoreSettings {
            url: url.trim_end_matches('/').to_owned(),
            pipeline: name("PADDLE_PIPELINE", pipeline)?,
            channel: name("PADDLE_CHANNEL", get("PADDLE_CHANNEL").unwrap_or(CHANNEL_DEFAULT))?,
            trust: trust(get("PADDLE_TRUSTED_KEYS"), get("PADDLE_ALLOW_UNSIGNED"))?,
            poll: get("PADDLE_POLL_SECONDS").map(poll).transpose()?.unwrap_or(POLL_DEFAULT),
            stale: Duration::from_secs(number("PADDLE_STALE_SECONDS", 1..=86_400)?.unwrap_or(STALE_DEFAULT)),
            revision_min: number("PADDLE_MIN_REVISION", 0..=u64::MAX)?.unwrap_or(0),
            cache: on_lambda.then(|| PathBuf::from(get("TMPDIR").unwrap_or(TMP_DEFAULT)).join("paddlewheel")),
            aws: variables.iter().filter(|(name, _)| name.starts_with("AWS_")).map(own).collect(),
        }))
    }
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn poll(text: &str) -> anyhow::Result<Duration> {
    let seconds = text.parse().ok().filter(|seconds| POLL_SECONDS.contains(seconds));
    let seconds =
        seconds.with_context(|| format!("PADDLE_POLL_SECONDS is `{text}`: set it to a number from 0.1 to 3600"))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn trust(keys: Option<&str>, unsigned: Option<&str>) -> anyhow::Result<Trust> {
    match (keys, unsigned) {
        (Some(keys), None | Some("0")) => {
            let keys = keys.parse().map_err(|error| anyhow!("PADDLE_TRUSTED_KEYS: {error}"))?;
            Ok(Trust::Keys(keys))
        }
        (None, Some("1")) => Ok(Trust::Unsigned),
        (Some(_), Some(_)) => {
            Err(anyhow!("PADDLE_TRUSTED_KEYS and PADDLE_ALLOW_UNSIGNED exclude each other: keep one"))
        }
        (None, Some(other)) if other != "0" => Err(anyhow!("PADDLE_ALLOW_UNSIGNED is `{other}`: 1 is for development")),
        (None, _) => Err(anyhow!(
            "PADDLE_STORE is set without PADDLE_TRUSTED_KEYS: set it to what `paddle keygen` printed (PADDLE_ALLOW_UNSIGNED=1 is \
             for development)"
        )),
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // AWS's variables hold secrets.
        f.debug_struct("StoreSettings")
            .field("url", &self.url)
            .field("pipeline", &self.pipeline)
            .field("channel", &self.channel)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}
