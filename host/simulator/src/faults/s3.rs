//! S3's errors, as it writes them ("Error responses" in the S3 API reference).

use crate::server::{Body, whole};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};

/// An error of S3. Any other can be made from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Error {
    /// The HTTP status.
    pub status: u16,
    /// The code in the body.
    pub code: &'static str,
    /// The message in the body; it contains nothing that XML would escape.
    pub message: &'static str,
}

impl S3Error {
    /// 400: credentials that are no longer valid.
    pub const EXPIRED_TOKEN: S3Error = S3Error::new(400, "ExpiredToken", "The provided token has expired.");
    /// 403: no permission, and without the permission to list also a key that does not exist.
    pub const ACCESS_DENIED: S3Error = S3Error::new(403, "AccessDenied", "Access Denied");
    /// 404: no such key.
    pub const NO_SUCH_KEY: S3Error = S3Error::new(404, "NoSuchKey", "The specified key does not exist.");
    /// 404: no such bucket.
    pub const NO_SUCH_BUCKET: S3Error = S3Error::new(404, "NoSuchBucket", "The specified bucket does not exist");
    /// 409: a conditional write met another one.
    pub const CONFLICT: S3Error = S3Error::new(
        409,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    );
    /// 412: a condition that does not hold.
    pub const PRECONDITION_FAILED: S3Error =
        S3Error::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    /// 500: S3 failed.
    pub const INTERNAL_ERROR: S3Error =
        S3Error::new(500, "InternalError", "We encountered an internal error. Please try again.");
    /// 503: throttled.
    pub const SLOW_DOWN: S3Error = S3Error::new(503, "SlowDown", "Please reduce your request rate.");
    /// 503: unavailable.
    pub const SERVICE_UNAVAILABLE: S3Error =
        S3Error::new(503, "ServiceUnavailable", "Service is unable to handle request.");

    const fn new(status: u16, code: &'static str, message: &'static str) -> S3Error {
        S3Error { status, code, message }
    }

    /// The answer to request `number`; one to a HEAD has no body, and so no code.
    pub(super) fn response(self, number: u64, head: bool) -> Response<Body> {
        let S3Error { status, code, message } = self;
        let id = format!("{number:016X}");
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>{id}</RequestId><HostId>simulated</HostId></Error>"
        );
        let body = if head { Full::default() } else { Full::<Bytes>::from(xml) };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = hyper::header::HeaderValue::from_static;
        response.headers_mut().insert("content-type", text("application/xml"));
        response.headers_mut().insert("x-amz-id-2", text("simulated"));
        if let Ok(id) = id.parse() {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        whole(response)
    }
}
