//! `reads`, `writes` and `may` of a step. A step that has any of them is restricted.

use super::May;
use super::file::Permission;
use super::mistake::Mistake;
use document::{Pattern, Scope};
use std::sync::Arc;
use toml::Spanned;

/// No field: in `reads` it says that the plugin may see the event's partition key.
const PARTITION_KEY: &str = "@partition-key";

type Patterns = Option<Vec<Spanned<String>>>;

/// What a step may see and change, and what it may do besides. No scope: it is not restricted.
pub(super) fn permissions(
    reads: Patterns,
    writes: Patterns,
    may: Option<Vec<Permission>>,
) -> Result<(Option<Arc<Scope>>, May), Mistake> {
    if reads.is_none() && writes.is_none() && may.is_none() {
        return Ok((None, May { drop: true, route: true, fan_out: true, stated: false }));
    }
    let is_key = |entry: &Spanned<String>| entry.get_ref() == PARTITION_KEY;
    if let Some(key) = writes.iter().flatten().find(|entry| is_key(entry)) {
        let message = "the partition key cannot be written: `@partition-key` may stand in `reads` alone";
        return Err(Mistake::at(key.span(), message));
    }
    let sees_key = reads.iter().flatten().any(is_key);
    let reads = reads.map(|reads| reads.into_iter().filter(|entry| !is_key(entry)).collect());
    let scope = Scope::new(patterns(reads)?, patterns(writes)?, sees_key);
    let stated = may.is_some();
    let granted = may.unwrap_or_default();
    let may = |permission| granted.contains(&permission);
    let may =
        May { drop: may(Permission::Drop), route: may(Permission::Route), fan_out: may(Permission::FanOut), stated };
    Ok((Some(Arc::new(scope)), may))
}

fn patterns(entries: Patterns) -> Result<Option<Vec<Pattern<'static>>>, Mistake> {
    entries.map(|entries| entries.iter().map(pattern).collect()).transpose()
}

fn pattern(entry: &Spanned<String>) -> Result<Pattern<'static>, Mistake> {
    let wrong = |reason: String| Mistake::at(entry.span(), reason);
    let pattern = Pattern::parse(entry.get_ref()).map_err(|error| wrong(error.to_string()))?.into_owned();
    if pattern.has_index() {
        return Err(wrong("permissions speak of all elements: write [*], not an index".into()));
    }
    Ok(pattern)
}
