//! The records that a release carries, for hosts to try it on: those of the tests, with the answers that the shipped
//! code gives.
//!
//! A host has its own clock and the real secrets. A case whose answers depend on them would make every host refuse the
//! release, so it stays at home: cases run once more with another clock, other randomness and other secrets, and only
//! those whose answers stay the same go along.

use super::compile::Shipped;
use super::test::Tested;
use crate::Context;
use crate::error::{Error, Trouble};
use crate::project::{self, Loading, Project};
use crate::text::count;
use anyhow::Context as _;
use bytes::Bytes;
use engine::Clock;
use lambda::trial::{TRIAL_RECORDS_MAX, TrialRecords};
use pipeline::DUMMY_SECRET;

/// What the other clock shows: 2001-09-09T01:46:40Z.
const OTHER_NOW_MS: u64 = 1_000_000_000_000;

/// What all secrets are on the second run: as long as the first.
const OTHER_SECRET: &str = "another-wheel-dummy-secret-987654321";

/// The records to ship; none when there are none.
pub(crate) fn record(
    project: &Project,
    shipped: &Shipped,
    tested: &Tested,
    warnings: &mut Vec<String>,
    context: &mut Context,
) -> Result<Option<TrialRecords>, Error> {
    let cases = bounded(&tested.cases, warnings);
    if cases.is_empty() {
        return Ok(None);
    }
    let progress = context.ui.progress("trying what is shipped", "");
    let told = || "run the test records on the compiled plugins";
    let loaded = shipped.load(&shipped.engine, &project.pipeline, DUMMY_SECRET)?;
    let mut records = TrialRecords::record(&loaded, &cases).with_context(told).or_plugin()?;
    let loading = Loading { clock: Clock::Fixed(OTHER_NOW_MS), ..Loading::PRODUCTION };
    let engine = project::engine(&loading, project.pipeline.steps.len())?;
    let other = shipped.load(&engine, &project.pipeline, OTHER_SECRET)?;
    let differ = records.try_on(&other).with_context(told).or_plugin()?;
    drop(progress);
    for mismatch in &differ {
        warnings.push(format!(
            "test `{}` depends on the clock, on chance or on a secret (event {}): hosts cannot try the release on it",
            mismatch.case, mismatch.event
        ));
    }
    records.cases.retain(|case| !differ.iter().any(|mismatch| mismatch.case == case.name));
    Ok(Some(records).filter(|records| !records.cases.is_empty()))
}

/// As many cases as a release may hold.
fn bounded(cases: &[(String, Vec<Bytes>)], warnings: &mut Vec<String>) -> Vec<(String, Vec<Bytes>)> {
    let mut room = TRIAL_RECORDS_MAX;
    let mut kept = Vec::new();
    for (name, records) in cases.iter().filter(|(_, records)| !records.is_empty()) {
        if records.len() <= room {
            room -= records.len();
            kept.push((name.clone(), records.clone()));
        } else {
            let records = count(records.len() as u64, "record");
            warnings
                .push(format!("test `{name}` ({records}) stays at home: a release holds {TRIAL_RECORDS_MAX} in all"));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{OTHER_SECRET, bounded};
    use bytes::Bytes;

    #[test]
    fn cases_beyond_the_bound_stay_at_home() {
        let records = |count| vec![Bytes::from_static(b"{}"); count];
        let cases = [("a".to_owned(), records(900)), ("b".to_owned(), records(200)), ("c".to_owned(), records(100))];
        let mut warnings = Vec::new();
        let kept = bounded(&cases, &mut warnings);
        assert_eq!(kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(warnings, ["test `b` (200 records) stays at home: a release holds 1000 in all"]);
        assert!(OTHER_SECRET.len() >= pipeline::DUMMY_SECRET.len());
    }
}
