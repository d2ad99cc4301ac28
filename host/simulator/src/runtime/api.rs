//! The Runtime API, version 2018-06-01, over HTTP: paths, headers, statuses and error bodies as AWS has them.

use super::PAYLOAD_BYTES_MAX;
use super::exchange::{Exchange, Invocation, Refused};
use super::invoked::Failure;
use crate::server::{Answer, NoAnswer, whole};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

const PREFIX: &str = "/2018-06-01/runtime/";

/// Answers a request of the process.
pub(super) async fn answer(exchange: Arc<Exchange>, request: Request<Bytes>) -> Answer {
    let header = request.headers().get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
    let header = header.map(str::to_owned);
    let (head, body) = request.into_parts();
    let Some(path) = head.uri.path().strip_prefix(PREFIX) else { return text(404, "404 page not found\n") };
    let parts: Vec<&str> = path.split('/').collect();
    let failure = |body: Bytes| Failure::reported(body.into(), header.as_deref());
    let result = match (head.method, parts.as_slice()) {
        (Method::GET, ["invocation", "next"]) => match exchange.next().await {
            Ok(invocation) => return event(&invocation),
            Err(refused) => Err(refused),
        },
        (Method::POST, ["invocation", id, "response"]) => exchange.respond(id, body),
        (Method::POST, ["invocation", id, "error"]) => exchange.fail(id, failure(body)),
        (Method::POST, ["init", "error"]) => exchange.fail_init(failure(body)),
        (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]) => {
            return text(405, "");
        }
        _ => return text(404, "404 page not found\n"),
    };
    match result {
        Ok(()) => json(202, &json!({"status": "OK"})),
        Err(refused) => refusal(refused),
    }
}

fn refusal(refused: Refused) -> Answer {
    let error = |kind: &str, message: String| json!({"errorMessage": message, "errorType": kind});
    match refused {
        Refused::RequestId => json(400, &error("InvalidRequestID", "Invalid request ID".to_owned())),
        Refused::Transition(from, to) => {
            let why = "State transition is not allowed";
            let message = format!("State transition from {from} to {to} failed for runtime. Error: {why}");
            json(403, &error("InvalidStateTransition", message))
        }
        Refused::TooLarge => {
            let message = format!("Exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes).");
            json(413, &error("RequestEntityTooLarge", message))
        }
        Refused::Closed => Err(NoAnswer::Dropped),
    }
}

fn event(invocation: &Invocation) -> Answer {
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &invocation.id)
        .header("lambda-runtime-deadline-ms", invocation.deadline_ms)
        .header("lambda-runtime-invoked-function-arn", &invocation.arn)
        .header("lambda-runtime-trace-id", &invocation.trace_id)
        .body(Full::from(invocation.payload.clone()));
    // Only a function's name with a control character in it makes no header.
    response.map(whole).map_err(|_| NoAnswer::Dropped)
}

fn json(status: u16, body: &Value) -> Answer {
    let mut answer = text(status, &body.to_string())?;
    let kind = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert("content-type", kind);
    Ok(answer)
}

fn text(status: u16, body: &str) -> Answer {
    let mut response = Response::new(Full::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(whole(response))
}
