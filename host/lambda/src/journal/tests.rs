//! What is remembered, and what is not: nothing is skipped that was not settled, and nothing is run that killed twice.

use super::sheet::{FILES_MAX, Sheet};
use super::slot::{FILE_BYTES, Name, Phase, SLOT_BYTES, State, roll};
use super::{AGE_MS_MAX, Begun, DEATHS_MAX, Journal, lane};
use crate::batch::{Batch, Encoded, Record};
use crate::time::Clock;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const RELEASE: Name = [1; 32];
const SHARD: &str = "shardId-000000000001";

/// A folder, and a clock that a test sets.
struct Desk {
    folder: tempfile::TempDir,
    now_ms: Arc<AtomicU64>,
}

impl Desk {
    fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap(), now_ms: Arc::new(AtomicU64::new(1_798_761_600_000)) }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    /// The journal of a process that starts. A process dies when everything of its journal is dropped.
    fn process(&self) -> Journal {
        let now_ms = Arc::clone(&self.now_ms);
        let clock = Clock { wall_ms: Arc::new(move || now_ms.load(Ordering::Relaxed)), ..Clock::system() };
        Journal::open(&self.path(), clock)
    }

    /// Begins a batch and dies when so many of its records are settled.
    fn die(&self, batch: &Arc<Batch>, release: &Name, settled: usize) {
        let begun = self.process().begin(batch, release);
        begun.page.unwrap().advance(settled);
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn number(n: u64) -> String {
    format!("4959033827149025660855969253836157109592157598913658{n:04}")
}

fn batch_of(shard: &str, arn: &str, numbers: impl IntoIterator<Item = u64>) -> Arc<Batch> {
    let record = |n: u64| Record {
        id: format!("{shard}:{}", number(n)).into(),
        sequence_number: number(n).into(),
        partition_key: "key".into(),
        arrived_at_ms: 0,
        data: Encoded::Missing,
    };
    let records = numbers.into_iter().map(record).collect();
    Arc::new(Batch { arn: arn.into(), stream: "clicks".into(), shard: shard.into(), records })
}

fn batch(numbers: impl IntoIterator<Item = u64>) -> Arc<Batch> {
    batch_of(SHARD, "arn", numbers)
}

/// What a start knows of a batch: records that are settled, deaths, and deaths of single records.
fn known(begun: &Begun) -> (usize, usize, Vec<(usize, u32)>) {
    (begun.settled, begun.deaths, begun.deaths_of.iter().map(|(at, deaths)| (*at, *deaths)).collect())
}

fn state() -> State {
    let state = State::begin(&batch(1..=9), [7; 32], &RELEASE, 4, 12);
    State { noted: Some(number(5).into()), ..state }
}

#[test]
fn a_slot_says_what_was_written_and_nothing_else_does() {
    let longest = "9".repeat(88);
    let longest = State {
        first: longest.clone().into(),
        last: longest.clone().into(),
        settled_last: longest.clone().into(),
        noted: Some(longest.into()),
        ..state()
    };
    for state in [
        state(),
        State { noted: None, phase: Phase::Failed, ..state() },
        State { phase: Phase::Answered, ..state() },
        longest,
    ] {
        let slot = state.encode(3);
        assert_eq!(State::decode(&slot), Some((3, state)));
        for at in 0..SLOT_BYTES {
            let mut spoiled = slot;
            spoiled[at] ^= 1;
            assert_eq!(State::decode(&spoiled), None, "byte {at}");
        }
    }
}

/// A write that is torn spoils one slot: the other one is what was so before.
#[test]
fn a_torn_write_leaves_what_was_before() {
    let (before, after) = (state(), State { settled: 5, settled_last: number(5).into(), ..state() });
    for torn_at in [0, 1, 7, 8, 100, 300, SLOT_BYTES - 8, SLOT_BYTES - 1] {
        let mut file = [0; FILE_BYTES];
        file[..SLOT_BYTES].copy_from_slice(&before.encode(1));
        file[SLOT_BYTES..].copy_from_slice(&State { noted: None, ..before.clone() }.encode(0));
        file[SLOT_BYTES..][..torn_at].copy_from_slice(&after.encode(2)[..torn_at]);
        let newest = State::newest(&file).unwrap().1;
        let is_whole = torn_at == SLOT_BYTES - 1 && after.encode(2)[SLOT_BYTES - 1] == file[FILE_BYTES - 1];
        assert_eq!(newest, if is_whole { after.clone() } else { before.clone() }, "torn at {torn_at}");
    }
    // In a file: the later write goes over the older slot.
    let desk = Desk::new();
    let journal = desk.process();
    let begun = journal.begin(&batch(1..=9), &RELEASE);
    let page = begun.page.unwrap();
    page.advance(3);
    page.advance(6);
    drop((page, journal));
    let file =
        desk.files().into_iter().find(|file| std::fs::read(file).unwrap().iter().any(|byte| *byte != 0)).unwrap();
    // Begun, 3 and 6 are the generations 1 to 3: the third is in the second slot.
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[9; 40], SLOT_BYTES as u64 + 200)
        .unwrap();
    assert_eq!(desk.process().begin(&batch(1..=9), &RELEASE).settled, 3);
}

#[test]
fn a_digest_tells_lists_apart() {
    let digest = |numbers: &[String]| numbers.iter().fold(0, |digest, number| roll(digest, number));
    let list: Vec<String> = (1..=50).map(number).collect();
    let mut lists = vec![list.clone()];
    for at in 0..list.len() {
        lists.push([&list[..at], &list[at + 1..]].concat());
        for digit in 0..list[at].len() {
            let mut changed = list.clone();
            let other = if &changed[at][digit..=digit] == "1" { "2" } else { "1" };
            changed[at].replace_range(digit..=digit, other);
            lists.push(changed);
        }
    }
    lists.push([&list[1..2], &list[..1], &list[2..]].concat());
    lists.push(vec![list.concat()]);
    let different: BTreeSet<u64> = lists.iter().map(|list| digest(list)).collect();
    assert_eq!(different.len(), lists.iter().collect::<BTreeSet<_>>().len());
}

/// What comes again after a death, and how many of its records are skipped.
#[test]
fn only_what_was_settled_of_the_very_same_batch_is_skipped() {
    let (same, other_release) = (RELEASE, [2; 32]);
    let gap = (1..=9).filter(|n| *n != 3);
    for (name, again, release, settled) in [
        ("the same batch", batch(1..=9), same, 5),
        ("a longer one", batch(1..=20), same, 5),
        ("a shorter one that has all that is settled", batch(1..=5), same, 5),
        ("a shorter one", batch(1..=4), same, 0),
        ("one that begins later", batch(2..=9), same, 0),
        ("one that begins earlier", batch(0..=9), same, 0),
        ("another release", batch(1..=9), other_release, 0),
        ("another shard", batch_of("shardId-000000000002", "arn", 1..=9), same, 0),
        ("another stream", batch_of(SHARD, "other", 1..=9), same, 0),
        ("one with a record less in the settled part", batch(gap), same, 0),
        ("one with another record in the settled part", batch([1, 2, 30, 4, 5, 6, 7, 8, 9]), same, 0),
        ("one with other records behind it", batch([1, 2, 3, 4, 5, 60, 70]), same, 5),
    ] {
        let desk = Desk::new();
        desk.die(&batch(1..=9), &RELEASE, 5);
        assert_eq!(desk.process().begin(&again, &release).settled, settled, "{name}");
    }
}

#[test]
fn what_is_older_than_an_hour_is_forgotten() {
    for (later_ms, settled, files) in
        [(0, 5, 2), (AGE_MS_MAX as i64 - 1, 5, 2), (AGE_MS_MAX as i64, 0, 1), (-1, 5, 2), (-(AGE_MS_MAX as i64), 0, 1)]
    {
        let desk = Desk::new();
        desk.die(&batch(1..=9), &RELEASE, 5);
        desk.now_ms.fetch_add(later_ms as u64, Ordering::Relaxed);
        let begun = desk.process().begin(&batch(1..=9), &RELEASE);
        assert_eq!((begun.settled, begun.deaths), (settled, usize::from(settled > 0)), "after {later_ms} ms");
        assert_eq!(desk.files().len(), files, "after {later_ms} ms");
        // Nor does a process that lives on remember it.
        let desk = Desk::new();
        desk.die(&batch(1..=9), &RELEASE, 5);
        let journal = desk.process();
        desk.now_ms.fetch_add(later_ms as u64, Ordering::Relaxed);
        assert_eq!(journal.begin(&batch(1..=9), &RELEASE).settled, settled, "after {later_ms} ms in one process");
    }
}

#[test]
fn a_batch_runs_carefully_where_a_process_died() {
    for (name, again, deaths) in [
        ("the same batch", batch(11..=19), 1),
        ("its first record", batch(1..=11), 1),
        ("its last record", batch(19..=30), 1),
        ("one inside", batch(14..=15), 1),
        ("one before", batch(1..=10), 0),
        ("one behind", batch(20..=30), 0),
        ("another shard", batch_of("shardId-000000000002", "arn", 11..=19), 0),
    ] {
        let desk = Desk::new();
        desk.die(&batch(11..=19), &RELEASE, 3);
        let journal = desk.process();
        assert_eq!(journal.deaths(), 1);
        assert_eq!(journal.begin(&again, &[9; 32]).deaths, deaths, "{name}, whatever the release");
    }
}

#[test]
fn deaths_are_counted_for_the_record_that_was_noted() {
    let desk = Desk::new();
    desk.die(&batch(1..=9), &RELEASE, 2);
    for deaths in 1..=DEATHS_MAX {
        let begun = desk.process().begin(&batch(1..=9), &RELEASE);
        let page = begun.page.as_ref().unwrap();
        page.note(3);
        page.clear();
        page.note(4);
        drop(begun);
        let journal = desk.process();
        // In whatever batch it comes, and whoever had it and lived adds nothing.
        for (numbers, settled, at) in [(3..=30, 0, 2), (1..=9, 2, 4), (5..=5, 0, 0)] {
            let begun = journal.begin(&batch(numbers), &RELEASE);
            assert_eq!(known(&begun), (settled, deaths as usize + 1, vec![(at, deaths)]));
            journal.end(begun.page.as_ref().unwrap(), true);
        }
        assert_eq!(journal.begin(&batch(6..=30), &RELEASE).deaths_of, BTreeMap::new());
        drop(journal);
        // That last batch was under way.
        let of_it = |file: &std::path::PathBuf| last_of(file) == number(30);
        desk.files().into_iter().filter(of_it).for_each(|file| std::fs::remove_file(file).unwrap());
    }
}

/// The last record of the batch that a file is about.
fn last_of(file: &Path) -> String {
    let bytes: [u8; FILE_BYTES] = std::fs::read(file).unwrap().try_into().unwrap();
    State::newest(&bytes).map_or_else(String::new, |(_, state)| state.last.to_string())
}

#[test]
fn a_batch_that_failed_or_was_answered_goes_on_where_it_stopped_and_is_no_death() {
    for is_answered in [true, false] {
        let desk = Desk::new();
        let journal = desk.process();
        let page = journal.begin(&batch(1..=9), &RELEASE).page.unwrap();
        page.advance(4);
        journal.end(&page, is_answered);
        drop(page);
        // A batch that was answered is only remembered past the process: its answer may not have arrived.
        let begun = journal.begin(&batch(1..=9), &RELEASE);
        assert_eq!(known(&begun), (if is_answered { 0 } else { 4 }, 0, vec![]), "{is_answered}");
        let page = begun.page.unwrap();
        page.advance(6);
        journal.end(&page, is_answered);
        drop((page, journal));
        assert_eq!(known(&desk.process().begin(&batch(1..=9), &RELEASE)), (6, 0, vec![]), "{is_answered}");
    }
}

#[test]
fn files_are_used_again() {
    let desk = Desk::new();
    let journal = desk.process();
    for n in 0..100 {
        let page = journal.begin(&batch(n * 10..n * 10 + 9), &RELEASE).page.unwrap();
        page.advance(9);
        journal.end(&page, true);
    }
    assert_eq!((desk.files().len(), journal.take_trouble()), (1, vec![]));
}

#[test]
fn two_processes_that_live_leave_each_other_alone() {
    let desk = Desk::new();
    let one = desk.process();
    let page = one.begin(&batch(1..=9), &RELEASE).page.unwrap();
    page.advance(5);
    let other = desk.process();
    assert_eq!(other.deaths(), 0);
    assert_eq!(known(&other.begin(&batch(1..=9), &RELEASE)), (0, 0, vec![]));
    drop((one, page));
    assert_eq!(desk.process().begin(&batch(1..=9), &RELEASE).settled, 5);
}

/// Whatever lies in the folder, a start takes note of it and goes on.
#[test]
fn what_is_not_a_journal_is_left_alone_and_told() {
    let desk = Desk::new();
    desk.die(&batch(1..=9), &RELEASE, 5);
    let path = |name: &str| desk.path().join(name);
    std::fs::write(path("empty.journal"), "").unwrap();
    std::fs::write(path("short.journal"), [7; FILE_BYTES - 1]).unwrap();
    std::fs::write(path("noise.journal"), [7; FILE_BYTES]).unwrap();
    std::fs::File::create(path("huge.journal")).unwrap().set_len(1 << 40).unwrap();
    std::fs::create_dir(path("folder.journal")).unwrap();
    symlink("/dev/zero", path("link.journal")).unwrap();
    symlink(path("noise.journal"), path("loop.journal")).unwrap();
    std::fs::write(path("something else"), [7; FILE_BYTES]).unwrap();
    let journal = desk.process();
    let ignored = journal.take_ignored();
    assert_eq!(ignored.len(), 7, "{ignored:#?}");
    for name in ["empty", "short", "noise", "huge", "folder", "link", "loop"] {
        assert!(ignored.iter().any(|told| told.contains(&format!("{name}.journal"))), "{name}: {ignored:#?}");
    }
    assert_eq!(journal.begin(&batch(1..=9), &RELEASE).settled, 5);
    assert!(path("noise.journal").exists() && path("something else").exists());
}

#[test]
fn a_link_to_a_journal_is_not_followed() {
    let (desk, other) = (Desk::new(), Desk::new());
    other.die(&batch(1..=9), &RELEASE, 5);
    drop(desk.process());
    for (n, file) in other.files().iter().enumerate() {
        symlink(file, desk.path().join(format!("{n}.journal"))).unwrap();
    }
    assert_eq!(known(&desk.process().begin(&batch(1..=9), &RELEASE)), (0, 0, vec![]));
    // Nor is a folder that is a link, or that others may write to.
    let linked = Desk::new();
    symlink(other.path(), linked.path()).unwrap();
    let open = Desk::new();
    std::fs::create_dir(open.path()).unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    for (desk, words) in [(linked, "is not a folder"), (open, "others may write")] {
        let journal = desk.process();
        let trouble = journal.take_trouble();
        assert!(trouble.len() == 1 && trouble[0].contains(words), "{trouble:?}");
        let begun = journal.begin(&batch(1..=9), &RELEASE);
        assert!(begun.page.is_none() && known(&begun) == (0, 0, vec![]));
        assert!(journal.take_trouble().is_empty(), "told once");
    }
}

#[test]
fn more_files_than_are_read_are_no_harm() {
    let desk = Desk::new();
    for n in 0..FILES_MAX as u64 + 10 {
        drop(
            Sheet::create(
                &{
                    drop(desk.process());
                    desk.path()
                },
                n,
            )
            .unwrap(),
        );
        std::fs::write(desk.path().join(format!("{n}.journal")), [7; FILE_BYTES]).unwrap();
    }
    desk.die(&batch(1..=9), &RELEASE, 5);
    let journal = desk.process();
    assert!(journal.take_ignored().len() < FILES_MAX);
    assert_eq!(journal.begin(&batch(1..=9), &RELEASE).settled, 5);
}

#[test]
fn numbers_that_are_too_long_are_trouble_and_nothing_worse() {
    let long = "9".repeat(89);
    let record = |number: &str| Record { sequence_number: number.to_owned().into(), ..batch([1]).records[0].clone() };
    for (numbers, has_page) in [([&*long, "1"], false), (["1", &*long], false), (["1", "2"], true)] {
        let records = numbers.map(record).to_vec();
        let batch = Arc::new(Batch { records, ..Batch::clone(&batch([])) });
        let desk = Desk::new();
        let journal = desk.process();
        let begun = journal.begin(&batch, &RELEASE);
        assert_eq!((begun.page.is_some(), journal.take_trouble().len()), (has_page, usize::from(!has_page)));
    }
    // In the middle.
    let records = ["1", &*long, "2"].map(record).to_vec();
    let batch = Arc::new(Batch { records, ..Batch::clone(&batch([])) });
    let desk = Desk::new();
    let journal = desk.process();
    let page = journal.begin(&batch, &RELEASE).page.unwrap();
    page.note(1);
    page.advance(1);
    assert!(journal.take_trouble().is_empty());
    page.advance(2);
    page.advance(3);
    assert_eq!(journal.take_trouble().len(), 1);
    journal.end(&page, true);
    assert_eq!(lane(&batch).len(), 32);
}

/// What happens to a process and its batch.
#[derive(Clone, Debug)]
enum Act {
    /// A batch of these records comes. One record after the other is run, and what was run is settled now and then; the
    /// process dies when it has run so many records, before or after it settles, or in the middle of one.
    Comes { records: Range<u64>, dies_after: Option<(usize, bool)>, settles_every: usize, is_answered: bool },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let dies_after = proptest::option::weighted(0.8, (0..14_usize, any::<bool>()));
    let records = (0..4_u64, 1..14_u64).prop_map(|(first, more)| first..first + more);
    let act = (records, dies_after, 1..5_usize, any::<bool>());
    let act = act.prop_map(|(records, dies_after, settles_every, is_answered)| Act::Comes {
        records,
        dies_after,
        settles_every,
        is_answered,
    });
    proptest::collection::vec(act, 1..30)
}

/// Runs batches one after the other, as the handler does, and checks what is skipped and what is run.
fn run(acts: &[Act]) {
    let desk = Desk::new();
    let (mut settled, mut deaths): (BTreeSet<u64>, BTreeMap<u64, u32>) = Default::default();
    let mut journal = desk.process();
    for Act::Comes { records, dies_after, settles_every, is_answered } in acts {
        let numbers: Vec<u64> = records.clone().collect();
        let begun = journal.begin(&batch(numbers.iter().copied()), &RELEASE);
        let page = begun.page.as_ref().unwrap();
        assert!(numbers[..begun.settled].iter().all(|n| settled.contains(n)), "skips what was not settled: {acts:?}");
        let mut dies = false;
        for at in begun.settled..numbers.len() {
            let known = begun.deaths_of.get(&at).copied().unwrap_or(0);
            assert_eq!(known, deaths.get(&numbers[at]).copied().unwrap_or(0), "deaths of {}: {acts:?}", numbers[at]);
            dies = dies_after.is_some_and(|(after, _)| at - begun.settled == after);
            let is_run = begun.deaths > 0 && known < DEATHS_MAX;
            if is_run {
                page.note(at);
            }
            if dies && dies_after.is_some_and(|(_, in_the_middle)| in_the_middle) {
                *deaths.entry(numbers[at]).or_default() += u32::from(is_run);
                break;
            }
            if is_run {
                page.clear();
            }
            if dies {
                break;
            }
            if (at + 1).is_multiple_of(*settles_every) || at + 1 == numbers.len() {
                settled.extend(&numbers[..=at]);
                page.advance(at + 1);
            }
        }
        assert!(deaths.values().all(|deaths| *deaths <= DEATHS_MAX), "a record is run a third time: {acts:?}");
        if dies {
            drop((begun, journal));
            journal = desk.process();
        } else {
            journal.end(page, *is_answered);
        }
        assert!(journal.take_trouble().is_empty() && journal.take_ignored().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_skipped_that_was_not_settled_and_nothing_runs_that_killed_twice(acts in acts()) {
        run(&acts);
    }
}
