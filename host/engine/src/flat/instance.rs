//! One instance of a plan: its parts, started one after the other, and calls.

use super::host::HOST;
use super::memory::{self, Guest};
use super::plan::{Export, Flat, Function, Item, Plan};
use crate::bindings::{Lifted, Output, PluginFailure};
use crate::instance::HOSTCALL_BYTES_MAX;
use crate::state::{LIVE_EVENTS_MAX, State};
use wasmtime::{Extern, Instance, Linker, Result, Store, TypedFunc, WasmParams, WasmResults, bail, format_err};

/// Bytes of one output in a list: a handle and an optional route.
const OUTPUT_BYTES: u32 = 16;

/// Bytes of what `init` and `transform` answer with, all of which must lie in memory, whatever is read of them.
const INIT_ANSWER_BYTES: u32 = 12;
const ANSWER_BYTES: u32 = 16;

/// Bytes of a route's name that are read: there may be 10,000 outputs.
const ROUTE_BYTES_MAX: usize = 1 << 10;

/// What a plugin exports.
pub(crate) struct Exports {
    init: TypedFunc<(u32, u32), u32>,
    init_clean_up: Option<TypedFunc<u32, ()>>,
    transform: TypedFunc<u32, u32>,
    transform_clean_up: Option<TypedFunc<u32, ()>>,
}

impl Exports {
    /// Starts an instance.
    pub(crate) fn start(store: &mut Store<State>, flat: &Flat, host: &Linker<State>) -> Result<Exports> {
        let mut parts: Vec<Instance> = Vec::with_capacity(flat.plan.parts.len());
        for part in &flat.plan.parts {
            let given = |item: &Item, store: &mut Store<State>| match item {
                Item::Host(name) => host.get(&mut *store, HOST, name),
                Item::Export(export) => exported(store, &parts, export),
            };
            let imports = part.imports.iter().map(|item| given(item, store)).collect::<Result<Vec<Extern>>>()?;
            let module = flat.modules.get(part.module as usize).ok_or_else(|| format_err!("a module is missing"))?;
            parts.push(Instance::new(&mut *store, module, &imports)?);
            // What starts later may call the host in this memory.
            find_guest(store, &parts, &flat.plan)?;
        }
        let plan = &flat.plan;
        let clean_up = |of: &Function, store: &mut Store<State>| {
            of.clean_up.as_ref().map(|export| function(store, &parts, export)).transpose()
        };
        Ok(Exports {
            init: function(store, &parts, &plan.init.call)?,
            init_clean_up: clean_up(&plan.init, store)?,
            transform: function(store, &parts, &plan.transform.call)?,
            transform_clean_up: clean_up(&plan.transform, store)?,
        })
    }

    /// Calls `init`.
    pub(crate) fn init(&self, store: &mut Store<State>, config: &str) -> Result<Result<(), String>> {
        let room = memory::make_room(&mut *store, 1, config.len())?;
        data(store)?[room as usize..room as usize + config.len()].copy_from_slice(config.as_bytes());
        let at = self.init.call(&mut *store, (room, config.len() as u32))?;
        let memory = data(store)?;
        memory::range(memory, memory::aligned(at, 4)?, INIT_ANSWER_BYTES)?;
        let answer = match memory::tag(memory, at)? {
            0 => Ok(()),
            1 => Err(memory::text_at(memory, memory::behind(at, 4)?, &mut { HOSTCALL_BYTES_MAX })?.to_owned()),
            other => bail!("`init` answered with a result of the kind {other}"),
        };
        clean_up(store, self.init_clean_up.as_ref(), at)?;
        Ok(answer)
    }

    /// Calls `transform` with the event behind a rep.
    #[inline]
    pub(crate) fn transform(&self, store: &mut Store<State>, rep: u32) -> Result<Result<Vec<Output>, PluginFailure>> {
        let at = self.transform.call(&mut *store, rep)?;
        let answer = answer(data(store)?, at)?;
        if let Ok(outputs) = &answer {
            check_handles(store.data(), outputs)?;
        }
        clean_up(store, self.transform_clean_up.as_ref(), at)?;
        Ok(answer)
    }
}

/// A `result<list<output>, failure>` at an address.
fn answer(memory: &[u8], at: u32) -> Result<Result<Vec<Output>, PluginFailure>> {
    memory::range(memory, memory::aligned(at, 4)?, ANSWER_BYTES)?;
    match memory::tag(memory, at)? {
        0 => {
            let (list, count) =
                (memory::number(memory, memory::behind(at, 4)?)?, memory::number(memory, memory::behind(at, 8)?)?);
            // Each output is an event that the plugin holds, of which there is a most.
            if count as usize > LIVE_EVENTS_MAX {
                bail!("`transform` answered with {count} outputs, more than there may be events");
            }
            let bytes = count.checked_mul(OUTPUT_BYTES).ok_or_else(|| format_err!("a list of {count} outputs"))?;
            memory::range(memory, memory::aligned(list, 4)?, bytes)?;
            // Many outputs may point at one long text, which is read for each: they are bounded together, as wasmtime
            // does it.
            let mut left = HOSTCALL_BYTES_MAX - count as usize * size_of::<Lifted>();
            (0..count)
                .map(|k| output(memory, list + k * OUTPUT_BYTES, &mut left))
                .collect::<Result<Vec<Output>>>()
                .map(Ok)
        }
        1 => {
            let message = memory::text_at(memory, memory::behind(at, 8)?, &mut { HOSTCALL_BYTES_MAX })?.to_owned();
            Ok(Err(match memory::tag(memory, memory::behind(at, 4)?)? {
                0 => PluginFailure::Reject(message),
                1 => PluginFailure::Retry(message),
                2 => PluginFailure::Error(message),
                other => bail!("there is no kind {other} of failure"),
            }))
        }
        other => bail!("`transform` answered with a result of the kind {other}"),
    }
}

fn output(memory: &[u8], at: u32, left: &mut usize) -> Result<Output> {
    let route = match memory::tag(memory, memory::behind(at, 4)?)? {
        0 => None,
        1 => {
            let name = memory::text_at(memory, memory::behind(at, 8)?, left)?;
            // No route has a longer name, so what is longer is not copied.
            Some(name[..name.floor_char_boundary(ROUTE_BYTES_MAX)].to_owned())
        }
        other => bail!("there is no kind {other} of option"),
    };
    Ok(Output { rep: memory::number(memory, at)?, route })
}

/// Whether the plugin has the handles that it returns, each once: if not, the call ends before it cleans up.
#[inline]
fn check_handles(state: &State, outputs: &[Output]) -> Result<()> {
    outputs.iter().try_for_each(|output| state.has(output.rep))?;
    if outputs.len() > 1 {
        let mut reps: Vec<u32> = outputs.iter().map(|output| output.rep).collect();
        reps.sort_unstable();
        if reps.windows(2).any(|pair| pair[0] == pair[1]) {
            bail!("the plugin returned an event twice");
        }
    }
    Ok(())
}

/// Tells the plugin that its answer was read.
#[inline]
fn clean_up(store: &mut Store<State>, function: Option<&TypedFunc<u32, ()>>, answer: u32) -> Result<()> {
    let Some(function) = function else { return Ok(()) };
    memory::alone(store, |store, _| function.call(store, answer))
}

fn data(store: &mut Store<State>) -> Result<&mut [u8]> {
    let Some(guest) = &store.data().guest else { bail!("the plugin has no memory yet") };
    let memory = guest.memory;
    Ok(memory.data_mut(store))
}

/// Notes the plugin's memory and the function that makes room there, as soon as the parts are there that have them.
fn find_guest(store: &mut Store<State>, parts: &[Instance], plan: &Plan) -> Result<()> {
    let is_there = |export: &Export| parts.len() > export.part as usize;
    if store.data().guest.is_none() && is_there(&plan.memory) {
        let Extern::Memory(memory) = exported(store, parts, &plan.memory)? else { bail!("its memory is not a memory") };
        store.data_mut().guest = Some(Box::new(Guest { memory, realloc: None }));
    }
    if store.data().guest.as_ref().is_some_and(|guest| guest.realloc.is_none()) && is_there(&plan.realloc) {
        let realloc = function(store, parts, &plan.realloc)?;
        if let Some(guest) = &mut store.data_mut().guest {
            guest.realloc = Some(realloc);
        }
    }
    Ok(())
}

fn exported(store: &mut Store<State>, parts: &[Instance], export: &Export) -> Result<Extern> {
    let part = parts.get(export.part as usize);
    let found = part.and_then(|part| part.get_export(store, &export.name));
    found.ok_or_else(|| format_err!("it has no export `{}`", export.name))
}

fn function<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    parts: &[Instance],
    export: &Export,
) -> Result<TypedFunc<P, R>> {
    let Extern::Func(function) = exported(store, parts, export)? else { bail!("`{}` is not a function", export.name) };
    function.typed(&*store)
}
