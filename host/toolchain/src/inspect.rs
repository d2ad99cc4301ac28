//! Reads a component without running it: what it asks for, what it offers, whether that is the contract.

use wasmparser::{Encoding, Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::{BuildError, output};

/// The interfaces that a plugin may import from us, without their version.
const OFFERED: [&str; 4] = [
    "paddlewheel:transform/assets",
    "paddlewheel:transform/events",
    "paddlewheel:transform/log",
    "paddlewheel:transform/types",
];
/// The version of the contract, as [`crate::CONTRACT`] has it; a test says so.
const VERSION: &str = "0.1.0";
/// The interface that a plugin exports, without its version.
const PLUGIN: &str = "paddlewheel:transform/plugin";
/// The packages of the host's virtual WASI. `wasi:http` is none of them: a plugin has no network.
const WASI: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

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
/// [`BuildError::Encode`] when the bytes are neither, or malformed; [`BuildError::TooLarge`] when they are too many.
pub fn inspect(wasm: &[u8]) -> Result<Inspection, BuildError> {
    output::bounded(wasm.len() as u64)?;
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
        .filter(|import| !is_wasi(import) && !OFFERED.contains(&without_version(&import.name)))
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
    if version != VERSION {
        let reason = format!("it is made for version {version} of the contract, and this program speaks {VERSION}");
        return Contract::Broken(vec![reason]);
    }
    let wasi = imports.iter().any(is_wasi);
    Contract::Kept { version: version.to_owned(), wasi }
}

fn is_wasi(import: &Interface) -> bool {
    WASI.iter().any(|package| import.name.starts_with(package))
}

fn without_version(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn malformed(error: impl std::fmt::Display) -> BuildError {
    BuildError::Encode { reason: format!("{error:#}") }
}

#[cfg(test)]
mod tests {
    use super::{Contract, Interface, VERSION, WasmKind, contract};

    fn interface(name: &str) -> Interface {
        Interface { name: name.to_owned(), functions: Vec::new() }
    }

    #[test]
    fn the_version_is_the_contracts() {
        assert!(crate::CONTRACT.contains(&format!("package paddlewheel:transform@{VERSION};")));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let plugin = "paddlewheel:transform/plugin@0.1.0";
        for (imports, exports, expected) in [
            (
                vec!["wasi:http/outgoing-handler@0.2.12"],
                plugin,
                "it imports wasi:http/outgoing-handler@0.2.12, which no host offers",
            ),
            (vec!["env"], plugin, "it imports env, which no host offers"),
            (vec![], "run", "it does not export paddlewheel:transform/plugin"),
            (
                vec!["paddlewheel:transform/events@0.2.0"],
                "paddlewheel:transform/plugin@0.2.0",
                "it is made for version 0.2.0 of the contract, and this program speaks 0.1.0",
            ),
        ] {
            let imports: Vec<Interface> = imports.into_iter().map(interface).collect();
            let found = contract(WasmKind::Component, &imports, &[interface(exports)]);
            assert_eq!(found, Contract::Broken(vec![expected.to_owned()]));
        }
    }
}
