//! A release's own test records: what they came to when it was published, and whether they come to the same here.
//!
//! A publisher runs them on what it ships and keeps the answers; a host runs them before it takes the release.

use crate::loaded::Loaded;
use crate::walk::{self, Entered, Rules, Source, Walk};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use pipeline::{Dropped, Failure, InputNotes, Outcome, Pipeline, Report, Runner};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// When every test record arrived, and what time it is: 2026-01-01T00:00:00Z, in milliseconds since the Unix epoch.
pub const TRIAL_NOW_MS: u64 = 1_767_225_600_000;

/// Records of one release: a host runs them all before it takes it.
pub const TRIAL_RECORDS_MAX: usize = 1_000;

/// The version of the format.
const VERSION: u32 = 1;

/// Characters of a failure's message that an answer holds.
const MESSAGE_WIDTH: usize = 500;

/// The test records of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRecords {
    /// Of the format: 1.
    pub version: u32,
    /// The cases.
    pub cases: Vec<TrialCase>,
}

/// Records that run one after the other, and what each event of them came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCase {
    /// What the author calls it.
    pub name: String,
    /// Records, in standard base64.
    pub records: Vec<String>,
    /// One answer for each event, as [`answer`] writes them.
    pub expected: Vec<String>,
}

/// An event that came to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The case.
    pub case: String,
    /// The event's place in it, from 1.
    pub event: usize,
    /// What was expected; none for an event too many.
    pub expected: Option<String>,
    /// What came; none for an event too few.
    pub came: Option<String>,
}

impl TrialRecords {
    /// Cases with the answers that `loaded` gives now. `cases`: names, and the bytes of their records.
    ///
    /// # Errors
    /// Too many records, or plugins that cannot be instantiated.
    pub fn record(loaded: &Loaded, cases: &[(String, Vec<Bytes>)]) -> Result<TrialRecords> {
        let count: usize = cases.iter().map(|(_, records)| records.len()).sum();
        ensure!(count <= TRIAL_RECORDS_MAX, "the tests have {count} records; a release holds {TRIAL_RECORDS_MAX}");
        let case = |(name, records): &(String, Vec<Bytes>)| {
            let encoded = records.iter().map(|record| base64_simd::STANDARD.encode_to_string(record)).collect();
            Ok(TrialCase { name: name.clone(), records: encoded, expected: answers(loaded, records)? })
        };
        Ok(TrialRecords { version: VERSION, cases: cases.iter().map(case).collect::<Result<_>>()? })
    }

    /// As a release keeps them.
    pub fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts become JSON").into()
    }

    /// Reads what a release keeps.
    ///
    /// # Errors
    /// Another format or version, or too many records.
    pub fn from_bytes(bytes: &[u8]) -> Result<TrialRecords> {
        let records: TrialRecords = serde_json::from_slice(bytes).context("the test records cannot be read")?;
        ensure!(records.version == VERSION, "the test records have version {}, not {VERSION}", records.version);
        let count: usize = records.cases.iter().map(|case| case.records.len()).sum();
        ensure!(count <= TRIAL_RECORDS_MAX, "there are {count} test records, more than {TRIAL_RECORDS_MAX}");
        Ok(records)
    }

    /// Runs the records on `loaded`: the events that come to something else, the first of each case.
    ///
    /// # Errors
    /// Records that are no base64, or plugins that cannot be instantiated.
    pub fn try_on(&self, loaded: &Loaded) -> Result<Vec<Mismatch>> {
        let mut mismatches = Vec::new();
        for case in &self.cases {
            let decode = |record: &String| base64_simd::STANDARD.decode_to_vec(record.as_bytes()).map(Bytes::from);
            let records: Result<Vec<Bytes>, _> = case.records.iter().map(decode).collect();
            let records =
                records.ok().with_context(|| format!("case `{}` has a record that is not base64", case.name))?;
            let came = answers(loaded, &records)?;
            let events = case.expected.len().max(came.len());
            if let Some(at) = (0..events).find(|&at| case.expected.get(at) != came.get(at)) {
                let (expected, came) = (case.expected.get(at).cloned(), came.get(at).cloned());
                mismatches.push(Mismatch { case: case.name.clone(), event: at + 1, expected, came });
            }
        }
        Ok(mismatches)
    }
}

/// What each event of some records comes to, in fresh instances.
///
/// # Errors
/// Plugins that cannot be instantiated.
pub fn answers(loaded: &Loaded, records: &[Bytes]) -> Result<Vec<String>> {
    let pipeline = Arc::new(loaded.pipeline.without_ids());
    let mut runner = Runner::new(Arc::clone(&pipeline), (loaded.plugins)()?, "trial");
    let (rules, report) = (Rules::of(&pipeline), &mut Report::default());
    let mut walk = Walk { rules: &rules, runner: &mut runner, report, now_ms: TRIAL_NOW_MS, deadline: None };
    let mut answers = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let (id, data) = (format!("trial:{at}").into(), Ok(record.clone()));
        let source = Source { id: &id, partition_key: &ByteString::default(), arrived_at_ms: TRIAL_NOW_MS, data };
        for entered in walk::events(source, &rules, &mut InputNotes::default()).into_vec() {
            // Releases hold answers of plugins that write this id, so it stays as it always was.
            let id = format!("trial:{at}/{}", entered.part.unwrap_or(0)).into();
            answers.push(answer(&walk.event(Entered { id, ..entered }), &pipeline));
        }
    }
    Ok(answers)
}

#[derive(Serialize)]
struct Emitted<'a> {
    route: &'a str,
    document: &'a RawValue,
}

/// An answer, as `expected.ndjson` has it.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Out {
        out: Vec<Emitted<'a>>,
    },
    Dropped {
        dropped_by: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        failed: Option<&'a str>,
    },
    Failed {
        failed: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<&'a str>,
        message: String,
    },
    Retry {
        retry: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<&'a str>,
    },
}

/// What an event came to, as one line of JSON: what `expected.ndjson` holds and releases keep.
pub fn answer(outcome: &Outcome, pipeline: &Pipeline) -> String {
    let step = |step: &Option<usize>| step.map(|step| pipeline.steps[step].name.as_str());
    let answer = match outcome {
        Outcome::Emit(documents) => {
            let emitted = |document: &'_ pipeline::Emitted| {
                let text = std::str::from_utf8(&document.bytes).unwrap_or("null");
                RawValue::from_string(text.to_owned()).map(|json| (document.route, json))
            };
            let documents: Vec<(u16, Box<RawValue>)> = documents.iter().flat_map(emitted).collect();
            let out = documents
                .iter()
                .map(|(route, document)| Emitted { route: &pipeline.routes[usize::from(*route)].name, document });
            return line(&Answer::Out { out: out.collect() });
        }
        Outcome::Drop(Dropped { step: by, failure }) => Answer::Dropped {
            dropped_by: step(by).unwrap_or("the check"),
            failed: failure.as_ref().map(|failure| failure.kind.as_str()),
        },
        Outcome::DeadLetter(failed) => Answer::Failed {
            failed: failed.failure.kind.as_str(),
            step: step(&failed.step),
            message: message(&failed.failure),
        },
        Outcome::Retry(failed) => Answer::Retry { retry: message(&failed.failure), step: step(&failed.step) },
        Outcome::Unsettled(reason) => Answer::Retry { retry: reason.to_string(), step: None },
    };
    line(&answer)
}

/// A backtrace changes with every build; the first line says what happened.
fn message(failure: &Failure) -> String {
    failure.message().lines().next().unwrap_or_default().chars().take(MESSAGE_WIDTH).collect()
}

fn line(answer: &Answer) -> String {
    let text = serde_json::to_vec(answer).unwrap_or_default();
    String::from_utf8_lossy(&minify(&text)).into_owned()
}

/// JSON without the white space around its parts; every value is written as it was. Text that is no JSON stays as it
/// is.
pub fn minify(json: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => continue,
            b'"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && byte == b'\\' && !escaped;
        short.push(byte);
    }
    short
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn records_come_to_what_they_came_to() {
        let loaded = Loaded::identity("p");
        let records = vec![Bytes::from_static(b"{ \"a\" : 1.0 }"), Bytes::from_static(b"no JSON")];
        let recorded = TrialRecords::record(&loaded, &[("one".into(), records)]).unwrap();
        assert_eq!(recorded.cases[0].expected[0], r#"{"out":[{"route":"default","document":{"a":1.0}}]}"#);
        assert!(recorded.cases[0].expected[1].contains("invalid-output"));
        let mut read = TrialRecords::from_bytes(&recorded.to_bytes()).unwrap();
        assert_eq!(read.try_on(&loaded).unwrap(), []);
        read.cases[0].expected[0] = "other".into();
        let mismatches = read.try_on(&loaded).unwrap();
        assert_eq!((mismatches[0].event, mismatches[0].expected.as_deref()), (1, Some("other")));
        read.cases[0].expected.clear();
        assert_eq!(read.try_on(&loaded).unwrap()[0].expected, None);
        read.cases[0].records[0] = "*".into();
        assert!(read.try_on(&loaded).is_err());
    }

    #[test]
    fn what_cannot_be_taken_apart_is_dropped_if_the_pipeline_says_so() {
        let broken = vec![Bytes::from_static(b"\x1F\x8B\x08 not gzip")];
        let answer_of = |policy: &str| {
            let toml = format!("[pipeline]\nname = \"p\"\n[input]\nunpack = [\"gzip\"]\non_failure = \"{policy}\"\n");
            let pipeline = Arc::new(Pipeline::parse(&toml).unwrap());
            answers(&Loaded { pipeline, ..Loaded::identity("p") }, &broken).unwrap().remove(0)
        };
        assert_eq!(answer_of("drop"), r#"{"dropped_by":"the check","failed":"unpack"}"#);
        assert!(answer_of("dead-letter").starts_with(r#"{"failed":"unpack""#), "{}", answer_of("dead-letter"));
    }

    #[test]
    fn what_is_no_test_records_is_refused() {
        assert!(TrialRecords::from_bytes(b"{}").is_err());
        assert!(
            TrialRecords::from_bytes(br#"{"version":2,"cases":[]}"#).unwrap_err().to_string().contains("version 2")
        );
    }

    #[test]
    fn only_white_space_between_values_goes() {
        assert_eq!(minify(b"{ \"a b\" : [ 1.0 ,\n \"\\\" x\\\\\" , 2 ] }"), b"{\"a b\":[1.0,\"\\\" x\\\\\",2]}");
    }
}
