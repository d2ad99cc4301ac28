//! `paddle status` for people.

use super::summary::{self, Between, Minute, Probations};
use super::{Followed, State, Told};
use crate::Context;
use crate::commands::releases::how;
use crate::error::Error;
use crate::releases::Opened;
use crate::table::{Align, Table};
use crate::terminal::Paint;
use crate::text::{count, cut, number, one_line, time};
use crate::time::ago;
use lambda::date;
use registry::{HostReport, Name, Pointer, ReleaseId};
use std::time::Duration;

/// Most hosts in a table: those in trouble come first.
const HOSTS_MAX: usize = 20;

/// Most refusals, and most swaps, that are told of a channel.
const ENTRIES_MAX: usize = 5;

pub(super) fn show(opened: &Opened, told: &Told, context: &mut Context) -> Result<(), Error> {
    let others = if told.channels.is_empty() { opened.others(context)? } else { None };
    let ui = &mut context.ui;
    let (paint, width) = (ui.paint(), ui.width());
    let at = paint.dim(&format!("{} UTC", time_of_day(told.now_ms)));
    ui.line(format!("{} in {}  {at}", paint.bold(opened.registry.pipeline().as_str()), opened.registry.store()))?;
    if told.channels.is_empty() {
        let nothing = "nothing was put on a channel yet: paddle publish --to live";
        ui.line(others.as_deref().unwrap_or(nothing))?;
    }
    for channel in &told.channels {
        lines(channel, told.now_ms, paint, width).iter().try_for_each(|line| ui.line(line))?;
    }
    if told.all.gone > 0 {
        let gone = count(told.all.gone as u64, "host");
        ui.line(paint.dim(&format!("{gone} gone: nothing heard for 15 minutes")))?;
    }
    if told.all.unread > 0 {
        ui.warn(format!("{} not looked at: there are too many", count(told.all.unread as u64, "running host")))?;
    }
    for (name, error) in told.all.unreadable.iter().take(ENTRIES_MAX) {
        ui.warn(format!("what host {name} says cannot be read: {}", one_line(&error.to_string())))?;
    }
    Ok(())
}

/// `09:15:01`.
fn time_of_day(ms: u64) -> String {
    date(ms).get(11..19).unwrap_or_default().to_owned()
}

fn lines(channel: &Followed, now_ms: u64, paint: Paint, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let name = paint.bold(channel.name.as_str());
    match &channel.pointer {
        Ok(Some(pointer)) => {
            lines.push(format!("{name} holds {}: {}", paint.green(&pointer.release.short()), how(pointer)));
            lines.extend(past(pointer));
        }
        Ok(None) => lines.push(format!("{name} holds nothing")),
        Err(error) => {
            lines.push(format!("{name} {}: {}", paint.red("is not trusted here"), one_line(&error.to_string())))
        }
    }
    if channel.hosts.is_empty() {
        lines.push("  no host is running: it is taken with the next batch".to_owned());
        return lines;
    }
    lines.push(format!("  {}", summed_up(channel, paint)));
    lines.extend(hosts(channel, now_ms, paint, width));
    lines.extend(probation(channel, paint));
    lines.extend(refusals(channel, now_ms, paint));
    lines.extend(swaps(channel, now_ms));
    lines.extend(minute(&channel.minute(now_ms)));
    lines
}

/// What hosts fall back to, and what is bad.
fn past(pointer: &Pointer) -> Option<String> {
    let previous = pointer.previous.map(|release| format!("before it {}", release.short()));
    let short = |release: &ReleaseId| release.short();
    let bad: Vec<String> = pointer.bad.iter().rev().take(ENTRIES_MAX).map(short).collect();
    let bad = (!bad.is_empty()).then(|| format!("rolled back from {}", bad.join(", ")));
    let parts: Vec<String> = previous.into_iter().chain(bad).collect();
    (!parts.is_empty()).then(|| format!("  {}", parts.join("; ")))
}

fn summed_up(channel: &Followed, paint: Paint) -> String {
    let mut counts = [0; 4];
    for (_, report) in &channel.hosts {
        counts[rank(&channel.state(report))] += 1;
    }
    let [returned, refused, behind, current] = counts;
    let told = [
        (current, "current", Paint::green as fn(Paint, &str) -> String),
        (behind, "behind", Paint::yellow),
        (refused, "refused it", Paint::red),
        (returned, "went back", Paint::red),
    ];
    let told = told.into_iter().filter(|(hosts, _, _)| *hosts > 0);
    let told: Vec<String> = told.map(|(hosts, what, colour)| colour(paint, &format!("{hosts} {what}"))).collect();
    format!("{}: {}", count(channel.hosts.len() as u64, "host"), told.join(", "))
}

/// Trouble comes first.
fn rank(state: &State) -> usize {
    match state {
        State::Returned(_) => 0,
        State::Refused(_) => 1,
        State::Behind => 2,
        State::Current => 3,
    }
}

fn hosts(channel: &Followed, now_ms: u64, paint: Paint, width: usize) -> Vec<String> {
    let mut table = Table::new(&[
        ("host", Align::Left),
        ("runs", Align::Left),
        ("since", Align::Left),
        ("revision", Align::Right),
        ("events", Align::Right),
        ("heard", Align::Left),
        ("paddle", Align::Left),
        ("", Align::Left),
    ]);
    let mut sorted: Vec<&(Name, HostReport)> = channel.hosts.iter().collect();
    sorted.sort_by_key(|(name, report)| (rank(&channel.state(report)), name.clone()));
    for (name, report) in sorted.iter().take(HOSTS_MAX) {
        let state = channel.state(report);
        let running = report.running;
        table.row([
            name.to_string(),
            running.map_or("its package".into(), |running| running.release.short()),
            running.map_or(String::new(), |running| ago(running.since_ms, now_ms)),
            report.revision.to_string(),
            report.minute.as_ref().map_or(String::new(), |minute| number(minute.events)),
            ago(report.at_ms, now_ms),
            one_line(&report.paddle),
            cut(&one_line(state.reason().unwrap_or_default()), width / 2),
        ]);
    }
    let mut lines = table.lines(paint);
    if sorted.len() > HOSTS_MAX {
        lines.push(format!("  … and {} more", sorted.len() - HOSTS_MAX));
    }
    lines
}

fn probation(channel: &Followed, paint: Paint) -> Option<String> {
    let pointer = channel.pointer.as_ref().ok()?.as_ref()?;
    let reports = channel.hosts.iter().map(|(_, report)| report);
    let Probations { passed, running, returned, reason } =
        summary::probations(reports, pointer.release, pointer.revision);
    let told = [(passed, "passed on"), (running, "runs on"), (returned, "ended on")];
    let told = told.into_iter().filter(|(hosts, _)| *hosts > 0);
    let told: Vec<String> = told.map(|(hosts, what)| format!("{what} {}", count(hosts, "host"))).collect();
    if told.is_empty() {
        return None;
    }
    let why = if reason.is_empty() { String::new() } else { format!(": {}", paint.red(&one_line(&reason))) };
    Some(format!("  its probation {}{why}", told.join(", ")))
}

fn refusals(channel: &Followed, now_ms: u64, paint: Paint) -> Vec<String> {
    let refusals = summary::refusals(channel.hosts.iter().map(|(_, report)| report));
    let line = |said: &summary::Said<summary::Refusal>| {
        let refusal = &said.what;
        let what = refusal.release.map_or("the channel's pointer".into(), |release| release.short());
        let (hosts, when) = (count(said.hosts, "host"), ago(said.at_ms, now_ms));
        let (reason, kind) = (one_line(&refusal.reason), one_line(&refusal.kind));
        format!(
            "  {} {what} (revision {}) by {hosts}, {when}: {reason} ({kind})",
            paint.red("refused"),
            refusal.revision
        )
    };
    let mut lines: Vec<String> = refusals.iter().take(ENTRIES_MAX).map(line).collect();
    if refusals.len() > ENTRIES_MAX {
        lines.push(format!("  … and {} earlier refusals (--format json shows them)", refusals.len() - ENTRIES_MAX));
    }
    lines
}

fn swaps(channel: &Followed, now_ms: u64) -> Vec<String> {
    let swaps = summary::swaps(channel.hosts.iter().map(|(_, report)| report));
    let line = |(said, took_us): &(summary::Said<Between>, u64)| {
        let (from, to) = said.what;
        let from = from.map_or("the package".into(), |from| from.short());
        let (hosts, when) = (count(said.hosts, "host"), ago(said.at_ms, now_ms));
        let took = if *took_us > 0 {
            format!(", in {} at most", time(Duration::from_micros(*took_us)))
        } else {
            String::new()
        };
        format!("  swapped {from} → {} on {hosts}, {when}{took}", to.short())
    };
    swaps.iter().take(ENTRIES_MAX).map(line).collect()
}

fn minute(minute: &Minute) -> Vec<String> {
    if minute.hosts == 0 {
        return vec!["  no host has worked in the last two minutes".to_owned()];
    }
    let span = if minute.span_ms > 0 { time(Duration::from_millis(minute.span_ms)) } else { "minute".to_owned() };
    let mut parts = vec![format!("{} ({:.1} a second)", count(minute.events, "event"), minute.events_per_second)];
    parts.push(count(minute.documents, "document"));
    if minute.dropped > 0 {
        parts.push(format!("{} dropped", number(minute.dropped)));
    }
    parts.push(format!("iterator age {}", time(Duration::from_millis(minute.iterator_age_ms))));
    let mut lines = vec![format!("  in the last {span}: {}", parts.join(", "))];
    let list = |entries: Vec<String>, label: &str| {
        (!entries.is_empty()).then(|| format!("    {label}  {}", entries.join(", ")))
    };
    let failures = minute.failures.iter().map(|(kind, count)| format!("{} {}", one_line(kind), number(*count)));
    lines.extend(list(failures.collect(), "failures"));
    let stops = (minute.deadline_stops > 0).then(|| number(minute.deadline_stops));
    lines.extend(list(stops.into_iter().collect(), "batches cut short by the deadline"));
    let steps =
        minute.step_ns.iter().map(|(name, ns)| format!("{} {}", one_line(name), time(Duration::from_nanos(*ns))));
    lines.extend(list(steps.collect(), "time per event"));
    lines
}
