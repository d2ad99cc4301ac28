//! `paddle dev`: the whole system on this machine. Records go through a simulated stream and its event source mapping
//! to the Lambda's own handler, and with the real AWS client over HTTP to a simulated Firehose that is as strict as
//! AWS.
//!
//! Here: `--once`, for the records there are. `served`: for as long as somebody works, with `feed` (records on their
//! way in), `watch` (saved files), `letters` (dead letters, noted) and `interrupts` (Ctrl-C).

mod feed;
mod interrupts;
mod letters;
mod out;
mod served;
mod show;
mod watch;

use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::input::{Data, Flow, Reader};
use crate::project::{Loading, Project};
use crate::sink::{self, Place};
use crate::terminal::Progress;
use crate::text::count;
use crate::time::now_ms;
use crate::web_events::{self, Random};
use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use clap::Args;
use destination::{Destination, Folder, Summary};
use lambda::{AwsFirehose, Clock, DeadLetters, HandleError, Host, Invocation, World};
use out::Out;
use pipeline::Report;
use simulator::firehose::{Fault, Faults, Firehose, Options};
use simulator::kinesis::{EventSource, FailureRecord, Journal, Mapping, Stream};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shards of the simulated stream: two, so that their batches interleave.
const SHARDS: usize = 2;

/// Records in a batch: what most mappings have.
const BATCH_SIZE: usize = 500;

/// How often a batch is tried again: locally, trouble that does not pass after this many is no passing trouble.
const RETRIES_MAX: u32 = 20;

/// How long one invocation may take: Lambda's own default for such functions in our template.
const INVOCATION_TIME: Duration = Duration::from_secs(60);

/// Two examples from AWS's documentation, as records among the others.
const AWS_EXAMPLES: [&str; 2] =
    [include_str!("../../samples/kinesis-event.json"), include_str!("../../samples/get-records.json")];

/// Run the whole system here: stream, Lambda handler, Firehose, documents
///
/// Records come by POST, from files (--follow: as they grow) or from standard input; documents go to standard output,
/// to a folder or to OpenSearch. When you save paddle.toml or a plugin, it is built and takes effect at the next batch;
/// if a build fails, the error is shown and the previous version keeps running. Dead letters and the function's log go
/// to a folder, which is emptied first if it is an earlier run's. Ctrl-C stops after the current batch; press it again
/// to stop at once.
///
/// With --once it runs the records that are there and ends with a report; documents go to the folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle dev                                               then: curl -d '{\"a\":1}' http://127.0.0.1:7070
  tail -f events.ndjson | paddle dev
  paddle dev -i events.ndjson --follow --sink http://localhost:9200
  paddle dev --once --web-events 10000
  paddle dev plugins/example --once -i events.ndjson --out /tmp/demo
  paddle dev --once --web-events 10000 --throttle 20
  paddle dev --once --web-events 1000 --sink https://admin:secret@localhost:9200 --insecure")]
pub(crate) struct Dev {
    /// A paddle.toml, its folder, or one plugin; default: the current folder
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Run the records that are there, then exit
    #[arg(long)]
    once: bool,
    /// Where to listen for records; port 0: any free one. Requests of web pages are refused
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070", conflicts_with = "once")]
    listen: std::net::SocketAddr,
    /// Keep reading the files of -i as they grow
    #[arg(long, requires = "input", conflicts_with = "once")]
    follow: bool,
    /// Records: files, or `-`
    #[arg(short, long, value_name = "FILE")]
    input: Vec<String>,
    /// Generate N web events; a few are deliberately invalid and do not count as failures
    #[arg(long, value_name = "N", requires = "once")]
    web_events: Option<u64>,
    /// Seed for the generated events
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where documents, dead letters and the log go; default: .paddle/dev of the project, and without --once documents
    /// go to standard output
    #[arg(long, value_name = "FOLDER")]
    out: Option<std::path::PathBuf>,
    /// Where documents go instead: `-` for standard output, a folder, or the URL of an OpenSearch
    #[arg(long, value_name = "WHERE", alias = "opensearch")]
    sink: Option<String>,
    /// Accept any TLS certificate of OpenSearch
    #[arg(long)]
    insecure: bool,
    /// Throttle this percentage of Firehose requests, each halfway through its records
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=90))]
    throttle: Option<u64>,
}

/// The folder `documents` of a run, and what it is called.
fn documents(out: &Out) -> (Destination, Place) {
    (Destination::Folder(Folder::new(out.documents())), Place::written(out.shown_documents()))
}

/// What a run came to.
struct Ended {
    records: u64,
    report: Report,
    journal: Journal,
    summary: Summary,
    requests: usize,
    throttled: usize,
    delivery_errors: Vec<String>,
    violations: Vec<String>,
    /// The first error of an invocation.
    error: Option<String>,
    elapsed: Duration,
}

impl Dev {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let project = Project::find(self.pipeline.as_deref())?;
        if !self.once {
            return served::serve(&self, &project, context);
        }
        if self.sink.as_deref() == Some("-") {
            return Err(Error::usage(
                "the report of --once and documents cannot share standard output: give --sink a folder",
            ));
        }
        let stream = self.stream(&project)?;
        let sink = self.sink.as_deref().map(|named| sink::destination(named, self.insecure)).transpose()?;
        let workers = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
        let ready = project.load(context, &Loading { workers, ..Loading::PRODUCTION })?;
        let out = Out::prepare(self.out.clone().unwrap_or_else(|| project.folder.join(".paddle/dev")))?;
        let (destination, place) = sink.unwrap_or_else(|| documents(&out));
        let progress = context.ui.progress("handling", "records");
        let ended =
            context.runtime.block_on(self.system(stream, ready.loaded, workers, destination, &out, progress))?;
        show::show(&ended, &out, &place, self.sink.is_none(), context)?;
        if let Some(error) = ended.error.filter(|_| ended.report.counts.events == 0) {
            return Err(Error::Outside(anyhow::anyhow!(error).context("the handler failed")));
        }
        // Some of the generated events are invalid on purpose.
        let lost = ended.report.counts.dead_letters + ended.summary.refused;
        let failed = (lost > 0 && self.web_events.is_none())
            || !ended.journal.failures.is_empty()
            || !ended.delivery_errors.is_empty()
            || !ended.violations.is_empty();
        Ok(Status::failed_if(failed))
    }

    /// A stream with all records in it.
    fn stream(&self, project: &Project) -> Result<Stream, Error> {
        let mut stream = Stream::new(&project.pipeline.name, SHARDS);
        let mut reader = Reader::default();
        let now_ms = now_ms();
        let mut put = |record: crate::input::Record| {
            // The stream holds bytes and encodes them itself, so what was no base64 becomes text.
            let (Data::Bytes(data) | Data::Undecodable(data, _)) = &record.data;
            stream.put(&record.partition_key, data, record.arrived_at_ms.unwrap_or(now_ms));
            Ok(Flow::Continue(()))
        };
        if !self.input.is_empty() || (self.web_events.is_none() && !std::io::stdin().is_terminal()) {
            reader.files(&self.input, &mut put)?;
        }
        if let Some(count) = self.web_events {
            for example in AWS_EXAMPLES {
                let _ = reader.read("AWS's example", example.as_bytes(), &mut put)?;
            }
            for (key, data) in web_events::packed(self.seed).into_iter().chain(web_events::events(count, self.seed)) {
                stream.put(&key, &data, now_ms);
            }
        }
        if record_count(&stream) == 0 {
            return Err(Error::usage("no records: name files with -i, or generate some with --web-events 1000"));
        }
        Ok(stream)
    }

    /// The story: everything is started, every record is handled, everything ends.
    async fn system(
        &self,
        stream: Stream,
        loaded: lambda::Loaded,
        workers: usize,
        destination: Destination,
        out: &Out,
        mut progress: Progress,
    ) -> Result<Ended, Error> {
        let streams: Vec<String> = loaded.pipeline.routes.iter().map(|route| route.stream.clone()).collect();
        let faults = throttle(self.throttle.unwrap_or(0), self.seed);
        let firehose = Firehose::start(Options { destination, faults, ..Options::new(streams) }).await.or_outside()?;
        let letters = lambda::open_dead_letters(&out.dead_letters_url()).or_outside()?;
        let host = system_host(loaded, workers, firehose.url(), letters, out, self.seed)?;
        let records = record_count(&stream);
        let mut source = EventSource::new(stream, mapping());
        let (mut report, mut error, mut number) = (Report::default(), None, 0u64);
        let started = Instant::now();
        let journal = source
            .run(now_ms, async |event| {
                number += 1;
                let before = report.records;
                let answer = invoke(&host, number, event, &mut report).await;
                progress.add(report.records - before);
                error = error.take().or(answer.as_ref().err().cloned());
                answer
            })
            .await;
        let elapsed = started.elapsed();
        let requests = firehose.requests();
        let throttled = requests.iter().filter(|request| request.accepted < request.records).count();
        let told = |violation: simulator::firehose::Violation| format!("{}: {}", violation.stream, violation.why);
        let violations = firehose.violations().into_iter().map(told).collect();
        let delivery_errors = firehose.delivery_errors();
        let requests = requests.len();
        let summary = firehose.shutdown().await;
        Ok(Ended {
            records,
            report,
            journal,
            summary,
            requests,
            throttled,
            delivery_errors,
            violations,
            error,
            elapsed,
        })
    }
}

/// One invocation of the function: its answer, or why it failed. What happened goes into the report.
async fn invoke(host: &Host, number: u64, event: Vec<u8>, report: &mut Report) -> Result<Vec<u8>, String> {
    let invocation = Invocation { request_id: format!("local-{number:06}"), remaining: INVOCATION_TIME };
    match host.handle(Bytes::from(event), invocation).await {
        Ok(handled) => {
            report.pipeline.clone_from(&handled.report.pipeline);
            report.merge(handled.report);
            Ok(handled.response)
        }
        Err(failed) => {
            let told = failed.to_string();
            if let HandleError::Unsettled(_, partly) = failed {
                report.merge(partly.report);
            }
            Err(told)
        }
    }
}

fn record_count(stream: &Stream) -> u64 {
    (0..stream.shard_count()).map(|shard| stream.end(shard) as u64).sum()
}

/// The Lambda's own host, with the real client pointed at the simulated Firehose.
fn system_host(
    loaded: lambda::Loaded,
    workers: usize,
    url: &str,
    dead_letters: Arc<dyn DeadLetters>,
    out: &Out,
    seed: u64,
) -> Result<Host, Error> {
    let credentials = Credentials::new("local", "local", None, None, "paddle dev");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .build();
    let world = World {
        firehose: Arc::new(AwsFirehose::new(&config)),
        dead_letters,
        clock: Clock::system(),
        output: out.log().context("open the function's log").or_outside()?,
        seed,
        journal: None,
    };
    let settings = lambda::Settings { workers, partial_failures: true, ..lambda::Settings::default() };
    Host::new(settings, loaded, world).or_plugin()
}

/// What the event source mapping gave up, and where to look.
fn given_up(failure: &FailureRecord, log: &str) -> String {
    let records = count(failure.records.len() as u64, "record");
    format!("the event source mapping gave up {records} ({:?}): {log} says why they were sent back", failure.condition)
}

/// As most event source mappings are set up.
fn mapping() -> Mapping {
    Mapping {
        batch_size: BATCH_SIZE,
        report_batch_item_failures: true,
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(RETRIES_MAX),
        ..Mapping::default()
    }
}

/// So many of 100 requests are accepted to the middle; the rest of them is told to slow down.
fn throttle(percent: u64, seed: u64) -> Faults {
    let mut random = Random(seed);
    Box::new(move |request| match random.below(100) < percent {
        true => Fault::AcceptFirst(request.records.len() / 2),
        false => Fault::None,
    })
}
