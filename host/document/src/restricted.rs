//! Changes by a step that does not see everything: made on the part that it sees, then on the whole.
//!
//! Whatever the step is answered comes of the part that it sees and of what it asked, so two documents that differ only
//! in what is hidden answer alike, however they are asked. One thing alone can be told: that a change which is right in
//! what the step sees cannot be made in the whole, because something hidden that is not an object stands in the way.
//! Then the change is denied, which ends the call.

use crate::edit::EditError;
use crate::meter::Meter;
use crate::path::{Path, Pattern, Segment};
use crate::read::Value;
use crate::scope::{Reached, Scope, Sight, denied};
use crate::tree::Document;
use std::borrow::Cow;

/// A document, and the part of it that a step sees.
#[derive(Debug)]
pub struct Restricted<'a> {
    /// The document itself.
    pub whole: &'a mut Document,
    /// What [`Document::visible`] made of it, with the changes since.
    pub view: &'a mut Document,
    /// What decides.
    pub scope: &'a Scope,
}

impl Restricted<'_> {
    /// As [`Document::set`].
    ///
    /// # Errors
    /// As [`Document::set`].
    pub fn set(&mut self, path: &Path<'_>, value: &Value<'_>, meter: &mut Meter) -> Result<(), EditError> {
        let segments = path.segments();
        match self.scope.permit_write(&segments)? {
            Sight::All => self.view.set(path, value, None, meter)?,
            Sight::Part => self.show(&segments, value, meter)?,
            Sight::None => {}
        }
        let set = self.whole.set(path, value, None, meter);
        set.map_err(|error| match error {
            EditError::ThroughScalar | EditError::BeyondEnd => denied(&segments).into(),
            other => other,
        })
    }

    /// Puts what the step sees of a value where it sees it.
    fn show(&mut self, path: &[Segment<'_>], value: &Value<'_>, meter: &mut Meter) -> Result<(), EditError> {
        let seen = match value {
            Value::Json(json) => {
                meter.take(json.len())?;
                let part = Document::parse(json.as_bytes().to_vec().into()).map_err(EditError::NotJson)?;
                self.scope.visible_at(path, part, meter)?
            }
            // Only what has fields can be seen in part.
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) | Value::Text(_) => None,
        };
        match seen {
            Some(json) => {
                let json = String::from_utf8_lossy(&json);
                self.view.set_segments(path, &Value::Json(Cow::Borrowed(&json)), meter)
            }
            None => self.view.remove(&Pattern::of_segments(path), None, meter).map(|_| ()),
        }
    }

    /// As [`Document::replace_text`].
    ///
    /// # Errors
    /// As [`Document::replace_text`].
    pub fn replace_text(&mut self, pattern: &Pattern<'_>, text: &str, meter: &mut Meter) -> Result<u32, EditError> {
        let count = self.view.replace_text(pattern, text, Some(self.scope), meter)?;
        let nodes = self.whole.all_changeable(pattern, Some(self.scope), Reached::Parts, meter)?;
        self.whole.replace_all(nodes, text, meter)?;
        Ok(count)
    }

    /// As [`Document::remove`].
    ///
    /// # Errors
    /// As [`Document::remove`].
    pub fn remove(&mut self, pattern: &Pattern<'_>, meter: &mut Meter) -> Result<u32, EditError> {
        let count = self.view.remove(pattern, Some(self.scope), meter)?;
        let nodes = self.whole.all_changeable(pattern, Some(self.scope), Reached::Parts, meter)?;
        self.whole.unlink(&nodes, meter)?;
        Ok(count)
    }

    /// As [`Document::rename`].
    ///
    /// # Errors
    /// As [`Document::rename`].
    pub fn rename<'p>(&mut self, path: &Path<'p>, to: &Path<'p>, meter: &mut Meter) -> Result<bool, EditError> {
        let (from, target) = (path.segments(), to.segments());
        let Some(value) = self.view.get(path, meter)? else { return Ok(false) };
        let value = match value {
            Value::Json(json) => Value::Json(Cow::Owned(json.into_owned())),
            _ => Value::Null,
        };
        if self.scope.permit_write(&from)? != Sight::All {
            return Err(denied(&from).into());
        }
        let sight = self.scope.permit_write(&target)?;
        if sight == Sight::All {
            if !self.view.rename(path, to, None, meter)? {
                return Ok(false);
            }
        } else {
            if from.is_empty() || target.is_empty() || target.starts_with(&from) {
                return Ok(false);
            }
            self.view.remove(&Pattern::of_segments(&from), None, meter)?;
            if sight == Sight::Part {
                self.show(&target, &value, meter)?;
            }
        }
        match self.whole.rename(path, to, None, meter)? {
            true => Ok(true),
            false => Err(denied(&target).into()),
        }
    }
}
