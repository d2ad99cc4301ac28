//! AWS as people at a terminal reach it: region, endpoints and credentials as AWS's own tools find them, profiles and
//! SSO included. `api` makes the few calls that are not the store's.

pub(crate) mod api;

use crate::environment;
use crate::error::Error;
use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use registry::{CredentialsHook, Options};
use std::sync::Arc;

/// The machine's AWS configuration.
///
/// # Errors
/// [`Error::Outside`] for a profile that is not there: whatever is missing then is missing because of that.
pub(crate) async fn configuration() -> Result<SdkConfig, Error> {
    match environment::missing_aws_profile() {
        Some(profile) => Err(Error::Outside(anyhow!(
            "there is no AWS profile `{profile}`, which AWS_PROFILE names: correct it (aws configure list-profiles shows what \
             there is)"
        ))),
        None => Ok(aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await),
    }
}

/// What a store of this URL needs. Asks nothing of AWS for a folder.
pub(crate) async fn store_options(url: &str, create_folder: bool) -> Result<Options, Error> {
    let mut options = Options { create_folder, ..Options::default() };
    if !url.starts_with("s3://") {
        return Ok(options);
    }
    let config = configuration().await?;
    options.settings = environment::aws();
    if let Some(region) = config.region() {
        options.settings.insert("AWS_REGION".to_owned(), region.to_string());
    }
    if let Some(endpoint) = config.endpoint_url() {
        options.settings.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned());
    }
    options.credentials = config.credentials_provider().map(hook);
    Ok(options)
}

fn hook(provider: SharedCredentialsProvider) -> CredentialsHook {
    Arc::new(move || {
        let provider = provider.clone();
        Box::pin(async move {
            let found = credentials(&provider).await?;
            Ok(registry::Credentials {
                key_id: found.access_key_id().to_owned(),
                secret: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
                expires: found.expiry(),
            })
        })
    })
}

/// Credentials, or why there are none.
async fn credentials(provider: &SharedCredentialsProvider) -> Result<Credentials, String> {
    provider.provide_credentials().await.map_err(|error| match last_cause(&error) {
        // The last place that is looked at is a machine inside AWS: it is not what a person at a terminal forgot.
        why if why.contains("IMDS") => "none in the environment, and none in the files of AWS's tools".to_owned(),
        why => why,
    })
}

/// The last cause says what is wrong, the others repeat that there is something.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().trim_end_matches('.').to_owned()
}
