//! The handles a plugin holds: how many, and what each timer among them waits for.
//!
//! Streams, the network and pollables that are ready at once have no state, so their handles all carry one fixed
//! number. Only timers need a table. A timer's number is never used again in the same store: a handle that a plugin
//! forgot to drop can therefore never mean a later timer.

use wasmtime::component::Resource;
use wasmtime::{Result, bail, format_err};

use super::bindings::wasi::io::poll::Pollable;

/// Handles a plugin may hold at once. Language runtimes hold three (stdin, stdout, stderr) and one for each timer
/// they wait on; a thousand is a leak.
const HANDLES_MAX: u32 = 1_000;

/// The number of every pollable that is ready at once.
const READY: u32 = 0;

#[derive(Debug)]
struct Timer {
    rep: u32,
    deadline_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct Handles {
    open: u32,
    last_rep: u32,
    /// In order of `rep`, since numbers only grow.
    timers: Vec<Timer>,
}

impl Handles {
    /// How many handles the plugin holds now.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// A new handle on something without state, known by `rep`.
    pub(super) fn open_fixed<R: 'static>(&mut self, rep: u32) -> Result<Resource<R>> {
        self.count_one()?;
        Ok(Resource::new_own(rep))
    }

    pub(super) fn open_ready(&mut self) -> Result<Resource<Pollable>> {
        self.open_fixed(READY)
    }

    pub(super) fn open_timer(&mut self, deadline_ns: u64) -> Result<Resource<Pollable>> {
        let rep = self
            .last_rep
            .checked_add(1)
            .ok_or_else(|| format_err!("the plugin's instance has used up all numbers for timers"))?;
        self.count_one()?;
        self.last_rep = rep;
        self.timers.push(Timer { rep, deadline_ns });
        Ok(Resource::new_own(rep))
    }

    /// When a pollable becomes ready, by the monotonic clock; 0 when it always is.
    pub(super) fn deadline_ns(&self, pollable: &Resource<Pollable>) -> Result<u64> {
        if pollable.rep() == READY {
            return Ok(0);
        }
        match self.timer(pollable.rep()) {
            Some(at) => Ok(self.timers[at].deadline_ns),
            None => bail!("the plugin used a timer that was dropped"),
        }
    }

    pub(super) fn close_pollable(&mut self, pollable: &Resource<Pollable>) {
        if let Some(at) = self.timer(pollable.rep()) {
            self.timers.remove(at);
        }
        self.close();
    }

    pub(super) fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    fn timer(&self, rep: u32) -> Option<usize> {
        self.timers.binary_search_by_key(&rep, |timer| timer.rep).ok()
    }

    fn count_one(&mut self) -> Result<()> {
        if self.open >= HANDLES_MAX {
            bail!("the plugin holds {HANDLES_MAX} WASI handles, which is the limit");
        }
        self.open += 1;
        Ok(())
    }
}
