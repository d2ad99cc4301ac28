//! Amazon Data Firehose, as delivery needs it: one call, and three ways for it to fail.

use aws_sdk_firehose::Client;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_sdk_firehose::config::timeout::TimeoutConfig;
use aws_sdk_firehose::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_firehose::operation::put_record_batch::PutRecordBatchError;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{PutRecordBatchResponseEntry, Record};
use bytes::Bytes;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// Attempts of the SDK at one request, the first included: one more, for a connection that died while Lambda was
/// frozen. Everything beyond is delivery's to pace, so at most 2 × its own attempts reach Firehose.
const SDK_ATTEMPTS: u32 = 2;

/// How long one attempt may take: 4 MiB at the slowest function's network speed, several times over.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connecting may take: inside a region it takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Codes by which AWS's services say that a request came too early, as AWS's own SDK lists them.
const THROTTLING_CODES: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// What Firehose says of each record of a request, by the record's index: accepted, or why not. A record without an
/// entry is not accepted; an entry without a record concerns nobody.
pub type Answer = Vec<Result<(), String>>;

/// A request on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + 'a>>;

/// Takes documents for delivery streams. Firehose itself; in tests, one that fails as told.
pub trait Firehose: Send + Sync {
    /// Sends one request, within the limits of `PutRecordBatch`. Called again for what was not accepted, and after an
    /// error that leaves open whether it was.
    fn put_record_batch<'a>(&'a self, stream: &'a str, documents: Vec<Bytes>) -> Sending<'a>;
}

/// Why a whole request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is too large, whole or in one of its documents: it is split until the culprit is found.
    Refused(String),
    /// A person must act, and nothing is gained by trying again: says what to fix.
    Configuration(String),
    /// It may work later; whether the records were taken is unknown.
    Transient(String),
}

/// The real one.
pub struct AwsFirehose {
    client: Client,
}

impl AwsFirehose {
    /// With region, credentials and endpoint from AWS's own variables.
    pub async fn from_environment() -> AwsFirehose {
        AwsFirehose::new(&aws_config::load_from_env().await)
    }

    /// With another configuration; retries and time-outs are ours.
    pub fn new(config: &aws_config::SdkConfig) -> AwsFirehose {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(ATTEMPT_TIMEOUT * SDK_ATTEMPTS + CONNECT_TIMEOUT)
            .build();
        let config = aws_sdk_firehose::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        AwsFirehose { client: Client::from_conf(config) }
    }
}

impl fmt::Debug for AwsFirehose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsFirehose")
    }
}

impl Firehose for AwsFirehose {
    fn put_record_batch<'a>(&'a self, stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        Box::pin(async move {
            let record = |document: Bytes| {
                Record::builder()
                    .data(Blob::new(document))
                    .build()
                    .map_err(|error| SendError::Refused(error.to_string()))
            };
            let records = documents.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
            let sent = self.client.put_record_batch().delivery_stream_name(stream).set_records(Some(records)).send();
            let output = sent.await.map_err(|error| send_error(stream, &error))?;
            // The entries decide; `FailedPutCount` has been seen to disagree.
            Ok(output.request_responses().iter().map(is_accepted).collect())
        })
    }
}

/// Firehose has a record if it gave it an id and reports no error. An entry with neither, or with both, proves nothing:
/// the record is sent again rather than lost.
fn is_accepted(entry: &PutRecordBatchResponseEntry) -> Result<(), String> {
    let error_code = entry.error_code().filter(|code| !code.is_empty());
    let record_id = entry.record_id().filter(|id| !id.is_empty());
    match (error_code, record_id) {
        (None, Some(_)) => Ok(()),
        (Some(code), _) => Err(format!("{code}: {}", entry.error_message().unwrap_or("no message"))),
        (None, None) => Err("the entry for it in Firehose's answer has neither a record id nor an error code".into()),
    }
}

fn send_error(stream: &str, error: &SdkError<PutRecordBatchError>) -> SendError {
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or("no message");
            classify(stream, service.raw().status().as_u16(), code, message)
        }
        // An error that is not in Firehose's words comes from something on the way, such as a proxy: its status
        // decides.
        SdkError::ResponseError(response) if !response.raw().status().is_success() => {
            classify(stream, response.raw().status().as_u16(), "", "the answer is not one of Firehose's")
        }
        // The kind of a credentials error is in no public type: its name stands in the debug text only.
        _ if matches!(error, SdkError::ConstructionFailure(_))
            || format!("{error:?}").contains("CredentialsNotLoaded") =>
        {
            SendError::Configuration(format!(
                "the request to Firehose could not be made; check region and credentials: {}",
                chain(error)
            ))
        }
        _ => SendError::Transient(chain(error)),
    }
}

/// An error and what caused it, outermost first, as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whether a refusal is about the size of the documents: only then does a smaller request, or one without the culprit,
/// pass. The messages are Firehose's own: `Records size exceeds 4 MB limit`, and `… 'records.3.member.data' failed to
/// satisfy constraint: Member must have length less than or equal to 1024000`.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let names_a_limit =
        ["size exceeds", "length less than or equal to", "too large"].iter().any(|limit| message.contains(limit));
    names_a_limit && !message.contains("deliverystreamname")
}

/// What an error means. Codes are those of the service model and of AWS's common errors; without one, the status
/// decides.
pub(crate) fn classify(stream: &str, status: u16, code: &str, message: &str) -> SendError {
    let reason = match code {
        "" => format!("HTTP status {status}: {message}"),
        code => format!("{code}: {message}"),
    };
    let fix = |what: &str| SendError::Configuration(format!("{what} (the answer was {reason})"));
    match code {
        "ResourceNotFoundException" => {
            fix(&format!("there is no delivery stream `{stream}` in this region: correct PADDLE_ROUTES or create it"))
        }
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => {
            fix(&format!("the function's role may not write to `{stream}`: allow firehose:PutRecordBatch on it"))
        }
        "InvalidKMSResourceException" => {
            fix(&format!("the KMS key of `{stream}` cannot be used: enable it, and allow its use"))
        }
        "InvalidSourceException" => {
            fix(&format!("`{stream}` takes CloudWatch Logs only: switch its decompression off, or use another stream"))
        }
        // A stream fed by Kinesis refuses direct puts, whatever is in them: that is no fault of a document.
        "InvalidArgumentException" | "ValidationException" if message.contains("stream type") => {
            fix(&format!("`{stream}` does not take direct puts: use a delivery stream whose source is Direct PUT"))
        }
        "InvalidArgumentException" | "ValidationException" if is_about_size(message) => SendError::Refused(reason),
        "ServiceUnavailableException" | "InternalFailure" | "RequestTimeout" | "RequestTimeoutException" => {
            SendError::Transient(reason)
        }
        code if THROTTLING_CODES.contains(&code) => SendError::Transient(reason),
        _ => match status {
            413 => SendError::Refused("the request is too large (HTTP status 413)".into()),
            408 | 429 | 500.. => SendError::Transient(reason),
            // A fault of ours or of the set-up that nobody foresaw: data stays in Kinesis, and a person sees it.
            _ => fix(&format!("Firehose refuses requests to `{stream}`")),
        },
    }
}
