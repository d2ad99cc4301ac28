//! Following a channel: new releases are taken between two batches, while the old one works.
//!
//! The pointer is looked at beside a batch, never before it; what it names is fetched, verified, loaded and tried on a
//! task of its own, and takes effect with the next batch. Anything wrong on the way: the old release stays. After a
//! swap there is a probation, and a release that does badly is left again. Store trouble never stops traffic.
//!
//! What is decided is decided in pure modules: `state` (what runs, what is taken, what is left), `probation` (does a
//! release do worse), `choice` (what a start takes), `waiting` and `polling` (when), `reporter` (what a host says of
//! itself). This module and `start` are the shell around them: they ask the store, load code with `loader`, and carry
//! out what `state` says.

mod choice;
mod loader;
mod not_taken;
mod notes;
mod polling;
mod probation;
mod reporter;
mod start;
mod state;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
mod waiting;

pub use start::StartContext;

use crate::config::StoreSettings;
use crate::host::{Active, HandleError, Handled, Host, Invocation, Previous, Ready};
use crate::log::Log;
use crate::time::Clock;
use bytes::Bytes;
use loader::Loader;
use not_taken::NotTaken;
use polling::Polling;
use probation::Batch;
use registry::{Outcome, Watch};
use reporter::HostReporter;
use serde_json::json;
use state::{Action, Event, Named, Source, State};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use waiting::Waiting;

/// How long a batch waits for a look at the pointer, after a pause or when the last look is stale.
const LOOK_WAIT_MAX: Duration = Duration::from_millis(250);

/// How long it then waits for the release that the look has named: a swap from the cache takes 10 ms, a fetch some
/// hundred.
const SWAP_WAIT_MAX: Duration = Duration::from_millis(1_000);

/// How long a batch that has shown a release to be bad waits until that is written down: once it is answered, its host
/// may be frozen or gone, and the next one must know. Two tries of a request.
const RECORD_WAIT_MAX: Duration = Duration::from_millis(3_000);

/// Follows one channel for one host.
pub struct Follower {
    shared: Arc<Shared>,
}

struct Shared {
    loader: Loader,
    settings: StoreSettings,
    clock: Clock,
    log: Log,
    /// Only one look at a time.
    watch: tokio::sync::Mutex<Watch>,
    inner: Mutex<Inner>,
    progress: watch::Sender<Progress>,
}

/// Counts that waiting batches watch.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    looks: u64,
    rounds: u64,
}

/// What changes, behind one lock.
struct Inner {
    state: State,
    /// What [`State::kept`] names.
    kept: Option<Previous>,
    polling: Polling,
    waiting: Waiting,
    reporter: HostReporter,
    round: Round,
}

/// Whether a task is at the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Idle,
    Working,
    /// And once more when it is done.
    WorkingTwice,
}

impl Follower {
    /// Handles one event, with a look at the store beside it.
    ///
    /// # Errors
    /// As [`Host::handle`].
    pub async fn handle(&self, host: &Arc<Host>, event: Bytes, invocation: Invocation) -> Result<Handled, HandleError> {
        self.before(host).await;
        let until = (self.shared.clock.now)() + invocation.remaining;
        let (ran, handled) = host.handle_with(event, invocation).await;
        self.after(host, ran, &handled, until).await;
        handled
    }

    /// Begins what is due at the store, and waits for it where nobody waits behind this batch.
    async fn before(&self, host: &Arc<Host>) {
        let shared = &self.shared;
        let now = (shared.clock.now)();
        let mut progress = shared.progress.subscribe();
        let Progress { looks, rounds } = *progress.borrow_and_update();
        let waits = {
            let mut inner = shared.inner();
            if inner.round == Round::Idle && inner.polling.take_turn(now) {
                shared.begin_round(&mut inner, host);
            }
            inner.round != Round::Idle && inner.waiting.may_wait(now, shared.settings.stale)
        };
        if !waits {
            return;
        }
        let looked = progress.wait_for(|progress| progress.looks > looks);
        let mut in_time = tokio::time::timeout(LOOK_WAIT_MAX, looked).await.is_ok();
        if in_time && !shared.inner().state.wanted().is_empty() {
            let worked = progress.wait_for(|progress| progress.rounds > rounds);
            in_time = tokio::time::timeout(SWAP_WAIT_MAX, worked).await.is_ok();
        }
        if !in_time {
            shared.inner().waiting.timed_out((shared.clock.now)(), shared.settings.stale);
        }
    }

    /// Counts what a batch came to, and judges what it ran. A return is written down before the batch is answered,
    /// unless the store takes longer than there is time until `until`.
    async fn after(
        &self,
        host: &Arc<Host>,
        ran: Option<Arc<Active>>,
        handled: &Result<Handled, HandleError>,
        until: Instant,
    ) {
        let shared = &self.shared;
        let now = (shared.clock.now)();
        {
            let mut inner = shared.inner();
            inner.waiting.batch_ended(now);
            match handled {
                Ok(handled) => inner.reporter.count(handled),
                Err(HandleError::Unsettled(_, handled)) => inner.reporter.count(handled),
                Err(HandleError::Event(_) | HandleError::Configuration(_) | HandleError::Bug(_)) => {}
            }
        }
        let batch = ran.as_deref().map(source_of).zip(Batch::of(handled));
        let Some((source, batch)) = batch else { return };
        let has_verdict = shared.happened(host, Event::Ran(source, batch), None, Duration::ZERO);
        if has_verdict {
            let recording = tokio::spawn(Arc::clone(shared).record());
            let left = until.saturating_duration_since(now) / 2;
            // If it takes longer, it goes on beside the next batches.
            tokio::time::timeout(RECORD_WAIT_MAX.min(left), recording).await.ok();
        }
    }
}

/// What a batch ran.
fn source_of(active: &Active) -> Source {
    let release = active.loaded.release.as_deref();
    release.and_then(|release| release.parse().ok()).map_or(Source::Package, Source::Release)
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in and carries out what follows, all under the lock: what the state says and what the host runs
    /// change together. `ready` is what an [`Event::Loaded`] has loaded, and `took` how long that took. Says whether
    /// there is a verdict to be written.
    fn happened(self: &Arc<Self>, host: &Arc<Host>, event: Event, mut ready: Option<Ready>, took: Duration) -> bool {
        // Declared before the lock, so that what runs no more is dropped after it.
        let mut ran: Vec<Previous> = Vec::new();
        let mut has_verdict = false;
        let mut inner = self.inner();
        for action in inner.state.on((self.clock.now)(), event) {
            match action {
                Action::Swap => {
                    let ready = ready.take().expect("what was loaded comes with the event that says so");
                    ran.push(host.swap_to(ready));
                }
                Action::Discard => drop(ready.take()),
                Action::GoBack(_) => {
                    let kept = inner.kept.take().expect("the state goes back to what it keeps only");
                    ran.push(host.go_back(kept));
                }
                Action::Hurry => self.begin_round(&mut inner, host),
                Action::Record(verdict) => {
                    inner.reporter.record(&verdict, (self.clock.wall_ms)());
                    has_verdict = true;
                }
                Action::Note(note) => self.note(&mut inner.reporter, note, took),
            }
        }
        ran.extend(inner.kept.take());
        let kept = inner.state.kept();
        let at = ran.iter().position(|previous| Some(source_of(previous.active())) == kept);
        inner.kept = at.map(|at| ran.swap_remove(at));
        has_verdict
    }

    /// Begins a round, or has the one that is on its way followed by another.
    fn begin_round(self: &Arc<Self>, inner: &mut Inner, host: &Arc<Host>) {
        if inner.round != Round::Idle {
            inner.round = Round::WorkingTwice;
            return;
        }
        inner.round = Round::Working;
        tokio::spawn(Arc::clone(self).rounds(Arc::clone(host)));
    }

    /// Rounds at the store until none is asked for any more. Each is a task whose end is seen: one that panics must not
    /// keep this host from ever looking again.
    async fn rounds(self: Arc<Self>, host: Arc<Host>) {
        loop {
            let ended = tokio::spawn(Arc::clone(&self).one_round(Arc::clone(&host))).await;
            if let Err(error) = ended {
                let fields = [("reason", json!(error.to_string()))];
                self.log.error(
                    "A look at the channel broke; the running release stays, and the next look is tried.",
                    &fields,
                );
            }
            let again = {
                let mut inner = self.inner();
                let again = inner.round == Round::WorkingTwice;
                inner.round = if again { Round::Working } else { Round::Idle };
                again
            };
            self.progress.send_modify(|progress| {
                progress.looks += 1;
                progress.rounds += 1;
            });
            if !again {
                return;
            }
        }
    }

    /// A look, what is to run next, this host's file.
    async fn one_round(self: Arc<Self>, host: Arc<Host>) {
        let looked = self.look(&host).await;
        self.progress.send_modify(|progress| progress.looks += 1);
        self.load_wanted(&host, looked).await;
        self.report().await;
        if self.inner().reporter.may_write((self.clock.now)()) {
            self.record().await;
        }
    }

    /// Looks at the channel; says whether that was possible.
    async fn look(self: &Arc<Self>, host: &Arc<Host>) -> bool {
        let looked = self.watch.lock().await.look(&self.loader.registry).await;
        let event = match looked {
            Ok(Some(pointer)) => {
                self.loader.registry.keep_pointer(&pointer, &self.loader.cache).await;
                self.inner().reporter.revision(pointer.revision);
                Event::Moved(Named::from(&pointer))
            }
            Ok(None) => Event::Unmoved,
            // What a look finds is there for good or not there now; what may not be looked at is a matter for people.
            Err(error) => Event::LookFailed(NotTaken { transient: error.is_transient(), ..NotTaken::from(error) }),
        };
        let looked = !matches!(event, Event::LookFailed(_));
        if looked {
            self.inner().waiting.looked((self.clock.now)());
        }
        self.happened(host, event, None, Duration::ZERO);
        looked
    }

    /// Loads what is to run next, the first of it that can be: from the store if that answers, and for a host that
    /// leaves a release from the cache too.
    async fn load_wanted(self: &Arc<Self>, host: &Arc<Host>, looked: bool) {
        let (wanted, leaving) = {
            let inner = self.inner();
            (inner.state.wanted(), inner.state.is_leaving())
        };
        for source in wanted {
            if !looked && !leaving {
                return;
            }
            let begun = (self.clock.now)();
            let loaded = self.load(host, source).await;
            let took = (self.clock.now)().saturating_duration_since(begun);
            match loaded {
                Ok(ready) => {
                    self.happened(host, Event::Loaded(source), Some(ready), took);
                    return;
                }
                Err(why) => drop(self.happened(host, Event::NotLoaded(source, why), None, took)),
            }
        }
    }

    async fn load(&self, host: &Arc<Host>, source: Source) -> Result<Ready, NotTaken> {
        let loaded = self.loader.load(source, host.pipeline().steps.len()).await?;
        let host = Arc::clone(host);
        let started =
            move |_: &Loader| host.make_ready(loaded).map_err(|error| NotTaken::for_good("swap", format!("{error:#}")));
        self.loader.blocking(started).await
    }

    /// Writes this host's file, when that is due.
    async fn report(&self) {
        let due = {
            let mut inner = self.inner();
            let due = inner.reporter.due((self.clock.now)(), (self.clock.wall_ms)());
            due.map(|draft| (inner.reporter.name.clone(), draft))
        };
        let Some((name, draft)) = due else { return };
        let written = self.loader.registry.write_host(&name, &draft.report).await;
        let now = (self.clock.now)();
        match written {
            Ok(()) => self.inner().reporter.written(now, &draft),
            Err(error) => self.write_failed(&error, "This host's file could not be written; it is tried again."),
        }
    }

    /// Writes verdicts that wait: where every later start finds them, and where this very environment does if the store
    /// is away then.
    async fn record(self: Arc<Self>) {
        let (name, verdicts) = {
            let inner = self.inner();
            (inner.reporter.name.clone(), inner.reporter.verdicts())
        };
        let Loader { registry, cache, .. } = &self.loader;
        for verdict in verdicts {
            if verdict.outcome == Outcome::Returned {
                start::keep_returned(registry, cache, &self.settings.channel, &verdict).await;
            }
            match registry.write_verdict(&self.settings.channel, &name, &verdict).await {
                Ok(()) => self.inner().reporter.recorded(&verdict),
                Err(error) => {
                    return self.write_failed(&error, "How a probation ended could not be written; it is tried again.");
                }
            }
        }
    }

    fn write_failed(&self, error: &registry::Error, message: &str) {
        let is_new = self.inner().reporter.write_failed((self.clock.now)(), error.kind().as_str());
        if is_new {
            self.log.warn(message, &[("reason", json!(error.to_string()))]);
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
