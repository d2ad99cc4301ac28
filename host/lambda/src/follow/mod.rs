//! Following a channel: new releases are taken between two batches, while the old one works.
//!
//! The pointer is looked at beside a batch, never before it; what it names is fetched, verified, loaded and tried on a task of
//! its own, and takes effect with the next batch. Anything wrong on the way: the old release stays. After a swap there is a
//! probation, and a release that does badly is left again. Store trouble never stops traffic.
//!
//! `take` is one release, from the store to running code; `start` is the cold start; `probation` judges; `tell` is what
//! `paddle status` shows.

mod polling;
mod probation;
mod start;
mod take;
mod tell;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

use crate::config::StoreSettings;
use crate::host::{HandleError, Handled, Host, Invocation, Previous};
use crate::log::Log;
use crate::metrics;
use crate::time::Clock;
use bytes::Bytes;
use polling::Polling;
use probation::Observed;
use registry::{Pointer, ReleaseId, Watch};
use serde_json::json;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use take::{NotTaken, Taker};
use tell::Teller;
use tokio::sync::watch;

/// No batch for this long: nobody is waiting behind this one, so it may wait for the store a little.
const IDLE_GAP: Duration = Duration::from_millis(500);

/// How long a batch waits for a look at the pointer, after a pause or when the last look is stale.
const LOOK_WAIT_MAX: Duration = Duration::from_millis(250);

/// How long it then waits for the release that the look has named: a swap from the cache takes 10 ms, a fetch some hundred.
const SWAP_WAIT_MAX: Duration = Duration::from_millis(1_000);

/// After a batch has waited in vain, no batch waits for this long; the pause doubles up to `PADDLE_STALE_SECONDS`.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// A host's file is written on change, and this often otherwise.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Events after which what came before them counts half, for comparing a new release with the old one.
const FADE_EVENTS: u64 = 20_000;

/// Follows one channel for one host.
pub struct Follower {
    shared: Arc<Shared>,
}

struct Shared {
    taker: Arc<Taker>,
    settings: StoreSettings,
    clock: Clock,
    log: Log,
    /// Only one look at a time.
    watch: tokio::sync::Mutex<Watch>,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
}

/// Counts that waiting batches watch.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    looks: u64,
    works: u64,
}

struct State {
    working: bool,
    polling: Polling,
    looked_at: Option<Instant>,
    last_batch_end: Option<Instant>,
    /// No batch waits before this.
    no_wait_until: Option<Instant>,
    /// Times in a row that a batch has waited in vain.
    vain: u32,
    /// What the channel holds and this host does not run yet.
    pending: Option<Pointer>,
    running: Option<ReleaseId>,
    steps: usize,
    /// The last thing that was wrong with the store or the pointer, so that it is said once.
    trouble: Option<String>,
    before: Observed,
    probation: Option<Trying>,
    tell: Teller,
}

/// A release in its probation.
struct Trying {
    release: ReleaseId,
    revision: u64,
    since: Instant,
    seen: Observed,
    previous: Previous,
}

impl Follower {
    /// Handles one event, with a look at the store beside it.
    ///
    /// # Errors
    /// As [`Host::handle`].
    pub async fn handle(&self, host: &Arc<Host>, event: Bytes, invocation: Invocation) -> Result<Handled, HandleError> {
        self.before(host).await;
        let handled = host.handle(event, invocation).await;
        match &handled {
            Ok(handled) => self.after(host, handled),
            Err(HandleError::Unsettled(_, report)) => {
                let report = (**report).clone();
                self.after(host, &Handled { response: Vec::new(), report, out_of_time: false, iterator_age_ms: None });
            }
            Err(_) => self.shared.state().last_batch_end = Some((self.shared.clock.now)()),
        }
        handled
    }

    /// Begins what is due at the store, and waits for it where nobody waits behind this batch.
    async fn before(&self, host: &Arc<Host>) {
        let shared = &self.shared;
        let now = (shared.clock.now)();
        let mut progress = shared.progress.subscribe();
        let looks = progress.borrow_and_update().looks;
        let wait = {
            let mut state = shared.state();
            if !state.working && state.polling.take_turn(now) {
                state.working = true;
                tokio::spawn(Arc::clone(shared).work(Arc::clone(host)));
            }
            state.working && state.may_wait(now, shared.settings.stale)
        };
        if !wait {
            return;
        }
        let works = progress.borrow().works;
        let looked = progress.wait_for(|progress| progress.looks > looks);
        let mut in_time = tokio::time::timeout(LOOK_WAIT_MAX, looked).await.is_ok();
        if in_time && shared.state().pending.is_some() {
            let worked = progress.wait_for(|progress| progress.works > works);
            in_time = tokio::time::timeout(SWAP_WAIT_MAX, worked).await.is_ok();
        }
        if !in_time {
            // The store is slow: it may keep the channel waiting, not the data, batch after batch.
            shared.state().pause_waiting((shared.clock.now)(), shared.settings.stale);
        }
    }

    /// Counts what a batch came to, and judges the release it ran with.
    fn after(&self, host: &Arc<Host>, handled: &Handled) {
        let shared = &self.shared;
        let now = (shared.clock.now)();
        let mut state = shared.state();
        state.last_batch_end = Some(now);
        state.tell.count(handled);
        let running = state.running.map(|release| release.to_string());
        if handled.report.release != running {
            return; // The release was swapped while this batch was on its way.
        }
        let Some(mut trying) = state.probation.take() else {
            state.before.add(&handled.report, handled.out_of_time);
            if state.before.events > FADE_EVENTS {
                state.before.fade();
            }
            return;
        };
        trying.seen.add(&handled.report, handled.out_of_time);
        if let Some(fault) = probation::fault(&state.before, &trying.seen) {
            return shared.return_from(host, &mut state, trying, &fault);
        }
        let over = trying.seen.events >= probation::EVENTS_PASSED
            || now.saturating_duration_since(trying.since) >= probation::TIME_PASSED;
        if over {
            state.tell.passed(trying.release, trying.revision, (shared.clock.wall_ms)());
            state.before = trying.seen;
            shared.log.info("A release has passed its probation.", &[("release", json!(trying.release))]);
        } else {
            state.probation = Some(trying);
        }
    }
}

impl State {
    /// Lets no batch wait for a while: twice as long as the last time, since a store that is away stays away.
    fn pause_waiting(&mut self, now: Instant, most: Duration) {
        self.no_wait_until = Some(now + PAUSE_MIN.saturating_mul(1 << self.vain.min(16)).min(most));
        self.vain += 1;
    }

    fn may_wait(&self, now: Instant, stale: Duration) -> bool {
        if self.no_wait_until.is_some_and(|until| now < until) {
            return false;
        }
        let idle = self.last_batch_end.is_none_or(|end| now.saturating_duration_since(end) >= IDLE_GAP);
        let is_stale = self.looked_at.is_none_or(|looked| now.saturating_duration_since(looked) >= stale);
        idle || is_stale
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One round at the store: a look, the release it names, this host's file.
    async fn work(self: Arc<Self>, host: Arc<Host>) {
        self.look().await;
        self.progress.send_modify(|progress| progress.looks += 1);
        let pending = self.state().pending.clone();
        if let Some(pointer) = pending {
            self.take(&host, pointer).await;
        }
        let report = {
            let mut state = self.state();
            let now = (self.clock.now)();
            state.tell.is_due(now, TELL_EVERY).then(|| state.tell.report(now, (self.clock.wall_ms)()))
        };
        if let Some((name, report)) = report
            && let Err(error) = self.taker.registry.write_host(&name, &report).await
        {
            self.trouble("This host's file could not be written.", &error.to_string());
        }
        self.state().working = false;
        self.progress.send_modify(|progress| progress.works += 1);
    }

    async fn look(&self) {
        let looked = self.watch.lock().await.look(&self.taker.registry).await;
        let now = (self.clock.now)();
        match looked {
            Ok(pointer) => {
                let mut state = self.state();
                state.looked_at = Some(now);
                state.no_wait_until = None;
                state.vain = 0;
                state.trouble = None;
                if let Some(pointer) = pointer {
                    state.tell.revision(pointer.revision);
                    state.pending = Some(pointer);
                }
            }
            Err(error) if error.is_transient() => {
                self.trouble("The channel could not be looked at; the running release stays.", &error.to_string());
            }
            Err(error) => self.refuse(None, &NotTaken::from(error)),
        }
    }

    /// Takes what the channel holds, if this host does not run it.
    async fn take(&self, host: &Arc<Host>, pointer: Pointer) {
        self.taker.registry.keep_pointer(&pointer, &self.taker.cache).await;
        let (running, steps) = {
            let state = self.state();
            (state.running, state.steps)
        };
        if running == Some(pointer.release) {
            self.state().pending = None;
            return;
        }
        let begun = (self.clock.now)();
        let taken = self.taker.take(pointer.release, steps).await.and_then(|loaded| {
            let steps = loaded.pipeline.steps.len();
            let previous = host.swap(loaded).map_err(|error| NotTaken::for_good("swap", format!("{error:#}")))?;
            Ok((previous, steps))
        });
        match taken {
            Ok((previous, steps)) => self.swapped(&pointer, previous, steps, begun),
            Err(not_taken) if not_taken.transient => {
                self.trouble("A release could not be fetched; the running one stays.", &not_taken.to_string());
            }
            Err(not_taken) => {
                self.refuse(Some(&pointer), &not_taken);
                self.state().pending = None;
            }
        }
    }

    fn swapped(&self, pointer: &Pointer, previous: Previous, steps: usize, begun: Instant) {
        let now = (self.clock.now)();
        let took = now.saturating_duration_since(begun);
        let mut state = self.state();
        let from = state.running.replace(pointer.release);
        state.steps = steps;
        state.pending = None;
        let at_ms = (self.clock.wall_ms)();
        state.tell.swapped(from, pointer, at_ms, took);
        let seen = Observed::default();
        state.probation =
            Some(Trying { release: pointer.release, revision: pointer.revision, since: now, seen, previous });
        let fields = [
            ("release", json!(pointer.release)),
            ("revision", json!(pointer.revision)),
            ("from", json!(from)),
            ("took_ms", json!(took.as_millis() as u64)),
        ];
        self.log.info("A new release runs from the next batch on.", &fields);
        metrics::release(&self.log, at_ms, "Swaps", &pointer.release.to_string());
    }

    fn refuse(&self, pointer: Option<&Pointer>, not_taken: &NotTaken) {
        let release = pointer.map(|pointer| pointer.release);
        let mut state = self.state();
        let text = format!("{release:?} {not_taken}");
        if state.trouble.as_deref() == Some(&text) {
            return; // Said already.
        }
        state.trouble = Some(text);
        let at_ms = (self.clock.wall_ms)();
        state.tell.refused(pointer, not_taken, at_ms);
        let fields =
            [("release", json!(release)), ("kind", json!(not_taken.kind)), ("reason", json!(not_taken.reason))];
        self.log.warn("A release was refused; the running one stays.", &fields);
        metrics::release(&self.log, at_ms, "ReleasesRefused", &release.map(|id| id.to_string()).unwrap_or_default());
    }

    /// Back to the release before, by this host's own decision. The pointer has to move before it takes that release again.
    fn return_from(&self, host: &Arc<Host>, state: &mut State, trying: Trying, fault: &str) {
        let to = trying.previous.release().and_then(|release| release.parse().ok());
        state.steps = trying.previous.steps();
        host.go_back(trying.previous);
        let at_ms = (self.clock.wall_ms)();
        state.running = to;
        state.tell.returned(trying.release, trying.revision, to, fault, at_ms);
        let fields = [("release", json!(trying.release)), ("to", json!(to)), ("reason", json!(fault))];
        self.log.error("A release did badly; this host has gone back to the one before.", &fields);
        metrics::release(&self.log, at_ms, "ReleasesReturned", &trying.release.to_string());
    }

    /// Says what is wrong with the store, once until it changes.
    fn trouble(&self, message: &str, reason: &str) {
        let mut state = self.state();
        if state.trouble.as_deref() != Some(reason) {
            state.trouble = Some(reason.to_owned());
            self.log.warn(message, &[("reason", json!(reason))]);
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
