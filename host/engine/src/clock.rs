//! CPU time of a call, read only when a tick of the epoch interrupts it: a call that ends sooner costs no look at a
//! clock.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Time between two ticks: how exact time limits are. 2 ms is a fiftieth of the default limit and 500 wake-ups a
/// second.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// A call may take this many times its CPU limit by the clock: on a third of a vCPU, 30 ms of work take 100.
const WALL_FACTOR: u32 = 10;

/// Why a call was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// It used more CPU time than its limit, or ten times that by the clock.
    TimeLimit,
    /// The batch ran out of time.
    BatchOver,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Interrupted::TimeLimit => "the time limit of the call",
            Interrupted::BatchOver => "the end of the batch's time",
        })
    }
}

impl std::error::Error for Interrupted {}

/// The time limit of one call.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    limit: Duration,
    /// The thread's CPU time and the clock at the first tick.
    first: Option<(Duration, Instant)>,
    batch_ends: Option<Instant>,
}

impl Watch {
    /// Starts a call. Looks at no clock: most calls are over before the first tick.
    pub(crate) fn start(&mut self, limit: Duration, batch_ends: Option<Instant>) {
        *self = Watch { limit, first: None, batch_ends };
    }

    /// Called at a tick: whether the call may go on.
    pub(crate) fn tick(&mut self) -> Result<(), Interrupted> {
        let (cpu, now) = (thread_cpu(), Instant::now());
        let (first_cpu, first) = *self.first.get_or_insert((cpu, now));
        if self.batch_ends.is_some_and(|end| now >= end) {
            return Err(Interrupted::BatchOver);
        }
        // Before the first tick the call may have run for up to one tick.
        let (used, wall) = (cpu.saturating_sub(first_cpu) + TICK, now - first + TICK);
        if used > self.limit + TICK || wall > self.limit * WALL_FACTOR {
            return Err(Interrupted::TimeLimit);
        }
        Ok(())
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
