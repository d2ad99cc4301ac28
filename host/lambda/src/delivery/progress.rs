//! How far the documents of a window got, and how far ahead of the first open one a request may reach.

use crate::outcomes::Document;

/// How far a document got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not sent yet.
    Waiting,
    /// Sent, and not accepted as far as we know.
    Open,
    /// Firehose has it.
    Accepted,
    /// Not sent any more: Firehose will never take it, or another document of its event. The event's dead letter comes
    /// next.
    GivenUp,
    /// Given up, and the dead letter of its event is written.
    DeadLettered,
}

impl State {
    /// Whether delivery is done with it.
    pub(crate) fn is_decided(self) -> bool {
        !matches!(self, State::Waiting | State::Open)
    }

    /// Whether the batch is done with it: should everything end now, it need not be sent again.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, State::Accepted | State::DeadLettered)
    }
}

/// The state of each document, and how many are settled from the first one on.
pub(crate) struct Progress<'a> {
    documents: &'a [Document],
    states: Vec<State>,
    settled: usize,
    /// Where the record of the first document that is not settled begins.
    record_begins: usize,
}

impl<'a> Progress<'a> {
    /// Nothing is sent yet. The documents are in the order of their records.
    pub(crate) fn new(documents: &'a [Document]) -> Progress<'a> {
        Progress { documents, states: vec![State::Waiting; documents.len()], settled: 0, record_begins: 0 }
    }

    pub(crate) fn state(&self, at: usize) -> State {
        self.states[at]
    }

    pub(crate) fn set(&mut self, at: usize, state: State) {
        self.states[at] = state;
    }

    /// The state of each document.
    pub(crate) fn states(&self) -> &[State] {
        &self.states
    }

    pub(crate) fn into_states(self) -> Vec<State> {
        self.states
    }

    /// How many documents are settled without a gap, from the first one on, when [`Progress::advance`] last looked.
    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// Looks how far documents are settled now. True if that is further than before.
    pub(crate) fn advance(&mut self) -> bool {
        let before = self.settled;
        while self.states.get(self.settled).is_some_and(|state| state.is_settled()) {
            self.settled += 1;
            let next = self.documents.get(self.settled);
            if next.is_some_and(|next| next.record != self.documents[self.settled - 1].record) {
                self.record_begins = self.settled;
            }
        }
        self.settled > before
    }

    /// The document before which a request has to end, so that what comes again is bounded: Kinesis rewinds to the
    /// beginning of the first open document's record, and whatever was accepted from there on is repeated. That is at
    /// most `ahead_max` documents, or those of one record, where it became more than that. At no time are `ahead_max`
    /// documents or more accepted behind the first open one.
    pub(crate) fn limit(&self, ahead_max: usize) -> usize {
        let Some(open) = self.documents.get(self.settled) else { return self.documents.len() };
        let record_ends = self.documents.partition_point(|document| document.record <= open.record);
        (self.record_begins + ahead_max).max(record_ends.min(self.settled + ahead_max))
    }
}
