//! When a host looks at its channel: at most once in a poll interval, never all hosts at once.
//!
//! `cargo test -p lambda polling -- --nocapture` prints what that costs for 10 to 10,000 hosts.

use std::time::{Duration, Instant};

/// The shortest time between two looks, as a share of the poll interval: hosts that started together drift apart.
const JITTER_MIN: f64 = 0.8;

/// The times of one host's looks.
pub(super) struct Polling {
    interval: Duration,
    next: Instant,
    random: fastrand::Rng,
}

impl Polling {
    /// A host that has looked just now. Its first own look comes at a random moment of the interval: a deployment
    /// starts many hosts at once.
    pub(super) fn new(now: Instant, interval: Duration, mut random: fastrand::Rng) -> Polling {
        Polling { interval, next: now + interval.mul_f64(random.f64()), random }
    }

    /// Whether it is time; if so the next time is set.
    pub(super) fn take_turn(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + self.interval.mul_f64(JITTER_MIN + (1.0 - JITTER_MIN) * self.random.f64());
        }
        due
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "the figures are for people")]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);
    /// A batch a second, each host at its own moment of it.
    const BATCH: Duration = Duration::from_secs(1);
    const WATCHED: Duration = Duration::from_secs(120);
    /// S3's price of a thousand GET requests in most regions, in dollars.
    const DOLLARS_PER_1_000: f64 = 0.0004;

    /// Moments of all looks of hosts that started together, in order.
    fn looks(hosts: u64) -> Vec<(Duration, u64)> {
        let start = Instant::now();
        let mut looks = Vec::new();
        for host in 0..hosts {
            let mut random = fastrand::Rng::with_seed(host);
            let mut at = start + BATCH.mul_f64(random.f64());
            let mut polling = Polling::new(start, INTERVAL, random);
            while at < start + WATCHED {
                if polling.take_turn(at) {
                    looks.push((at - start, host));
                }
                at += BATCH;
            }
        }
        looks.sort_unstable();
        looks
    }

    #[test]
    fn polling_is_cheap_and_never_a_burst() {
        println!(
            "{:>8} {:>12} {:>16} {:>14} {:>12}",
            "hosts", "requests/s", "most in a second", "$ a month", "last swap s"
        );
        for hosts in [10, 100, 1_000, 10_000u64] {
            let looks = looks(hosts);
            let rate = looks.len() as f64 / WATCHED.as_secs_f64();
            let seconds = WATCHED.as_secs();
            let of_second = |second| looks.iter().filter(|(at, _)| at.as_secs() == second).count();
            let most = (0..seconds).map(of_second).max().unwrap_or(0);
            // A release that is published at second 60: when has the last host looked after it?
            let published = Duration::from_secs(60);
            let mut seen = std::collections::BTreeSet::new();
            let after = looks.iter().filter(|(at, _)| *at >= published);
            let last = after.filter(|(_, host)| seen.insert(*host)).map(|(at, _)| *at - published).max();
            let last = last.unwrap_or(WATCHED).as_secs_f64();
            let dollars = rate * 86_400.0 * 30.0 / 1_000.0 * DOLLARS_PER_1_000;
            println!("{hosts:>8} {rate:>12.1} {most:>16} {dollars:>14.2} {last:>12.1}");
            assert_eq!(seen.len() as u64, hosts, "every host has looked");
            assert!(last <= (INTERVAL + BATCH).as_secs_f64(), "the last host looks within an interval and a batch");
            assert!((most as f64) < rate * 1.5 + 10.0, "{most} looks in a second, {rate} on average");
            assert!(
                rate <= hosts as f64 / INTERVAL.mul_f64(JITTER_MIN).as_secs_f64(),
                "no more than the interval allows"
            );
        }
    }
}
