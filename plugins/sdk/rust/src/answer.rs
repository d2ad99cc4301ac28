//! What a transform answers, in words.

use crate::{Event, Failure, Output};

/// What a transform answers: the events that go on, in order, or why there are none.
pub type Answer = Result<Vec<Output>, Failure>;

/// The event goes on, by the route it already has.
///
/// # Errors
///
/// Never. It is an [`Answer`], to be returned as it is.
pub fn keep(event: Event) -> Answer {
    Ok(vec![event.into()])
}

/// The event ends here. The report counts it as dropped.
///
/// # Errors
///
/// Never. It is an [`Answer`], to be returned as it is.
pub fn drop_event() -> Answer {
    Ok(Vec::new())
}

/// The event goes on by a route of the pipeline's `[routes]`.
///
/// # Errors
///
/// Never. It is an [`Answer`], to be returned as it is.
pub fn send(event: Event, route: impl Into<String>) -> Answer {
    Ok(vec![Output { event, route: Some(route.into()) }])
}

/// The event can never be processed. The step's failure policy decides what becomes of it.
///
/// # Errors
///
/// Always. It is an [`Answer`], to be returned as it is.
pub fn reject(reason: impl Into<String>) -> Answer {
    Err(Failure::Reject(reason.into()))
}

/// The event cannot be processed now and should come again.
///
/// # Errors
///
/// Always. It is an [`Answer`], to be returned as it is.
pub fn retry(reason: impl Into<String>) -> Answer {
    Err(Failure::Retry(reason.into()))
}

impl From<Event> for Output {
    fn from(event: Event) -> Self {
        Output { event, route: None }
    }
}

/// So that `?` rejects an event with the host's message.
impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Failure::Reject(reason)
    }
}
