//! wasmtime's settings, the pool of instances, and the ticker that deadlines hang on.

use crate::clock::TICK;
use crate::component;
use crate::flat;
use crate::state::State;
use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};
use std::env::consts::OS;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// How time limits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By the clock, through epochs: what runs in production (10 to 15 % dearer than no limit).
    Epochs,
    /// By counting instructions: the same input always ends the same way (30 to 40 % dearer). For tests, benches,
    /// fuzzing.
    Fuel,
}

/// What plugins are told about the time, and where their randomness comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock, and seeds from the operating system.
    Real,
    /// Always this many milliseconds since the Unix epoch, and seeds that depend on the event alone.
    Fixed(u64),
}

/// How an engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How time limits are kept.
    pub mode: Mode,
    /// What plugins take for the time.
    pub clock: Clock,
    /// Instances alive at once: steps × workers, twice when a second release is loaded beside the first, and one to
    /// spare a step for replacing.
    pub instances: u32,
    /// Whether components that import nothing but the contract run without wasmtime's machinery for components: faster,
    /// and otherwise the same. Off only where that is tested.
    pub flat: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { mode: Mode::Epochs, clock: Clock::Real, instances: INSTANCES_DEFAULT, flat: true }
    }
}

/// Enough for eight steps on four workers, with as many to spare.
const INSTANCES_DEFAULT: u32 = 64;

/// Core instances, memories and tables that one component may have. QuickJS components have three memories and about
/// ten core instances, Python components 38 (componentize-qjs 0.4.5, componentize-py 0.25.1).
pub(crate) const CORE_INSTANCES_MAX: u32 = 48;
pub(crate) const MEMORIES_MAX: u32 = 4;
pub(crate) const TABLES_MAX: u32 = 16;

/// Elements of one table: SpiderMonkey needs 14,000. Unlike linear memories, tables are mapped for writing when the
/// pool is made, 8 bytes an element, so the number is felt on small functions.
const TABLE_ELEMENTS_MAX: usize = 32_768;

/// Bytes of an instance's own bookkeeping: the largest component seen (SpiderMonkey) takes under 1 MiB.
pub(crate) const INSTANCE_BYTES_MAX: usize = 4 << 20;

/// Memory that a pool slot keeps resident when an instance ends, so that the next one need not fault it in: what a Rust
/// or C plugin uses in all. Only where the kernel (Linux 6.7) tells which pages were touched: clearing a whole MiB
/// costs more than the faults (a fresh instance and its first event: 25 µs with it, 50 without, 67 clearing all;
/// `isolation = "event"`, measured).
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// Stack of a guest. Beyond it the call traps.
const STACK_BYTES_MAX: usize = 512 << 10;

/// Part of the fingerprint: raise it when a setting here changes what compiled code assumes.
const SETTINGS_VERSION: u32 = 3;

/// One set-up of wasmtime, shared by all plugins of a process. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) flat_linker: wasmtime::Linker<State>,
    pub(crate) settings: Settings,
    _ticker: Option<Ticker>,
}

impl Engine {
    /// An engine with its pool of instances.
    ///
    /// # Errors
    /// The address space for the pool cannot be had.
    pub fn new(settings: &Settings) -> Result<Engine> {
        let wasmtime = config(settings, Target::here())
            .and_then(|config| wasmtime::Engine::new(&config))
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| format!("set up the engine for {} instances", settings.instances))?;
        let link = |error: wasmtime::Error| anyhow!("link the contract: {error:#}");
        let linker = component::linker(&wasmtime).map_err(link)?;
        let flat_linker = flat::linker(&wasmtime).map_err(link)?;
        let ticker = (settings.mode == Mode::Epochs).then(|| Ticker::start(wasmtime.clone())).transpose()?;
        Ok(Engine { inner: Arc::new(Inner { wasmtime, linker, flat_linker, settings: *settings, _ticker: ticker }) })
    }

    /// Names the engine that compiled code is for: the same with and without the compiler, another for another
    /// wasmtime, target or setting. 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let here =
            Target::here().map_or_else(|| format!("{} {OS}", std::env::consts::ARCH), |target| target.name().into());
        fingerprint(self.inner.settings.mode, &here)
    }
}

/// The name of an engine: see [`Engine::fingerprint`].
pub(crate) fn fingerprint(mode: Mode, target: &str) -> String {
    let mode = match mode {
        Mode::Epochs => "epochs",
        Mode::Fuel => "fuel",
    };
    let mut hash = Sha256::new();
    hash.update(format!("wasmtime {WASMTIME_VERSION} {target} {mode} {SETTINGS_VERSION}"));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    })
}

/// A processor that functions run on. Code is for all of its kind, not for the builder's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Intel and AMD, from the first with 64 bits on.
    X86_64,
    /// Graviton.
    Aarch64,
}

impl Target {
    /// Both.
    pub const ALL: [Target; 2] = [Target::X86_64, Target::Aarch64];

    /// `x86_64` or `aarch64`.
    pub fn name(self) -> &'static str {
        match self {
            Target::X86_64 => "x86_64",
            Target::Aarch64 => "aarch64",
        }
    }

    /// This machine's, if functions could run on it: it has Linux.
    pub fn here() -> Option<Target> {
        let named = |target: &Target| target.name() == std::env::consts::ARCH && OS == "linux";
        Target::ALL.into_iter().find(named)
    }

    /// Code is the same for every libc, but wasmtime runs only what was compiled for the one that it was built for
    /// itself.
    fn triple(self) -> String {
        let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
        format!("{}-unknown-linux-{libc}", self.name())
    }
}

/// The version that `Cargo.toml` pins.
const WASMTIME_VERSION: &str = "48.0.8";

/// The settings of one engine. `target`: none for a machine that functions do not run on, such as a laptop with macOS,
/// which compiles for itself only.
pub(crate) fn config(settings: &Settings, target: Option<Target>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    if let Some(target) = target {
        // Without it code would be for this very processor, and the next function may run on an older one.
        config.target(&target.triple())?;
    }
    // Per-event calls cost 282 ns without it and 1,170 ns with it (measured); nothing here is asynchronous.
    config.concurrency_support(false);
    #[cfg(feature = "compiler")]
    config.cranelift_opt_level(OptLevel::Speed);
    #[cfg(not(feature = "compiler"))]
    let _ = OptLevel::Speed;
    config.epoch_interruption(settings.mode == Mode::Epochs);
    config.consume_fuel(settings.mode == Mode::Fuel);
    config.max_wasm_stack(STACK_BYTES_MAX);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    let tells_pages = PoolingAllocationConfig::is_pagemap_scan_available();
    let keep_resident = if tells_pages { KEEP_RESIDENT_BYTES } else { 0 };
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(settings.instances)
        .total_core_instances(settings.instances * CORE_INSTANCES_MAX)
        .total_memories(settings.instances * MEMORIES_MAX)
        .total_tables(settings.instances * TABLES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(keep_resident)
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(config)
}

/// Raises the epoch every [`TICK`] until it is dropped.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: wasmtime::Engine) -> Result<Ticker> {
        let (stop, stopped) = mpsc::channel();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("epochs".into()).spawn(tick).context("start the epoch ticker")?;
        Ok(Ticker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only raises a number: nothing in it can panic.
            let _ = thread.join();
        }
    }
}
