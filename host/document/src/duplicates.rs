//! Keys that stand twice in one object, whatever they are written with. OpenSearch refuses such a document, and readers
//! differ on which of the two is meant.

use crate::keys;
use crate::parse::{Parse, Parser};
use crate::text;
use crate::tree::{NONE, Node};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// From this many keys on an object's keys are compared through a hash table: comparing each with each is quicker
/// below, and quadratic above.
const FEW_KEYS: usize = 24;

const DUPLICATE: &str = "a key stands twice in one object";

impl<'a> Parser<'a> {
    /// Refuses a key that the object already has. Objects with many keys are compared once more, whole, at their end.
    #[inline]
    pub(crate) fn compare_key(&mut self, node: u32, first_key: usize, at: usize, end: usize, print: u64) -> Parse<()> {
        let others = &self.fingerprints[first_key..];
        if others.len() < FEW_KEYS && others.contains(&print) {
            self.confirm_duplicate(node, at, end)?;
        }
        self.fingerprints.push(print);
        Ok(())
    }

    /// Fingerprints may agree by chance: look at the keys themselves.
    #[cold]
    fn confirm_duplicate(&mut self, node: u32, at: usize, end: usize) -> Parse<()> {
        let key = text::unescape_wtf8(&self.text[at + 1..end - 1]);
        let mut child = self.nodes[node as usize].first;
        while child != NONE {
            if text::unescape_wtf8(self.key_text(child)) == key {
                return self.fail(at, DUPLICATE);
            }
            child = self.nodes[child as usize].next;
        }
        Ok(())
    }

    /// Refuses an object of many keys that has one of them twice.
    pub(crate) fn compare_many_keys(&mut self, node: u32, first_key: usize) -> Parse<()> {
        let prints = &self.fingerprints[first_key..];
        if prints.len() <= FEW_KEYS {
            return Ok(());
        }
        let member = |ordinal: u32| {
            let first = self.nodes[node as usize].first;
            (0..ordinal).fold(first, |child, _| self.nodes[child as usize].next)
        };
        let mut table: HashTable<u32> = HashTable::with_capacity(prints.len());
        for (ordinal, &print) in (0..).zip(prints) {
            let is_same = |&other: &u32| {
                // Keys that share a digest are the same, but for chance.
                prints[other as usize] == print && self.is_same_key(member(other), member(ordinal))
            };
            match table.entry(print, is_same, |&other| prints[other as usize]) {
                Entry::Vacant(entry) => drop(entry.insert(ordinal)),
                Entry::Occupied(_) => {
                    let at = self.nodes[member(ordinal) as usize].key.offset_from(self.base);
                    return self.fail(at, DUPLICATE);
                }
            }
        }
        Ok(())
    }

    fn is_same_key(&self, one: u32, other: u32) -> bool {
        text::unescape_wtf8(self.key_text(one)) == text::unescape_wtf8(self.key_text(other))
    }

    /// The whole key of a member, as written.
    fn key_text(&self, node: u32) -> &'a [u8] {
        let Node { key, facts, .. } = self.nodes[node as usize];
        let start = key.offset_from(self.base);
        &self.text[start..start + keys::written_bytes(&self.text[start..], key.len(), facts)]
    }
}
