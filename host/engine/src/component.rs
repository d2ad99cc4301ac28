//! The contract's imports through wasmtime's component API, for components that import WASI too or are put together in
//! a way that `flat` does not know.

use crate::bindings::{ASSETS, EVENTS, LOG, LogLevel, ValueIn, ValueOut};
use crate::events;
use crate::state::{Held, State};
use crate::wasi;
use document::Value;
use std::mem;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut};

type Context<'a> = StoreContextMut<'a, State>;
type Handle = Resource<Held>;

/// All that a plugin may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker: Linker<State> = Linker::new(engine);
    let mut offered = linker.instance(EVENTS)?;
    offered.resource("event", ResourceType::host::<Held>(), |mut store, rep| {
        store.data_mut().drop_handle(rep);
        Ok(())
    })?;
    identity(&mut offered)?;
    reads(&mut offered)?;
    writes(&mut offered)?;
    wholes(&mut offered)?;
    linker.instance(LOG)?.func_wrap("write", |mut store: Context<'_>, (level, message): (LogLevel, WasmStr)| {
        with_text(&mut store, &message, |state, message| {
            state.log(level.into(), message);
            Ok(())
        })
    })?;
    assets(&mut linker.instance(ASSETS)?)?;
    wasi::add_to_linker(&mut linker, |state| &mut state.wasi)?;
    Ok(linker)
}

fn assets(offered: &mut LinkerInstance<'_, State>) -> Result<()> {
    offered.func_wrap("names", |store: Context<'_>, (): ()| {
        Ok((store.data().assets.names().map(str::to_owned).collect::<Vec<String>>(),))
    })?;
    offered.func_wrap("read", |mut store: Context<'_>, (name,): (WasmStr,)| {
        with_text(&mut store, &name, |state, name| {
            Ok((state.assets.get(name).map(|asset| Vec::from(asset.bytes.clone())),))
        })
    })?;
    offered.func_wrap("source", |mut store: Context<'_>, (name,): (WasmStr,)| {
        with_text(&mut store, &name, |state, name| Ok((state.assets.get(name).map(|asset| asset.source.clone()),)))
    })
}

fn identity(offered: &mut LinkerInstance<'_, State>) -> Result<()> {
    offered.func_wrap("[method]event.id", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((events::id(store.data_mut(), event.rep())?.to_owned(),))
    })?;
    offered.func_wrap("[method]event.partition-key", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((events::partition_key(store.data_mut(), event.rep())?.to_owned(),))
    })?;
    offered.func_wrap("[method]event.arrived-at-ms", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((events::arrived_at_ms(store.data_mut(), event.rep())?,))
    })
}

fn reads(offered: &mut LinkerInstance<'_, State>) -> Result<()> {
    offered.func_wrap("[method]event.get", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        with_text(&mut store, &path, |state, path| {
            Ok((events::get(state, event.rep(), path, |value| ValueOut::from(value))?,))
        })
    })?;
    offered.func_wrap("[method]event.text", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        with_text(&mut store, &path, |state, path| {
            Ok((events::text(state, event.rep(), path, |text| text.into_owned())?,))
        })
    })?;
    offered.func_wrap("[method]event.has", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        with_text(&mut store, &path, |state, path| Ok((events::has(state, event.rep(), path)?,)))
    })?;
    offered.func_wrap("[method]event.length", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        with_text(&mut store, &path, |state, path| Ok((events::length(state, event.rep(), path)?,)))
    })?;
    offered.func_wrap("[method]event.keys", |mut store: Context<'_>, (event, path): (Handle, WasmStr)| {
        with_text(&mut store, &path, |state, path| Ok((events::keys(state, event.rep(), path)?,)))
    })?;
    offered.func_wrap("[method]event.expand", |mut store: Context<'_>, (event, pattern): (Handle, WasmStr)| {
        with_text(&mut store, &pattern, |state, pattern| Ok((events::expand(state, event.rep(), pattern)?,)))
    })
}

fn writes(offered: &mut LinkerInstance<'_, State>) -> Result<()> {
    offered.func_wrap(
        "[method]event.set",
        |mut store: Context<'_>, (event, path, value): (Handle, WasmStr, ValueIn)| {
            let (ValueIn::Text(text) | ValueIn::Json(text)) = &value else {
                let value = match value {
                    ValueIn::Boolean(boolean) => Value::Boolean(boolean),
                    ValueIn::Integer(integer) => Value::Integer(integer),
                    ValueIn::Number(number) => Value::Number(number),
                    ValueIn::Null | ValueIn::Text(_) | ValueIn::Json(_) => Value::Null,
                };
                return with_text(&mut store, &path, |state, path| {
                    Ok((events::set(state, event.rep(), path, &value)?,))
                });
            };
            with_texts(&mut store, &path, text, |state, path, text| {
                let value = match value {
                    ValueIn::Json(_) => Value::Json(text.into()),
                    _ => Value::Text(text.into()),
                };
                Ok((events::set(state, event.rep(), path, &value)?,))
            })
        },
    )?;
    offered.func_wrap(
        "[method]event.set-text",
        |mut store: Context<'_>, (event, path, text): (Handle, WasmStr, WasmStr)| {
            with_texts(&mut store, &path, &text, |state, path, text| {
                Ok((events::set(state, event.rep(), path, &Value::Text(text.into()))?,))
            })
        },
    )?;
    offered.func_wrap(
        "[method]event.replace-text",
        |mut store: Context<'_>, (event, pattern, text): (Handle, WasmStr, WasmStr)| {
            with_texts(&mut store, &pattern, &text, |state, pattern, text| {
                Ok((events::replace_text(state, event.rep(), pattern, text)?,))
            })
        },
    )?;
    offered.func_wrap("[method]event.remove", |mut store: Context<'_>, (event, pattern): (Handle, WasmStr)| {
        with_text(&mut store, &pattern, |state, pattern| Ok((events::remove(state, event.rep(), pattern)?,)))
    })?;
    offered.func_wrap(
        "[method]event.rename",
        |mut store: Context<'_>, (event, path, to): (Handle, WasmStr, WasmStr)| {
            with_texts(&mut store, &path, &to, |state, path, to| Ok((events::rename(state, event.rep(), path, to)?,)))
        },
    )
}

fn wholes(offered: &mut LinkerInstance<'_, State>) -> Result<()> {
    offered.func_wrap("[method]event.json", |mut store: Context<'_>, (event,): (Handle,)| {
        let json = events::json(store.data_mut(), event.rep())?;
        Ok((json.map(|json| String::from_utf8(json.into())).transpose()?,))
    })?;
    offered.func_wrap("[method]event.data", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((Vec::from(events::data(store.data_mut(), event.rep())?),))
    })?;
    offered.func_wrap("[method]event.copy", |mut store: Context<'_>, (event,): (Handle,)| {
        Ok((Handle::new_own(events::copy(store.data_mut(), event.rep())?),))
    })?;
    offered.func_wrap("[method]event.derive", |mut store: Context<'_>, (event, data): (Handle, Vec<u8>)| {
        let length = data.len();
        Ok((Handle::new_own(events::derive(store.data_mut(), event.rep(), length, || data.into())?),))
    })
}

/// Runs `body` with a text of the plugin's, read into the store's buffer.
fn with_text<R>(
    store: &mut Context<'_>,
    text: &WasmStr,
    body: impl FnOnce(&mut State, &str) -> Result<R>,
) -> Result<R> {
    let mut buffer = mem::take(&mut store.data_mut().text);
    buffer.clear();
    buffer.push_str(&text.to_str(&*store)?);
    let result = body(store.data_mut(), &buffer);
    store.data_mut().text = buffer;
    result
}

/// Runs `body` with two texts of the plugin's.
fn with_texts<R>(
    store: &mut Context<'_>,
    first: &WasmStr,
    second: &WasmStr,
    body: impl FnOnce(&mut State, &str, &str) -> Result<R>,
) -> Result<R> {
    let first = first.to_str(&*store)?.into_owned();
    with_text(store, second, |state, second| body(state, &first, second))
}
