//! Faults against the contract: handles, paths, values, permissions, logs and outputs.

use std::cell::Cell;

use paddlewheel::prelude::*;

thread_local! {
    /// The handle of an earlier event, as a plain number.
    static STALE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Puts `count` bytes into the field `huge`.
pub(crate) fn huge_output(event: Event, count: u32) -> Answer {
    event.set_text("huge", &"x".repeat(count as usize))?;
    keep(event)
}

/// Answers with `count` copies.
pub(crate) fn too_many_outputs(event: &Event, count: u32) -> Answer {
    Ok((0..count).map(|_| event.copy().into()).collect())
}

/// Holds `count` copies at once, and answers with the event alone.
pub(crate) fn too_many_live_events(event: Event, count: u32) -> Answer {
    let held: Vec<Event> = (0..count).map(|_| event.copy()).collect();
    drop(held);
    keep(event)
}

/// Makes `count` copies, and drops each before the next.
pub(crate) fn copy_many(event: Event, count: u32) -> Answer {
    for _ in 0..count {
        drop(event.copy());
    }
    keep(event)
}

/// Never gives `count` copies back.
pub(crate) fn handle_leak(event: Event, count: u32) -> Answer {
    for _ in 0..count {
        std::mem::forget(event.copy());
    }
    keep(event)
}

/// Keeps a copy's handle for later, and never drops the copy.
pub(crate) fn stale_handle_keep(event: Event) -> Answer {
    let copy = event.copy();
    STALE.set(Some(copy.handle()));
    std::mem::forget(copy);
    keep(event)
}

/// Puts into `stolen` what the kept handle reads.
pub(crate) fn stale_handle_use(event: Event) -> Answer {
    let Some(handle) = STALE.get() else { return reject("no handle was kept") };
    forged(event, handle)
}

/// Drops the kept handle.
pub(crate) fn stale_handle_drop(event: Event) -> Answer {
    let Some(handle) = STALE.take() else { return reject("no handle was kept") };
    // SAFETY: the handle is an event's, of an earlier call. That it is stale is the fault to be shown.
    drop(unsafe { Event::from_handle(handle) });
    keep(event)
}

/// Puts into `stolen` what the handle with the number `count` reads.
pub(crate) fn forged_handle_use(event: Event, count: u32) -> Answer {
    forged(event, count)
}

fn forged(event: Event, handle: u32) -> Answer {
    // SAFETY: none; the host must answer for any number.
    let other = unsafe { Event::from_handle(handle) };
    let stolen = other.json();
    std::mem::forget(other);
    event.set_text("stolen", &stolen.unwrap_or_default())?;
    keep(event)
}

/// Answers with one event in two outputs.
pub(crate) fn same_event_twice(event: Event) -> Answer {
    // SAFETY: none; the host must refuse a handle that it was given already.
    let again = unsafe { Event::from_handle(event.handle()) };
    Ok(vec![event.into(), again.into()])
}

/// Reads a path, and goes on if the host lets it.
pub(crate) fn get(event: Event, path: &str) -> Answer {
    let found = event.get(path).is_some();
    event.set("found", &Value::Boolean(found))?;
    keep(event)
}

/// Sets a value, and goes on even if the host says no.
pub(crate) fn set(event: Event, path: &str, value: &Value) -> Answer {
    // Swallowed on purpose: what ends a call must end it all the same.
    let _ = event.set(path, value);
    keep(event)
}

/// Removes a field, and notes in `removed` how many went.
pub(crate) fn remove(event: Event, pattern: &str) -> Answer {
    let removed = event.remove(pattern);
    event.set("removed", &Value::Integer(i64::from(removed)))?;
    keep(event)
}

/// Asks `count` times for all there is.
pub(crate) fn expand_many(event: Event, count: u32) -> Answer {
    let mut found = 0;
    for _ in 0..count {
        found += event.expand("*.*").len() + event.expand("*[*]").len();
    }
    event.set("found", &Value::Integer(i64::try_from(found).unwrap_or(i64::MAX)))?;
    keep(event)
}

/// Sets a value that is nested `count` deep.
pub(crate) fn deep_json(event: Event, count: u32) -> Answer {
    let depth = count as usize;
    set(event, "value", &Value::Json("[".repeat(depth) + &"]".repeat(depth)))
}

/// Notes in `seen` all that can be learnt of the field `secret`.
pub(crate) fn denied_read(event: Event) -> Answer {
    let seen = format!(
        "text {:?}, has {}, length {:?}, expanded {:?}, among keys {}, in json {}, in data {}",
        event.text("secret"),
        event.has("secret"),
        event.length("secret"),
        event.expand("secret"),
        event.keys("").iter().any(|key| key == "secret"),
        event.json().is_some_and(|json| json.contains("secret")),
        event.data().windows(6).any(|bytes| bytes == b"secret"),
    );
    event.set_text("seen", &seen)?;
    keep(event)
}

/// Notes in `seen` the partition key.
pub(crate) fn partition_key(event: Event) -> Answer {
    event.set_text("seen", &event.partition_key())?;
    keep(event)
}

/// Writes `count` lines.
pub(crate) fn log_flood(count: u32) {
    for line in 0..count {
        log::write(log::Level::Warn, &format!("line {line} of a flood"));
    }
}

/// Writes one line of `count` bytes.
pub(crate) fn log_huge(event: Event, count: u32) -> Answer {
    log::write(log::Level::Warn, &"x".repeat(count as usize));
    keep(event)
}

/// Writes `count` lines of 4 KiB, and rejects the event.
pub(crate) fn log_and_reject(count: u32) -> Answer {
    let line = "x".repeat(4 << 10);
    for _ in 0..count {
        log::write(log::Level::Warn, &line);
    }
    reject("after many lines")
}

/// Answers with an event of these bytes.
pub(crate) fn derive(event: &Event, data: &[u8]) -> Answer {
    keep(event.derive(data))
}
