//! The contract's imports as core functions: numbers in, numbers out, longer answers at an address that the plugin
//! names.
//!
//! Each function's core type is what the canonical ABI makes of its type in `contract`; wasmtime compares it with the
//! module's import when an instance starts.

use super::memory::{SPAN_BYTES, bytes, give, give_list, open, place, span, state, text, texts};
use crate::events;
use crate::instance::HOSTCALL_BYTES_MAX;
use crate::state::State;
use bytes::Bytes;
use document::Value;
use pipeline::Level;
use std::mem;
use wasmtime::{Caller, Engine, Linker, Result, bail};

type Call<'a> = Caller<'a, State>;

/// The core module that offers the contract to a plugin's modules.
pub(crate) const HOST: &str = "host";

/// What a plugin calls to give a handle back.
pub(crate) const DROP_EVENT: &str = "[resource-drop]event";

/// All that a plugin may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    identity(&mut linker)?;
    reads(&mut linker)?;
    lists(&mut linker)?;
    writes(&mut linker)?;
    wholes(&mut linker)?;
    assets(&mut linker)?;
    system(&mut linker)?;
    linker.func_wrap(HOST, "write", |mut call: Call<'_>, level: u32, message: u32, length: u32| {
        let (memory, state) = open(&mut call)?;
        state.log(level_of(level)?, text(memory, message, length)?);
        Ok(())
    })?;
    Ok(linker)
}

fn level_of(number: u32) -> Result<Level> {
    Ok(match number {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warn,
        3 => Level::Error,
        other => bail!("there is no log level {other}"),
    })
}

fn identity(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(HOST, DROP_EVENT, |mut call: Call<'_>, event: u32| state(&mut call)?.give_back(event))?;
    linker.func_wrap(HOST, "[method]event.id", |mut call: Call<'_>, event: u32, to: u32| {
        let id = events::id(open(&mut call)?.1, event)?.to_owned();
        answer_bytes(&mut call, id.as_bytes(), to)
    })?;
    linker.func_wrap(HOST, "[method]event.partition-key", |mut call: Call<'_>, event: u32, to: u32| {
        let key = events::partition_key(open(&mut call)?.1, event)?.to_owned();
        answer_bytes(&mut call, key.as_bytes(), to)
    })?;
    linker.func_wrap(HOST, "[method]event.arrived-at-ms", |mut call: Call<'_>, event: u32| {
        events::arrived_at_ms(state(&mut call)?, event)
    })?;
    Ok(())
}

fn reads(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        HOST,
        "[method]event.get",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, to: u32| get(&mut call, event, (path, length), to),
    )?;
    linker.func_wrap(
        HOST,
        "[method]event.text",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let path = text(memory, path, length)?;
            let mut buffer = mem::take(&mut state.text);
            let found = events::text(state, event, path, |found| {
                buffer.clear();
                buffer.push_str(&found);
            })?;
            let answered = answer_option(&mut call, found.map(|()| buffer.as_bytes()), to);
            call.data_mut().text = buffer;
            answered
        },
    )?;
    linker.func_wrap(HOST, "[method]event.has", |mut call: Call<'_>, event: u32, path: u32, length: u32| {
        let (memory, state) = open(&mut call)?;
        Ok(u32::from(events::has(state, event, text(memory, path, length)?)?))
    })?;
    linker.func_wrap(
        HOST,
        "[method]event.length",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let found = events::length(state, event, text(memory, path, length)?)?;
            let place: &mut [u8; 8] = place(memory, to, 4)?;
            place[0] = u8::from(found.is_some());
            if let Some(length) = found {
                place[4..].copy_from_slice(&length.to_le_bytes());
            }
            Ok(())
        },
    )?;
    Ok(())
}

/// `get`: an option of a variant, 24 bytes.
fn get(call: &mut Call<'_>, event: u32, path: (u32, u32), to: u32) -> Result<()> {
    let (memory, state) = open(call)?;
    let path = text(memory, path.0, path.1)?;
    let mut buffer = mem::take(&mut state.text);
    let mut copied = |text: &str| {
        buffer.clear();
        buffer.push_str(text);
    };
    let found = events::get(state, event, path, |value| match value {
        Value::Null => (0, 0),
        Value::Boolean(boolean) => (1, u64::from(boolean)),
        Value::Integer(integer) => (2, integer.cast_unsigned()),
        Value::Number(number) => (3, number.to_bits()),
        Value::Text(text) => {
            copied(&text);
            (4, 0)
        }
        Value::Json(json) => {
            copied(&json);
            (5, 0)
        }
    })?;
    look_at::<24>(call, to, 8)?;
    let payload = match found {
        Some((4 | 5, _)) => u64::from_le_bytes(span(give(call, buffer.as_bytes())?, buffer.len())),
        Some((_, payload)) => payload,
        None => 0,
    };
    let (memory, state) = open(call)?;
    state.text = buffer;
    let place: &mut [u8; 24] = place(memory, to, 8)?;
    place[0] = u8::from(found.is_some());
    let Some((tag, _)) = found else { return Ok(()) };
    place[8] = tag;
    // What a value does not have stays as it was, as the canonical ABI writes it.
    let bytes = match tag {
        0 => 0,
        1 => 1,
        _ => 8,
    };
    place[16..16 + bytes].copy_from_slice(&payload.to_le_bytes()[..bytes]);
    Ok(())
}

fn lists(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        HOST,
        "[method]event.keys",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let keys = events::keys(state, event, text(memory, path, length)?)?;
            answer_list(&mut call, &keys, to)
        },
    )?;
    linker.func_wrap(
        HOST,
        "[method]event.expand",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let paths = events::expand(state, event, text(memory, path, length)?)?;
            answer_list(&mut call, &paths, to)
        },
    )?;
    Ok(())
}

fn writes(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        HOST,
        "[method]event.set",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, tag: u32, payload: u64, more: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let passed = if matches!(tag, 4 | 5) { (payload as u32, more) } else { (0, 0) };
            let (path, passed) = texts(memory, (path, length), passed)?;
            let value = match tag {
                0 => Value::Null,
                1 => Value::Boolean(payload as u32 != 0),
                2 => Value::Integer(payload.cast_signed()),
                3 => Value::Number(f64::from_bits(payload)),
                4 => Value::Text(passed.into()),
                5 => Value::Json(passed.into()),
                other => bail!("there is no kind {other} of value"),
            };
            let done = events::set(state, event, path, &value)?;
            answer_result(&mut call, done, to)
        },
    )?;
    linker.func_wrap(
        HOST,
        "[method]event.set-text",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, with: u32, with_length: u32, to: u32| {
            let (memory, state) = open(&mut call)?;
            let (path, with) = texts(memory, (path, length), (with, with_length))?;
            let done = events::set(state, event, path, &Value::Text(with.into()))?;
            answer_result(&mut call, done, to)
        },
    )?;
    linker.func_wrap(
        HOST,
        "[method]event.replace-text",
        |mut call: Call<'_>, event: u32, pattern: u32, length: u32, with: u32, with_length: u32| {
            let (memory, state) = open(&mut call)?;
            let (pattern, with) = texts(memory, (pattern, length), (with, with_length))?;
            events::replace_text(state, event, pattern, with)
        },
    )?;
    linker.func_wrap(HOST, "[method]event.remove", |mut call: Call<'_>, event: u32, pattern: u32, length: u32| {
        let (memory, state) = open(&mut call)?;
        events::remove(state, event, text(memory, pattern, length)?)
    })?;
    linker.func_wrap(
        HOST,
        "[method]event.rename",
        |mut call: Call<'_>, event: u32, path: u32, length: u32, target: u32, target_length: u32| {
            let (memory, state) = open(&mut call)?;
            let (path, target) = texts(memory, (path, length), (target, target_length))?;
            Ok(u32::from(events::rename(state, event, path, target)?))
        },
    )?;
    Ok(())
}

fn wholes(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(HOST, "[method]event.json", |mut call: Call<'_>, event: u32, to: u32| {
        let json = events::json(open(&mut call)?.1, event)?;
        answer_option(&mut call, json.as_deref(), to)
    })?;
    linker.func_wrap(HOST, "[method]event.data", |mut call: Call<'_>, event: u32, to: u32| {
        let data = events::data(open(&mut call)?.1, event)?;
        answer_bytes(&mut call, &data, to)
    })?;
    linker.func_wrap(HOST, "[method]event.copy", |mut call: Call<'_>, event: u32| {
        events::copy(state(&mut call)?, event)
    })?;
    linker.func_wrap(HOST, "[method]event.derive", |mut call: Call<'_>, event: u32, data: u32, length: u32| {
        let (memory, state) = open(&mut call)?;
        let data = bytes(memory, data, length, &mut { HOSTCALL_BYTES_MAX })?;
        events::derive(state, event, data.len(), || Bytes::copy_from_slice(data))
    })?;
    Ok(())
}

fn assets(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(HOST, "assets.names", |mut call: Call<'_>, to: u32| {
        let assets = open(&mut call)?.1.assets.clone();
        let names: Vec<String> = assets.names().map(str::to_owned).collect();
        answer_list(&mut call, &names, to)
    })?;
    linker.func_wrap(HOST, "assets.read", |mut call: Call<'_>, name: u32, length: u32, to: u32| {
        let (memory, state) = open(&mut call)?;
        let bytes = state.assets.get(text(memory, name, length)?).map(|asset| asset.bytes.clone());
        answer_option(&mut call, bytes.as_deref(), to)
    })?;
    linker.func_wrap(HOST, "assets.source", |mut call: Call<'_>, name: u32, length: u32, to: u32| {
        let (memory, state) = open(&mut call)?;
        let source = state.assets.get(text(memory, name, length)?).map(|asset| asset.source.clone());
        answer_option(&mut call, source.as_ref().map(String::as_bytes), to)
    })?;
    Ok(())
}

/// What runtimes of languages ask of WASI, from the same virtual system as through components.
fn system(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(HOST, "wall-clock.now", |mut call: Call<'_>, to: u32| {
        let (memory, state) = open(&mut call)?;
        let (seconds, nanoseconds) = state.wasi.wall_clock()?;
        let place: &mut [u8; 16] = place(memory, to, 8)?;
        place[..8].copy_from_slice(&seconds.to_le_bytes());
        place[8..12].copy_from_slice(&nanoseconds.to_le_bytes());
        Ok(())
    })?;
    linker.func_wrap(HOST, "monotonic-clock.now", |mut call: Call<'_>| state(&mut call)?.wasi.monotonic_clock())?;
    linker.func_wrap(HOST, "random.get-random-u64", |mut call: Call<'_>| state(&mut call)?.wasi.random())?;
    linker.func_wrap(HOST, "insecure-seed.insecure-seed", |mut call: Call<'_>, to: u32| {
        let (memory, state) = open(&mut call)?;
        let (one, other) = state.wasi.seed()?;
        let place: &mut [u8; 16] = place(memory, to, 8)?;
        place[..8].copy_from_slice(&one.to_le_bytes());
        place[8..].copy_from_slice(&other.to_le_bytes());
        Ok(())
    })?;
    Ok(())
}

/// Looks at the place for an answer of `N` bytes: a bad one ends the call before the plugin is asked for room.
#[inline]
fn look_at<const N: usize>(call: &mut Call<'_>, to: u32, alignment: u32) -> Result<()> {
    let _: &mut [u8; N] = place(open(call)?.0, to, alignment)?;
    Ok(())
}

/// A `string` or a `list<u8>`.
fn answer_bytes(call: &mut Call<'_>, bytes: &[u8], to: u32) -> Result<()> {
    look_at::<SPAN_BYTES>(call, to, 4)?;
    let address = give(call, bytes)?;
    *place(open(call)?.0, to, 4)? = span(address, bytes.len());
    Ok(())
}

/// An `option<string>`: 12 bytes.
fn answer_option(call: &mut Call<'_>, text: Option<&[u8]>, to: u32) -> Result<()> {
    look_at::<12>(call, to, 4)?;
    let shown = text.map(|text| Ok::<_, wasmtime::Error>(span(give(call, text)?, text.len()))).transpose()?;
    answer_tagged(call, shown, to)
}

/// A `result<_, string>`: 12 bytes.
fn answer_result(call: &mut Call<'_>, result: Result<(), String>, to: u32) -> Result<()> {
    answer_option(call, result.as_ref().err().map(String::as_bytes), to)
}

fn answer_tagged(call: &mut Call<'_>, payload: Option<[u8; 8]>, to: u32) -> Result<()> {
    let place: &mut [u8; 12] = place(open(call)?.0, to, 4)?;
    place[0] = u8::from(payload.is_some());
    if let Some(payload) = payload {
        place[4..].copy_from_slice(&payload);
    }
    Ok(())
}

/// A `list<string>`.
fn answer_list(call: &mut Call<'_>, texts: &[String], to: u32) -> Result<()> {
    look_at::<SPAN_BYTES>(call, to, 4)?;
    let list = give_list(call, texts)?;
    *place(open(call)?.0, to, 4)? = span(list, texts.len());
    Ok(())
}
