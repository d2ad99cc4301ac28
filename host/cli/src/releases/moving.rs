//! What all commands that move a channel share: their options, the move itself, and how it is told.

use super::Opened;
use super::wait::{self, Waited};
use crate::Context;
use crate::environment;
use crate::error::{Error, Status};
use crate::text::{one_line, steers};
use crate::time;
use clap::Args;
use registry::{ErrorKind, Move, Moved, Name, Pointer, REASON_CHARS_MAX};
use serde_json::{Value, json};
use std::time::Duration;

/// The options of a move.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Moving {
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
    /// The signing key, by the name that keygen gave it (default: PADDLE_SIGNING_KEY, then `publisher`, then
    /// `operator`)
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Wait until every host that was seen lately has taken or refused the release, for so long (60s)
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = wait_time)]
    pub(crate) wait: Option<Duration>,
    /// Move only if the channel is at this revision still, as `paddle status` shows it; 0: only if it holds nothing
    #[arg(long, value_name = "REVISION")]
    pub(crate) at_revision: Option<u64>,
}

fn wait_time(typed: &str) -> Result<Duration, String> {
    time::duration(typed).ok_or_else(|| "a time such as 60s or 5m is expected".to_owned())
}

impl Moving {
    /// Why, checked.
    pub(crate) fn why(&self) -> Result<String, Error> {
        let why = self.why.trim();
        if why.chars().count() > REASON_CHARS_MAX || why.chars().any(steers) {
            return Err(Error::usage(format!("--why is one line of at most {REASON_CHARS_MAX} characters")));
        }
        Ok(why.to_owned())
    }

    /// The move of a channel that was seen as `seen`: lost if somebody has moved it since.
    pub(crate) fn of(&self, channel: &Name, seen: &Seen, force: bool) -> Result<Move, Error> {
        let expected = match seen {
            Seen::Held(pointer) => Some(pointer.revision),
            Seen::Nothing => Some(0),
            Seen::Untrusted => None,
        };
        Ok(Move {
            channel: channel.clone(),
            now_ms: time::now_ms(),
            by: environment::user(),
            why: self.why()?,
            expected: self.at_revision.or(expected),
            force,
            replace_untrusted: matches!(seen, Seen::Untrusted),
        })
    }
}

/// What a channel held when it was looked at.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Nothing,
    Held(Box<Pointer>),
    /// Somebody tampered with it, and `--force` says to go on.
    Untrusted,
}

impl Seen {
    pub(crate) async fn look(opened: &Opened, channel: &Name, force: bool) -> Result<Seen, Error> {
        match opened.registry.pointer(channel).await {
            Ok(Some(pointer)) => Ok(Seen::Held(Box::new(pointer))),
            Ok(None) => Ok(Seen::Nothing),
            Err(error) if force && matches!(error.kind(), ErrorKind::Untrusted(_)) => Ok(Seen::Untrusted),
            Err(error) => Err(error.into()),
        }
    }

    /// What it held, if that is known.
    pub(crate) fn pointer(&self) -> Option<&Pointer> {
        match self {
            Seen::Held(pointer) => Some(pointer),
            Seen::Nothing | Seen::Untrusted => None,
        }
    }
}

/// Tells a move, waits for the hosts if that was asked for, and ends the command. `told`: what else the JSON says.
pub(crate) fn finish(
    opened: &Opened,
    moved: &Moved,
    wait: Option<Duration>,
    mut told: serde_json::Map<String, Value>,
    context: &mut Context,
) -> Result<Status, Error> {
    let pointer = &moved.pointer;
    if !context.ui.is_json() {
        let paint = context.ui.paint();
        let before = moved.before.as_ref();
        let before = before.map_or("held nothing before".into(), |before| format!("was {}", before.release.short()));
        let release = paint.green(&pointer.release.short());
        let channel = paint.bold(pointer.channel.as_str());
        context.ui.line(format!("{channel} now holds {release} (revision {}, {before})", pointer.revision))?;
        // Whoever grows tired of waiting must know that it is moved.
        context.ui.flush()?;
    }
    told.insert("channel".into(), json!(pointer.channel));
    told.insert("release".into(), json!(pointer.release));
    told.insert("revision".into(), json!(pointer.revision));
    told.insert("before".into(), json!(moved.before.as_ref().map(|before| before.release)));
    let waited = wait.map(|limit| wait::follow(opened, pointer, limit, context)).transpose()?;
    if let Some(waited) = &waited {
        told.insert("hosts".into(), json!(waited));
    }
    if context.ui.is_json() {
        context.ui.json(&told)?;
    }
    match waited {
        Some(waited) => end(waited, pointer, wait.unwrap_or_default(), context),
        None => Ok(Status::Done),
    }
}

/// Tells how the hosts took it.
fn end(waited: Waited, pointer: &Pointer, limit: Duration, context: &mut Context) -> Result<Status, Error> {
    if let Some(sentence) = waited.late(pointer, limit) {
        return Err(Error::Waited(anyhow::anyhow!(sentence)));
    }
    let refused = !waited.refused.is_empty();
    if context.ui.is_json() {
        return Ok(Status::failed_if(refused));
    }
    let paint = context.ui.paint();
    for (host, reason) in &waited.refused {
        context.ui.line(format!("  {} by {host}: {}", paint.red("refused"), one_line(reason)))?;
    }
    context.ui.line(waited.sentence())?;
    Ok(Status::failed_if(refused))
}
