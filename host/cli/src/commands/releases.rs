//! `paddle releases`: what there is in a store, and what a channel has held.

use crate::Context;
use crate::error::{Error, Status};
use crate::releases::{Opened, Place};
use crate::table::{Align, Table};
use crate::text::{count, cut, one_line};
use crate::time;
use clap::Args;
use registry::{Action, Name, Pointer, ReleaseId, ReleaseRow, Revision};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Characters of a reason in a table.
const WHY_WIDTH: usize = 60;

/// List releases, or what a channel has held
///
/// With --channel the channel's history, newest first. With --at what the channel held at a time.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle releases
  paddle releases --channel live
  paddle releases --at \"2026-03-02 09:15\"          UTC, unless it names a zone
  paddle releases --at 2h --channel staging        two hours ago")]
pub(crate) struct Releases {
    /// What the channel held at this time: a date, a date and a time, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The channel (with --at the default is live)
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Show at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    place: Place,
}

impl Releases {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let opened = self.place.open(None, false, context)?;
        match (&self.at, &self.channel) {
            (Some(at), channel) => held_at(&opened, &opened.channel(channel.as_deref())?, at, context),
            (None, Some(channel)) => history(&opened, &Name::new(channel)?, self.limit, context),
            (None, None) => list(&opened, self.limit, context),
        }
    }
}

fn held_at(opened: &Opened, channel: &Name, at: &str, context: &mut Context) -> Result<Status, Error> {
    let at_ms = time::point(at, time::now_ms()).ok_or_else(|| {
        Error::usage(format!(
            "--at {at}: a date, a date and a time, or how long ago is expected, such as 2026-03-02 09:15 or 2h"
        ))
    })?;
    let pointer = context.runtime.block_on(opened.registry.release_at(channel, at_ms))?;
    let ui = &mut context.ui;
    if ui.is_json() {
        ui.json(&json!({"channel": channel, "at": lambda::date(at_ms), "pointer": pointer}))?;
        return Ok(Status::Done);
    }
    let at = time::second(at_ms);
    ui.line(match pointer {
        None => format!("{channel} held nothing at {at} UTC"),
        Some(pointer) => format!("{channel} held {} at {at} UTC: {}", pointer.release.short(), how(&pointer)),
    })?;
    Ok(Status::Done)
}

/// How a channel came to what it holds, as the end of a sentence.
pub(crate) fn how(pointer: &Pointer) -> String {
    let verb = match pointer.action {
        Action::Publish => "published",
        Action::Promote => "promoted",
        Action::RollBack => "rolled back to",
    };
    let why = if pointer.why.is_empty() { String::new() } else { format!(" ({})", one_line(&pointer.why)) };
    format!(
        "revision {}, {verb} {} UTC by {}{why}",
        pointer.revision,
        time::minute(pointer.at_ms),
        one_line(&pointer.by)
    )
}

fn history(opened: &Opened, channel: &Name, limit: usize, context: &mut Context) -> Result<Status, Error> {
    let revisions = context.runtime.block_on(opened.registry.history(channel, limit as u64))?;
    let ui = &mut context.ui;
    if ui.is_json() {
        let revision = |revision: &Revision| match &revision.pointer {
            Ok(pointer) => json!(pointer),
            Err(error) => json!({"revision": revision.revision, "error": error.to_string()}),
        };
        ui.json(&revisions.iter().map(revision).collect::<Vec<_>>())?;
        return Ok(Status::Done);
    }
    let now_ms = time::now_ms();
    let newest = revisions.iter().find_map(|revision| revision.pointer.as_ref().ok()).cloned();
    let mut table = Table::new(&[
        ("revision", Align::Right),
        ("release", Align::Left),
        ("how", Align::Left),
        ("when", Align::Left),
        ("by", Align::Left),
        ("why", Align::Left),
    ]);
    for revision in &revisions {
        let number = revision.revision.to_string();
        match &revision.pointer {
            Ok(pointer) => {
                let bad = newest.as_ref().is_some_and(|newest| newest.calls_bad(pointer.release));
                let release = pointer.release.short() + if bad { " (bad)" } else { "" };
                let action = match pointer.action {
                    Action::Publish => "publish",
                    Action::Promote => "promote",
                    Action::RollBack => "rollback",
                };
                let (by, why) = (cut(&one_line(&pointer.by), 20), cut(&one_line(&pointer.why), WHY_WIDTH));
                table.row([number, release, action.into(), time::ago(pointer.at_ms, now_ms), by, why]);
            }
            Err(error) => {
                let why = cut(&one_line(&error.to_string()), WHY_WIDTH);
                table.row([number, "not trusted".into(), String::new(), String::new(), String::new(), why]);
            }
        }
    }
    let paint = ui.paint();
    ui.line(paint.bold(channel.as_str()))?;
    table.lines(paint).iter().try_for_each(|line| ui.line(line))?;
    Ok(Status::Done)
}

/// What channels say about releases.
struct Held {
    by: BTreeMap<ReleaseId, Vec<String>>,
    bad: Vec<ReleaseId>,
}

async fn held(opened: &Opened) -> Result<Held, Error> {
    let mut held = Held { by: BTreeMap::new(), bad: Vec::new() };
    for channel in opened.registry.channels().await? {
        // One that is not trusted shows in `status`.
        if let Ok(Some(pointer)) = opened.registry.pointer(&channel).await {
            held.by.entry(pointer.release).or_default().push(channel.to_string());
            held.bad.extend(pointer.bad);
        }
    }
    Ok(held)
}

fn list(opened: &Opened, limit: usize, context: &mut Context) -> Result<Status, Error> {
    let (page, held) = context.runtime.block_on(async {
        let page = opened.registry.releases(0, limit).await?;
        Ok::<_, Error>((page, held(opened).await?))
    })?;
    let others = if page.total == 0 { opened.others(context)? } else { None };
    let ui = &mut context.ui;
    if ui.is_json() {
        let rows: Vec<Value> = page.rows.iter().map(|row| as_json(row, &held)).collect();
        ui.json(&json!({"pipeline": opened.registry.pipeline(), "releases": rows, "total": page.total}))?;
        return Ok(Status::Done);
    }
    let now_ms = time::now_ms();
    let mut table = Table::new(&[
        ("release", Align::Left),
        ("made", Align::Left),
        ("by", Align::Left),
        ("steps", Align::Right),
        ("engines", Align::Right),
        ("channels", Align::Left),
        ("why", Align::Left),
    ]);
    for row in &page.rows {
        let mut channels = held.by.get(&row.id).cloned().unwrap_or_default();
        if held.bad.contains(&row.id) {
            channels.push("(bad)".into());
        }
        let (made, by, steps, why) = match &row.release {
            Ok(release) => {
                let made = &release.manifest;
                (time::ago(made.at_ms, now_ms), made.by.clone(), made.plugins.len().to_string(), made.why.clone())
            }
            Err(error) => (time::ago(row.written_ms, now_ms), String::new(), String::new(), error.to_string()),
        };
        let (by, why) = (cut(&one_line(&by), 20), cut(&one_line(&why), WHY_WIDTH));
        table.row([row.id.short(), made, by, steps, row.engines.len().to_string(), channels.join(" "), why]);
    }
    let paint = ui.paint();
    ui.line(format!("{}: {}", paint.bold(opened.registry.pipeline().as_str()), count(page.total as u64, "release")))?;
    if let Some(others) = others {
        ui.line(others)?;
    }
    if !page.rows.is_empty() {
        table.lines(paint).iter().try_for_each(|line| ui.line(line))?;
    }
    if page.more {
        ui.warn("there are more releases than are ever listed: remove old ones from the store")?;
    }
    Ok(Status::Done)
}

fn as_json(row: &ReleaseRow, held: &Held) -> Value {
    let mut told = json!({
        "release": row.id,
        "engines": row.engines,
        "channels": held.by.get(&row.id).cloned().unwrap_or_default(),
        "bad": held.bad.contains(&row.id),
    });
    match &row.release {
        Ok(release) => {
            let manifest = &release.manifest;
            told["at"] = json!(lambda::date(manifest.at_ms));
            told["by"] = json!(manifest.by);
            told["why"] = json!(manifest.why);
            told["plugins"] = json!(manifest.plugins);
        }
        Err(error) => told["error"] = json!(error.to_string()),
    }
    told
}
