//! What the host holds while a plugin runs: the events of the current call, its bounds, its log.
//!
//! A plugin's handle leads to a number here (a *rep*), or is that number, for one that runs flat. Reps count up and are
//! never used twice in a store, so a handle that a plugin kept from an earlier call leads nowhere, and never to another
//! event.

use crate::budget::Budget;
use crate::clock::Watch;
use crate::fields::Noted;
use crate::flat::Guest;
use crate::limiter::Limiter;
use crate::loaded::Step;
use crate::wasi::Wasi;
use document::{Document, Scope};
use pipeline::settings::Limits;
use pipeline::{Assets, Content, Event, Failure, FailureKind, Hidden, LogLine};
use std::fmt;
use std::sync::Arc;

/// Events a plugin may hold at once in one call.
pub(crate) const LIVE_EVENTS_MAX: usize = 10_000;

/// Events that a plugin may make in one call, those that it drops again counted: each leaves a few bytes behind.
const EVENTS_MAX: usize = 100_000;

/// Reps that a store gives out before its instance is replaced: the component model allows handles of 28 bits.
const REPS_MAX: u32 = 1 << 27;

/// Longest log line kept, in bytes.
const LOG_LINE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a text's room that is kept for the next call.
const TEXT_KEPT_BYTES_MAX: usize = 1 << 20;

/// Bytes of all lines of one call that are kept: a dead letter carries them, and a batch may become dead letters only.
const LOG_BYTES_MAX: usize = 64 << 10;

/// One event that a plugin holds.
pub(crate) struct Held {
    pub(crate) event: Event,
    /// The visible part, for a step that may not see everything; made when asked for, and changed with the whole.
    pub(crate) view: Option<Box<Document>>,
    /// Bytes of its source, unless it shares them.
    bytes: usize,
}

impl Held {
    /// Bytes that a copy takes.
    pub(crate) fn copy_bytes(&self) -> usize {
        let of_event = match &self.event.content {
            Content::Json(document) => document.copy_bytes(),
            Content::Unread(_) | Content::Other(..) => 0,
        };
        of_event + self.view.as_ref().map_or(0, |view| view.copy_bytes())
    }

    /// Bytes of trees and of what was put in.
    #[inline]
    pub(crate) fn overlay_bytes(&self) -> usize {
        self.event.content.overlay_bytes() + self.view.as_ref().map_or(0, |view| view.overlay_bytes())
    }
}

/// An event that a plugin holds, what of it the step may see and change (none: everything), and what working on it may
/// cost.
pub(crate) struct Lent<'a> {
    pub(crate) held: &'a mut Held,
    pub(crate) scope: Option<&'a Scope>,
    pub(crate) budget: &'a mut Budget,
}

/// A bound or a permission that ends the call: the plugin cannot swallow it.
#[derive(Debug)]
pub(crate) struct HostStop(pub(crate) Failure);

impl fmt::Display for HostStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for HostStop {}

/// Ends the call with a failure of a kind.
pub(crate) fn stop<T>(kind: FailureKind, message: impl Into<String>) -> wasmtime::Result<T> {
    Err(HostStop(Failure::new(kind, message)).into())
}

/// The same, with words of the guest between the host's.
pub(crate) fn stop_quoting<T>(kind: FailureKind, before: &str, quoted: &str, after: &str) -> wasmtime::Result<T> {
    Err(HostStop(Failure::quoting(kind, before, quoted, after)).into())
}

#[cold]
fn not_held() -> wasmtime::Error {
    wasmtime::Error::msg("the plugin used the handle of an event that it no longer holds")
}

/// The state of one store.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) watch: Watch,
    pub(crate) wasi: Wasi,
    pub(crate) scope: Option<Arc<Scope>>,
    /// The step's files.
    pub(crate) assets: Assets,
    limits: Limits,
    /// Hides the step's secrets in what the plugin says.
    pub(crate) hidden: Hidden,
    /// The events of this call; a rep is an index behind `base`.
    events: Vec<Option<Held>>,
    base: u32,
    /// How many of them the plugin still holds.
    live: usize,
    /// Reps of earlier calls whose handles the plugin still has. They lead nowhere; it can give each back once.
    kept: Vec<u32>,
    /// What the host may still do and hold for this event.
    pub(crate) budget: Budget,
    pub(crate) log: Vec<LogLine>,
    log_bytes: usize,
    pub(crate) log_dropped: u64,
    pub(crate) noted: Option<Noted>,
    /// Where texts are copied to between the plugin's memory and the host, so that calls do not allocate for them.
    pub(crate) text: String,
    /// The plugin's side of the ABI, for one that runs flat: none until its memory is there, and while it must not call
    /// the host.
    pub(crate) guest: Option<Box<Guest>>,
    /// Whether a plugin that runs flat does something in which it must not call the host.
    pub(crate) alone: bool,
}

impl State {
    pub(crate) fn new(step: &Step, wasi: Wasi) -> State {
        State {
            limiter: Limiter::new(step.limits.memory_mib),
            watch: Watch::default(),
            wasi,
            scope: step.scope.clone(),
            assets: step.assets.clone(),
            limits: step.limits,
            hidden: step.hidden.clone(),
            events: Vec::new(),
            base: 1,
            live: 0,
            kept: Vec::new(),
            budget: Budget::default(),
            log: Vec::new(),
            log_bytes: 0,
            log_dropped: 0,
            noted: None,
            text: String::new(),
            guest: None,
            alone: false,
        }
    }

    /// Begins a call: nothing of the last one can be reached any more.
    pub(crate) fn begin_call(&mut self) {
        if self.live > 0 {
            let reps = (self.base..).zip(&self.events).filter(|(_, held)| held.is_some());
            self.kept.extend(reps.map(|(rep, _)| rep));
        }
        self.base += self.events.len() as u32;
        self.events.clear();
        self.live = 0;
        self.budget = Budget::of(self.limits.time);
        self.log.clear();
        self.log_bytes = 0;
        self.log_dropped = 0;
        self.limiter.begin_call();
        if self.text.capacity() > TEXT_KEPT_BYTES_MAX {
            self.text = String::new();
        }
    }

    /// Whether reps may run out in the next call.
    pub(crate) fn is_worn_out(&self) -> bool {
        self.base > REPS_MAX
    }

    /// Handles that the plugin did not give back.
    pub(crate) fn handles_left(&self) -> i64 {
        self.live as i64 + self.kept.len() as i64 + i64::from(self.wasi.handles())
    }

    /// Gives the plugin an event; the rep is for its handle. `bytes`: of its source, if it shares them with no other.
    /// `view`: what the step sees of it, if that was made already.
    pub(crate) fn lend(&mut self, event: Event, view: Option<Box<Document>>, bytes: usize) -> wasmtime::Result<u32> {
        if self.live >= LIVE_EVENTS_MAX {
            return stop(FailureKind::InvalidOutput, "the plugin holds more than 10,000 events at once");
        }
        if self.events.len() >= EVENTS_MAX {
            return stop(FailureKind::InvalidOutput, "the plugin made more than 100,000 events of one");
        }
        let held = Held { event, view, bytes };
        self.budget.hold_instead(0, bytes + held.overlay_bytes())?;
        let rep = self.base + self.events.len() as u32;
        self.events.push(Some(held));
        self.live += 1;
        Ok(rep)
    }

    /// Whether there is an event behind a rep.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub(crate) fn holds(&self, rep: u32) -> wasmtime::Result<()> {
        match self.events.get(rep.wrapping_sub(self.base) as usize) {
            Some(Some(_)) => Ok(()),
            _ => Err(not_held()),
        }
    }

    /// Whether the plugin has a handle of this rep, of this call or an earlier one.
    ///
    /// # Errors
    /// It has none.
    #[inline]
    pub(crate) fn has(&self, rep: u32) -> wasmtime::Result<()> {
        self.holds(rep).or_else(|error| if self.kept.contains(&rep) { Ok(()) } else { Err(error) })
    }

    /// The event behind a rep.
    #[inline]
    pub(crate) fn held(&mut self, rep: u32) -> wasmtime::Result<&mut Held> {
        Ok(self.lent(rep)?.held)
    }

    /// The same, with what bounds working on it.
    #[inline]
    pub(crate) fn lent(&mut self, rep: u32) -> wasmtime::Result<Lent<'_>> {
        let index = rep.wrapping_sub(self.base) as usize;
        match self.events.get_mut(index) {
            Some(Some(held)) => Ok(Lent { held, scope: self.scope.as_deref(), budget: &mut self.budget }),
            _ => Err(not_held()),
        }
    }

    /// Takes the event behind a rep back.
    pub(crate) fn take(&mut self, rep: u32) -> wasmtime::Result<Event> {
        let index = rep.wrapping_sub(self.base) as usize;
        match self.events.get_mut(index).and_then(Option::take) {
            Some(held) => {
                self.live -= 1;
                Ok(held.event)
            }
            None => Err(wasmtime::Error::msg("the plugin returned the handle of an event that it no longer holds")),
        }
    }

    /// The plugin dropped a handle. One of an earlier call is nobody's any more.
    pub(crate) fn drop_handle(&mut self, rep: u32) {
        if rep < self.base {
            self.kept.retain(|kept| *kept != rep);
            return;
        }
        let slot = self.events.get_mut(rep.wrapping_sub(self.base) as usize);
        if let Some(held) = slot.and_then(Option::take) {
            self.budget.let_go(held.bytes + held.overlay_bytes());
            self.live -= 1;
        }
    }

    /// The plugin gives a handle back, which must be one that it has, of this call or an earlier one.
    pub(crate) fn give_back(&mut self, rep: u32) -> wasmtime::Result<()> {
        self.has(rep)?;
        self.drop_handle(rep);
        Ok(())
    }

    pub(crate) fn log(&mut self, level: pipeline::Level, message: &str) {
        if self.log.len() >= self.limits.log_lines as usize || self.log_bytes >= LOG_BYTES_MAX {
            self.log_dropped += 1;
            return;
        }
        let message = self.hidden.hide_start(message, LOG_LINE_BYTES_MAX).into_owned();
        self.log_bytes += message.len();
        self.log.push(LogLine { level, message });
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}
