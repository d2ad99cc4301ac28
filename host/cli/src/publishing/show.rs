//! What differs between two releases, in lines that people can read.

use super::compare::{Compared, Ran};
use super::gate::SLOWER_PERCENT_MAX;
use crate::cases::diff;
use crate::table::{Align, Table};
use crate::terminal::Paint;
use crate::text::{bytes, count, number, one_line, time};
use pipeline::Pipeline;
use registry::{AssetDifference, Blob, Difference, Manifest, Plugin, StepDifference};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is told of a step's plugin.
const COLUMNS: [(&str, Align); 6] = [
    ("step", Align::Left),
    ("plugin", Align::Left),
    ("code", Align::Left),
    ("size", Align::Left),
    ("loads in", Align::Left),
    ("fuel per event", Align::Left),
];

/// What every plugin imports begins like this.
const CONTRACT: &str = "paddlewheel:transform/";

/// Most events that come to something else whose difference is shown.
const OUTCOMES_MAX: usize = 5;

/// Digits of a digest: enough to tell two of them apart.
const DIGITS: usize = 12;

/// Most names of fields or imports in one line.
const NAMES_MAX: usize = 20;

/// All that differs; one line when nothing does.
pub(crate) fn difference(from: &Manifest, to: &Manifest, difference: &Difference, paint: Paint) -> Vec<String> {
    if difference.is_empty() {
        return vec!["  nothing differs".to_owned()];
    }
    let mut lines = steps(from, to, difference, paint);
    if difference.reordered {
        let names: Vec<&str> = to.plugins.iter().map(|plugin| plugin.step.as_str()).collect();
        lines.push(format!("  the order of the steps is now {}", names.join(", ")));
    }
    for step in &difference.steps {
        lines.extend(names(&step.step, "imports", &step.imports_added, &step.imports_removed, paint));
        lines.extend(names(&step.step, "reads", &step.reads_added, &step.reads_removed, paint));
        lines.extend(names(&step.step, "writes", &step.writes_added, &step.writes_removed, paint));
    }
    lines.extend(difference.assets.iter().map(asset));
    lines.extend(routes(from, to, paint));
    if let Some(config) = &difference.config {
        lines.push(paint.dim("  paddle.toml"));
        lines.extend(diff::text_lines(&config.from, &config.to, paint));
    }
    if let Some(records) = &difference.test_records {
        lines.push(format!("  test records  {} → {}", blob(records.from.as_ref()), blob(records.to.as_ref())));
    }
    lines
}

/// All that differs from one release to the next, and what both did on the same records.
pub(crate) fn comparison(from: &Manifest, to: &Manifest, compared: &Compared, paint: Paint) -> Vec<String> {
    let mut from = from.clone();
    if let Ok(ran) = &compared.ran {
        // What was measured beside each other says more than what was measured when each was made.
        for plugin in &mut from.plugins {
            plugin.fuel_per_event = ran.steps.get(&plugin.step).and_then(|step| step.before).or(plugin.fuel_per_event);
        }
    }
    let mut lines = difference(&from, to, &compared.difference, paint);
    match &compared.ran {
        Ok(ran) => lines.extend(behaviour(ran, paint)),
        Err(reason) => lines.push(paint.yellow(&format!("  not compared on records: {}", one_line(reason)))),
    }
    lines
}

/// What an event costs, and which come to something else.
fn behaviour(ran: &Ran, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(fuel) = ran.fuel_per_event.filter(|fuel| fuel.before != fuel.after) {
        let (before, after, percent) = (number(fuel.before), number(fuel.after), fuel.percent_more());
        let percent_told = if percent == 0 { "under 1 %".to_owned() } else { format!("{percent:+} %") };
        let told = format!("  fuel per event  {before} → {after} ({percent_told})");
        lines.push(if percent > SLOWER_PERCENT_MAX { paint.red(&told) } else { told });
    }
    if ran.events == 0 {
        return lines;
    }
    let events = count(ran.events, "test event");
    if ran.outcomes.is_empty() {
        lines.push(format!("  {events}: all come to the same as before"));
        return lines;
    }
    lines.push(format!("  {events}: {} to something else", verb(ran.outcomes.len())));
    for outcome in ran.outcomes.iter().take(OUTCOMES_MAX) {
        lines.push(format!("    event {} of test {}", outcome.event, one_line(&outcome.case)));
        let text = |answer: &Option<String>| answer.clone().unwrap_or_default();
        lines.extend(diff::lines(&text(&outcome.before), &text(&outcome.after), paint));
    }
    if ran.outcomes.len() > OUTCOMES_MAX {
        lines.push(format!("    … and {} more", ran.outcomes.len() - OUTCOMES_MAX));
    }
    lines
}

fn verb(events: usize) -> String {
    if events == 1 { "1 comes".to_owned() } else { format!("{} come", number(events as u64)) }
}

/// What a release is made of, as a table, and what its plugins import.
pub(crate) fn plugins(manifest: &Manifest, paint: Paint) -> Vec<String> {
    if manifest.plugins.is_empty() {
        return vec!["  no step: events are unpacked, checked and delivered as they are".to_owned()];
    }
    let mut table = Table::new(&COLUMNS);
    for plugin in &manifest.plugins {
        table.row(row(None, Some(plugin)));
    }
    let mut lines = table.lines(paint);
    let beyond = |plugin: &Plugin| -> BTreeSet<String> {
        plugin.imports.iter().filter(|name| !name.starts_with(CONTRACT)).cloned().collect()
    };
    let imports = manifest.plugins.iter();
    let imports = imports.filter_map(|plugin| names(&plugin.step, "imports", &beyond(plugin), &BTreeSet::new(), paint));
    let imports: Vec<String> = imports.collect();
    if imports.is_empty() {
        lines.push("  no plugin imports anything but the contract".to_owned());
    }
    lines.extend(imports);
    lines
}

/// The fields that each step touched in the tests.
pub(crate) fn observed(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for plugin in &manifest.plugins {
        let Some(observed) = &plugin.observed else { continue };
        for (verb, fields) in [("reads", &observed.reads), ("writes", &observed.writes)] {
            if !fields.is_empty() {
                let shown: Vec<String> = fields.iter().take(NAMES_MAX).map(|field| field_name(field)).collect();
                let more = if fields.len() > NAMES_MAX { ", …" } else { "" };
                lines.push(format!("  {} {verb}  {}{more}", one_line(&plugin.step), shown.join(", ")));
            }
        }
    }
    lines
}

fn field_name(field: &str) -> String {
    if field.is_empty() { "the whole event".to_owned() } else { one_line(field) }
}

/// The steps whose plugin differs, as a table.
fn steps(from: &Manifest, to: &Manifest, difference: &Difference, paint: Paint) -> Vec<String> {
    let code = |step: &&StepDifference| match (&step.from, &step.to) {
        (Some(from), Some(to)) => from.wasm != to.wasm || from.plugin != to.plugin,
        _ => true,
    };
    let changed: Vec<&StepDifference> = difference.steps.iter().filter(code).collect();
    let mut lines = Vec::new();
    if !changed.is_empty() {
        let mut table = Table::new(&COLUMNS);
        for step in &changed {
            let [name, cells @ ..] = row(step.from.as_ref(), step.to.as_ref());
            let mark = match (&step.from, &step.to) {
                (None, _) => "new ",
                (_, None) => "gone ",
                (Some(_), Some(_)) => "",
            };
            let [plugin, code, size, loads, fuel] = cells;
            table.row([format!("{mark}{name}"), plugin, code, size, loads, fuel]);
        }
        lines.extend(table.lines(paint));
    }
    let same = to.plugins.iter().filter(|plugin| !changed.iter().any(|step| step.step == plugin.step));
    let same: Vec<&str> = same.map(|plugin| plugin.step.as_str()).collect();
    if !same.is_empty() && from != to {
        lines.push(format!("  same code: {}", same.join(", ")));
    }
    lines
}

/// What a step's plugin is, or was and is.
fn row(from: Option<&Plugin>, to: Option<&Plugin>) -> [String; 6] {
    let both = |value: &dyn Fn(&Plugin) -> String| match (from.map(value), to.map(value)) {
        (Some(from), Some(to)) if from == to => to,
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(value)) | (Some(value), None) => value,
        (None, None) => String::new(),
    };
    let loads = |plugin: &Plugin| plugin.load_us.map_or("?".into(), |us| time(Duration::from_micros(us)));
    let fuel = |plugin: &Plugin| plugin.fuel_per_event.map_or("?".into(), number);
    [
        one_line(to.or(from).map_or("", |plugin| &plugin.step)),
        both(&|plugin| one_line(&plugin.plugin)),
        both(&|plugin| short(&plugin.wasm)),
        both(&|plugin| bytes(plugin.wasm.bytes)),
        both(&loads),
        both(&fuel),
    ]
}

fn short(blob: &Blob) -> String {
    blob.digest.to_string().chars().take(DIGITS).collect()
}

fn blob(blob: Option<&Blob>) -> String {
    blob.map_or("none".into(), |blob| format!("{} ({})", short(blob), bytes(blob.bytes)))
}

fn asset(asset: &AssetDifference) -> String {
    let (from, to) = (blob(asset.from.as_ref()), blob(asset.to.as_ref()));
    format!("  {} file {}  {from} → {to}", one_line(&asset.step), one_line(&asset.name))
}

/// Names that came and went, in one line; none when there are none.
fn names(step: &str, verb: &str, added: &BTreeSet<String>, removed: &BTreeSet<String>, paint: Paint) -> Option<String> {
    let added = added.iter().map(|name| paint.green(&format!("+ {}", field_name(name))));
    let removed = removed.iter().map(|name| paint.red(&format!("- {}", field_name(name))));
    let mut names: Vec<String> = added.chain(removed).collect();
    if names.is_empty() {
        return None;
    }
    if names.len() > NAMES_MAX {
        let more = names.len() - NAMES_MAX;
        names.truncate(NAMES_MAX);
        names.push(format!("and {more} more"));
    }
    Some(format!("  {} {verb}  {}", one_line(step), names.join("  ")))
}

/// Routes that came, went, or go elsewhere.
fn routes(from: &Manifest, to: &Manifest, paint: Paint) -> Vec<String> {
    // A config of another version may not be readable here; its text is shown below in any case.
    let (Ok(from), Ok(to)) = (Pipeline::parse(&from.config), Pipeline::parse(&to.config)) else { return Vec::new() };
    let by_name = |pipeline: &Pipeline| -> BTreeMap<String, String> {
        pipeline.routes.iter().map(|route| (route.name.clone(), route.stream.clone())).collect()
    };
    let (from, to) = (by_name(&from), by_name(&to));
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
    let gone = gone.map(|(name, stream)| paint.red(&format!("  route - {name} → {stream}")));
    let came = to.iter().filter_map(|(name, stream)| match from.get(name) {
        Some(before) if before == stream => None,
        Some(before) => Some(format!("  route {name} → {stream} (was {before})")),
        None => Some(paint.green(&format!("  route + {name} → {stream}"))),
    });
    came.chain(gone).collect()
}
