//! What a store's error means for the caller.

use crate::error::{Error, ErrorKind};
use object_store::Error as StoreError;

/// How much of a store's own words an error repeats.
const WORDS_CHARS_MAX: usize = 300;

pub(super) fn is_not_modified(error: &StoreError) -> bool {
    matches!(error, StoreError::NotModified { .. })
}

/// `action` is what was being done, on what.
pub(super) fn classify(error: &StoreError, action: &str) -> Error {
    let words = error.to_string();
    let kind = by_code(&words).or_else(|| by_io(error)).unwrap_or_else(|| by_variant(error, &words));
    Error::new(kind, action, problem(kind, &words))
}

/// By the `<Code>` of S3's answer, where there is one: an answer to HEAD has no body.
fn by_code(words: &str) -> Option<ErrorKind> {
    let code = words.split_once("<Code>")?.1.split_once("</Code>")?.0;
    Some(match code {
        "NoSuchBucket" => ErrorKind::NoBucket,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => ErrorKind::PermissionDenied,
        "ExpiredToken"
        | "InvalidToken"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "TokenRefreshRequired"
        | "InvalidSecurity"
        | "NotSignedUp" => ErrorKind::Unauthenticated,
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraint" => {
            ErrorKind::WrongRegion
        }
        "SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout" | "OperationAborted" => {
            ErrorKind::Unavailable
        }
        "NotImplemented" | "InvalidRequest" | "InvalidBucketName" | "MethodNotAllowed" => ErrorKind::Store,
        _ => return None,
    })
}

/// By the operating system's error, for a folder.
fn by_io(error: &StoreError) -> Option<ErrorKind> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Some(ErrorKind::PermissionDenied)
                }
                _ => None,
            };
        }
        cause = cause.source()?;
    }
}

fn by_variant(error: &StoreError, words: &str) -> ErrorKind {
    match error {
        StoreError::NotFound { .. } => ErrorKind::NotFound,
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => ErrorKind::Conflict,
        StoreError::PermissionDenied { .. } => ErrorKind::PermissionDenied,
        StoreError::Unauthenticated { .. } => ErrorKind::Unauthenticated,
        StoreError::Generic { .. } if words.contains("redirect without LOCATION") => ErrorKind::WrongRegion,
        StoreError::Generic { .. } if has_status(words, '3') => ErrorKind::WrongRegion,
        // 408 and 429 ask to come again; every other 4xx would be the same again.
        StoreError::Generic { .. }
            if has_status(words, '4') && !words.contains("code: 408") && !words.contains("code: 429") =>
        {
            ErrorKind::Store
        }
        StoreError::Generic { .. } | StoreError::JoinError { .. } => ErrorKind::Unavailable,
        _ => ErrorKind::Store,
    }
}

/// Whether the words name an HTTP status of this class.
fn has_status(words: &str, class: char) -> bool {
    words.split_once("status code: ").is_some_and(|(_, rest)| rest.starts_with(class))
}

fn problem(kind: ErrorKind, words: &str) -> String {
    let words: String =
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_CHARS_MAX).collect::<String>();
    let words = words.trim();
    match kind {
        ErrorKind::NotFound => "it is not there".to_owned(),
        ErrorKind::Conflict => "somebody else has written it meanwhile".to_owned(),
        ErrorKind::NoBucket => "the bucket or folder does not exist".to_owned(),
        ErrorKind::PermissionDenied => format!("not allowed ({words})"),
        ErrorKind::Unauthenticated => {
            // What a caller's hook says stands behind the client's own sentence.
            let words = words.rsplit_once("for path credentials: ").map_or(words, |(_, words)| words);
            format!("the credentials are missing, wrong or expired ({words})")
        }
        ErrorKind::WrongRegion => format!("the bucket is in another region ({words})"),
        _ => words.to_owned(),
    }
}
