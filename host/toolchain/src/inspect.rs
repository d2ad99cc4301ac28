//! Reads a component without running it: what it asks for, what it offers, whether that is the contract.

use wasmparser::{Encoding, Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::{BuildError, output};

/// The interfaces that a plugin may import from us, without their version.
const OFFERED: [&str; 3] = ["paddlewheel:transform/events", "paddlewheel:transform/log", "paddlewheel:transform/types"];
/// The interface that a plugin exports, without its version.
const PLUGIN: &str = "paddlewheel:transform/plugin";
/// Interfaces that begin like this are the host's virtual WASI.
const WASI: &str = "wasi:";

/// What a `.wasm` file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Component or core module.
    pub kind: WasmKind,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
    /// The sizes in bytes of the core modules in it, in order.
    pub core_modules: Vec<u64>,
    /// How many memories these modules define.
    pub memories: u32,
    /// How many tables these modules define.
    pub tables: u32,
    /// What it asks of the host.
    pub imports: Vec<Interface>,
    /// What it offers to the host.
    pub exports: Vec<Interface>,
    /// Whether that is the contract.
    pub contract: Contract,
}

/// Binary forms of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasmKind {
    /// A component: what a plugin must be.
    Component,
    /// A core module: what a compiler makes on the way to a component.
    CoreModule,
}

/// One interface with its functions, or a function that stands alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its full name, such as `paddlewheel:transform/plugin@0.1.0`.
    pub name: String,
    /// The functions' names, methods as `[method]event.get`. Empty for a function that stands alone.
    pub functions: Vec<String>,
}

/// Whether a component keeps to the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contract {
    /// It exports a plugin of this version and imports nothing but the contract and WASI.
    Kept {
        /// The version of `paddlewheel:transform`.
        version: String,
        /// Whether it imports WASI, which the host answers without files, network or environment.
        wasi: bool,
    },
    /// It does not. Each line says one thing that is wrong.
    Broken(Vec<String>),
}

/// Reads a component or a core module.
///
/// # Errors
///
/// [`BuildError::Encode`] when the bytes are neither, or malformed.
pub fn inspect(wasm: &[u8]) -> Result<Inspection, BuildError> {
    let parts = parts(wasm)?;
    let (imports, exports) = match parts.kind {
        WasmKind::Component => interfaces(wasm)?,
        WasmKind::CoreModule => (Vec::new(), Vec::new()),
    };
    Ok(Inspection {
        kind: parts.kind,
        size: wasm.len() as u64,
        digest: output::digest(wasm),
        core_modules: parts.core_modules,
        memories: parts.memories,
        tables: parts.tables,
        contract: contract(parts.kind, &imports, &exports),
        imports,
        exports,
    })
}

struct Parts {
    kind: WasmKind,
    core_modules: Vec<u64>,
    memories: u32,
    tables: u32,
}

fn parts(wasm: &[u8]) -> Result<Parts, BuildError> {
    let mut parts = Parts { kind: WasmKind::CoreModule, core_modules: Vec::new(), memories: 0, tables: 0 };
    let mut outermost = true;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Component, .. } if outermost => {
                parts.kind = WasmKind::Component;
            }
            Payload::Version { encoding: Encoding::Module, .. } if outermost => {
                parts.core_modules.push(wasm.len() as u64);
            }
            Payload::ModuleSection { unchecked_range, .. } => {
                parts.core_modules.push((unchecked_range.end - unchecked_range.start) as u64);
            }
            Payload::MemorySection(section) => parts.memories += section.count(),
            Payload::TableSection(section) => parts.tables += section.count(),
            _ => {}
        }
        outermost = false;
    }
    Ok(parts)
}

fn interfaces(wasm: &[u8]) -> Result<(Vec<Interface>, Vec<Interface>), BuildError> {
    let decoded = wit_component::decode(wasm).map_err(malformed)?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(BuildError::Encode { reason: "it holds WIT text, not code".to_owned() });
    };
    let world = &resolve.worlds[world];
    let named = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
        items.map(|(key, item)| interface(&resolve, key, item)).collect::<Vec<_>>()
    };
    Ok((named(&mut world.imports.iter()), named(&mut world.exports.iter())))
}

fn interface(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Interface {
    let functions = match item {
        WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.keys().cloned().collect(),
        WorldItem::Function(_) | WorldItem::Type { .. } => Vec::new(),
    };
    Interface { name: resolve.name_world_key(key), functions }
}

fn contract(kind: WasmKind, imports: &[Interface], exports: &[Interface]) -> Contract {
    if kind == WasmKind::CoreModule {
        return Contract::Broken(vec!["it is a core module; a plugin is a component".to_owned()]);
    }
    let mut broken: Vec<String> = imports
        .iter()
        .filter(|import| !import.name.starts_with(WASI) && !OFFERED.contains(&without_version(&import.name)))
        .map(|import| format!("it imports {}, which no host offers", import.name))
        .collect();
    let plugin = exports.iter().find(|export| without_version(&export.name) == PLUGIN);
    let Some(plugin) = plugin else {
        broken.push(format!("it does not export {PLUGIN}"));
        return Contract::Broken(broken);
    };
    if !broken.is_empty() {
        return Contract::Broken(broken);
    }
    let version = plugin.name.split_once('@').map_or("", |(_, version)| version);
    let wasi = imports.iter().any(|import| import.name.starts_with(WASI));
    Contract::Kept { version: version.to_owned(), wasi }
}

fn without_version(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn malformed(error: impl std::fmt::Display) -> BuildError {
    BuildError::Encode { reason: format!("{error:#}") }
}
