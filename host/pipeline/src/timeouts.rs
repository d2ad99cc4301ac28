//! Events that timed out at a step: one of the very same bytes will again.
//!
//! A record that is slow on purpose is cheap to send many times, and each time costs the step's whole limit. So the
//! third event of the same bytes in a batch is not called. What differs in a byte may be quick, so it is called,
//! whatever its neighbours did.

use crate::event::Event;
use std::hash::{BuildHasher as _, RandomState};

/// Times that a step is called for the same bytes, though it timed out.
const CALLS_MAX: u32 = 2;

/// Different bytes that are remembered of a batch.
const REMEMBERED_MAX: usize = 64;

/// What timed out at one step in the current batch.
#[derive(Default)]
pub(crate) struct Timeouts {
    /// By two digests that nobody outside can foresee.
    seen: Vec<(u64, u64, u32)>,
    digests: (RandomState, RandomState),
}

impl Timeouts {
    /// Forgets everything: another batch has begun.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }

    /// Notes that a call for this event timed out.
    pub(crate) fn add(&mut self, event: &Event) {
        let (one, other) = self.digest(event);
        if let Some((_, _, count)) = self.seen.iter_mut().find(|seen| (seen.0, seen.1) == (one, other)) {
            *count += 1;
        } else if self.seen.len() < REMEMBERED_MAX {
            self.seen.push((one, other, 1));
        }
    }

    /// Whether calls for the same bytes timed out as often as they are made.
    pub(crate) fn is_hopeless(&self, event: &Event) -> bool {
        if self.seen.iter().all(|(_, _, count)| *count < CALLS_MAX) {
            return false;
        }
        let (one, other) = self.digest(event);
        self.seen.iter().any(|&(a, b, count)| (a, b) == (one, other) && count >= CALLS_MAX)
    }

    fn digest(&self, event: &Event) -> (u64, u64) {
        let bytes = event.content.bytes();
        (self.digests.0.hash_one(&bytes), self.digests.1.hash_one(&bytes))
    }
}
