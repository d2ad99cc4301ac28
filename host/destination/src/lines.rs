//! Documents as lines of whatever can be written to, such as standard output.

use super::Summary;
use anyhow::Context;
use std::fmt;
use std::io::Write;

/// Writes all streams' documents, one a line, and hands each delivery over whole.
pub struct Lines {
    to: Box<dyn Write + Send>,
    written: u64,
}

impl Lines {
    /// Documents will be written here.
    pub fn new(to: impl Write + Send + 'static) -> Lines {
        Lines { to: Box::new(to), written: 0 }
    }

    pub(super) fn deliver<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> anyhow::Result<()> {
        let (lines, count) = joined(records);
        self.to.write_all(&lines).and_then(|()| self.to.flush()).context("write documents")?;
        self.written += count;
        Ok(())
    }

    pub(super) fn summary(&self) -> Summary {
        Summary { indexed: self.written, ..Summary::default() }
    }
}

/// Records as lines, and how many there are.
pub(super) fn joined<'a>(records: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, u64) {
    let mut lines = Vec::new();
    let mut count = 0;
    for record in records {
        lines.extend_from_slice(record);
        lines.push(b'\n');
        count += 1;
    }
    (lines, count)
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("written", &self.written).finish_non_exhaustive()
    }
}
