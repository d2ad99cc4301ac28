//! What changes take: a swap to a release that is cached, and cold starts.
//!
//! A swap is measured as `lambda` does it, in this process: one batch after a pause, which looks at the moved pointer,
//! takes the release and runs with the new code. Only CPU time counts. A cold start is the real program under the
//! simulated Lambda, as `make lambda` builds it: from its start to its first answer.

use super::measure::{Bar, Row, Unit};
use super::through::cpu;
use bytes::Bytes;
use lambda::Invocation;
use simulator::firehose::{Firehose, Options};
use simulator::runtime::{Environment, Function};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::place::Place;
use tests::shop::{Keeping, RECORD, Recipe, Shop};

/// Swaps and cold starts that count.
const TIMES: usize = 21;

/// Between two batches: longer than a poll interval, and than what counts as a pause.
const PAUSE: Duration = Duration::from_millis(700);

/// Milliseconds that each may take.
const SWAP_RUST_MS_MAX: f64 = 10.0;
const SWAP_JAVASCRIPT_MS_MAX: f64 = 50.0;
const COLD_START_MS_MAX: f64 = 150.0;

/// The rows whose name has one of the words; without words all.
pub(crate) fn rows(built: &Path, words: &[String]) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bootstrap = built.join("bootstrap-without-compiler");
    let row = |name: &str, about, bar: Option<f64>, measure: &dyn Fn() -> Result<Vec<f64>, String>| {
        let wanted = words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
        wanted.then(|| {
            eprintln!("{name}");
            Row { unit: Unit::Ms, bar: bar.map(Bar::Median), values: measure(), ..Row::new(name, about, 1) }
        })
    };
    let rust = |mark: &str| Ok(Recipe::good(mark));
    let rows = [
        row("swap_ms_rust", "three plugins, cached", Some(SWAP_RUST_MS_MAX), &|| runtime.block_on(swaps(&rust))),
        row("swap_ms_javascript", "one plugin in QuickJS, cached", Some(SWAP_JAVASCRIPT_MS_MAX), &|| {
            runtime.block_on(swaps(&javascript))
        }),
        row("cold_start_ms", "wall time, plugins in the package", Some(COLD_START_MS_MAX), &|| {
            runtime.block_on(cold_starts(&bootstrap, From::Package))
        }),
        row("cold_start_store_ms", "wall time, a release from S3 (moto)", None, &|| {
            runtime.block_on(cold_starts(&bootstrap, From::Bucket))
        }),
    ];
    rows.into_iter().flatten().collect()
}

/// A release of one JavaScript plugin.
fn javascript(mark: &str) -> Result<Recipe, String> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/javascript/mask.wasm");
    if !component.is_file() {
        return Err("not built: `make bench` does, where npm is".to_owned());
    }
    let steps = format!(
        "[[step]]\nplugin = \"{}\"\nconfig = {{ processed_by = \"{mark}\" }}\n",
        component.canonicalize().expect("it is there").display()
    );
    Ok(Recipe { steps, tried: true })
}

/// CPU time of each swap between two releases, both cached, in milliseconds.
async fn swaps(recipe: &dyn Fn(&str) -> Result<Recipe, String>) -> Result<Vec<f64>, String> {
    let (place, cache) = (Place::folder(), tempfile::tempdir().expect("a folder"));
    let shop = Shop::new(place.url(), place.aws());
    let releases = [shop.shelve(&recipe("one")?, "one").await, shop.shelve(&recipe("two")?, "two").await];
    shop.promote(releases[0]).await;
    let (follower, host) = shop.start(cache.path(), &Arc::new(Keeping::default())).await;
    let mut values = Vec::new();
    for round in 1..TIMES + 4 {
        let release = releases[round % 2];
        shop.promote(release).await;
        // After a pause the next batch looks at the channel, and waits for what it holds.
        tokio::time::sleep(PAUSE).await;
        let before = cpu();
        let invocation = Invocation { request_id: format!("r{round}"), remaining: Duration::from_secs(60) };
        let handled = follower.handle(&host, event(), invocation).await.map_err(|error| error.to_string())?;
        let took = cpu() - before;
        if handled.report.release.as_deref() != Some(&release.to_string()) {
            return Err("the first batch after a pause did not run what the channel holds".to_owned());
        }
        // The first of each are fetched.
        if round > 3 {
            values.push(took.as_secs_f64() * 1e3);
        }
    }
    Ok(values)
}

/// Where a function finds its plugins.
enum From {
    Package,
    Bucket,
}

/// Wall time from a program's start to its first answer, in milliseconds.
async fn cold_starts(bootstrap: &Path, from: From) -> Result<Vec<f64>, String> {
    if !bootstrap.is_file() {
        return Err("not built: `make bench` does".to_owned());
    }
    let firehose = Firehose::start(Options::new(["clicks"])).await.map_err(|error| format!("{error:#}"))?;
    let folder = tempfile::tempdir().expect("a folder");
    let mut environment: BTreeMap<String, String> = [
        ("PADDLE_ROUTES", "default=clicks".to_owned()),
        ("PADDLE_DEAD_LETTERS", format!("file://{}/letters", folder.path().display())),
        ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
        ("AWS_ENDPOINT_URL_FIREHOSE", firehose.url().to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let place = match from {
        From::Package => Place::folder(),
        From::Bucket => Place::bucket().ok_or("there is no moto: `make tools` installs it, with Python and pip")?,
    };
    let shop = Shop::new(place.url(), place.aws());
    match from {
        From::Package => {
            shop.package(&Recipe::good("one"), folder.path());
            environment.insert("PADDLE_CONFIG".into(), folder.path().join("paddle.toml").display().to_string());
        }
        From::Bucket => {
            shop.publish("one").await;
            environment.extend(place.aws().remove_entry("AWS_ENDPOINT_URL_S3"));
            environment.extend(shop.variables());
        }
    }
    let mut values = Vec::new();
    for round in 0..TIMES + 1 {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut function = Function::new(bootstrap);
        function.env = environment.clone().into_iter().collect();
        function.scratch = Some(scratch.path().to_owned());
        let begun = Instant::now();
        let mut running = Environment::start(&function).await.map_err(|error| format!("{error:#}"))?;
        let invoked = running.invoke(&event()).await.map_err(|error| format!("{error:#}"))?;
        let time = begun.elapsed();
        invoked.outcome.into_result().map_err(|failure| format!("{failure}: {:?}", invoked.log))?;
        running.shutdown().await;
        // The first reads the program from the disk.
        if round > 0 {
            values.push(time.as_secs_f64() * 1e3);
        }
    }
    Ok(values)
}

/// A batch of one record.
fn event() -> Bytes {
    let data = base64_simd::STANDARD.encode_to_string(RECORD);
    let event = serde_json::json!({"Records": [{
        "eventID": "shardId-000000000000:1",
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:1:stream/clicks",
        "kinesis": {"sequenceNumber": "1", "partitionKey": "k", "data": data},
    }]});
    event.to_string().into()
}
