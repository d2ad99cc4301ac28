//! The contract's functions with their types, spelled out: what `host` and `instance` read and write by hand.
//!
//! `translate` compares a component's types with these, so a slip cannot go unseen; a test compares these with `wit/`.

use crate::bindings::{ASSETS, EVENTS, LOG};
use crate::wasi;

/// One function: its interface, its name, and its type.
pub(crate) type Spelled = (&'static str, &'static str, &'static str);

/// What a plugin may import.
pub(crate) const IMPORTS: [Spelled; 18] = [
    (EVENTS, "[method]event.id", "(borrow<event>) -> string"),
    (EVENTS, "[method]event.partition-key", "(borrow<event>) -> string"),
    (EVENTS, "[method]event.arrived-at-ms", "(borrow<event>) -> u64"),
    (
        EVENTS,
        "[method]event.get",
        "(borrow<event>, string) -> option<variant{null, boolean(bool), integer(s64), number(f64), text(string), json(string)}>",
    ),
    (EVENTS, "[method]event.text", "(borrow<event>, string) -> option<string>"),
    (EVENTS, "[method]event.has", "(borrow<event>, string) -> bool"),
    (EVENTS, "[method]event.keys", "(borrow<event>, string) -> list<string>"),
    (EVENTS, "[method]event.length", "(borrow<event>, string) -> option<u32>"),
    (EVENTS, "[method]event.expand", "(borrow<event>, string) -> list<string>"),
    (
        EVENTS,
        "[method]event.set",
        "(borrow<event>, string, variant{null, boolean(bool), integer(s64), number(f64), text(string), json(string)}) -> result<_, string>",
    ),
    (EVENTS, "[method]event.set-text", "(borrow<event>, string, string) -> result<_, string>"),
    (EVENTS, "[method]event.replace-text", "(borrow<event>, string, string) -> u32"),
    (EVENTS, "[method]event.remove", "(borrow<event>, string) -> u32"),
    (EVENTS, "[method]event.rename", "(borrow<event>, string, string) -> bool"),
    (EVENTS, "[method]event.json", "(borrow<event>) -> option<string>"),
    (EVENTS, "[method]event.data", "(borrow<event>) -> list<u8>"),
    (EVENTS, "[method]event.copy", "(borrow<event>) -> own<event>"),
    (EVENTS, "[method]event.derive", "(borrow<event>, list<u8>) -> own<event>"),
];

/// The plugin's log.
pub(crate) const LOG_WRITE: Spelled = (LOG, "write", "(enum{debug, info, warn, error}, string)");

/// The step's files.
pub(crate) const ASSET_IMPORTS: [Spelled; 3] = [
    (ASSETS, "names", "() -> list<string>"),
    (ASSETS, "read", "(string) -> option<list<u8>>"),
    (ASSETS, "source", "(string) -> option<string>"),
];

/// What runtimes of languages ask of WASI 0.2, of any version of it, as far as it takes no handles.
pub(crate) const WASI_IMPORTS: [Spelled; 4] = [
    ("wasi:clocks/wall-clock", "now", "() -> record{seconds: u64, nanoseconds: u32}"),
    ("wasi:clocks/monotonic-clock", "now", "() -> u64"),
    ("wasi:random/random", "get-random-u64", "() -> u64"),
    ("wasi:random/insecure-seed", "insecure-seed", "() -> tuple<u64, u64>"),
];

/// What a plugin exports.
pub(crate) const INIT: (&str, &str) = ("init", "(string) -> result<_, string>");
pub(crate) const TRANSFORM: (&str, &str) = (
    "transform",
    "(own<event>) -> result<list<record{event: own<event>, route: option<string>}>, variant{reject(string), retry(string), error(string)}>",
);

/// The function of this name, if the host offers it to what runs flat.
pub(crate) fn import(interface: &str, name: &str) -> Option<&'static Spelled> {
    let interface = match wasi::answers(interface) {
        true => interface.split('@').next().unwrap_or_default(),
        false => interface,
    };
    let ours = IMPORTS.iter().chain([&LOG_WRITE]).chain(&ASSET_IMPORTS);
    ours.chain(&WASI_IMPORTS).find(|(of, called, _)| (*of, *called) == (interface, name))
}

/// What the host's function is called in a plan: its name, behind its interface's where another interface may have it
/// too.
pub(crate) fn in_plan(&(interface, name, _): &Spelled) -> String {
    match interface {
        EVENTS | LOG => name.to_owned(),
        _ => {
            let short = interface.rsplit('/').next().unwrap_or(interface).split('@').next().unwrap_or_default();
            format!("{short}.{name}")
        }
    }
}
