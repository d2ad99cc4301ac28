//! The cold start: what the channel names, or the next best thing, within the time that Lambda gives a start.
//!
//! Pointer, manifest and artifacts come from the store or from what `/tmp` has kept, verified either way. With the
//! store silent or failing: what was kept, then the pipeline in the package, then an error that says what was tried. In
//! which order, and how long each may take, is decided in `choice`.

use super::choice::{Choice, Known, START_TIME_MAX, share};
use super::loader::Loader;
use super::not_taken::NotTaken;
use super::polling::Polling;
use super::reporter::HostReporter;
use super::state::{Live, Named, Source, Started, State};
use super::waiting::Waiting;
use super::{Follower, Inner, Progress, Round, Shared};
use crate::config::{Settings, StoreSettings};
use crate::loaded::Loaded;
use crate::log::{Log, Output};
use crate::metrics;
use crate::time::Clock;
use anyhow::{Context as _, Result, bail};
use engine::Engine;
use registry::{Cache, Name, Patience, Pointer, Probation, Registry, ReleaseId, Store, Watch};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For the pointer: two tries. A store that has not answered by then is away, and what was kept, or the package, must
/// run within five seconds of the start.
const POINTER_TIME_MAX: Duration = Duration::from_secs(3);

/// For asking what hosts have gone back from, and what is compiled for this engine.
const QUESTIONS_TIME_MAX: Duration = Duration::from_secs(1);

/// Revisions that are searched for a release compiled for this engine.
const REVISIONS_MAX: u64 = 16;

/// Steps that the pool of instances has room for, all workers and two releases counted.
const STEPS_MAX: usize = 16;

/// A probation as this host has kept it: its reason is a thousand characters at most.
const RETURNED_BYTES_MAX: u64 = 16 * 1024;

/// In the Lambda nobody waits at a terminal: few tries, each short; there is always a next look.
pub(super) const PATIENCE: Patience =
    Patience { tries: 3, object_timeout: Duration::from_millis(1_500), blob_timeout: Duration::from_secs(6) };

/// What a start is given besides settings.
pub struct StartContext {
    /// Runs what is loaded.
    pub engine: Engine,
    /// What time it is.
    pub clock: Clock,
    /// Where log lines and metrics go.
    pub output: Output,
    /// Begins chance: when this host looks, and what it is called.
    pub seed: u64,
    /// When the process began: Lambda's ten seconds run from then.
    pub begun: Instant,
}

/// A start on its way.
struct Start {
    loader: Loader,
    store: StoreSettings,
    clock: Clock,
    log: Log,
    watch: Watch,
    reporter: HostReporter,
    waiting: Waiting,
    random: fastrand::Rng,
    /// When the store and all that is loaded from it must be done.
    until: Instant,
    /// The store has not answered: nothing more is asked of it.
    is_away: bool,
    /// What was tried, and why it did not do.
    tried: Vec<String>,
}

impl Follower {
    /// Instances that an engine needs for any release that a store may bring.
    pub fn instances(workers: usize) -> u32 {
        u32::try_from(STEPS_MAX * (workers * 2 + 1)).unwrap_or(u32::MAX)
    }

    /// Finds what to start with and loads it.
    ///
    /// # Errors
    /// The store's URL or settings are wrong, or neither it nor the cache nor the package has a pipeline that this
    /// function can run.
    pub async fn start(settings: &Settings, store: StoreSettings, context: StartContext) -> Result<(Follower, Loaded)> {
        let options = registry::Options {
            settings: store.aws.clone(),
            patience: PATIENCE,
            seed: Some(context.seed),
            create_folder: false,
            await_folder: true,
            credentials: None,
        };
        let opened = Store::open(&store.url, &options)?;
        Follower::start_over(opened, settings, store, context).await
    }

    /// [`Follower::start`] over a store that is open already.
    pub(super) async fn start_over(
        opened: Store,
        settings: &Settings,
        store: StoreSettings,
        context: StartContext,
    ) -> Result<(Follower, Loaded)> {
        Start::new(opened, settings, store, context)?.run().await
    }
}

impl Start {
    fn new(opened: Store, settings: &Settings, store: StoreSettings, context: StartContext) -> Result<Start> {
        let StartContext { engine, clock, output, seed, begun } = context;
        let log = Log::new(output, clock.clone(), settings.log_format, settings.log_level);
        let log = log.with(vec![("pipeline", json!(store.pipeline)), ("channel", json!(store.channel))]);
        let fingerprint = engine.fingerprint().parse().context("the engine's fingerprint is a digest")?;
        let cache = match &store.cache {
            Some(folder) => Cache::new(folder, registry::CACHE_BYTES_DEFAULT),
            None => Cache::none(),
        };
        let loader = Loader {
            registry: Registry::new(opened, store.pipeline.clone(), store.trust.clone()),
            cache,
            engine,
            fingerprint,
            instances: Follower::instances(settings.workers),
            settings: Arc::new(settings.clone()),
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let name = format!("host-{:016x}", random.u64(..)).parse().context("a host's name is a name")?;
        let reporter = HostReporter::new(name, store.channel.clone(), fingerprint, (clock.now)());
        Ok(Start {
            loader,
            watch: Watch::new(store.channel.clone(), store.revision_min),
            store,
            clock,
            log,
            reporter,
            waiting: Waiting::default(),
            random,
            until: begun + START_TIME_MAX,
            is_away: false,
            tried: Vec::new(),
        })
    }

    async fn run(mut self) -> Result<(Follower, Loaded)> {
        let pointer = self.pointer().await;
        let named = pointer.as_ref().map(Named::from);
        let known = self.known(pointer.as_ref()).await;
        let mut first = self.first(Choice::new(named, &known)).await;
        if first.is_none() && self.is_away && named.is_some() {
            // Nothing was kept, and the package has nothing: the store has all the time that is left.
            self.is_away = false;
            first = self.first(Choice::new(named, &known)).await;
        }
        let Some((started, loaded)) = first else {
            let StoreSettings { url, pipeline, channel, .. } = &self.store;
            let tried = self.tried.join("; ");
            bail!("nothing to run from channel `{channel}` of pipeline `{pipeline}` in {url}: {tried}");
        };
        self.note_start(&started);
        Ok((self.follower(State::started(started)), loaded))
    }

    /// The first that loads.
    async fn first(&mut self, mut choice: Choice) -> Option<(Started, Loaded)> {
        while let Some(source) = choice.ahead().first().copied() {
            match self.load(choice.ahead()).await {
                Ok(loaded) => return Some((choice.started((self.clock.now)()), loaded)),
                Err(why) => {
                    let of_channel = choice.failed(&why);
                    self.note_not_taken(source, of_channel, &why);
                }
            }
        }
        None
    }

    /// The pointer from the store, or the one that was kept; none when there is neither.
    async fn pointer(&mut self) -> Option<Pointer> {
        let Loader { registry, cache, .. } = &self.loader;
        let looked = tokio::time::timeout(POINTER_TIME_MAX, self.watch.look(registry)).await;
        let wrong = match looked {
            Ok(Ok(pointer)) => {
                let pointer = pointer.expect("the first look finds a pointer");
                self.waiting.looked((self.clock.now)());
                registry.keep_pointer(&pointer, cache).await;
                return Some(pointer);
            }
            Ok(Err(error)) => {
                self.is_away = error.is_transient();
                error.to_string()
            }
            Err(_) => {
                self.is_away = true;
                format!("the store did not answer within {} s", POINTER_TIME_MAX.as_secs())
            }
        };
        let kept = registry.cached_pointer(&self.store.channel, cache).await;
        self.tried.push(wrong.clone());
        let kept = kept?;
        if let Err(error) = self.watch.take(kept.clone()) {
            self.tried.push(error.to_string());
            return None;
        }
        let fields = [("reason", json!(wrong)), ("release", json!(kept.release))];
        self.log.warn("The channel could not be looked at; what it held before runs.", &fields);
        Some(kept)
    }

    /// What there is to choose from.
    async fn known(&mut self, pointer: Option<&Pointer>) -> Known {
        let package = self.loader.settings.config.is_file();
        let Some(pointer) = pointer else { return Known { channel: None, left: false, ready: None, package } };
        let previous = pointer.previous.filter(|previous| *previous != pointer.release);
        let mut known = Known { channel: Some((pointer.release, previous)), left: false, ready: None, package };
        if !pointer.forced {
            known.left = was_returned_from(&self.loader, pointer).await;
        }
        if self.is_away {
            return known;
        }
        // What cannot be asked in time is not known: then the live release is the one to take.
        let asked = tokio::time::timeout(QUESTIONS_TIME_MAX, self.ask(pointer, &mut known)).await;
        if asked.is_err() {
            self.log.warn("The store was slow to say what hosts have gone back from and what is compiled.", &[]);
        }
        known
    }

    /// Asks what hosts have gone back from and, meanwhile, whether the live release is compiled for this engine.
    async fn ask(&self, pointer: &Pointer, known: &mut Known) {
        let registry = self.loader.registry.clone();
        let (channel, revision) = (pointer.channel.clone(), pointer.revision);
        let verdicts = tokio::spawn(async move { registry.verdicts(&channel, revision).await });
        let is_compiled = self.is_compiled(pointer.release).await;
        match verdicts.await {
            Ok(Ok(tally)) => known.left |= tally.has_failed() && !pointer.forced,
            Ok(Err(error)) => self.unknown("What hosts have gone back from could not be asked.", &error),
            Err(error) => self.unknown("What hosts have gone back from could not be asked.", &error),
        }
        let is_compiled = match known.first_release() {
            Some(first) if first != pointer.release => self.is_compiled(first).await,
            Some(_) => is_compiled,
            None => true,
        };
        if !is_compiled {
            known.ready = self.newest_compiled(pointer, known.left).await;
        }
    }

    fn unknown(&self, message: &str, error: &dyn std::error::Error) {
        self.log.warn(message, &[("reason", json!(error.to_string()))]);
    }

    /// Whether a release need not be compiled here, as far as the store says. What it does not say now, loading will.
    async fn is_compiled(&self, release: ReleaseId) -> bool {
        let Loader { registry, fingerprint, .. } = &self.loader;
        !registry.trust().takes_compiled() || !matches!(registry.compiled(release, *fingerprint).await, Ok(None))
    }

    /// The newest release that is compiled for this engine, if there is one.
    async fn newest_compiled(&self, pointer: &Pointer, left: bool) -> Option<ReleaseId> {
        let Loader { registry, fingerprint, .. } = &self.loader;
        let left = left.then_some(pointer.release);
        let found = registry.newest_compiled(pointer, *fingerprint, REVISIONS_MAX, left.as_slice()).await;
        if let Err(error) = &found {
            self.unknown("Which releases are compiled for this engine could not be asked.", error);
        }
        let ready = found.ok().flatten()?;
        let fields = [("release", json!(ready)), ("live", json!(pointer.release))];
        self.log.warn("The live release was not compiled for this engine; an earlier one runs until it is.", &fields);
        Some(ready)
    }

    /// Loads the first of these, within its share of the time that is left.
    async fn load(&self, sources: &[Source]) -> Result<Loaded, NotTaken> {
        let source = sources[0];
        let left = self.until.saturating_duration_since((self.clock.now)());
        let loading = async {
            if self.is_away && source != Source::Package {
                let loaded = self.loader.without_store().load(source, 0).await;
                // What was not kept may be had later.
                return loaded.map_err(|why| NotTaken { transient: why.transient || why.kind == "not-found", ..why });
            }
            self.loader.load(source, 0).await
        };
        if source == Source::Package {
            return loading.await; // The last chance has no end but Lambda's.
        }
        let late = || NotTaken { kind: "timeout", reason: "it takes too long to load".to_owned(), transient: true };
        tokio::time::timeout(share(sources, left), loading).await.unwrap_or_else(|_| Err(late()))
    }

    fn note_not_taken(&mut self, source: Source, of_channel: Option<Named>, why: &NotTaken) {
        let what = match source {
            Source::Package => "the bundled pipeline".to_owned(),
            Source::Release(id) => format!("release {}", id.short()),
        };
        self.tried.push(format!("{what}: {why}"));
        let fields = [("release", json!(source.release())), ("kind", json!(why.kind)), ("reason", json!(why.reason))];
        if why.transient {
            return self.log.warn("A release could not be fetched; another one is tried.", &fields);
        }
        self.log.warn("A release was refused; another one is tried.", &fields);
        let at_ms = (self.clock.wall_ms)();
        if let Some(named) = of_channel {
            self.reporter.refused(Some(&named), why, at_ms);
        }
        if let Some(release) = source.release() {
            metrics::release(&self.log, at_ms, "ReleasesRefused", &release.to_string());
        }
    }

    fn note_start(&mut self, started: &Started) {
        let at_ms = (self.clock.wall_ms)();
        let Started { running, channel, live, .. } = started;
        self.reporter.started(*running, at_ms);
        if let Some(named) = channel {
            self.reporter.revision(named.revision);
        }
        let left = channel.filter(|_| *live == Live::Left);
        if let Some(named) = left.filter(|named| *running != Source::Release(named.release)) {
            let reason = format!(
                "hosts have gone back from it since it came with revision {}; promote it again to have it tried, or \
                 with --force to have it run",
                named.revision
            );
            self.reporter.refused(Some(&named), &NotTaken::for_good("returned", &reason), at_ms);
            let fields = [("release", json!(named.release)), ("kind", json!("returned")), ("reason", json!(reason))];
            self.log.warn("The live release was refused; another one runs until the channel moves.", &fields);
            self.tried.push(format!("release {}: {reason}", named.release.short()));
        } else if left.is_some() {
            let reason = json!(self.tried.join("; "));
            self.log.error(
                "Hosts have gone back from the live release, and there is no other to run.",
                &[("reason", reason)],
            );
        }
        let revision = channel.map(|named| named.revision);
        match running {
            Source::Package => {
                let fields = [("reason", json!(self.tried.join("; ")))];
                self.log.error("The channel cannot be followed; the bundled pipeline runs.", &fields);
            }
            Source::Release(id) => {
                let fields = [("release", json!(id)), ("revision", json!(revision))];
                self.log.info("A release runs from the start on.", &fields);
            }
        }
    }

    fn follower(self, state: State) -> Follower {
        let Start { loader, store, clock, log, watch, reporter, waiting, random, .. } = self;
        let inner = Inner {
            state,
            kept: None,
            polling: Polling::new((clock.now)(), store.poll, random),
            waiting,
            reporter,
            round: Round::Idle,
        };
        let shared = Shared {
            loader,
            settings: store,
            clock,
            log,
            watch: tokio::sync::Mutex::new(watch),
            inner: Mutex::new(inner),
            progress: tokio::sync::watch::Sender::new(Progress::default()),
        };
        Follower { shared: Arc::new(shared) }
    }
}

/// Keeps what this host has gone back from, for a start of this very environment without the store.
pub(super) async fn keep_returned(registry: &Registry, cache: &Cache, channel: &Name, verdict: &Probation) {
    let text = serde_json::to_vec(verdict).expect("a probation becomes JSON");
    cache.keep(returned_name(registry, channel), text.into()).await;
}

/// Whether a host of this environment has gone back from what the pointer names, since it was moved there.
async fn was_returned_from(loader: &Loader, pointer: &Pointer) -> bool {
    let name = returned_name(&loader.registry, &pointer.channel);
    let kept = loader.cache.entry(name, RETURNED_BYTES_MAX).await;
    let kept = kept.and_then(|text| serde_json::from_slice::<Probation>(&text).ok());
    kept.is_some_and(|kept| (kept.release, kept.revision) == (pointer.release, pointer.revision))
}

/// As the cache's other names: a pipeline and a channel may hold dots and dashes, `@` they cannot.
fn returned_name(registry: &Registry, channel: &Name) -> String {
    format!("returned@{}@{channel}", registry.pipeline())
}
