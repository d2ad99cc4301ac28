//! What an environment wrote, kept within bounds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines kept of an environment; the oldest go first.
pub const LINES_KEPT_MAX: usize = 100_000;
/// Bytes of a line, which is what CloudWatch Logs takes as one event; a longer one becomes several.
pub const LINE_BYTES_MAX: usize = 256 << 10;
/// Bytes of all lines kept of an environment.
const BYTES_KEPT_MAX: usize = 64 << 20;

/// A line without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who wrote it.
    pub source: Source,
    /// Its text; what is not UTF-8 is replaced.
    pub text: String,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The process, to its standard output.
    Stdout,
    /// The process, to its standard error. Its order among the lines of standard output is not exact.
    Stderr,
    /// Lambda: an init that failed, a timeout, an exit.
    Platform,
}

/// The lines of one environment, across its processes.
#[derive(Default)]
pub(super) struct Log {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines that went.
    gone: u64,
}

impl Log {
    pub(super) fn push(&self, source: Source, text: String) {
        let mut kept = self.kept();
        kept.bytes += text.len();
        kept.lines.push_back(Line { source, text });
        while kept.lines.len() > LINES_KEPT_MAX || kept.bytes > BYTES_KEPT_MAX {
            let Some(line) = kept.lines.pop_front() else { break };
            kept.bytes -= line.text.len();
            kept.gone += 1;
        }
    }

    /// How many lines were written so far.
    pub(super) fn mark(&self) -> u64 {
        let kept = self.kept();
        kept.gone + kept.lines.len() as u64
    }

    /// The lines after the first `mark`, as far as they are kept.
    pub(super) fn since(&self, mark: u64) -> Vec<Line> {
        let kept = self.kept();
        let skipped = usize::try_from(mark.saturating_sub(kept.gone)).unwrap_or(usize::MAX);
        kept.lines.iter().skip(skipped).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the lines as they were before or after one of them.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let log = Log::default();
        for n in 0..LINES_KEPT_MAX + 5 {
            log.push(Source::Stdout, n.to_string());
        }
        let mark = log.mark();
        assert_eq!(mark, LINES_KEPT_MAX as u64 + 5);
        log.push(Source::Platform, "last".to_owned());
        assert_eq!(log.since(mark), [Line { source: Source::Platform, text: "last".to_owned() }]);
        assert_eq!(log.since(0).len(), LINES_KEPT_MAX);
        assert_eq!(log.since(0)[0].text, "6");
        for _ in 0..3 * BYTES_KEPT_MAX / LINE_BYTES_MAX {
            log.push(Source::Stdout, " ".repeat(LINE_BYTES_MAX));
        }
        assert_eq!(log.since(0).len(), BYTES_KEPT_MAX / LINE_BYTES_MAX);
    }
}
