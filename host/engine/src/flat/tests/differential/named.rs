//! Cases that once ended differently, or that random modules do not reach, each by name.

use super::both::{Both, component, config, joined, run, step_of, words};
use super::draw::endless;
use crate::{Clock, Engine, LoadError, Mode};
use bytes::Bytes;
use pipeline::{Assets, Event};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const EVENTS: &str = "paddlewheel:transform/events@0.1.0";

/// A module: `a` stands at 16, `a..b` at 32, answers of calls go to 256, and room is at 2,048 and from there on.
/// `transform` does something, and answers with what stands at 768: the event as it is, if nothing was changed there.
fn module(imports: &[&str], pages: u32, more: &str, realloc: &str, transform: &str) -> String {
    let imports: String = imports.iter().map(|import| format!("(import {import})\n")).collect();
    format!(
        r#"(module {imports} (memory (export "memory") {pages})
  (data (i32.const 16) "a") (data (i32.const 32) "a..b") {more}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
  (func (export "paddlewheel:transform/plugin@0.1.0#init") (param i32 i32) (result i32) (i32.const 512))
  (func (export "paddlewheel:transform/plugin@0.1.0#transform") (param $e i32) (result i32) (local $at i32)
    (i32.store (i32.const 1024) (local.get $e)) (i32.store (i32.const 1028) (i32.const 0))
    (i32.store (i32.const 768) (i32.const 0)) (i32.store (i32.const 772) (i32.const 1024))
    (i32.store (i32.const 776) (i32.const 1))
    {transform}
    (i32.const 768)))"#
    )
}

fn import(name: &str, signature: &str) -> String {
    format!("\"{EVENTS}\" \"{name}\" (func {signature})")
}

const GOOD_ROOM: &str = "(i32.const 2048)";

/// How each of three events ends, the same both ways: its first words.
fn ends(module: &str, step: &str) -> Vec<String> {
    ends_of(&component(module), step, module)
}

fn ends_of(component: &[u8], step: &str, about: &str) -> Vec<String> {
    let events = vec![b"{\"a\":\"x\"}".to_vec(); 3];
    let ends = Both::counting_fuel().run(component, step, &events, about);
    ends.into_iter().map(|end| end.split(';').next().unwrap_or_default().to_owned()).collect()
}

const TRAPS: [&str; 3] = ["failed: trap"; 3];

#[test]
fn an_empty_list_of_outputs_is_aligned_too() {
    let answer = |list: i32| {
        let transform =
            format!("(i32.store (i32.const 772) (i32.const {list})) (i32.store (i32.const 776) (i32.const 0))");
        ends(&module(&[], 1, "", GOOD_ROOM, &transform), "")
    };
    assert_eq!(answer(4), ["0 outputs:  "; 3]);
    assert_eq!(answer(65_536), ["0 outputs:  "; 3]);
    for list in [1, 2, 3, 65_537, 65_540, -4] {
        assert_eq!(answer(list), TRAPS, "{list}");
    }
}

#[test]
fn a_handle_is_looked_at_before_what_comes_with_it() {
    let text = import("[method]event.text", "$text (param i32 i32 i32 i32)");
    let set = import("[method]event.set-text", "$set (param i32 i32 i32 i32 i32 i32)");
    let derive = import("[method]event.derive", "$derive (param i32 i32 i32) (result i32)");
    let remove = import("[method]event.remove", "$remove (param i32 i32 i32) (result i32)");
    let imports = [text.as_str(), &set, &derive, &remove];
    let kept = "(global $kept (mut i32) (i32.const 0))";
    // A path that is malformed would be `invalid-output`, and `derive` in a step of some fields `denied`.
    let calls = |handle: &str| {
        [
            format!("(call $text {handle} (i32.const 32) (i32.const 4) (i32.const 256))"),
            format!("(call $set {handle} (i32.const 32) (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 256))"),
            format!("(drop (call $remove {handle} (i32.const 32) (i32.const 4)))"),
            format!("(drop (call $derive {handle} (i32.const 16) (i32.const 1)))"),
        ]
    };
    let limits = "reads = [\"a\"]\nmay = [\"drop\", \"fan-out\"]";
    for call in calls("(i32.const 0)") {
        assert_eq!(ends(&module(&imports, 1, kept, GOOD_ROOM, &call), limits), TRAPS, "{call}");
    }
    for call in calls("(local.get $e)") {
        let ends = ends(&module(&imports, 1, kept, GOOD_ROOM, &call), limits);
        assert!(ends.iter().all(|end| end.starts_with("failed") && end != "failed: trap"), "{call}: {ends:?}");
    }
    // One of an earlier call is a handle that the plugin has, and leads nowhere.
    for call in calls("(global.get $kept)") {
        let keep = "(global.set $kept (local.get $e)) (i32.store (i32.const 776) (i32.const 0))";
        let call = format!("(if (global.get $kept) (then {call})) {keep}");
        let ends = ends(&module(&imports, 1, kept, GOOD_ROOM, &call), limits);
        // A second try is in a fresh instance, which has kept nothing.
        assert_eq!(ends, ["0 outputs:  "; 3], "{call}");
    }
}

#[test]
fn texts_of_one_call_are_bounded_together() {
    let rename = import("[method]event.rename", "$rename (param i32 i32 i32 i32 i32) (result i32)");
    let set = import("[method]event.set-text", "$set (param i32 i32 i32 i32 i32 i32)");
    let derive = import("[method]event.derive", "$derive (param i32 i32 i32) (result i32)");
    let imports = [rename.as_str(), &set, &derive];
    let half = (16 << 20) + 1;
    for call in [
        // Alone the path would be `invalid-output`, for its length.
        format!(
            "(drop (call $rename (local.get $e) (i32.const 0) (i32.const {half}) (i32.const 0) (i32.const {half})))"
        ),
        format!(
            "(call $set (local.get $e) (i32.const 0) (i32.const {half}) (i32.const 0) (i32.const {half}) (i32.const 256))"
        ),
        format!("(drop (call $derive (local.get $e) (i32.const 0) (i32.const {})))", 2 * half),
    ] {
        assert_eq!(ends(&module(&imports, 600, "", GOOD_ROOM, &call), ""), TRAPS, "{call}");
    }
}

#[test]
fn routes_of_one_answer_are_bounded_together() {
    let copy = import("[method]event.copy", "$copy (param i32) (result i32)");
    // A hundred outputs that name one route, which is longer than any.
    let answer = |bytes: u32| {
        let transform = format!(
            "(local.set $at (i32.const 0x10000))
             (loop $next
               (i32.store (local.get $at) (call $copy (local.get $e))) (i32.store offset=4 (local.get $at) (i32.const 1))
               (i32.store offset=8 (local.get $at) (i32.const 0x20000)) (i32.store offset=12 (local.get $at) (i32.const {bytes}))
               (local.set $at (i32.add (local.get $at) (i32.const 16)))
               (br_if $next (i32.lt_u (local.get $at) (i32.const {}))))
             (i32.store (i32.const 772) (i32.const 0x10000)) (i32.store (i32.const 776) (i32.const 100))",
            0x1_0000 + 1_600
        );
        let module = module(&[&copy], 32, "", GOOD_ROOM, &transform);
        ends(&module, "limits = { time_ms = 1000 }")
    };
    assert!(answer(300 << 10)[0].starts_with("100 outputs"));
    assert_eq!(answer(400 << 10), TRAPS);
}

#[test]
fn the_place_for_an_answer_is_looked_at_before_room_is_made() {
    let text = import("[method]event.text", "$text (param i32 i32 i32 i32)");
    let get = import("[method]event.get", "$get (param i32 i32 i32 i32)");
    let keys = import("[method]event.keys", "$keys (param i32 i32 i32 i32)");
    let data = import("[method]event.data", "$data (param i32 i32)");
    let id = import("[method]event.id", "$id (param i32 i32)");
    let imports = [text.as_str(), &get, &keys, &data, &id];
    let more = "(global $late (mut i32) (i32.const 0))";
    let room = "(if (global.get $late) (then (loop $ever (br $ever)))) (i32.const 2048)";
    for (call, arguments) in [
        ("$text", "(i32.const 16) (i32.const 1)"),
        ("$get", "(i32.const 16) (i32.const 1)"),
        ("$keys", "(i32.const 16) (i32.const 0)"),
        ("$data", ""),
        ("$id", ""),
    ] {
        for (to, end) in
            [(256, "failed: timeout"), (258, "failed: trap"), (65_533, "failed: trap"), (65_532, "failed: trap")]
        {
            let transform =
                format!("(global.set $late (i32.const 1)) (call {call} (local.get $e) {arguments} (i32.const {to}))");
            let ends = ends(&module(&imports, 1, more, room, &transform), "limits = { time_ms = 3 }");
            assert!(ends.iter().all(|found| found.starts_with(end)), "{call} {to}: {ends:?}");
        }
    }
}

#[test]
fn what_the_plugin_does_not_have_it_cannot_give_back() {
    let drop = import("[resource-drop]event", "$drop (param i32)");
    let kept = "(global $kept (mut i32) (i32.const 0))";
    let ends = |transform: &str| ends(&module(&[&drop], 1, kept, GOOD_ROOM, transform), "");
    assert_eq!(ends("(call $drop (i32.const 0))"), TRAPS);
    assert_eq!(ends("(call $drop (i32.const -1))"), TRAPS);
    let none = "(i32.store (i32.const 776) (i32.const 0))";
    assert_eq!(ends(&format!("(call $drop (local.get $e)) {none}")), ["0 outputs:  "; 3]);
    assert_eq!(ends(&format!("(call $drop (local.get $e)) (call $drop (local.get $e)) {none}")), TRAPS);
    // Kept by the first call, given back by the second.
    let later = "(if (global.get $kept) (then (call $drop (global.get $kept))))";
    let keep = "(global.set $kept (local.get $e))";
    assert_eq!(ends(&format!("{later} {keep} {none}")), ["0 outputs:  "; 3]);
    // Twice, the event of this call still in hand: the second try, in a fresh instance, keeps it.
    assert_eq!(ends(&format!("{later} {later} {keep} {none}")), ["0 outputs:  "; 3]);
}

#[test]
fn answers_lie_in_memory_as_a_whole_and_aligned() {
    // An answer with an empty list, wherever it stands: its last four bytes say nothing.
    let answer = |at: i32| {
        let transform =
            format!("(memory.fill (i32.const 65520) (i32.const 0) (i32.const 16)) (return (i32.const {at}))");
        ends(&module(&[], 1, "", GOOD_ROOM, &transform), "")
    };
    assert_eq!(answer(65_520), ["0 outputs:  "; 3]);
    for at in [65_521, 65_522, 65_524, 65_528, 65_532, 65_536, -4, -8, -16, -1] {
        assert_eq!(answer(at), TRAPS, "{at}");
    }
    let init = |at: i32| {
        let module = module(&[], 1, "", GOOD_ROOM, "").replace("(i32.const 512)", &format!("(i32.const {at})"));
        ends(&module, "").len()
    };
    assert_eq!([65_524, 65_525, 65_528, 65_532, 65_536, -4].map(init), [3, 1, 1, 1, 1, 1]);
}

#[test]
fn tags_that_no_type_has_are_traps() {
    let write = "\"paddlewheel:transform/log@0.1.0\" \"write\" (func $write (param i32 i32 i32))";
    let set = import("[method]event.set", "$set (param i32 i32 i32 i32 i64 i32 i32)");
    let first = |transform: &str| ends(&module(&[write, &set], 1, "", GOOD_ROOM, transform), "")[0].clone();
    // Read as a failure it is a rejection without a text.
    let result = |tag: u32| {
        first(&format!(
            "(i32.store8 (i32.const 768) (i32.const {tag})) (i32.store (i32.const 772) (i32.const 0))
             (i32.store (i32.const 776) (i32.const 0)) (i32.store (i32.const 780) (i32.const 0))"
        ))
    };
    let failure = |tag: u32| {
        first(&format!(
            "(i32.store8 (i32.const 768) (i32.const 1)) (i32.store8 (i32.const 772) (i32.const {tag}))
             (i32.store (i32.const 776) (i32.const 16)) (i32.store (i32.const 780) (i32.const 1))"
        ))
    };
    let route = |tag: u32| first(&format!("(i32.store8 (i32.const 1028) (i32.const {tag}))"));
    let level = |tag: u32| first(&format!("(call $write (i32.const {tag}) (i32.const 16) (i32.const 1))"));
    let value = |tag: u32| {
        first(&format!(
            "(call $set (local.get $e) (i32.const 16) (i32.const 1) (i32.const {tag}) (i64.const 16) (i32.const 1) (i32.const 256))"
        ))
    };
    for (name, end, known) in [
        ("result", &result as &dyn Fn(u32) -> String, 2),
        ("failure", &failure, 3),
        ("route", &route, 2),
        ("level", &level, 4),
        ("value", &value, 6),
    ] {
        for tag in (0..8).chain([255]) {
            assert_eq!(end(tag) == "failed: trap", tag >= known, "{name} {tag}");
        }
    }
}

#[test]
fn answers_leave_alone_what_they_do_not_have() {
    let get = import("[method]event.get", "$get (param i32 i32 i32 i32)");
    let length = import("[method]event.length", "$length (param i32 i32 i32 i32)");
    let text = import("[method]event.text", "$text (param i32 i32 i32 i32)");
    let write = "\"paddlewheel:transform/log@0.1.0\" \"write\" (func $write (param i32 i32 i32))";
    let both = Both::counting_fuel();
    // The place is full of letters; what is written over is a number below 32, or a text's address and length.
    let letters = "(memory.fill (i32.const 256) (i32.const 97) (i32.const 24))";
    for call in ["$get", "$length", "$text"] {
        for value in ["null", "true", "1", "\"x\"", "[]"] {
            let transform = format!(
                "{letters} (call {call} (local.get $e) (i32.const 16) (i32.const 1) (i32.const 256))
                 (call $write (i32.const 1) (i32.const 256) (i32.const 24))"
            );
            let module = module(&[&get, &length, &text, write], 1, "", GOOD_ROOM, &transform);
            let events = [format!("{{\"a\":{value}}}").into_bytes(), b"{}".to_vec()];
            let ends = both.run(&component(&module), "", &events, &module);
            assert!(
                ends.iter().all(|end| end.starts_with("1 outputs") && end.contains("aaa")),
                "{call} {value}: {ends:?}"
            );
        }
    }
}

#[test]
fn a_bad_answer_is_refused_before_the_plugin_cleans_up() {
    let ever = "(func (export \"cabi_post_paddlewheel:transform/plugin@0.1.0#transform\") (param i32) (loop $ever (br $ever)))";
    let twice = "(i32.store (i32.const 1040) (local.get $e)) (i32.store (i32.const 1044) (i32.const 0))
        (i32.store (i32.const 776) (i32.const 2))";
    let never = "(i32.store (i32.const 1024) (i32.const 7))";
    for answer in [twice, never] {
        assert_eq!(ends(&module(&[], 1, ever, GOOD_ROOM, answer), "limits = { time_ms = 3 }"), TRAPS, "{answer}");
    }
}

/// What differs on purpose: a component's handles are numbers of a table, and a free one is used again; the flat way's
/// never are.
#[test]
fn numbers_of_handles_are_used_again_by_components_alone() {
    let both = Both::counting_fuel();
    let copy = import("[method]event.copy", "$copy (param i32) (result i32)");
    let drop = import("[resource-drop]event", "$drop (param i32)");
    let has = import("[method]event.has", "$has (param i32 i32 i32) (result i32)");
    let has = |transform: &str, at: usize| {
        let module = module(&[&copy, &drop, &has], 1, "", GOOD_ROOM, transform);
        let events = vec![b"{\"a\":\"x\"}".to_vec(); 3];
        let ends = |engine: &Engine| run(engine, &component(&module), &step_of(""), &events)[at].clone();
        (ends(&both.flat).starts_with("failed: trap"), ends(&both.whole).starts_with("1 outputs"))
    };
    let ask = "(drop (call $has (i32.const 1) (i32.const 16) (i32.const 1)))";
    assert_eq!(has(ask, 1), (false, true), "the second try is in a fresh instance, whose first event has the number 1");
    let again = "(local.get $e) (call $drop (call $copy (local.get $e))) (drop (call $copy (local.get $e)))
        (drop (call $has (i32.add (i32.const 1)) (i32.const 16) (i32.const 1)))";
    assert_eq!(has(again, 0), (true, true), "the number of a copy that was given back");
}

#[test]
fn constructors_may_call_the_host_once_it_can_be_called() {
    let write = "\"paddlewheel:transform/log@0.1.0\" \"write\" (func $write (param i32 i32 i32))";
    let names = "\"paddlewheel:transform/assets@0.1.0\" \"names\" (func $names (param i32))";
    let drop = import("[resource-drop]event", "$drop (param i32)");
    let arrived = import("[method]event.arrived-at-ms", "$arrived (param i32) (result i64)");
    let imports = [write, names, drop.as_str(), &arrived];
    let say = "(call $write (i32.const 1) (i32.const 16) (i32.const 1))";
    let start = |body: &str| module(&imports, 1, &format!("(func $start {body}) (start $start)"), GOOD_ROOM, "");
    let last = |body: &str| module(&imports, 1, &format!("(func (export \"_initialize\") {body})"), GOOD_ROOM, "");
    let good = ["1 outputs: [shardId-0:0 9 bytes {\"a\":\"x\"} to None] "];
    assert_eq!(ends(&last(say), "")[..1], good);
    assert_eq!(ends(&last("(call $names (i32.const 256))"), "")[..1], good);
    // Not before the memory is known: what wit-component puts between is not filled in.
    for body in
        [say, "(call $names (i32.const 256))", "(call $drop (i32.const 0))", "(drop (call $arrived (i32.const 1)))"]
    {
        assert_eq!(ends(&start(body), ""), ["it did not start"], "{body}");
    }
    assert_eq!(ends(&last("(call $drop (i32.const 1))"), ""), ["it did not start"]);
}

#[test]
fn clocks_answer_before_the_memory_is_known() {
    let imports = [
        "\"wasi:clocks/monotonic-clock@0.2.6\" \"now\" (func $now (result i64))",
        "\"wasi:random/random@0.2.6\" \"get-random-u64\" (func $random (result i64))",
    ];
    let more = "(func $start (drop (call $now)) (drop (call $random))) (start $start)";
    let module = module(&imports, 1, more, GOOD_ROOM, "");
    let ends = ends_of(&joined(&module, "timed", None), "", &module);
    assert!(ends.len() == 3 && ends[0].starts_with("1 outputs"), "{ends:?}");
}

#[test]
fn an_endless_start_and_an_endless_init_are_cut_off() {
    let more = format!("(func $start {}) (start $start)", endless());
    assert_eq!(ends(&module(&[], 1, &more, GOOD_ROOM, ""), ""), ["it did not start"]);
    let room = format!("{} (i32.const 2048)", endless());
    assert_eq!(ends(&module(&[], 1, "", &room, ""), ""), ["its `init` broke"]);
}

/// The clock is all that an instance made later can tell itself by: `init` fails from a time on that its config names.
#[test]
fn an_instance_that_cannot_be_replaced_fails_its_event() {
    let now = "\"wasi:clocks/wall-clock@0.2.6\" \"now\" (func $now (param i32))";
    let parsed = "(loop $next
        (local.set $until (i64.add (i64.mul (local.get $until) (i64.const 10))
          (i64.sub (i64.load8_u (local.get $at)) (i64.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br_if $next (local.get $length)))
      (call $now (i32.const 256))
      (if (i64.ge_u (i64.add (i64.mul (i64.load (i32.const 256)) (i64.const 1000))
          (i64.extend_i32_u (i32.div_u (i32.load (i32.const 264)) (i32.const 1000000)))) (local.get $until)) (then FAIL))";
    let both = Both::new(Mode::Fuel, Clock::Real);
    for (fail, end) in [
        (
            "(i32.store (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (i32.const 16)) (i32.store (i32.const 520) (i32.const 1))",
            "failed: error: its `init` refused the config: a",
        ),
        ("(unreachable)", "failed: trap"),
        ("(return (i32.const 513))", "failed: trap"),
    ] {
        let trap = "(if (i32.eqz (i32.load (i32.const 768))) (then (unreachable)))";
        let module = module(&[now], 1, "", GOOD_ROOM, trap).replace(
            "(param i32 i32) (result i32) (i32.const 512)",
            &format!(
                "(param $at i32) (param $length i32) (result i32) (local $until i64) {} (i32.const 512)",
                parsed.replace("FAIL", fail)
            ),
        );
        let component = joined(&module, "timed", None);
        for engine in [&both.flat, &both.whole] {
            assert_eq!(later(engine, &component), [("failed: trap".to_owned()), end.to_owned()], "{fail}");
        }
    }
}

/// How an event ends before the time from which `init` fails, and how one does after it.
fn later(engine: &Engine, component: &[u8]) -> [String; 2] {
    let code = engine.compile(component).expect("it is valid");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let event = || Event::new("shardId-0:1".into(), "key".into(), 1, Bytes::from_static(b"{}"));
    let end = |text: String| text.split(';').next().unwrap_or_default().to_owned();
    // A machine that is busy may take longer to start an instance.
    for slack in [200, 1_000, 5_000] {
        let until = now() + Duration::from_millis(slack);
        let loaded = match engine.load(&code, &step_of(""), &config(&until.as_millis().to_string()), &Assets::default())
        {
            Ok(loaded) => loaded,
            Err(LoadError::Init(_) | LoadError::InitBroke(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        let mut plugin = loaded.plugin();
        // The instance of the first event is made before that time too, and its trap ends it.
        let first = end(words(plugin.transform(&event(), None)));
        if now() >= until {
            continue;
        }
        std::thread::sleep(until.saturating_sub(now()) + Duration::from_millis(2));
        return [first, end(words(plugin.transform(&event(), None)))];
    }
    panic!("no instance started within five seconds");
}

#[test]
fn loops_end_as_timeouts_by_the_clock_too() {
    let text = import("[method]event.text", "$text (param i32 i32 i32 i32)");
    let ever = "(loop $ever (br $ever))";
    let more = format!(
        "(global $late (mut i32) (i32.const 0))
         (func (export \"cabi_post_paddlewheel:transform/plugin@0.1.0#transform\") (param i32) (if (global.get $late) (then {ever})))"
    );
    let hostile = |body: &str| {
        format!(
            "(call $text (local.get $e) (i32.const 16) (i32.const 1) (i32.const 256))
             (if (i32.gt_u (i32.load (i32.const 264)) (i32.const 1)) (then {body}))"
        )
    };
    let both = Both::new(Mode::Epochs, Clock::Fixed(1));
    let room = format!("(if (global.get $late) (then {ever})) (i32.const 2048)");
    for (room, body) in [
        (GOOD_ROOM, ever),
        (GOOD_ROOM, "(global.set $late (i32.const 1))"),
        (
            &room,
            "(global.set $late (i32.const 1)) (call $text (local.get $e) (i32.const 16) (i32.const 1) (i32.const 256))",
        ),
    ] {
        let module = module(&[&text], 1, &more, room, &hostile(body));
        let events = [b"{\"a\":\"x\"}".to_vec(), b"{\"a\":\"xy\"}".to_vec(), b"{\"a\":\"x\"}".to_vec()];
        let ends = both.run(&component(&module), "limits = { time_ms = 5 }", &events, &module);
        assert!(ends[0].starts_with("1 outputs") && ends[2].starts_with("1 outputs"), "{ends:?}");
        assert!(ends[1].starts_with("failed: timeout"), "{ends:?}");
    }
}
