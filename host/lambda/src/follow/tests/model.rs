//! Hosts of one channel among random publishes, promotions and rollbacks, releases that fail, load or do not, looks,
//! slow loads, batches, deaths, and outages of the store. A model beside them says what must be so after every step:
//!
//! 1. What a host's state says that it runs is what it runs.
//! 2. A host does not come to run a release that it has left, or that hosts had left as far as its start could know,
//!    while the channel that it knows still names that release at the same revision: unless somebody insists, or
//!    nothing else could be loaded.
//! 3. A host goes back to what passed last on it, or, if nothing did, to what ran before; and it has kept that.
//! 4. A release is left only for failing: for its own batches, at least fifty events of them, and never below the
//!    threshold.
//! 5. A start ends with something running if the package or any release that it may take can be loaded.
//! 6. What a host left is known to every later start, as soon as the store has answered once.
//! 7. When the store is back, every host ends with what the channel names, unless it avoids that.

use crate::follow::choice::{Choice, Known};
use crate::follow::not_taken::NotTaken;
use crate::follow::probation::Batch;
use crate::follow::state::{Action, Event, Named, Note, Source, State, Verdict};
use pipeline::FailureKind;
use proptest::prelude::*;
use registry::{Outcome, ReleaseId, Tally};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const HOSTS: usize = 3;

/// Rounds after which a host with a store that answers must have settled.
const ROUNDS: usize = 4;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Publish {
        failing: u64,
        loads: bool,
    },
    /// One of the releases, by its place from the newest on.
    Promote {
        back: usize,
        forced: bool,
    },
    Rollback,
    Look(usize),
    /// A look, and the load of what it led to.
    Round(usize),
    /// A load of what is wanted begins; it ends with the next step of this kind.
    SlowLoad(usize),
    Batch {
        host: usize,
        events: u64,
    },
    /// A batch begins; it ends with the next step of this kind.
    SlowBatch {
        host: usize,
        events: u64,
    },
    /// The process dies; its successor has the same `/tmp`, or a new one.
    Death {
        host: usize,
        same_place: bool,
    },
    /// Whether the store answers, and whether blobs can be read.
    Store {
        answers: bool,
        blobs: bool,
    },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let host = 0..HOSTS;
    let failing = prop_oneof![4 => Just(0), 1 => Just(4), 3 => Just(50), 3 => Just(100)];
    prop_oneof![
        2 => (failing, prop::bool::weighted(0.85)).prop_map(|(failing, loads)| Step::Publish { failing, loads }),
        1 => (0..4usize, prop::bool::weighted(0.3)).prop_map(|(back, forced)| Step::Promote { back, forced }),
        1 => Just(Step::Rollback),
        2 => host.clone().prop_map(Step::Look),
        6 => host.clone().prop_map(Step::Round),
        2 => host.clone().prop_map(Step::SlowLoad),
        8 => (host.clone(), 1..120u64).prop_map(|(host, events)| Step::Batch { host, events }),
        2 => (host.clone(), 1..120u64).prop_map(|(host, events)| Step::SlowBatch { host, events }),
        2 => (host, any::<bool>()).prop_map(|(host, same_place)| Step::Death { host, same_place }),
        1 => (prop::bool::weighted(0.6), prop::bool::weighted(0.7))
            .prop_map(|(answers, blobs)| Step::Store { answers, blobs }),
        1 => (1..700u64).prop_map(Step::Wait),
    ]
}

/// A release: how many of its events fail in a hundred, and whether a host can load it.
#[derive(Clone, Copy, Debug)]
struct Release {
    failing: u64,
    loads: bool,
}

/// What the channel held at a revision: the place of its release.
#[derive(Clone, Debug)]
struct Pointer {
    release: usize,
    previous: Option<usize>,
    forced: bool,
    bad: BTreeSet<usize>,
}

/// The store, and the time.
struct World {
    releases: Vec<Release>,
    history: Vec<Pointer>,
    returned: BTreeMap<u64, BTreeSet<usize>>,
    passed: BTreeSet<u64>,
    answers: bool,
    blobs: bool,
    package: bool,
    now: Instant,
    hosts_made: usize,
}

/// What an execution environment keeps in `/tmp`.
#[derive(Clone, Default)]
struct Place {
    pointer: Option<u64>,
    releases: BTreeSet<usize>,
    returned: Option<u64>,
}

struct Host {
    number: usize,
    place: Place,
    state: State,
    /// The revision that it accepted last; 0 for none.
    revision: u64,
    /// What the shell of the state machine has made run and has kept.
    running: Source,
    kept: Option<Source>,
    unwritten: Vec<Verdict>,
    loading: Option<Source>,
    in_flight: Option<(Source, u64)>,
    model: Model,
}

/// What the model says about one host.
struct Model {
    /// Revisions at which it must not come to run what the channel names.
    left: BTreeSet<u64>,
    /// What it must go back to.
    good: Source,
    /// What runs counts as something to go back to: it has passed, or nothing has and it is the first.
    is_good: bool,
    /// Events that it ran since that began.
    events: u64,
}

fn id(place: usize) -> ReleaseId {
    format!("{:064}", place + 1).parse().unwrap()
}

fn place_of(release: ReleaseId) -> usize {
    release.to_string().trim_start_matches('0').parse::<usize>().unwrap() - 1
}

impl World {
    fn new(package: bool) -> World {
        let first = Pointer { release: 0, previous: None, forced: false, bad: BTreeSet::new() };
        World {
            releases: vec![Release { failing: 0, loads: true }],
            history: vec![first],
            returned: BTreeMap::new(),
            passed: BTreeSet::new(),
            answers: true,
            blobs: true,
            package,
            now: Instant::now(),
            hosts_made: 0,
        }
    }

    fn revision(&self) -> u64 {
        self.history.len() as u64
    }

    fn pointer(&self, revision: u64) -> &Pointer {
        &self.history[usize::try_from(revision).unwrap() - 1]
    }

    fn named(&self, revision: u64) -> Named {
        let pointer = self.pointer(revision);
        Named { release: id(pointer.release), revision, forced: pointer.forced }
    }

    fn tally(&self, revision: u64) -> Tally {
        let returned = self.returned.get(&revision).map_or(0, BTreeSet::len);
        let passed = u32::from(self.passed.contains(&revision));
        Tally { passed, returned: u32::try_from(returned).unwrap(), running: 0 }
    }

    fn failing(&self, source: Source) -> u64 {
        source.release().map_or(0, |release| self.releases[place_of(release)].failing)
    }

    /// Moves the channel as a mover does that sees the verdicts.
    fn move_to(&mut self, release: usize, forced: bool, leaves_bad: bool) {
        let current = self.pointer(self.revision()).clone();
        let mut bad = current.bad;
        bad.extend(leaves_bad.then_some(current.release));
        let good = |place: &usize| *place != release && !bad.contains(place);
        let (held, before) = (Some(current.release).filter(good), current.previous.filter(good));
        let failed = self.tally(self.revision()).has_failed();
        let previous = if failed { before.or(held) } else { held.or(before) };
        self.history.push(Pointer { release, previous, forced, bad });
    }

    /// Whether a host can load something, and why not.
    fn load(&self, place: &mut Place, source: Source) -> Result<(), NotTaken> {
        let not = |kind, transient| Err(NotTaken { kind, reason: String::new(), transient });
        let Source::Release(release) = source else {
            return if self.package { Ok(()) } else { not("package", false) };
        };
        let at = place_of(release);
        if !place.releases.contains(&at) {
            if !self.answers || !self.blobs {
                return not("unavailable", true);
            }
            place.releases.insert(at);
        }
        if self.releases[at].loads { Ok(()) } else { not("load", false) }
    }

    /// A host starts. None where nothing can be loaded.
    fn start(&mut self, mut place: Place) -> Option<Host> {
        self.hosts_made += 1;
        let revision = if self.answers { Some(self.revision()) } else { place.pointer };
        place.pointer = revision;
        let named = revision.map(|revision| self.named(revision));
        let knows = revision.filter(|revision| !self.pointer(*revision).forced).is_some_and(|revision| {
            place.returned == Some(revision) || (self.answers && self.tally(revision).has_failed())
        });
        let channel = revision.map(|revision| {
            let Pointer { release, previous, .. } = self.pointer(revision);
            (id(*release), previous.map(id))
        });
        let known = Known { channel, left: knows, ready: None, package: self.package };
        let mut choice = Choice::new(named, &known);
        let order = choice.ahead().to_vec();
        let can: Vec<Source> = order.iter().copied().filter(|source| self.load(&mut place, *source).is_ok()).collect();
        while let Some(source) = choice.ahead().first().copied() {
            let Err(why) = self.load(&mut place, source) else { break };
            choice.failed(&why);
        }
        let Some(running) = choice.ahead().first().copied() else {
            assert_eq!(can, [], "a start runs what can be loaded");
            return None;
        };
        let live = named.map(|named| Source::Release(named.release));
        let alone = can.iter().all(|source| Some(*source) == live);
        assert!(!knows || Some(running) != live || alone, "a start avoids what hosts have left: {order:?}, {can:?}");
        let state = State::started(choice.started(self.now));
        let left = revision.filter(|_| knows).into_iter().collect();
        let model = Model { left, good: running, is_good: true, events: 0 };
        Some(Host {
            number: self.hosts_made,
            place,
            state,
            revision: revision.unwrap_or(0),
            running,
            kept: None,
            unwritten: Vec::new(),
            loading: None,
            in_flight: None,
            model,
        })
    }
}

impl Host {
    /// Carries out what follows from an event, as the shell does, and checks it.
    fn happened(&mut self, world: &World, event: Event) {
        let loaded = match &event {
            Event::Loaded(source) => Some(*source),
            _ => None,
        };
        let was_leaving = self.state.is_leaving();
        if let Event::Moved(named) = &event {
            // Somebody insists on what runs: that is as good as if it had passed.
            self.model.is_good |= named.forced && self.running == Source::Release(named.release);
        }
        for action in self.state.on(world.now, event.clone()) {
            match action {
                Action::Swap => self.runs(world, loaded.expect("something was loaded")),
                Action::Discard => assert!(loaded.is_some()),
                Action::GoBack(to) => {
                    assert_eq!(
                        (Some(to), to),
                        (self.kept, self.model.good),
                        "3. it goes back to what is good, and kept"
                    );
                    self.check_fault(world);
                    self.runs(world, to);
                    self.model.is_good = true;
                }
                Action::Hurry => self.check_fault(world),
                Action::Record(verdict) => {
                    if verdict.outcome == Outcome::Returned {
                        self.place.returned = Some(verdict.revision);
                        self.model.left.insert(verdict.revision);
                    }
                    self.unwritten.push(verdict);
                }
                Action::Note(note) => self.noted(&note, was_leaving),
            }
        }
        assert_eq!(self.state.running(), self.running, "1. what is said to run runs: {event:?}");
        self.kept = self.state.kept();
        if let Some(kept) = self.kept {
            assert_eq!(kept, self.model.good, "3. what is kept is good: {event:?}");
        }
    }

    /// From the next batch on it runs this.
    fn runs(&mut self, world: &World, source: Source) {
        self.running = source;
        self.model.events = 0;
        if self.revision > 0 && Source::Release(world.named(self.revision).release) == source {
            let insists = world.pointer(self.revision).forced;
            assert!(insists || !self.model.left.contains(&self.revision), "2. it runs what was left");
        }
    }

    /// What the model makes of a note: which release is something to go back to.
    fn noted(&mut self, note: &Note, was_leaving: bool) {
        match note {
            Note::Swapped { from, named, on_probation } => {
                if self.model.is_good && !was_leaving {
                    self.model.good = *from;
                }
                let returns = Source::Release(named.release) == self.model.good;
                assert_eq!(
                    *on_probation,
                    !named.forced && (was_leaving || !returns),
                    "what has passed has no probation"
                );
                // After a release that was bad from the start on there is nothing good: then this is the first.
                self.model.is_good = was_leaving || !on_probation;
            }
            Note::Returned { to, .. } => {
                self.model.good = *to;
                self.model.is_good = true;
            }
            Note::Passed { .. } | Note::Stuck { .. } => self.model.is_good = true,
            Note::Refused(..) | Note::LookFailed(_) | Note::LoadFailed(..) => {}
        }
    }

    fn check_fault(&self, world: &World) {
        assert!(self.model.events >= 50, "4. it was judged by {} events", self.model.events);
        assert!(world.failing(self.running) > 5, "4. it does well");
    }

    fn look(&mut self, world: &World) -> bool {
        if !world.answers {
            let why = NotTaken { kind: "unavailable", reason: String::new(), transient: true };
            self.happened(world, Event::LookFailed(why));
            return false;
        }
        let moved = self.revision != world.revision();
        self.revision = world.revision();
        self.place.pointer = Some(self.revision);
        let event = if moved { Event::Moved(world.named(self.revision)) } else { Event::Unmoved };
        self.happened(world, event);
        true
    }

    fn round(&mut self, world: &mut World) {
        let looked = self.look(world);
        for source in self.state.wanted() {
            if !looked && !self.state.is_leaving() {
                break;
            }
            match world.load(&mut self.place, source) {
                Ok(()) => {
                    self.happened(world, Event::Loaded(source));
                    break;
                }
                Err(why) => self.happened(world, Event::NotLoaded(source, why)),
            }
        }
        self.write(world);
    }

    fn write(&mut self, world: &mut World) {
        if !world.answers {
            return;
        }
        for verdict in self.unwritten.drain(..) {
            match verdict.outcome {
                Outcome::Passed => drop(world.passed.insert(verdict.revision)),
                Outcome::Returned => drop(world.returned.entry(verdict.revision).or_default().insert(self.number)),
                Outcome::Running => unreachable!("that is no verdict"),
            }
        }
    }

    /// A batch that ran this ends.
    fn ran(&mut self, world: &mut World, source: Source, events: u64) {
        let failed = events * world.failing(source) / 100;
        let failures = [(FailureKind::Reject, failed)].into_iter().filter(|(_, count)| *count > 0).collect();
        let through = events - failed;
        let batch = Batch { events, through, documents: through, failures, ..Batch::default() };
        if source == self.running {
            self.model.events += events;
        }
        self.happened(world, Event::Ran(source, batch));
        // What is found bad is written before the batch is answered, if the store answers.
        self.write(world);
    }
}

fn carry_out(world: &mut World, hosts: &mut [Option<Host>], step: &Step) {
    let host = |hosts: &mut [Option<Host>], at: usize| hosts[at].take();
    let at = match *step {
        Step::Publish { failing, loads } => {
            world.releases.push(Release { failing, loads });
            return world.move_to(world.releases.len() - 1, false, false);
        }
        Step::Promote { back, forced } => {
            let place = world.releases.len() - 1 - back.min(world.releases.len() - 1);
            let is_bad = world.pointer(world.revision()).bad.contains(&place);
            return if forced || !is_bad {
                world.move_to(place, forced, false)
            };
        }
        Step::Rollback => {
            let previous = world.pointer(world.revision()).previous;
            return if let Some(previous) = previous {
                world.move_to(previous, false, true)
            };
        }
        Step::Store { answers, blobs } => {
            (world.answers, world.blobs) = (answers, blobs);
            return;
        }
        Step::Wait(seconds) => return world.now += Duration::from_secs(seconds),
        Step::Look(at) | Step::Round(at) | Step::SlowLoad(at) => at,
        Step::Batch { host, .. } | Step::SlowBatch { host, .. } | Step::Death { host, .. } => host,
    };
    let Some(mut of) = host(hosts, at) else {
        hosts[at] = world.start(Place::default());
        return;
    };
    match *step {
        Step::Round(_) => of.round(world),
        Step::SlowLoad(_) => match of.loading.take() {
            Some(source) => {
                let event = match world.load(&mut of.place, source) {
                    Ok(()) => Event::Loaded(source),
                    Err(why) => Event::NotLoaded(source, why),
                };
                of.happened(world, event);
            }
            None => of.loading = of.state.wanted().first().copied(),
        },
        Step::Batch { events, .. } => of.ran(world, of.running, events),
        Step::SlowBatch { events, .. } => match of.in_flight.take() {
            Some((source, events)) => of.ran(world, source, events),
            None => of.in_flight = Some((of.running, events)),
        },
        Step::Death { same_place, .. } => {
            let place = if same_place { of.place } else { Place::default() };
            hosts[at] = world.start(place);
            return;
        }
        _ => drop(of.look(world)),
    }
    hosts[at] = Some(of);
}

/// The store is back, and nothing more happens: 6 and 7.
fn check_end(world: &mut World, hosts: &mut [Option<Host>]) {
    (world.answers, world.blobs) = (true, true);
    let revision = world.revision();
    let named = world.named(revision);
    let live = Source::Release(named.release);
    for host in hosts.iter_mut().flatten() {
        (0..ROUNDS).for_each(|_| host.round(world));
        let avoids = host.model.left.contains(&revision) && !named.forced;
        let loads = world.releases[place_of(named.release)].loads;
        assert!(host.running == live || avoids || !loads || host.state.is_leaving(), "7. it follows the channel");
        assert_eq!(host.unwritten, [], "6. what it left is written");
    }
    let left = hosts.iter().flatten().filter(|host| host.model.left.contains(&revision)).count();
    let fresh = world.start(Place::default());
    if left > 0 && world.tally(revision).has_failed() && !named.forced {
        let others = world.pointer(revision).previous.is_some_and(|place| world.releases[place].loads) || world.package;
        assert!(fresh.is_none_or(|fresh| fresh.running != live || !others), "6. a start knows what hosts have left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn hosts_of_a_channel_keep_their_promises(
        steps in prop::collection::vec(step(), 1..120),
        package in any::<bool>(),
    ) {
        let mut world = World::new(package);
        let mut hosts: Vec<Option<Host>> = (0..HOSTS).map(|_| world.start(Place::default())).collect();
        for step in &steps {
            carry_out(&mut world, &mut hosts, step);
        }
        check_end(&mut world, &mut hosts);
    }
}
