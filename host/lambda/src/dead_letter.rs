//! Dead letters: what could not be processed, kept with its story as compressed lines of JSON in a store.

use crate::batch::Batch;
use crate::loaded::Loaded;
use crate::outcomes::PendingDeadLetter;
use crate::time::{date, utc};
use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use pipeline::{Failed, LogLine};
use serde::Serialize;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Tries again of one write, and the time for all of them: then the batch goes back to Kinesis, which tries again too.
const STORE_RETRIES_MAX: usize = 3;
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// A write on its way.
pub type Writing<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Where dead letters are kept. A bucket or a folder; in tests, one that fails as told.
pub trait DeadLetters: Send + Sync {
    /// Writes one object under the place of the dead letters. Called before the batch is acknowledged; an error sends
    /// the batch back, from the first of these dead letters on.
    fn write(&self, path: String, body: Vec<u8>) -> Writing<'_>;
}

/// A bucket or a folder.
struct Place {
    store: Box<dyn ObjectStore>,
    prefix: Path,
}

/// Opens the place that a URL names: `s3://bucket/prefix` or `file:///folder`, which is made if need be.
///
/// # Errors
/// Another URL, a folder that cannot be made, or settings that the store refuses.
pub fn open(url: &str) -> Result<Arc<dyn DeadLetters>> {
    if let Some(folder) = url.strip_prefix("file://") {
        std::fs::create_dir_all(folder).with_context(|| format!("make the folder for dead letters `{folder}`"))?;
        let store = LocalFileSystem::new_with_prefix(folder).with_context(|| format!("open `{folder}`"))?;
        return Ok(Arc::new(Place { store: Box::new(store), prefix: Path::default() }));
    }
    let Some((bucket, prefix)) = url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    else {
        bail!("dead letters `{url}`: write s3://bucket/prefix or file:///folder");
    };
    let retry = RetryConfig { max_retries: STORE_RETRIES_MAX, retry_timeout: STORE_TIMEOUT, ..RetryConfig::default() };
    // Plain HTTP only happens when AWS_ENDPOINT_URL_S3 says so, on a developer's machine. Idle connections are dropped
    // soon: Lambda may freeze at any time, and a dead connection costs the next write a try.
    let client = ClientOptions::new()
        .with_timeout(STORE_TIMEOUT)
        .with_pool_idle_timeout(Duration::from_secs(20))
        .with_allow_http(true);
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_client_options(client);
    let store = builder.build().with_context(|| format!("open `{url}`"))?;
    Ok(Arc::new(Place {
        store: Box::new(store),
        prefix: Path::parse(prefix).with_context(|| format!("read `{url}`"))?,
    }))
}

impl DeadLetters for Place {
    fn write(&self, path: String, body: Vec<u8>) -> Writing<'_> {
        Box::pin(async move {
            let path = Path::from_iter(self.prefix.parts().chain(Path::from(path).parts()));
            self.store.put(&path, body.into()).await.with_context(|| format!("write dead letters to {path}"))?;
            Ok(())
        })
    }
}

/// What all dead letters of one invocation share.
pub(crate) struct DeadLetterContext<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) loaded: &'a Loaded,
    pub(crate) request_id: &'a str,
    pub(crate) now_ms: u64,
}

/// Where a dead letter comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// The shard.
    pub shard: &'a str,
    /// The record's sequence number.
    pub sequence_number: &'a str,
    /// The event's partition key.
    pub partition_key: &'a str,
    /// When the record arrived, in milliseconds since the Unix epoch.
    pub arrived_at_ms: u64,
    /// The event as it entered the pipeline.
    pub data: &'a [u8],
}

/// One dead letter, to be written as a line of JSON. `failed_at_ms`: milliseconds since the Unix epoch.
pub fn line<'a>(origin: Origin<'a>, failed: &'a Failed, loaded: &'a Loaded, failed_at_ms: u64) -> impl Serialize + 'a {
    let step = failed.step.and_then(|step| loaded.pipeline.steps.get(step));
    Line {
        version: 1,
        id: origin.id,
        stream: origin.stream,
        shard: origin.shard,
        sequence_number: origin.sequence_number,
        partition_key: origin.partition_key,
        arrived_at: date(origin.arrived_at_ms),
        failed_at: date(failed_at_ms),
        pipeline: &loaded.pipeline.name,
        release: loaded.release.as_deref(),
        step: step.map(|step| step.name.as_str()),
        plugin: step.map(|step| step.plugin.as_str()),
        digest: failed.step.and_then(|step| loaded.digests.get(step)).map(String::as_str),
        kind: failed.failure.kind.as_str(),
        message: failed.failure.message(),
        log: &failed.log,
        elapsed_us: u64::try_from(failed.elapsed.as_micros()).unwrap_or(u64::MAX),
        memory_bytes: failed.memory_bytes,
        data: base64_simd::STANDARD.encode_to_string(origin.data),
        input: failed.input.as_ref().map(|input| base64_simd::STANDARD.encode_to_string(input)),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    id: &'a str,
    stream: &'a str,
    shard: &'a str,
    sequence_number: &'a str,
    partition_key: &'a str,
    arrived_at: String,
    failed_at: String,
    pipeline: &'a str,
    release: Option<&'a str>,
    step: Option<&'a str>,
    plugin: Option<&'a str>,
    digest: Option<&'a str>,
    kind: &'a str,
    message: &'a str,
    log: &'a [LogLine],
    elapsed_us: u64,
    memory_bytes: u64,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
}

impl DeadLetterContext<'_> {
    /// Where the invocation's `nth` object (from 1) stands. A redelivered batch has another request id, so nothing is
    /// ever written over.
    pub(crate) fn path(&self, nth: u32) -> String {
        let hour = utc(self.now_ms).format("%Y/%m/%d/%H");
        let first = self.batch.records.first().map_or("none", |record| &record.sequence_number);
        let count = if nth > 1 { format!("-{nth}") } else { String::new() };
        format!(
            "{}/{hour}/{}-{first}-{}{count}.ndjson.gz",
            self.loaded.pipeline.name,
            plain(&self.batch.shard),
            plain(self.request_id)
        )
    }

    /// One object: a line for each dead letter, compressed; and how many there was time for.
    pub(crate) fn object(&self, letters: &[PendingDeadLetter], in_time: impl Fn() -> bool) -> Result<(Vec<u8>, usize)> {
        let mut object = GzEncoder::new(Vec::new(), Compression::fast());
        let mut written = 0;
        for letter in letters.iter().take_while(|_| in_time()) {
            serde_json::to_writer(&mut object, &self.line(letter)).context("write a dead letter")?;
            object.write_all(b"\n").context("write a dead letter")?;
            written += 1;
        }
        Ok((object.finish().context("compress dead letters")?, written))
    }

    fn line<'a>(&'a self, letter: &'a PendingDeadLetter) -> impl Serialize + 'a {
        let record = &self.batch.records[letter.record];
        let origin = Origin {
            id: &letter.entered.id,
            stream: &self.batch.stream,
            shard: record.shard(),
            sequence_number: &record.sequence_number,
            partition_key: &letter.entered.partition_key,
            arrived_at_ms: record.arrived_at_ms,
            data: &letter.entered.data,
        };
        line(origin, &letter.failed, self.loaded, self.now_ms)
    }
}

/// Part of an object's name: whatever an event says, it stays one plain part.
fn plain(text: &str) -> String {
    let char = |char: char| if char.is_ascii_alphanumeric() || char == '-' || char == '_' { char } else { '_' };
    text.chars().take(100).map(char).collect()
}
