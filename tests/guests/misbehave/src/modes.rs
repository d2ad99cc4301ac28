//! The faults by name.

use paddlewheel::prelude::*;

use crate::{contract, machine};

/// A fault. Its name in an event is in kebab case: `endless-loop`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Ok,
    Drop,
    Reject,
    Retry,
    Error,
    Trap,
    Panic,
    EndlessLoop,
    MemoryBomb,
    StackOverflow,
    HugeOutput,
    TooManyOutputs,
    TooManyLiveEvents,
    CopyMany,
    HandleLeak,
    StaleHandleKeep,
    StaleHandleUse,
    StaleHandleDrop,
    ForgedHandleUse,
    SameEventTwice,
    PathLong,
    PathMalformed,
    PathDeep,
    PatternAsPath,
    ExpandMany,
    ValueNan,
    ValueInfinite,
    ValueBadJson,
    ValueDeepJson,
    DeniedRead,
    DeniedWrite,
    DeniedRemove,
    PartitionKey,
    LogFlood,
    LogHuge,
    LogAndReject,
    DeriveBadJson,
    DeriveInvalidUtf8,
    BigDerive,
    Remember,
    Count,
    RouteUnknown,
}

impl Mode {
    /// The mode that an event asks for; an event without one is left alone.
    pub(crate) fn of(event: &Event) -> Result<Mode, Failure> {
        let Some(name) = event.text("mode") else { return Ok(Mode::Ok) };
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            serde::de::IntoDeserializer::into_deserializer(name.as_str());
        Mode::deserialize(name).map_err(|error| Failure::Reject(error.to_string()))
    }

    pub(crate) fn run(self, event: Event, count: u32) -> Answer {
        match self {
            Mode::Ok => keep(event),
            Mode::Drop => drop_event(),
            Mode::Reject => reject("rejected on request"),
            Mode::Retry => retry("not now, on request"),
            Mode::Error => Err(Failure::Error("broken on request".to_owned())),
            Mode::Trap => machine::trap(),
            Mode::Panic => panic!("a panic on request"),
            Mode::EndlessLoop => machine::endless_loop(),
            Mode::MemoryBomb => machine::memory_bomb(),
            Mode::StackOverflow => machine::stack_overflow(),
            Mode::HugeOutput => contract::huge_output(event, count),
            Mode::TooManyOutputs => contract::too_many_outputs(&event, count),
            Mode::TooManyLiveEvents => contract::too_many_live_events(event, count),
            Mode::CopyMany => contract::copy_many(event, count),
            Mode::HandleLeak => contract::handle_leak(event, count),
            Mode::StaleHandleKeep => contract::stale_handle_keep(event),
            Mode::StaleHandleUse => contract::stale_handle_use(event),
            Mode::StaleHandleDrop => contract::stale_handle_drop(event),
            Mode::ForgedHandleUse => contract::forged_handle_use(event, count),
            Mode::SameEventTwice => contract::same_event_twice(event),
            Mode::PathLong => contract::get(event, &"a".repeat(count as usize)),
            Mode::PathMalformed => contract::get(event, "a..[b"),
            Mode::PathDeep => contract::set(event, &vec!["a"; count as usize].join("."), &Value::Null),
            Mode::PatternAsPath => contract::get(event, "items[*].sku"),
            Mode::ExpandMany => contract::expand_many(event, count),
            Mode::ValueNan => contract::set(event, "value", &Value::Number(f64::NAN)),
            Mode::ValueInfinite => contract::set(event, "value", &Value::Number(f64::INFINITY)),
            Mode::ValueBadJson => contract::set(event, "value", &Value::Json("{\"a\":1,}".to_owned())),
            Mode::ValueDeepJson => contract::deep_json(event, count),
            Mode::DeniedRead => contract::denied_read(event),
            Mode::DeniedWrite => contract::set(event, "secret", &Value::Text("overwritten".to_owned())),
            Mode::DeniedRemove => contract::remove(event, "secret"),
            Mode::PartitionKey => contract::partition_key(event),
            Mode::LogFlood => {
                contract::log_flood(count);
                keep(event)
            }
            Mode::LogHuge => contract::log_huge(event, count),
            Mode::LogAndReject => contract::log_and_reject(count),
            Mode::DeriveBadJson => contract::derive(&event, b"{\"a\":1,}"),
            Mode::DeriveInvalidUtf8 => contract::derive(&event, b"{\"a\":\"\xff\xfe\"}"),
            Mode::BigDerive => contract::derive(&event, &vec![b' '; count as usize]),
            Mode::Remember => machine::remember(event),
            Mode::Count => machine::count(event),
            Mode::RouteUnknown => send(event, "no-such-route"),
        }
    }
}
