//! Where a batch begins, and how much of it is run at a time.

use super::Run;
use crate::journal::{Begun, Page};
use crate::outcomes::Time;
use crate::window::{Bounds, Care, Window};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A window is begun only if this much time is left for it: less would not deliver a request.
const WINDOW_TIME_MIN: Duration = Duration::from_millis(20);

/// Bytes of documents and dead letters in a window of a batch that runs carefully: what Firehose takes in one request,
/// so that little comes again when the process dies.
const CAREFUL_WINDOW_BYTES: usize = 4 << 20;

/// Records that the process died of, told in one log line.
const NOTED_LOGGED_MAX: usize = 20;

/// How far a batch is settled, in records.
#[derive(Default)]
pub(super) struct Progress {
    /// Those that were settled before this invocation: the batch begins behind them.
    pub(super) first: usize,
    /// Those that are settled: all before this one.
    pub(super) settled: usize,
    /// Where that is written down.
    pub(super) page: Option<Arc<Page>>,
    /// Set if the batch runs carefully.
    pub(super) care: Option<Arc<Care>>,
}

impl Run<'_> {
    /// Looks up what the journal knows of the batch, and begins a page for it.
    pub(super) fn look_back(&mut self) -> Option<Arc<Page>> {
        let journal = self.host.world.journal.as_ref()?;
        let Begun { page, settled, deaths, deaths_of } = journal.begin(&self.batch, &self.active.name);
        self.progress = Progress { first: settled, settled, page: page.map(Arc::new), care: None };
        (self.facts.settled_before, self.facts.deaths_remembered) = (settled as u64, deaths as u64);
        if settled > 0 {
            self.log.info("The first records of the batch were settled before.", &[("records", json!(settled))]);
        }
        if deaths > 0 {
            let noted: Vec<_> =
                deaths_of.keys().take(NOTED_LOGGED_MAX).map(|at| &*self.batch.records[*at].id).collect();
            let fields = [("deaths", json!(deaths)), ("noted", json!(noted))];
            self.log.warn("The process died with records of this batch: they run one at a time.", &fields);
            self.progress.care = Some(Arc::new(Care { page: self.progress.page.clone(), deaths_of }));
        }
        self.progress.page.clone()
    }

    /// Half of the remaining time may go to beginning records, a quarter to ending them; the last quarter delivers what
    /// came of it. So there is progress, however slow the plugins are.
    pub(super) fn next_window(&self) -> Option<Arc<Window>> {
        let Progress { first, settled, care, .. } = &self.progress;
        let now = (self.host.world.clock.now)();
        let left = self.until.saturating_duration_since(now);
        if left < WINDOW_TIME_MIN {
            return None;
        }
        let bytes_max = self.host.settings.window_bytes;
        let begins_batch = settled == first;
        // In the first invocation of a process, its start may have taken part of the time.
        let has_all = Some(*first).filter(|_| self.number > 0 && begins_batch);
        let bounds = Bounds {
            bytes_max: if care.is_some() { bytes_max.min(CAREFUL_WINDOW_BYTES) } else { bytes_max },
            begin_until: now + left / 2,
            time: Time { now_ms: self.now_ms, deadline: now + left / 4 * 3, has_all },
        };
        let (batch, rules) = (Arc::clone(&self.batch), Arc::clone(&self.active.rules));
        let window = Window::new(batch, rules, *settled, bounds, self.host.world.clock.clone());
        let window = window.begins_batch(begins_batch).care(care.clone());
        Some(Arc::new(window.observe_fields(self.observe_fields)))
    }
}
