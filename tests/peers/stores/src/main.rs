//! Reads one small object and then three larger ones at once, as a cold start reads a channel and a release, and ends.
//!
//! `stores BUCKET` finds the objects `pointer`, `blob-0`, `blob-1` and `blob-2`. Without a feature it only makes the Firehose
//! client, which the function has anyway: the base of the comparison.

#![allow(clippy::print_stdout, reason = "a program that is measured")]

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    let bucket = std::env::args().nth(1).ok_or("stores BUCKET")?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let config = aws_config::load_from_env().await;
        let _firehose = aws_sdk_firehose::Client::new(&config);
        read(&config, &bucket).await
    })
}

#[cfg(not(any(feature = "object-store", feature = "aws-sdk-s3")))]
async fn read(_: &aws_config::SdkConfig, _: &str) -> Done {
    Ok(())
}

#[cfg(feature = "object-store")]
async fn read(config: &aws_config::SdkConfig, bucket: &str) -> Done {
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
    use object_store::aws::{AmazonS3Builder, AwsCredential};
    use object_store::{ObjectStoreExt, path::Path};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Chain(SharedCredentialsProvider);

    #[async_trait::async_trait]
    impl object_store::CredentialProvider for Chain {
        type Credential = AwsCredential;

        async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
            let given = self.0.provide_credentials().await;
            let given = given.map_err(|error| object_store::Error::Generic { store: "S3", source: error.into() })?;
            Ok(Arc::new(AwsCredential {
                key_id: given.access_key_id().to_owned(),
                secret_key: given.secret_access_key().to_owned(),
                token: given.session_token().map(str::to_owned),
            }))
        }
    }

    let store = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(config.region().ok_or("a region")?.as_ref())
        .with_endpoint(std::env::var("AWS_ENDPOINT_URL_S3")?)
        .with_allow_http(true)
        .with_credentials(Arc::new(Chain(config.credentials_provider().ok_or("credentials")?)))
        .build()?;
    let get = async |name: &str| Ok::<_, object_store::Error>(store.get(&Path::from(name)).await?.bytes().await?.len());
    get("pointer").await?;
    let (one, two, three) = tokio::join!(get("blob-0"), get("blob-1"), get("blob-2"));
    (one?, two?, three?);
    Ok(())
}

#[cfg(feature = "aws-sdk-s3")]
async fn read(config: &aws_config::SdkConfig, bucket: &str) -> Done {
    let of_s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(of_s3);
    let get = async |name: &str| {
        let got = client.get_object().bucket(bucket).key(name).send().await?;
        Ok::<_, aws_sdk_s3::Error>(got.body.collect().await.map(|bytes| bytes.into_bytes().len()))
    };
    get("pointer").await??;
    let (one, two, three) = tokio::join!(get("blob-0"), get("blob-1"), get("blob-2"));
    (one??, two??, three??);
    Ok(())
}
