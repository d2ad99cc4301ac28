//! How much a case may cost: the fuel each step took when its budget was written, and some room.
//!
//! Fuel counts the instructions of the guest, so the same component takes the same on every machine. Another compiler
//! makes another component, hence the room.

use super::{Case, Ran};
use crate::error::{Error, Trouble};
use crate::text::number;
use anyhow::Context as _;
use std::collections::BTreeMap;

/// Hundredths of its budget that a step may take: a new compiler costs or saves less than this, a needless copy more.
const PERCENT_MAX: u64 = 125;

/// Fuel of all events of a case, by step.
pub(crate) type Fuel = BTreeMap<String, u64>;

/// The fuel that each step took.
pub(crate) fn of(ran: &Ran) -> Fuel {
    ran.report.steps.iter().map(|step| (step.name.clone(), step.fuel)).collect()
}

/// The budget that stands beside a case; none when nobody wrote one.
pub(crate) fn budget(case: &Case) -> Result<Option<Fuel>, Error> {
    let path = case.fuel();
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read(&path).with_context(|| format!("read {}", path.display())).or_usage()?;
    let told = || format!("{} is not a budget, as {{\"step\": 12345}}", path.display());
    serde_json::from_slice(&text).with_context(told).or_usage().map(Some)
}

/// The steps that are over their budget: the budget, and what they took.
pub(crate) fn exceeded(budget: &Fuel, fuel: &Fuel) -> Vec<(String, u64, u64)> {
    let over = |(step, &took): (&String, &u64)| {
        let allowed = *budget.get(step)?;
        let is_over = took.saturating_mul(100) > allowed.saturating_mul(PERCENT_MAX);
        is_over.then(|| (step.clone(), allowed, took))
    };
    fuel.iter().filter_map(over).collect()
}

/// One of them, for people.
pub(crate) fn told(step: &str, allowed: u64, took: u64) -> String {
    let (took, allowed) = (number(took), number(allowed));
    format!("  step {step} takes {took} fuel; its budget in fuel.json is {allowed} and a quarter (--update accepts it)")
}

/// Whether a budget should be written anew: a step is new or gone, or takes a quarter more or less.
pub(crate) fn is_stale(budget: Option<&Fuel>, fuel: &Fuel) -> bool {
    let Some(budget) = budget else { return true };
    !budget.keys().eq(fuel.keys()) || !exceeded(budget, fuel).is_empty() || !exceeded(fuel, budget).is_empty()
}

/// Writes the budget.
pub(crate) fn write(case: &Case, fuel: &Fuel) -> Result<(), Error> {
    let path = case.fuel();
    let text = serde_json::to_string_pretty(fuel).context("a budget is plain numbers").or_outside()?;
    std::fs::write(&path, text + "\n").with_context(|| format!("write {}", path.display())).or_outside()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fuel(of: &[(&str, u64)]) -> Fuel {
        of.iter().map(|(step, fuel)| ((*step).to_owned(), *fuel)).collect()
    }

    #[test]
    fn a_quarter_more_is_allowed_and_no_more() {
        let budget = fuel(&[("mask", 100), ("split", 0)]);
        assert!(exceeded(&budget, &fuel(&[("mask", 125), ("new", 9)])).is_empty());
        assert_eq!(exceeded(&budget, &fuel(&[("mask", 126)])).len(), 1);
        assert_eq!(exceeded(&budget, &fuel(&[("split", 1)])).len(), 1);
        assert!(exceeded(&budget, &fuel(&[("split", 0)])).is_empty());
    }

    #[test]
    fn a_budget_is_written_when_it_says_something_new() {
        let budget = fuel(&[("mask", 100)]);
        assert!(is_stale(None, &budget));
        assert!(!is_stale(Some(&budget), &fuel(&[("mask", 90)])));
        assert!(is_stale(Some(&budget), &fuel(&[("mask", 60)])));
        assert!(is_stale(Some(&budget), &fuel(&[("mask", 200)])));
        assert!(is_stale(Some(&budget), &fuel(&[("mask", 100), ("more", 1)])));
    }
}
