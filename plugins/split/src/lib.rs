//! `split`: makes one event of each element of an array.
//!
//! The array is first moved to a name of its own, so that no name in an element can clash with a name on the way. Then
//! each element gets a copy of what is left. Copies share the event's bytes, and elements are moved, not copied: numbers
//! keep their spelling.

mod config;

use paddlewheel::prelude::*;

use config::{Keep, OnMissing, Place, Split};

/// Where the array and the kept fields stand for the time being.
const HELD: &str = "__paddlewheel_split__";
const HELD_ARRAY: &str = "__paddlewheel_split__.array";
const HELD_FIELDS: &str = "__paddlewheel_split__.fields";

impl Plugin for Split {
    fn transform(&self, event: Event) -> Answer {
        match self.count(&event)? {
            Some(count) => Ok(self.split(&event, count)?.into_iter().map(Output::from).collect()),
            None => self.missing(event),
        }
    }
}

impl Split {
    /// How many elements the array has. None when there is no array, or nothing in it.
    fn count(&self, event: &impl Fields) -> Result<Option<u32>, Failure> {
        // Objects and strings have a length too; only an array has a first element.
        let first = format!("{}[0]", self.path);
        let Some(count) = event.length(&self.path).filter(|count| *count > 0 && event.has(&first)) else {
            return Ok(None);
        };
        if count > self.max {
            return Err(Failure::Reject(format!("{} has {count} elements, more than max = {}", self.path, self.max)));
        }
        Ok(Some(count))
    }

    fn missing(&self, event: Event) -> Answer {
        match self.on_missing {
            OnMissing::Keep => keep(event),
            OnMissing::Drop => drop_event(),
            OnMissing::Reject => reject(format!("{} is not an array with elements", self.path)),
        }
    }

    fn split<E: Fields>(&self, event: &E, count: u32) -> Result<Vec<E>, Failure> {
        let base = self.base(event)?;
        (0..count).map(|index| self.part(&base, index)).collect()
    }

    /// The event without the array, which stands at [`HELD_ARRAY`].
    fn base<E: Fields>(&self, event: &E) -> Result<E, Failure> {
        let base = event.copy();
        // The array goes first: what is kept may have it inside.
        moved(&base, &self.path, HELD_ARRAY)?;
        let Keep::Fields(fields) = &self.keep else { return Ok(base) };
        for field in fields {
            // A field that is not there is not kept.
            base.rename(field, &format!("{HELD_FIELDS}.{field}"));
        }
        for name in base.keys("").iter().filter(|name| *name != HELD) {
            base.remove(name);
        }
        for name in base.keys(HELD_FIELDS) {
            moved(&base, &format!("{HELD_FIELDS}.{name}"), &name)?;
        }
        Ok(base)
    }

    fn part<E: Fields>(&self, base: &E, index: u32) -> Result<E, Failure> {
        let part = base.copy();
        let element = format!("{HELD_ARRAY}[{index}]");
        match &self.place {
            Place::Into(field) => moved(&part, &element, field)?,
            Place::Merged => {
                let names = part.keys(&element);
                if names.is_empty() && !is_object(&part, &element) {
                    let reason = format!("{}[{index}] is not an object: it cannot be merged", self.path);
                    return Err(Failure::Reject(reason));
                }
                for name in names {
                    moved(&part, &format!("{element}.{name}"), &name)?;
                }
            }
        }
        part.remove(HELD);
        if let Some(field) = &self.index_field {
            part.set(field, &Value::Integer(i64::from(index)))?;
        }
        Ok(part)
    }
}

fn is_object(event: &impl Fields, path: &str) -> bool {
    matches!(event.get(path), Some(Value::Json(json)) if json.starts_with('{'))
}

/// Moves a field that is there. It fails when a value that is no object stands in the way.
fn moved(event: &impl Fields, from: &str, to: &str) -> Result<(), Failure> {
    if event.rename(from, to) {
        return Ok(());
    }
    Err(Failure::Reject(format!("{to} cannot be set: a value that is no object stands in the way")))
}

paddlewheel::plugin!(Split);

#[cfg(test)]
mod tests;
