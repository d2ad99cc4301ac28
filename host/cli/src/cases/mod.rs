//! Cases of `paddle test`: records, the answer to each of their events, the fuel it may take, and whether a plugin remembers
//! anything.

pub(crate) mod diff;
pub(crate) mod fuel;
#[cfg(test)]
mod tests;

use crate::error::{Error, Trouble};
use crate::input::{Flow, Reader, Record};
use crate::local::{Entered, Local};
use crate::project::tidy;
use crate::text::minify;
use anyhow::Context as _;
use pipeline::{Dropped, Failure, Outcome, Pipeline};
use serde::Serialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// What time it always is in a test: 2026-01-01T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_767_225_600_000;

/// Characters of a failure's message that an answer holds.
const MESSAGE_WIDTH: usize = 500;

/// A folder of a case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
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

impl Case {
    /// All cases of a project, by name.
    pub(crate) fn all(project: &Path) -> Result<Vec<Case>, Error> {
        let tests = project.join("tests");
        if !tests.is_dir() {
            return Ok(Vec::new());
        }
        let told = || format!("list the cases in {}", tests.display());
        let mut cases = Vec::new();
        for entry in std::fs::read_dir(&tests).with_context(told).or_usage()? {
            let folder = entry.with_context(told).or_usage()?.path();
            if folder.join("input.ndjson").is_file() {
                let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                cases.push(Case { name, folder });
            }
        }
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(cases)
    }

    /// The case of this name, which need not exist.
    pub(crate) fn named(project: &Path, name: &str) -> Case {
        Case { name: name.to_owned(), folder: project.join("tests").join(name) }
    }

    pub(crate) fn input(&self) -> PathBuf {
        self.folder.join("input.ndjson")
    }

    pub(crate) fn expected(&self) -> PathBuf {
        self.folder.join("expected.ndjson")
    }

    pub(crate) fn fuel(&self) -> PathBuf {
        self.folder.join("fuel.json")
    }

    /// Its records.
    pub(crate) fn records(&self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let name = tidy(&self.input()).to_string();
        Reader::default().files(&[name], &mut |record| {
            records.push(record);
            Ok(Flow::Continue(()))
        })?;
        Ok(records)
    }

    /// The answers that are expected, one a line, without needless white space; none when nobody wrote them yet.
    pub(crate) fn expected_answers(&self) -> Result<Option<Vec<String>>, Error> {
        let path = self.expected();
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display())).or_usage()?;
        let mut answers = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            serde_json::from_str::<serde::de::IgnoredAny>(line)
                .with_context(|| format!("line {} of {} is not JSON", at + 1, path.display()))
                .or_usage()?;
            answers.push(String::from_utf8_lossy(&minify(line.as_bytes())).into_owned());
        }
        Ok(Some(answers))
    }
}

/// The answer to one event.
pub(crate) fn answer(outcome: &Outcome, pipeline: &Pipeline) -> String {
    let step = |step: &Option<usize>| step.map(|step| pipeline.steps[step].name.as_str());
    let message = |failure: &Failure| {
        // A backtrace changes with every build; the first line says what happened.
        let first = failure.message.lines().next().unwrap_or_default();
        first.chars().take(MESSAGE_WIDTH).collect()
    };
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
        Outcome::Unsettled(reason) => Answer::Retry { retry: reason.clone(), step: None },
    };
    line(&answer)
}

fn line(answer: &Answer) -> String {
    let text = serde_json::to_vec(answer).unwrap_or_default();
    String::from_utf8_lossy(&minify(&text)).into_owned()
}

/// What a case came to.
pub(crate) struct Ran {
    /// The answers, in the order of the events.
    pub(crate) answers: Vec<String>,
    /// Where the events come from, for people.
    pub(crate) places: Vec<String>,
    /// The first event whose answer depends on what ran before it, and how that showed.
    pub(crate) remembers: Option<String>,
    pub(crate) report: pipeline::Report,
}

/// Runs the records of a case: in order; then, to see whether a plugin remembers anything, each event alone in fresh
/// instances, all in reverse, and all twice.
pub(crate) fn run(loaded: &lambda::Loaded, records: &[Record]) -> Result<Ran, Error> {
    let mut local = fresh(loaded)?;
    local.observe_fields();
    let (mut events, mut places) = (Vec::new(), Vec::new());
    for record in records {
        let found = local.events(record);
        places.extend(found.iter().map(|_| record.place.clone()));
        events.extend(found);
    }
    let pipeline = local.pipeline.clone();
    let one = |local: &mut Local, event: &Entered| answer(&local.run(event.clone()).outcome, &pipeline);
    let answers: Vec<String> = events.iter().map(|event| one(&mut local, event)).collect();
    let report = local.into_report();
    let differs =
        |at: usize, how: &str| Some(format!("event {} ({}) is answered differently {how}", at + 1, places[at]));
    let ran = |remembers| Ok(Ran { answers: answers.clone(), places: places.clone(), remembers, report });
    for (at, event) in events.iter().enumerate() {
        if one(&mut fresh(loaded)?, event) != answers[at] {
            return ran(differs(at, "when it runs alone"));
        }
    }
    let mut reversed = fresh(loaded)?;
    for (at, event) in events.iter().enumerate().rev() {
        if one(&mut reversed, event) != answers[at] {
            return ran(differs(at, "when the events run in reverse"));
        }
    }
    let mut twice = fresh(loaded)?;
    for (at, event) in events.iter().enumerate().chain(events.iter().enumerate()) {
        if one(&mut twice, event) != answers[at] {
            return ran(differs(at, "when the events run twice"));
        }
    }
    ran(None)
}

fn fresh(loaded: &lambda::Loaded) -> Result<Local, Error> {
    Local::new(loaded, Some(NOW_MS)).or_plugin()
}
