//! An event's JSON, held and edited as an overlay on its bytes.
//!
//! The bytes are validated once, in one pass that also notes where every value stands ([`Document::parse`]). Reading a field
//! copies that field only; changing one copies nothing else; writing the document copies untouched stretches as they came.
//! Knows nothing of events, plugins or AWS.
//!
//! Layout: `tree` (what the pass leaves behind), `parse`, `scan` and `keys` (the pass), `text` (escapes), `path` (names of fields), `find`
//! (from a path to values), `read`, `edit`, `rename` and `link` (what a plugin may do), `scope` (what it may not), `write` (bytes again),
//! `check` (what must not reach OpenSearch), `cursor` (for those who read it all).

mod check;
mod cursor;
mod edit;
mod find;
mod keys;
mod link;
mod number;
mod parse;
mod path;
mod read;
mod rename;
mod scan;
mod scope;
mod text;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use check::{Checked, Newlines, Refusal, Rules, Warning};
pub use cursor::{Cursor, visit};
pub use edit::EditError;
pub use number::NotFinite;
pub use parse::{DEPTH_MAX, ParseError};
pub use path::{PATH_BYTES_MAX, PATH_SEGMENTS_MAX, Path, PathError, Pattern};
pub use read::{TooMany, Value};
pub use scope::{Denied, Scope};
pub use tree::Document;
