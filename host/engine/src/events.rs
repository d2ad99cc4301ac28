//! `events` of the contract: what a plugin may ask of the event it holds, whichever way the call came in.
//!
//! Answers are computed on what the step may see, and within what a call may cost. `rep` is what a handle leads to;
//! texts still lie in the plugin's memory.

use crate::state::{Lent, State, stop, stop_quoting};
use bytes::Bytes;
use document::{
    Document, EditError, Exhausted, Meter, PATH_BYTES_MAX, Path, PathError, Pattern, Restricted, Scope, Value,
};
use pipeline::{Content, FailureKind};
use std::borrow::Cow;
use wasmtime::Result;

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
    read(state, rep, path, |document, path, meter| {
        let Some(value) = document.get(path, meter)? else { return Ok(None) };
        if let Value::Text(text) | Value::Json(text) = &value {
            meter.take(text.len())?;
        }
        Ok(Some(give(value)))
    })
}

/// `text`: what `give` makes of it.
#[inline]
pub(crate) fn text<R>(
    state: &mut State,
    rep: u32,
    path: &str,
    give: impl FnOnce(Cow<'_, str>) -> R,
) -> Result<Option<R>> {
    read(state, rep, path, |document, path, meter| {
        let Some(text) = document.text(path, meter)? else { return Ok(None) };
        meter.take(text.len())?;
        Ok(Some(give(text)))
    })
}

#[inline]
pub(crate) fn has(state: &mut State, rep: u32, path: &str) -> Result<bool> {
    let found = read(state, rep, path, |document, path, meter| Ok(document.has(path, meter)?.then_some(())))?;
    Ok(found.is_some())
}

pub(crate) fn length(state: &mut State, rep: u32, path: &str) -> Result<Option<u32>> {
    read(state, rep, path, |document, path, meter| document.length(path, meter))
}

pub(crate) fn keys(state: &mut State, rep: u32, path: &str) -> Result<Vec<String>> {
    let keys = read(state, rep, path, |document, path, meter| {
        Ok(Some(document.keys(path, meter)?).filter(|keys| !keys.is_empty()))
    })?;
    Ok(keys.unwrap_or_default())
}

pub(crate) fn expand(state: &mut State, rep: u32, text: &str) -> Result<Vec<String>> {
    let pattern = parsed(state, rep, text, Pattern::parse)?;
    let found = on_visible(state, rep, |document, meter| document.expand(&pattern, meter))?;
    let Some(paths) = allowed(text, found)? else { return Ok(Vec::new()) };
    note_read(state, text, !paths.is_empty());
    Ok(paths)
}

/// `set` and `set-text`. The inner error is the plugin's to handle.
pub(crate) fn set(state: &mut State, rep: u32, text: &str, value: &Value<'_>) -> Result<Result<(), String>> {
    let path = parsed(state, rep, text, Path::parse)?;
    let set = change(
        state,
        rep,
        |document, scope, meter| document.set(&path, value, scope, meter),
        |mut restricted, meter| restricted.set(&path, value, meter),
    )?;
    match set {
        None => Ok(Err("the event is not JSON: derive one that is".to_owned())),
        Some(Ok(())) => {
            note_write(state, text, 1);
            Ok(Ok(()))
        }
        Some(Err(
            error @ (EditError::ThroughScalar | EditError::BeyondEnd | EditError::NotJson(_) | EditError::TooDeep),
        )) => Ok(Err(error.to_string())),
        Some(Err(error)) => refused(text, error),
    }
}

pub(crate) fn replace_text(state: &mut State, rep: u32, text: &str, with: &str) -> Result<u32> {
    let pattern = parsed(state, rep, text, Pattern::parse)?;
    let replaced = change(
        state,
        rep,
        |document, scope, meter| document.replace_text(&pattern, with, scope, meter),
        |mut restricted, meter| restricted.replace_text(&pattern, with, meter),
    )?;
    changed(state, text, replaced)
}

pub(crate) fn remove(state: &mut State, rep: u32, text: &str) -> Result<u32> {
    let pattern = parsed(state, rep, text, Pattern::parse)?;
    let removed = change(
        state,
        rep,
        |document, scope, meter| document.remove(&pattern, scope, meter),
        |mut restricted, meter| restricted.remove(&pattern, meter),
    )?;
    changed(state, text, removed)
}

/// The answer of a change by pattern: how many values it met. None: the event is not JSON.
fn changed(state: &mut State, pattern: &str, result: Option<Result<u32, EditError>>) -> Result<u32> {
    match result {
        None => Ok(0),
        Some(Ok(count)) => {
            note_write(state, pattern, u64::from(count));
            Ok(count)
        }
        Some(Err(error)) => refused(pattern, error),
    }
}

pub(crate) fn rename(state: &mut State, rep: u32, text: &str, target: &str) -> Result<bool> {
    let (path, to) = (parsed(state, rep, text, Path::parse)?, parsed(state, rep, target, Path::parse)?);
    let renamed = change(
        state,
        rep,
        |document, scope, meter| document.rename(&path, &to, scope, meter),
        |mut restricted, meter| restricted.rename(&path, &to, meter),
    )?;
    match renamed {
        None => Ok(false),
        Some(Ok(renamed)) => {
            note_write(state, text, u64::from(renamed));
            if renamed {
                note_write(state, target, 1);
            }
            Ok(renamed)
        }
        Some(Err(error)) => refused(text, error),
    }
}

pub(crate) fn json(state: &mut State, rep: u32) -> Result<Option<Bytes>> {
    let json = whole(state, rep)?;
    note_read(state, "", json.is_some());
    Ok(json)
}

pub(crate) fn data(state: &mut State, rep: u32) -> Result<Bytes> {
    let hides = state.scope.as_ref().is_some_and(|scope| !scope.reads_all());
    let json = if hides { whole(state, rep)? } else { None };
    let data = match json {
        Some(json) => json,
        None => bytes_of(state, rep)?,
    };
    note_read(state, "", true);
    Ok(data)
}

/// The bytes as they stand. To who may read everything they are the very ones that came, as long as nothing differs.
fn bytes_of(state: &mut State, rep: u32) -> Result<Bytes> {
    match &state.held(rep)?.event.content {
        Content::Unread(bytes) | Content::Other(bytes, _) => Ok(bytes.clone()),
        Content::Json(document) if !document.is_changed() => Ok(document.source().clone()),
        Content::Json(_) => Ok(whole(state, rep)?.unwrap_or_default()),
    }
}

/// The document as the step sees it, as JSON text; none when the event is not JSON.
fn whole(state: &mut State, rep: u32) -> Result<Option<Bytes>> {
    let json = on_visible(state, rep, |document, meter| match document.clean_json() {
        Some(json) => {
            meter.read(json.len())?;
            Ok(json)
        }
        None => document.json(meter).map(Bytes::from),
    })?;
    allowed("", json)
}

/// `copy`: the rep of the new event.
pub(crate) fn copy(state: &mut State, rep: u32) -> Result<u32> {
    let Lent { held, budget, .. } = state.lent(rep)?;
    // The bytes that came are shared.
    allowed("", budget.spend(|meter| meter.take(held.copy_bytes())))?;
    let (event, view) = (held.event.clone(), held.view.clone());
    state.lend(event, view, 0)
}

/// `derive`: the rep of the new event, of so many bytes, which `make` copies out of the plugin's memory.
pub(crate) fn derive(state: &mut State, rep: u32, length: usize, make: impl FnOnce() -> Bytes) -> Result<u32> {
    state.holds(rep)?;
    if state.scope.as_ref().is_some_and(|scope| !scope.reads_all() || !scope.writes_all()) {
        return stop(
            FailureKind::Denied,
            "`derive` makes a new event out of everything: this step may not read and write all fields",
        );
    }
    allowed("", state.budget.spend(|meter| meter.take(length)))?;
    let derived = state.held(rep)?.event.derive(make());
    note_write(state, "", 1);
    state.lend(derived, None, length)
}

/// A change that was not made: the call ends.
fn refused<T>(text: &str, error: EditError) -> Result<T> {
    match error {
        EditError::Denied(denied) => {
            stop_quoting(FailureKind::Denied, "this step may not change `", &denied.field, "`")
        }
        EditError::Exhausted(exhausted) => allowed(text, Err(exhausted)),
        error => stop_quoting(FailureKind::InvalidOutput, "`", text, &format!("`: {error}")),
    }
}

/// What a call came to, if it was within its bounds; else the call ends. `text`: what it was asked for.
fn allowed<T>(text: &str, result: Result<T, Exhausted>) -> Result<T> {
    match result {
        Ok(result) => Ok(result),
        Err(Exhausted::Work) => {
            stop(FailureKind::Timeout, "the plugin asked for more of the host's work than one event may cause")
        }
        Err(Exhausted::Memory) => stop(FailureKind::Memory, "the events of one call take more than 64 MiB in the host"),
        Err(reason @ (Exhausted::Answer | Exhausted::Name)) => {
            stop_quoting(FailureKind::InvalidOutput, "`", text, &format!("`: {reason}"))
        }
    }
}

/// Bytes that a message shows of a malformed path.
const PATH_BYTES_SHOWN_MAX: usize = 200;

/// Parses a path or a pattern for an event; one that is malformed ends the call. The handle comes first: one that leads
/// nowhere is a trap, whatever comes with it.
#[inline]
fn parsed<'a, T>(
    state: &State,
    rep: u32,
    text: &'a str,
    parse: impl FnOnce(&'a str) -> Result<T, PathError>,
) -> Result<T> {
    state.holds(rep)?;
    if text.len() > PATH_BYTES_MAX {
        return stop(FailureKind::InvalidOutput, "a path has more than 4,096 bytes");
    }
    parse(text).or_else(|error| {
        let shown = state.hidden.hide_start(text, PATH_BYTES_SHOWN_MAX);
        stop_quoting(FailureKind::InvalidOutput, "malformed path `", &shown, &format!("`: {error}"))
    })
}

/// One read at a path of what the step may see.
#[inline]
fn read<R>(
    state: &mut State,
    rep: u32,
    text: &str,
    body: impl FnOnce(&mut Document, &Path<'_>, &mut Meter) -> Result<Option<R>, Exhausted>,
) -> Result<Option<R>> {
    let path = parsed(state, rep, text, Path::parse)?;
    let found = on_visible(state, rep, |document, meter| body(document, &path, meter))?;
    let found = allowed(text, found.map(Option::flatten))?;
    note_read(state, text, found.is_some());
    Ok(found)
}

/// Runs `body` on the part of the document that the step may see; none when the event is not JSON.
#[inline]
fn on_visible<R>(
    state: &mut State,
    rep: u32,
    body: impl FnOnce(&mut Document, &mut Meter) -> Result<R, Exhausted>,
) -> Result<Result<Option<R>, Exhausted>> {
    let Lent { held, scope, budget } = state.lent(rep)?;
    let result = budget.spend_on(held, |document, view, meter| match scope.filter(|scope| !scope.reads_all()) {
        None => body(document, meter),
        Some(scope) => visible(document, view, scope, meter).and_then(|view| body(view, meter)),
    })?;
    Ok(result.transpose())
}

/// Runs a change: `open` on the document of a step that sees everything, `restricted` on that of one that does not.
/// None when the event is not JSON.
fn change<R>(
    state: &mut State,
    rep: u32,
    open: impl FnOnce(&mut Document, Option<&Scope>, &mut Meter) -> Result<R, EditError>,
    restricted: impl FnOnce(Restricted<'_>, &mut Meter) -> Result<R, EditError>,
) -> Result<Option<Result<R, EditError>>> {
    let Lent { held, scope, budget } = state.lent(rep)?;
    budget.spend_on(held, |whole, view, meter| match scope {
        Some(scope) if !scope.reads_all() => {
            let view = visible(whole, view, scope, meter)?;
            restricted(Restricted { whole, view, scope }, meter)
        }
        scope => open(whole, scope, meter),
    })
}

/// The part of a document that a step sees: made when it is asked for first, and kept with the changes that it makes.
fn visible<'v>(
    document: &Document,
    view: &'v mut Option<Box<Document>>,
    scope: &Scope,
    meter: &mut Meter,
) -> Result<&'v mut Document, Exhausted> {
    if view.is_none() {
        *view = Some(Box::new(document.visible(scope, meter)?));
    }
    Ok(view.as_mut().expect("it was just made"))
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
