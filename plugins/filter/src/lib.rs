//! `filter`: drops events by their fields, or keeps only some.
//!
//! `condition` reads the conditions of the config, `matching` asks an event about them. The README says what a config
//! may hold.

mod condition;
mod matching;

use condition::Condition;
use paddlewheel::prelude::*;

/// The step's config.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Any of these drops an event.
    #[serde(default)]
    drop_if: Vec<Condition>,
    /// If there are any, an event needs one of them to go on.
    keep_if: Option<Vec<Condition>>,
}

impl Filter {
    fn keeps(&self, event: &impl Fields) -> bool {
        if self.drop_if.iter().any(|condition| condition.matches(event)) {
            return false;
        }
        self.keep_if.as_ref().is_none_or(|list| list.iter().any(|condition| condition.matches(event)))
    }
}

impl Plugin for Filter {
    fn check(&self) -> Result<(), String> {
        let keep_if = self.keep_if.as_deref();
        if keep_if.is_some_and(<[Condition]>::is_empty) {
            return Err("keep_if is empty, so every event would be dropped; leave it out to keep all".to_owned());
        }
        if self.drop_if.is_empty() && keep_if.is_none() {
            return Err("it needs drop_if or keep_if, each a list of conditions such as \
                        { field = \"level\", equals = \"DEBUG\" }"
                .to_owned());
        }
        condition::check_all(self.drop_if.iter().chain(keep_if.unwrap_or_default()))
    }

    fn transform(&self, event: Event) -> Answer {
        if self.keeps(&event) { keep(event) } else { drop_event() }
    }
}

paddlewheel::plugin!(Filter);

#[cfg(test)]
mod tests;
