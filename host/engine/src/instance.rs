//! One instance of a plugin: its store, and one call at a time.

use crate::bindings::{Lifted, Output as PluginOutput, PLUGIN, PluginFailure, cut};
use crate::clock::Interrupted;
use crate::code::LoadError;
use crate::engine::{Clock, Mode};
use crate::flat;
use crate::loaded::{Start, Step};
use crate::state::{Held, HostStop, State};
use crate::wasi::{self, Exit, SleptTooLong, Wasi};
use document::{Document, Meter};
use pipeline::{Event, Failure, FailureKind, Hidden, Level, Output, Signal, Unsettled};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime::component::{InstancePre, Resource, TypedFunc};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

type Transform = TypedFunc<(Resource<Held>,), (Result<Vec<Lifted>, PluginFailure>,)>;
type Init = TypedFunc<(String,), (Result<(), String>,)>;

/// What a plugin exports, by the way in.
enum Exports {
    Flat(Box<flat::Exports>),
    Component { init: Init, transform: Transform },
}

/// CPU time for `init`, of every plugin: an interpreter starts and reads its script within it, and a cold start has 10
/// s.
const INIT_TIME: Duration = Duration::from_secs(2);

/// Instructions that stand for one millisecond in fuel mode: about what optimised guest code runs in one.
const FUEL_PER_MS: u64 = 1_000_000;

/// Bytes a plugin may pass in one call to the host: what a record may inflate to. Reading them takes a few
/// milliseconds.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 32 << 20;

/// Handles an instance may have kept when a call ends. A runtime that collects garbage now and then keeps a few.
const HANDLES_LEFT_MAX: i64 = 64;

/// Lines that a plugin prints are kept within the step's limit of log lines; this bounds one of them, in bytes.
const PRINTED_LINE_BYTES_MAX: usize = 4 << 10;

/// Lines of a plugin's last words that go into the failure: enough for the text of a panic or the end of a traceback.
const LAST_WORDS_MAX: usize = 8;

pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    exports: Exports,
    /// No event has been given to it yet.
    fresh: bool,
}

/// Why an instance did not start.
pub(crate) enum StartError {
    /// The pool has no room for it: the host's fault.
    Full(String),
    /// Its exports are not those of the contract.
    NoPlugin(String),
    /// It trapped, or reached a limit, before `init`.
    Start(Failure),
    /// `init` returned an error.
    Init(String),
    /// `init` trapped, or reached a limit.
    InitBroke(Failure),
    /// The batch ran out of time.
    BatchOver,
}

impl From<StartError> for LoadError {
    fn from(error: StartError) -> LoadError {
        match error {
            StartError::Full(reason) => LoadError::Start(reason),
            StartError::NoPlugin(reason) => LoadError::NoPlugin(reason),
            StartError::Start(failure) => LoadError::Start(failure.message().to_owned()),
            StartError::Init(reason) => LoadError::Init(reason),
            StartError::InitBroke(failure) => LoadError::InitBroke(failure.message().to_owned()),
            StartError::BatchOver => LoadError::Start("there was no time to start it".to_owned()),
        }
    }
}

impl From<StartError> for CallError {
    /// The plugin started when it was loaded. What else it does now is its own doing, but for a full pool: `init` may
    /// read a clock.
    fn from(error: StartError) -> CallError {
        let failed = |failure| CallError::Spent(Signal::Failed(failure));
        match error {
            StartError::Full(reason) => {
                let reason = format!("the host has no room for another instance: {reason}");
                CallError::Spent(Signal::Unsettled(Unsettled::Host(reason)))
            }
            StartError::BatchOver => CallError::Spent(Signal::Unsettled(Unsettled::CutShort)),
            StartError::NoPlugin(reason) => failed(Failure::new(FailureKind::Trap, reason)),
            StartError::Start(failure) | StartError::InitBroke(failure) => failed(failure),
            StartError::Init(reason) => {
                failed(Failure::quoting(FailureKind::Error, "its `init` refused the config: ", &reason, ""))
            }
        }
    }
}

/// How a call ended without outputs.
pub(crate) enum CallError {
    /// The event fails, or is to be tried again; the instance may be used again.
    Signal(Signal),
    /// The instance is broken: a trap or an uncaught exception. Another try in a fresh one is due.
    Broken(Failure),
    /// The instance is broken, and another try would end the same way: a limit was reached.
    Spent(Signal),
}

impl Instance {
    /// Starts an instance and calls `init`.
    pub(crate) fn start(step: &Step, batch_ends: Option<Instant>) -> Result<Instance, StartError> {
        let mut store = store(step);
        begin(&mut store, step, "", INIT_TIME, batch_ends);
        let exports = match &step.start {
            Start::Flat(flat) => {
                let started = flat::Exports::start(&mut store, flat, &step.engine.flat_linker);
                Exports::Flat(Box::new(started.map_err(|error| not_started(&store, error, StartError::Start))?))
            }
            Start::Component(pre) => Exports::of_component(&mut store, pre)?,
        };
        match exports.init(&mut store, &step.config) {
            Ok(Ok(())) => Ok(Instance { store, exports, fresh: true }),
            Ok(Err(reason)) => Err(StartError::Init(cut(&reason, &step.hidden))),
            Err(error) => {
                take_printed(&mut store);
                Err(not_started(&store, error, StartError::InitBroke))
            }
        }
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether the instance may serve another event.
    pub(crate) fn is_healthy(&self) -> bool {
        let state = self.store.data();
        state.handles_left() <= HANDLES_LEFT_MAX && !state.limiter.is_high() && !state.is_worn_out()
    }

    /// Fuel that the last call took; 0 unless fuel is counted.
    pub(crate) fn fuel_used(&self, step: &Step) -> u64 {
        match step.engine.settings.mode {
            Mode::Epochs => 0,
            Mode::Fuel => fuel_of(step.limits.time).saturating_sub(self.store.get_fuel().unwrap_or_default()),
        }
    }

    /// One call of `transform`.
    pub(crate) fn call(
        &mut self,
        step: &Step,
        event: Event,
        batch_ends: Option<Instant>,
    ) -> Result<Vec<Output>, CallError> {
        self.fresh = false;
        begin(&mut self.store, step, &event.identity.id, step.limits.time, batch_ends);
        let bytes = event.content.source_bytes();
        let rep = self.store.data_mut().lend(event, None, bytes).map_err(|error| classify(&self.store, error))?;
        let answer = self.exports.transform(&mut self.store, rep);
        if step.wasi {
            take_printed(&mut self.store);
        }
        match answer {
            Ok(Ok(outputs)) => self.accept(outputs),
            Ok(Err(failure)) => Err(answered(failure, &step.hidden)),
            Err(error) => Err(classify(&self.store, error)),
        }
    }

    /// Takes the outputs back, within the step's limits.
    fn accept(&mut self, outputs: Vec<PluginOutput>) -> Result<Vec<Output>, CallError> {
        let state = self.store.data_mut();
        let limits = *state.limits();
        let fail = |kind, message: String| Err(CallError::Signal(Signal::Failed(Failure::new(kind, message))));
        let too_many = outputs.len() > limits.outputs as usize;
        let count = outputs.len();
        let mut taken = Vec::with_capacity(count.min(limits.outputs as usize));
        for output in outputs {
            // Every handle is taken back, those of a refused answer too.
            let event = match state.take(output.rep) {
                Ok(event) => event,
                Err(error) => return Err(CallError::Broken(Failure::new(FailureKind::Trap, error.to_string()))),
            };
            if !too_many {
                taken.push(Output { event, route: output.route });
            }
        }
        if too_many {
            return fail(
                FailureKind::InvalidOutput,
                format!("{count} outputs; the limit is {} (limits.outputs)", limits.outputs),
            );
        }
        if let Some(bytes) = bytes_above(limits.output_bytes, &taken) {
            let message =
                format!("outputs of {bytes} bytes; the limit is {} (limits.output_bytes)", limits.output_bytes);
            return fail(FailureKind::Oversize, message);
        }
        Ok(taken)
    }
}

impl Exports {
    fn of_component(store: &mut Store<State>, pre: &InstancePre<State>) -> Result<Exports, StartError> {
        let started = pre.instantiate(&mut *store);
        let instance = started.map_err(|error| not_started(store, error, StartError::Start))?;
        let plugin = instance.get_export_index(&mut *store, None, PLUGIN);
        let missing = |what: &str| StartError::NoPlugin(format!("{what} is missing"));
        let plugin = plugin.ok_or_else(|| missing("the interface"))?;
        let export = |store: &mut Store<State>, name| instance.get_export_index(store, Some(&plugin), name);
        let init = export(store, "init").ok_or_else(|| missing("`init`"))?;
        let transform = export(store, "transform").ok_or_else(|| missing("`transform`"))?;
        let wrong = |error: wasmtime::Error| StartError::NoPlugin(format!("{error:#}"));
        let init: Init = instance.get_typed_func(&mut *store, init).map_err(wrong)?;
        let transform: Transform = instance.get_typed_func(&mut *store, transform).map_err(wrong)?;
        Ok(Exports::Component { init, transform })
    }

    fn init(&self, store: &mut Store<State>, config: &str) -> wasmtime::Result<Result<(), String>> {
        match self {
            Exports::Flat(exports) => exports.init(store, config),
            Exports::Component { init, .. } => Ok(init.call(store, (config.to_owned(),))?.0),
        }
    }

    #[inline]
    fn transform(
        &self,
        store: &mut Store<State>,
        rep: u32,
    ) -> wasmtime::Result<Result<Vec<PluginOutput>, PluginFailure>> {
        match self {
            Exports::Flat(exports) => exports.transform(store, rep),
            Exports::Component { transform, .. } => {
                let (answer,) = transform.call(store, (Resource::new_own(rep),))?;
                Ok(answer.map(|outputs| outputs.into_iter().map(PluginOutput::from).collect()))
            }
        }
    }
}

/// The bytes of all outputs, if they are above the limit. Most are far below, which shows without walking their
/// documents.
fn bytes_above(limit: u64, outputs: &[Output]) -> Option<u64> {
    let bytes = |of_document: fn(&Document) -> usize| -> u64 {
        let of_output = |output: &Output| match &output.event.content {
            pipeline::Content::Json(document) => of_document(document) as u64,
            pipeline::Content::Unread(bytes) | pipeline::Content::Other(bytes, _) => bytes.len() as u64,
        };
        outputs.iter().map(of_output).sum()
    };
    // What the plugin holds is bounded, so walking it is.
    let exact =
        |document: &Document| document.json_bytes(&mut Meter::unlimited()).expect("a meter that allows anything");
    (bytes(Document::json_bytes_at_most) > limit).then(|| bytes(exact)).filter(|bytes| *bytes > limit)
}

fn store(step: &Step) -> Store<State> {
    let random = match step.engine.settings.clock {
        Clock::Real => {
            wasi::Random::Host(|bytes| getrandom::fill(bytes).map_err(|error| wasmtime::Error::msg(error.to_string())))
        }
        Clock::Fixed(_) => wasi::Random::Seeded,
    };
    let settings = wasi::Settings {
        random,
        sleep_max: step.limits.time,
        lines_max: step.limits.log_lines,
        line_bytes_max: PRINTED_LINE_BYTES_MAX,
    };
    let state = State::new(step, Wasi::new(settings));
    let mut store = Store::new(&step.engine.wasmtime, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    if step.engine.settings.mode == Mode::Epochs {
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().watch.tick().map(|()| UpdateDeadline::Continue(1)).map_err(wasmtime::Error::from)
        });
    }
    store
}

/// The fuel that stands for a time.
fn fuel_of(limit: Duration) -> u64 {
    (limit.as_millis() as u64).saturating_mul(FUEL_PER_MS)
}

/// Sets up the limits of one call.
fn begin(store: &mut Store<State>, step: &Step, event: &str, limit: Duration, batch_ends: Option<Instant>) {
    store.data_mut().begin_call();
    store.data_mut().watch.start(limit, batch_ends);
    match step.engine.settings.mode {
        Mode::Epochs => store.set_epoch_deadline(1),
        Mode::Fuel => {
            store.set_fuel(fuel_of(limit)).expect("fuel is on in this mode");
        }
    }
    if step.wasi {
        let (now_ms, seed) = match step.engine.settings.clock {
            Clock::Real => (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64, 0),
            Clock::Fixed(now_ms) => (now_ms, seed_of(event)),
        };
        store.data_mut().wasi.begin_call(now_ms, seed);
    }
}

/// A seed that depends on the event alone (FNV-1a of its id), so that the same event always meets the same randomness.
fn seed_of(event: &str) -> u64 {
    event.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// What the plugin printed becomes lines of its log.
fn take_printed(store: &mut Store<State>) {
    let state = store.data_mut();
    let (lines, dropped) = state.wasi.take_lines();
    for line in lines {
        let level = match line.stream {
            wasi::Stream::Stdout => Level::Info,
            wasi::Stream::Stderr => Level::Warn,
        };
        match line.bytes_cut {
            0 => state.log(level, &line.text),
            _ => state.log(level, &state.hidden.hide_cut(&line.text)),
        }
    }
    state.log_dropped += dropped;
}

/// What a plugin's own failure means: an uncaught exception breaks its instance.
fn answered(failure: PluginFailure, hidden: &Hidden) -> CallError {
    let is_broken = matches!(failure, PluginFailure::Error(_));
    match failure.into_signal(hidden) {
        Signal::Failed(failure) if is_broken => CallError::Broken(failure),
        signal @ (Signal::Failed(_) | Signal::Retry(_) | Signal::Unsettled(_)) => CallError::Signal(signal),
    }
}

/// What an error of a call means.
fn classify(store: &Store<State>, error: wasmtime::Error) -> CallError {
    if let Some(HostStop(failure)) = error.downcast_ref::<HostStop>() {
        return CallError::Spent(Signal::Failed(failure.hide(&store.data().hidden)));
    }
    match error.downcast_ref::<Interrupted>() {
        Some(Interrupted::BatchOver) => {
            return CallError::Spent(Signal::Unsettled(Unsettled::CutShort));
        }
        Some(Interrupted::TimeLimit) => return CallError::Spent(timeout(store)),
        None => {}
    }
    if matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel)) || error.is::<SleptTooLong>() {
        return CallError::Spent(timeout(store));
    }
    let text = error.root_cause().to_string();
    if text.contains("store handle limit exceeded") {
        return CallError::Spent(Signal::Unsettled(Unsettled::Host(format!("the host is out of handles: {text}"))));
    }
    let failure = broken(store, error);
    match failure.kind {
        FailureKind::Memory => CallError::Spent(Signal::Failed(failure)),
        _ => CallError::Broken(failure),
    }
}

fn timeout(store: &Store<State>) -> Signal {
    let ms = store.data().limits().time.as_millis();
    Signal::Failed(Failure::new(
        FailureKind::Timeout,
        format!("still running after its limit of {ms} ms of CPU time (limits.time_ms)"),
    ))
}

/// Why an instance did not start: `broken` for what the plugin did.
fn not_started(store: &Store<State>, error: wasmtime::Error, broken: impl FnOnce(Failure) -> StartError) -> StartError {
    if error.is::<PoolConcurrencyLimitError>() {
        return StartError::Full(error.root_cause().to_string());
    }
    match error.downcast_ref::<Interrupted>() {
        Some(Interrupted::BatchOver) => StartError::BatchOver,
        Some(Interrupted::TimeLimit) | None => match error.downcast_ref::<HostStop>() {
            Some(HostStop(failure)) => broken(failure.hide(&store.data().hidden)),
            None => broken(self::broken(store, error)),
        },
    }
}

/// A trap in words, with the guest's backtrace.
fn broken(store: &Store<State>, error: wasmtime::Error) -> Failure {
    if store.data().limiter.was_refused() {
        let mib = store.data().limits().memory_mib;
        return Failure::new(
            FailureKind::Memory,
            format!("it asked for more than its {mib} MiB of memory (limits.memory_mib)"),
        );
    }
    if let Some(Exit { ok }) = error.downcast_ref::<Exit>() {
        let how = if *ok { "success" } else { "failure" };
        return Failure::new(FailureKind::Trap, format!("the plugin ended itself (exit, {how})"));
    }
    if error.is::<Interrupted>() || matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel)) {
        return Failure::new(FailureKind::Timeout, "it was still running after its time limit");
    }
    let hidden = &store.data().hidden;
    let trap = error.root_cause().to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map(backtrace).unwrap_or_default();
    // A panic or an uncaught exception says on the way out what was wrong; the trap itself only says that there was
    // one.
    let said = matches!(error.downcast_ref::<Trap>(), Some(Trap::UnreachableCodeReached))
        .then(|| last_words(store.data()))
        .flatten();
    match said {
        Some(said) => {
            Failure::quoting(FailureKind::Trap, "", &cut(&said, hidden), &cut(&format!("\n({trap}){frames}"), hidden))
        }
        None => Failure::new(FailureKind::Trap, cut(&format!("{trap}{frames}"), hidden)),
    }
}

/// A line for each function that was on its way.
fn backtrace(backtrace: &WasmBacktrace) -> String {
    let frame = |frame: &wasmtime::FrameInfo| {
        let offset = frame.module_offset().map_or(String::new(), |offset| format!(" (0x{offset:x})"));
        format!("\n  at {:#}{offset}", rustc_demangle::demangle(frame.func_name().unwrap_or("?")))
    };
    backtrace.frames().iter().map(frame).collect()
}

/// What the plugin said last in this call: errors that it logged, or lines that it printed to standard error.
fn last_words(state: &State) -> Option<String> {
    let loud = state.log.iter().rev().take_while(|line| line.level >= Level::Warn).take(LAST_WORDS_MAX);
    let mut lines: Vec<&str> = loud.map(|line| line.message.trim_end()).filter(|line| !line.is_empty()).collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
