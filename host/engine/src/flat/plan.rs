//! What is kept of a component that was taken apart: core modules, and how they are joined.

use crate::engine::{MEMORIES_MAX, TABLES_MAX};
use serde::{Deserialize, Serialize};
use wasmtime::Module;

/// How an artifact begins that holds a plan and its modules.
pub(crate) const MAGIC: &[u8] = b"\0paddlewheel flat 1\n";

/// How the core modules of a component become an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Core instances in the order in which they start.
    pub(crate) parts: Vec<Part>,
    pub(crate) memory: Export,
    pub(crate) realloc: Export,
    pub(crate) init: Function,
    pub(crate) transform: Function,
    /// The component's imports by name.
    pub(crate) imports: Vec<String>,
}

/// One core instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// An index into the modules.
    pub(crate) module: u32,
    /// In the order of the module's imports.
    pub(crate) imports: Vec<Item>,
}

/// What an import is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Item {
    /// A function of the host.
    Host(String),
    /// What an earlier part exports.
    Export(Export),
}

/// What a part exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// An index into the parts.
    pub(crate) part: u32,
    pub(crate) name: String,
}

/// A function that the plugin exports, and what is to be called once its answer has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) call: Export,
    pub(crate) clean_up: Option<Export>,
}

/// A plan with its modules compiled.
#[derive(Clone)]
pub(crate) struct Flat {
    pub(crate) plan: Plan,
    pub(crate) modules: Vec<Module>,
}

/// Refuses a plan whose instances take more memories and tables of the pool than an instance may. `translate` lets none
/// pass, so this is for artifacts of earlier versions.
pub(crate) fn check_resources(plan: &Plan, modules: &[Module]) -> Result<(), String> {
    let (mut memories, mut tables) = (0, 0);
    for part in &plan.parts {
        let module = modules.get(part.module as usize).ok_or("a module is missing")?;
        let required = module.resources_required();
        memories += required.num_memories;
        tables += required.num_tables;
    }
    if memories > MEMORIES_MAX || tables > TABLES_MAX {
        return Err(format!(
            "it has {memories} memories and {tables} tables; an instance may have {MEMORIES_MAX} and {TABLES_MAX}"
        ));
    }
    Ok(())
}

/// An artifact that cannot be read.
#[derive(Debug)]
pub(crate) struct Damaged;

/// The plan in an artifact that begins with [`MAGIC`], and the compiled modules behind it.
pub(crate) fn read(artifact: &[u8]) -> Result<(Plan, Vec<&[u8]>), Damaged> {
    let rest = artifact.strip_prefix(MAGIC).ok_or(Damaged)?;
    let ((plan, lengths), mut rest): ((Plan, Vec<u32>), _) = postcard::take_from_bytes(rest).map_err(|_| Damaged)?;
    let mut modules = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (module, behind) = rest.split_at_checked(length as usize).ok_or(Damaged)?;
        modules.push(module);
        rest = behind;
    }
    if rest.is_empty() { Ok((plan, modules)) } else { Err(Damaged) }
}

/// An artifact of a plan and its modules, compiled and serialized.
#[cfg(feature = "compiler")]
pub(crate) fn write(plan: &Plan, modules: Vec<Vec<u8>>) -> wasmtime::Result<Vec<u8>> {
    let lengths = modules.iter().map(|module| u32::try_from(module.len())).collect::<Result<Vec<u32>, _>>()?;
    let mut artifact = postcard::to_extend(&(plan, lengths), MAGIC.to_vec())?;
    modules.iter().for_each(|module| artifact.extend_from_slice(module));
    Ok(artifact)
}
