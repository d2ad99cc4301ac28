//! snapshot CORE.wasm OUT.wasm: runs `_initialize` and `start` of a core module, and writes a module that begins with
//! the memory that they leave.
//!
//! For runtimes that take long to start (`plugins/python`). What a module keeps is its memory alone: it must have one
//! memory, no more than one variable (the stack pointer, which is back where it was), and a table that it does not
//! change. What it prints by the contract's log is shown; whatever else it asks of the host ends the program.

use std::io::Write as _;
use std::ops::Range;
use wasmtime::error::Context as _;
use wasmtime::{Caller, Engine, Extern, Linker, Module, Result, Store, bail, ensure};

/// Zeros between two pieces of memory that are worth a piece of their own.
const GAP_BYTES: usize = 64;

/// Bytes of a page.
const PAGE_BYTES: usize = 64 << 10;

/// What is run and then no longer there.
const STARTERS: [&str; 2] = ["_initialize", "start"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [core, out] = arguments.as_slice() else { bail!("usage: snapshot CORE.wasm OUT.wasm") };
    let bytes = std::fs::read(core).with_context(|| format!("read {core}"))?;
    let sections = sections(&bytes)?;
    let stack = stack(&sections)?;
    let mut memory = started(&bytes)?;
    // What was on the stack is nothing to anybody.
    memory.get_mut(..stack).context("the stack is outside the memory")?.fill(0);
    std::fs::write(out, written(&sections, &memory)?).with_context(|| format!("write {out}"))?;
    Ok(())
}

/// The memory once the module has started.
fn started(bytes: &[u8]) -> Result<Vec<u8>> {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes)?;
    let mut linker: Linker<()> = Linker::new(&engine);
    let log = |mut caller: Caller<'_, ()>, _level: u32, at: u32, len: u32| {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return };
        let text = memory.data(&caller).get(at as usize..).and_then(|rest| rest.get(..len as usize));
        // With nobody to read it, it is not worth a failure.
        writeln!(std::io::stderr(), "{}", String::from_utf8_lossy(text.unwrap_or_default())).unwrap_or_default();
    };
    linker.func_wrap("paddlewheel:transform/log@0.1.0", "write", log)?;
    linker.define_unknown_imports_as_traps(&module)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    for name in STARTERS {
        instance.get_typed_func::<(), ()>(&mut store, name)?.call(&mut store, ())?;
    }
    let memory = instance.get_memory(&mut store, "memory").context("it has no memory")?;
    Ok(memory.data(&store).to_vec())
}

/// A section: its number and its content.
type Section<'a> = (u8, &'a [u8]);

fn sections(module: &[u8]) -> Result<Vec<Section<'_>>> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").context("it is no core module")?;
    let mut found = Vec::new();
    while let Some((&number, behind)) = rest.split_first() {
        rest = behind;
        let size = unsigned(&mut rest)?;
        found.push((number, taken(&mut rest, size)?));
    }
    Ok(found)
}

/// Where the stack begins, which grows down to 0: the value of the module's only variable.
fn stack(sections: &[Section<'_>]) -> Result<usize> {
    let &(_, mut globals) = sections.iter().find(|(number, _)| *number == 6).context("it has no stack pointer")?;
    let mut found = Vec::new();
    for _ in 0..unsigned(&mut globals)? {
        let [kind, variable, code] = taken(&mut globals, 3)? else { bail!("a global is cut off") };
        ensure!((*kind, *code) == (0x7F, 0x41), "a global is no number of 32 bits");
        let value = unsigned(&mut globals)?;
        ensure!(taken(&mut globals, 1)? == [0x0B], "a global is no constant");
        if *variable == 1 {
            found.push(value);
        }
    }
    let [stack] = found[..] else {
        bail!("it has {} variables besides its memory; one is the stack pointer", found.len())
    };
    Ok(stack)
}

/// The module with this memory, without what starts it.
fn written(sections: &[Section<'_>], memory: &[u8]) -> Result<Vec<u8>> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (number, content) in sections {
        let content = match number {
            5 => {
                let mut pages = vec![1, 0];
                put(&mut pages, memory.len() / PAGE_BYTES);
                pages
            }
            7 => exports(content)?,
            11 => data(memory),
            // How many pieces of data there are: only for modules that copy them themselves.
            12 => continue,
            _ => content.to_vec(),
        };
        module.push(*number);
        put(&mut module, content.len());
        module.extend_from_slice(&content);
    }
    Ok(module)
}

fn exports(mut section: &[u8]) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut count = 0;
    for _ in 0..unsigned(&mut section)? {
        let whole = section;
        let size = unsigned(&mut section)?;
        let name = taken(&mut section, size)?;
        taken(&mut section, 1)?;
        unsigned(&mut section)?;
        if !STARTERS.iter().any(|starter| starter.as_bytes() == name) {
            kept.extend_from_slice(&whole[..whole.len() - section.len()]);
            count += 1;
        }
    }
    let mut content = Vec::new();
    put(&mut content, count);
    content.extend_from_slice(&kept);
    Ok(content)
}

fn data(memory: &[u8]) -> Vec<u8> {
    let pieces = pieces(memory);
    let mut content = Vec::new();
    put(&mut content, pieces.len());
    for piece in pieces {
        content.extend_from_slice(&[0, 0x41]);
        put_signed(&mut content, piece.start as i64);
        content.push(0x0B);
        put(&mut content, piece.len());
        content.extend_from_slice(&memory[piece]);
    }
    content
}

/// Where there is something in a memory.
fn pieces(memory: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (k, _) in memory.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        match found.last_mut() {
            Some(last) if k - last.end < GAP_BYTES => last.end = k + 1,
            _ => found.push(k..k + 1),
        }
    }
    found
}

fn taken<'a>(from: &mut &'a [u8], size: usize) -> Result<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(size).context("the module is cut off")?;
    *from = rest;
    Ok(taken)
}

fn unsigned(from: &mut &[u8]) -> Result<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = usize::from(taken(from, 1)?[0]);
        value |= (byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("a number is too long")
}

fn put(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn put_signed(to: &mut Vec<u8>, mut value: i64) {
    while !(-64..64).contains(&value) {
        to.push(value as u8 & 0x7F | 0x80);
        value >>= 7;
    }
    to.push(value as u8 & 0x7F);
}
