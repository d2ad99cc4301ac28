//! `redact`: hides what must not be stored, in named fields and by pattern anywhere.
//!
//! `config` reads and checks the step's config, `fields` hides named fields (`hashing` and `spans`:
//! by hashes), `strings` finds the strings of a document, and
//! the host's own `pii` finds e-mail addresses, card numbers and IBANs in a string. The README says what a config may hold.

mod config;
mod fields;
mod hashing;
mod spans;
mod strings;

use paddlewheel::prelude::*;

use config::Redact;

/// How often a document is searched. After the first time nothing should be left; the second time makes sure.
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
        let json = self.action.apply(event, &self.fields)?;
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
            strings::visit(&json, "", &mut |place, text, _| self.note(place, text, &mut found));
        }
        for path in self.search_in.iter().flat_map(|pattern| event.expand(pattern)) {
            match event.get(&path) {
                Some(Value::Text(text)) => self.note(&|| path.clone(), &text, &mut found),
                Some(Value::Json(json)) => {
                    strings::visit(&json, &path, &mut |place, text, _| self.note(place, text, &mut found));
                }
                Some(Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_)) | None => {}
            }
        }
        // A path means every spelling of a name, and what is masked is one of them.
        if found.iter().any(|(path, _)| event.expand(path).len() > 1) {
            self.rewrite(event)?;
            return Ok(true);
        }
        for (path, masked) in &found {
            event
                .set_text(path, masked)
                .map_err(|reason| Failure::Reject(format!("a match in {path} cannot be masked: {reason}")))?;
        }
        Ok(!found.is_empty())
    }

    /// Masks every match where it is written, each spelling of a name for itself.
    fn rewrite(&self, event: &impl Fields) -> Result<(), Failure> {
        let lost = || Failure::Reject("two spellings of a field cannot be masked apart".to_owned());
        let json = event.json().ok_or_else(lost)?;
        let searched = match self.search_in.as_slice() {
            [] => std::iter::once(0..json.len()).collect(),
            patterns => spans::find(&json, &patterns.iter().flat_map(|pattern| event.expand(pattern)).collect()),
        };
        let mut masked = Vec::new();
        for span in searched {
            strings::visit(&json[span.clone()], "", &mut |_, text, place| {
                let part = span.start + place.start..span.start + place.end;
                masked.extend(pii::mask(text, &self.patterns, &self.mask).map(|text| (part, text)));
            });
        }
        event.set("", &Value::Json(spans::replace(&json, &masked))).map_err(|_| lost())
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
