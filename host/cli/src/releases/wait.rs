//! `--wait`: follows what running hosts make of a move, until each has taken or refused it.

use super::Opened;
use crate::Context;
use crate::error::Error;
use crate::text::count;
use crate::time;
use registry::{HostReport, Name, Outcome, Pointer};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Between two looks at what hosts say: they write when something changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Hosts that a message names.
const NAMES_MAX: usize = 3;

/// What the hosts made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Waited {
    /// Hosts that run the release.
    pub(crate) taken: Vec<Name>,
    /// Hosts that refused it or went back from it, and why.
    pub(crate) refused: Vec<(Name, String)>,
    /// Hosts that have not said.
    pub(crate) pending: Vec<Name>,
}

/// Looks until every host has said something, or the time is over.
pub(crate) fn follow(
    opened: &Opened,
    pointer: &Pointer,
    limit: Duration,
    context: &mut Context,
) -> Result<Waited, Error> {
    let begun = Instant::now();
    let mut progress = context.ui.progress("waiting for the hosts:", "");
    loop {
        let hosts = context.runtime.block_on(opened.registry.hosts(time::now_ms()))?;
        let waited = Waited::of(hosts.live.iter().map(|(name, report)| (name, report)), pointer);
        if waited.pending.is_empty() || begun.elapsed() >= limit {
            return Ok(waited);
        }
        progress.say(&format!("{} of {} have answered", waited.answered(), waited.hosts()));
        let left = limit.saturating_sub(begun.elapsed());
        std::thread::sleep(LOOK_EVERY.min(left));
    }
}

impl Waited {
    /// What these hosts say of a move.
    pub(crate) fn of<'a>(hosts: impl Iterator<Item = (&'a Name, &'a HostReport)>, pointer: &Pointer) -> Waited {
        let mut waited = Waited::default();
        for (name, report) in hosts.filter(|(_, report)| report.channel == pointer.channel) {
            match said(report, pointer) {
                Said::Taken => waited.taken.push(name.clone()),
                Said::Refused(reason) => waited.refused.push((name.clone(), reason)),
                Said::Returned(reason) => {
                    waited.refused.push((name.clone(), format!("went back by itself: {reason}")));
                }
                Said::Nothing => waited.pending.push(name.clone()),
            }
        }
        waited
    }

    fn answered(&self) -> usize {
        self.taken.len() + self.refused.len()
    }

    fn hosts(&self) -> usize {
        self.answered() + self.pending.len()
    }

    /// What was waited for in vain, if something was.
    pub(crate) fn late(&self, pointer: &Pointer, limit: Duration) -> Option<String> {
        if self.pending.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = self.pending.iter().take(NAMES_MAX).map(Name::as_str).collect();
        if self.pending.len() > NAMES_MAX {
            names.push("…");
        }
        Some(format!(
            "{} of {} had not taken revision {} of `{}` after {} s ({}): the channel is moved, and a host that is idle takes it \
             with its next batch; follow it with paddle status --watch",
            self.pending.len(),
            count(self.hosts() as u64, "host"),
            pointer.revision,
            pointer.channel,
            limit.as_secs(),
            names.join(", ")
        ))
    }

    /// How it went, when all hosts have answered.
    pub(crate) fn sentence(&self) -> String {
        match (self.taken.len(), self.refused.len()) {
            (0, 0) => "no host is running: it is taken with the next batch".to_owned(),
            (taken, 0) => format!("taken by {}", count(taken as u64, "host")),
            (taken, refused) => {
                format!("taken by {}, refused by {}", count(taken as u64, "host"), count(refused as u64, "host"))
            }
        }
    }
}

/// What a host says of a move.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Taken,
    Refused(String),
    /// Ran it and went back by itself.
    Returned(String),
    Nothing,
}

pub(crate) fn said(report: &HostReport, pointer: &Pointer) -> Said {
    let about = (pointer.release, pointer.revision);
    let probation = report.probations.iter().rev().find(|probation| (probation.release, probation.revision) == about);
    if let Some(probation) = probation.filter(|probation| probation.outcome == Outcome::Returned) {
        return Said::Returned(probation.reason.clone());
    }
    let runs_it = report.running.is_some_and(|running| running.release == pointer.release);
    // Who has seen a later revision has nothing more to say about this one.
    if report.revision > pointer.revision || (report.revision == pointer.revision && runs_it) {
        return Said::Taken;
    }
    // A pointer that was not believed has no revision to speak of: then the time tells.
    let about_it = |refused: &&registry::Refused| match refused.release {
        Some(release) => (release, refused.revision) == about,
        None => refused.at_ms >= pointer.at_ms,
    };
    match report.refused.iter().rev().find(about_it) {
        Some(refused) => Said::Refused(format!("{} ({})", refused.reason, refused.kind)),
        None => Said::Nothing,
    }
}
