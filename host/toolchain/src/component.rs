//! Turns a core module into a component of the contract.
//!
//! A core module says by a custom section which world it was compiled for. Compilers that do not write that section (C
//! without bindings, text by hand) leave it to [`Encoding::wit`].

use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::BuildError;

/// The contract, as WIT text.
pub const CONTRACT: &str = include_str!("../../../wit/transform.wit");

/// What the answers inside need of the host: the plugin's log, for what is printed, and the time of day.
const INSIDE: &str = "package paddlewheel:inside;
world inside { import paddlewheel:transform/log@0.1.0; import wasi:clocks/wall-clock@0.2.9; import wasi:random/random@0.2.9; }";

/// WASI's clock, as far as it is asked.
const CLOCK: &str = "package wasi:clocks@0.2.9;
interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }";

/// What it asks the host's source of random numbers.
const RANDOM: &str = "package wasi:random@0.2.9;
interface random { get-random-u64: func() -> u64; }";

/// WASI preview 1, answered inside the component.
const NO_WASI: &str = include_str!("no-wasi.wat");

/// Who answers what a core module asks of WASI preview 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adapter {
    /// Nobody. The module must not ask; Rust is compiled for wasm32-unknown-unknown.
    #[default]
    None,
    /// The usual adapter, which asks the host's WASI 0.2 in turn. Rust is compiled for wasm32-wasip1.
    Preview1,
    /// The component itself: no files; what is printed goes to the plugin's log, and the host is asked for the time of
    /// day and for random numbers if the guest says that it may be. Rust is compiled for wasm32-wasip1.
    Inside,
}

/// A world in WIT.
#[derive(Clone, Copy, Debug)]
pub struct Wit<'a> {
    /// The WIT text: one package, with other packages nested in it if it needs them.
    pub text: &'a str,
    /// The name of the world.
    pub world: &'a str,
}

impl Wit<'static> {
    /// The contract's own world.
    pub fn contract() -> Self {
        Wit { text: CONTRACT, world: "transformer" }
    }
}

/// How to encode a core module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoding<'a> {
    /// Who answers what the module asks of WASI preview 1.
    pub wasi: Adapter,
    /// The module's world, for modules that do not say it themselves.
    pub wit: Option<Wit<'a>>,
}

/// Encodes a core module, in binary or in text form, as a component. The names of functions are kept, so that a trap
/// can be traced to them.
///
/// # Errors
///
/// [`BuildError::Encode`] when the module is malformed, does not fit its world, or imports something that nobody
/// answers.
pub fn componentize(core: &[u8], encoding: &Encoding<'_>) -> Result<Vec<u8>, BuildError> {
    let mut module = wat::parse_bytes(core).map_err(refused)?.into_owned();
    if let Some(wit) = encoding.wit {
        embed(&mut module, &[wit.text], wit.world)?;
    }
    let encoder = ComponentEncoder::default().validate(true).module(&module).map_err(chain)?;
    let mut encoder = match encoding.wasi {
        Adapter::None => encoder,
        Adapter::Preview1 => encoder
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
            .map_err(chain)?,
        Adapter::Inside => {
            let mut adapter = wat::parse_str(NO_WASI).expect("our own text parses; a test says so");
            embed(&mut adapter, &[CONTRACT, CLOCK, RANDOM, INSIDE], "inside")?;
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, &adapter).map_err(chain)?
        }
    };
    encoder.encode().map_err(chain)
}

/// Writes into a module which world it belongs to: one of the last package.
fn embed(module: &mut Vec<u8>, packages: &[&str], world: &str) -> Result<(), BuildError> {
    let mut resolve = Resolve::default();
    let mut last = Vec::new();
    for text in packages {
        last = vec![resolve.push_str(Path::new("world.wit"), text).map_err(refused)?];
    }
    let world = resolve.select_world(&last, Some(world)).map_err(refused)?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(chain)
}

/// The encoder's errors are chains whose last link is the cause.
fn chain(error: impl std::fmt::Debug + std::fmt::Display) -> BuildError {
    BuildError::Encode { reason: format!("{error:#}") }
}

fn refused(error: impl std::fmt::Display) -> BuildError {
    BuildError::Encode { reason: format!("{error:#}") }
}
