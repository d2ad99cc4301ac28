//! Waiting: a poll moves virtual time to the earliest deadline and returns. Everything else is ready at once.

use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use super::Wasi;
use super::bindings::wasi::io::poll::{Host, HostPollable, Pollable};

/// Pollables in one poll. As many as a plugin may hold, so only one that repeats itself meets this.
const POLLABLES_MAX: usize = 1_000;

impl Host for Wasi {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> Result<Vec<u32>> {
        if pollables.len() > POLLABLES_MAX {
            bail!("the plugin polls {} pollables at once, the limit is {POLLABLES_MAX}", pollables.len());
        }
        let deadlines =
            pollables.iter().map(|pollable| self.handles.deadline_ns(pollable)).collect::<Result<Vec<u64>>>()?;
        let Some(&earliest) = deadlines.iter().min() else {
            bail!("the plugin polls an empty list, which could never become ready");
        };
        self.clock.sleep_until(earliest)?;
        let now_ns = self.clock.monotonic_ns();
        Ok((0..).zip(deadlines).filter(|(_, deadline_ns)| *deadline_ns <= now_ns).map(|(index, _)| index).collect())
    }
}

impl HostPollable for Wasi {
    fn ready(&mut self, pollable: Resource<Pollable>) -> Result<bool> {
        Ok(self.handles.deadline_ns(&pollable)? <= self.clock.monotonic_ns())
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        let deadline_ns = self.handles.deadline_ns(&pollable)?;
        self.clock.sleep_until(deadline_ns)
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        self.handles.close_pollable(&pollable);
        Ok(())
    }
}
