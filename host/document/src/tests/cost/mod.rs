//! A search for records and calls that cost more than they may, or more than they count.
//!
//! It climbs: a plan of a record and some calls is changed at random, and kept when the call that it is about costs
//! more. What a call costs is measured by those who do not know the meter: whoever looks at a node or at bytes
//! (`looks`), the allocator, and the thread's CPU clock. So a loop that forgets the meter shows, however it is reached.
//! Beside the search stands a table of every kind of call on every shape of record (`table`), which knows no chance and
//! no clock.
//!
//! In `make test` the search has no clock either: it climbs so often, on the same seed, and does the same each time.
//! With `COST_SECONDS` (`make fuzz`) it climbs so long, and by the CPU clock too. `COST_SEED` says where it begins;
//! `COST_SHOW=1` prints the worst of each call.

mod calls;
pub(crate) mod looks;
mod record;
mod table;

use super::pattern;
use crate::Scope;
use calls::{Asked, Call, Cost, KINDS};
use fastrand::Rng;
use record::Plan;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often it climbs where nobody says how long.
const CLIMBS: usize = 40;

/// Bytes of a record: as it came, and inflated.
const RECORD_BYTES_MAX: [usize; 2] = [1 << 20, 32 << 20];

/// What a call may cost: six times what it may elsewhere, since each look is counted in tests, and they have company.
const CPU_MAX: Duration = Duration::from_millis(120);
/// What reading a record may cost. It is not a call: it looks at each of up to 32 MiB once.
const CPU_MAX_OF_PARSE: Duration = Duration::from_millis(160);
const BYTES_MAX: u64 = (64 << 20) + (8 << 20);

/// CPU time for a unit of work, which stands for a nanosecond. Wide: what is counted tells more.
const CPU_OF_UNIT: u32 = 16;

/// Nanoseconds that a unit of a plain walk takes in a test, where each look is counted, and nothing else is done.
const USUAL: f64 = 5.0;

/// Calls below this are too short to be told from noise, such as memory that a neighbour has driven from the caches.
const CPU_MIN: Duration = Duration::from_millis(8);

/// Times that something suspicious is measured again; the least counts.
const AGAIN: usize = 5;

/// What is asked of a record, who may see what of it, and the record.
#[derive(Clone, Debug)]
struct Attempt {
    calls: Vec<Call>,
    scope: Option<(Vec<&'static str>, Vec<&'static str>)>,
    bytes_max: usize,
    plan: Plan,
}

impl Attempt {
    /// One with a call of this kind, at least.
    fn any(random: &mut Rng, kind: usize, sizes: &[usize]) -> Attempt {
        let scopes = [vec!["items", "user.b"], vec!["a[*].b", "*.b"], vec!["b"]];
        let scope = |random: &mut Rng| scopes[random.usize(..scopes.len())].clone();
        let mut attempt = Attempt {
            plan: Plan::object(random, 0),
            bytes_max: sizes[usize::from(random.usize(..8) == 0) % sizes.len()],
            scope: (random.usize(..3) == 0).then(|| (scope(random), scope(random))),
            calls: (0..random.usize(..5)).map(|_| Call::any(random)).collect(),
        };
        attempt.calls.push(Call::of(kind, random));
        attempt
    }

    fn mutated(&self, random: &mut Rng, sizes: &[usize]) -> Attempt {
        let mut attempt = self.clone();
        match random.usize(..6) {
            0 => {
                let at = random.usize(..attempt.calls.len());
                attempt.calls[at] = Call::any(random);
            }
            1 if attempt.calls.len() < 8 => attempt.calls.push(Call::any(random)),
            2 => attempt.bytes_max = sizes[usize::from(random.usize(..4) == 0) % sizes.len()],
            _ => attempt.plan.mutate(random, 0),
        }
        attempt
    }

    /// What each call cost, reading the record first. After a call that the meter ended there are no more.
    fn run(&self) -> Vec<(usize, Cost)> {
        let mut text = String::new();
        self.plan.write(&mut text, self.bytes_max);
        let list = |patterns: &[&str]| Some(patterns.iter().map(|text| pattern(text)).collect());
        let scope = self.scope.as_ref().map(|(reads, writes)| Scope::new(list(reads), list(writes), false));
        let (asked, cost) = Asked::read(text, scope);
        let mut costs = vec![(Call::Parse.kind(), cost)];
        let Some(mut asked) = asked else { return costs };
        for call in &self.calls {
            let cost = asked.ask(call);
            costs.push((call.kind(), cost));
            if cost.ended {
                break;
            }
        }
        costs
    }

    /// The same with the least CPU time of several runs.
    fn run_again(&self) -> Vec<(usize, Cost)> {
        let mut least = self.run();
        for _ in 1..AGAIN {
            for ((_, least), (_, cost)) in least.iter_mut().zip(self.run()) {
                least.cpu = least.cpu.min(cost.cpu);
            }
        }
        least
    }
}

/// Looks beyond what was paid for: a stride of nodes, each looked at a few times, or 16 KiB. In the search, which meets
/// records that are made of one name, what is paid for a little later too: less than a millisecond.
const UNPAID_MAX: i64 = 1536;
const UNPAID_MAX_IN_SEARCH: i64 = 1 << 18;

/// What is wrong with what was looked at.
fn wrong_looks(cost: &Cost, unpaid_max: i64) -> Option<&'static str> {
    if cost.looks.unpaid > unpaid_max {
        return Some("looks at much that is not counted");
    }
    // What ends for a bound of the text it was to read has not counted that.
    (!cost.ended && cost.looks.total > 2 * cost.work as i64 + UNPAID_MAX).then_some("looks at more than it counts")
}

/// What is wrong with a cost, if anything.
fn wrong(kind: usize, cost: &Cost, is_timed: bool) -> Option<&'static str> {
    let is_parse = kind == Call::Parse.kind();
    if is_timed && cost.cpu > if is_parse { CPU_MAX_OF_PARSE } else { CPU_MAX } {
        return Some("takes longer than a call may");
    }
    // Reading a record has bounds of its own; what it allocates is the event itself.
    if !is_parse && cost.bytes > BYTES_MAX {
        return Some("takes more memory than a call may");
    }
    if let Some(what) = wrong_looks(cost, UNPAID_MAX_IN_SEARCH).filter(|_| !is_parse) {
        return Some(what);
    }
    (is_timed && cost.cpu > CPU_MIN && cost.cpu > Duration::from_nanos(cost.work) * CPU_OF_UNIT)
        .then_some("takes longer than it counts")
}

/// What is climbed.
#[derive(Clone, Copy)]
enum Goal {
    Unpaid,
    Looks,
    Bytes,
    Cpu,
    CpuOfUnit,
}

/// Those that know no clock, then the others.
const GOALS: [Goal; 5] = [Goal::Unpaid, Goal::Looks, Goal::Bytes, Goal::Cpu, Goal::CpuOfUnit];
const UNTIMED: usize = 3;

fn score(goal: Goal, kind: usize, costs: &[(usize, Cost)]) -> f64 {
    let of_cost = |cost: &Cost| match goal {
        Goal::Cpu => cost.cpu.as_secs_f64(),
        Goal::CpuOfUnit => cost.cpu.as_secs_f64() / (cost.work as f64 + 1e5),
        Goal::Unpaid => cost.looks.unpaid as f64,
        Goal::Looks => cost.looks.total as f64 / (cost.work as f64 + 1e5),
        Goal::Bytes => cost.bytes as f64,
    };
    costs.iter().filter(|(of, _)| *of == kind).map(|(_, cost)| of_cost(cost)).fold(0.0, f64::max)
}

/// Climbs for some rounds, or until it ends; what it passed that costs too much is told.
fn climb(random: &mut Rng, ends: Option<Instant>, worst: &mut [(Cost, Option<Attempt>)], found: &mut Found) {
    let kind = random.usize(..KINDS);
    let goal = GOALS[random.usize(..if ends.is_some() { GOALS.len() } else { UNTIMED })];
    // Inflated records are for who has the time.
    let sizes = if ends.is_some() { &RECORD_BYTES_MAX[..] } else { &RECORD_BYTES_MAX[..1] };
    let mut best = Attempt::any(random, kind, sizes);
    let mut best_score = score(goal, kind, &best.run());
    for _ in (0..40).take_while(|_| ends.is_none_or(|ends| Instant::now() < ends)) {
        let attempt = best.mutated(random, sizes);
        let costs = attempt.run();
        let score = score(goal, kind, &costs);
        for (of, cost) in &costs {
            if wrong(*of, cost, ends.is_some()).is_some_and(|what| !found.contains_key(&(*of, what))) {
                confirm(&attempt, ends.is_some(), found);
            }
            if cost.cpu > worst[*of].0.cpu {
                worst[*of] = (*cost, Some(attempt.clone()));
            }
        }
        if score >= best_score {
            (best, best_score) = (attempt, score);
        }
    }
}

/// An example of each wrong of each kind of call.
type Found = BTreeMap<(usize, &'static str), String>;

/// How much slower than usual everything is at the moment, by a loop that is known to count: a busy neighbour takes the
/// caches.
fn slowness() -> f64 {
    let record = format!("[{}1]", "1,".repeat(100_000));
    let mut asked = Asked::read(record, None).0.expect("a record");
    let least = (0..3).map(|_| asked.ask(&Call::Forbid)).min_by_key(|cost| cost.cpu).expect("three");
    (least.cpu.as_nanos() as f64 / (least.work as f64 * USUAL)).max(1.0)
}

/// Measures again what looks wrong, between two looks at how slow everything is.
fn confirm(attempt: &Attempt, is_timed: bool, found: &mut Found) {
    let before = if is_timed { slowness() } else { 1.0 };
    let costs = if is_timed { attempt.run_again() } else { attempt.run() };
    let slowness = if is_timed { before.max(slowness()) } else { 1.0 };
    for (kind, mut cost) in costs {
        cost.cpu = cost.cpu.div_f64(slowness);
        if let Some(what) = wrong(kind, &cost, is_timed) {
            let attempt = format!("{attempt:?}");
            let example = format!("{} {what}: {cost:?}\n{attempt:.2000}", Call::name(kind));
            found.entry((kind, what)).or_insert(example);
        }
    }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_call_costs_more_than_it_may_or_more_than_it_counts() {
    let seed = asked("COST_SEED").unwrap_or(1);
    let ends = asked("COST_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut random = Rng::with_seed(seed);
    let mut worst: Vec<(Cost, Option<Attempt>)> = (0..KINDS).map(|_| (Cost::default(), None)).collect();
    let (mut found, mut climbs) = (Found::new(), 0);
    while ends.map_or(climbs < CLIMBS, |ends| Instant::now() < ends) {
        climb(&mut random, ends, &mut worst, &mut found);
        climbs += 1;
    }
    if std::env::var_os("COST_SHOW").is_some() {
        show(&worst, climbs);
    }
    let found: Vec<String> = found.into_values().collect();
    assert!(found.is_empty(), "seed {seed}, {climbs} climbs:\n{}", found.join("\n\n"));
}

#[allow(clippy::print_stderr, reason = "only where somebody asks for it")]
fn show(worst: &[(Cost, Option<Attempt>)], climbs: usize) {
    eprintln!("{climbs} climbs");
    for (kind, (cost, attempt)) in worst.iter().enumerate() {
        let Cost { cpu, work, bytes, ended, .. } = cost;
        let ended = if *ended { ", ended" } else { "" };
        eprintln!("{:13} {cpu:9.2?} {work:9} units {:6} KiB{ended}", Call::name(kind), bytes >> 10);
        if let (Some(attempt), true) = (attempt, asked("COST_SHOW") > Some(1)) {
            eprintln!("    {:.600}", format!("{attempt:?}"));
        }
    }
}
