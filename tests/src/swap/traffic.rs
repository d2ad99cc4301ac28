//! Batches of a stream into the real function, one after the other, and what came of them.

use super::records;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use simulator::firehose::Firehose;
use simulator::kinesis::{EventSource, Mapping, Stream};
use simulator::runtime::{Environment, Function, Line};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Records of a batch.
const BATCH: usize = 200;

/// Between two batches.
const PAUSE: Duration = Duration::from_millis(20);

/// Longest wait for something to come of the batches.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The delivery stream behind the function.
pub const DELIVERY_STREAM: &str = "clicks";

/// The batches that ran with one release, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub release: String,
    pub first: u64,
    pub last: u64,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// The function's process.
    pub process: Option<u32>,
    pub batches: u64,
    /// The releases that batches ran with, in order.
    pub spans: Vec<Span>,
    /// The e-mail address in the last document of a page view.
    pub email: String,
    /// What the function's log said of releases.
    pub said: Vec<String>,
    over: bool,
}

impl Latest {
    /// The release of the last batch.
    pub fn release(&self) -> &str {
        self.spans.last().map_or("", |span| &span.release)
    }

    /// Whether the log said so since it had `after` lines.
    pub fn has_said(&self, after: usize, words: &str) -> bool {
        self.said.iter().skip(after).any(|line| line.contains(words))
    }
}

/// What was sent and what came, record by record.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Records sent.
    pub records: u64,
    /// Documents that came of each.
    pub documents: Vec<u64>,
    /// Documents whose id had come before.
    pub repeated: u64,
    /// Documents of records that were never sent.
    pub strange: u64,
    /// How long batches took.
    pub times: Vec<Duration>,
    /// Ids of documents.
    pub(super) ids: HashSet<String>,
    /// Documents looked at.
    pub(super) seen: usize,
}

/// The traffic of one function.
pub struct Traffic {
    latest: watch::Sender<Latest>,
    ledger: Mutex<Ledger>,
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic { latest: watch::channel(Latest::default()).0, ledger: Mutex::default() }
    }
}

impl Traffic {
    /// Runs batches until [`Traffic::end`]. Dropping the future kills the function.
    ///
    /// # Errors
    /// When the function does not start, or a batch is not settled at once and as a whole.
    pub async fn run(&self, function: &Function, firehose: &Firehose) -> anyhow::Result<()> {
        let mut environment = Environment::start(function).await?;
        if let Some(failure) = &environment.init().failure {
            bail!("the function does not start: {}", failure.message);
        }
        self.latest.send_modify(|latest| latest.process = environment.process_id());
        let mapping = Mapping {
            batch_size: BATCH,
            report_batch_item_failures: true,
            maximum_retry_attempts: Some(0),
            ..Mapping::default()
        };
        let mut source = EventSource::new(Stream::new("clickstream", 1), mapping);
        let clock = simulator::system_clock();
        while !self.latest.borrow().over {
            self.put(&mut source, clock());
            let (mut lines, mut time) = (Vec::new(), Duration::ZERO);
            let journal = source
                .run(&*clock, async |event: Vec<u8>| {
                    let invoked = environment.invoke(&event).await.map_err(|error| format!("{error:#}"))?;
                    lines.extend(invoked.log);
                    time = invoked.duration;
                    invoked.outcome.into_result()
                })
                .await;
            let whole = journal.complete && journal.failures.is_empty() && journal.invocations.len() == 1;
            ensure!(whole, "a batch was not settled: {:?}", journal.invocations);
            source.forget_settled();
            self.note(firehose, &lines, time)?;
            environment.idle(PAUSE).await;
        }
        environment.shutdown().await;
        Ok(())
    }

    /// No further batch.
    pub fn end(&self) {
        self.latest.send_modify(|latest| latest.over = true);
    }

    /// How far it is now.
    pub fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Waits until something has come of the batches.
    ///
    /// # Errors
    /// When it does not within [`WAIT_MAX`].
    pub async fn until(&self, what: &str, so: impl FnMut(&Latest) -> bool) -> anyhow::Result<Latest> {
        let mut latest = self.latest.subscribe();
        let waited = tokio::time::timeout(WAIT_MAX, latest.wait_for(so)).await;
        let found = waited.ok().and_then(Result::ok).map(|latest| latest.clone());
        found.with_context(|| format!("waited in vain until {what}; the function said: {:#?}", self.latest().said))
    }

    /// Waits for a few more batches.
    ///
    /// # Errors
    /// When none come.
    pub async fn some_more(&self) -> anyhow::Result<Latest> {
        let wanted = self.latest().batches + 5;
        self.until("five more batches are through", |latest| latest.batches >= wanted).await
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic elsewhere leaves the ledger as it was before or after a document.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, source: &mut EventSource, now_ms: u64) {
        let mut ledger = self.ledger();
        for _ in 0..BATCH {
            let (key, data) = records::record(ledger.records);
            source.stream_mut().put(&key, &data, now_ms);
            ledger.records += 1;
            ledger.documents.push(0);
        }
    }

    /// Enters what a batch came to.
    fn note(&self, firehose: &Firehose, lines: &[Line], time: Duration) -> anyhow::Result<()> {
        let mut ledger = self.ledger();
        ledger.times.push(time);
        let (mut releases, mut email) = (BTreeSet::new(), None);
        for accepted in firehose.accepted_after(DELIVERY_STREAM, ledger.seen) {
            let document: Value = serde_json::from_slice(&accepted.data).context("a document is not JSON")?;
            ledger.enter(&document);
            releases.insert(text(&document["release"]));
            email = document["user"]["email"].as_str().map(str::to_owned).or(email);
        }
        drop(ledger);
        ensure!(releases.len() == 1, "a batch ran with several releases, or none: {releases:?}");
        let release = releases.pop_first().unwrap_or_default();
        self.latest.send_modify(|latest| {
            latest.batches += 1;
            let batch = latest.batches;
            match latest.spans.last_mut().filter(|span| span.release == release) {
                Some(span) => span.last = batch,
                None => latest.spans.push(Span { release, first: batch, last: batch }),
            }
            latest.email = email.unwrap_or_default();
            latest.said.extend(lines.iter().filter_map(of_a_release));
        });
        Ok(())
    }
}

impl Ledger {
    fn enter(&mut self, document: &Value) {
        self.seen += 1;
        self.repeated += u64::from(!self.ids.insert(text(&document["paddle_id"])));
        let number = records::number(document).and_then(|number| usize::try_from(number).ok());
        match number.and_then(|number| self.documents.get_mut(number)) {
            Some(count) => *count += 1,
            None => self.strange += 1,
        }
    }
}

/// What a line of the function's log says of a release: its sentence, and the reason.
fn of_a_release(line: &Line) -> Option<String> {
    let line: Value = serde_json::from_str(&line.text).ok()?;
    let message = line["message"].as_str().filter(|message| message.contains("release"))?;
    Some(match line["reason"].as_str() {
        Some(reason) => format!("{message} {reason}"),
        None => message.to_owned(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
