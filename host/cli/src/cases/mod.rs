//! Cases of `paddle test`: records, the answer to each of their events, the fuel it may take, and whether a plugin
//! remembers anything.

pub(crate) mod diff;
pub(crate) mod fuel;
#[cfg(test)]
mod tests;
pub(crate) mod wrong;

use crate::error::{Error, Trouble};
use crate::input::{Flow, Reader, Record};
use crate::local::Local;
use crate::project::{Origin, Project, tidy};
use anyhow::Context as _;
use lambda::trial::{TRIAL_NOW_MS, answer, minify};
use lambda::walk::Entered;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What time it always is in a test.
pub(crate) const NOW_MS: u64 = TRIAL_NOW_MS;

/// A folder of a case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

/// Cases that run through the same steps: the whole pipeline, or one plugin of it with its step's config.
pub(crate) struct Suite<'a> {
    pub(crate) project: Cow<'a, Project>,
    pub(crate) cases: Vec<Case>,
}

/// All suites that have cases: the project's own, then those in the folders of its plugins, in the order of the steps.
/// Cases of a plugin are called by its step's name and their own.
pub(crate) fn suites(project: &Project) -> Result<Vec<Suite<'_>>, Error> {
    let mut suites = vec![Suite { cases: Case::all(&project.tests)?, project: Cow::Borrowed(project) }];
    for step in project.pipeline.steps.iter().filter(|_| project.text.is_some()) {
        let Origin::Folder(folder) = project.origin(step)? else { continue };
        let mut cases = Case::all(&folder)?;
        cases.iter_mut().for_each(|case| case.name = format!("{}/{}", step.name, case.name));
        suites.push(Suite { project: Cow::Owned(project.of_step(step, folder)), cases });
    }
    suites.retain(|suite| !suite.cases.is_empty());
    Ok(suites)
}

impl Case {
    /// All cases in a folder's `tests`, by name.
    fn all(project: &Path) -> Result<Vec<Case>, Error> {
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
        let found = local.events(record).into_vec();
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
