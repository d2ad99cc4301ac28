//! Runs one plugin inside its limits. The only crate that knows wasmtime.
//!
//! Layout: `engine` (wasmtime's settings and the epoch ticker), `compiler` (for this machine or another), `code`
//! (artifacts loaded, what may be imported), `loaded` (a step ready to run, tried once), `step` (`pipeline::Plugin`:
//! calls, second tries, replaced instances), `instance` (one store and one call), `state` (what the host holds during a
//! call), `events` (what a plugin may ask), `component` and `flat` (two ways in and out of a plugin) with `bindings`
//! (WIT's types and ours), `limiter` (memory), `clock` (CPU time), `fields` (what was read and written), `wasi` (a
//! virtual system for language runtimes: clock, random numbers, files).

mod bindings;
mod budget;
mod clock;
mod code;
#[cfg(feature = "compiler")]
mod compiler;
mod component;
mod engine;
mod events;
mod fields;
mod flat;
mod instance;
mod limiter;
mod loaded;
mod state;
mod step;
mod wasi;

pub use code::{Code, Imports, LoadError};
#[cfg(feature = "compiler")]
pub use compiler::Compiler;
pub use engine::{Clock, Engine, Mode, Settings, Target};
pub use loaded::Loaded;
