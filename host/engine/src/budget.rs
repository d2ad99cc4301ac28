//! What the host may do and hold for one event: the bounds of the calls that a plugin makes.
//!
//! Epochs interrupt a plugin, but not the host, so the work of the host is bounded by count.

use crate::state::{Held, stop};
use document::{Document, Meter};
use pipeline::{Content, FailureKind};
use std::time::Duration;

/// Bytes the host holds for the events of one call, copies and changes included.
const HELD_BYTES_MAX: usize = 64 << 20;

/// Work of the host in one call, in units of about a nanosecond (see [`Meter`]).
const CALL_WORK_MAX: u64 = 16_000_000;

/// The work that the host does for one event takes at most this part of the step's time: it counts as the plugin's, by
/// the clock and where nothing but instructions is counted.
const WORK_PART: u64 = 2;

/// What the host may still do for one event, and what it holds.
#[derive(Default)]
pub(crate) struct Budget {
    work_left: u64,
    held_bytes: usize,
}

impl Budget {
    /// The whole budget of an event of a step with so much time.
    pub(crate) fn of(time: Duration) -> Budget {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Budget { work_left: nanoseconds / WORK_PART, held_bytes: 0 }
    }

    /// Does some work, and counts it.
    #[inline]
    pub(crate) fn spend<R>(&mut self, work: impl FnOnce(&mut Meter) -> R) -> R {
        let units = self.work_left.min(CALL_WORK_MAX);
        let mut meter = Meter::new(units, HELD_BYTES_MAX.saturating_sub(self.held_bytes));
        let result = work(&mut meter);
        self.work_left -= units - meter.work_left();
        result
    }

    /// Does some work on the document of an event and on the part of it that the step sees, and counts it; none when
    /// the event is not JSON.
    #[inline]
    pub(crate) fn spend_on<R>(
        &mut self,
        held: &mut Held,
        work: impl FnOnce(&mut Document, &mut Option<Box<Document>>, &mut Meter) -> R,
    ) -> wasmtime::Result<Option<R>> {
        if matches!(held.event.content, Content::Unread(_)) {
            self.read(held)?;
        }
        let before = held.overlay_bytes();
        let Content::Json(document) = &mut held.event.content else { return Ok(None) };
        let result = self.spend(|meter| work(document, &mut held.view, meter));
        self.hold_instead(before, held.overlay_bytes())?;
        Ok(Some(result))
    }

    /// Reads the bytes of an event. That counts for the event, and has bounds of its own.
    fn read(&mut self, held: &mut Held) -> wasmtime::Result<()> {
        let bytes = held.event.content.source_bytes();
        let (work, overlay) = match held.event.content.document() {
            Some(document) => (document.parse_work(), document.overlay_bytes()),
            None => (2 * bytes as u64, 0),
        };
        self.work_left = self.work_left.saturating_sub(work);
        self.hold_instead(0, overlay)
    }

    /// Counts bytes that the host now holds in the place of others.
    #[inline]
    pub(crate) fn hold_instead(&mut self, before: usize, after: usize) -> wasmtime::Result<()> {
        self.held_bytes = self.held_bytes.saturating_sub(before) + after;
        if self.held_bytes > HELD_BYTES_MAX {
            return stop(FailureKind::Memory, "the events of one call take more than 64 MiB in the host");
        }
        Ok(())
    }

    /// Counts bytes that the host no longer holds.
    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }
}
