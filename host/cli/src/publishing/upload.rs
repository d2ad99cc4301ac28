//! How far an upload is, and what it came to.

use crate::Context;
use crate::terminal::Progress;
use crate::text::{bytes, count};
use std::sync::{Mutex, PoisonError};

/// Characters of the bar.
const BAR_WIDTH: u64 = 20;

/// An upload on its way.
pub(crate) struct Upload {
    progress: Mutex<(Progress, Option<registry::Progress>)>,
}

impl Upload {
    pub(crate) fn new(context: &Context) -> Upload {
        Upload { progress: Mutex::new((context.ui.progress("uploading", ""), None)) }
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, now: registry::Progress) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.0.say(&line(&now));
        // Requests end in any order; what is furthest counts.
        progress.1 = progress.1.filter(|last| last.objects > now.objects).or(Some(now));
    }

    /// What it came to.
    pub(crate) fn end(self) -> Uploaded {
        let (_, last) = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        Uploaded {
            objects: last.map_or(0, |last| last.objects),
            written: last.map_or(0, |last| last.bytes_written),
            total: last.map_or(0, |last| last.bytes_total),
        }
    }
}

/// What was uploaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uploaded {
    objects: u64,
    /// Bytes of blobs that had to be written.
    pub(crate) written: u64,
    /// Bytes of all blobs.
    pub(crate) total: u64,
}

impl Uploaded {
    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let there = self.total.saturating_sub(self.written);
        let there = if there > 0 { format!(", {} were there", bytes(there)) } else { String::new() };
        format!("{}, {} uploaded{there}", count(self.objects, "object"), bytes(self.written))
    }
}

fn line(now: &registry::Progress) -> String {
    let done = (now.bytes * BAR_WIDTH).checked_div(now.bytes_total).unwrap_or(BAR_WIDTH);
    let bar: String = (0..BAR_WIDTH).map(|at| if at < done { '━' } else { '╌' }).collect();
    format!("{bar} {} of {}", bytes(now.bytes), bytes(now.bytes_total))
}

#[cfg(test)]
mod tests {
    use super::{Uploaded, line};
    use registry::Progress;

    #[test]
    fn what_was_there_is_told() {
        let uploaded = Uploaded { objects: 3, written: 2_048, total: 3_072 };
        assert_eq!(uploaded.sentence(), "3 objects, 2.0 KiB uploaded, 1.0 KiB were there");
        let all = Uploaded { objects: 1, written: 12, total: 12 };
        assert_eq!(all.sentence(), "1 object, 12 B uploaded");
    }

    #[test]
    fn the_bar_is_full_at_the_end() {
        let at = |bytes| Progress { bytes, bytes_total: 4_096, objects: 1, objects_total: 2, bytes_written: 0 };
        assert_eq!(line(&at(2_048)), "━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌ 2.0 KiB of 4.0 KiB");
        assert!(line(&at(4_096)).starts_with(&"━".repeat(20)));
    }
}
