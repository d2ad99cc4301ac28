//! Buckets.

use super::open::Options;
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::{ClientOptions, CredentialProvider, RetryConfig};
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Lambda may freeze at any moment, and a connection that slept longer is likely dead: it is not tried.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// To reach S3 at all. A handshake takes milliseconds inside AWS and well under a second elsewhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Credentials are asked for again this long before they expire, so that a request on its way does not outlive them.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// AWS credentials. Nothing prints the secret.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<String>,
    /// When they stop working; `None` when they do not, or when nobody knows.
    pub expires: Option<SystemTime>,
}

/// Credentials that name no end are asked for again after this time: whoever gave them may have newer ones.
const KEEP_MAX: Duration = Duration::from_secs(600);

/// Credentials on their way, or why there are none.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Credentials, String>> + Send>>;

/// Gives credentials when asked: the caller's credential chain. Answers are kept until shortly before they expire, or
/// for some minutes when they do not say.
pub type CredentialsHook = Arc<dyn Fn() -> Fetching + Send + Sync>;

pub(super) fn open(url: &str, bucket: &str, options: &Options) -> Result<AmazonS3> {
    let action = format!("open the store {url}");
    let setting =
        |names: [&str; 2]| names.iter().find_map(|name| options.settings.get(*name)).filter(|value| !value.is_empty());
    if bucket.is_empty() {
        return Err(Error::invalid(action, "it names no bucket"));
    }
    let endpoint = setting(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
    let region = match (setting(["AWS_REGION", "AWS_DEFAULT_REGION"]), endpoint) {
        (Some(region), _) => region,
        // A stand-in for S3 has no regions.
        (None, Some(_)) => "us-east-1",
        (None, None) => return Err(Error::new(ErrorKind::NoRegion, action, "no AWS region is set")),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(Arc::new(provider(options, &action)?))
        // Tries are counted in `Store`, for every kind of store.
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    let mut client = ClientOptions::new()
        .with_timeout(options.patience.blob_timeout)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_pool_idle_timeout(IDLE_MAX);
    match endpoint {
        Some(endpoint) => {
            client = client.with_allow_http(plain_http_is_fine(endpoint, &action)?);
            builder = builder.with_endpoint(endpoint);
        }
        // AWS asks for names of buckets in the host's name; TLS certificates do not cover names with dots.
        None => builder = builder.with_virtual_hosted_style_request(!bucket.contains('.')),
    }
    builder.with_client_options(client).build().map_err(|error| Error::invalid(action, error.to_string()))
}

/// Plain HTTP leaves the machine for nobody: whoever listens would see the records' credentials and could answer
/// anything.
fn plain_http_is_fine(endpoint: &str, action: &str) -> Result<bool> {
    let Some(rest) = endpoint.strip_prefix("http://") else { return Ok(false) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // What stands before an `@` is a user's name, however much it looks like a host.
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback {
        return Ok(true);
    }
    Err(Error::invalid(action, format!("the endpoint {endpoint} is plain HTTP and not on this machine: use https")))
}

fn provider(options: &Options, action: &str) -> Result<Provider> {
    if let Some(hook) = &options.credentials {
        return Ok(Provider { hook: Arc::clone(hook), kept: Mutex::new(None) });
    }
    let get = |name: &str| options.settings.get(name).filter(|value| !value.is_empty()).cloned();
    let (Some(key_id), Some(secret)) = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) else {
        return Err(Error::new(ErrorKind::Unauthenticated, action, "there are no AWS credentials"));
    };
    let credentials = Credentials { key_id, secret, token: get("AWS_SESSION_TOKEN"), expires: None };
    let hook: CredentialsHook = Arc::new(move || {
        let credentials = credentials.clone();
        Box::pin(async move { Ok(credentials) })
    });
    Ok(Provider { hook, kept: Mutex::new(None) })
}

/// Keeps the hook's last answer.
struct Provider {
    hook: CredentialsHook,
    /// With the time to ask again.
    kept: Mutex<Option<(Arc<AwsCredential>, SystemTime)>>,
}

#[async_trait]
impl CredentialProvider for Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        // Requests are signed with the system's time, so credentials are judged by it too.
        let now = SystemTime::now();
        match &*kept {
            Some((credential, until)) if now < *until => Ok(Arc::clone(credential)),
            _ => {
                let fresh = (self.hook)().await.map_err(|problem| object_store::Error::Unauthenticated {
                    path: "credentials".to_owned(),
                    source: problem.into(),
                })?;
                let credential =
                    Arc::new(AwsCredential { key_id: fresh.key_id, secret_key: fresh.secret, token: fresh.token });
                let until = fresh.expires.map_or(now + KEEP_MAX, |at| at.checked_sub(RENEW_BEFORE).unwrap_or(now));
                *kept = Some((Arc::clone(&credential), until));
                Ok(credential)
            }
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, secret)", self.key_id)
    }
}
