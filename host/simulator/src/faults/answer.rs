//! What becomes of an answer on its way back.

use super::Fault;
use super::forward::Carried;
use crate::server::{Answer, Body, NoAnswer, whole};
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper::header::CONTENT_LENGTH;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The shortest pause: what came before it is on its way when it is over.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Makes the answer that the fault wants; one to a HEAD, or with a status that has none, has no body to go wrong.
pub(super) fn spoil(carried: Carried, fault: &Fault) -> Answer {
    let Carried { mut head, body } = carried;
    let mut spoilt = match fault {
        Fault::Half if body.is_empty() => return Err(NoAnswer::Dropped),
        Fault::Half => {
            let half = body.slice(..body.len() / 2);
            return Ok(Response::from_parts(head, Pieces::cut(half).boxed_unsync()));
        }
        Fault::Trickle { piece_bytes, pause } if !body.is_empty() => {
            return Ok(Response::from_parts(head, Pieces::slow(&body, *piece_bytes, *pause).boxed_unsync()));
        }
        Fault::Shortened(bytes) => body.slice(..body.len().min(*bytes)),
        Fault::Replaced(other) if !body.is_empty() => Bytes::from(other.clone()),
        _ => body.clone(),
    };
    if let Fault::Tampered { at } = fault
        && !spoilt.is_empty()
    {
        let mut bytes = spoilt.to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1;
        spoilt = bytes.into();
    }
    if !body.is_empty() {
        head.headers.insert(CONTENT_LENGTH, spoilt.len().into());
    }
    Ok(whole(Response::from_parts(head, Full::from(spoilt))))
}

/// A body in pieces, with a pause before each but the first.
struct Pieces {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    pausing: Option<Pin<Box<Sleep>>>,
    /// The connection is closed instead of the end.
    cut: bool,
}

impl Pieces {
    fn cut(half: Bytes) -> Pieces {
        // With the pause the half is sent before the connection is closed.
        Pieces { pieces: VecDeque::from([half]), pause: PAUSE_MIN, pausing: None, cut: true }
    }

    fn slow(body: &Bytes, piece_bytes: usize, pause: Duration) -> Pieces {
        let pieces = body.chunks(piece_bytes.max(1)).map(|piece| body.slice_ref(piece)).collect();
        Pieces { pieces, pause: pause.max(PAUSE_MIN), pausing: None, cut: false }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        if let Some(pausing) = &mut self.pausing {
            ready!(pausing.as_mut().poll(task));
            self.pausing = None;
        }
        let Some(piece) = self.pieces.pop_front() else {
            return Poll::Ready(self.cut.then_some(Err(NoAnswer::Dropped)));
        };
        if self.cut || !self.pieces.is_empty() {
            self.pausing = Some(Box::pin(sleep(self.pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// The answer when the server behind us gave none.
pub(super) fn bad_gateway(why: &anyhow::Error) -> Response<Body> {
    let mut response = Response::new(Full::from(format!("the fault proxy failed to {why:#}\n")));
    *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
    whole(response)
}
