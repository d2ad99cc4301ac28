//! `redact`: hides what must not be stored, in named fields and by pattern anywhere.
//!
//! `config` reads and checks the step's config, `fields` hides named fields, `strings` finds the strings of a document, and
//! the host's own `pii` finds e-mail addresses, card numbers and IBANs in a string. The README says what a config may hold.

mod config;
mod fields;
mod strings;

use paddlewheel::prelude::*;

use config::Redact;

/// How often a document is searched. After the first time nothing should be left. A mask of the author's own may make a new
/// match out of what stands beside it, and a name may be spelled in two ways: the second time hides these.
const ROUNDS_MAX: usize = 3;

impl Plugin for Redact {
    fn transform(&self, event: Event) -> Answer {
        self.hide(&event)?;
        keep(event)
    }
}

impl Redact {
    /// Hides all that the config names. Fails rather than let anything through that it could not look at.
    fn hide(&self, event: &impl Fields) -> Result<(), Failure> {
        let mut json = false;
        for field in &self.fields {
            json |= self.action.apply(event, field)?;
        }
        // A field that was found proves that the event is JSON. Else it is asked: without fields nothing can be hidden.
        if !json && !event.has("") {
            return Err(Failure::Reject("not JSON: cannot be redacted".to_owned()));
        }
        if self.patterns.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS_MAX {
            if !self.hide_patterns(event)? {
                return Ok(());
            }
        }
        Err(Failure::Reject("a pattern is still found after it was masked".to_owned()))
    }

    /// Masks every match of the patterns. Gives whether there was any.
    fn hide_patterns(&self, event: &impl Fields) -> Result<bool, Failure> {
        let mut found = Vec::new();
        if self.search_in.is_empty() {
            let json = event.json().ok_or_else(|| Failure::Reject("not JSON: cannot be redacted".to_owned()))?;
            strings::visit(&json, "", &mut |place, text| self.note(place, text, &mut found));
        }
        for path in self.search_in.iter().flat_map(|pattern| event.expand(pattern)) {
            match event.get(&path) {
                Some(Value::Text(text)) => self.note(&|| path.clone(), &text, &mut found),
                Some(Value::Json(json)) => {
                    strings::visit(&json, &path, &mut |place, text| self.note(place, text, &mut found));
                }
                Some(Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_)) | None => {}
            }
        }
        for (path, masked) in &found {
            event
                .set_text(path, masked)
                .map_err(|reason| Failure::Reject(format!("a match in {path} cannot be masked: {reason}")))?;
        }
        Ok(!found.is_empty())
    }

    /// Notes a string's place and what it becomes, if it has a match.
    fn note(&self, place: &dyn Fn() -> String, text: &str, found: &mut Vec<(String, String)>) {
        if let Some(masked) = pii::mask(text, &self.patterns, &self.mask) {
            found.push((place(), masked));
        }
    }
}

paddlewheel::plugin!(Redact);

#[cfg(test)]
mod tests;
