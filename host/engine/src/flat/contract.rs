//! The contract's functions with their types, spelled out: what `host` and `instance` read and write by hand.
//!
//! `translate` compares a component's types with these, so a slip cannot go unseen; a test compares these with `wit/`.

use crate::bindings::{EVENTS, LOG};

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

/// What a plugin exports.
pub(crate) const INIT: (&str, &str) = ("init", "(string) -> result<_, string>");
pub(crate) const TRANSFORM: (&str, &str) = (
    "transform",
    "(own<event>) -> result<list<record{event: own<event>, route: option<string>}>, variant{reject(string), retry(string), error(string)}>",
);

/// The function of this name, if the contract has it.
pub(crate) fn import(interface: &str, name: &str) -> Option<&'static Spelled> {
    IMPORTS.iter().chain([&LOG_WRITE]).find(|(of, called, _)| (*of, *called) == (interface, name))
}
