//! What happened, as people read it: how events settled, the steps, their fields, and what to look at.

use crate::error::Error;
use crate::table::{Align, Table, wrap};
use crate::terminal::{Paint, Ui};
use crate::text::{bytes, count, number, one_line, time};
use pipeline::{FailureKind, Report, StepReport};
use std::collections::BTreeMap;

/// Most fields named in one list.
const FIELDS_MAX: usize = 40;

/// Events from which on a field that none of them has is worth a question.
const EVENTS_MIN: u64 = 3;

/// Fields that begin like this are made and removed by a ready-made plugin while it works.
const SCRATCH: &str = "__paddlewheel_";

/// Shows a report beside the data.
pub(crate) fn show(ui: &mut Ui, report: &Report) -> Result<(), Error> {
    let (paint, width) = (ui.note_paint(), ui.width());
    for line in lines(report, paint, width) {
        ui.note(line)?;
    }
    for warning in warnings(report) {
        ui.warn(warning)?;
    }
    Ok(())
}

fn lines(report: &Report, paint: Paint, width: usize) -> Vec<String> {
    let counts = &report.counts;
    let mut lines = vec![
        String::new(),
        format!(
            "{}: {}, {}",
            paint.bold(&report.pipeline),
            count(report.records, "record"),
            count(counts.events, "event")
        ),
    ];
    let mut settled = |label: &str, count: u64, told: String, colour: &dyn Fn(&str) -> String| {
        if count > 0 {
            let figure = format!("{label:13} {:>9}", number(count));
            lines.push(format!("  {}  {told}", colour(&figure)).trim_end().to_owned());
        }
    };
    settled("delivered", counts.delivered, documents(report), &|text| paint.green(text));
    settled("dropped", counts.dropped, dropped(report), &|text| text.to_owned());
    settled("dead letters", counts.dead_letters, failures(report), &|text| paint.red(text));
    settled("back to retry", counts.returned, retries(report), &|text| paint.yellow(text));
    if let Some(input) = input(report) {
        lines.push(format!("  unpacked: {input}"));
    }
    if !report.steps.is_empty() {
        lines.push(String::new());
        lines.extend(steps(&report.steps).lines(paint));
        lines.extend(fields(&report.steps, paint, width));
    }
    lines
}

fn documents(report: &Report) -> String {
    let routes = report.documents.iter().map(|(route, count)| format!("{route} {}", number(*count)));
    let routes: Vec<String> = routes.collect();
    let routes = if routes.len() > 1 { format!(" ({})", routes.join(", ")) } else { String::new() };
    format!("{}, {}{routes}", count(report.documents(), "document"), bytes(report.document_bytes))
}

fn dropped(report: &Report) -> String {
    let by = |step: &StepReport| (step.dropped + step.dropped_by_policy, step.name.clone());
    let mut by: Vec<_> = report.steps.iter().map(by).filter(|(count, _)| *count > 0).collect();
    by.sort_by(|one, other| other.cmp(one));
    let by: Vec<String> = by.into_iter().map(|(count, name)| format!("{name} {}", number(count))).collect();
    if by.is_empty() { String::new() } else { format!("by {}", by.join(", ")) }
}

fn failures(report: &Report) -> String {
    let told = |place: &str, kinds: &BTreeMap<FailureKind, u64>| {
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {}", number(*count))).collect();
        (!kinds.is_empty()).then(|| format!("{place}: {}", kinds.join(", ")))
    };
    // What a policy passed on or dropped is told elsewhere.
    let steps = report.steps.iter().filter_map(|step| told(&step.name, &step.dead_letters));
    steps.chain(told("unpacking and the final check", &report.edge_dead_letters)).collect::<Vec<_>>().join("; ")
}

fn retries(report: &Report) -> String {
    let asked = report.steps.iter().filter(|step| step.retries > 0);
    let asked: Vec<String> = asked.map(|step| format!("{} {}", step.name, number(step.retries))).collect();
    if asked.is_empty() { String::new() } else { format!("by {}", asked.join(", ")) }
}

fn input(report: &Report) -> Option<String> {
    let notes = &report.input;
    let known = [
        (notes.kpl, "KPL aggregate"),
        (notes.gzip, "gzip stream"),
        (notes.cloudwatch_logs, "CloudWatch Logs record"),
        (notes.control_messages, "CloudWatch control message"),
        (notes.empty, "record without events"),
        (notes.kpl_bad_digest, "record like KPL but with another digest"),
    ];
    let found: Vec<String> = known.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn steps(steps: &[StepReport]) -> Table {
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("events", Align::Right),
        ("out", Align::Right),
        ("dropped", Align::Right),
        ("failed", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("memory", Align::Right),
        ("log lines", Align::Right),
    ]);
    for step in steps {
        table.row([
            step.name.clone(),
            number(step.events),
            number(step.outputs),
            number(step.dropped + step.dropped_by_policy),
            number(step.failed()),
            time(step.time.percentile(50.0)),
            time(step.time.percentile(99.0)),
            if step.memory_bytes_max == 0 { String::new() } else { bytes(step.memory_bytes_max) },
            number(step.log_lines),
        ]);
    }
    table
}

/// Which fields each step read and wrote.
fn fields(steps: &[StepReport], paint: Paint, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let names = steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
    for step in steps {
        let mut name = step.name.as_str();
        for (verb, fields) in [("read", &step.fields.read), ("wrote", &step.fields.written)] {
            let mut words = outermost(fields);
            if words.is_empty() {
                continue;
            }
            if words.len() > FIELDS_MAX {
                let more = words.len() - FIELDS_MAX;
                words.truncate(FIELDS_MAX);
                words.push(format!("and {more} more"));
            }
            lines.extend(wrap(&format!("  {name:names$}  {verb:5}  "), &words, names + 11, width));
            name = "";
        }
    }
    if !lines.is_empty() {
        lines.insert(0, paint.dim("  fields"));
        lines.insert(0, String::new());
    }
    lines
}

/// The fields that are in no other of them, and not a plugin's scratch space.
fn outermost(fields: &BTreeMap<String, u64>) -> Vec<String> {
    let inside = |field: &str| {
        let parents = field.char_indices().filter(|(_, char)| matches!(char, '.' | '[')).map(|(at, _)| &field[..at]);
        parents.into_iter().any(|parent| fields.contains_key(parent))
    };
    let shown = |field: &String| if field.is_empty() { "the whole event".to_owned() } else { one_line(field) };
    fields.keys().filter(|field| !inside(field) && !field.starts_with(SCRATCH)).map(shown).collect()
}

/// What deserves a look, one sentence each.
pub(crate) fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    for step in &report.steps {
        // The root is absent where an event is not JSON.
        let absent = step.fields.never_present().filter(|field| !field.is_empty() && step.events >= EVENTS_MIN);
        for field in absent.take(FIELDS_MAX) {
            let name = one_line(field);
            warnings.push(format!(
                "{}: `{name}` was in none of {}: is it misspelt?",
                step.name,
                count(step.events, "event")
            ));
        }
        if step.passed > 0 {
            warnings.push(format!(
                "{}: {} failed there and went on unchanged (on_failure = \"pass\")",
                step.name,
                count(step.passed, "event")
            ));
        }
        if step.skipped > 0 {
            warnings.push(format!(
                "{}: {} failed without a call, after 20 timeouts in a row",
                step.name,
                count(step.skipped, "event")
            ));
        }
    }
    for (warning, documents) in &report.warnings {
        warnings.push(format!(
            "{}: {warning} (OpenSearch will take it, but not as it was meant)",
            count(*documents, "document")
        ));
    }
    if report.ids_overwritten > 0 {
        warnings.push(format!(
            "{} had the id field already: it was overwritten",
            count(report.ids_overwritten, "document")
        ));
    }
    if report.repairs > 0 {
        warnings.push(format!(
            "{} made in documents (lone surrogates, trailing dots, newlines)",
            count(report.repairs, "repair")
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::{lines, outermost, warnings};
    use crate::terminal::Paint;
    use pipeline::Report;
    use std::collections::BTreeMap;

    #[test]
    fn a_list_of_fields_names_the_outermost() {
        let fields = ["", "a", "a.b", "a[*]", "ab.c", "__paddlewheel_split__"];
        let fields: BTreeMap<String, u64> = fields.into_iter().map(|field| (field.to_owned(), 1)).collect();
        assert_eq!(outermost(&fields), ["the whole event", "a", "ab.c"]);
    }

    #[test]
    fn what_happened_stands_in_the_first_lines() {
        let mut report = Report { pipeline: "clicks".into(), records: 3, ..Report::default() };
        report.counts.events = 1_204;
        report.counts.delivered = 1_200;
        report.counts.dead_letters = 4;
        report.documents.insert("default".into(), 1_300);
        report.edge_failures.insert(pipeline::FailureKind::Unpack, 6);
        report.edge_dead_letters.insert(pipeline::FailureKind::Unpack, 4);
        report.ids_overwritten = 1;
        let shown = lines(&report, Paint::PLAIN, 80);
        assert_eq!(
            shown[1..],
            [
                "clicks: 3 records, 1,204 events",
                "  delivered         1,200  1,300 documents, 0 B",
                "  dead letters          4  unpacking and the final check: unpack 4",
            ]
        );
        assert_eq!(warnings(&report), ["1 document had the id field already: it was overwritten"]);
    }
}
