//! The host: what lives from batch to batch. Nothing of a batch does.

use crate::config::Settings;
use crate::dead_letter::DeadLetters;
use crate::firehose::Firehose;
use crate::handler;
use crate::journal::{self, Journal};
use crate::kinesis::EventError;
use crate::loaded::Loaded;
use crate::log::{Log, Output};
use crate::missing::Seen;
use crate::time::Clock;
use crate::walk::Rules;
use crate::workers::Workers;
use anyhow::{Result, ensure};
use bytes::Bytes;
use pipeline::{Pipeline, Report};
use serde_json::json;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Sets of workers kept for the next invocation. Lambda runs one at a time, Managed Instances eight a vCPU; beyond that
/// a set is made anew.
const IDLE_SETS_MAX: usize = 16;

/// The world outside, passed in.
pub struct World {
    /// Takes documents.
    pub firehose: Arc<dyn Firehose>,
    /// Keeps dead letters.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// What time it is.
    pub clock: Clock,
    /// Where log lines and metrics go.
    pub output: Output,
    /// Begins the random pauses of delivery.
    pub seed: u64,
    /// What is remembered past the death of this process; none where nobody starts another in its place.
    pub journal: Option<Journal>,
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// How long it may take, from now on.
    pub remaining: Duration,
}

/// What an invocation came to.
#[derive(Debug)]
pub struct Handled {
    /// The answer to the event source mapping, as JSON.
    pub response: Vec<u8>,
    /// What happened to the batch.
    pub report: Report,
    /// The batch was cut short by the invocation's deadline.
    pub out_of_time: bool,
    /// Age of the last record when the batch began, in milliseconds; none when the event does not say.
    pub iterator_age_ms: Option<u64>,
}

/// Why an invocation failed as a whole: Kinesis sends the whole batch again.
#[derive(Debug)]
pub enum HandleError {
    /// The event is none that this function reads.
    Event(EventError),
    /// A person must act; says what to fix. Nothing was accepted yet.
    Configuration(String),
    /// The batch is not settled, and the event source mapping has no partial failures. With what it came to so far.
    Unsettled(String, Box<Handled>),
    /// A bug of ours.
    Bug(anyhow::Error),
}

impl HandleError {
    /// What Lambda shows as the error's type.
    pub fn error_type(&self) -> &'static str {
        match self {
            HandleError::Event(_) => "Paddlewheel.Event",
            HandleError::Configuration(_) => "Paddlewheel.Configuration",
            HandleError::Unsettled(..) => "Paddlewheel.Unsettled",
            HandleError::Bug(_) => "Paddlewheel.Bug",
        }
    }
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandleError::Event(error) => error.fmt(f),
            HandleError::Configuration(what) => f.write_str(what),
            HandleError::Unsettled(reason, _) => {
                write!(f, "the batch is not settled, and PADDLE_PARTIAL_FAILURES is not `reported`: {reason}")
            }
            HandleError::Bug(error) => write!(f, "a bug in Paddlewheel: {error:#}"),
        }
    }
}

impl std::error::Error for HandleError {}

impl From<EventError> for HandleError {
    fn from(error: EventError) -> HandleError {
        HandleError::Event(error)
    }
}

/// Handles events. Several may be handled at once.
pub struct Host {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) log: Log,
    active: RwLock<Arc<Active>>,
    idle: Mutex<Vec<Set>>,
    random: Mutex<fastrand::Rng>,
    batches: AtomicU64,
}

/// What batches run at present, with everything derived from it. A batch holds one to its end.
pub(crate) struct Active {
    pub(crate) loaded: Arc<Loaded>,
    /// Delivery streams, by route.
    pub(crate) streams: Vec<String>,
    pub(crate) rules: Arc<Rules>,
    /// Stands for the release and where it delivers, in the journal.
    pub(crate) name: [u8; 32],
    /// Which fields its steps met, in the batches that were watched.
    pub(crate) seen: Mutex<Seen>,
}

/// A release whose workers are started: it can run from one moment to the next.
pub struct Ready(Set);

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.0.active.loaded.release).finish()
    }
}

/// What ran before a swap, kept to go back to.
pub struct Previous(Arc<Active>);

impl Previous {
    /// Its release.
    pub fn release(&self) -> Option<&str> {
        self.0.loaded.release.as_deref()
    }

    pub(crate) fn active(&self) -> &Active {
        &self.0
    }
}

impl fmt::Debug for Previous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Previous").field(&self.release()).finish()
    }
}

/// Workers and what they are loaded with.
pub(crate) struct Set {
    pub(crate) active: Arc<Active>,
    pub(crate) workers: Workers,
}

impl Host {
    /// A host that runs `loaded`, its first workers started.
    ///
    /// # Errors
    /// A route that the function does not bind, or plugins that cannot be instantiated.
    pub fn new(settings: Settings, loaded: Loaded, world: World) -> Result<Host> {
        let log = Log::new(world.output.clone(), world.clock.clone(), settings.log_format, settings.log_level);
        let log = log.with(vec![("pipeline", json!(loaded.pipeline.name))]);
        let set = start(&settings, loaded)?;
        warn_of_settings(&settings, &set.active, &log);
        if let Some(journal) = &world.journal {
            tell_of_journal(journal, &log);
        }
        Ok(Host {
            active: RwLock::new(Arc::clone(&set.active)),
            idle: Mutex::new(vec![set]),
            random: Mutex::new(fastrand::Rng::with_seed(world.seed)),
            batches: AtomicU64::new(0),
            settings,
            world,
            log,
        })
    }

    /// Handles one event. What the answer says is done: dead letters are written, documents accepted, metrics and logs
    /// out.
    ///
    /// # Errors
    /// See [`HandleError`]; Kinesis sends the whole batch again.
    pub async fn handle(&self, event: Bytes, invocation: Invocation) -> Result<Handled, HandleError> {
        self.handle_with(event, invocation).await.1
    }

    /// The same, with what it ran; none when it did not come to that.
    pub(crate) async fn handle_with(
        &self,
        event: Bytes,
        invocation: Invocation,
    ) -> (Option<Arc<Active>>, Result<Handled, HandleError>) {
        let mut ran = None;
        let handled = handler::handle(self, event, invocation, &mut ran).await;
        (ran, handled)
    }

    /// Runs `loaded` from the next batch on; gives what ran before. Batches that are under way end with what they began
    /// with.
    ///
    /// # Errors
    /// As [`Host::new`]; then everything stays as it is.
    pub fn swap(&self, loaded: Loaded) -> Result<Previous> {
        Ok(self.swap_to(self.make_ready(loaded)?))
    }

    /// The slow part of a swap: starts workers, beside the batches that are under way.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn make_ready(&self, loaded: Loaded) -> Result<Ready> {
        start(&self.settings, loaded).map(Ready)
    }

    /// The rest of a swap, which neither waits nor fails.
    pub fn swap_to(&self, Ready(set): Ready) -> Previous {
        let active = Arc::clone(&set.active);
        Previous(self.exchange(active, Some(set)))
    }

    /// The pipeline that batches run at present.
    pub fn pipeline(&self) -> Arc<Pipeline> {
        Arc::clone(&self.active().loaded.pipeline)
    }

    /// Runs from the next batch on what ran before a swap; gives what ran until now.
    pub fn go_back(&self, previous: Previous) -> Previous {
        Previous(self.exchange(previous.0, None))
    }

    fn exchange(&self, active: Arc<Active>, set: Option<Set>) -> Arc<Active> {
        let mut running = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let previous = std::mem::replace(&mut *running, active);
        drop(running);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
        idle.extend(set);
        previous
    }

    /// What batches run at present.
    pub(crate) fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Workers for one invocation that runs this.
    pub(crate) fn check_out(&self, active: Arc<Active>) -> Result<Set> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|set| Arc::ptr_eq(&set.active, &active));
        if let Some(set) = idle.pop() {
            return Ok(set);
        }
        drop(idle);
        let workers = Workers::start(&active.loaded, self.settings.workers)?;
        Ok(Set { active, workers })
    }

    /// Keeps healthy workers for the next invocation.
    pub(crate) fn check_in(&self, set: Set) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_SETS_MAX {
            idle.push(set);
        }
    }

    /// The number of a new batch, from 0.
    pub(crate) fn next_batch(&self) -> u64 {
        self.batches.fetch_add(1, Ordering::Relaxed)
    }

    /// A source of chance for one invocation.
    pub(crate) fn fork_random(&self) -> fastrand::Rng {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn start(settings: &Settings, loaded: Loaded) -> Result<Set> {
    let streams = streams(settings, &loaded)?;
    let loaded = Arc::new(loaded);
    let workers = Workers::start(&loaded, settings.workers)?;
    let rules = Arc::new(Rules::of(&loaded.pipeline));
    let name = name(settings, &loaded, &streams);
    Ok(Set { active: Arc::new(Active { loaded, streams, rules, name, seen: Mutex::default() }), workers })
}

/// The delivery stream of each route: what the function binds, else, but never on Lambda, the local one.
///
/// # Errors
/// A route that the function does not bind.
pub(crate) fn streams(settings: &Settings, loaded: &Loaded) -> Result<Vec<String>> {
    let routes = &loaded.pipeline.routes;
    let unbound: Vec<&str> =
        routes.iter().map(|route| route.name.as_str()).filter(|name| !settings.routes.contains_key(*name)).collect();
    ensure!(
        unbound.is_empty() || !settings.on_lambda,
        "the pipeline has routes that PADDLE_ROUTES does not bind: {}; add {}=<delivery stream>",
        unbound.join(", "),
        unbound.join("=<delivery stream>,")
    );
    Ok(routes.iter().map(|route| settings.routes.get(&route.name).unwrap_or(&route.stream).clone()).collect())
}

/// What has to be the same for a record that was settled to count as settled.
fn name(settings: &Settings, loaded: &Loaded, streams: &[String]) -> [u8; 32] {
    let pipeline = format!("{:?}", loaded.pipeline);
    let own = [&*pipeline, loaded.release.as_deref().unwrap_or_default()];
    let own = own.into_iter().chain(settings.dead_letters.as_deref());
    journal::name(own.chain(loaded.digests.iter().chain(streams).map(String::as_str)))
}

/// Says what the processes before this one left behind.
fn tell_of_journal(journal: &Journal, log: &Log) {
    for reason in journal.take_ignored() {
        log.warn("A file in the journal's folder was left alone.", &[("reason", json!(reason))]);
    }
    let deaths = journal.deaths();
    if deaths > 0 {
        log.warn(
            "A process before this one died in the middle of a batch. Its records run one at a time when they come again.",
            &[("batches", json!(deaths))],
        );
    }
}

fn warn_of_settings(settings: &Settings, active: &Active, log: &Log) {
    if !settings.partial_failures && settings.on_lambda {
        log.warn(
            "PADDLE_PARTIAL_FAILURES is not `reported`: a batch that is not settled fails as a whole. Give the event source \
             mapping ReportBatchItemFailures, then set it.",
            &[],
        );
    }
    let known = |name: &String| active.loaded.pipeline.route(name).is_some();
    for name in settings.routes.keys().filter(|name| !known(name)) {
        log.warn("PADDLE_ROUTES binds a route that the pipeline does not have.", &[("route", json!(name))]);
    }
}
