//! What one process and its environment have told each other: the process by requests to the Runtime API, the
//! environment by offering invocations. The states and what they allow are those of AWS's own emulator of the Runtime
//! API.

use super::PAYLOAD_BYTES_MAX;
use super::invoked::{Failure, Outcome};
use hyper::body::Bytes;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// An event on its way to the process.
pub(super) struct Invocation {
    pub(super) id: String,
    /// Milliseconds since the Unix epoch.
    pub(super) deadline_ms: u64,
    pub(super) arn: String,
    pub(super) trace_id: String,
    pub(super) payload: Bytes,
}

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// It has not asked for anything yet.
    #[default]
    Started,
    /// It reported that its init failed.
    InitError,
    /// It asked for an event.
    Ready,
    /// It has an event.
    Running,
    /// It answered, and has not asked for the next event.
    ResponseSent,
}

/// Everything known about the process.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The invocation that the process is to take or has.
    pub(super) invocation: Option<Arc<Invocation>>,
    /// How it was answered, and when.
    pub(super) outcome: Option<(Outcome, Instant)>,
    /// What the process reported about its init.
    pub(super) init_failure: Option<Failure>,
    /// When it asked for the last time, and how often it has.
    asked: Option<Instant>,
    asked_count: u64,
    /// How the process ended: `Runtime exited with error: …`.
    pub(super) exit: Option<String>,
    /// Nobody will offer anything any more.
    closed: bool,
}

/// Why a request is refused.
pub(super) enum Refused {
    /// The process may not do this now: its state's name, and the name of the one it wanted.
    Transition(&'static str, &'static str),
    /// The id is not that of the current invocation.
    RequestId,
    /// The response was too large; the invocation has failed.
    TooLarge,
    /// There is nobody to answer.
    Closed,
}

/// The state of one process, which both sides change and wait for.
pub(super) struct Exchange {
    state: watch::Sender<State>,
}

impl Exchange {
    pub(super) fn new() -> Exchange {
        Exchange { state: watch::Sender::new(State::default()) }
    }

    /// Reads the state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.borrow())
    }

    /// Waits until the state is such.
    pub(super) async fn until(&self, reached: impl FnMut(&State) -> bool) {
        // The sender is ours: it outlives the wait.
        let _ = self.state.subscribe().wait_for(reached).await;
    }

    /// Offers the process an event.
    pub(super) fn offer(&self, invocation: Invocation) {
        self.state.send_modify(|state| {
            state.invocation = Some(Arc::new(invocation));
            state.outcome = None;
        });
    }

    /// The process has ended.
    pub(super) fn exited(&self, how: String) {
        self.state.send_modify(|state| state.exit = Some(how));
    }

    /// Nobody will offer anything any more.
    pub(super) fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    /// The process asks for an event, and gets it when there is one. Asking again while it has one gives the same one;
    /// of several who wait, the last gets it.
    pub(super) async fn next(&self) -> Result<Arc<Invocation>, Refused> {
        let mut mine = 0;
        let mut allowed = Ok(());
        self.state.send_modify(|state| {
            allowed = match state.phase {
                Phase::InitError => Err(Refused::Transition("InitError", "Ready")),
                Phase::Running => Ok(()),
                Phase::Started | Phase::Ready | Phase::ResponseSent => {
                    // The invocation is over, unless it is the next one already.
                    if state.outcome.is_some() {
                        state.invocation = None;
                    }
                    state.phase = Phase::Ready;
                    Ok(())
                }
            };
            state.asked = Some(Instant::now());
            state.asked_count += 1;
            mine = state.asked_count;
        });
        allowed?;
        let ours = |state: &State| state.asked_count == mine && !state.closed;
        self.until(|state| !ours(state) || state.invocation.is_some()).await;
        let mut taken = Err(Refused::Closed);
        self.state.send_modify(|state| {
            if ours(state)
                && let Some(invocation) = &state.invocation
            {
                taken = Ok(invocation.clone());
                state.phase = Phase::Running;
            }
        });
        taken
    }

    /// The process answers an invocation.
    pub(super) fn respond(&self, id: &str, body: Bytes) -> Result<(), Refused> {
        let too_large = body.len() > PAYLOAD_BYTES_MAX;
        let outcome = if too_large {
            Outcome::Error(Failure::response_too_large(body.len()))
        } else {
            Outcome::Response(body.into())
        };
        self.settle(id, "InvocationResponse", outcome)?;
        if too_large { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// The process reports that an invocation failed.
    pub(super) fn fail(&self, id: &str, failure: Failure) -> Result<(), Refused> {
        self.settle(id, "InvocationErrorResponse", Outcome::Error(failure))
    }

    fn settle(&self, id: &str, wanted: &'static str, outcome: Outcome) -> Result<(), Refused> {
        let mut result = Ok(());
        self.state.send_modify(|state| {
            let current = state.invocation.as_ref().is_some_and(|invocation| invocation.id == id);
            result = match state.phase {
                _ if !current => Err(Refused::RequestId),
                Phase::Running => {
                    state.phase = Phase::ResponseSent;
                    state.outcome = Some((outcome, Instant::now()));
                    Ok(())
                }
                other => Err(Refused::Transition(other.name(), wanted)),
            };
        });
        result
    }

    /// The process reports that its init failed.
    pub(super) fn fail_init(&self, failure: Failure) -> Result<(), Refused> {
        let mut result = Ok(());
        self.state.send_modify(|state| {
            if state.phase == Phase::Started {
                state.phase = Phase::InitError;
                state.init_failure = Some(failure.during_init());
            } else {
                result = Err(Refused::Transition(state.phase.name(), "InitError"));
            }
        });
        result
    }
}

impl State {
    /// When the process asked for an event that it has not got yet.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.asked.filter(|_| self.phase == Phase::Ready)
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Started => "Started",
            Phase::InitError => "InitError",
            Phase::Ready => "Ready",
            Phase::Running => "Running",
            Phase::ResponseSent => "RuntimeResponseSentState",
        }
    }
}
