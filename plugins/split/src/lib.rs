//! `split`: makes one event of each element of an array.
//!
//! The array is taken out first, then each element gets a copy of what is left: so the cost of a part is that of what it has,
//! not of the whole array. An element travels as JSON text inside an object, and under a name of its own, so that numbers
//! keep their spelling and no name in it can clash with a name on the way.

mod config;

use paddlewheel::prelude::*;

use config::{Keep, OnMissing, Place, Split};

/// Where the array, the element on its way and the kept fields stand for the time being.
const HELD: &str = "__paddlewheel_split__";
const HELD_ARRAY: &str = "__paddlewheel_split__.array";
const FIRST: &str = "__paddlewheel_split__.array[0]";
const HELD_ELEMENT: &str = "__paddlewheel_split__.element";
const ELEMENT: &str = "__paddlewheel_split__.element.value";
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
        let elements = event.copy();
        moved(&elements, &self.path, HELD_ARRAY)?;
        let base = self.base(&elements)?;
        (0..count).map(|index| self.part(&base, &taken(&elements)?, index)).collect()
    }

    /// The event without the array, and with nothing but what is kept.
    fn base<E: Fields>(&self, without_array: &E) -> Result<E, Failure> {
        let base = without_array.copy();
        base.remove(HELD);
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
        base.remove(HELD);
        Ok(base)
    }

    /// `element`: JSON of an object with the element in it.
    fn part<E: Fields>(&self, base: &E, element: &str, index: u32) -> Result<E, Failure> {
        let part = base.copy();
        part.set(HELD_ELEMENT, &Value::Json(element.to_owned()))?;
        match &self.place {
            Place::Into(field) => moved(&part, ELEMENT, field)?,
            Place::Merged => {
                let names = part.keys(ELEMENT);
                if names.is_empty() && !is_object(&part, ELEMENT) {
                    let reason = format!("{}[{index}] is not an object: it cannot be merged", self.path);
                    return Err(Failure::Reject(reason));
                }
                for name in names {
                    moved(&part, &format!("{ELEMENT}.{name}"), &name)?;
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

/// Takes the first element out of the array: JSON of an object with the element in it.
fn taken(elements: &impl Fields) -> Result<String, Failure> {
    moved(elements, FIRST, ELEMENT)?;
    let Some(Value::Json(element)) = elements.get(HELD_ELEMENT) else {
        return Err(Failure::Error("the array has fewer elements than it said".to_owned()));
    };
    elements.remove(HELD_ELEMENT);
    Ok(element)
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
