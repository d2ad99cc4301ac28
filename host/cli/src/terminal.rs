//! What is written where: data and answers on standard output, everything else on standard error, colours and progress
//! only where somebody sees them.
//!
//! Whatever is written for people passes through [`visible`]. So no text of a record, plugin, release or project steers
//! the terminal, whoever prints it. Only [`Ui::data`] writes bytes as they are.

use crate::error::Error;
use crate::text::{shown, shown_json, steers};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::time::{Duration, Instant};
use terminal_size::terminal_size_of;

/// How reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON value on standard output.
    Json,
}

/// Columns where no terminal says how many there are.
const WIDTH_DEFAULT: usize = 120;

/// How often a line says how far the work is where there is no terminal.
const PLAIN_PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// How often a terminal's line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// The terminal, or what stands in its place.
pub(crate) struct Ui {
    format: Format,
    out: BufWriter<Stdout>,
    out_paint: Paint,
    err_paint: Paint,
}

impl Ui {
    pub(crate) fn new(format: Format) -> Ui {
        let colours = |choice| Paint { on: choice != anstream::ColorChoice::Never };
        Ui {
            format,
            out: BufWriter::with_capacity(64 << 10, io::stdout()),
            out_paint: colours(anstream::AutoStream::choice(&io::stdout())),
            err_paint: colours(anstream::AutoStream::choice(&io::stderr())),
        }
    }

    /// How reports are written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether reports are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Colours for standard output.
    pub(crate) fn paint(&self) -> Paint {
        self.out_paint
    }

    /// Colours for standard error.
    pub(crate) fn note_paint(&self) -> Paint {
        self.err_paint
    }

    /// Columns that text may take.
    pub(crate) fn width(&self) -> usize {
        let terminal = terminal_size_of(io::stdout()).or_else(|| terminal_size_of(io::stderr()));
        let width = terminal.map_or(WIDTH_DEFAULT, |(width, _)| usize::from(width.0));
        width.clamp(60, 200)
    }

    /// Bytes for standard output, as they are.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(written)
    }

    /// A line of an answer.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Error> {
        let text = visible(text.as_ref(), self.out_paint);
        self.data(text.as_bytes())?;
        self.data(b"\n")
    }

    /// A line of JSON that is written already.
    pub(crate) fn json_line(&mut self, json: &str) -> Result<(), Error> {
        self.data(shown_json(json).as_bytes())?;
        self.data(b"\n")
    }

    /// An answer as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(|error| Error::Bug(error.into()))?;
        self.json_line(&text)
    }

    /// A line beside the answer.
    pub(crate) fn note(&mut self, text: impl AsRef<str>) -> Result<(), Error> {
        self.flush()?; // On one terminal, in the order in which it was said.
        write_note(text.as_ref(), self.err_paint);
        Ok(())
    }

    /// Something that a person should look at.
    pub(crate) fn warn(&mut self, text: impl AsRef<str>) -> Result<(), Error> {
        let label = self.err_paint.yellow("warning:");
        self.note(format!("{label} {}", text.as_ref()))
    }

    /// The error that ends the program.
    pub(crate) fn error(&mut self, error: &Error) {
        let label = self.err_paint.red("error:");
        // Standard output may be what failed, and is not touched again.
        write_note(&format!("{label} {}", shown(&error.to_string())), self.err_paint);
    }

    /// Empties the terminal, for what is shown again and again.
    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        self.data(b"\x1b[H\x1b[2J\x1b[3J")
    }

    /// Hands over everything written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(written)
    }

    /// Shows how far some work is. `counted`: what is counted, such as "records".
    pub(crate) fn progress(&self, doing: &str, counted: &'static str) -> Progress {
        Progress::new(doing, counted, self.is_json())
    }
}

/// Writes a line to standard error, as a terminal may show it.
fn write_note(text: &str, paint: Paint) {
    // If nobody hears us, there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", visible(text, paint));
}

/// A text as a terminal may show it, with nothing but our own colours where there are colours.
fn visible(text: &str, paint: Paint) -> Cow<'_, str> {
    if !text.contains(|char| steers(char) && char != '\n' && char != '\t') {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        visible.push_str(&shown(&rest[..at]));
        let length = paint.sequence(&rest[at..]);
        match length {
            Some(length) => visible.push_str(&rest[at..at + length]),
            None => visible.push('\u{fffd}'),
        }
        rest = &rest[at + length.unwrap_or(1)..];
    }
    visible.push_str(&shown(rest));
    Cow::Owned(visible)
}

fn written(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::Closed,
        _ => Error::Outside(anyhow::Error::new(error).context("write to standard output")),
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

/// Puts colours around text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// No colours.
    pub(crate) const PLAIN: Paint = Paint { on: false };

    fn with(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The length of the sequence that a text begins with, if it is one of ours.
    fn sequence(self, text: &str) -> Option<usize> {
        let ours =
            [BOLD, DIM, GREEN, YELLOW, RED].into_iter().flat_map(|style| [format!("{style}"), format!("{style:#}")]);
        ours.filter(|sequence| self.on && text.starts_with(sequence)).map(|sequence| sequence.len()).max()
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with(BOLD, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with(DIM, text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with(GREEN, text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with(YELLOW, text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with(RED, text)
    }
}

/// How far some work is: a moving line on a terminal, a plain line now and then elsewhere, nothing for short work.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    doing: String,
    counted: &'static str,
    count: u64,
    told: Instant,
    silent: bool,
}

impl Progress {
    fn new(doing: &str, counted: &'static str, silent: bool) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar.set_message(shown(doing));
            bar.enable_steady_tick(TICK);
            bar
        });
        Progress { bar, doing: shown(doing), counted, count: 0, told: Instant::now(), silent }
    }

    /// Nothing to see: for work whose data goes to the same terminal.
    pub(crate) fn none() -> Progress {
        Progress { bar: None, doing: String::new(), counted: "", count: 0, told: Instant::now(), silent: true }
    }

    /// Counts some more.
    pub(crate) fn add(&mut self, count: u64) {
        self.count += count;
        match &self.bar {
            Some(bar) if self.told.elapsed() >= TICK => {
                self.told = Instant::now();
                bar.set_message(format!("{} {} {}", self.doing, self.count, self.counted));
            }
            Some(_) => {}
            None if !self.silent && self.told.elapsed() >= PLAIN_PROGRESS_EVERY => {
                self.told = Instant::now();
                write_note(&format!("{} {} {} so far", self.doing, self.count, self.counted), Paint::PLAIN);
            }
            None => {}
        }
    }
}

impl Progress {
    /// Says that the work begins, where there is no terminal that shows it.
    pub(crate) fn begin(&self, text: &str) {
        self.plain(text);
    }

    /// Says that it is done, where there is no terminal that showed it.
    pub(crate) fn finish(self, text: &str) {
        self.plain(text);
    }

    fn plain(&self, text: &str) {
        if self.bar.is_none() && !self.silent {
            write_note(text, Paint::PLAIN);
        }
    }

    /// Says how far the work is, in words.
    pub(crate) fn say(&mut self, text: &str) {
        if self.told.elapsed() < if self.bar.is_some() { TICK } else { PLAIN_PROGRESS_EVERY } {
            return;
        }
        self.told = Instant::now();
        match &self.bar {
            Some(bar) => bar.set_message(format!("{} {}", self.doing, shown(text))),
            None if !self.silent => write_note(&format!("{} {text}", self.doing), Paint::PLAIN),
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Leaves the line that a progress may have begun.
pub(crate) fn leave_progress() {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr().lock());
    }
}

#[cfg(test)]
mod tests {
    use super::{Paint, visible};

    #[test]
    fn only_our_own_colours_reach_the_terminal() {
        let (on, off) = (Paint { on: true }, Paint::PLAIN);
        for paint in [Paint::bold, Paint::dim, Paint::green, Paint::yellow, Paint::red] {
            let painted = format!("{} and {}", paint(on, "text"), paint(on, "more"));
            assert_eq!(visible(&painted, on), painted);
            assert!(!visible(&painted, off).contains('\u{1b}'), "{painted:?}");
        }
        for (text, expected) in [
            ("plain\tö\nlines", "plain\tö\nlines"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("\u{1b}[2J\u{1b}[8mhidden", "\u{fffd}[2J\u{fffd}[8mhidden"),
            ("\u{1b}[1;8mhidden", "\u{fffd}[1;8mhidden"),
            ("\u{9b}31m\rover\u{8}", "\u{fffd}31m\u{fffd}over\u{fffd}"),
            ("ends\u{1b}", "ends\u{fffd}"),
            ("\u{202e}desrever", "\u{fffd}desrever"),
        ] {
            for paint in [on, off] {
                assert_eq!(visible(text, paint), expected, "{text:?}");
            }
        }
    }
}
