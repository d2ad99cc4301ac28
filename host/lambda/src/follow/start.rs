//! The cold start: what the channel holds, or the next best thing, within the time that Lambda gives a start.
//!
//! Pointer, manifest and artifacts come from the store or from what `/tmp` kept, verified either way. With the store slow or
//! failing: the kept pointer, then a pipeline bundled in the package, then an error that says what was tried.

use super::take::{NotTaken, Taker};
use super::tell::Teller;
use super::{Follower, Observed, Polling, Progress, Shared, State};
use crate::bundle::Bundle;
use crate::config::{Settings, StoreSettings};
use crate::loaded::Loaded;
use crate::log::{Log, Output};
use crate::time::Clock;
use anyhow::{Context as _, Result, bail};
use engine::Engine;
use registry::{Cache, Patience, Pointer, Registry, ReleaseId, Store, Watch, tally};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// For the pointer: Lambda's start may take 10 seconds in all, and a release must still be fetched and loaded.
const POINTER_TIME_MAX: Duration = Duration::from_secs(4);

/// For one release, compiling included: what is left of the ten seconds.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(9);

/// For asking what other hosts say of a new release.
const HOSTS_TIME_MAX: Duration = Duration::from_secs(1);

/// After a move, starting hosts ask whether others have gone back from it; later the channel would have been moved.
const ASK_FOR_MS: u64 = 15 * 60 * 1000;

/// Revisions that are searched for a release compiled for this engine.
const REVISIONS_MAX: u64 = 16;

/// Steps that the pool of instances has room for, all workers and two releases counted.
const STEPS_MAX: usize = 16;

/// In the Lambda nobody waits at a terminal: few tries, each short; there is always a next look.
pub(super) const PATIENCE: Patience =
    Patience { tries: 3, object_timeout: Duration::from_millis(1_500), blob_timeout: Duration::from_secs(6) };

/// What the release to start with was chosen from.
struct Choice {
    candidates: Vec<ReleaseId>,
    pointer: Pointer,
}

impl Follower {
    /// Instances that an engine needs for any release that a store may bring.
    pub fn instances(workers: usize) -> u32 {
        u32::try_from(STEPS_MAX * (workers * 2 + 1)).unwrap_or(u32::MAX)
    }

    /// Finds the release to start with and loads it.
    ///
    /// # Errors
    /// The store cannot be opened, or neither it nor the cache nor the package has a pipeline that this function can run.
    pub async fn start(
        settings: &Settings,
        store: StoreSettings,
        engine: Engine,
        clock: Clock,
        output: Output,
        seed: u64,
    ) -> Result<(Follower, Loaded)> {
        let options = registry::Options {
            settings: store.aws.clone(),
            patience: PATIENCE,
            seed: Some(seed),
            create_folder: false,
            credentials: None,
        };
        let opened = Store::open(&store.url, &options)?;
        Follower::start_over(opened, settings, store, engine, clock, output, seed).await
    }

    /// [`Follower::start`] over a store that is open already.
    pub(super) async fn start_over(
        opened: Store,
        settings: &Settings,
        store: StoreSettings,
        engine: Engine,
        clock: Clock,
        output: Output,
        seed: u64,
    ) -> Result<(Follower, Loaded)> {
        let log = Log::new(output, clock.clone(), settings.log_format, settings.log_level);
        let log = log.with(vec![("pipeline", json!(store.pipeline)), ("channel", json!(store.channel))]);
        let registry = Registry::new(opened, store.pipeline.clone(), store.trust.clone());
        let follower = Follower::new(registry, settings, store, engine, clock, log, seed)?;
        let loaded = follower.first(settings).await?;
        Ok((follower, loaded))
    }

    fn new(
        registry: Registry,
        settings: &Settings,
        store: StoreSettings,
        engine: Engine,
        clock: Clock,
        log: Log,
        seed: u64,
    ) -> Result<Follower> {
        let fingerprint = engine.fingerprint().parse().context("the engine's fingerprint is a digest")?;
        let cache = match &store.cache {
            Some(folder) => Cache::new(folder, registry::CACHE_BYTES_DEFAULT),
            None => Cache::none(),
        };
        let taker = Taker {
            registry,
            cache,
            engine,
            fingerprint,
            secrets: settings.secrets.clone(),
            workers: settings.workers,
            instances: Follower::instances(settings.workers),
            memory_bytes: settings.memory_mib << 20,
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let name = format!("host-{:016x}", random.u64(..)).parse().context("a host's name is a name")?;
        let state = State {
            working: false,
            polling: Polling::new((clock.now)(), store.poll, random),
            looked_at: None,
            last_batch_end: None,
            no_wait_until: None,
            vain: 0,
            pending: None,
            running: None,
            steps: 0,
            trouble: None,
            before: Observed::default(),
            probation: None,
            tell: Teller::new(name, store.channel.clone(), fingerprint, (clock.now)()),
        };
        let watch = Watch::new(store.channel.clone(), store.revision_min);
        let shared = Shared {
            taker: Arc::new(taker),
            settings: store,
            clock,
            log,
            watch: tokio::sync::Mutex::new(watch),
            state: Mutex::new(state),
            progress: tokio::sync::watch::Sender::new(Progress::default()),
        };
        Ok(Follower { shared: Arc::new(shared) })
    }

    /// The first release that can be taken, or the bundled pipeline.
    async fn first(&self, settings: &Settings) -> Result<Loaded> {
        let mut tried: Vec<String> = Vec::new();
        match self.choice().await {
            Ok(choice) => {
                for id in &choice.candidates {
                    let taking = self.shared.taker.take(*id, 0);
                    let late = || NotTaken { kind: "timeout", reason: "it takes too long".into(), transient: true };
                    let taken = tokio::time::timeout(RELEASE_TIME_MAX, taking).await.unwrap_or_else(|_| Err(late()));
                    match taken {
                        Ok(loaded) => {
                            self.started(Some((*id, &choice.pointer)), &loaded);
                            return Ok(loaded);
                        }
                        Err(not_taken) => {
                            tried.push(format!("release {}: {not_taken}", id.short()));
                            self.refuse_at_start(*id, &choice.pointer, &not_taken);
                        }
                    }
                }
            }
            Err(error) => tried.push(format!("{error:#}")),
        }
        if settings.config.is_file() {
            match self.bundled(settings) {
                Ok(loaded) => {
                    let fields = [("reason", json!(tried.join("; ")))];
                    self.shared.log.error("The channel cannot be followed; the bundled pipeline runs.", &fields);
                    self.started(None, &loaded);
                    return Ok(loaded);
                }
                Err(error) => tried.push(format!("the bundled pipeline: {error:#}")),
            }
        }
        let StoreSettings { url, pipeline, channel, .. } = &self.shared.settings;
        bail!("nothing to run from channel `{channel}` of pipeline `{pipeline}` in {url}: {}", tried.join("; "))
    }

    fn bundled(&self, settings: &Settings) -> Result<Loaded> {
        let bundle = Bundle::read(&settings.config)?.with_artifacts();
        bundle.load(&self.shared.taker.engine, &settings.secrets, &|_| None)
    }

    /// What to start with, in the order in which it is tried.
    async fn choice(&self) -> Result<Choice> {
        let pointer = self.pointer().await?;
        let mut candidates = vec![pointer.release];
        if let Some(previous) = pointer.previous.filter(|previous| *previous != pointer.release) {
            // When hosts have gone back from it, the one before is the better start.
            candidates.insert(usize::from(!self.has_failed(&pointer).await), previous);
        }
        let taker = &self.shared.taker;
        if taker.registry.trust().takes_compiled()
            && let Ok(None) = taker.registry.compiled(candidates[0], taker.fingerprint).await
        {
            let found = taker.registry.newest_compiled(&pointer, taker.fingerprint, REVISIONS_MAX).await;
            if let Ok(Some(compiled)) = found {
                let fields = [("release", json!(compiled)), ("live", json!(pointer.release))];
                self.shared.log.warn(
                    "The live release was not compiled for this engine; an earlier one runs until it is.",
                    &fields,
                );
                candidates.retain(|candidate| *candidate != compiled);
                candidates.insert(0, compiled);
            }
        }
        Ok(Choice { candidates, pointer })
    }

    /// The pointer from the store, or the one that was kept.
    async fn pointer(&self) -> Result<Pointer> {
        let shared = &self.shared;
        let mut watch = shared.watch.lock().await;
        let looked = tokio::time::timeout(POINTER_TIME_MAX, watch.look(&shared.taker.registry)).await;
        let wrong = match looked {
            Ok(Ok(pointer)) => {
                let pointer = pointer.context("the first look finds a pointer")?;
                shared.state().looked_at = Some((shared.clock.now)());
                shared.taker.registry.keep_pointer(&pointer, &shared.taker.cache).await;
                return Ok(pointer);
            }
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(_) => anyhow::anyhow!("the store does not answer within {} s", POINTER_TIME_MAX.as_secs()),
        };
        let kept = shared.taker.registry.cached_pointer(&shared.settings.channel, &shared.taker.cache).await;
        let Some(kept) = kept else { return Err(wrong) };
        watch.take(kept.clone())?;
        let fields = [("reason", json!(format!("{wrong:#}"))), ("release", json!(kept.release))];
        shared.log.warn("The channel could not be looked at; what it held before runs.", &fields);
        Ok(kept)
    }

    async fn has_failed(&self, pointer: &Pointer) -> bool {
        let shared = &self.shared;
        let now_ms = (shared.clock.wall_ms)();
        if now_ms.saturating_sub(pointer.at_ms) > ASK_FOR_MS {
            return false;
        }
        let hosts = tokio::time::timeout(HOSTS_TIME_MAX, shared.taker.registry.hosts(now_ms)).await;
        let Ok(Ok(hosts)) = hosts else { return false };
        let reports = hosts.live.iter().map(|(_, report)| report);
        tally(reports, &pointer.channel, pointer.release, pointer.revision).has_failed()
    }

    fn started(&self, from: Option<(ReleaseId, &Pointer)>, loaded: &Loaded) {
        let shared = &self.shared;
        let mut state = shared.state();
        state.steps = loaded.pipeline.steps.len();
        let running = from.map(|(id, _)| id);
        state.running = running;
        state.tell.started(running, (shared.clock.wall_ms)());
        if let Some((id, pointer)) = from {
            state.tell.revision(pointer.revision);
            let refused = state.trouble.is_some();
            // The live one is still to be had when nothing is wrong with it but its artifact.
            state.pending = (id != pointer.release && !refused).then(|| pointer.clone());
            let fields = [("release", json!(id)), ("revision", json!(pointer.revision))];
            shared.log.info("A release runs from the start on.", &fields);
        }
    }

    fn refuse_at_start(&self, id: ReleaseId, pointer: &Pointer, not_taken: &NotTaken) {
        let of_pointer = Some(pointer).filter(|pointer| pointer.release == id);
        self.shared.refuse(of_pointer, not_taken);
    }
}
