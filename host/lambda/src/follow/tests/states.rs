//! The state machine as a table: what has happened, what happens now, and what follows.

use crate::follow::not_taken::NotTaken;
use crate::follow::probation::{Batch, EVENTS_PASSED, Ending, TIME_PASSED};
use crate::follow::state::{Action, Event, Live, Named, Note, Source, Started, State};
use pipeline::FailureKind;
use registry::ReleaseId;
use std::time::{Duration, Instant};

/// Release 1, 2, 3 …; 0 is the package.
fn source(number: u8) -> Source {
    if number == 0 { Source::Package } else { Source::Release(release(number)) }
}

fn release(number: u8) -> ReleaseId {
    format!("{number:064}").parse().unwrap()
}

fn named(revision: u64, number: u8) -> Named {
    Named { release: release(number), revision, forced: false }
}

/// The channel has moved to a release.
fn moved(revision: u64, number: u8) -> Event {
    Event::Moved(named(revision, number))
}

/// The same, by somebody who insists.
fn forced(revision: u64, number: u8) -> Event {
    Event::Moved(Named { forced: true, ..named(revision, number) })
}

fn loaded(number: u8) -> Event {
    Event::Loaded(source(number))
}

fn why(kind: &'static str, transient: bool) -> NotTaken {
    NotTaken { kind, reason: "as told".to_owned(), transient }
}

/// A release could not be had now.
fn unavailable(number: u8) -> Event {
    Event::NotLoaded(source(number), why("unavailable", true))
}

/// A release is refused for good.
fn refused(number: u8) -> Event {
    Event::NotLoaded(source(number), why("test-records", false))
}

/// A batch of this many events that all came through.
fn good(number: u8, events: u64) -> Event {
    let batch = Batch { events, through: events, documents: events, ..Batch::default() };
    Event::Ran(source(number), batch)
}

/// A batch of a hundred events of which this many fail.
fn failing(number: u8, failures: u64) -> Event {
    let failures_by_kind = [(FailureKind::Reject, failures)].into();
    let through = 100 - failures;
    let batch = Batch { events: 100, through, documents: through, failures: failures_by_kind, ..Batch::default() };
    Event::Ran(source(number), batch)
}

/// An invocation that failed.
fn crashed(number: u8) -> Event {
    Event::Ran(source(number), Batch { ending: Ending::Crashed, ..Batch::default() })
}

/// A host that started with what the channel holds at revision 1, and has settled.
fn settled(number: u8) -> State {
    let started = Started { live: Live::Wanted, ..start(number, 1, number) };
    let mut state = State::started(Started { channel: None, ..started });
    state.on(begun(), moved(1, number));
    state.on(begun(), good(number, 1_000));
    state
}

/// A start that runs one release while the channel names another.
fn start(running: u8, revision: u64, live: u8) -> Started {
    Started {
        running: source(running),
        channel: Some(named(revision, live)),
        live: Live::Wanted,
        others: Vec::new(),
        at: begun(),
    }
}

/// A cold start on what the channel names at revision 2, with others to go to.
fn cold(number: u8, others: &[u8]) -> State {
    let others = others.iter().map(|number| source(*number)).collect();
    State::started(Started { others, ..start(number, 2, number) })
}

fn begun() -> Instant {
    use std::sync::OnceLock;
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    *BEGUN.get_or_init(Instant::now)
}

/// A release as the table writes it.
fn short(source: Source) -> String {
    let number = source.release().map_or(0, |id| id.to_string().trim_start_matches('0').parse().unwrap());
    if number == 0 { "package".to_owned() } else { number.to_string() }
}

fn action(action: &Action) -> String {
    match action {
        Action::Swap => "swap".to_owned(),
        Action::Discard => "discard".to_owned(),
        Action::GoBack(to) => format!("back to {}", short(*to)),
        Action::Hurry => "hurry".to_owned(),
        Action::Record(verdict) => {
            let of = short(Source::Release(verdict.release));
            format!("record {of}@{} {:?}", verdict.revision, verdict.outcome).to_lowercase()
        }
        Action::Note(note) => format!("note {}", noted(note)),
    }
}

fn noted(note: &Note) -> String {
    let of = |release: &ReleaseId| short(Source::Release(*release));
    match note {
        Note::Swapped { named, on_probation: true, .. } => format!("{} on probation", of(&named.release)),
        Note::Swapped { named, on_probation: false, .. } => format!("{} runs", of(&named.release)),
        Note::Returned { verdict, to } => format!("{} left for {}", of(&verdict.release), short(*to)),
        Note::Passed { release, revision } => format!("{}@{revision} passed", of(release)),
        Note::Refused(Some(named), _) => format!("{} refused", of(&named.release)),
        Note::Refused(None, _) => "pointer refused".to_owned(),
        Note::LookFailed(_) => "no look".to_owned(),
        Note::LoadFailed(source, _) => format!("no {}", short(*source)),
        Note::Stuck { release, .. } => format!("stuck on {}", of(release)),
    }
}

/// What runs, what is kept, and what is wanted.
fn shown(state: &State) -> String {
    let list = |sources: Vec<Source>| sources.into_iter().map(short).collect::<Vec<_>>().join(" ");
    let mut shown = format!("runs {}", short(state.running()));
    if let Some(kept) = state.kept() {
        shown.push_str(&format!(", keeps {}", short(kept)));
    }
    if !state.wanted().is_empty() {
        shown.push_str(&format!(", wants {}", list(state.wanted())));
    }
    shown
}

/// What has happened to a host, then one event more: what is to be done, and what is so after that.
fn check(mut state: State, given: &[Event], when: Event, actions: &[&str], then: &str) {
    for event in given {
        state.on(begun(), event.clone());
    }
    check_at(begun(), &mut state, when, actions, then);
}

fn check_at(at: Instant, state: &mut State, when: Event, actions: &[&str], then: &str) {
    let before = shown(state);
    let done: Vec<String> = state.on(at, when.clone()).iter().map(action).collect();
    assert_eq!(done, actions, "{before}: {when:?}");
    assert_eq!(shown(state), then, "{before}: {when:?}");
}

#[test]
fn a_release_is_taken_and_passes_or_is_left() {
    let swapped = || vec![moved(2, 2), loaded(2)];
    check(settled(1), &[], moved(2, 2), &[], "runs 1, wants 2");
    check(settled(1), &[moved(2, 2)], loaded(2), &["swap", "note 2 on probation"], "runs 2, keeps 1");
    check(settled(1), &swapped(), good(2, 100), &[], "runs 2, keeps 1");
    // A batch that ran the one before says nothing about it.
    check(settled(1), &swapped(), failing(1, 100), &[], "runs 2, keeps 1");
    check(settled(1), &swapped(), good(2, EVENTS_PASSED), &["record 2@2 passed", "note 2@2 passed"], "runs 2");
    let left = ["back to 1", "record 2@2 returned", "note 2 left for 1"];
    check(settled(1), &swapped(), failing(2, 16), &left, "runs 1");
    // Until the channel moves, it is not taken again: neither after another look, nor when it is loaded all the same.
    let has_left = || [swapped(), vec![failing(2, 16)]].concat();
    check(settled(1), &has_left(), Event::Unmoved, &[], "runs 1");
    check(settled(1), &has_left(), loaded(2), &["discard"], "runs 1");
    check(settled(1), &has_left(), moved(3, 3), &[], "runs 1, wants 3");
    // Promoting it again has it tried again, and forcing it has it run, whatever it does.
    check(settled(1), &has_left(), moved(3, 2), &[], "runs 1, wants 2");
    let again = [has_left(), vec![moved(3, 2)]].concat();
    check(settled(1), &again, loaded(2), &["swap", "note 2 on probation"], "runs 2, keeps 1");
    let insisted = [has_left(), vec![forced(3, 2)]].concat();
    check(settled(1), &insisted, loaded(2), &["swap", "note 2 runs"], "runs 2");
    check(settled(1), &[insisted, vec![loaded(2)]].concat(), failing(2, 100), &[], "runs 2");
}

#[test]
fn a_quiet_stream_passes_with_time_and_one_that_never_worked_does_not() {
    let later = begun() + TIME_PASSED;
    let mut state = settled(1);
    state.on(begun(), moved(2, 2));
    state.on(begun(), loaded(2));
    let mut broken = state.clone();
    check_at(later - Duration::from_secs(1), &mut state, good(2, 1), &[], "runs 2, keeps 1");
    check_at(later, &mut state, good(2, 1), &["record 2@2 passed", "note 2@2 passed"], "runs 2");
    check_at(later, &mut broken, crashed(2), &[], "runs 2, keeps 1");
    // Without a baseline it passes here; that is nothing to tell other hosts.
    let mut unknown = State::started(Started { channel: None, ..start(0, 1, 1) });
    unknown.on(begun(), moved(2, 2));
    unknown.on(begun(), loaded(2));
    check_at(later, &mut unknown, good(2, 1), &["note 2@2 passed"], "runs 2");
}

#[test]
fn a_release_with_which_every_invocation_fails_is_left() {
    let mut state = settled(1);
    (0..5).for_each(|_| drop(state.on(begun(), good(1, 10))));
    state.on(begun(), moved(2, 2));
    state.on(begun(), loaded(2));
    (0..4).for_each(|_| check_at(begun(), &mut state, crashed(2), &[], "runs 2, keeps 1"));
    let left = ["back to 1", "record 2@2 returned", "note 2 left for 1"];
    check_at(begun(), &mut state, crashed(2), &left, "runs 1");
}

#[test]
fn a_second_move_during_a_probation_keeps_what_passed_last() {
    let given = || vec![moved(2, 2), loaded(2), good(2, 10), moved(3, 3)];
    check(settled(1), &given(), loaded(3), &["swap", "note 3 on probation"], "runs 3, keeps 1");
    let both = || [given(), vec![loaded(3)]].concat();
    check(settled(1), &both(), failing(3, 50), &["back to 1", "record 3@3 returned", "note 3 left for 1"], "runs 1");
    // What was on probation is compared with what passed, not with what came in between.
    let second_is_bad = vec![moved(2, 2), loaded(2), failing(2, 4), moved(3, 3), loaded(3)];
    check(
        settled(1),
        &second_is_bad,
        failing(3, 6),
        &["back to 1", "record 3@3 returned", "note 3 left for 1"],
        "runs 1",
    );
    // The channel goes back during the probation: that release has passed.
    let back = vec![moved(2, 2), loaded(2), moved(3, 1)];
    check(settled(1), &back, loaded(1), &["swap", "note 1 runs"], "runs 1");
    // Promoted again during its probation: it is judged at the new revision, so that it is avoided there.
    let again = vec![moved(2, 2), loaded(2), moved(3, 2)];
    check(settled(1), &again, failing(2, 50), &["back to 1", "record 2@3 returned", "note 2 left for 1"], "runs 1");
    check(settled(1), &[again, vec![failing(2, 50)]].concat(), Event::Unmoved, &[], "runs 1");
    // Forced during its probation: that is over.
    check(settled(1), &[moved(2, 2), loaded(2), forced(3, 2)], failing(2, 50), &[], "runs 2");
}

#[test]
fn a_swap_and_a_return_may_cross() {
    // While 3 is loaded, 2 is left for 1: then 3 runs, and 1 is what it falls back to.
    let crossed = vec![moved(2, 2), loaded(2), moved(3, 3), failing(2, 50)];
    check(settled(1), &crossed, loaded(3), &["swap", "note 3 on probation"], "runs 3, keeps 1");
    check(
        settled(1),
        &[crossed, vec![loaded(3)]].concat(),
        failing(3, 50),
        &["back to 1", "record 3@3 returned", "note 3 left for 1"],
        "runs 1",
    );
    // While 2 is loaded, the channel moves on.
    check(settled(1), &[moved(2, 2), moved(3, 3)], loaded(2), &["discard"], "runs 1, wants 3");
}

#[test]
fn what_a_start_did_not_take_is_taken_later_only_if_nothing_is_wrong_with_it() {
    let started = |live, running| State::started(Started { live, ..start(running, 2, 2) });
    // Its code was not compiled for this engine, or the store was slow.
    check(started(Live::Wanted, 1), &[], Event::Unmoved, &[], "runs 1, wants 2");
    check(started(Live::Wanted, 1), &[], loaded(2), &["swap", "note 2 on probation"], "runs 2, keeps 1");
    // It was refused, or hosts of the channel have left it.
    for live in [Live::Refused, Live::Left] {
        check(started(live, 1), &[], Event::Unmoved, &[], "runs 1");
        check(started(live, 1), &[], loaded(2), &["discard"], "runs 1");
        check(started(live, 1), &[], moved(3, 2), &[], "runs 1, wants 2");
        check(started(live, 0), &[], moved(3, 3), &[], "runs package, wants 3");
    }
    // There was nothing else to run.
    check(started(Live::Left, 2), &[], failing(2, 100), &[], "runs 2");
}

#[test]
fn a_host_that_has_run_nothing_else_leaves_for_what_it_can_load() {
    let bad = || failing(2, 100);
    check(cold(2, &[1, 0]), &[], failing(2, 99), &[], "runs 2");
    check(cold(2, &[1, 0]), &[], bad(), &["hurry"], "runs 2, wants 1 package");
    check(cold(2, &[1, 0]), &[bad()], bad(), &[], "runs 2, wants 1 package");
    let left = ["swap", "record 2@2 returned", "note 2 left for 1"];
    check(cold(2, &[1, 0]), &[bad()], loaded(1), &left, "runs 1");
    check(cold(2, &[1, 0]), &[bad(), loaded(1)], Event::Unmoved, &[], "runs 1");
    check(cold(2, &[1, 0]), &[bad()], unavailable(1), &["note no 1"], "runs 2, wants 1 package");
    check(cold(2, &[1, 0]), &[bad()], refused(1), &["note no 1"], "runs 2, wants package");
    let left = ["swap", "record 2@2 returned", "note 2 left for package"];
    check(cold(2, &[1, 0]), &[bad(), refused(1)], loaded(0), &left, "runs package");
    check(cold(2, &[1]), &[bad()], refused(1), &["note no 1", "note stuck on 2"], "runs 2");
    check(cold(2, &[]), &[], bad(), &["note stuck on 2"], "runs 2");
    // The channel moves on meanwhile: that comes first, and what was bad is not what it falls back to.
    check(cold(2, &[1]), &[bad()], moved(3, 3), &[], "runs 2, wants 3 1");
    check(cold(2, &[1]), &[bad(), moved(3, 3)], loaded(3), &["swap", "note 3 on probation"], "runs 3");
    check(cold(2, &[1]), &[bad(), moved(3, 3), loaded(3)], failing(3, 100), &["hurry"], "runs 3, wants 1");
    let left = ["swap", "record 2@2 returned", "note 2 left for 1"];
    check(cold(2, &[1]), &[bad(), moved(3, 3)], loaded(1), &left, "runs 1, wants 3");
    // Promoted again: it is tried again.
    check(cold(2, &[1]), &[bad()], moved(3, 2), &[], "runs 2");
    check(cold(2, &[1]), &[bad(), moved(3, 2)], bad(), &["hurry"], "runs 2, wants 1");
    check(cold(2, &[1]), &[bad()], forced(3, 2), &[], "runs 2");
    // A start is not announced as a probation, and passes without a word.
    check(cold(2, &[1]), &[], good(2, EVENTS_PASSED), &[], "runs 2");
    // A second release before the first one has passed: nothing has, so it falls back to the first one.
    check(cold(2, &[1]), &[good(2, 100), moved(3, 3)], loaded(3), &["swap", "note 3 on probation"], "runs 3, keeps 2");
    let seen_before = [good(2, 100), moved(3, 3), loaded(3)];
    check(
        cold(2, &[1]),
        &seen_before,
        failing(3, 6),
        &["back to 2", "record 3@3 returned", "note 3 left for 2"],
        "runs 2",
    );
}

#[test]
fn a_forced_release_has_no_probation_from_the_start_on_either() {
    let insisted = Named { forced: true, ..named(2, 2) };
    let state = State::started(Started { channel: Some(insisted), others: vec![source(1)], ..start(2, 2, 2) });
    check(state, &[], failing(2, 100), &[], "runs 2");
}

#[test]
fn trouble_is_told_once_until_it_is_over() {
    let look = |kind, transient| Event::LookFailed(why(kind, transient));
    let away = || look("unavailable", true);
    check(settled(1), &[], away(), &["note no look"], "runs 1");
    check(settled(1), &[away()], away(), &[], "runs 1");
    check(settled(1), &[away()], look("went-back", false), &["note pointer refused"], "runs 1");
    check(settled(1), &[away(), look("went-back", false)], away(), &[], "runs 1");
    check(settled(1), &[away(), Event::Unmoved], away(), &["note no look"], "runs 1");
    // A release that cannot be fetched is told once, however many good looks there are.
    let moved_on = || vec![moved(2, 2), unavailable(2), Event::Unmoved];
    check(settled(1), &[moved(2, 2)], unavailable(2), &["note no 2"], "runs 1, wants 2");
    check(settled(1), &moved_on(), unavailable(2), &[], "runs 1, wants 2");
    check(settled(1), &[moved_on(), vec![moved(3, 2)]].concat(), unavailable(2), &["note no 2"], "runs 1, wants 2");
    // What is refused for good is not tried again.
    check(settled(1), &moved_on(), refused(2), &["note 2 refused"], "runs 1");
    check(settled(1), &[moved_on(), vec![refused(2)]].concat(), Event::Unmoved, &[], "runs 1");
    check(settled(1), &[moved_on(), vec![refused(2)]].concat(), moved(3, 3), &[], "runs 1, wants 3");
    // It does not end the probation of what runs.
    let during = vec![moved(2, 2), loaded(2), moved(3, 3), refused(3)];
    check(settled(1), &during, failing(2, 50), &["back to 1", "record 2@2 returned", "note 2 left for 1"], "runs 1");
}
