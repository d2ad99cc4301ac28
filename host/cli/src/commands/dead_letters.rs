//! `paddle dead-letters`: what could not be processed, made readable.

use crate::Context;
use crate::dead_letters;
use crate::error::{Error, Status};
use crate::text::{count, one_line, steers};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Look at records that could not be processed
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    Show(Show),
}

/// Print the dead letters of files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle dead-letters show .paddle/dead-letters/clickstream/*.ndjson
  paddle dead-letters show FILE --data | paddle run -i - --changes")]
pub(crate) struct Show {
    /// Files of dead letters, .ndjson or .ndjson.gz
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the records alone, as `paddle run` reads them
    #[arg(long)]
    data: bool,
}

impl DeadLetters {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let DeadLetters::Show(show) = self;
        let mut letters = 0;
        for file in &show.files {
            dead_letters::read(file, &mut |letter, line| {
                letters += 1;
                let ui = &mut context.ui;
                if show.data {
                    ui.data(as_record(&letter.bytes()).as_bytes())?;
                    return ui.data(b"\n");
                }
                if ui.is_json() {
                    return ui.json_line(line);
                }
                let paint = ui.paint();
                let place =
                    letter.step.as_deref().map_or("outside the steps".into(), |step| format!("at {}", one_line(step)));
                ui.line(format!("{} {}", paint.red(&one_line(&letter.kind)), paint.bold(&place)))?;
                block("why", &letter.message).iter().try_for_each(|line| ui.line(line))?;
                ui.line(format!("  id     {} ({})", one_line(&letter.id), one_line(&letter.arrived_at)))?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                block("data", &text(&letter.bytes())).iter().try_for_each(|line| ui.line(line))?;
                if let Some(input) = letter.input_bytes() {
                    block("given", &text(&input)).iter().try_for_each(|line| ui.line(line))?;
                }
                for log in &letter.log {
                    let text = format!("{} {}", log.level, log.message);
                    block("log", &text).iter().try_for_each(|line| ui.line(line))?;
                }
                ui.line("")
            })?;
        }
        context.ui.note(count(letters, "dead letter"))?;
        Ok(Status::Done)
    }
}

/// A text behind its label, whole: as many lines as it has, those after the first below it.
fn block(label: &str, text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| format!("         {}", one_line(line))).collect();
    match lines.first_mut() {
        Some(first) => first.replace_range(..9, &format!("  {label:<7}")),
        None => lines.push(format!("  {label}")),
    }
    lines
}

/// A line that stands for these bytes in an input of records.
pub(crate) fn as_record(bytes: &[u8]) -> String {
    let plain = std::str::from_utf8(bytes).ok().filter(|text| {
        text.trim() == *text
            && !text.is_empty()
            && !text.contains(|char| steers(char) && char != '\t')
            && !text.contains("$base64")
    });
    match plain {
        Some(text) => text.to_owned(),
        None => format!("{{\"$base64\":\"{}\"}}", base64_simd::STANDARD.encode_to_string(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::{as_record, block};

    #[test]
    fn a_text_is_shown_whole() {
        assert_eq!(block("log", "warn one\n  two\u{1b}[2J"), ["  log    warn one", "           two\u{fffd}[2J"]);
        assert_eq!(block("given", ""), ["  given"]);
        let long = "x".repeat(10_000);
        assert_eq!(block("data", &long), [format!("  data   {long}")]);
    }

    #[test]
    fn any_bytes_become_one_line() {
        assert_eq!(as_record(b"{\"a\":1}"), "{\"a\":1}");
        for bytes in [&b""[..], b" a", b"a\nb", b"\xff", b"{\"$base64\":\"eA==\"}", b"\x1b[2J", b"\"\xc2\x9b\""] {
            let line = as_record(bytes);
            assert!(line.starts_with("{\"$base64\":\"") && !line.contains('\n'), "{line}");
        }
    }
}
