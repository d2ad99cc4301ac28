//! Following a channel as a state machine: what a host runs, what it takes next, what it goes back to, and what it
//! stays away from.
//!
//! Pure: events come in, each with its time, and actions go out. Nothing here waits, reads a clock, asks a store or
//! writes a log. The shell around it (`mod.rs`) carries out the actions under the lock that guards this state, in their
//! order, so that what the state says and what the host runs never differ.
//!
//! A host's state has three parts, each changed here only:
//!
//! - what batches run (`running`), and how that one stands ([`Standing`]): settled, on probation, or being left;
//! - what the channel names (`channel`), and whether this host takes it ([`Stance`]): a release that was left or
//!   refused is avoided until the channel moves;
//! - what was seen of the last release that passed (`baseline`): what a probation is compared with.

use super::not_taken::NotTaken;
use super::probation::{self, Batch, Observed};
use registry::{Outcome, Pointer, ReleaseId};
use std::collections::BTreeSet;
use std::time::Instant;

/// What batches run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The pipeline in the function's own package.
    Package,
    /// A release of the store.
    Release(ReleaseId),
}

impl Source {
    /// The release, if it is one.
    pub(super) fn release(self) -> Option<ReleaseId> {
        match self {
            Source::Package => None,
            Source::Release(release) => Some(release),
        }
    }
}

/// What a channel names: as much of its pointer as a host decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) release: ReleaseId,
    pub(super) revision: u64,
    /// Somebody insists on it: it has no probation.
    pub(super) forced: bool,
}

impl From<&Pointer> for Named {
    fn from(pointer: &Pointer) -> Named {
        Named { release: pointer.release, revision: pointer.revision, forced: pointer.forced }
    }
}

/// What has happened.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A look at the channel found a pointer that this host had not accepted before.
    Moved(Named),
    /// A look found what was accepted before.
    Unmoved,
    /// A look failed, or what it found is not trusted.
    LookFailed(NotTaken),
    /// This was fetched, verified, loaded and tried, and its workers are started: it can run from now on.
    Loaded(Source),
    /// This could not be loaded.
    NotLoaded(Source, NotTaken),
    /// A batch ended that ran this.
    Ran(Source, Batch),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Run what was just loaded from the next batch on.
    Swap,
    /// Forget what was just loaded: nothing wants it any more.
    Discard,
    /// Run this again, which was kept ([`State::kept`]), from the next batch on.
    GoBack(Source),
    /// Look and load now, without waiting for the next turn.
    Hurry,
    /// Write this where every later start finds it.
    Record(Verdict),
    /// Tell people.
    Note(Note),
}

/// How a probation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) release: ReleaseId,
    pub(super) revision: u64,
    pub(super) outcome: Outcome,
    /// Why the host went back; empty when it did not.
    pub(super) reason: String,
}

/// What people are told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Note {
    /// The channel's release runs from the next batch on.
    Swapped { from: Source, named: Named, on_probation: bool },
    /// This host has gone back.
    Returned { verdict: Verdict, to: Source },
    /// A probation is over.
    Passed { release: ReleaseId, revision: u64 },
    /// The channel's release, or with none its pointer, is not taken until the channel moves.
    Refused(Option<Named>, NotTaken),
    /// The store did not answer a look.
    LookFailed(NotTaken),
    /// The store did not answer for what is to run next, or that could not be loaded.
    LoadFailed(Source, NotTaken),
    /// A release does badly, and nothing else can be loaded.
    Stuck { release: ReleaseId, reason: String },
}

/// How the running one stands.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// It passed, or was there before: its batches are what the next probation is compared with.
    Settled,
    /// It is judged.
    OnProbation(Probation),
    /// It was judged and found bad, and what to run instead is still to be loaded: only a host that has run nothing
    /// else since its start has nothing to go back to at once.
    Leaving { verdict: Verdict, to: Vec<Source> },
}

#[derive(Clone, Debug, PartialEq)]
struct Probation {
    release: ReleaseId,
    revision: u64,
    since: Instant,
    seen: Observed,
    fallback: Fallback,
    /// It runs from the start on: nobody is told that it is on probation, since nothing was swapped.
    from_start: bool,
}

/// What a host goes back to.
#[derive(Clone, Debug, PartialEq)]
enum Fallback {
    /// What passed last on this host, or, if nothing did, what ran before. Its code is kept.
    Kept(Source),
    /// These are to be loaded then, the first one that can be.
    ToLoad(Vec<Source>),
}

/// Whether this host takes what the channel names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    Following,
    /// Not until the channel moves.
    Avoiding,
}

/// What trouble is about, so that each kind of it is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Look,
    Load(Source),
}

/// What a start came to.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) running: Source,
    /// What the channel names, if that is known.
    pub(super) channel: Option<Named>,
    pub(super) live: Live,
    /// What else the start would have taken, in that order.
    pub(super) others: Vec<Source>,
    pub(super) at: Instant,
}

/// How a start found what the channel names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Live {
    /// It runs, or could not be had now: it is taken as soon as it can be.
    Wanted,
    /// It was refused for good.
    Refused,
    /// Hosts of the channel are known to have gone back from it.
    Left,
}

/// The state of one host that follows a channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    running: Source,
    standing: Standing,
    baseline: Observed,
    channel: Option<Named>,
    stance: Stance,
    told: BTreeSet<(Topic, &'static str)>,
}

impl State {
    /// A host that has just started.
    pub(super) fn started(started: Started) -> State {
        let Started { running, channel, live, others, at } = started;
        let live_runs = channel.filter(|named| running == Source::Release(named.release));
        let standing = match live_runs.filter(|named| live == Live::Wanted && !named.forced) {
            None => Standing::Settled,
            Some(Named { release, revision, .. }) => Standing::OnProbation(Probation {
                release,
                revision,
                since: at,
                seen: Observed::default(),
                fallback: Fallback::ToLoad(others),
                from_start: true,
            }),
        };
        let stance = if live == Live::Wanted { Stance::Following } else { Stance::Avoiding };
        State { running, standing, baseline: Observed::default(), channel, stance, told: BTreeSet::new() }
    }

    /// What batches run.
    #[cfg(test)]
    pub(super) fn running(&self) -> Source {
        self.running
    }

    /// What is to be loaded, in the order in which it is tried: what the channel names, if this host takes it and does
    /// not run it, then what a host that leaves a release goes back to.
    pub(super) fn wanted(&self) -> Vec<Source> {
        let named = self.wanted_of_channel().map(|named| Source::Release(named.release));
        let escapes = match &self.standing {
            Standing::Leaving { to, .. } => to.as_slice(),
            Standing::Settled | Standing::OnProbation(_) => &[],
        };
        let others = escapes.iter().copied().filter(|source| Some(*source) != named);
        named.into_iter().chain(others).collect()
    }

    /// Whether what runs was found bad, and something else is to be loaded in its place.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.standing, Standing::Leaving { .. })
    }

    /// What must be kept to go back to.
    pub(super) fn kept(&self) -> Option<Source> {
        match &self.standing {
            Standing::OnProbation(Probation { fallback: Fallback::Kept(kept), .. }) => Some(*kept),
            Standing::OnProbation(_) | Standing::Settled | Standing::Leaving { .. } => None,
        }
    }

    /// Takes an event in; says what is to be done.
    pub(super) fn on(&mut self, at: Instant, event: Event) -> Vec<Action> {
        match event {
            Event::Moved(named) => self.moved(at, named),
            Event::Unmoved => {
                self.told.retain(|(topic, _)| *topic != Topic::Look);
                Vec::new()
            }
            Event::LookFailed(why) => self.look_failed(why),
            Event::Loaded(source) => self.loaded(at, source),
            Event::NotLoaded(source, why) => self.not_loaded(source, why),
            Event::Ran(source, batch) => self.ran(at, source, &batch),
        }
    }

    fn wanted_of_channel(&self) -> Option<Named> {
        let is_other = |named: &Named| self.running != Source::Release(named.release);
        self.channel.filter(|named| self.stance == Stance::Following && is_other(named))
    }

    /// A move makes a new start: what was avoided before may be taken now, even if it is the same release.
    fn moved(&mut self, at: Instant, named: Named) -> Vec<Action> {
        self.told.clear();
        self.channel = Some(named);
        self.stance = Stance::Following;
        if self.running != Source::Release(named.release) {
            return Vec::new();
        }
        let standing = std::mem::replace(&mut self.standing, Standing::Settled);
        self.standing = match standing {
            Standing::OnProbation(probation) if named.forced => {
                self.baseline = probation.seen;
                Standing::Settled
            }
            Standing::OnProbation(probation) => {
                Standing::OnProbation(Probation { revision: named.revision, ..probation })
            }
            Standing::Leaving { to, .. } if !named.forced => {
                Standing::OnProbation(Probation::begun(at, named, Fallback::ToLoad(to)))
            }
            Standing::Leaving { .. } | Standing::Settled => Standing::Settled,
        };
        Vec::new()
    }

    fn look_failed(&mut self, why: NotTaken) -> Vec<Action> {
        let note = match why.transient {
            true => Note::LookFailed(why.clone()),
            false => Note::Refused(None, why.clone()),
        };
        self.once(Topic::Look, &why, note)
    }

    fn loaded(&mut self, at: Instant, source: Source) -> Vec<Action> {
        self.told.retain(|(topic, _)| *topic != Topic::Load(source));
        match self.wanted_of_channel().filter(|named| source == Source::Release(named.release)) {
            Some(named) => self.swap(at, named),
            None if self.wanted().contains(&source) => self.leave_for(source),
            None => vec![Action::Discard],
        }
    }

    /// Runs what the channel names.
    fn swap(&mut self, at: Instant, named: Named) -> Vec<Action> {
        let source = Source::Release(named.release);
        let from = std::mem::replace(&mut self.running, source);
        let fallback = match std::mem::replace(&mut self.standing, Standing::Settled) {
            Standing::Settled => Fallback::Kept(from),
            // A second move during a probation: what has not passed is nothing to go back to.
            Standing::OnProbation(Probation { fallback: Fallback::Kept(kept), .. }) => Fallback::Kept(kept),
            // Nothing has passed on this host: then it is what ran before.
            Standing::OnProbation(Probation { seen, .. }) => {
                self.baseline = seen;
                Fallback::Kept(from)
            }
            Standing::Leaving { mut to, .. } => {
                to.retain(|other| *other != source);
                Fallback::ToLoad(to)
            }
        };
        let on_probation = !named.forced && fallback != Fallback::Kept(source);
        if on_probation {
            self.standing = Standing::OnProbation(Probation::begun(at, named, fallback));
        } else if named.forced {
            self.baseline = Observed::default();
        }
        vec![Action::Swap, Action::Note(Note::Swapped { from, named, on_probation })]
    }

    /// Runs what was loaded in the place of a release that was found bad.
    fn leave_for(&mut self, source: Source) -> Vec<Action> {
        let standing = std::mem::replace(&mut self.standing, Standing::Settled);
        let Standing::Leaving { verdict, .. } = standing else {
            unreachable!("only what the channel names and what a host leaves for is wanted")
        };
        self.running = source;
        self.baseline = Observed::default();
        self.avoid(&verdict);
        let note = Note::Returned { verdict: verdict.clone(), to: source };
        vec![Action::Swap, Action::Record(verdict), Action::Note(note)]
    }

    fn not_loaded(&mut self, source: Source, why: NotTaken) -> Vec<Action> {
        if why.transient {
            let note = Note::LoadFailed(source, why.clone());
            return self.once(Topic::Load(source), &why, note);
        }
        if let Some(named) = self.wanted_of_channel().filter(|named| source == Source::Release(named.release)) {
            self.stance = Stance::Avoiding;
            return vec![Action::Note(Note::Refused(Some(named), why))];
        }
        let Standing::Leaving { verdict, to } = &mut self.standing else { return Vec::new() };
        to.retain(|other| *other != source);
        let mut actions = vec![Action::Note(Note::LoadFailed(source, why))];
        if to.is_empty() {
            actions.push(Action::Note(Note::Stuck { release: verdict.release, reason: verdict.reason.clone() }));
            self.standing = Standing::Settled;
        }
        actions
    }

    fn ran(&mut self, at: Instant, source: Source, batch: &Batch) -> Vec<Action> {
        if source != self.running {
            return Vec::new(); // It was swapped while this batch was on its way.
        }
        match &mut self.standing {
            Standing::Settled => {
                self.baseline.add_and_fade(batch);
                Vec::new()
            }
            Standing::Leaving { .. } => Vec::new(),
            Standing::OnProbation(probation) => {
                probation.seen.add(batch);
                match probation::fault(&self.baseline, &probation.seen) {
                    Some(reason) => self.fail(reason),
                    None if probation.is_over(at) => self.pass(),
                    None => Vec::new(),
                }
            }
        }
    }

    /// The running one was found bad.
    fn fail(&mut self, reason: String) -> Vec<Action> {
        let Standing::OnProbation(probation) = std::mem::replace(&mut self.standing, Standing::Settled) else {
            unreachable!("only a probation fails")
        };
        let Probation { release, revision, fallback, seen, .. } = probation;
        let verdict = Verdict { release, revision, outcome: Outcome::Returned, reason };
        match fallback {
            Fallback::Kept(to) => {
                self.running = to;
                self.avoid(&verdict);
                let note = Note::Returned { verdict: verdict.clone(), to };
                vec![Action::GoBack(to), Action::Record(verdict), Action::Note(note)]
            }
            Fallback::ToLoad(to) if to.is_empty() => {
                self.baseline = seen;
                vec![Action::Note(Note::Stuck { release, reason: verdict.reason })]
            }
            Fallback::ToLoad(to) => {
                self.standing = Standing::Leaving { verdict, to };
                vec![Action::Hurry]
            }
        }
    }

    fn pass(&mut self) -> Vec<Action> {
        let Standing::OnProbation(probation) = std::mem::replace(&mut self.standing, Standing::Settled) else {
            unreachable!("only a probation passes")
        };
        let Probation { release, revision, seen, from_start, .. } = probation;
        // Without a baseline it was hardly judged: that speaks for it here, and not on other hosts.
        let is_compared = std::mem::replace(&mut self.baseline, seen).is_enough();
        let verdict = Verdict { release, revision, outcome: Outcome::Passed, reason: String::new() };
        let record = is_compared.then_some(Action::Record(verdict));
        let note = (!from_start).then_some(Action::Note(Note::Passed { release, revision }));
        record.into_iter().chain(note).collect()
    }

    /// Stays away from a release until the channel moves on from the revision that it was judged at.
    fn avoid(&mut self, verdict: &Verdict) {
        if self.channel.is_some_and(|named| named.revision == verdict.revision) {
            self.stance = Stance::Avoiding;
        }
    }

    /// A note of trouble, unless trouble of this kind was told since it was last well.
    fn once(&mut self, topic: Topic, why: &NotTaken, note: Note) -> Vec<Action> {
        let is_new = self.told.insert((topic, why.kind));
        is_new.then_some(Action::Note(note)).into_iter().collect()
    }
}

impl Probation {
    fn begun(at: Instant, named: Named, fallback: Fallback) -> Probation {
        let Named { release, revision, .. } = named;
        Probation { release, revision, since: at, seen: Observed::default(), fallback, from_start: false }
    }

    /// Whether it has passed, if nothing speaks against it. What never worked passes by no lapse of time.
    fn is_over(&self, at: Instant) -> bool {
        let lasted = at.saturating_duration_since(self.since) >= probation::TIME_PASSED;
        self.seen.events >= probation::EVENTS_PASSED || (lasted && self.seen.has_worked())
    }
}
