//! How an event settles: as a whole, in exactly one way.

use crate::failure::{Failure, Unsettled};
use crate::plugin::LogLine;
use bytes::Bytes;
use std::time::Duration;

/// What became of one event.
#[derive(Debug)]
pub enum Outcome {
    /// At least one document is to be delivered.
    Emit(Vec<Emitted>),
    /// Nothing is to be delivered: plugins or policies dropped every output.
    Drop(Dropped),
    /// It goes to the dead letters; none of its documents is sent.
    DeadLetter(Box<Failed>),
    /// It goes back to Kinesis; none of its documents is sent.
    Retry(Box<Failed>),
    /// It is neither done nor failed: it goes back to Kinesis.
    Unsettled(Unsettled),
}

/// One document and where it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Index into the pipeline's routes.
    pub route: u16,
    /// One JSON object on one line.
    pub bytes: Vec<u8>,
}

/// Who dropped an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The step that dropped its last output; none when the check on the way in or out did.
    pub step: Option<usize>,
    /// The failure, when a policy dropped it.
    pub failure: Option<Failure>,
}

/// A failure with its story: what a dead letter tells.
#[derive(Debug)]
pub struct Failed {
    /// The step; none for unpacking and for the check on the way out.
    pub step: Option<usize>,
    /// Why.
    pub failure: Failure,
    /// The event's bytes as they entered the pipeline; empty outside it.
    pub entered: Bytes,
    /// What the failing step was given, when it is not what entered the pipeline.
    pub input: Option<Bytes>,
    /// What the plugin logged for this event.
    pub log: Vec<LogLine>,
    /// How long the failing step took.
    pub elapsed: Duration,
    /// Memory of the instance, in bytes.
    pub memory_bytes: u64,
}

impl Failed {
    /// A failure outside the steps.
    pub fn outside(failure: Failure) -> Failed {
        Failed {
            step: None,
            failure,
            entered: Bytes::new(),
            input: None,
            log: Vec::new(),
            elapsed: Duration::ZERO,
            memory_bytes: 0,
        }
    }
}
