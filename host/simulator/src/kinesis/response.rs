//! What AWS makes of a function's answer. The table was recorded against the real service.

use serde_json::Value;
use std::collections::HashMap;

/// Bytes of a response that the Runtime API takes.
pub const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// How one invocation ended, as the mapping sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All records of the batch are done.
    Success,
    /// The records before this one, counted from the batch's first, are done; it and all after it are not.
    Partial(usize),
    /// The answer names something that is not in the batch, or cannot be read: no record is done.
    Unusable(String),
    /// The function failed: no record is done.
    FunctionError(String),
}

impl Outcome {
    /// Judges an answer to a batch with these sequence numbers. Where the mapping does not report item failures, any
    /// answer is a success: AWS does not look at it.
    pub(super) fn of<'a>(
        answer: Result<Vec<u8>, String>,
        sequence_numbers: impl Iterator<Item = &'a str>,
        report_batch_item_failures: bool,
    ) -> Outcome {
        match answer {
            Err(error) => Outcome::FunctionError(error),
            Ok(bytes) if bytes.len() > RESPONSE_BYTES_MAX => {
                Outcome::FunctionError("Function.ResponseSizeTooLarge".to_owned())
            }
            Ok(_) if !report_batch_item_failures => Outcome::Success,
            Ok(bytes) => match first_failed(&bytes, sequence_numbers) {
                Ok(None) => Outcome::Success,
                Ok(Some(first)) => Outcome::Partial(first),
                Err(why) => Outcome::Unusable(why),
            },
        }
    }
}

/// The lowest failed record of a response, by its place in the batch.
fn first_failed<'a>(response: &[u8], sequence_numbers: impl Iterator<Item = &'a str>) -> Result<Option<usize>, String> {
    if response.is_empty() {
        return Ok(None);
    }
    let response: Value =
        serde_json::from_slice(response).map_err(|error| format!("the response is not JSON: {error}"))?;
    let failures = match &response {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::Array(items) if items.is_empty() => return Ok(None),
        // Another outer key reads as no failure at all: silent loss, and so it is here.
        Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Err("the response is neither an object nor empty".to_owned()),
    };
    let failures = match failures {
        Value::Null => return Ok(None),
        Value::Array(failures) => failures,
        _ => return Err("batchItemFailures is not a list".to_owned()),
    };
    let places: HashMap<&str, usize> = sequence_numbers.enumerate().map(|(place, number)| (number, place)).collect();
    let mut first = None;
    for failure in failures {
        let Some(id) = failure.get("itemIdentifier").and_then(Value::as_str) else {
            return Err(format!("a failure has no itemIdentifier: {failure}"));
        };
        let Some(place) = places.get(id) else {
            return Err(format!("itemIdentifier {id:?} is not in the batch"));
        };
        first = Some(first.map_or(*place, |first: usize| first.min(*place)));
    }
    Ok(first)
}
