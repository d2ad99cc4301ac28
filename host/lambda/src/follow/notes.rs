//! What the state tells people: log lines, metrics, and entries of this host's report.

use super::Shared;
use super::reporter::HostReporter;
use super::state::{Note, Source};
use crate::metrics;
use registry::ReleaseId;
use serde_json::{Value, json};
use std::time::Duration;

impl Shared {
    /// Writes a note down everywhere. `took`: how long it took to load what a swap has brought.
    pub(super) fn note(&self, reporter: &mut HostReporter, note: Note, took: Duration) {
        let at_ms = (self.clock.wall_ms)();
        let metric = |what, release: ReleaseId| metrics::release(&self.log, at_ms, what, &release.to_string());
        match note {
            Note::Swapped { from, named, on_probation } => {
                reporter.swapped(from, &named, on_probation, at_ms, took);
                let fields = [
                    ("release", json!(named.release)),
                    ("revision", json!(named.revision)),
                    ("from", shown(from)),
                    ("took_ms", json!(took.as_millis() as u64)),
                ];
                self.log.info("A new release runs from the next batch on.", &fields);
                metric("Swaps", named.release);
            }
            Note::Returned { verdict, to } => {
                reporter.returned(&verdict, to, at_ms);
                let fields =
                    [("release", json!(verdict.release)), ("to", shown(to)), ("reason", json!(verdict.reason))];
                self.log.error("A release did badly; this host has gone back to the one before.", &fields);
                metric("ReleasesReturned", verdict.release);
            }
            Note::Passed { release, revision } => {
                reporter.passed(release, revision, at_ms);
                self.log.info("A release has passed its probation.", &[("release", json!(release))]);
            }
            Note::Refused(named, why) => {
                reporter.refused(named.as_ref(), &why, at_ms);
                let release = named.map(|named| named.release);
                let fields = [("release", json!(release)), ("kind", json!(why.kind)), ("reason", json!(why.reason))];
                self.log.warn("A release was refused; the running one stays.", &fields);
                let release = release.map(|id| id.to_string()).unwrap_or_default();
                metrics::release(&self.log, at_ms, "ReleasesRefused", &release);
            }
            Note::LookFailed(why) => {
                let fields = [("reason", json!(why.to_string()))];
                self.log.warn("The channel could not be looked at; the running release stays.", &fields);
            }
            Note::LoadFailed(source, why) => {
                let fields = [("release", shown(source)), ("reason", json!(why.to_string()))];
                self.log.warn("A release could not be fetched; the running one stays.", &fields);
            }
            Note::Stuck { release, reason } => {
                let fields = [("release", json!(release)), ("reason", json!(reason))];
                self.log.error("A release does badly, and there is no other to run: it stays.", &fields);
            }
        }
    }
}

/// A release's id; null for the package.
fn shown(source: Source) -> Value {
    json!(source.release())
}
