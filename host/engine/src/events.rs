//! `events` of the contract: what a plugin may ask of the event it holds.
//!
//! Answers are computed on what the step may see. Texts are read from the plugin's memory into buffers that stay with the
//! store, so a call allocates only for what it gives back.

use crate::bindings::{EVENTS, ValueIn, ValueOut};
use crate::state::{Held, State, stop};
use document::{Document, EditError, PATH_BYTES_MAX, Path, PathError, Pattern, Value};
use pipeline::FailureKind;
use std::mem;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmStr};
use wasmtime::{Result, StoreContextMut};

/// Most entries of a list that is handed to a plugin.
const RESULTS_MAX: usize = 10_000;

/// Most bytes of such a list.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Bytes that count as much work as one node: copying is quick.
const BYTES_PER_NODE: usize = 64;

type Context<'a> = StoreContextMut<'a, State>;
type Handle = Resource<Held>;

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut events = linker.instance(EVENTS)?;
    events.resource("event", ResourceType::host::<Held>(), |mut store, rep| {
        store.data_mut().drop_handle(rep);
        Ok(())
    })?;
    identity(&mut events)?;
    reads(&mut events)?;
    lists(&mut events)?;
    writes(&mut events)?;
    wholes(&mut events)
}

fn identity(events: &mut LinkerInstance<'_, State>) -> Result<()> {
    events.func_wrap("[method]event.id", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((store.data_mut().held(event.rep())?.event.identity.id.to_string(),))
    })?;
    events.func_wrap("[method]event.partition-key", |mut store: Context<'_>, (event,): (Handle,)| {
        let hidden = store.data().scope.as_ref().is_some_and(|scope| !scope.sees_partition_key());
        let key = store.data_mut().held(event.rep())?.event.identity.partition_key.to_string();
        Ok((if hidden { String::new() } else { key },))
    })?;
    events.func_wrap("[method]event.arrived-at-ms", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((store.data_mut().held(event.rep())?.event.identity.arrived_at_ms,))
    })
}

fn reads(events: &mut LinkerInstance<'_, State>) -> Result<()> {
    events.func_wrap("[method]event.get", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        let value = read(&mut store, &event, &path, |document, path| Ok(document.get(path).map(ValueOut::from)))?;
        if let Some(ValueOut::Json(json) | ValueOut::Text(json)) = &value {
            store.data_mut().work((json.len() / BYTES_PER_NODE) as u64)?;
        }
        Ok((value,))
    })?;
    events.func_wrap("[method]event.text", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        let text =
            read(&mut store, &event, &path, |document, path| Ok(document.text(path).map(|text| text.into_owned())))?;
        store.data_mut().work((text.as_ref().map_or(0, String::len) / BYTES_PER_NODE) as u64)?;
        Ok((text,))
    })?;
    events.func_wrap("[method]event.has", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        Ok((read(&mut store, &event, &path, |document, path| Ok(document.has(path).then_some(())))?.is_some(),))
    })?;
    events.func_wrap("[method]event.length", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        Ok((read(&mut store, &event, &path, |document, path| Ok(document.length(path)))?,))
    })
}

fn lists(events: &mut LinkerInstance<'_, State>) -> Result<()> {
    events.func_wrap("[method]event.keys", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        let keys = read(&mut store, &event, &path, |document, path| {
            let keys = document.keys(path);
            bounded_list(&keys)?;
            Ok(Some(keys).filter(|keys| !keys.is_empty()))
        })?;
        Ok((keys.unwrap_or_default(),))
    })?;
    events.func_wrap("[method]event.expand", |mut store: Context<'_>, (event, pattern): (Handle, WasmStr)| {
        let paths = with_path(&mut store, &pattern, |state, text| {
            let pattern = malformed(text, Pattern::parse(text))?;
            let Some(found) = on_visible(state, event.rep(), |document| document.expand(&pattern, RESULTS_MAX))? else {
                return Ok(Vec::new());
            };
            let Ok(paths) = found else {
                return stop(FailureKind::InvalidOutput, format!("`{text}` names more than 10,000 fields"));
            };
            bounded_list(&paths)?;
            note_read(state, text, !paths.is_empty());
            Ok(paths)
        })?;
        Ok((paths,))
    })
}

fn writes(events: &mut LinkerInstance<'_, State>) -> Result<()> {
    events.func_wrap(
        "[method]event.set",
        |mut store: Context<'_>, (event, path, value): (Handle, WasmStr, ValueIn)| {
            let text = match &value {
                ValueIn::Text(text) | ValueIn::Json(text) => copy_text(&mut store, text)?,
                ValueIn::Null | ValueIn::Boolean(_) | ValueIn::Integer(_) | ValueIn::Number(_) => String::new(),
            };
            let shown = match value {
                ValueIn::Null => Value::Null,
                ValueIn::Boolean(boolean) => Value::Boolean(boolean),
                ValueIn::Integer(integer) => Value::Integer(integer),
                ValueIn::Number(number) => Value::Number(number),
                ValueIn::Text(_) => Value::Text(text.as_str().into()),
                ValueIn::Json(_) => Value::Json(text.as_str().into()),
            };
            let result = with_path(&mut store, &path, |state, path| set(state, event.rep(), path, &shown, text.len()))?;
            store.data_mut().text = text;
            Ok((result,))
        },
    )?;
    events.func_wrap(
        "[method]event.set-text",
        |mut store: Context<'_>, (event, path, text): (Handle, WasmStr, WasmStr)| {
            let text = copy_text(&mut store, &text)?;
            let value = Value::Text(text.as_str().into());
            let result = with_path(&mut store, &path, |state, path| set(state, event.rep(), path, &value, text.len()))?;
            store.data_mut().text = text;
            Ok((result,))
        },
    )?;
    events.func_wrap(
        "[method]event.replace-text",
        |mut store: Context<'_>, (event, pattern, text): (Handle, WasmStr, WasmStr)| {
            let text = copy_text(&mut store, &text)?;
            let replaced =
                with_path(&mut store, &pattern, |state, pattern| replace_text(state, event.rep(), pattern, &text))?;
            store.data_mut().text = text;
            Ok((replaced,))
        },
    )?;
    events.func_wrap("[method]event.remove", |mut store: Context<'_>, (event, pattern): (Handle, WasmStr)| {
        let removed = with_path(&mut store, &pattern, |state, text| {
            let pattern = malformed(text, Pattern::parse(text))?;
            let scope = state.scope.clone();
            let removed = on_document(state, event.rep(), |document| document.remove(&pattern, scope.as_deref()))?;
            changed(state, text, removed.map(|removed| removed.map_err(EditError::Denied)))
        })?;
        Ok((removed,))
    })?;
    events.func_wrap("[method]event.rename", |mut store: Context<'_>, (event, path, to): (Handle, WasmStr, WasmStr)| {
        let target = copy_text(&mut store, &to)?;
        let renamed = with_path(&mut store, &path, |state, path| rename(state, event.rep(), path, &target))?;
        store.data_mut().text = target;
        Ok((renamed,))
    })
}

fn wholes(events: &mut LinkerInstance<'_, State>) -> Result<()> {
    events.func_wrap("[method]event.json", |mut store: Context<'_>, (event,): (Handle,)| {
        let state = store.data_mut();
        let json = on_visible(state, event.rep(), |document| document.json())?;
        let json = json.map(String::from_utf8).transpose().map_err(wasmtime::Error::from)?;
        state.work((json.as_ref().map_or(0, String::len) / BYTES_PER_NODE) as u64)?;
        note_read(state, "", json.is_some());
        Ok((json,))
    })?;
    events.func_wrap("[method]event.data", |mut store: Context<'_>, (event,): (Handle,)| {
        let state = store.data_mut();
        // Without a scope the very bytes that came, as long as nothing differs.
        let seen = match state.scope {
            Some(_) => on_visible(state, event.rep(), |document| document.json())?,
            None => None,
        };
        let data = match seen {
            Some(json) => json,
            None => state.held(event.rep())?.event.content.bytes().to_vec(),
        };
        state.work((data.len() / BYTES_PER_NODE) as u64)?;
        note_read(state, "", true);
        Ok((data,))
    })?;
    events.func_wrap("[method]event.copy", |mut store: Context<'_>, (event,): (Handle,)| {
        let state = store.data_mut();
        let copy = state.held(event.rep())?.event.clone();
        state.work((copy.content.held_bytes() / BYTES_PER_NODE) as u64)?;
        Ok((Handle::new_own(state.lend(copy)?),))
    })?;
    events.func_wrap("[method]event.derive", |mut store: Context<'_>, (event, data): (Handle, Vec<u8>)| {
        let state = store.data_mut();
        if state.scope.as_ref().is_some_and(|scope| !scope.reads_all() || !scope.writes_all()) {
            return stop(
                FailureKind::Denied,
                "`derive` makes a new event out of everything: this step may not read and write all fields",
            );
        }
        let derived = state.held(event.rep())?.event.derive(data.into());
        note_write(state, "", true);
        Ok((Handle::new_own(state.lend(derived)?),))
    })
}

/// Runs `body` with the text of a path, read into the store's buffer.
fn with_path<R>(
    store: &mut Context<'_>,
    path: &WasmStr,
    body: impl FnOnce(&mut State, &str) -> Result<R>,
) -> Result<R> {
    let mut buffer = mem::take(&mut store.data_mut().path);
    buffer.clear();
    {
        let text = path.to_str(&*store)?;
        if text.len() > PATH_BYTES_MAX {
            return stop(FailureKind::InvalidOutput, "a path has more than 4,096 bytes");
        }
        buffer.push_str(&text);
    }
    let result = body(store.data_mut(), &buffer);
    store.data_mut().path = buffer;
    result
}

/// Copies a text out of the plugin's memory into the store's second buffer, which the caller puts back.
fn copy_text(store: &mut Context<'_>, text: &WasmStr) -> Result<String> {
    let mut buffer = mem::take(&mut store.data_mut().text);
    buffer.clear();
    buffer.push_str(&text.to_str(&*store)?);
    store.data_mut().work((buffer.len() / BYTES_PER_NODE) as u64)?;
    Ok(buffer)
}

fn malformed<T>(text: &str, parsed: Result<T, PathError>) -> Result<T> {
    parsed.or_else(|error| {
        let shown: String = text.chars().take(200).collect();
        stop(FailureKind::InvalidOutput, format!("malformed path `{shown}`: {error}"))
    })
}

/// One read at a path of what the step may see.
fn read<R>(
    store: &mut Context<'_>,
    event: &Handle,
    path: &WasmStr,
    body: impl FnOnce(&mut Document, &Path<'_>) -> Result<Option<R>>,
) -> Result<Option<R>> {
    with_path(store, path, |state, text| {
        let path = malformed(text, Path::parse(text))?;
        let found = on_visible(state, event.rep(), |document| body(document, &path))?.transpose()?.flatten();
        note_read(state, text, found.is_some());
        Ok(found)
    })
}

/// Runs `body` on the part of the document that the step may see; none when the event is not JSON.
fn on_visible<R>(state: &mut State, rep: u32, body: impl FnOnce(&mut Document) -> R) -> Result<Option<R>> {
    let scope = state.scope.clone().filter(|scope| !scope.reads_all());
    let held = state.held(rep)?;
    let Some(document) = held.event.content.document() else { return Ok(None) };
    let seen = match &scope {
        None => document,
        Some(scope) => &mut **held.view.get_or_insert_with(|| Box::new(document.visible(scope))),
    };
    let before = seen.visited();
    let result = body(seen);
    let visited = seen.visited() - before;
    state.work(visited)?;
    Ok(Some(result))
}

/// Runs `body` on the document itself, for a change; none when the event is not JSON.
fn on_document<R>(state: &mut State, rep: u32, body: impl FnOnce(&mut Document) -> R) -> Result<Option<R>> {
    let held = state.held(rep)?;
    held.view = None;
    let Some(document) = held.event.content.document() else { return Ok(None) };
    let (visited, bytes) = (document.visited(), document.overlay_bytes());
    let result = body(document);
    let (visited, bytes) = (document.visited() - visited, document.overlay_bytes().saturating_sub(bytes));
    state.hold(bytes)?;
    state.work(visited)?;
    Ok(Some(result))
}

fn set(state: &mut State, rep: u32, text: &str, value: &Value<'_>, bytes: usize) -> Result<Result<(), String>> {
    let path = malformed(text, Path::parse(text))?;
    let scope = state.scope.clone();
    state.work((bytes / BYTES_PER_NODE) as u64)?;
    match on_document(state, rep, |document| document.set(&path, value, scope.as_deref()))? {
        None => Ok(Err("the event is not JSON: derive one that is".to_owned())),
        Some(Ok(())) => {
            note_write(state, text, true);
            Ok(Ok(()))
        }
        Some(Err(EditError::Denied(denied))) => stop(FailureKind::Denied, denied.to_string()),
        Some(Err(error @ EditError::NotFinite)) => stop(FailureKind::InvalidOutput, format!("`{text}`: {error}")),
        Some(Err(error @ EditError::TooLarge)) => stop(FailureKind::Memory, error.to_string()),
        Some(Err(
            error @ (EditError::ThroughScalar | EditError::BeyondEnd | EditError::NotJson(_) | EditError::TooDeep),
        )) => Ok(Err(error.to_string())),
    }
}

fn replace_text(state: &mut State, rep: u32, text: &str, with: &str) -> Result<u32> {
    let pattern = malformed(text, Pattern::parse(text))?;
    let scope = state.scope.clone();
    let replaced = on_document(state, rep, |document| document.replace_text(&pattern, with, scope.as_deref()))?;
    changed(state, text, replaced)
}

/// The answer of a change by pattern: how many values it met. None: the event is not JSON.
fn changed(state: &mut State, pattern: &str, result: Option<Result<u32, EditError>>) -> Result<u32> {
    match result {
        None => Ok(0),
        Some(Ok(count)) => {
            note_write(state, pattern, count > 0);
            Ok(count)
        }
        Some(Err(EditError::TooLarge)) => stop(FailureKind::Memory, EditError::TooLarge.to_string()),
        Some(Err(error)) => stop(FailureKind::Denied, error.to_string()),
    }
}

fn rename(state: &mut State, rep: u32, text: &str, target: &str) -> Result<bool> {
    if target.len() > PATH_BYTES_MAX {
        return stop(FailureKind::InvalidOutput, "a path has more than 4,096 bytes");
    }
    let (path, to) = (malformed(text, Path::parse(text))?, malformed(target, Path::parse(target))?);
    let scope = state.scope.clone();
    match on_document(state, rep, |document| document.rename(&path, &to, scope.as_deref()))? {
        None => Ok(false),
        Some(Ok(renamed)) => {
            note_write(state, text, renamed);
            note_write(state, target, renamed);
            Ok(renamed)
        }
        Some(Err(denied)) => stop(FailureKind::Denied, denied.to_string()),
    }
}

fn bounded_list(list: &[String]) -> Result<()> {
    if list.len() > RESULTS_MAX || list.iter().map(String::len).sum::<usize>() > RESULT_BYTES_MAX {
        return stop(FailureKind::InvalidOutput, "the answer has more than 10,000 entries or 1 MiB");
    }
    Ok(())
}

#[inline]
fn note_read(state: &mut State, path: &str, found: bool) {
    if let Some(noted) = &mut state.noted {
        noted.read(path, found);
    }
}

#[inline]
fn note_write(state: &mut State, path: &str, found: bool) {
    if let Some(noted) = &mut state.noted {
        noted.write(path, found);
    }
}
