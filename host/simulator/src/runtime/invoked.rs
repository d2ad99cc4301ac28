//! How an invocation went.

use super::log::Line;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// An invocation that is over.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// Its request id.
    pub request_id: String,
    /// The number of the environment that had it: 1, 2, … in a fleet.
    pub environment: u64,
    /// How many processes the environment had by then, this one included.
    pub process: u64,
    /// What the process did before it could take the event.
    pub start: Start,
    /// The response or the error, as whoever invoked the function gets it.
    pub outcome: Outcome,
    /// From the event being there to its outcome. As in Lambda's reports it contains an init inside the invocation
    /// ([`Start::InInvocation`]), not an init before it.
    pub duration: Duration,
    /// From the response until the process asked for the next event, which AWS counts and bills as part of the
    /// invocation; zero when it was not waited for ([`super::Freeze::AfterResponse`]) or never came.
    pub after_response: Duration,
    /// Lines since the invocation's beginning, or since the start of the process if this is its first.
    pub log: Vec<Line>,
}

/// What a process did before it could take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing: it was there.
    Warm,
    /// It was started before the invocation.
    Cold {
        /// From the start of the process until it asked for its first event.
        init: Duration,
    },
    /// It was started inside the invocation and its timeout, because the process before it ended or its init failed.
    InInvocation {
        /// From the start of the process until it asked for its first event, or failed to.
        init: Duration,
    },
}

impl Start {
    /// Whether the process was a new one.
    pub fn is_cold(self) -> bool {
        self != Start::Warm
    }
}

/// What whoever invoked the function gets.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The response.
    Response(Vec<u8>),
    /// A function error (`X-Amz-Function-Error: Unhandled`).
    Error(Failure),
}

/// A function error.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// How it came about.
    pub kind: FailureKind,
    /// Whether it happened before the process asked for its first event.
    pub during_init: bool,
    /// The type, such as `Runtime.ExitError`, or whatever the function reported.
    pub error_type: String,
    /// The message, or whatever the function reported.
    pub message: String,
    /// The payload: what the function reported, or the JSON that Lambda makes up.
    pub body: Vec<u8>,
}

/// How a function error came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The function reported it; the process lives on, unless it was init.
    Reported,
    /// The response was larger than [`super::PAYLOAD_BYTES_MAX`]; the process lives on.
    ResponseTooLarge,
    /// The deadline came; the process was killed.
    TimedOut,
    /// The process ended by itself.
    Exited,
}

impl Outcome {
    /// The response, or the error's payload as text: what [`crate::kinesis::EventSource::run`] asks of a function.
    ///
    /// # Errors
    /// When the outcome is one.
    pub fn into_result(self) -> Result<Vec<u8>, String> {
        match self {
            Outcome::Response(body) => Ok(body),
            Outcome::Error(failure) => Err(String::from_utf8_lossy(&failure.body).into_owned()),
        }
    }

    /// The error, if it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Response(_) => None,
            Outcome::Error(failure) => Some(failure),
        }
    }
}

impl Failure {
    /// An error that Lambda makes up.
    pub(super) fn ours(kind: FailureKind, error_type: &str, message: String) -> Failure {
        let body = json!({"errorType": error_type, "errorMessage": message}).to_string().into_bytes();
        Failure { kind, during_init: false, error_type: error_type.to_owned(), message, body }
    }

    /// An error that a function reported: its payload, and the header `Lambda-Runtime-Function-Error-Type`.
    pub(super) fn reported(body: Vec<u8>, header: Option<&str>) -> Failure {
        let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| parsed[name].as_str().map(str::to_owned);
        let error_type = text("errorType").or_else(|| header.map(str::to_owned)).unwrap_or_default();
        let message = text("errorMessage").unwrap_or_default();
        Failure { kind: FailureKind::Reported, during_init: false, error_type, message, body }
    }

    /// The deadline.
    pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Failure {
        let message = format!("RequestId: {request_id} Error: {}", timed_out(timeout));
        Failure::ours(FailureKind::TimedOut, "Sandbox.Timedout", message)
    }

    /// The end of a process; `how` as in `Runtime exited with error: exit status 1`.
    pub(super) fn exited(request_id: &str, how: &str) -> Failure {
        Failure::ours(FailureKind::Exited, "Runtime.ExitError", format!("RequestId: {request_id} Error: {how}"))
    }

    /// A response over the limit.
    pub(super) fn response_too_large(bytes: usize) -> Failure {
        let max = super::PAYLOAD_BYTES_MAX;
        let message =
            format!("Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({max} bytes).");
        Failure::ours(FailureKind::ResponseTooLarge, "Function.ResponseSizeTooLarge", message)
    }

    pub(super) fn during_init(self) -> Failure {
        Failure { during_init: true, ..self }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Response(body) => f.debug_tuple("Response").field(&String::from_utf8_lossy(body)).finish(),
            Outcome::Error(failure) => f.debug_tuple("Error").field(failure).finish(),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body says type and message again, or what there is instead of them.
        f.debug_struct("Failure")
            .field("kind", &self.kind)
            .field("during_init", &self.during_init)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish()
    }
}

/// `Task timed out after 3.00 seconds`.
pub(super) fn timed_out(timeout: Duration) -> String {
    format!("Task timed out after {:.2} seconds", timeout.as_secs_f64())
}
