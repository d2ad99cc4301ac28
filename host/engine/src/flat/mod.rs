//! Runs the core modules of a component directly, with the contract's few types read and written by hand.
//!
//! A component's calls go through wasmtime's general machinery: 120 ns for a call to the host and 500 for one to the
//! plugin, most of it bookkeeping of borrowed handles that the contract does not need, since an event's handle is a
//! number that is never used twice. Calls between a core module and the host take a tenth of that (`make bench`:
//! `host_call_ns`). So a component that imports nothing but the contract, as those of Rust, C and most others do, is
//! taken apart when it is compiled (`translate`, by wasmtime's own translator, which validates it; `spell` and
//! `contract` compare its types): what is left is a list of core modules and how they are joined (`plan`). Everything
//! else runs as wasmtime runs components (`crate::component`), and tests run both ways.
//!
//! Layout: `plan` (what is compiled and kept), `translate` and `spell` (from a component to a plan), `contract` (the
//! types that are expected), `memory` (the canonical ABI, as far as the contract needs it), `host` (the imports),
//! `instance` (calls).

#[cfg(feature = "compiler")]
mod contract;
mod host;
mod instance;
mod memory;
mod plan;
#[cfg(feature = "compiler")]
mod spell;
#[cfg(feature = "compiler")]
mod translate;

#[cfg(all(test, feature = "compiler"))]
mod tests;

pub(crate) use host::linker;
pub(crate) use instance::Exports;
pub(crate) use memory::Guest;
pub(crate) use plan::{Flat, MAGIC, check_resources, read};
#[cfg(feature = "compiler")]
pub(crate) use {
    plan::write,
    translate::{Parts, translate},
};
