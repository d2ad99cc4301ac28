//! `paddle dev` for as long as somebody works: records come in, documents go out, and what is saved takes effect at the
//! next batch.

use super::feed::{self, Arrived};
use super::interrupts;
use super::letters::{Letters, Noted};
use super::out::Out;
use super::watch::Watch;
use super::{BATCH_SIZE, Dev, SHARDS, given_up, invoke, mapping, system_host};
use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::input::{Data, Record};
use crate::project::{Loading, Project, tidy};
use crate::sink::{self, Place};
use crate::text::{count, one_line, shown, time};
use crate::time::now_ms;
use anyhow::Context as _;
use destination::{Destination, Lines};
use lambda::Host;
use pipeline::Report;
use serde_json::{Value, json};
use simulator::firehose::{Firehose, Options};
use simulator::kinesis::{EventSource, Stream};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};

/// Between two lines that say what was handled, while records keep coming.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Lines of plugins, and failures, that are shown of one batch.
const SHOWN_MAX: usize = 5;

/// What is running.
struct Served {
    host: Host,
    firehose: Firehose,
    source: EventSource,
    letters: Arc<Letters>,
    /// Where the function's log is.
    log: String,
    requests: u64,
    /// Deliveries that failed as a whole, and documents that were refused.
    undelivered: usize,
    refused: u64,
    /// What was handled and not told yet, and since when.
    untold: Report,
    told: Instant,
    /// Nobody reads the documents any more.
    closed: Arc<AtomicBool>,
}

/// A new version, or why there is none, and what was saved.
type Reloaded = (PathBuf, Duration, Result<(lambda::Loaded, Project), Error>);

pub(super) fn serve(dev: &Dev, project: &Project, context: &mut Context) -> Result<Status, Error> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    let loading = Loading { workers, ..Loading::PRODUCTION };
    // What is saved while the plugins are built is not in them.
    let mut watch = Watch::new()?;
    watch.follow(project)?;
    let ready = project.load(context, &loading)?;
    let out = Out::prepare(dev.out.clone().unwrap_or_else(|| project.folder.join(".paddle/dev")))?;
    let closed = Arc::new(AtomicBool::new(false));
    let (destination, place) = destination(dev, &out, &closed)?;
    let (feed, arrivals) = feed::channel();
    let ending = interrupts::listen(context)?;
    context.take_interrupts();
    let reloads = reload(dev, watch, loading, context)?;
    let mut served = context.runtime.block_on(served(dev, ready.loaded, workers, destination, &out, closed))?;
    let intake = context.runtime.block_on(feed::listen(dev.listen, feed.clone()))?;
    let piped = dev.input.is_empty() && feed::is_piped();
    let inputs = if piped { vec!["-".to_owned()] } else { dev.input.clone() };
    feed::read(&inputs, dev.follow, &feed)?;
    let paint = context.ui.note_paint();
    context.ui.note(format!(
        "{} {}   documents go to {}",
        paint.green("records by POST to"),
        intake.url(),
        place.name
    ))?;
    let with = if project.text.is_some() { " and its plugins" } else { "" };
    context.ui.note(format!("watching {}{with}; Ctrl-C ends", project.source))?;
    context.ui.flush()?;
    let ended = served.run(arrivals, reloads, &ending, context);
    // Whoever posted is answered before the documents' way is closed.
    context.runtime.block_on(intake.shutdown());
    served.tell(true, context)?;
    let summary = context.runtime.block_on(served.firehose.shutdown());
    sink::show_summary(&mut context.ui, &place, &summary)?;
    ended
}

/// Where documents go, and what that is called.
fn destination(dev: &Dev, out: &Out, closed: &Arc<AtomicBool>) -> Result<(Destination, Place), Error> {
    match (dev.sink.as_deref(), &dev.out) {
        (None, Some(_)) => Ok(super::documents(out)),
        (None | Some("-"), _) => {
            let to = StandardOutput { closed: Arc::clone(closed) };
            Ok((Destination::Lines(Lines::new(to)), Place::written("standard output")))
        }
        (Some(named), _) => sink::destination(named, dev.insecure),
    }
}

async fn served(
    dev: &Dev,
    loaded: lambda::Loaded,
    workers: usize,
    destination: Destination,
    out: &Out,
    closed: Arc<AtomicBool>,
) -> Result<Served, Error> {
    let streams: Vec<String> = loaded.pipeline.routes.iter().map(|route| route.stream.clone()).collect();
    let faults = super::throttle(dev.throttle.unwrap_or(0), dev.seed);
    let options = Options { destination, faults, records_kept_max: 0, ..Options::new(streams) };
    let stream = Stream::new(&loaded.pipeline.name, SHARDS);
    let firehose = Firehose::start(options).await.or_outside()?;
    let letters = lambda::open_dead_letters(&out.dead_letters_url()).or_outside()?;
    let letters = Arc::new(Letters::new(letters));
    let host = system_host(loaded, workers, firehose.url(), letters.clone(), out, dev.seed)?;
    let source = EventSource::new(stream, mapping());
    let (untold, told) = (Report::default(), Instant::now());
    let log = out.shown_log();
    Ok(Served { host, firehose, source, letters, log, requests: 0, undelivered: 0, refused: 0, untold, told, closed })
}

/// A thread that builds and loads what was saved, beside the batches.
fn reload(dev: &Dev, mut watch: Watch, loading: Loading, context: &Context) -> Result<mpsc::Receiver<Reloaded>, Error> {
    let (done, reloads) = mpsc::channel(1);
    let (named, mut context) = (dev.pipeline.clone(), context.beside()?);
    let run = move || {
        while let Some(saved) = watch.wait() {
            let begun = Instant::now();
            let loaded = Project::find(named.as_deref()).and_then(|project| {
                watch.follow(&project)?;
                let ready = project.load(&mut context, &loading)?;
                Ok((ready.loaded, project))
            });
            if done.blocking_send((saved, begun.elapsed(), loaded)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("reload".into()).spawn(run).context("start a thread").or_outside()?;
    Ok(reloads)
}

impl Served {
    /// Handles what comes until Ctrl-C. A batch that has begun is finished.
    fn run(
        &mut self,
        mut arrivals: feed::Receiver,
        mut reloads: mpsc::Receiver<Reloaded>,
        ending: &Notify,
        context: &mut Context,
    ) -> Result<Status, Error> {
        let handle = context.runtime.handle().clone();
        handle.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    () = ending.notified() => return Ok(Status::failed_if(self.undelivered > 0 || self.refused > 0)),
                    Some(reloaded) = reloads.recv() => self.take(reloaded, context)?,
                    Some(arrived) = arrivals.recv() => self.arrived(arrived, &mut arrivals, context).await?,
                }
                if self.closed.load(Ordering::Relaxed) {
                    return Err(Error::Closed);
                }
            }
        })
    }

    /// Takes a new version, or says why there is none.
    fn take(&mut self, (saved, took, loaded): Reloaded, context: &mut Context) -> Result<(), Error> {
        self.tell(true, context)?;
        let paint = context.ui.note_paint();
        let here = std::env::current_dir().unwrap_or_default();
        let saved = tidy(saved.strip_prefix(here).unwrap_or(&saved)).to_string();
        let taken = loaded.and_then(|(loaded, project)| {
            self.firehose.create(loaded.pipeline.routes.iter().map(|route| route.stream.clone()));
            let steps = project.pipeline.steps.len();
            self.host.swap(loaded).or_plugin()?;
            Ok(steps)
        });
        match taken {
            Ok(steps) => {
                let steps = count(steps as u64, "step");
                context.ui.note(format!("{} {saved}: {steps}, in {}", paint.green("took"), time(took)))
            }
            Err(error) => {
                context.ui.error(&error);
                context.ui.note(format!("{} {saved} is not taken; what ran goes on", paint.red("kept")))
            }
        }
    }

    /// Handles what arrived, and what waits behind it, as far as nobody waits for an answer of his own.
    async fn arrived(
        &mut self,
        first: Arrived,
        arrivals: &mut feed::Receiver,
        context: &mut Context,
    ) -> Result<(), Error> {
        let mut next = Some(first);
        while let Some(arrived) = next.take() {
            match arrived {
                Arrived::Ended(name) => context.ui.note(format!("{} was read to its end", input_name(&name)))?,
                Arrived::Failed(error) => context.ui.error(&error),
                Arrived::Records(mut records, reply) => {
                    while reply.is_none() && records.len() < BATCH_SIZE {
                        match arrivals.try_recv() {
                            Ok(Arrived::Records(more, None)) => records.extend(more),
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.handle(records, reply, context).await?;
                }
            }
        }
        self.tell(arrivals.is_empty(), context)
    }

    async fn handle(
        &mut self,
        records: Vec<Record>,
        reply: Option<oneshot::Sender<Value>>,
        context: &mut Context,
    ) -> Result<(), Error> {
        let sent = records.len();
        for record in &records {
            // The stream holds bytes and encodes them itself, so what was no base64 becomes text.
            let (Data::Bytes(data) | Data::Undecodable(data, _)) = &record.data;
            self.source.stream_mut().put(&record.partition_key, data, record.arrived_at_ms.unwrap_or_else(now_ms));
        }
        let (host, mut number) = (&self.host, self.requests);
        let (mut report, mut errors) = (Report::default(), Vec::new());
        let journal = self
            .source
            .run(now_ms, async |event| {
                number += 1;
                let answer = invoke(host, number, event, &mut report).await;
                answer.inspect_err(|told| errors.push(told.clone()))
            })
            .await;
        self.requests = number;
        self.source.forget_settled();
        let failed = self.letters.take();
        errors.extend(journal.failures.iter().map(|failure| given_up(failure, &self.log)));
        errors.extend(self.undelivered().await);
        for error in errors.iter().take(SHOWN_MAX) {
            context.ui.warn(one_line(error))?;
        }
        show_failed(&failed, context)?;
        show_said(&report, &self.names(), context)?;
        if let Some(reply) = reply {
            // Whoever posted may have gone.
            let _ = reply.send(answer(sent, &report, &failed, &errors));
        }
        self.untold.merge(report);
        Ok(())
    }

    /// What the destination did not take of the last batch, which no handler is told: nor would AWS.
    async fn undelivered(&mut self) -> Vec<String> {
        if self.closed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut told = self.firehose.delivery_errors_after(self.undelivered);
        self.undelivered += told.len();
        let summary = self.firehose.summary().await;
        if summary.refused > self.refused {
            let reasons: Vec<String> =
                summary.reasons.iter().map(|(kind, refused)| format!("{kind}: {}", refused.message)).collect();
            let refused = count(summary.refused - self.refused, "document");
            told.push(format!("{refused} refused, for the reasons so far: {}", reasons.join("; ")));
            self.refused = summary.refused;
        }
        told
    }

    /// The names of the steps.
    fn names(&self) -> Vec<String> {
        self.host.pipeline().steps.iter().map(|step| step.name.clone()).collect()
    }

    /// Says what was handled, now and then.
    fn tell(&mut self, idle: bool, context: &mut Context) -> Result<(), Error> {
        if self.untold.records == 0 || !idle && self.told.elapsed() < TOLD_EVERY {
            return Ok(());
        }
        let report = std::mem::take(&mut self.untold);
        self.told = Instant::now();
        let paint = context.ui.note_paint();
        let counts = &report.counts;
        let documents: u64 = report.documents.values().sum();
        let mut parts = vec![count(documents, "document")];
        parts.extend((counts.dropped > 0).then(|| format!("{} dropped", counts.dropped)));
        let letters = count(counts.dead_letters, "dead letter");
        parts.extend((counts.dead_letters > 0).then(|| paint.red(&letters)));
        parts.extend((counts.returned > 0).then(|| paint.yellow(&format!("{} sent back", counts.returned))));
        context.ui.note(format!("{}: {}", count(report.records, "record"), parts.join(", ")))
    }
}

/// What becomes of posted records, for whoever posted them.
fn answer(sent: usize, report: &Report, failed: &[Noted], errors: &[String]) -> Value {
    json!({
        "records": sent,
        "events": report.counts.events,
        "delivered": report.counts.delivered,
        "documents": report.documents.values().sum::<u64>(),
        "dropped": report.counts.dropped,
        "dead_letters": report.counts.dead_letters,
        "returned": report.counts.returned,
        "failures": failed,
        "errors": errors,
    })
}

fn show_failed(failed: &[Noted], context: &mut Context) -> Result<(), Error> {
    let paint = context.ui.note_paint();
    for Noted { step, kind, message, .. } in failed.iter().take(SHOWN_MAX) {
        let step = step.as_deref().unwrap_or("input or output");
        context.ui.note(format!("{} {step}: {kind}: {}", paint.red("dead letter"), shown(message.trim_end())))?;
    }
    Ok(())
}

fn show_said(report: &Report, names: &[String], context: &mut Context) -> Result<(), Error> {
    let paint = context.ui.note_paint();
    for said in report.said.iter().take(SHOWN_MAX) {
        let step = names.get(said.step).map_or("?", String::as_str);
        let level = format!("{:?}", said.line.level).to_lowercase();
        context.ui.note(format!(
            "{} {}",
            paint.dim(&format!("{step} {level}:")),
            shown(said.line.message.trim_end())
        ))?;
    }
    Ok(())
}

fn input_name(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

/// Standard output, which says when nobody reads it any more.
struct StandardOutput {
    closed: Arc<AtomicBool>,
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().write(bytes);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.closed.store(true, Ordering::Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
