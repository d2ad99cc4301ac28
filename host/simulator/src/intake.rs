//! A small HTTP endpoint that takes records from programs on this machine, in place of the Kinesis API.
//!
//! A browser lets any web page post to it. What tells a page apart is the `Origin` that browsers add, and the name in
//! `Host` if a page has its own name lead here (DNS rebinding). Both are refused.

use crate::server::{Server, whole};
use anyhow::Context;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Method, Response, StatusCode};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
        let listens = listener.local_addr().context("learn the port")?;
        let take = Arc::new(take);
        let server = Server::on(listener, BODY_BYTES_MAX, move |request| {
            let take = Arc::clone(&take);
            async move {
                if let Some(why) = refusal(request.headers(), listens) {
                    return Ok(whole(answer(StatusCode::FORBIDDEN, &serde_json::json!({ "error": why }))));
                }
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

/// Why a request is refused before anybody looks at what it wants.
fn refusal(headers: &HeaderMap, listens: SocketAddr) -> Option<String> {
    let port = listens.port();
    let mut hosts = headers.get_all(HOST).iter();
    let is_ours = |host: &HeaderValue| host.to_str().is_ok_and(|host| leads_here(host, listens));
    if !hosts.next().is_some_and(is_ours) || hosts.next().is_some() {
        return Some(format!(
            "the request's Host does not name this endpoint: post to http://localhost:{port} or http://{listens}"
        ));
    }
    let is_foreign = |origin: &HeaderValue| {
        let host = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        !host.is_some_and(|host| leads_here(host, listens))
    };
    headers.get_all(ORIGIN).iter().any(is_foreign).then(|| {
        "the request has the Origin of a web page, and no page may post records here: post them without an Origin, as curl does"
            .to_owned()
    })
}

/// Whether a host and port name the address that this endpoint listens at. Where it listens at all addresses of the
/// machine, any address will do, but no name: whoever owns a name decides where it leads.
fn leads_here(host: &str, listens: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') || authority.port_u16().unwrap_or(80) != listens.port() {
        return false;
    }
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => {
            let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), listens.ip()];
            listens.ip().is_unspecified() || local.contains(&address)
        }
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn answer(status: StatusCode, said: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{said}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::{HOST, HeaderMap, HeaderValue, ORIGIN, refusal};

    #[test]
    fn only_requests_that_name_this_endpoint_are_taken() {
        for (listens, host, is_taken) in [
            ("127.0.0.1:7070", "127.0.0.1:7070", true),
            ("127.0.0.1:7070", "localhost:7070", true),
            ("127.0.0.1:7070", "LocalHost:7070", true),
            ("127.0.0.1:7070", "[::1]:7070", true),
            ("127.0.0.1:7070", "127.0.0.1:7071", false),
            ("127.0.0.1:7070", "127.0.0.1", false),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:7070", "192.168.1.5:7070", false),
            ("192.168.1.5:7070", "192.168.1.5:7070", true),
            ("192.168.1.5:7070", "192.168.1.6:7070", false),
            ("0.0.0.0:7070", "192.168.1.5:7070", true),
            ("[::]:7070", "[fe80::1]:7070", true),
            ("0.0.0.0:7070", "evil.example:7070", false),
            ("127.0.0.1:7070", "evil.example:7070", false),
            ("127.0.0.1:7070", "localhost.evil.example:7070", false),
            ("127.0.0.1:7070", "127.0.0.1.evil.example:7070", false),
            ("127.0.0.1:7070", "localhost:7070@evil.example:7070", false),
            ("127.0.0.1:7070", "evil@localhost:7070", false),
            ("127.0.0.1:7070", "localhost:7070/", false),
            ("127.0.0.1:7070", "", false),
            ("127.0.0.1:7070", "\u{e4}", false),
        ] {
            let listens = listens.parse().expect("an address");
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_bytes(host.as_bytes()).expect("a header"));
            assert_eq!(refusal(&headers, listens).is_none(), is_taken, "{host} at {listens}");
            // The same as an origin.
            let mut headers =
                HeaderMap::from_iter([(HOST, HeaderValue::from_str(&listens.to_string()).expect("plain"))]);
            let origin = format!("http://{host}");
            headers.insert(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).expect("a header"));
            assert_eq!(refusal(&headers, listens).is_none(), is_taken, "{origin} at {listens}");
            headers.insert(ORIGIN, HeaderValue::from_bytes(host.as_bytes()).expect("a header"));
            assert!(refusal(&headers, listens).is_some(), "{host} is no origin");
        }
    }

    #[test]
    fn a_request_has_one_host_and_no_foreign_origin() {
        let listens = "127.0.0.1:7070".parse().expect("an address");
        let ours = HeaderValue::from_static("127.0.0.1:7070");
        assert!(refusal(&HeaderMap::new(), listens).is_some(), "no Host");
        let mut headers = HeaderMap::from_iter([(HOST, ours.clone())]);
        assert_eq!(refusal(&headers, listens), None);
        for origin in ["null", "https://127.0.0.1:7070", "http://localhost:3000", "file://"] {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            assert!(refusal(&headers, listens).is_some_and(|why| why.contains("Origin")), "{origin}");
        }
        headers.remove(ORIGIN);
        headers.append(HOST, ours);
        assert!(refusal(&headers, listens).is_some_and(|why| why.contains("Host")), "two");
    }
}
