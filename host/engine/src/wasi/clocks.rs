//! Time as a plugin sees it: the host says what time a call begins, and only a plugin's own sleeping moves it on.
//! No clock of the machine is read here, and nothing waits.

use std::fmt;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;

use super::Wasi;
use super::bindings::wasi::clocks::monotonic_clock::{self, Instant};
use super::bindings::wasi::clocks::wall_clock::{self, Datetime};
use super::bindings::wasi::io::poll::Pollable;

/// The latest moment a call may begin, 2200-01-01 in milliseconds since the Unix epoch; later ones count as this one.
/// Go and libc keep nanoseconds since 1970 in 63 bits, which end in 2262.
const NOW_MS_MAX: u64 = 7_258_118_400_000;

const NANOS_PER_MS: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The plugin asked to sleep beyond the limit of its call. It did not sleep: this ends the call at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SleptTooLong {
    /// How long the call would have slept in all.
    pub(crate) asked: Duration,
    /// How long a call may sleep in all.
    pub(crate) limit: Duration,
}

impl fmt::Display for SleptTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the plugin wants to sleep {:?} in one call, its limit is {:?}", self.asked, self.limit)
    }
}

impl std::error::Error for SleptTooLong {}

/// The virtual clock of one store. Both clocks stand still but for sleeping.
#[derive(Debug)]
pub(super) struct Clock {
    /// When the call began, in nanoseconds since the Unix epoch.
    wall_ns: u64,
    /// What the monotonic clock showed when the call began: the wall clock's value, unless an earlier call saw later.
    monotonic_ns: u64,
    /// How long this call has slept so far.
    slept_ns: u64,
    slept_ns_max: u64,
}

impl Clock {
    pub(super) fn new(sleep_max: Duration) -> Clock {
        Clock {
            wall_ns: 0,
            monotonic_ns: 0,
            slept_ns: 0,
            slept_ns_max: u64::try_from(sleep_max.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn begin_call(&mut self, now_ms: u64) {
        let now_ns = now_ms.min(NOW_MS_MAX) * NANOS_PER_MS;
        self.monotonic_ns = self.monotonic_ns().max(now_ns);
        self.wall_ns = now_ns;
        self.slept_ns = 0;
    }

    fn wall_ns(&self) -> u64 {
        self.wall_ns.saturating_add(self.slept_ns)
    }

    pub(super) fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.saturating_add(self.slept_ns)
    }

    /// Moves both clocks on, so that the monotonic one shows at least `deadline_ns`.
    pub(super) fn sleep_until(&mut self, deadline_ns: u64) -> Result<()> {
        let slept_ns = deadline_ns.saturating_sub(self.monotonic_ns);
        if slept_ns > self.slept_ns_max {
            return Err(SleptTooLong {
                asked: Duration::from_nanos(slept_ns),
                limit: Duration::from_nanos(self.slept_ns_max),
            }
            .into());
        }
        self.slept_ns = self.slept_ns.max(slept_ns);
        Ok(())
    }
}

impl Wasi {
    /// `wall-clock.now`: seconds since the Unix epoch, and nanoseconds beyond.
    pub(crate) fn wall_clock(&mut self) -> Result<(u64, u32)> {
        let now = wall_clock::Host::now(self)?;
        Ok((now.seconds, now.nanoseconds))
    }

    /// `monotonic-clock.now`, in nanoseconds.
    pub(crate) fn monotonic_clock(&mut self) -> Result<u64> {
        monotonic_clock::Host::now(self)
    }
}

impl wall_clock::Host for Wasi {
    fn now(&mut self) -> Result<Datetime> {
        let now_ns = self.clock.wall_ns();
        Ok(Datetime {
            seconds: now_ns / NANOS_PER_SECOND,
            // A remainder below 1e9 fits 32 bits.
            nanoseconds: (now_ns % NANOS_PER_SECOND) as u32,
        })
    }

    fn resolution(&mut self) -> Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: NANOS_PER_MS as u32 })
    }
}

impl monotonic_clock::Host for Wasi {
    fn now(&mut self) -> Result<Instant> {
        Ok(self.clock.monotonic_ns())
    }

    fn resolution(&mut self) -> Result<monotonic_clock::Duration> {
        Ok(NANOS_PER_MS)
    }

    fn subscribe_instant(&mut self, when: Instant) -> Result<Resource<Pollable>> {
        self.handles.open_timer(when)
    }

    fn subscribe_duration(&mut self, when: monotonic_clock::Duration) -> Result<Resource<Pollable>> {
        // A sum beyond the clock's end is a deadline no limit allows: polling it says so.
        let deadline_ns = self.clock.monotonic_ns().saturating_add(when);
        self.handles.open_timer(deadline_ns)
    }
}
