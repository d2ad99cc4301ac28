//! Hides secrets in texts: one pass over the text finds all spellings of all secrets of a step.

use super::MASK;
use super::spellings::{SPELLING_BYTES_MAX, spellings};
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that the automaton of one step's secrets may take. All secrets within the bound on spellings fit, except for
/// texts in which many lines end in each other: the automaton lists, in each of its states, every spelling that ends
/// there.
pub(super) const AUTOMATON_BYTES_MAX: usize = 64 << 20;

/// Secrets, to be hidden in what guests say. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hidden(pub(super) Arc<[Arc<NFA>]>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.0.len())
    }
}

impl Hidden {
    /// Hides each of these secrets, each line of a secret, and each string in a secret that is JSON, in all their
    /// spellings: as they are, as JSON escapes them, percent-encoded, in base64 and in hex. A long text is hidden piece
    /// by piece. A text of fewer than 4 characters is not hidden.
    ///
    /// # Errors
    /// The secrets are too long to be hidden.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Result<Hidden, TooLong> {
        let secrets: Vec<String> = secrets.into_iter().collect();
        let spellings = spellings(secrets.iter().map(String::as_str)).ok_or(TooLong)?;
        if spellings.is_empty() {
            return Ok(Hidden::default());
        }
        // `Standard` is what finds all occurrences, those that overlap among them.
        let automaton = NFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(spellings);
        let automaton = automaton.map_err(|_| TooLong)?;
        if automaton.memory_usage() > AUTOMATON_BYTES_MAX {
            return Err(TooLong);
        }
        Ok(Hidden(Arc::new([Arc::new(automaton)])))
    }

    /// The secrets of both.
    pub fn and(&self, other: &Hidden) -> Hidden {
        Hidden(self.0.iter().chain(&*other.0).cloned().collect())
    }

    /// Whether there is no secret to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with a mask in place of each secret; where secrets overlap, one mask stands for both. The time is
    /// linear in the text, however many spellings there are.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Masked::new(text);
        self.find(text.as_bytes(), &mut masked);
        masked.finish()
    }

    /// The beginning of [`hide`](Self::hide)'s answer, without a look at the whole text: what becomes of the text's
    /// first `bytes_max` bytes, cut at `bytes_max` bytes. A secret that begins in them is hidden even if it ends behind
    /// them. The time is linear in `bytes_max`, since the search goes on behind it for the length of one spelling only.
    pub fn hide_start<'t>(&self, text: &'t str, bytes_max: usize) -> Cow<'t, str> {
        let mut masked = Masked::new(&text[..text.floor_char_boundary(bytes_max)]);
        self.find(text.as_bytes(), &mut masked);
        match masked.finish() {
            Cow::Borrowed(start) => Cow::Borrowed(start),
            Cow::Owned(mut start) => {
                // A mask at the edge may be longer than what it stands for.
                start.truncate(start.floor_char_boundary(bytes_max));
                Cow::Owned(start)
            }
        }
    }

    /// The same as [`hide`](Self::hide) for a text whose end was cut off: the beginning of a secret at its end is
    /// hidden too.
    pub fn hide_cut<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Masked::new(text);
        self.find(text.as_bytes(), &mut masked);
        let first = text.ceil_char_boundary(text.len().saturating_sub(SPELLING_BYTES_MAX));
        let mut starts = text[first..].char_indices().map(|(at, _)| first + at);
        if let Some(start) = starts.find(|start| self.0.iter().any(|secrets| begins_one(secrets, &text[*start..]))) {
            masked.add(start..text.len());
        }
        masked.finish()
    }

    /// Adds all occurrences that begin in the text to be masked, which is the beginning of `text`.
    fn find(&self, text: &[u8], masked: &mut Masked<'_>) {
        if self.is_empty() {
            return;
        }
        let mut states: Vec<(&NFA, StateID)> =
            self.0.iter().map(|secrets| (&**secrets, start(secrets, Anchored::No))).collect();
        let text = &text[..text.len().min(masked.text.len() + SPELLING_BYTES_MAX)];
        #[cfg(test)]
        SEARCHED.set(SEARCHED.get() + text.len());
        for (at, byte) in text.iter().enumerate() {
            for (secrets, state) in &mut states {
                *state = secrets.next_state(Anchored::No, *state, *byte);
                if secrets.is_match(*state) {
                    // The first is the longest spelling that ends here: it covers the others.
                    let length = secrets.pattern_len(secrets.match_pattern(*state, 0));
                    masked.add(at + 1 - length..at + 1);
                }
            }
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that were searched, so that tests can bound them.
    pub(super) static SEARCHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The secrets of a step have too many spellings to be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the secrets of this step are too long to be hidden in logs and messages in all their spellings: give the step \
             only the part that its plugin needs (of a JSON object in Secrets Manager: `<ARN>:<member>::`)",
        )
    }
}

impl std::error::Error for TooLong {}

/// Whether a text is the beginning of a spelling, or a whole one.
fn begins_one(secrets: &NFA, text: &str) -> bool {
    let mut state = start(secrets, Anchored::Yes);
    text.bytes().all(|byte| {
        state = secrets.next_state(Anchored::Yes, state, byte);
        !secrets.is_dead(state)
    })
}

fn start(secrets: &NFA, anchored: Anchored) -> StateID {
    secrets.start_state(anchored).expect("this kind of automaton starts both ways")
}

/// A text as it is being masked. Occurrences are found in the order of their ends, and one may reach back over those
/// found before it. So the last ones wait until no spelling can reach back to them: no list holds all of them.
struct Masked<'t> {
    text: &'t str,
    masked: String,
    /// How many bytes of the text are in `masked`.
    done: usize,
    waiting: VecDeque<Range<usize>>,
}

impl<'t> Masked<'t> {
    fn new(text: &'t str) -> Masked<'t> {
        Masked { text, masked: String::new(), done: 0, waiting: VecDeque::new() }
    }

    fn add(&mut self, mut found: Range<usize>) {
        if found.start >= self.text.len() {
            return;
        }
        while self.waiting.front().is_some_and(|first| first.end + SPELLING_BYTES_MAX <= found.end) {
            self.write_first();
        }
        while let Some(last) = self.waiting.pop_back_if(|last| found.start < last.end) {
            found = found.start.min(last.start)..found.end.max(last.end);
        }
        self.waiting.push_back(found);
    }

    fn write_first(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.masked.push_str(&self.text[self.done..first.start]);
            self.masked.push_str(MASK);
            self.done = first.end.min(self.text.len());
        }
    }

    fn finish(mut self) -> Cow<'t, str> {
        while !self.waiting.is_empty() {
            self.write_first();
        }
        if self.done == 0 {
            return Cow::Borrowed(self.text);
        }
        self.masked.push_str(&self.text[self.done..]);
        Cow::Owned(self.masked)
    }
}
