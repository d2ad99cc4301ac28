//! A plugin that misbehaves on request: the event's field `mode` names the fault, `count` says how much of it. A mode
//! in the step's config comes before the event's. `tests/guests/README.md` lists the modes.
//!
//! `modes` names the faults, `contract` holds those that abuse the contract, `machine` those that abuse the machine.
//! `calls` makes the calls that the step's config names, on every event.

mod calls;
mod contract;
mod machine;
mod modes;

use paddlewheel::prelude::*;

use calls::Call;
use modes::Mode;

/// How much of a fault there is when the event has no `count`.
const COUNT_DEFAULT: u32 = 1_000;

/// The step's config.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Misbehave {
    /// What `init` does wrong.
    init: Option<InitFault>,
    /// What every event does wrong, whatever it says itself.
    mode: Option<Mode>,
    /// What is asked of every event, whatever it says; it is dropped then.
    calls: Option<Vec<Call>>,
}

/// What `init` can do wrong.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum InitFault {
    InitError,
    SlowInit,
    InitTrap,
    InitMemoryBomb,
    InitLogFlood,
}

impl Plugin for Misbehave {
    fn check(&self) -> Result<(), String> {
        match self.init {
            None => Ok(()),
            Some(InitFault::InitError) => Err("init fails on request".to_owned()),
            Some(InitFault::SlowInit) => machine::endless_loop(),
            Some(InitFault::InitTrap) => machine::trap(),
            Some(InitFault::InitMemoryBomb) => machine::memory_bomb(),
            Some(InitFault::InitLogFlood) => {
                contract::log_flood(COUNT_DEFAULT);
                Ok(())
            }
        }
    }

    fn transform(&self, event: Event) -> Answer {
        if let Some(calls) = &self.calls {
            calls.iter().for_each(|call| call.make(&event));
            return drop_event();
        }
        let mode = match &self.mode {
            Some(mode) => *mode,
            None => Mode::of(&event)?,
        };
        let count = match event.get("count") {
            Some(Value::Integer(count)) => u32::try_from(count).unwrap_or(u32::MAX),
            _ => COUNT_DEFAULT,
        };
        mode.run(event, count)
    }
}

paddlewheel::plugin!(Misbehave);
