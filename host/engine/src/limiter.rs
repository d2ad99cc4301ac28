//! Memory of one instance: all its linear memories and tables together.

use wasmtime::{ResourceLimiter, Result};

/// Bytes that one table element takes in the host.
const TABLE_ELEMENT_BYTES: usize = 16;

/// Adds up what an instance has, and says no beyond its limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    /// Whether growth was refused since the last call began.
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limit_mib: u32) -> Limiter {
        Limiter { limit: limit_mib as usize * (1 << 20), used: 0, refused: false }
    }

    /// Bytes the instance has now.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether more than half of the limit is in use: such an instance is not kept.
    pub(crate) fn is_high(&self) -> bool {
        self.used > self.limit / 2
    }

    pub(crate) fn begin_call(&mut self) {
        self.refused = false;
    }

    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, bytes: usize) -> bool {
        match self.used.checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used = used;
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }
}
