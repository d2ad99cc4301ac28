//! `events` of the contract: what a plugin may ask of the event it holds, whichever way the call came in.
//!
//! Answers are computed on what the step may see. `rep` is what a handle leads to; texts still lie in the plugin's memory.

use crate::state::{State, stop, stop_quoting};
use document::{Denied, Document, EditError, PATH_BYTES_MAX, Path, PathError, Pattern, Value};
use pipeline::FailureKind;
use std::borrow::Cow;
use wasmtime::{Error, Result};

/// Most entries of a list that is handed to a plugin.
const RESULTS_MAX: usize = 10_000;

/// Most bytes of such a list.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Bytes that count as much work as one node: copying is quick.
const BYTES_PER_NODE: usize = 64;

pub(crate) fn id(state: &mut State, rep: u32) -> Result<&str> {
    Ok(&state.held(rep)?.event.identity.id)
}

pub(crate) fn partition_key(state: &mut State, rep: u32) -> Result<&str> {
    let hidden = state.scope.as_ref().is_some_and(|scope| !scope.sees_partition_key());
    let key = &state.held(rep)?.event.identity.partition_key;
    Ok(if hidden { "" } else { key })
}

pub(crate) fn arrived_at_ms(state: &mut State, rep: u32) -> Result<u64> {
    Ok(state.held(rep)?.event.identity.arrived_at_ms)
}

/// `get`: what `give` makes of the value.
pub(crate) fn get<R>(state: &mut State, rep: u32, path: &str, give: impl FnOnce(Value<'_>) -> R) -> Result<Option<R>> {
    let mut bytes = 0;
    let value = read(state, rep, path, |document, path| {
        document.get(path).map(|value| {
            if let Value::Text(text) | Value::Json(text) = &value {
                bytes = text.len();
            }
            give(value)
        })
    })?;
    work_on(state, bytes)?;
    Ok(value)
}

/// `text`: what `give` makes of it.
#[inline]
pub(crate) fn text<R>(
    state: &mut State,
    rep: u32,
    path: &str,
    give: impl FnOnce(Cow<'_, str>) -> R,
) -> Result<Option<R>> {
    let mut bytes = 0;
    let text = read(state, rep, path, |document, path| {
        document.text(path).map(|text| {
            bytes = text.len();
            give(text)
        })
    })?;
    work_on(state, bytes)?;
    Ok(text)
}

#[inline]
pub(crate) fn has(state: &mut State, rep: u32, path: &str) -> Result<bool> {
    Ok(read(state, rep, path, |document, path| document.has(path).then_some(()))?.is_some())
}

pub(crate) fn length(state: &mut State, rep: u32, path: &str) -> Result<Option<u32>> {
    read(state, rep, path, |document, path| document.length(path))
}

pub(crate) fn keys(state: &mut State, rep: u32, path: &str) -> Result<Vec<String>> {
    let keys = read(state, rep, path, |document, path| Some(document.keys(path)).filter(|keys| !keys.is_empty()))?;
    bounded(keys.unwrap_or_default())
}

pub(crate) fn expand(state: &mut State, rep: u32, text: &str) -> Result<Vec<String>> {
    let pattern = parsed(state, text, Pattern::parse)?;
    let Some(found) = on_visible(state, rep, |document| document.expand(&pattern, RESULTS_MAX))? else {
        return Ok(Vec::new());
    };
    let Ok(paths) = found else {
        return stop_quoting(FailureKind::InvalidOutput, "`", text, "` names more than 10,000 fields");
    };
    let paths = bounded(paths)?;
    note_read(state, text, !paths.is_empty());
    Ok(paths)
}

/// `set` and `set-text`. The inner error is the plugin's to handle.
pub(crate) fn set(state: &mut State, rep: u32, text: &str, value: &Value<'_>) -> Result<Result<(), String>> {
    let path = parsed(state, text, Path::parse)?;
    let scope = state.scope.clone();
    if let Value::Text(text) | Value::Json(text) = value {
        work_on(state, text.len())?;
    }
    match on_document(state, rep, |document| document.set(&path, value, scope.as_deref()))? {
        None => Ok(Err("the event is not JSON: derive one that is".to_owned())),
        Some(Ok(())) => {
            note_write(state, text, 1);
            Ok(Ok(()))
        }
        Some(Err(EditError::Denied(denied))) => stop_denied(&denied),
        Some(Err(error @ EditError::NotFinite)) => {
            stop_quoting(FailureKind::InvalidOutput, "`", text, &format!("`: {error}"))
        }
        Some(Err(error @ EditError::TooLarge)) => stop(FailureKind::Memory, error.to_string()),
        Some(Err(
            error @ (EditError::ThroughScalar | EditError::BeyondEnd | EditError::NotJson(_) | EditError::TooDeep),
        )) => Ok(Err(error.to_string())),
    }
}

pub(crate) fn replace_text(state: &mut State, rep: u32, text: &str, with: &str) -> Result<u32> {
    let pattern = parsed(state, text, Pattern::parse)?;
    let scope = state.scope.clone();
    work_on(state, with.len())?;
    let replaced = on_document(state, rep, |document| document.replace_text(&pattern, with, scope.as_deref()))?;
    changed(state, text, replaced)
}

pub(crate) fn remove(state: &mut State, rep: u32, text: &str) -> Result<u32> {
    let pattern = parsed(state, text, Pattern::parse)?;
    let scope = state.scope.clone();
    let removed = on_document(state, rep, |document| document.remove(&pattern, scope.as_deref()))?;
    changed(state, text, removed.map(|removed| removed.map_err(EditError::Denied)))
}

/// The answer of a change by pattern: how many values it met. None: the event is not JSON.
fn changed(state: &mut State, pattern: &str, result: Option<Result<u32, EditError>>) -> Result<u32> {
    match result {
        None => Ok(0),
        Some(Ok(count)) => {
            note_write(state, pattern, u64::from(count));
            Ok(count)
        }
        Some(Err(EditError::TooLarge)) => stop(FailureKind::Memory, EditError::TooLarge.to_string()),
        Some(Err(EditError::Denied(denied))) => stop_denied(&denied),
        Some(Err(error)) => stop(FailureKind::Denied, error.to_string()),
    }
}

pub(crate) fn rename(state: &mut State, rep: u32, text: &str, target: &str) -> Result<bool> {
    let (path, to) = (parsed(state, text, Path::parse)?, parsed(state, target, Path::parse)?);
    let scope = state.scope.clone();
    match on_document(state, rep, |document| document.rename(&path, &to, scope.as_deref()))? {
        None => Ok(false),
        Some(Ok(renamed)) => {
            note_write(state, text, u64::from(renamed));
            if renamed {
                note_write(state, target, 1);
            }
            Ok(renamed)
        }
        Some(Err(denied)) => stop_denied(&denied),
    }
}

pub(crate) fn json(state: &mut State, rep: u32) -> Result<Option<String>> {
    let json = on_visible(state, rep, |document| document.json())?;
    let json = json.map(String::from_utf8).transpose().map_err(Error::from)?;
    work_on(state, json.as_ref().map_or(0, String::len))?;
    note_read(state, "", json.is_some());
    Ok(json)
}

pub(crate) fn data(state: &mut State, rep: u32) -> Result<bytes::Bytes> {
    // To who may read everything the very bytes that came, as long as nothing differs.
    let seen = match &state.scope {
        Some(scope) if !scope.reads_all() => on_visible(state, rep, |document| document.json())?,
        Some(_) | None => None,
    };
    let data = match seen {
        Some(json) => json.into(),
        None => state.held(rep)?.event.content.bytes(),
    };
    work_on(state, data.len())?;
    note_read(state, "", true);
    Ok(data)
}

/// `copy`: the rep of the new event.
pub(crate) fn copy(state: &mut State, rep: u32) -> Result<u32> {
    // The bytes that came are shared.
    let copy = state.held(rep)?.event.clone();
    work_on(state, copy.content.overlay_bytes())?;
    state.lend(copy, 0)
}

/// `derive`: the rep of the new event.
pub(crate) fn derive(state: &mut State, rep: u32, data: bytes::Bytes) -> Result<u32> {
    if state.scope.as_ref().is_some_and(|scope| !scope.reads_all() || !scope.writes_all()) {
        return stop(
            FailureKind::Denied,
            "`derive` makes a new event out of everything: this step may not read and write all fields",
        );
    }
    let bytes = data.len();
    work_on(state, bytes)?;
    let derived = state.held(rep)?.event.derive(data);
    note_write(state, "", 1);
    state.lend(derived, bytes)
}

fn stop_denied<T>(denied: &Denied) -> Result<T> {
    stop_quoting(FailureKind::Denied, "this step may not change `", &denied.field, "`")
}

/// Parses a path or a pattern; one that is malformed ends the call.
#[inline]
fn parsed<'a, T>(state: &State, text: &'a str, parse: impl FnOnce(&'a str) -> Result<T, PathError>) -> Result<T> {
    if text.len() > PATH_BYTES_MAX {
        return stop(FailureKind::InvalidOutput, "a path has more than 4,096 bytes");
    }
    parse(text).or_else(|error| {
        let shown: String = state.hidden.hide(text).chars().take(200).collect();
        stop_quoting(FailureKind::InvalidOutput, "malformed path `", &shown, &format!("`: {error}"))
    })
}

/// One read at a path of what the step may see.
#[inline]
fn read<R>(
    state: &mut State,
    rep: u32,
    text: &str,
    body: impl FnOnce(&mut Document, &Path<'_>) -> Option<R>,
) -> Result<Option<R>> {
    let path = parsed(state, text, Path::parse)?;
    let found = on_visible(state, rep, |document| body(document, &path))?.flatten();
    note_read(state, text, found.is_some());
    Ok(found)
}

/// Runs `body` on the part of the document that the step may see; none when the event is not JSON.
#[inline]
fn on_visible<R>(state: &mut State, rep: u32, body: impl FnOnce(&mut Document) -> R) -> Result<Option<R>> {
    let scope = state.scope.clone().filter(|scope| !scope.reads_all());
    let held = state.held(rep)?;
    let before = held.overlay_bytes();
    let Some(document) = held.event.content.document() else { return Ok(None) };
    let seen = match &scope {
        None => document,
        Some(scope) => &mut **held.view.get_or_insert_with(|| Box::new(document.visible(scope))),
    };
    let visited = seen.visited();
    let result = body(seen);
    let visited = seen.visited() - visited;
    let after = held.overlay_bytes();
    state.hold_instead(before, after)?;
    state.work(visited)?;
    Ok(Some(result))
}

/// Runs `body` on the document itself, for a change; none when the event is not JSON.
fn on_document<R>(state: &mut State, rep: u32, body: impl FnOnce(&mut Document) -> R) -> Result<Option<R>> {
    let held = state.held(rep)?;
    let before = held.overlay_bytes();
    held.view = None;
    let Some(document) = held.event.content.document() else { return Ok(None) };
    let visited = document.visited();
    let result = body(document);
    let visited = document.visited() - visited;
    let after = held.overlay_bytes();
    state.hold_instead(before, after)?;
    state.work(visited)?;
    Ok(Some(result))
}

/// Counts the bytes of a text as work.
#[inline]
fn work_on(state: &mut State, bytes: usize) -> Result<()> {
    state.work((bytes / BYTES_PER_NODE) as u64)
}

fn bounded(list: Vec<String>) -> Result<Vec<String>> {
    if list.len() > RESULTS_MAX || list.iter().map(String::len).sum::<usize>() > RESULT_BYTES_MAX {
        return stop(FailureKind::InvalidOutput, "the answer has more than 10,000 entries or 1 MiB");
    }
    Ok(list)
}

#[inline]
fn note_read(state: &mut State, path: &str, found: bool) {
    if let Some(noted) = &mut state.noted {
        noted.read(path, found);
    }
}

#[inline]
fn note_write(state: &mut State, path: &str, values: u64) {
    if let Some(noted) = &mut state.noted {
        noted.write(path, values);
    }
}
