//! How a store in S3 is reached: region, endpoint and credentials as AWS's own tools find them, profiles and SSO included.

use crate::environment;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use registry::{Credentials, CredentialsHook, Options};
use std::sync::Arc;

/// What a store of this URL needs. Asks nothing of AWS for a folder.
pub(super) async fn options(url: &str, create_folder: bool) -> Options {
    let mut options = Options { create_folder, ..Options::default() };
    if !url.starts_with("s3://") {
        return options;
    }
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
    options.settings = environment::aws();
    if let Some(region) = config.region() {
        options.settings.insert("AWS_REGION".to_owned(), region.to_string());
    }
    if let Some(endpoint) = config.endpoint_url() {
        options.settings.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned());
    }
    options.credentials = config.credentials_provider().map(hook);
    options
}

fn hook(provider: SharedCredentialsProvider) -> CredentialsHook {
    Arc::new(move || {
        let provider = provider.clone();
        Box::pin(async move {
            let found = provider.provide_credentials().await.map_err(|error| told(&error))?;
            Ok(Credentials {
                key_id: found.access_key_id().to_owned(),
                secret: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
                expires: found.expiry(),
            })
        })
    })
}

/// The last cause says what is wrong, the others repeat that there is something.
fn told(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
