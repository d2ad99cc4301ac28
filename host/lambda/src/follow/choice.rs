//! What a start takes: in which order, and how long each may take. Pure.

use super::not_taken::NotTaken;
use super::state::{Live, Named, Source, Started};
use registry::ReleaseId;
use std::time::{Duration, Instant};

/// For all that a start asks of the store and loads from it: Lambda gives 10 seconds from the start of the process, and
/// the first workers must still be started.
pub(super) const START_TIME_MAX: Duration = Duration::from_secs(9);

/// What is kept of it for the pipeline in the package, where there is one: its plugins are compiled ahead of time.
pub(super) const PACKAGE_TIME: Duration = Duration::from_secs(2);

/// What is known when a start chooses.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What the channel names, and what its pointer names to fall back to; none when no pointer is to be had.
    pub(super) channel: Option<(ReleaseId, Option<ReleaseId>)>,
    /// Hosts of the channel have gone back from it.
    pub(super) left: bool,
    /// A release that is compiled for this engine, when the first one to take is not.
    pub(super) ready: Option<ReleaseId>,
    /// There is a pipeline in the package.
    pub(super) package: bool,
}

impl Known {
    /// What a start takes, the first that loads: what the channel names, what it falls back to, and the package. What
    /// hosts have gone back from comes last, when nothing else is left. Compiled code comes first, but never changes
    /// what was left.
    pub(super) fn order(&self) -> Vec<Source> {
        let live = self.channel.map(|(live, _)| Source::Release(live));
        let previous = self.channel.and_then(|(_, previous)| previous).map(Source::Release);
        let ready = self.ready.map(Source::Release).filter(|ready| !self.left || Some(*ready) != live);
        let package = self.package.then_some(Source::Package);
        let order = match self.left {
            false => [ready, live, previous, package],
            true => [ready, previous, package, live],
        };
        let mut sources = Vec::with_capacity(order.len());
        for source in order.into_iter().flatten() {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }

    /// The release that is tried first, unless another one is compiled.
    pub(super) fn first_release(&self) -> Option<ReleaseId> {
        self.order().into_iter().find_map(Source::release)
    }
}

/// A start's way through what there is to choose from.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    channel: Option<Named>,
    order: Vec<Source>,
    tried: usize,
    live: Live,
}

impl Choice {
    /// `channel`: what the pointer names, which is what `known` was asked about.
    pub(super) fn new(channel: Option<Named>, known: &Known) -> Choice {
        let live = if known.left { Live::Left } else { Live::Wanted };
        Choice { channel, order: known.order(), tried: 0, live }
    }

    /// What is to be tried now, and after it.
    pub(super) fn ahead(&self) -> &[Source] {
        &self.order[self.tried..]
    }

    /// What is to be tried now could not be loaded: what the channel names is given up only if it never can be. Says
    /// what the channel names, if that was it.
    pub(super) fn failed(&mut self, why: &NotTaken) -> Option<Named> {
        let source = self.order[self.tried];
        self.tried += 1;
        let of_channel = self.channel.filter(|named| source == Source::Release(named.release));
        if of_channel.is_some() && !why.transient && self.live == Live::Wanted {
            self.live = Live::Refused;
        }
        of_channel
    }

    /// What is to be tried now was loaded.
    pub(super) fn started(self, at: Instant) -> Started {
        let Choice { channel, order, tried, live } = self;
        let running = order[tried];
        let others = order.into_iter().filter(|other| *other != running).collect();
        Started { running, channel, live, others, at }
    }
}

/// How long the first of these may take to load when so much is left for all: half of it while another one follows, and
/// never what the package needs. The package itself may take all there is.
pub(super) fn share(sources: &[Source], left: Duration) -> Duration {
    let Some((first, others)) = sources.split_first() else { return Duration::ZERO };
    if *first == Source::Package {
        return left;
    }
    let kept = if others.contains(&Source::Package) { PACKAGE_TIME } else { Duration::ZERO };
    let left = left.saturating_sub(kept);
    let releases = others.iter().take_while(|source| **source != Source::Package).count();
    if releases > 0 { left / 2 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> ReleaseId {
        digit.repeat(64).parse().expect("64 digits")
    }

    /// The order as letters: the live release, the previous one, one that is ready, the package.
    fn order(channel: bool, previous: bool, left: bool, ready: Option<&str>, package: bool) -> String {
        let (live, before, other) = (id("1"), id("2"), id("3"));
        let ready = ready.map(|ready| match ready {
            "L" => live,
            "P" => before,
            _ => other,
        });
        let known = Known { channel: channel.then(|| (live, previous.then_some(before))), left, ready, package };
        let letter = |source| match source {
            Source::Package => 'K',
            Source::Release(id) if id == live => 'L',
            Source::Release(id) if id == before => 'P',
            Source::Release(_) => 'R',
        };
        known.order().into_iter().map(letter).collect()
    }

    #[test]
    fn a_start_takes_the_first_that_loads() {
        for (channel, previous, left, ready, package, expected) in [
            (true, true, false, None, true, "LPK"),
            (true, false, false, None, false, "L"),
            (true, true, false, Some("P"), true, "PLK"),
            (true, true, false, Some("R"), true, "RLPK"),
            (true, true, false, Some("L"), true, "LPK"),
            // What hosts have left comes last, whatever is compiled.
            (true, true, true, None, true, "PKL"),
            (true, true, true, Some("L"), true, "PKL"),
            (true, true, true, Some("R"), true, "RPKL"),
            (true, false, true, None, false, "L"),
            (true, false, true, Some("L"), true, "KL"),
            // Without a pointer.
            (false, false, false, None, true, "K"),
            (false, false, false, None, false, ""),
        ] {
            let case = (channel, previous, left, ready, package);
            assert_eq!(order(channel, previous, left, ready, package), expected, "{case:?}");
        }
    }

    #[test]
    fn the_package_is_reached_in_time_however_long_the_others_take() {
        let seconds = Duration::from_secs_f64;
        let (one, two, three) = (Source::Release(id("1")), Source::Release(id("2")), Source::Release(id("3")));
        for (sources, left, expected) in [
            (&[one][..], 9.0, 9.0),
            (&[one, two], 9.0, 4.5),
            (&[one, Source::Package], 9.0, 7.0),
            (&[one, two, Source::Package], 9.0, 3.5),
            (&[Source::Package], 2.0, 2.0),
            (&[one, Source::Package], 1.0, 0.0),
            (&[one, Source::Package, two], 9.0, 7.0),
        ] {
            assert_eq!(share(sources, seconds(left)), seconds(expected), "{sources:?} {left}");
        }
        // However many are tried and however long each hangs, the package has its time.
        let all = [one, two, three, Source::Package];
        let mut left = START_TIME_MAX;
        for at in 0..3 {
            left -= share(&all[at..], left);
        }
        assert!(left >= PACKAGE_TIME, "{left:?}");
    }
}
