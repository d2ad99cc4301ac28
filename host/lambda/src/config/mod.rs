//! Every environment variable the function reads, in one place, into one struct. Mistakes are told with what to do.
//!
//! Left to others: AWS's own variables for regions, endpoints and credentials (the SDK and the object store read
//! those).

mod journal;
mod secrets;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub use secrets::Secrets;
pub use store::StoreSettings;

use crate::log::{Format, Level};
use anyhow::{Context as _, anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Memory that comes with one vCPU, in MiB (AWS: "1,769 MB is one vCPU", linear).
const MEMORY_MIB_PER_VCPU: u64 = 1_769;

/// Memory assumed where nobody says, in MiB: one vCPU.
const MEMORY_MIB_DEFAULT: u64 = MEMORY_MIB_PER_VCPU;

/// What is kept of the remaining time for ending a batch: the second dead-letter object, report, logs and the answer
/// take tens of milliseconds each on a small function; a second leaves room for one slow write to S3.
const DEADLINE_RESERVE_DEFAULT: Duration = Duration::from_millis(1_000);

/// Requests in flight at once: enough to fill a stream's quota of 5 MiB/s at 100 ms a request.
const DELIVERY_CONCURRENCY_DEFAULT: usize = 4;

/// Bytes of a guest's text that one log line keeps: a sentence and the top of a backtrace.
const LOG_GUEST_TEXT_DEFAULT: usize = 1_024;

/// Where the bundled pipeline stands in the Lambda's package when nobody says: Lambda unpacks there.
const CONFIG_DEFAULT: &str = "paddle.toml";

const KNOWN: [&str; 19] = [
    "PADDLE_ALLOW_UNSIGNED",
    "PADDLE_CHANNEL",
    "PADDLE_CONFIG",
    "PADDLE_DEAD_LETTERS",
    "PADDLE_DEADLINE_RESERVE_MS",
    "PADDLE_DELIVERY_CONCURRENCY",
    "PADDLE_JOURNAL",
    "PADDLE_LOG_GUEST_TEXT",
    "PADDLE_MIN_REVISION",
    "PADDLE_PARTIAL_FAILURES",
    "PADDLE_PIPELINE",
    "PADDLE_POLL_SECONDS",
    "PADDLE_ROUTES",
    "PADDLE_SECRET_<NAME>",
    "PADDLE_STALE_SECONDS",
    "PADDLE_STORE",
    "PADDLE_TRUSTED_KEYS",
    "PADDLE_WINDOW_MIB",
    "PADDLE_WORKERS",
];

/// What the environment says, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bundled `paddle.toml`.
    pub config: PathBuf,
    /// Delivery streams by route; a route that is not here goes to its local stream, but never on Lambda.
    pub routes: BTreeMap<String, String>,
    /// Where dead letters go: `s3://bucket/prefix` or `file:///folder`.
    pub dead_letters: Option<String>,
    /// The folder of the journal; none for no journal.
    pub journal: Option<PathBuf>,
    /// Threads that run plugins.
    pub workers: usize,
    /// What is kept of an invocation's time for ending it.
    pub deadline_reserve: Duration,
    /// `PutRecordBatch` requests in flight at once.
    pub delivery_concurrency: usize,
    /// Whether the event source mapping has `ReportBatchItemFailures`: without it AWS takes a partial answer for
    /// success.
    pub partial_failures: bool,
    /// Bytes of documents and dead letters that may be alive before they are delivered.
    pub window_bytes: usize,
    /// Bytes of a guest's text that one log line keeps; 0: none. The host's own reasons stay, without what they quote
    /// of a guest.
    pub log_guest_text: usize,
    /// How log lines look.
    pub log_format: Format,
    /// The quietest log line that is written.
    pub log_level: Level,
    /// Whether this runs on Lambda, where nothing may be left to defaults that suit a laptop.
    pub on_lambda: bool,
    /// The function's memory, in MiB.
    pub memory_mib: u64,
    /// Values for `{ secret = "NAME" }`.
    pub secrets: Secrets,
    /// Where releases come from; none for the bundled pipeline.
    pub store: Option<StoreSettings>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::read(&BTreeMap::new()).expect("every variable has a default")
    }
}

impl Settings {
    /// The settings of this process.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_environment() -> anyhow::Result<Settings> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Settings::read(&std::env::vars_os().filter_map(text).collect())
    }

    /// The settings that these variables mean.
    ///
    /// # Errors
    /// A misspelt `PADDLE_` variable, a value that is none, or one that this version has no use for.
    pub fn read(variables: &BTreeMap<String, String>) -> anyhow::Result<Settings> {
        check_names(variables)?;
        let get = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let number = |name, range| get(name).map(|text| number(name, text, range)).transpose();
        let memory_mib = get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|text| text.parse().ok());
        let memory_mib = memory_mib.filter(|mib| (1..=1 << 20).contains(mib)).unwrap_or(MEMORY_MIB_DEFAULT);
        let on_lambda = get("AWS_LAMBDA_RUNTIME_API").is_some();
        let dead_letters = get("PADDLE_DEAD_LETTERS").map(dead_letters).transpose()?;
        ensure!(
            dead_letters.is_some() || !on_lambda,
            "PADDLE_DEAD_LETTERS is not set: name a place for records that cannot be processed, such as s3://bucket/dead-letters"
        );
        // A window in MiB, at least one; at most what Lambda has.
        let window_mib = number("PADDLE_WINDOW_MIB", 1..=10_240)?.unwrap_or((memory_mib / 4).max(1));
        let reserve_ms = number("PADDLE_DEADLINE_RESERVE_MS", 50..=60_000)?;
        Ok(Settings {
            config: get("PADDLE_CONFIG").map_or_else(|| default_config(get("LAMBDA_TASK_ROOT")), PathBuf::from),
            routes: get("PADDLE_ROUTES").map(routes).transpose()?.unwrap_or_default(),
            dead_letters,
            journal: journal::folder(variables, on_lambda)?,
            // Lambda's largest function has 6 vCPUs; 64 leaves room for other machines.
            workers: number("PADDLE_WORKERS", 1..=64)?.unwrap_or(memory_mib.div_ceil(MEMORY_MIB_PER_VCPU)) as usize,
            deadline_reserve: reserve_ms.map_or(DEADLINE_RESERVE_DEFAULT, Duration::from_millis),
            delivery_concurrency: number("PADDLE_DELIVERY_CONCURRENCY", 1..=64)?
                .map_or(DELIVERY_CONCURRENCY_DEFAULT, |number| number as usize),
            partial_failures: partial_failures(get("PADDLE_PARTIAL_FAILURES"))?,
            window_bytes: (window_mib as usize) << 20,
            log_guest_text: number("PADDLE_LOG_GUEST_TEXT", 0..=65_536)?
                .map_or(LOG_GUEST_TEXT_DEFAULT, |number| number as usize),
            log_format: Format::of_lambda(get("AWS_LAMBDA_LOG_FORMAT")),
            log_level: Level::of_lambda(get("AWS_LAMBDA_LOG_LEVEL")),
            on_lambda,
            memory_mib,
            secrets: Secrets::of(variables),
            store: StoreSettings::read(variables, on_lambda)?,
        })
    }
}

fn check_names(variables: &BTreeMap<String, String>) -> anyhow::Result<()> {
    for name in variables.keys().filter(|name| name.starts_with("PADDLE_")) {
        let known = KNOWN.contains(&name.as_str());
        ensure!(
            known || name.starts_with("PADDLE_SECRET_"),
            "there is no setting {name}; known are {}",
            KNOWN.join(", ")
        );
    }
    Ok(())
}

pub(super) fn number(name: &str, text: &str, range: std::ops::RangeInclusive<u64>) -> anyhow::Result<u64> {
    let value = text.trim().parse().ok().filter(|number| range.contains(number));
    value.ok_or_else(|| anyhow!("{name} is `{text}`: set it to a number from {} to {}", range.start(), range.end()))
}

fn default_config(task_root: Option<&str>) -> PathBuf {
    task_root.map_or_else(|| PathBuf::from(CONFIG_DEFAULT), |root| PathBuf::from(root).join(CONFIG_DEFAULT))
}

fn dead_letters(url: &str) -> anyhow::Result<String> {
    let known = url.starts_with("file:///") || url.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty());
    ensure!(known, "PADDLE_DEAD_LETTERS is `{url}`: write s3://bucket/prefix or file:///folder");
    Ok(url.trim_end_matches('/').to_owned())
}

fn partial_failures(value: Option<&str>) -> anyhow::Result<bool> {
    match value {
        None => Ok(false),
        Some("reported") => Ok(true),
        Some(other) => bail!(
            "PADDLE_PARTIAL_FAILURES is `{other}`: set it to `reported` when the event source mapping has \
             ReportBatchItemFailures, and leave it out when not"
        ),
    }
}

fn routes(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut routes = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (route, stream) =
            entry.split_once('=').map(|(route, stream)| (route.trim(), stream.trim())).with_context(|| {
                format!("PADDLE_ROUTES has `{entry}`: write route=delivery-stream, separated by commas")
            })?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        ensure!(
            !route.is_empty() && (1..=64).contains(&stream.len()) && stream.bytes().all(plain),
            "PADDLE_ROUTES has `{entry}`: a delivery stream's name has 1 to 64 letters, digits, `_`, `.` or `-` (no ARN)"
        );
        ensure!(
            routes.insert(route.to_owned(), stream.to_owned()).is_none(),
            "PADDLE_ROUTES binds the route `{route}` twice: keep one of the two"
        );
    }
    Ok(routes)
}
