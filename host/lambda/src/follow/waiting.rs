//! When a batch may wait for the store: after a pause, since nobody waits behind it, and when the last look is old. A
//! store that is slow may keep the channel waiting, not the data, batch after batch.

use std::time::{Duration, Instant};

/// No batch for this long: nobody is waiting behind this one, so it may wait for the store a little.
const IDLE_GAP: Duration = Duration::from_millis(500);

/// After a batch has waited without a result, no batch waits for this long; the pause doubles up to
/// `PADDLE_STALE_SECONDS`.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// What decides whether a batch waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    looked_at: Option<Instant>,
    last_batch_end: Option<Instant>,
    /// No batch waits before this.
    not_before: Option<Instant>,
    /// Times in a row that a batch has waited without a result.
    timeouts: u32,
}

impl Waiting {
    /// A look has succeeded.
    pub(super) fn looked(&mut self, now: Instant) {
        *self = Waiting { looked_at: Some(now), last_batch_end: self.last_batch_end, ..Waiting::default() };
    }

    /// A batch has ended.
    pub(super) fn batch_ended(&mut self, now: Instant) {
        self.last_batch_end = Some(now);
    }

    /// A batch has waited without a result: none waits for a while, twice as long as the last time, since a store that
    /// is away stays away.
    pub(super) fn timed_out(&mut self, now: Instant, pause_max: Duration) {
        let pause = PAUSE_MIN.saturating_mul(1 << self.timeouts.min(16)).min(pause_max);
        self.not_before = Some(now + pause);
        self.timeouts += 1;
    }

    /// Whether a batch that begins now may wait; `stale` is the age at which what the last look said is too old.
    pub(super) fn may_wait(&self, now: Instant, stale: Duration) -> bool {
        if self.not_before.is_some_and(|until| now < until) {
            return false;
        }
        let is_idle = self.last_batch_end.is_none_or(|end| now.saturating_duration_since(end) >= IDLE_GAP);
        let is_stale = self.looked_at.is_none_or(|looked| now.saturating_duration_since(looked) >= stale);
        is_idle || is_stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_after_a_pause_or_a_long_time_and_less_often_when_it_does_not_help() {
        let begun = Instant::now();
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let stale = Duration::from_secs(60);
        let mut waiting = Waiting::default();
        assert!(waiting.may_wait(at(0.0), stale), "nothing was looked at");
        waiting.looked(at(0.0));
        waiting.batch_ended(at(1.0));
        assert!(!waiting.may_wait(at(1.4), stale), "under load");
        assert!(waiting.may_wait(at(1.5), stale), "after a pause");
        waiting.batch_ended(at(59.9));
        assert!(waiting.may_wait(at(60.0), stale), "the look is old");
        for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            waiting.timed_out(at(100.0), stale);
            assert!(!waiting.may_wait(at(99.9 + pause), stale), "{pause}");
            assert!(waiting.may_wait(at(100.0 + pause), stale), "{pause}");
        }
        waiting.looked(at(300.0));
        waiting.timed_out(at(400.0), stale);
        assert!(waiting.may_wait(at(401.0), stale), "a good look begins anew");
    }
}
