//! From a path to the values it names, in every spelling.
//!
//! Most documents have no dot in any key: then a path names one value at most, found by walking down. In the others a key
//! spells several parts, and one path may name several values.

use crate::path::{self, Path, Pattern, Segment};
use crate::text;
use crate::tree::{Document, Facts, Kind};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Some nodes; nearly always none or one.
pub(crate) type Nodes = SmallVec<[u32; 2]>;

/// The nodes that a path names.
#[derive(Default)]
pub(crate) struct Found {
    /// Those it names exactly.
    pub(crate) exact: Nodes,
    /// Those whose dotted key goes on behind the path's last part: `{"user.email":…}` for `user`.
    pub(crate) beyond: Nodes,
}

/// How a member's key and the start of a path agree.
pub(crate) enum Match {
    No,
    /// The key spells that many parts of the path.
    Parts(usize),
    /// The path ends inside the key.
    Beyond,
}

impl Document {
    /// The first value that `path` names exactly, in document order.
    #[inline]
    pub(crate) fn find(&mut self, path: &Path<'_>) -> Option<u32> {
        match path.plain() {
            Some(text) if !self.facts.has(Facts::KEY_DOTTED) => self.walk_plain(text),
            _ => self.find_segments(&path.segments()),
        }
    }

    pub(crate) fn find_segments(&mut self, path: &[Segment<'_>]) -> Option<u32> {
        if self.facts.has(Facts::KEY_DOTTED) { self.find_all(path).exact.first().copied() } else { self.walk(path) }
    }

    /// All values that `path` names.
    pub(crate) fn find_all(&mut self, path: &[Segment<'_>]) -> Found {
        let mut found = Found::default();
        if self.facts.has(Facts::KEY_DOTTED) {
            let mut visited = 0;
            self.search(self.root, path, &mut visited, &mut found);
            self.visited += visited;
        } else {
            found.exact.extend(self.walk(path));
        }
        found
    }

    /// The value that plain keys lead to, in a document without dotted keys.
    #[inline]
    pub(crate) fn walk_plain(&mut self, path: &str) -> Option<u32> {
        let mut visited = 0;
        let found = path::names(path).try_fold(self.root, |node, name| self.member(node, name, &mut visited));
        self.visited += visited;
        found
    }

    /// One value at most: no key has a dot.
    #[inline]
    fn walk(&mut self, path: &[Segment<'_>]) -> Option<u32> {
        let mut visited = 0;
        let found = path.iter().try_fold(self.root, |node, segment| match segment {
            Segment::Key { name, .. } => self.member(node, name, &mut visited),
            Segment::Index(index) => self.element(node, *index, &mut visited),
            Segment::AnyKey | Segment::AnyElement => None,
        });
        self.visited += visited;
        found
    }

    /// The member of an object whose whole key is `name`.
    #[inline]
    fn member(&self, object: u32, name: &str, visited: &mut u64) -> Option<u32> {
        if self.node(object).kind != Kind::Object {
            return None;
        }
        if self.facts.has(Facts::KEY_ESCAPED) {
            return self.member_unescaped(object, name, visited);
        }
        let mut child = self.node(object).first;
        // The end of the list is no index.
        while let Some(node) = self.buffers.nodes.get(child as usize) {
            *visited += 1;
            if node.key.len() == name.len() && self.slice(node.key) == name.as_bytes() {
                return Some(child);
            }
            child = node.next;
        }
        None
    }

    /// The same where a key is written with escapes.
    #[cold]
    fn member_unescaped(&self, object: u32, name: &str, visited: &mut u64) -> Option<u32> {
        self.children(object).find(|&child| {
            *visited += 1;
            text::unescape_wtf8(self.slice(self.node(child).key)) == name.as_bytes()
        })
    }

    fn element(&self, array: u32, index: u32, visited: &mut u64) -> Option<u32> {
        if self.node(array).kind != Kind::Array {
            return None;
        }
        *visited += u64::from(index).min(self.buffers.nodes.len() as u64);
        self.children(array).nth(index as usize)
    }

    /// The key of a member, unescaped. Lone surrogates become U+FFFD: such keys are refused on the way out.
    pub(crate) fn key(&self, node: u32) -> Cow<'_, str> {
        let node = self.node(node);
        let raw = self.slice(node.key);
        if node.facts.has(Facts::KEY_ESCAPED) {
            return match text::unescape_wtf8(raw) {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            };
        }
        Cow::Borrowed(std::str::from_utf8(raw).expect("validated as UTF-8 and cut at quotes"))
    }

    /// Collects what `path` names below `from`, where a key may spell several parts.
    fn search(&self, from: u32, path: &[Segment<'_>], visited: &mut u64, found: &mut Found) {
        *visited += 1;
        let Some(segment) = path.first() else {
            found.exact.push(from);
            return;
        };
        match (segment, self.node(from).kind) {
            (Segment::Key { .. } | Segment::AnyKey, Kind::Object) => {
                for child in self.children(from) {
                    *visited += 1;
                    match self.match_key(child, path) {
                        Match::No => {}
                        Match::Parts(parts) => self.search(child, &path[parts..], visited, found),
                        Match::Beyond => found.beyond.push(child),
                    }
                }
            }
            (Segment::Index(index), Kind::Array) => {
                *visited += u64::from(*index).min(self.buffers.nodes.len() as u64);
                if let Some(child) = self.children(from).nth(*index as usize) {
                    self.search(child, &path[1..], visited, found);
                }
            }
            (Segment::AnyElement, Kind::Array) => {
                for child in self.children(from) {
                    self.search(child, &path[1..], visited, found);
                }
            }
            (_, Kind::Object | Kind::Array | Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String) => {}
        }
    }

    /// How the key of `child` and the start of `path` agree.
    pub(crate) fn match_key(&self, child: u32, path: &[Segment<'_>]) -> Match {
        let key = self.key(child);
        let mut matched = 0;
        let one_part = !self.node(child).facts.has(Facts::KEY_DOTTED);
        let key_parts = if one_part { Parts::One(std::iter::once(&*key)) } else { Parts::Split(path::parts(&key)) };
        for part in key_parts {
            match path.get(matched) {
                Some(Segment::Key { name, .. }) if **name == *part => {}
                Some(Segment::AnyKey) => {}
                Some(Segment::Key { .. } | Segment::Index(_) | Segment::AnyElement) => return Match::No,
                None => return Match::Beyond,
            }
            matched += 1;
        }
        Match::Parts(matched)
    }

    /// All values that a pattern names, arrays being transparent: where a key is due and an array stands, its elements are
    /// searched. In document order, each once. Stops behind `most`.
    pub(crate) fn expand_nodes(&mut self, pattern: &Pattern<'_>, most: usize) -> Nodes {
        let mut visited = 0;
        let plain = pattern.plain().filter(|_| !self.facts.has(Facts::KEY_DOTTED));
        let found = plain.and_then(|path| self.spread_plain(path, &mut visited)).unwrap_or_else(|| {
            let mut found = Nodes::new();
            self.spread(self.root, &pattern.segments(), &mut visited, most, &mut found);
            found
        });
        self.visited += visited;
        found
    }

    /// What plain keys lead to in a document without dotted keys; none where an array is on the way, so that it may be more
    /// than one value.
    fn spread_plain(&self, path: &str, visited: &mut u64) -> Option<Nodes> {
        let mut at = self.root;
        for name in path::names(path) {
            at = match self.node(at).kind {
                Kind::Array => return None,
                _ => match self.member(at, name, visited) {
                    Some(child) => child,
                    None => return Some(Nodes::new()),
                },
            };
        }
        Some(Nodes::from_elem(at, 1))
    }

    fn spread(&self, from: u32, pattern: &[Segment<'_>], visited: &mut u64, most: usize, found: &mut Nodes) {
        *visited += 1;
        if found.len() > most {
            return;
        }
        let Some(segment) = pattern.first() else {
            found.push(from);
            return;
        };
        match (segment, self.node(from).kind) {
            (Segment::Key { name, .. }, Kind::Object) if !self.facts.has(Facts::KEY_DOTTED) => {
                if let Some(child) = self.member(from, name, visited) {
                    self.spread(child, &pattern[1..], visited, most, found);
                }
            }
            (Segment::Key { .. } | Segment::AnyKey, Kind::Object) => {
                for child in self.children(from) {
                    *visited += 1;
                    match self.match_key(child, pattern) {
                        Match::No => {}
                        Match::Parts(parts) => self.spread(child, &pattern[parts..], visited, most, found),
                        Match::Beyond => found.push(child),
                    }
                }
            }
            (Segment::Key { .. } | Segment::AnyKey, Kind::Array) => {
                for child in self.children(from) {
                    self.spread(child, pattern, visited, most, found);
                }
            }
            (Segment::Index(index), Kind::Array) => {
                *visited += u64::from(*index).min(self.buffers.nodes.len() as u64);
                if let Some(child) = self.children(from).nth(*index as usize) {
                    self.spread(child, &pattern[1..], visited, most, found);
                }
            }
            (Segment::AnyElement, Kind::Array) => {
                for child in self.children(from) {
                    self.spread(child, &pattern[1..], visited, most, found);
                }
            }
            (_, Kind::Object | Kind::Null | Kind::True | Kind::False | Kind::Number | Kind::String) => {}
        }
    }
}

/// The parts of a key, whether it has dots or not.
enum Parts<'a> {
    One(std::iter::Once<&'a str>),
    Split(std::str::Split<'a, char>),
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match self {
            Parts::One(part) => part.next(),
            Parts::Split(parts) => parts.next(),
        }
    }
}
