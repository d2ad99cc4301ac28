//! Signed calls to AWS's APIs, for what `check --function` reads.
//!
//! Five calls of three services that only read: the SDKs of Lambda and IAM would add some hundred thousand lines to
//! build for them. AWS's own crate signs, and the HTTP client is the one that stores use.

use super::{configuration, credentials, last_cause};
use crate::environment;
use crate::error::Error;
use crate::text::steers;
use anyhow::{Context as _, anyhow};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// How long one call may take.
const CALL_TIME_MAX: Duration = Duration::from_secs(20);

/// Tries of one call: these APIs throttle readily.
const TRIES: u32 = 4;

/// Before the second try; doubled each time.
const PAUSE: Duration = Duration::from_millis(300);

/// Characters of AWS's own words that are repeated.
const WORDS_CHARS_MAX: usize = 300;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Lambda,
    Firehose,
    Iam,
}

impl Service {
    /// As signatures and hosts name it.
    fn name(self) -> &'static str {
        match self {
            Service::Lambda => "lambda",
            Service::Firehose => "firehose",
            Service::Iam => "iam",
        }
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    /// With the query.
    pub(crate) path: String,
    /// Headers, and the body of a POST; none for a GET.
    pub(crate) post: Option<(Vec<(&'static str, String)>, String)>,
}

/// What AWS says instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// `ResourceNotFoundException`, `AccessDeniedException` and so on.
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Makes calls as one identity in one region.
pub(crate) struct Api {
    region: String,
    credentials: Credentials,
    /// For all services, if there is one.
    endpoint: Option<String>,
    http: reqwest::Client,
}

impl Api {
    /// With this machine's configuration; `region` before what that says.
    ///
    /// # Errors
    /// [`Error::Outside`] without a region or credentials.
    pub(crate) async fn new(region: Option<&str>) -> Result<Api, Error> {
        let config = configuration().await?;
        let region = region.map(str::to_owned).or_else(|| config.region().map(ToString::to_string));
        let region =
            region.ok_or_else(|| Error::Outside(anyhow!("no AWS region is set: set AWS_REGION to the function's")))?;
        let none =
            || Error::Outside(anyhow!("there are no AWS credentials: sign in, or set AWS_PROFILE or access keys"));
        let found = credentials(&config.credentials_provider().ok_or_else(none)?).await;
        let credentials = found.map_err(|why| {
            Error::Outside(anyhow!(
                "there are no valid AWS credentials ({why}): sign in again, or check AWS_PROFILE and the access keys"
            ))
        })?;
        let http = reqwest::Client::builder().timeout(CALL_TIME_MAX).build().context("set up the HTTP client");
        let endpoint = config.endpoint_url().map(str::to_owned);
        Ok(Api { region, credentials, endpoint, http: http.map_err(Error::Bug)? })
    }

    /// Makes a call; the body of its answer.
    ///
    /// # Errors
    /// [`Error::Outside`] when AWS cannot be reached; what it says in place of an answer is for the caller to judge.
    pub(crate) async fn call(&self, call: &Call) -> Result<Result<String, Refused>, Error> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.once(call).await {
                Ok(Err(refused)) if refused.is_passing() => {}
                Err(error) if error.is_timeout() || error.is_connect() => {}
                answer => return self.told(call, answer),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.told(call, self.once(call).await)
    }

    fn told(
        &self,
        call: &Call,
        answer: Result<Result<String, Refused>, reqwest::Error>,
    ) -> Result<Result<String, Refused>, Error> {
        answer.map_err(|error| {
            let (service, endpoint) = (call.service.name(), self.endpoint(call.service));
            let why = last_cause(&error);
            Error::Outside(anyhow!("{service} at {endpoint} does not answer ({why}): check the network and AWS_REGION"))
        })
    }

    async fn once(&self, call: &Call) -> Result<Result<String, Refused>, reqwest::Error> {
        let url = format!("{}{}", self.endpoint(call.service), call.path);
        let (headers, body) = call.post.clone().unwrap_or_default();
        let request = match call.post {
            Some(_) => self.http.post(&url),
            None => self.http.get(&url),
        };
        let mut request = request.body(body.clone());
        let method = if call.post.is_some() { "POST" } else { "GET" };
        for (name, value) in self.signed(call.service, method, &url, &headers, &body).into_iter().chain(headers) {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let code = answer.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok()).map(str::to_owned);
        let text = answer.text().await?;
        Ok(if status < 300 { Ok(text) } else { Err(Refused::read(status, code, &text)) })
    }

    /// The headers of a signature.
    fn signed(
        &self,
        service: Service,
        method: &str,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> Vec<(&'static str, String)> {
        let identity = self.credentials.clone().into();
        let region = if service == Service::Iam { iam_region(&self.region) } else { &self.region };
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build();
        let parameters = SigningParams::from(parameters.expect("every parameter was given"));
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = SignableRequest::new(method, url, headers, SignableBody::Bytes(body.as_bytes()));
        let signed = sign(request.expect("the URL is one"), &parameters).expect("the identity is a key pair");
        let (headers, _) = signed.into_parts().0.into_parts();
        headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect()
    }

    fn endpoint(&self, service: Service) -> String {
        let (name, region) = (service.name(), &self.region);
        let own = environment::aws_endpoint(name).or_else(|| self.endpoint.clone());
        if let Some(endpoint) = own {
            return endpoint.trim_end_matches('/').to_owned();
        }
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match (service, iam_region(region)) {
            (Service::Iam, "us-east-1") => "https://iam.amazonaws.com".to_owned(),
            (Service::Iam, "us-gov-west-1") => "https://iam.us-gov.amazonaws.com".to_owned(),
            (Service::Iam, home) => format!("https://iam.{home}.{domain}"),
            (Service::Lambda | Service::Firehose, _) => format!("https://{name}.{region}.{domain}"),
        }
    }
}

/// IAM has one home in each partition.
fn iam_region(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

impl Refused {
    /// Reads an error of the JSON services or of IAM.
    fn read(status: u16, header: Option<String>, body: &str) -> Refused {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |names: [&str; 2]| names.into_iter().find_map(|name| json.get(name)?.as_str()).map(str::to_owned);
        let of_xml = |tag: &str| element(body, tag).map(str::to_owned);
        let code = header.or_else(|| text(["__type", "code"])).or_else(|| of_xml("Code")).unwrap_or_default();
        // `com.amazonaws.firehose#ResourceNotFoundException:http://…`
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        let message = text(["message", "Message"]).or_else(|| of_xml("Message")).unwrap_or_default();
        let message = message.chars().filter(|char| !steers(*char)).take(WORDS_CHARS_MAX).collect();
        Refused { status, code, message }
    }

    /// Whether the same call may succeed in a moment.
    fn is_passing(&self) -> bool {
        self.status == 429
            || self.status >= 500
            || self.code.contains("Throttl")
            || self.code.contains("TooManyRequests")
    }

    /// Whether it is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code.contains("ResourceNotFound")
    }

    /// Whether the identity may not ask this.
    pub(crate) fn is_denied(&self) -> bool {
        self.code.contains("AccessDenied") || self.code.contains("NotAuthorized")
    }

    /// The error that ends a command: one sentence with what to do.
    pub(crate) fn error(&self, asking: &str) -> Error {
        let todo = match self.code.as_str() {
            _ if self.is_denied() => "allow these credentials to ask it",
            "ExpiredTokenException" | "ExpiredToken" => "the credentials have expired: sign in again",
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch" => "the credentials are wrong: check AWS_PROFILE and the access keys",
            _ if self.is_not_found() => "check the name and AWS_REGION",
            _ if self.is_passing() => "try again in a moment",
            _ => "check the name, and AWS_REGION",
        };
        Error::Outside(anyhow!("{asking}: AWS answers {} ({}); {todo}", self.code, self.message))
    }
}

/// The text of the first element of this name.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_all_three_services_are_read() {
        let lambda = Refused::read(
            404,
            Some("ResourceNotFoundException:http://internal.amazon.com/coral/com.amazonaws.awslambda/".into()),
            r#"{"Type":"User","Message":"Function not found: arn:aws:lambda:eu-central-1:123456789012:function:x"}"#,
        );
        assert!(lambda.is_not_found() && lambda.message.starts_with("Function not found"));
        let firehose = Refused::read(
            400,
            None,
            r#"{"__type":"ResourceNotFoundException","message":"Firehose clicks under account 123456789012 not found."}"#,
        );
        assert!(firehose.is_not_found() && !firehose.is_passing());
        let iam = Refused::read(
            403,
            None,
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not authorized</Message></Error></ErrorResponse>",
        );
        assert!(iam.is_denied() && iam.message == "User is not authorized");
        let throttled =
            Refused::read(400, None, r#"{"__type":"com.amazonaws.x#ThrottlingException","message":"Rate exceeded"}"#);
        assert!(throttled.is_passing());
        assert_eq!(Refused::read(502, None, "<html>").code, "");
    }

    #[test]
    fn expired_credentials_are_told_with_what_to_do() {
        let expired =
            Refused::read(403, Some("ExpiredTokenException".into()), r#"{"message":"The security token is expired"}"#);
        let error = expired.error("read the function `f`");
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().ends_with("the credentials have expired: sign in again"), "{error}");
    }
}
