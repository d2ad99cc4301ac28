//! `paddle status`: what the channels hold, and what the running hosts make of it. From the store alone.

mod show;
mod summary;

use crate::Context;
use crate::error::{Error, Status as Exit};
use crate::releases::{Opened, Place};
use crate::time;
use clap::Args;
use registry::{HostReport, Hosts, Name, Pointer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;
use summary::Minute;

/// Between two looks with `--watch`: hosts write when something changes, and once a minute.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Show what the channels hold, which host runs what, and why one refused
///
/// From what is in the store: hosts write what they run, refused and did in the last minute. A host that said nothing
/// for 15 minutes is gone. Exits with 1 when a running host has refused, or gone back from, what its channel holds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle status
  paddle status --watch                            again and again, until Ctrl-C
  paddle status --store s3://bucket/releases --pipeline clickstream --channel live
  paddle status --format json | jq '.channels[0].hosts[] | select(.state == \"refused\")'")]
pub(crate) struct Status {
    /// This channel only
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Look again every two seconds
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    place: Place,
}

/// A channel and who follows it.
struct Followed {
    name: Name,
    /// What it holds, or why that cannot be told; none for a channel that only hosts speak of.
    pointer: Result<Option<Pointer>, registry::Error>,
    hosts: Vec<(Name, HostReport)>,
}

/// All that there is to tell.
struct Told {
    now_ms: u64,
    channels: Vec<Followed>,
    all: Hosts,
}

/// How a host stands to what its channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Runs it.
    Current,
    /// Has not said anything about it yet.
    Behind,
    /// Will not take it.
    Refused(String),
    /// Ran it and went back by itself.
    Returned(String),
}

impl Status {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Exit, Error> {
        let opened = self.place.open(None, false, context)?;
        let channel = self.channel.as_deref().map(Name::new).transpose()?;
        let told = context.runtime.block_on(look(&opened, channel.as_ref()))?;
        self.show(&opened, &told, context)?;
        if !self.watch {
            return Ok(Exit::failed_if(told.channels.iter().any(Followed::is_in_trouble)));
        }
        loop {
            std::thread::sleep(WATCH_EVERY);
            match context.runtime.block_on(look(&opened, channel.as_ref())) {
                Ok(told) => self.show(&opened, &told, context)?,
                // Who watches wants to see when it works again.
                Err(error @ Error::Outside(_)) => context.ui.warn(error.to_string())?,
                Err(error) => return Err(error),
            }
        }
    }

    fn show(&self, opened: &Opened, told: &Told, context: &mut Context) -> Result<(), Error> {
        if self.watch && std::io::stdout().is_terminal() && !context.ui.is_json() {
            context.ui.clear()?;
        }
        match context.ui.is_json() {
            true => context.ui.json(&as_json(opened, told))?,
            false => show::show(opened, told, context)?,
        }
        context.ui.flush()
    }
}

async fn look(opened: &Opened, only: Option<&Name>) -> Result<Told, Error> {
    let now_ms = time::now_ms();
    let mut hosts = opened.registry.hosts(now_ms).await?;
    let mut by_channel: BTreeMap<Name, Vec<(Name, HostReport)>> = BTreeMap::new();
    for (name, report) in std::mem::take(&mut hosts.live) {
        by_channel.entry(report.channel.clone()).or_default().push((name, report));
    }
    for channel in opened.registry.channels().await? {
        by_channel.entry(channel).or_default();
    }
    if let Some(only) = only {
        by_channel.entry(only.clone()).or_default();
        by_channel.retain(|channel, _| channel == only);
    }
    let mut channels = Vec::with_capacity(by_channel.len());
    for (name, hosts) in by_channel {
        let pointer = match opened.registry.pointer(&name).await {
            Err(error) if !matches!(error.kind(), registry::ErrorKind::Untrusted(_)) => return Err(error.into()),
            pointer => pointer,
        };
        channels.push(Followed { name, pointer, hosts });
    }
    Ok(Told { now_ms, channels, all: hosts })
}

impl Followed {
    /// How a host stands to what the channel holds.
    fn state(&self, report: &HostReport) -> State {
        let Ok(Some(pointer)) = &self.pointer else { return State::Behind };
        State::of(report, pointer)
    }

    /// Whether a person should look at it.
    fn is_in_trouble(&self) -> bool {
        let bad = |report: &HostReport| matches!(self.state(report), State::Refused(_) | State::Returned(_));
        self.pointer.is_err() || self.hosts.iter().any(|(_, report)| bad(report))
    }

    /// The last minute of all its hosts.
    fn minute(&self, now_ms: u64) -> Minute {
        Minute::of(self.hosts.iter().map(|(_, report)| report), now_ms)
    }
}

impl State {
    fn of(report: &HostReport, pointer: &Pointer) -> State {
        use crate::releases::wait::{Said, said};
        match said(report, pointer) {
            Said::Taken if report.running.is_some_and(|running| running.release == pointer.release) => State::Current,
            Said::Taken | Said::Nothing => State::Behind,
            Said::Refused(reason) => State::Refused(reason),
            Said::Returned(reason) => State::Returned(reason),
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            State::Current => "current",
            State::Behind => "behind",
            State::Refused(_) => "refused",
            State::Returned(_) => "returned",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            State::Current | State::Behind => None,
            State::Refused(reason) | State::Returned(reason) => Some(reason),
        }
    }
}

fn as_json(opened: &Opened, told: &Told) -> Value {
    let host = |channel: &Followed, (name, report): &(Name, HostReport)| {
        let state = channel.state(report);
        json!({"host": name, "state": state.as_str(), "reason": state.reason(), "report": report})
    };
    let channel = |channel: &Followed| {
        json!({
            "channel": channel.name,
            "pointer": channel.pointer.as_ref().ok(),
            "error": channel.pointer.as_ref().err().map(ToString::to_string),
            "minute": channel.minute(told.now_ms),
            "hosts": channel.hosts.iter().map(|entry| host(channel, entry)).collect::<Vec<_>>(),
        })
    };
    let unreadable = |(name, error): &(Name, registry::Error)| json!({"host": name, "error": error.to_string()});
    json!({
        "pipeline": opened.registry.pipeline(),
        "store": opened.registry.store().to_string(),
        "at": lambda::date(told.now_ms),
        "channels": told.channels.iter().map(channel).collect::<Vec<_>>(),
        "gone": told.all.gone,
        "unread": told.all.unread,
        "unreadable": told.all.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
    })
}
