//! The books at the end: every record in is delivered, dropped or a dead letter, once.

use super::records;
use super::traffic::Ledger;
use crate::desk::{Desk, Ran};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::Path;

/// What became of all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub records: u64,
    /// Records whose documents are all there.
    pub delivered: u64,
    /// Records that are noise, and of which nothing came.
    pub dropped: u64,
    /// Records that are dead letters, and of which nothing else came.
    pub dead: u64,
    pub documents: u64,
}

impl Books {
    /// Closes the books, `letters` being how often each record is in a dead letter.
    ///
    /// # Errors
    /// When a record was lost, or came to something twice.
    pub fn close(ledger: &Ledger, letters: &[u64]) -> anyhow::Result<Books> {
        let mut books = Books { records: ledger.records, ..Books::default() };
        for (number, (&came, &dead)) in (0..).zip(ledger.documents.iter().zip(letters)) {
            let due = records::documents(number);
            match (came, dead) {
                (0, 1) => books.dead += 1,
                (0, 0) if due == 0 => books.dropped += 1,
                (came, 0) if came == due => books.delivered += 1,
                _ => anyhow::bail!("record {number} became {came} of {due} documents, and {dead} dead letters"),
            }
            books.documents += came;
        }
        ensure!(ledger.repeated == 0, "{} documents came twice", ledger.repeated);
        ensure!(ledger.strange == 0, "{} documents are of records that were never sent", ledger.strange);
        ensure!(books.delivered + books.dropped + books.dead == books.records, "the books do not add up: {books:?}");
        Ok(books)
    }
}

/// The files of dead letters in a folder, as they are called in `project`.
///
/// # Errors
/// When it cannot be read.
pub fn files(folder: &Path, project: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path, project)?),
            false => found.push(path.strip_prefix(project).unwrap_or(&path).display().to_string()),
        }
    }
    found.sort();
    Ok(found)
}

/// How often each of the first `records` records is in a dead letter, as `paddle dead-letters show` reads them.
///
/// # Errors
/// When they cannot be read, or speak of other records.
pub fn letters(desk: &Desk, files: &[String], records: u64) -> anyhow::Result<Vec<u64>> {
    let mut arguments = vec!["dead-letters", "show", "--data"];
    arguments.extend(files.iter().map(String::as_str));
    let ran = Ran::of(&desk.command(&arguments).output().context("run paddle")?);
    ensure!(ran.code == 0, "the dead letters cannot be read: {}", ran.err);
    let mut counts = vec![0; usize::try_from(records)?];
    for line in ran.out.lines() {
        let event: Value = serde_json::from_str(line).context("a dead letter's record is not JSON")?;
        let number = records::number(&event).context("a dead letter's record has no number")?;
        *counts.get_mut(usize::try_from(number)?).context("a dead letter is of a record that was never sent")? += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::{Books, Ledger};

    /// The first four records: noise, an order of two items, a page view, an order of four.
    fn close(documents: [u64; 4], letters: [u64; 4]) -> anyhow::Result<Books> {
        Books::close(&Ledger { records: 4, documents: documents.to_vec(), ..Ledger::default() }, &letters)
    }

    #[test]
    fn every_record_must_be_somewhere_once() {
        let books = close([0, 2, 1, 0], [0, 0, 0, 1]).expect("they add up");
        assert_eq!(books, Books { records: 4, delivered: 2, dropped: 1, dead: 1, documents: 3 });
        for (what, documents, letters) in [
            ("lost", [0, 2, 0, 4], [0, 0, 0, 0]),
            ("lost in part", [0, 1, 1, 4], [0, 0, 0, 0]),
            ("delivered twice", [0, 2, 2, 4], [0, 0, 0, 0]),
            ("delivered and a dead letter", [0, 2, 1, 4], [0, 1, 0, 0]),
            ("a dead letter twice", [0, 2, 1, 0], [0, 0, 0, 2]),
            ("noise that came through", [1, 2, 1, 4], [0, 0, 0, 0]),
        ] {
            assert!(close(documents, letters).is_err(), "{what}");
        }
        let repeated = Ledger { repeated: 1, ..Ledger::default() };
        assert!(Books::close(&repeated, &[]).is_err());
    }
}
