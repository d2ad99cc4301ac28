//! Conditions as a config writes them, checked and turned into what an event is asked.

use paddlewheel::prelude::*;
use serde::Deserializer;

/// How deep `any` and `all` may be nested. Nobody reads more, and the check must not exhaust the stack.
const DEPTH_MAX: usize = 8;

/// How many conditions a config may hold in all. Each costs a call into the host for each event.
const CONDITIONS_MAX: usize = 256;

/// A condition on an event.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) enum Condition {
    /// One of them must hold.
    Any(Vec<Condition>),
    /// All of them must hold.
    All(Vec<Condition>),
    /// A field must pass a test.
    Field { field: Pattern, starred: bool, test: Test },
}

/// A test of a field's value.
#[derive(Debug)]
pub(crate) enum Test {
    Equals(Scalar),
    NotEquals(Scalar),
    In(Vec<Scalar>),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Exists(bool),
    GreaterThan(Number),
    LessThan(Number),
}

/// A value that a field is compared with.
#[derive(Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub(crate) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
}

/// A number of the config or of an event. Integers are compared exactly.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// A condition with every key it may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    field: Option<Pattern>,
    #[serde(default, deserialize_with = "given")]
    equals: Option<Scalar>,
    #[serde(default, deserialize_with = "given")]
    not_equals: Option<Scalar>,
    #[serde(rename = "in")]
    one_of: Option<Vec<Scalar>>,
    prefix: Option<String>,
    suffix: Option<String>,
    contains: Option<String>,
    exists: Option<bool>,
    greater_than: Option<Number>,
    less_than: Option<Number>,
    any: Option<Vec<Condition>>,
    all: Option<Vec<Condition>>,
}

/// A key that is there counts, even if its value is `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Scalar::deserialize(deserializer).map(Some)
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { field, equals, not_equals, one_of, prefix, suffix, contains, .. } = written;
        let Written { exists, greater_than, less_than, any, all, .. } = written;
        let tests = [
            equals.map(Test::Equals),
            not_equals.map(Test::NotEquals),
            one_of.map(Test::In),
            prefix.map(Test::Prefix),
            suffix.map(Test::Suffix),
            contains.map(Test::Contains),
            exists.map(Test::Exists),
            greater_than.map(Test::GreaterThan),
            less_than.map(Test::LessThan),
        ];
        let mut tests: Vec<Test> = tests.into_iter().flatten().collect();
        match (field, tests.pop(), any, all) {
            (Some(field), Some(test), None, None) if tests.is_empty() => {
                Ok(Condition::Field { starred: field.has_star(), field, test })
            }
            (None, None, Some(list), None) if !list.is_empty() => Ok(Condition::Any(list)),
            (None, None, None, Some(list)) if !list.is_empty() => Ok(Condition::All(list)),
            _ => Err("a condition is a field with one of equals, not_equals, in, prefix, suffix, contains, exists, \
                      greater_than, less_than, or else any or all with a list of conditions"
                .to_owned()),
        }
    }
}

impl TryFrom<serde_json::Value> for Scalar {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::Null => Ok(Scalar::Null),
            serde_json::Value::Bool(value) => Ok(Scalar::Boolean(value)),
            serde_json::Value::String(text) => Ok(Scalar::Text(text)),
            number @ serde_json::Value::Number(_) => Number::try_from(number).map(Scalar::Number),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                Err("a field is compared with a string, a number, true, false or null".to_owned())
            }
        }
    }
}

impl TryFrom<serde_json::Value> for Number {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        let integer = value.as_i64().map(Number::Integer);
        integer.or_else(|| value.as_f64().map(Number::Float)).ok_or_else(|| format!("{value} is not a number"))
    }
}

/// Checks how many conditions there are and how deep.
pub(crate) fn check_all<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Result<(), String> {
    let mut open: Vec<(&Condition, usize)> = conditions.map(|condition| (condition, 1)).collect();
    let mut count = 0;
    while let Some((condition, depth)) = open.pop() {
        count += 1;
        if depth > DEPTH_MAX {
            return Err(format!("any and all are nested deeper than {DEPTH_MAX}"));
        }
        if count > CONDITIONS_MAX {
            return Err(format!("there are more than {CONDITIONS_MAX} conditions"));
        }
        match condition {
            Condition::Any(list) | Condition::All(list) => {
                open.extend(list.iter().map(|condition| (condition, depth + 1)));
            }
            Condition::Field { .. } => {}
        }
    }
    Ok(())
}
