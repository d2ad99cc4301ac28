//! How far a name agrees with lists of patterns, known on the way down to it, part by part.

use crate::looks;
use crate::path::{Pattern, Segment};
use crate::scope::Scope;
use smallvec::SmallVec;

/// How a list of patterns and a name agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cover {
    /// Neither the field nor anything below it.
    None,
    /// Something below the field, perhaps.
    Below,
    /// The field and all below it.
    All,
}

/// A list of patterns, each as the parts of the names it stands for. Indexes are left out.
#[derive(Clone, Debug)]
pub(crate) struct Permits(Vec<Vec<Part>>);

#[derive(Clone, Debug)]
enum Part {
    Name(String),
    Any,
}

impl Permits {
    pub(crate) fn of(patterns: &[Pattern<'static>]) -> Permits {
        let part = |segment: &Segment<'_>| match segment {
            Segment::Key { name, .. } => Some(Part::Name(name.clone().into_owned())),
            Segment::AnyKey => Some(Part::Any),
            Segment::AnyElement | Segment::Index(_) => None,
        };
        Permits(patterns.iter().map(|pattern| pattern.segments().iter().filter_map(part).collect()).collect())
    }
}

/// How far a name agrees with the patterns of a list.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// A pattern names it, or what it stands in; or there is no list.
    All,
    /// Patterns agree with all of its parts and go on; of none is it known that it names it.
    Some { parts: usize, patterns: Set },
}

/// Some patterns of a list: a bit for each.
type Set = SmallVec<[u64; 1]>;

impl Reach {
    /// The reach of the empty name: the whole document.
    fn of_root(permits: Option<&Permits>) -> Reach {
        match permits {
            Some(Permits(patterns)) if patterns.iter().all(|pattern| !pattern.is_empty()) => {
                let mut all = Set::from_elem(u64::MAX, patterns.len() / 64);
                all.push((1 << (patterns.len() % 64)) - 1);
                Reach::Some { parts: 0, patterns: all }
            }
            Some(_) | None => Reach::All,
        }
    }

    pub(crate) fn cover(&self) -> Cover {
        match self {
            Reach::All => Cover::All,
            Reach::Some { patterns, .. } if patterns.iter().all(|word| *word == 0) => Cover::None,
            Reach::Some { .. } => Cover::Below,
        }
    }

    /// The reach of the name with one more part.
    fn with(&self, permits: Option<&Permits>, part: &[u8]) -> Reach {
        let (Reach::Some { parts, patterns }, Some(Permits(known))) = (self, permits) else { return Reach::All };
        let (parts, mut patterns) = (*parts, patterns.clone());
        for (at, word) in patterns.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                looks::nodes(1);
                let pattern = &known[at * 64 + bit];
                let agrees = match &pattern[parts] {
                    Part::Name(name) => name.as_bytes() == part,
                    Part::Any => true,
                };
                if !agrees {
                    *word &= !(1 << bit);
                } else if pattern.len() == parts + 1 {
                    return Reach::All;
                }
            }
        }
        Reach::Some { parts: parts + 1, patterns }
    }

    /// How many patterns are compared with the next part.
    fn patterns(&self) -> usize {
        match self {
            Reach::All => 0,
            Reach::Some { patterns, .. } => patterns.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }
}

/// What a step may do with one name.
#[derive(Clone, Debug)]
pub(crate) struct Permission {
    pub(crate) reads: Reach,
    pub(crate) writes: Reach,
}

impl Permission {
    pub(crate) fn of_root(scope: &Scope) -> Permission {
        Permission { reads: Reach::of_root(scope.reads.as_ref()), writes: Reach::of_root(scope.writable()) }
    }

    pub(crate) fn with(&self, scope: &Scope, part: &[u8]) -> Permission {
        Permission {
            reads: self.reads.with(scope.reads.as_ref(), part),
            writes: self.writes.with(scope.writable(), part),
        }
    }

    /// Whether the field may be changed as a whole: nothing of it is hidden, and all of it may be written.
    pub(crate) fn allows_change(&self) -> bool {
        self.writes.cover() == Cover::All && self.reads.cover() == Cover::All
    }

    pub(crate) fn patterns(&self) -> usize {
        self.reads.patterns() + self.writes.patterns()
    }
}
