//! What is wrong with what a case came to: data, which `--format json` gives as it is, and lines for people.

use super::{Case, Ran, diff, fuel};
use crate::error::Error;
use crate::terminal::Paint;
use crate::text::count;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Most events whose difference is shown to people.
const EVENTS_SHOWN_MAX: usize = 5;

/// One thing that is wrong.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Wrong {
    /// There is no `expected.ndjson`.
    NothingExpected,
    /// An event's answer is another one.
    Answer {
        /// Counted from 1.
        event: usize,
        /// Where it comes from.
        place: String,
        /// None: there is no such line.
        #[serde(serialize_with = "as_json")]
        expected: Option<String>,
        #[serde(serialize_with = "as_json")]
        actual: Option<String>,
        /// Lines, `-` expected and `+` received.
        difference: Vec<String>,
    },
    /// There are more answers than events, or fewer.
    Count { expected: usize, actual: usize },
    /// A step is over its budget by more than a quarter.
    Fuel { step: String, expected: u64, actual: u64 },
    /// A plugin remembers something from one event to the next.
    Remembers { how: String },
}

/// What is wrong with a case; nothing when it passed.
///
/// # Errors
/// When a file of the case cannot be read.
pub(crate) fn of(case: &Case, ran: &Ran) -> Result<Vec<Wrong>, Error> {
    let Some(expected) = case.expected_answers()? else { return Ok(vec![Wrong::NothingExpected]) };
    let mut wrong = answers(&expected, ran);
    if let Some(budget) = fuel::budget(case)? {
        let over = fuel::exceeded(&budget, &fuel::of(ran)).into_iter();
        wrong.extend(over.map(|(step, expected, actual)| Wrong::Fuel { step, expected, actual }));
    }
    wrong.extend(remembers(ran));
    Ok(wrong)
}

/// Whether a plugin remembers something.
pub(crate) fn remembers(ran: &Ran) -> Option<Wrong> {
    ran.remembers.clone().map(|how| Wrong::Remembers { how })
}

fn answers(expected: &[String], ran: &Ran) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (at, (actual, place)) in ran.answers.iter().zip(&ran.places).enumerate() {
        let expected = expected.get(at);
        if expected != Some(actual) {
            let difference = diff::lines(expected.map_or("", String::as_str), actual, Paint::PLAIN);
            wrong.push(Wrong::Answer {
                event: at + 1,
                place: place.clone(),
                expected: expected.cloned(),
                actual: Some(actual.clone()),
                difference: difference
                    .iter()
                    .map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned())
                    .collect(),
            });
        }
    }
    if expected.len() != ran.answers.len() {
        wrong.push(Wrong::Count { expected: expected.len(), actual: ran.answers.len() });
    }
    wrong
}

/// The same for people.
pub(crate) fn lines(wrong: &[Wrong], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = 0;
    for wrong in wrong {
        if let Wrong::Answer { event, place, expected, actual, .. } = wrong {
            differ += 1;
            if differ <= EVENTS_SHOWN_MAX {
                lines.push(format!("  event {event} ({place})"));
                let text = |answer: &Option<String>| answer.clone().unwrap_or_default();
                lines.extend(diff::lines(&text(expected), &text(actual), paint));
            }
        }
    }
    if differ > EVENTS_SHOWN_MAX {
        lines.push(format!("  … and {} more events differ", differ - EVENTS_SHOWN_MAX));
    }
    lines.extend(wrong.iter().flat_map(in_a_word));
    lines
}

/// What needs no difference to be understood.
fn in_a_word(wrong: &Wrong) -> Vec<String> {
    match wrong {
        Wrong::Answer { .. } => Vec::new(),
        Wrong::NothingExpected => {
            vec!["  there is no expected.ndjson: `paddle test --update` writes what came, for you to read".to_owned()]
        }
        Wrong::Count { expected, actual } => {
            let came = count(*actual as u64, "event");
            vec![format!("  expected.ndjson has {}, the input {came}", count(*expected as u64, "line"))]
        }
        Wrong::Fuel { step, expected, actual } => vec![fuel::told(step, *expected, *actual)],
        Wrong::Remembers { how } => vec![
            format!("  {how}"),
            "  a plugin remembers something from one event to the next; events must not depend on their neighbours"
                .to_owned(),
        ],
    }
}

/// An answer is JSON already; its numbers stay as they are written.
fn as_json<S: Serializer>(answer: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = answer.as_ref().map(|answer| serde_json::from_str::<&RawValue>(answer));
    raw.transpose().map_err(serde::ser::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::{Ran, answers, lines};
    use crate::terminal::Paint;
    use serde_json::json;

    fn ran(answers: &[&str]) -> Ran {
        Ran {
            answers: answers.iter().map(|answer| (*answer).to_owned()).collect(),
            places: (1..=answers.len()).map(|line| format!("line {line} of f")).collect(),
            remembers: None,
            report: pipeline::Report::default(),
        }
    }

    #[test]
    fn an_answer_is_told_with_what_was_expected() {
        let expected = ["{\"a\":1}".to_owned(), "{\"b\":2.50}".to_owned()];
        assert!(answers(&expected, &ran(&["{\"a\":1}", "{\"b\":2.50}"])).is_empty());
        let wrong = answers(&expected, &ran(&["{\"a\":1}", "{\"b\":2.0}", "{}"]));
        let told = serde_json::to_string(&wrong).expect("JSON");
        assert!(told.contains("\"expected\":{\"b\":2.50},\"actual\":{\"b\":2.0}"), "{told}");
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(
            (&told[0]["kind"], &told[0]["event"], &told[0]["place"]),
            (&json!("answer"), &json!(2), &json!("line 2 of f"))
        );
        assert_eq!(told[0]["difference"], json!(["  {", "-   \"b\": 2.50", "+   \"b\": 2.0", "  }"]));
        assert_eq!((&told[1]["expected"], &told[1]["actual"]), (&json!(null), &json!({})));
        assert_eq!(told[2], json!({"kind": "count", "expected": 2, "actual": 3}));
        let lines = lines(&wrong, Paint::PLAIN);
        assert!(lines.iter().any(|line| line.trim() == "-   \"b\": 2.50"), "{lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some("  expected.ndjson has 2 lines, the input 3 events"));
    }
}
