//! Keeps an event's bytes on their way past `lambda_runtime`, which would read the JSON once more just to copy it
//! (measured: 0.26 µs a record, a third of what reading it costs).

use bytes::Bytes;
use lambda_runtime::tower::Layer;
use lambda_runtime::{LambdaInvocation, Service};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Bodies of invocations that the handler has not yet picked up, by request id: one for each that runs.
#[derive(Clone, Default)]
pub(crate) struct Bodies(Arc<Mutex<HashMap<String, Bytes>>>);

impl Bodies {
    /// The body of an invocation, once.
    pub(crate) fn take(&self, request_id: &str) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(request_id).unwrap_or_default()
    }

    fn keep(&self, request_id: &str, body: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request_id.to_owned(), body);
    }
}

impl<S> Layer<S> for Bodies {
    type Service = KeepBody<S>;

    fn layer(&self, inner: S) -> KeepBody<S> {
        KeepBody { bodies: self.clone(), inner }
    }
}

/// Puts the body aside and `null` in its place.
pub(crate) struct KeepBody<S> {
    bodies: Bodies,
    inner: S,
}

impl<S: Service<LambdaInvocation>> Service<LambdaInvocation> for KeepBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> S::Future {
        let body = std::mem::replace(&mut invocation.body, Bytes::from_static(b"null"));
        self.bodies.keep(&invocation.context.request_id, body);
        self.inner.call(invocation)
    }
}
