//! An event's JSON, held and edited as an overlay on its bytes.
//!
//! The bytes are validated once, in one pass that also notes where every value stands ([`Document::parse`]). Reading a
//! field copies that field only; changing one copies nothing else; writing the document copies untouched stretches as
//! they came. Knows nothing of events, plugins or AWS.
//!
//! Whoever asks says with a [`Meter`] what it may cost; every loop and every allocation asks it first.
//!
//! Layout: `tree` (what the pass leaves behind), `parse`, `scan`, `keys`, `duplicates` and `bounds` (the pass), `text`
//! (escapes), `path` (names of fields), `find` and `spread` (from a path or a pattern to values) with `index` (in wide
//! objects), `read`, `edit`, `rename` and `link` (what a plugin may do), `scope` and `permission` (what it may not) and
//! `restricted` (changes by who does not see everything), `write` (bytes again), `check` (what must not reach
//! OpenSearch), `cursor` (for those who read it all), `meter` (what a call may cost), `looks` (what one costs, for the
//! tests).

mod bounds;
mod check;
mod cursor;
mod duplicates;
mod edit;
mod find;
mod index;
mod keys;
mod link;
mod looks;
mod meter;
mod number;
mod parse;
mod path;
mod permission;
mod read;
mod rename;
mod restricted;
mod scan;
mod scope;
mod spread;
mod text;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use check::{Checked, Newlines, Refusal, Rules, Warning};
pub use cursor::{Cursor, visit};
pub use edit::EditError;
pub use meter::{Exhausted, Meter};
pub use number::NotFinite;
pub use parse::{DEPTH_MAX, ParseError};
pub use path::{PATH_BYTES_MAX, PATH_SEGMENTS_MAX, Path, PathError, Pattern};
pub use read::{ANSWER_BYTES_MAX, ANSWERS_MAX, Value};
pub use restricted::Restricted;
pub use scope::{Denied, Scope};
pub use tree::Document;
