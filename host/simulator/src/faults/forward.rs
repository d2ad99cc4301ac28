//! Carrying a request to the server behind the proxy.

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::response;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Bytes of an answer's body: more than any artifact has.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// How long the server behind us may take for an answer.
const FORWARD_LIMIT: Duration = Duration::from_secs(60);
/// Headers that concern a connection and not the request.
const OF_THE_CONNECTION: &[&str] = &["connection", "expect", "keep-alive", "transfer-encoding"];

/// A whole answer.
pub(super) struct Carried {
    pub(super) head: response::Parts,
    pub(super) body: Bytes,
}

/// Sends a request to `server` (`host:port`), on a connection of its own, and gets its answer.
///
/// # Errors
/// When the server cannot be reached, does not answer, or has too much to say.
pub(super) async fn forward(server: &str, request: Request<Bytes>) -> anyhow::Result<Carried> {
    let carried = tokio::time::timeout(FORWARD_LIMIT, carry(server, request)).await;
    carried.with_context(|| format!("get an answer from {server} within {FORWARD_LIMIT:?}"))?
}

async fn carry(server: &str, request: Request<Bytes>) -> anyhow::Result<Carried> {
    let socket = TcpStream::connect(server).await.with_context(|| format!("connect to {server}"))?;
    let (mut sender, connection) =
        http1::handshake::<_, Full<Bytes>>(TokioIo::new(socket)).await.context("speak HTTP")?;
    // Dropped, and the connection with it, when the answer is there or nobody waits for it any more.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (mut head, body) = request.into_parts();
    head.uri = origin(&head.uri);
    clean(&mut head.headers);
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let answer = sender.send_request(Request::from_parts(head, Full::from(body))).await.context("send a request")?;
    let (mut head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error)).context("read an answer")?.to_bytes();
    clean(&mut head.headers);
    if !head.headers.contains_key(CONTENT_LENGTH) && !body.is_empty() {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok(Carried { head, body })
}

/// The path and the query alone, as they were sent.
fn origin(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.map_or_else(|| Uri::from_static("/"), Uri::from)
}

fn clean(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(*name);
    }
}
