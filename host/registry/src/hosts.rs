//! What running hosts say about themselves, each in its own file: for `paddle status` and `--wait`.
//!
//! Hosts have no key, so these files prove nothing: whoever may write the bucket may write them. They are shown to
//! people, and they are counted when a channel is moved, where they choose among releases that a publisher put on the
//! channel. What a host that starts may ask is in `verdicts`.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Fingerprint, Name, ReleaseId};
use crate::layout::{self, Kind};
use crate::pointer::Tally;
use crate::registry::{PARALLEL_SMALL_MAX, Registry};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A host that said nothing for this long is gone: Lambda keeps an idle environment for some minutes.
pub const GONE_AFTER_MS: u64 = 15 * 60 * 1000;

/// A host's file is removed by `gc` when it is this old.
pub(crate) const EXPIRED_AFTER_MS: u64 = 24 * 60 * 60 * 1000;

/// A report holds some lists of at most [`ENTRIES_MAX`] entries and a line for each step.
const REPORT_BYTES_MAX: u64 = 256 * 1024;

/// Entries that a report keeps of each kind; the newest ones.
pub const ENTRIES_MAX: usize = 16;

/// Characters of a reason that are kept: a sentence and the top of a backtrace.
const TEXT_CHARS_MAX: usize = 1_000;

/// Reports that are read in one go. With more hosts than this, the newest reports speak for all.
const REPORTS_READ_MAX: usize = 1_000;

/// Files that are listed in one go.
const LISTED_MAX: usize = 100_000;

/// What one host says. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// The channel that it follows.
    pub channel: Name,
    /// The release that it runs, and since when; none while it has none.
    #[serde(default)]
    pub running: Option<Running>,
    /// The highest revision of the channel that it accepted.
    #[serde(default)]
    pub revision: u64,
    /// When it said this.
    pub at_ms: u64,
    /// Its engine.
    #[serde(default)]
    pub engine: Option<Fingerprint>,
    /// Its version of paddle.
    #[serde(default)]
    pub paddle: String,
    /// Releases that it refused, newest last.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Swaps that it made, newest last.
    #[serde(default)]
    pub swaps: Vec<Swap>,
    /// Probations, newest last.
    #[serde(default)]
    pub probations: Vec<Probation>,
    /// The last minute's work.
    #[serde(default)]
    pub minute: Option<Minute>,
}

/// A release that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The release.
    pub release: ReleaseId,
    /// Since when.
    pub since_ms: u64,
}

/// A release that a host did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The release; none when not even the pointer could be read.
    #[serde(default)]
    pub release: Option<ReleaseId>,
    /// The pointer's revision; that of the last one accepted when the pointer itself was refused.
    #[serde(default)]
    pub revision: u64,
    /// When.
    pub at_ms: u64,
    /// A short name of the reason, such as [`ErrorKind::as_str`] gives.
    pub kind: String,
    /// The reason, for people.
    pub reason: String,
}

/// A change from one release to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// From; none at the start.
    #[serde(default)]
    pub from: Option<ReleaseId>,
    /// To.
    pub to: ReleaseId,
    /// When.
    pub at_ms: u64,
    /// How long the host worked on it, in microseconds.
    pub took_us: u64,
}

/// How a release's probation went on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probation {
    /// The release.
    pub release: ReleaseId,
    /// The revision that brought it.
    pub revision: u64,
    /// How it went.
    pub outcome: Outcome,
    /// When it began, ended, or was given up.
    pub at_ms: u64,
    /// Why the host went back, for people.
    #[serde(default)]
    pub reason: String,
}

/// How a probation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Not over yet.
    Running,
    /// Passed.
    Passed,
    /// The host went back by itself.
    Returned,
}

/// A minute's work of one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Minute {
    /// How long it was, in milliseconds: less in a host's first minute, more when it was idle.
    #[serde(default)]
    pub span_ms: u64,
    /// Events given to the pipeline.
    pub events: u64,
    /// Documents delivered.
    #[serde(default)]
    pub documents: u64,
    /// Events dropped.
    #[serde(default)]
    pub dropped: u64,
    /// Failures by kind.
    #[serde(default)]
    pub failures: BTreeMap<String, u64>,
    /// What each step took, by name.
    #[serde(default)]
    pub steps: BTreeMap<String, StepMinute>,
    /// Batches cut short by the deadline.
    #[serde(default)]
    pub deadline_stops: u64,
    /// The largest age of a record when its batch began, in milliseconds.
    #[serde(default)]
    pub iterator_age_ms: u64,
}

/// A minute of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepMinute {
    /// Events it was given.
    pub events: u64,
    /// Time per event, in nanoseconds.
    pub time_ns: u64,
}

/// What all hosts say.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Hosts that said something lately, newest first.
    pub live: Vec<(Name, HostReport)>,
    /// Live hosts whose reports were not read, being too many.
    pub unread: usize,
    /// Live hosts whose reports could not be read, and why.
    pub unreadable: Vec<(Name, Error)>,
    /// Hosts that are gone.
    pub gone: usize,
}

impl Probation {
    /// The same with the start of a long reason.
    pub(crate) fn bounded(&self) -> Probation {
        Probation { reason: cut(&self.reason), ..self.clone() }
    }
}

/// The start of a text for people.
fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

impl HostReport {
    /// A host that has nothing to tell yet.
    pub fn new(channel: Name, at_ms: u64) -> HostReport {
        HostReport {
            channel,
            running: None,
            revision: 0,
            at_ms,
            engine: None,
            paddle: String::new(),
            refused: Vec::new(),
            swaps: Vec::new(),
            probations: Vec::new(),
            minute: None,
        }
    }

    /// Keeps the newest [`ENTRIES_MAX`] entries of each list, and the start of long texts.
    fn bounded(&self) -> HostReport {
        fn newest<T: Clone>(entries: &[T]) -> Vec<T> {
            entries[entries.len().saturating_sub(ENTRIES_MAX)..].to_vec()
        }
        let mut report = HostReport {
            refused: newest(&self.refused),
            swaps: newest(&self.swaps),
            probations: newest(&self.probations).iter().map(Probation::bounded).collect(),
            ..self.clone()
        };
        report.refused.iter_mut().for_each(|refused| refused.reason = cut(&refused.reason));
        report
    }
}

impl Registry {
    /// Writes what a host says; how often is the caller's to decide. One try is enough: there is always a next report.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub async fn write_host(&self, host: &Name, report: &HostReport) -> Result<()> {
        let text = serde_json::to_vec(&report.bounded()).expect("a report becomes JSON");
        self.store.overwrite(&layout::host(&self.pipeline, host), Bytes::from(text)).await
    }

    /// What hosts said within the last [`GONE_AFTER_MS`].
    ///
    /// # Errors
    /// Whatever the store refuses about listing. A report that cannot be read is counted.
    pub async fn hosts(&self, now_ms: u64) -> Result<Hosts> {
        let (mut listed, _) = self.store.list(&layout::hosts(&self.pipeline), LISTED_MAX).await?;
        listed.retain(|listed| matches!(layout::kind_of(&listed.path), Kind::Host));
        let all = listed.len();
        listed.retain(|listed| now_ms.saturating_sub(listed.written_ms) < GONE_AFTER_MS);
        listed.sort_unstable_by_key(|listed| std::cmp::Reverse(listed.written_ms));
        let mut hosts = Hosts {
            gone: all - listed.len(),
            unread: listed.len().saturating_sub(REPORTS_READ_MAX),
            ..Hosts::default()
        };
        let names: Vec<Name> = listed
            .iter()
            .filter_map(|listed| Name::new(layout::stem(&listed.path)?).ok())
            .take(REPORTS_READ_MAX)
            .collect();
        let reads = names.into_iter().map(|name| async move {
            let report = self.host(&name).await;
            (name, report)
        });
        let mut reads = stream::iter(reads).buffered(PARALLEL_SMALL_MAX);
        while let Some((name, report)) = reads.next().await {
            match report {
                Ok(report) => hosts.live.push((name, report)),
                // Removed meanwhile.
                Err(error) if error.is_not_found() => hosts.gone += 1,
                Err(error) => hosts.unreadable.push((name, error)),
            }
        }
        Ok(hosts)
    }

    async fn host(&self, host: &Name) -> Result<HostReport> {
        let object = self.store.get(&layout::host(&self.pipeline, host), REPORT_BYTES_MAX).await?;
        serde_json::from_slice(&object.bytes).map_err(|error| {
            let kind = ErrorKind::Untrusted(crate::Untrusted::Malformed);
            Error::new(kind, format!("read the report of host `{host}`"), error.to_string())
        })
    }
}

/// What hosts say about the probation of a release that a channel held since `revision`.
pub fn tally<'a>(
    reports: impl Iterator<Item = &'a HostReport>,
    channel: &Name,
    release: ReleaseId,
    revision: u64,
) -> Tally {
    let mut tally = Tally::default();
    for report in reports.filter(|report| report.channel == *channel) {
        let about = |probation: &&Probation| probation.release == release && probation.revision == revision;
        // The newest word counts.
        match report.probations.iter().rev().find(about).map(|probation| probation.outcome) {
            Some(Outcome::Passed) => tally.passed += 1,
            Some(Outcome::Returned) => tally.returned += 1,
            Some(Outcome::Running) => tally.running += 1,
            None => {}
        }
    }
    tally
}
