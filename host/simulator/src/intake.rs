//! A small HTTP endpoint that takes records from whoever posts them, in place of the Kinesis API.

use crate::server::{Server, whole};
use anyhow::Context;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Bytes of one request: ten of the largest records of Kinesis.
const BODY_BYTES_MAX: usize = 100 << 20;

/// Something posted was wrong: what, for whoever posted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub String);

/// A running endpoint. Dropping it stops it without waiting.
pub struct Intake {
    server: Server,
}

impl Intake {
    /// Listens at an address; `take` is given the body of each `POST`, to any path, and answers with JSON.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start<F, Fut>(address: SocketAddr, take: F) -> anyhow::Result<Intake>
    where
        F: Fn(Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<serde_json::Value, Wrong>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
        let take = Arc::new(take);
        let server = Server::on(listener, BODY_BYTES_MAX, move |request| {
            let take = Arc::clone(&take);
            async move {
                if request.method() != Method::POST {
                    let said = serde_json::json!({"error": "POST records here: lines of NDJSON, a JSON array, a Lambda event, gzip or not"});
                    return Ok(whole(answer(StatusCode::METHOD_NOT_ALLOWED, &said)));
                }
                Ok(whole(match take(request.into_body()).await {
                    Ok(said) => answer(StatusCode::OK, &said),
                    Err(Wrong(why)) => answer(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": why })),
                }))
            }
        })?;
        Ok(Intake { server })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Takes no more requests, answers the open ones, and ends.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

fn answer(status: StatusCode, said: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{said}\n"))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
