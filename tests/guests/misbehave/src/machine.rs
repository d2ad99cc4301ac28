//! Faults of time, memory and state.

use std::cell::RefCell;
use std::hint::black_box;

use paddlewheel::prelude::*;

/// How much a memory bomb takes at a time, in bytes.
const BOMB_BYTES: usize = 1 << 20;

thread_local! {
    /// What no plugin may have: something that outlives an event.
    static REMEMBERED: RefCell<Option<String>> = const { RefCell::new(None) };
    static COUNTED: RefCell<i64> = const { RefCell::new(0) };
}

/// Ends the instance without a word.
pub(crate) fn trap() -> ! {
    std::process::abort()
}

/// Never returns, and never asks the host for anything.
pub(crate) fn endless_loop() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory until there is no more. The allocator then aborts.
pub(crate) fn memory_bomb() -> ! {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; BOMB_BYTES]));
    }
}

/// Calls itself until the stack ends.
pub(crate) fn stack_overflow() -> Answer {
    let depth = recurse(1);
    reject(format!("the stack held {depth} calls"))
}

#[expect(unconditional_recursion, reason = "that is the fault")]
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(black_box(depth + 1)).wrapping_add(frame[0])
}

/// Notes in `remembered` the id of the event before, and remembers this one's.
pub(crate) fn remember(event: Event) -> Answer {
    let before = REMEMBERED.with(|remembered| remembered.replace(Some(event.id())));
    if let Some(before) = before {
        event.set_text("remembered", &before)?;
    }
    keep(event)
}

/// Notes in `counted` how many events the instance has seen in this mode.
pub(crate) fn count(event: Event) -> Answer {
    let counted = COUNTED.with(|counted| {
        *counted.borrow_mut() += 1;
        *counted.borrow()
    });
    event.set("counted", &Value::Integer(counted))?;
    keep(event)
}
