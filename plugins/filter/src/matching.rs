//! Asks an event about a condition. The usual one, a field compared with a string, is one call into the host.

use std::cmp::Ordering;

use paddlewheel::prelude::*;

use crate::condition::{Condition, Number, Scalar, Test};

impl Condition {
    /// Whether the condition holds for an event.
    pub(crate) fn matches(&self, event: &impl Fields) -> bool {
        match self {
            Condition::Any(list) => list.iter().any(|condition| condition.matches(event)),
            Condition::All(list) => list.iter().all(|condition| condition.matches(event)),
            Condition::Field { field, starred: false, test } => test.holds(event, field),
            Condition::Field { field, starred: true, test } => test.holds_for_any(event, field),
        }
    }
}

impl Test {
    /// With stars, one field that passes is enough. The negative tests are the opposite of the positive ones: no field
    /// may equal the value, none may be there.
    fn holds_for_any(&self, event: &impl Fields, pattern: &str) -> bool {
        let fields = event.expand(pattern);
        match self {
            Test::Exists(wanted) => fields.is_empty() != *wanted,
            Test::NotEquals(scalar) => !fields.iter().any(|field| scalar.equals(event, field)),
            _ => fields.iter().any(|field| self.holds(event, field)),
        }
    }

    fn holds(&self, event: &impl Fields, field: &str) -> bool {
        let text = |test: &dyn Fn(&str) -> bool| event.text(field).is_some_and(|text| test(&text));
        let order = |number: &Number| event.get(field).and_then(|value| number_of(&value)?.compare(*number));
        match self {
            Test::Equals(scalar) => scalar.equals(event, field),
            Test::NotEquals(scalar) => !scalar.equals(event, field),
            Test::In(list) => event.get(field).is_some_and(|value| list.iter().any(|scalar| scalar.is(&value))),
            Test::Prefix(prefix) => text(&|text| text.starts_with(prefix)),
            Test::Suffix(suffix) => text(&|text| text.ends_with(suffix)),
            Test::Contains(part) => text(&|text| text.contains(part)),
            Test::Exists(wanted) => event.has(field) == *wanted,
            Test::GreaterThan(number) => order(number) == Some(Ordering::Greater),
            Test::LessThan(number) => order(number) == Some(Ordering::Less),
        }
    }
}

impl Scalar {
    fn equals(&self, event: &impl Fields, field: &str) -> bool {
        match self {
            Scalar::Text(wanted) => event.text(field).is_some_and(|text| text == *wanted),
            Scalar::Null | Scalar::Boolean(_) | Scalar::Number(_) => {
                event.get(field).is_some_and(|value| self.is(&value))
            }
        }
    }

    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Null, Value::Null) => true,
            (Scalar::Boolean(wanted), Value::Boolean(value)) => wanted == value,
            (Scalar::Text(wanted), Value::Text(text)) => wanted == text,
            (Scalar::Number(wanted), value) => {
                number_of(value).is_some_and(|number| number.compare(*wanted) == Some(Ordering::Equal))
            }
            _ => false,
        }
    }
}

impl Number {
    /// Integers compare exactly, all else as 64-bit floats.
    fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an integer beside a float is compared as a float")]
    fn float(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }
}

/// A value as a number. Numbers too large for 64 bits come as JSON text.
fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Integer(integer) => Some(Number::Integer(*integer)),
        Value::Number(float) => Some(Number::Float(*float)),
        Value::Json(json) if json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            json.parse().ok().map(Number::Float)
        }
        Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Json(_) => None,
    }
}
