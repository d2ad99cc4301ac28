//! What a local run came to, and where to look next.

use super::Ended;
use super::out::Out;
use crate::Context;
use crate::environment;
use crate::error::Error;
use crate::report;
use crate::sink::{self, Place};
use crate::text::{count, number, one_line, time};
use serde_json::json;

/// Most lines of one kind of trouble.
const SHOWN_MAX: usize = 5;

/// `has_documents`: whether they went to the run's own folder, and not to `--sink`.
pub(super) fn show(
    ended: &Ended,
    out: &Out,
    place: &Place,
    has_documents: bool,
    context: &mut Context,
) -> Result<(), Error> {
    let ui = &mut context.ui;
    let letters = out.dead_letter_files();
    let (invocations, rewinds) = (ended.journal.invocations.len(), ended.journal.rewinds());
    if ui.is_json() {
        return ui.json(&json!({
            "records": ended.records,
            "report": ended.report,
            "warnings": report::warnings(&ended.report),
            "invocations": invocations,
            "rewinds": rewinds,
            "given_up": ended.journal.failures.len(),
            "requests": ended.requests,
            "requests_throttled": ended.throttled,
            "violations": ended.violations,
            "errors": ended.error.iter().chain(&ended.delivery_errors).collect::<Vec<_>>(),
            "sink": sink::summary_json(place, &ended.summary),
            "dead_letters": letters,
            "log": out.shown_log(),
            "seconds": ended.elapsed.as_secs_f64(),
        }));
    }
    report::show(ui, &ended.report)?;
    ui.note("")?;
    let rate = number((ended.records as f64 / ended.elapsed.as_secs_f64().max(1e-9)) as u64);
    ui.note(format!(
        "stream   {} in {}, {rate} a second with everything around them",
        count(ended.records, "record"),
        time(ended.elapsed)
    ))?;
    let again = if rewinds > 0 { format!(", {} sent again", number(rewinds as u64)) } else { String::new() };
    ui.note(format!("lambda   {}{again}", count(invocations as u64, "invocation")))?;
    let throttled =
        if ended.throttled > 0 { format!(", {} throttled", number(ended.throttled as u64)) } else { String::new() };
    ui.note(format!("firehose {}{throttled}", count(ended.requests as u64, "request")))?;
    sink::show_summary(ui, place, &ended.summary)?;
    trouble(ended, out, context)?;
    next(out, &letters, has_documents, context)
}

fn trouble(ended: &Ended, out: &Out, context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    for given_up in ended.journal.failures.iter().take(SHOWN_MAX) {
        ui.warn(super::given_up(given_up, &out.shown_log()))?;
    }
    for error in ended.error.iter().chain(&ended.delivery_errors).take(SHOWN_MAX) {
        ui.warn(one_line(error))?;
    }
    for violation in ended.violations.iter().take(SHOWN_MAX) {
        ui.warn(format!(
            "Firehose was given something that is not a document, which is a bug in Paddlewheel: {}",
            one_line(violation)
        ))?;
    }
    Ok(())
}

fn next(out: &Out, letters: &[String], has_documents: bool, context: &mut Context) -> Result<(), Error> {
    let ui = &mut context.ui;
    let paint = ui.note_paint();
    ui.note(format!("\n{}", paint.dim("look next")))?;
    if has_documents {
        ui.note(format!("  head -3 {}/*.ndjson", out.shown_documents()))?;
    }
    if let Some(first) = letters.first() {
        let all = if letters.len() > 1 { format!("   ({} files like it)", letters.len()) } else { String::new() };
        ui.note(format!("  {} dead-letters show {first}{}", environment::program(), paint.dim(&all)))?;
    }
    ui.note(format!("  less {}", out.shown_log()))
}
