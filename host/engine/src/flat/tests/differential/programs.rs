//! Random modules that call all of the contract, with good arguments and hostile ones.
//!
//! A module has several programs. An event's field `a` picks one by its length; a length of one is the good program,
//! which passes the event on. What the host answers goes into a sum, which is logged: so answers are compared too.
//!
//! Two things are not drawn, since the ways differ there on purpose: a component's handles are numbers of a table, used
//! again once they are free, and the flat way's never are. So numbers for handles are forged out of reach of both, and
//! a handle that was given back is used only until another event is made (`named` has the cases in which the flat way
//! is stricter). Handles of other resources cannot be forged, since a component that has any does not run flat.

use super::draw::{ADDRESSES, Draw, FORGED, PATHS, PATTERNS, PAYLOADS, RANGES, TAGS, TEXTS, endless, place};
use std::fmt::Write as _;

/// Programs of one module, besides the good one.
pub(super) const PROGRAMS: usize = 8;

/// What stands in a slot for a handle.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Empty,
    Live,
    /// Given back, and no event was made since.
    Dropped,
}

/// A module that is being made.
struct Maker {
    draw: Draw,
    /// One argument in so many is hostile.
    hostile_in: usize,
    slots: [Slot; 4],
    has_helper: bool,
}

/// The core module of a seed.
pub(super) fn module(seed: u64, has_helper: bool) -> String {
    let mut maker = Maker { draw: Draw::new(seed), hostile_in: 12, slots: [Slot::Empty; 4], has_helper };
    let bad_room = if maker.draw.one_in(16) { maker.draw.below(14) } else { 0 };
    let init = maker.init();
    let start = maker.start();
    let helper = if has_helper { "(import \"helper\" \"say\" (func $helper-say (param i32 i32)))" } else { "" };
    let programs: String = (0..PROGRAMS).map(|at| maker.program(at)).collect();
    let picks: String = (0..PROGRAMS)
        .map(|at| format!("(if (i32.eq (local.get $n) (i32.const {})) (then (return (call $p{at}))))\n", at + 2))
        .collect();
    let texts: String = (TEXTS.iter().enumerate())
        .map(|(at, text)| format!("(data (i32.const {}) \"{text}\")\n", 1_024 + 64 * at))
        .collect();
    let clean_up = match maker.draw.below(4) {
        0 => "",
        _ => "(export \"cabi_post_paddlewheel:transform/plugin@0.1.0#transform\" (func $clean-up))",
    };
    let clean_up_init = match maker.draw.below(2) {
        0 => "",
        _ => "(export \"cabi_post_paddlewheel:transform/plugin@0.1.0#init\" (func $clean-up))",
    };
    format!(
        r#"(module {helper}
{frame}
(global $bad-room (mut i32) (i32.const {bad_room}))
(global $bad-clean-up (mut i32) (i32.const 0))
{clean_up} {clean_up_init} {texts}
(data (i32.const 8192) "{long}")
{start}
(func (export "paddlewheel:transform/plugin@0.1.0#init") (param $config i32) (param $length i32) (result i32)
  (call $eat (local.get $config) (local.get $length))
  {init})
{programs}
(func (export "paddlewheel:transform/plugin@0.1.0#transform") (param $event i32) (result i32) (local $n i32)
  (global.set $bad-room (i32.const 0)) (global.set $bad-clean-up (i32.const 0)) (global.set $room (i32.const 0x10000))
  (global.set $reallocs (i32.const 0)) (global.set $sum (i64.const 0))
  (global.set $h0 (local.get $event)) (global.set $h1 (i32.const 0)) (global.set $h2 (i32.const 0))
  (global.set $h3 (i32.const 0))
  (i32.store8 (i32.const 16) (i32.const 97))
  (call $text (local.get $event) (i32.const 16) (i32.const 1) (i32.const 256))
  (local.set $n (if (result i32) (i32.load8_u (i32.const 256)) (then (i32.load (i32.const 264))) (else (i32.const 1))))
  {picks}
  (call $pass (local.get $event))))"#,
        frame = include_str!("frame.wat").replace("EVER", &endless()),
        long = "x".repeat(5_000),
    )
}

/// Events for a module: each program's, with good ones between.
pub(super) fn events(seed: u64) -> Vec<Vec<u8>> {
    let mut draw = Draw::new(!seed);
    let good = || br#"{"a":"x","b":"good"}"#.to_vec();
    let mut events = vec![good()];
    for program in 0..PROGRAMS {
        let items = if draw.one_in(40) { draw.of(&[9_999, 10_001]) } else { draw.of(&[0, 1, 2, 2, 3, 1_000]) };
        let list = vec!["{\"k\":\"v\"}"; items].join(",");
        events.push(
            format!(
                r#"{{"a":"{}","b":"t\u00e9xt €","n":42,"f":1.5,"t":true,"z":null,"o":{{"k":"v","l":[2]}},"list":[{list}]}}"#,
                "p".repeat(program + 2)
            )
            .into_bytes(),
        );
        events.push(if draw.one_in(8) { b"not JSON \xff".to_vec() } else { good() });
    }
    events
}

impl Maker {
    fn hostile(&mut self) -> bool {
        self.draw.one_in(self.hostile_in)
    }

    /// A text's address and length.
    fn text(&mut self, good: usize) -> String {
        let (address, length) = if !self.hostile() {
            place(self.draw.below(good))
        } else if self.draw.one_in(2) {
            place(self.draw.below(TEXTS.len()))
        } else {
            self.draw.of(&RANGES)
        };
        format!("(i32.const {}) (i32.const {})", address.cast_signed(), length.cast_signed())
    }

    fn place_for_answer(&mut self) -> String {
        let address = if self.hostile() { self.draw.of(&ADDRESSES) } else { 256 };
        format!("(i32.const {})", address.cast_signed())
    }

    fn handle(&mut self) -> String {
        if self.hostile() {
            if self.draw.one_in(4) {
                return "(global.get $kept)".to_owned();
            }
            return self.draw.of(&FORGED).to_owned();
        }
        let usable = |slot: &Slot| *slot == Slot::Live;
        match self.slots.iter().position(|slot| *slot == Slot::Dropped).filter(|_| self.draw.one_in(8)) {
            Some(dropped) => format!("(global.get $h{dropped})"),
            None => {
                let live: Vec<usize> = (0..4).filter(|at| usable(&self.slots[*at])).collect();
                if live.is_empty() {
                    "(i32.const 0)".to_owned()
                } else {
                    format!("(global.get $h{})", self.draw.of(&live))
                }
            }
        }
    }

    /// Where the handle of a new event goes. Handles that were given back may be used again by a component from here
    /// on.
    fn new_slot(&mut self) -> usize {
        self.slots.iter_mut().filter(|slot| **slot == Slot::Dropped).for_each(|slot| *slot = Slot::Empty);
        let at = 1 + self.draw.below(3);
        self.slots[at] = Slot::Live;
        at
    }

    /// `init`, which mostly agrees.
    fn init(&mut self) -> String {
        let good = "(i32.store (i32.const 512) (i32.const 0)) (i32.const 512)".to_owned();
        match self.draw.below(24) {
            0 => "(unreachable)".to_owned(),
            1 | 2 => {
                let tag = if self.draw.one_in(3) { self.draw.of(&TAGS) } else { 1 };
                let text = self.text(PATHS);
                format!(
                    "(i32.store8 (i32.const 512) (i32.const {tag})) (call $answer (i32.const 516) {text}) (i32.const 512)",
                    tag = tag.cast_signed()
                )
            }
            3 => format!(
                "(i32.store (i32.const 512) (i32.const 0)) (i32.const {})",
                self.draw.of(&ADDRESSES).cast_signed()
            ),
            4 => format!("{} {good}", self.call()),
            5 => format!("(call $names (i32.const 256)) (call $eat-list (i32.const 256)) (call $say) {good}"),
            6 => format!("(global.set $bad-clean-up (i32.const {})) {good}", self.draw.of(&[1, 3, 4, 5])),
            _ => good,
        }
    }

    /// What runs before all else, or nothing.
    fn start(&mut self) -> String {
        let answer = "(func $answer (param $to i32) (param $at i32) (param $length i32)
            (i32.store (local.get $to) (local.get $at)) (i32.store offset=4 (local.get $to) (local.get $length)))";
        let write = "(call $write (i32.const 1) (i32.const 1024) (i32.const 1))";
        let say = if self.has_helper { "(call $helper-say (i32.const 1024) (i32.const 1))" } else { write };
        let body = match self.draw.below(30) {
            0 => "(unreachable)",
            1 => "(drop (call $arrived (i32.const 0)))",
            2 => "(call $drop (i32.const 0))",
            3 => write,
            4 => "(drop (call $copy (i32.const 1)))",
            5..=8 => "(global.set $kept (i32.const 0)) (i32.store (i32.const 600) (i32.const 7))",
            // wit-component calls this one last, when all is joined.
            9 => return format!("{answer} (func (export \"_initialize\") {write})"),
            10 => return format!("{answer} (func (export \"_initialize\") {say})"),
            11 => return format!("{answer} (func (export \"_initialize\") (call $names (i32.const 256)))"),
            12 => return format!("{answer} (func (export \"_initialize\") (call $id (i32.const 1) (i32.const 256)))"),
            _ => return answer.to_owned(),
        };
        format!("{answer} (func $start {body}) (start $start)")
    }

    /// A program: some calls, and an answer.
    fn program(&mut self, at: usize) -> String {
        self.slots = [Slot::Live, Slot::Empty, Slot::Empty, Slot::Empty];
        self.hostile_in = self.draw.of(&[6, 12, 30, 1_000]);
        let mut body = String::new();
        for _ in 0..1 + self.draw.below(9) {
            let call = self.call();
            writeln!(body, "  {call}").expect("writing to a string succeeds");
        }
        if self.draw.one_in(6) {
            let bad = self.draw.below(6);
            writeln!(body, "  (global.set $bad-clean-up (i32.const {bad}))").expect("writing to a string succeeds");
        }
        let answer = self.answer();
        format!("(func $p{at} (result i32)\n{body}  (call $say)\n  {answer})\n")
    }

    fn call(&mut self) -> String {
        let event = self.handle();
        match self.draw.below(27) {
            0..=2 => self.asking("get", "value", &event, PATHS),
            3 => self.asking("text", "option", &event, PATHS),
            4 => self.asking("keys", "list", &event, PATHS),
            5 => self.asking("length", "number", &event, PATHS),
            6 => self.asking("expand", "list", &event, PATTERNS),
            7 => format!("(call $one (i64.extend_i32_u (call $has {event} {})))", self.text(PATHS)),
            8 | 9 => self.set(&event),
            10 => {
                let (path, text, to) = (self.text(PATHS), self.text(TEXTS.len() - 12), self.place_for_answer());
                format!("(call $set-text {event} {path} {text} {to}) (call $eat-option {to})")
            }
            11 => {
                let (pattern, text) = (self.text(PATTERNS), self.text(PATHS));
                format!("(call $one (i64.extend_i32_u (call $replace-text {event} {pattern} {text})))")
            }
            12 => format!("(call $one (i64.extend_i32_u (call $remove {event} {})))", self.text(PATTERNS)),
            13 => {
                let (path, to) = (self.text(PATHS), self.text(PATHS));
                format!("(call $one (i64.extend_i32_u (call $rename {event} {path} {to})))")
            }
            14 => self.whole("json", "option", &event),
            15 => self.whole("data", "span", &event),
            16 => self.whole("id", "span", &event),
            17 => self.whole("key", "span", &event),
            18 => format!("(call $one (call $arrived {event}))"),
            19 => self.make(&event),
            20 => self.give_back(),
            21 => self.log(),
            22 => self.file(),
            23 | 26 => format!("(global.set $bad-room (i32.const {}))", self.bad_room()),
            24 => self.keep(),
            _ => format!("(call $one (i64.load (i32.const {})))", self.draw.of(&[256, 600, 1_024, 0x1_0000])),
        }
    }

    fn bad_room(&mut self) -> usize {
        if self.draw.one_in(3) { self.draw.below(14) } else { 0 }
    }

    fn asking(&mut self, call: &str, answer: &str, event: &str, good: usize) -> String {
        let (text, to) = (self.text(good), self.place_for_answer());
        format!("(call ${call} {event} {text} {to}) (call $eat-{answer} {to})")
    }

    fn whole(&mut self, call: &str, answer: &str, event: &str) -> String {
        let to = self.place_for_answer();
        format!("(call ${call} {event} {to}) (call $eat-{answer} {to})")
    }

    fn set(&mut self, event: &str) -> String {
        let (path, to) = (self.text(PATHS), self.place_for_answer());
        let tag = if self.hostile() { self.draw.of(&TAGS) } else { self.draw.below(6) as u32 };
        let (payload, more) = if tag == 4 || tag == 5 {
            let (at, length) = place(self.draw.below(TEXTS.len()));
            let (at, length) = if self.hostile() { self.draw.of(&RANGES) } else { (at, length) };
            // What is above the lower half of the number is nothing to a text.
            (u64::from(at) | self.draw.of(&[0, 0, 1 << 32, 1 << 63]), length)
        } else {
            (self.draw.of(&PAYLOADS), 0)
        };
        let (tag, payload, more) = (tag.cast_signed(), payload.cast_signed(), more.cast_signed());
        format!(
            "(call $set {event} {path} (i32.const {tag}) (i64.const {payload}) (i32.const {more}) {to}) (call $eat-option {to})"
        )
    }

    /// An event more.
    fn make(&mut self, event: &str) -> String {
        let text = self.text(TEXTS.len());
        let of_text = self.draw.one_in(2);
        let slot = self.new_slot();
        match of_text {
            true => format!("(global.set $h{slot} (call $derive {event} {text}))"),
            false => format!("(global.set $h{slot} (call $copy {event}))"),
        }
    }

    /// A handle given back: mostly one that the program has.
    fn give_back(&mut self) -> String {
        if self.hostile() {
            return format!("(call $drop {})", self.draw.of(&FORGED));
        }
        if self.draw.one_in(4) {
            // Of an earlier event, if there is one; once, since a component may use the number again.
            return "(if (global.get $kept) (then (call $drop (global.get $kept)) (global.set $kept (i32.const 0))))"
                .to_owned();
        }
        let at = self.draw.below(4);
        match self.slots[at] {
            Slot::Empty => String::new(),
            Slot::Live => {
                self.slots[at] = Slot::Dropped;
                format!("(call $drop (global.get $h{at}))")
            }
            Slot::Dropped => format!("(call $drop (global.get $h{at}))"),
        }
    }

    /// A handle kept beyond the call: the program has it no more.
    fn keep(&mut self) -> String {
        let at = self.draw.below(4);
        if self.slots[at] != Slot::Live || self.draw.one_in(2) {
            return String::new();
        }
        self.slots[at] = Slot::Empty;
        format!("(global.set $kept (global.get $h{at}))")
    }

    fn log(&mut self) -> String {
        if self.has_helper && self.draw.one_in(2) {
            return format!("(call $helper-say {})", self.text(PATHS));
        }
        let level = if self.hostile() { self.draw.of(&TAGS) } else { self.draw.below(4) as u32 };
        format!("(call $write (i32.const {}) {})", level.cast_signed(), self.text(PATHS))
    }

    fn file(&mut self) -> String {
        let (name, to) = (place(self.draw.of(&[29, 30, 0])), self.place_for_answer());
        let name = if self.hostile() { self.draw.of(&RANGES) } else { name };
        let name = format!("(i32.const {}) (i32.const {})", name.0.cast_signed(), name.1.cast_signed());
        match self.draw.below(3) {
            0 => format!("(call $names {to}) (call $eat-list {to})"),
            1 => format!("(call $read {name} {to}) (call $eat-option {to})"),
            _ => format!("(call $source {name} {to}) (call $eat-option {to})"),
        }
    }

    /// What `transform` answers.
    fn answer(&mut self) -> String {
        match self.draw.below(12) {
            0 => {
                let list =
                    if self.hostile() { self.draw.of(&ADDRESSES) } else { self.draw.of(&[0, 3, 0x7_FFFF, 0x8_0000]) };
                format!(
                    "(i32.store (i32.const 768) (i32.const 0)) (call $answer (i32.const 772) (i32.const {}) (i32.const 0)) (i32.const 768)",
                    list.cast_signed()
                )
            }
            1 => {
                let event = self.handle();
                let count = if self.draw.one_in(6) {
                    self.draw.of(&[10_000, 10_001])
                } else {
                    self.draw.of(&[2, 1_000, 1_001])
                };
                format!("(call $fan-out {event} (i32.const {count}))")
            }
            2 | 3 => {
                let kind = if self.hostile() { self.draw.of(&TAGS) } else { self.draw.below(3) as u32 };
                let text = self.text(TEXTS.len());
                format!(
                    "(i32.store (i32.const 768) (i32.const 1)) (i32.store (i32.const 772) (i32.const {}))
  (call $answer (i32.const 776) {text}) (i32.const 768)",
                    kind.cast_signed()
                )
            }
            _ => self.outputs(),
        }
    }

    /// A list of outputs: all that the program has, and now and then others.
    fn outputs(&mut self) -> String {
        let mut handles: Vec<String> =
            (0..4).filter(|at| self.slots[*at] == Slot::Live).map(|at| format!("(global.get $h{at})")).collect();
        if self.hostile() && !handles.is_empty() {
            handles.push(handles[0].clone());
        }
        if self.hostile() {
            let forged = self.handle();
            handles.push(forged);
        }
        if self.hostile() && !handles.is_empty() {
            // Never returned: the instance has it still.
            handles.remove(0);
        }
        let mut body = String::new();
        for (at, handle) in handles.iter().enumerate() {
            let at = 0x4_0000 + 16 * at;
            let tag = if self.hostile() { self.draw.of(&TAGS) } else { self.draw.below(2) as u32 };
            let route = self.text(TEXTS.len());
            writeln!(
                body,
                "(i32.store (i32.const {at}) {handle}) (i32.store8 (i32.const {}) (i32.const {})) (call $answer (i32.const {}) {route})",
                at + 4, tag.cast_signed(), at + 8
            )
            .expect("writing to a string succeeds");
        }
        let of =
            |maker: &mut Maker, good: u32| if maker.hostile() { maker.draw.of(&ADDRESSES) } else { good }.cast_signed();
        let (list, count) = (of(self, 0x4_0000), of(self, handles.len() as u32));
        let tag = if self.hostile() { self.draw.of(&TAGS) } else { 0 }.cast_signed();
        let answer = of(self, 768);
        format!(
            "{body} (i32.store8 (i32.const 768) (i32.const {tag})) (call $answer (i32.const 772) (i32.const {list}) (i32.const {count}))
  (i32.const {answer})"
        )
    }
}
