//! Records that are made to be slow: plans, small and easy to change at random, of texts that are large.

use fastrand::Rng;
use std::fmt::Write as _;

/// What keys begin with, and paths name.
pub(super) const STEMS: [&str; 4] = ["a", "b", "items", "user"];

/// Times that something stands in a record, at most.
const COUNT_MAX: usize = 1 << 20;

/// Plans in plans.
const DEPTH_MAX: usize = 6;

/// How a value looks.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    Word(&'static str),
    Number {
        digits: usize,
    },
    Text {
        length: usize,
        of: &'static str,
    },
    Array(Vec<(usize, Plan)>),
    Object(Vec<Member>),
    /// That many arrays or objects in each other.
    Deep {
        levels: usize,
        object: bool,
        inside: Box<Plan>,
    },
}

/// Members of an object with keys that differ in one way.
#[derive(Clone, Debug)]
pub(super) struct Member {
    stem: &'static str,
    /// Parts behind the stem, dots between them.
    parts: usize,
    /// Characters behind the stem.
    length: usize,
    /// Dots behind the name.
    trailing: usize,
    escaped: bool,
    differ: Differ,
    count: usize,
    value: Plan,
}

/// How the keys of one member's copies differ.
#[derive(Clone, Copy, Debug)]
enum Differ {
    /// By a number in the first part.
    First,
    /// By a number in a part of its own, at the end.
    Last,
    /// By the dots behind them: all are one name.
    Dots,
}

impl Plan {
    pub(super) fn any(random: &mut Rng, depth: usize) -> Plan {
        match random.usize(..if depth < DEPTH_MAX { 9 } else { 4 }) {
            0 => Plan::Word(["1", "null", "true", "\"\"", "{}", "[]"][random.usize(..6)]),
            1 => Plan::Number { digits: count(random) },
            2 | 3 => Plan::Text { length: count(random), of: TEXTS[random.usize(..TEXTS.len())] },
            4 | 5 => {
                Plan::Array((0..random.usize(1..3)).map(|_| (count(random), Plan::any(random, depth + 1))).collect())
            }
            6 => Plan::Deep {
                levels: random.usize(1..512),
                object: random.bool(),
                inside: Box::new(Plan::any(random, depth + 1)),
            },
            _ => Plan::object(random, depth),
        }
    }

    pub(super) fn object(random: &mut Rng, depth: usize) -> Plan {
        Plan::Object((0..random.usize(1..4)).map(|_| Member::any(random, depth)).collect())
    }

    /// Changes one thing somewhere.
    pub(super) fn mutate(&mut self, random: &mut Rng, depth: usize) {
        if random.usize(..8) == 0 {
            *self = if depth == 0 { Plan::object(random, 0) } else { Plan::any(random, depth) };
            return;
        }
        match self {
            Plan::Word(_) => *self = Plan::any(random, depth),
            Plan::Number { digits } => *digits = rescaled(*digits, random),
            Plan::Text { length, of } => match random.bool() {
                true => *length = rescaled(*length, random),
                false => *of = TEXTS[random.usize(..TEXTS.len())],
            },
            Plan::Array(runs) => {
                let at = random.usize(..runs.len());
                match random.bool() {
                    true => runs[at].0 = rescaled(runs[at].0, random),
                    false => runs[at].1.mutate(random, depth + 1),
                }
            }
            Plan::Deep { levels, inside, .. } => match random.bool() {
                true => *levels = rescaled(*levels, random).min(512),
                false => inside.mutate(random, depth + 1),
            },
            Plan::Object(members) => {
                let at = random.usize(..members.len());
                match random.usize(..8) {
                    0 => members.push(Member::any(random, depth)),
                    1 if members.len() > 1 => drop(members.swap_remove(at)),
                    _ => members[at].mutate(random, depth),
                }
            }
        }
    }

    /// Appends the text, as much as has room in `bytes_max`.
    pub(super) fn write(&self, out: &mut String, bytes_max: usize) {
        match self {
            Plan::Word(word) => out.push_str(word),
            Plan::Number { digits } => out.extend(std::iter::repeat_n('7', (*digits).clamp(1, bytes_max))),
            Plan::Text { length, of } => {
                out.push('"');
                let left = bytes_max.saturating_sub(out.len());
                out.push_str(&of.repeat((*length).min(left / of.len())));
                out.push('"');
            }
            Plan::Array(runs) => {
                out.push('[');
                let mut items = runs.iter().flat_map(|(count, plan)| std::iter::repeat_n(plan, *count)).peekable();
                while let Some(item) = items.next_if(|_| out.len() < bytes_max) {
                    item.write(out, bytes_max);
                    out.push(',');
                }
                close(out, ']');
            }
            Plan::Deep { levels, object, inside } => {
                let (open, end) = if *object { ("{\"a\":", "}") } else { ("[", "]") };
                out.push_str(&open.repeat(*levels));
                inside.write(out, bytes_max);
                out.push_str(&end.repeat(*levels));
            }
            Plan::Object(members) => {
                out.push('{');
                for (kind, member) in members.iter().enumerate() {
                    let is_first = members[..kind].iter().all(|before| before.stem != member.stem);
                    let mut copies = 0..member.count;
                    while let Some(copy) = copies.next().filter(|_| out.len() < bytes_max) {
                        member.write_key(out, (kind, is_first), copy, bytes_max);
                        member.value.write(out, bytes_max);
                        out.push(',');
                    }
                }
                close(out, '}');
            }
        }
    }
}

fn close(out: &mut String, end: char) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push(end);
}

const TEXTS: [&str; 7] = ["x", "ä", "\\n", "\\u0041", "\\ud800", "@", "a@b.co "];

impl Member {
    fn any(random: &mut Rng, depth: usize) -> Member {
        Member {
            stem: STEMS[random.usize(..STEMS.len())],
            parts: if random.bool() { 0 } else { random.usize(..4) },
            length: if random.bool() { 0 } else { count(random) },
            trailing: if random.bool() { 0 } else { count(random) },
            escaped: random.usize(..4) == 0,
            differ: [Differ::First, Differ::Last, Differ::Dots][random.usize(..3)],
            count: count(random),
            value: Plan::any(random, depth + 1),
        }
    }

    fn mutate(&mut self, random: &mut Rng, depth: usize) {
        match random.usize(..9) {
            0 => self.stem = STEMS[random.usize(..STEMS.len())],
            1 => self.parts = random.usize(..70),
            2 => self.length = rescaled(self.length, random),
            3 => self.trailing = rescaled(self.trailing, random),
            4 => self.escaped = !self.escaped,
            5 => self.differ = [Differ::First, Differ::Last, Differ::Dots][random.usize(..3)],
            6 => self.count = rescaled(self.count, random),
            _ => self.value.mutate(random, depth + 1),
        }
    }

    /// `is_first`: no member before it has this stem.
    fn write_key(&self, out: &mut String, (kind, is_first): (usize, bool), copy: usize, bytes_max: usize) {
        let mut key = self.stem.to_owned();
        // Keys of two members must differ too; the first copy of the first with a stem is the plain stem.
        let number = if is_first && copy == 0 { String::new() } else { format!("{kind}x{copy:x}") };
        if matches!(self.differ, Differ::First) || !is_first && !matches!(self.differ, Differ::Last) {
            key.push_str(&number);
        }
        let left = bytes_max.saturating_sub(out.len()) / 8;
        key.push_str(&"k".repeat(self.length.min(left)));
        key.push_str(&".b".repeat(self.parts));
        if matches!(self.differ, Differ::Last) {
            write!(key, ".{number}e").expect("writing to a string succeeds");
        }
        let more = if matches!(self.differ, Differ::Dots) { copy } else { 0 };
        key.push_str(&".".repeat((self.trailing + more).min(left.max(copy))));
        out.push('"');
        match self.escaped {
            true => key.bytes().for_each(|byte| write!(out, "\\u{byte:04x}").expect("writing to a string succeeds")),
            false => out.push_str(&key),
        }
        out.push_str("\":");
    }
}

/// A number of any size, small ones as likely as large ones.
pub(super) fn count(random: &mut Rng) -> usize {
    let most = 1 << random.u32(0..=20);
    random.usize(1..=most)
}

fn rescaled(number: usize, random: &mut Rng) -> usize {
    match random.usize(..6) {
        0 => number / 2,
        1 => number * 2,
        2 => number + 1,
        3 => number.saturating_sub(1),
        4 => number * 16,
        _ => count(random),
    }
    .min(COUNT_MAX)
}
