//! What a process remembers past its death: how far its batches are.
//!
//! Lambda starts another process in the same environment after one that died, and leaves `/tmp` as it is. A batch that
//! was under way then comes again. From the journal the new process knows two things. Records that were settled need
//! not run again: they are skipped if it is certainly the same batch ([`Journal::begin`]). And something in the batch
//! may have killed the process: so the batch runs carefully, one record at a time, each noted before it runs
//! ([`Page::note`]). A record that was noted when the process died, [`DEATHS_MAX`] times, is not run any more.
//!
//! `slot` is what a write says, `sheet` a file and its folder. Nothing here fails a batch: where the journal cannot be
//! written, the batch runs without it, and [`Journal::take_trouble`] says why.

mod sheet;
mod slot;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

use crate::batch::{Batch, Record, compare_sequence_numbers};
use crate::time::Clock;
use anyhow::{Result, anyhow, ensure};
use bytestring::ByteString;
use sha2::{Digest as _, Sha256};
use sheet::Sheet;
use slot::{NUMBER_BYTES_MAX, Name, Phase, State};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Age, in milliseconds, up to which something that is remembered counts: a batch comes again within minutes, and
/// whoever sends the same records an hour later does so on purpose.
const AGE_MS_MAX: u64 = 3_600_000;

/// Deaths of the process while a record was run, after which the record is not run again: one may have been chance.
pub(crate) const DEATHS_MAX: u32 = 2;

/// Files that are kept open for the next batches: as many as idle sets of workers.
const IDLE_MAX: usize = 16;

/// Batches that are remembered at once, as many as a start reads; the oldest is forgotten first.
const REMEMBERED_MAX: usize = sheet::FILES_MAX;

/// Batches beyond which those are forgotten that no longer matter if Kinesis sends what it sent before.
const PASSED_KEPT_MAX: usize = REMEMBERED_MAX / 2;

/// The journal of a process. Cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    folder: std::path::PathBuf,
    clock: Clock,
    /// Whether the folder may be written to.
    is_usable: bool,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// What dead processes left behind, and batches of this one whose invocations failed; the oldest first.
    remembered: Vec<(Sheet, State)>,
    /// Files of batches that ended.
    idle: Vec<Sheet>,
    trouble: Vec<String>,
    ignored: Vec<String>,
}

/// What is known of a batch when it begins.
pub(crate) struct Begun {
    /// Where its progress is written; none when that cannot be done.
    pub(crate) page: Option<Page>,
    /// Records that are settled already, from the first one on.
    pub(crate) settled: usize,
    /// Deaths of processes that had some of its records; if there were any, it runs carefully.
    pub(crate) deaths: usize,
    /// How often the process died while it ran a record, by the record's place in the batch.
    pub(crate) deaths_of: BTreeMap<usize, u32>,
}

/// The progress of one batch.
pub(crate) struct Page {
    journal: Journal,
    batch: Arc<Batch>,
    open: Mutex<Open>,
}

struct Open {
    /// None once it could not be written.
    sheet: Option<Sheet>,
    state: State,
}

impl Journal {
    /// The journal in a folder, which is made if need be. Reads what dead processes left there. In a folder that cannot
    /// be made, read or written, or that somebody else may write to, there is no journal, and the first batch says why.
    pub fn open(folder: &Path, clock: Clock) -> Journal {
        let now_ms = (clock.wall_ms)();
        let opened = sheet::prepare(folder, now_ms).and_then(|first| Ok((first, sheet::scan(folder)?)));
        let mut memory = Memory::default();
        let is_usable = opened.is_ok();
        match opened {
            Ok((first, sheet::Found { left, ignored })) => {
                memory = Memory { remembered: left, idle: vec![first], ignored, ..memory };
                memory.remembered.sort_by_key(|(_, state)| state.written_at_ms);
                memory.forget(|state| is_old(state, now_ms));
            }
            Err(error) => memory.trouble.push(format!("{error:#}")),
        }
        let (folder, memory) = (folder.to_owned(), Mutex::new(memory));
        Journal(Arc::new(Shared { folder, clock, is_usable, memory }))
    }

    /// What the journal does for a batch of which so many records settle at a time: what the benchmark measures.
    pub fn rehearse(&self, batch: &Arc<Batch>, settle: usize) {
        let Begun { page: Some(page), .. } = self.begin(batch, &[0; 32]) else { return };
        for settled in (settle..batch.records.len()).step_by(settle).chain([batch.records.len()]) {
            page.advance(settled);
        }
        self.end(&page, true);
    }

    /// How many batches the processes before this one died in.
    pub(crate) fn deaths(&self) -> usize {
        self.memory().remembered.iter().filter(|(_, state)| state.phase == Phase::Running).count()
    }

    /// Files in the folder that were left alone, and why; each is told once.
    pub(crate) fn take_ignored(&self) -> Vec<String> {
        std::mem::take(&mut self.memory().ignored)
    }

    /// What went wrong with the journal since this was last asked.
    pub(crate) fn take_trouble(&self) -> Vec<String> {
        std::mem::take(&mut self.memory().trouble)
    }

    /// Begins a batch that runs with `release`.
    pub(crate) fn begin(&self, batch: &Arc<Batch>, release: &Name) -> Begun {
        let now_ms = (self.0.clock.wall_ms)();
        let lane = lane(batch);
        if !self.0.is_usable {
            return Begun { page: None, settled: 0, deaths: 0, deaths_of: BTreeMap::new() };
        }
        let mut memory = self.memory();
        memory.forget(|state| is_old(state, now_ms));
        let of_lane = || memory.remembered.iter().map(|(_, state)| state).filter(|state| state.lane == lane);
        let settled = of_lane().map(|state| settled_before(state, batch, release)).max().unwrap_or(0);
        let died = || of_lane().filter(|state| state.phase == Phase::Running && overlaps(state, batch));
        let (deaths, mut deaths_of) = (died().count(), BTreeMap::new());
        for noted in died().filter_map(|state| state.noted.as_ref()) {
            if let Some(at) = batch.records.iter().position(|record| record.sequence_number == *noted) {
                *deaths_of.entry(at).or_default() += 1;
            }
        }
        let page = match self.page(&mut memory, batch, State::begin(batch, lane, release, settled, now_ms)) {
            Ok(page) => Some(page),
            Err(error) => {
                memory.trouble.push(format!("{error:#}"));
                None
            }
        };
        // What this batch goes on from is on its own page now.
        let is_taken_up = |state: &State| state.phase != Phase::Running && settled_before(state, batch, release) > 0;
        if page.is_some() {
            memory.forget(|state| state.lane == lane && is_taken_up(state));
        }
        Begun { page, settled, deaths, deaths_of }
    }

    fn page(&self, memory: &mut Memory, batch: &Arc<Batch>, state: State) -> Result<Page> {
        let numbers = [&state.first, &state.last, &state.settled_last];
        let longest = numbers.map(|number| number.len()).into_iter().max().unwrap_or(0);
        ensure!(longest <= NUMBER_BYTES_MAX, "the batch has a sequence number of {longest} digits");
        let mut sheet = match memory.idle.pop() {
            Some(sheet) => sheet,
            None => Sheet::create(&self.0.folder, state.written_at_ms)?,
        };
        if let Err(error) = sheet.write(&state) {
            sheet.remove()?;
            return Err(error);
        }
        let open = Mutex::new(Open { sheet: Some(sheet), state });
        Ok(Page { journal: self.clone(), batch: Arc::clone(batch), open })
    }

    /// Ends a batch: it was answered, or its invocation failed, so that it comes again from its first record on.
    pub(crate) fn end(&self, page: &Page, is_answered: bool) {
        let mut open = page.open();
        page.write(&mut open, |state| {
            state.phase = if is_answered { Phase::Answered } else { Phase::Failed };
            state.noted = None;
        });
        let Some(sheet) = open.sheet.take() else { return };
        let mut memory = self.memory();
        if !is_answered {
            memory.remembered.push((sheet, open.state.clone()));
            while memory.remembered.len() > REMEMBERED_MAX {
                let (oldest, _) = memory.remembered.remove(0);
                memory.remove(oldest);
            }
        } else if memory.idle.len() < IDLE_MAX {
            memory.idle.push(sheet);
        } else {
            memory.remove(sheet);
        }
    }

    /// Forgets deaths that a batch has left behind, where there are too many to keep. Otherwise they are kept: the
    /// batch may come again in another size. While records behind it may come, one death goes on telling that these run
    /// carefully.
    fn forget_passed(&self, state: &State) {
        let mut memory = self.memory();
        if memory.remembered.len() <= PASSED_KEPT_MAX {
            return;
        }
        let passed = |number: &str| compare_sequence_numbers(number, &state.settled_last) != Ordering::Greater;
        let is_over = |other: &State| {
            other.lane == state.lane && other.phase == Phase::Running && other.noted.as_deref().is_none_or(passed)
        };
        memory.forget(|other| is_over(other) && passed(&other.last));
        let furthest = (memory.remembered.iter().map(|(_, other)| other).filter(|other| is_over(other)))
            .max_by(|one, other| compare_sequence_numbers(&one.last, &other.last))
            .cloned();
        if let Some(furthest) = furthest.filter(|furthest| passed(&furthest.first)) {
            memory.forget(|other| is_over(other) && *other != furthest);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.folder).finish()
    }
}

impl Memory {
    fn forget(&mut self, is_over: impl Fn(&State) -> bool) {
        for (sheet, _) in self.remembered.extract_if(.., |(_, state)| is_over(state)).collect::<Vec<_>>() {
            self.remove(sheet);
        }
    }

    fn remove(&mut self, sheet: Sheet) {
        if let Err(error) = sheet.remove() {
            self.trouble.push(format!("{error:#}"));
        }
    }
}

impl Page {
    /// Records before this one are settled.
    pub(crate) fn advance(&self, settled: usize) {
        let mut open = self.open();
        let before = open.state.settled as usize;
        if settled <= before {
            return;
        }
        let numbers = self.batch.records[before..settled].iter().map(|record| &*record.sequence_number);
        let digest = numbers.fold(open.state.digest, slot::roll);
        let last = self.batch.records[settled - 1].sequence_number.clone();
        self.write(&mut open, |state| {
            state.settled = settled as u32;
            state.digest = digest;
            state.settled_last = last;
        });
        let has_deaths = !self.journal.memory().remembered.is_empty();
        if has_deaths && open.sheet.is_some() {
            self.journal.forget_passed(&open.state);
        }
    }

    /// A record is about to be run.
    pub(crate) fn note(&self, record: usize) {
        let number = &self.batch.records[record].sequence_number;
        if number.len() <= NUMBER_BYTES_MAX {
            self.write(&mut self.open(), |state| state.noted = Some(number.clone()));
        }
    }

    /// It was run, and the process lives.
    pub(crate) fn clear(&self) {
        self.write(&mut self.open(), |state| state.noted = None);
    }

    /// Writes what changed. What cannot be written is removed, so that it does not say what is no longer so.
    fn write(&self, open: &mut Open, change: impl FnOnce(&mut State)) {
        change(&mut open.state);
        open.state.written_at_ms = (self.journal.0.clock.wall_ms)();
        let Some(mut sheet) = open.sheet.take() else { return };
        let fits = open.state.settled_last.len() <= NUMBER_BYTES_MAX;
        let too_long = || anyhow!("the batch has a sequence number of more than {NUMBER_BYTES_MAX} digits");
        match if fits { sheet.write(&open.state) } else { Err(too_long()) } {
            Ok(()) => open.sheet = Some(sheet),
            Err(error) => {
                let mut memory = self.journal.memory();
                memory.trouble.push(format!("{error:#}"));
                memory.remove(sheet);
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(batch: &Batch, lane: Name, release: &Name, settled: usize, now_ms: u64) -> State {
        let numbers = || batch.records.iter().map(|record| &record.sequence_number);
        let none = ByteString::default;
        State {
            written_at_ms: now_ms,
            phase: Phase::Running,
            lane,
            release: *release,
            records: batch.records.len() as u32,
            settled: settled as u32,
            digest: numbers().take(settled).fold(0, |digest, number| slot::roll(digest, number)),
            first: numbers().next().cloned().unwrap_or_else(none),
            last: numbers().next_back().cloned().unwrap_or_else(none),
            settled_last: numbers().take(settled).next_back().cloned().unwrap_or_else(none),
            noted: None,
        }
    }
}

/// A name for several texts.
pub(crate) fn name<'t>(texts: impl IntoIterator<Item = &'t str>) -> Name {
    let mut sha = Sha256::new();
    for text in texts {
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text);
    }
    sha.finalize().into()
}

fn lane(batch: &Batch) -> Name {
    name([&*batch.arn, &*batch.shard])
}

/// Whether it is too old to count. A clock that was set back a little makes nothing old.
fn is_old(state: &State, now_ms: u64) -> bool {
    now_ms.abs_diff(state.written_at_ms) >= AGE_MS_MAX
}

/// How many records of a batch that begins are settled, by what is remembered. None unless it begins with the very
/// records that were settled then, all of them, and runs with the same release.
fn settled_before(state: &State, batch: &Batch, release: &Name) -> usize {
    let settled = state.settled as usize;
    let Some(records) = batch.records.get(..settled) else { return 0 };
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return 0 };
    let is_same = state.release == *release
        && state.first == first.sequence_number
        && state.settled_last == last.sequence_number
        && state.digest == records.iter().fold(0, |digest, record| slot::roll(digest, &record.sequence_number));
    if is_same { settled } else { 0 }
}

/// Whether a batch has records from where a remembered one was.
fn overlaps(state: &State, batch: &Batch) -> bool {
    let at = |record: Option<&Record>, other: &str| {
        record.map_or(Ordering::Equal, |record| compare_sequence_numbers(&record.sequence_number, other))
    };
    at(batch.records.first(), &state.last) != Ordering::Greater
        && at(batch.records.last(), &state.first) != Ordering::Less
}
