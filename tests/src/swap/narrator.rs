//! How the story is told: chapters, sentences, and commands with what they answer.

use crate::desk::Ran;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Most lines shown of what a command answers: so many from its beginning, and so many from its end.
const FIRST_LINES: usize = 12;
const LAST_LINES: usize = 3;

/// Characters of a line that are shown.
const WIDTH: usize = 150;

/// Tells it, line by line.
pub struct Narrator<'a> {
    out: &'a mut dyn Write,
    /// The folder that people read as `~`.
    home: String,
    begun: Instant,
    chapter: u32,
}

impl<'a> Narrator<'a> {
    /// `home` is called `~` in what commands answer.
    pub fn new(out: &'a mut dyn Write, home: &Path) -> Narrator<'a> {
        Narrator {
            out,
            home: home.display().to_string().trim_end_matches('/').to_owned(),
            begun: Instant::now(),
            chapter: 0,
        }
    }

    /// Begins a chapter.
    ///
    /// # Errors
    /// When nobody listens any more, as everything here.
    pub fn chapter(&mut self, title: &str) -> std::io::Result<()> {
        self.chapter += 1;
        let seconds = self.begun.elapsed().as_secs_f64();
        let (number, heading) = (self.chapter, format!("{title}  "));
        writeln!(self.out, "\n── {number}. {heading:─<60} {seconds:4.1} s")
    }

    /// Says a sentence or two.
    ///
    /// # Errors
    /// See [`Narrator::chapter`].
    pub fn say(&mut self, text: &str) -> std::io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Shows a command and what it answered, up to a bound.
    ///
    /// # Errors
    /// See [`Narrator::chapter`].
    pub fn command(&mut self, arguments: &[&str], ran: &Ran) -> std::io::Result<()> {
        let typed: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
        writeln!(self.out, "\n  $ paddle {}", typed.join(" "))?;
        let lines: Vec<&str> = ran.out.lines().chain(ran.err.lines()).filter(|line| !line.trim().is_empty()).collect();
        // One line is not worth leaving out.
        let left_out = Some(lines.len().saturating_sub(FIRST_LINES + LAST_LINES)).filter(|left_out| *left_out > 1);
        for (at, line) in lines.iter().enumerate() {
            match left_out {
                Some(left_out) if at == FIRST_LINES => writeln!(self.out, "    … {left_out} more lines …")?,
                Some(left_out) if (FIRST_LINES..FIRST_LINES + left_out).contains(&at) => {}
                _ => writeln!(self.out, "    {}", self.brief(line))?,
            }
        }
        if ran.code != 0 {
            writeln!(self.out, "    (exit code {})", ran.code)?;
        }
        self.out.flush()
    }

    /// What fits into a line: digests by their beginnings, and `…` where there is more.
    pub fn brief(&self, line: &str) -> String {
        let line = line.replace(&self.home, "~");
        let parts: Vec<&str> = line.split_inclusive(|char: char| !char.is_ascii_hexdigit()).collect();
        let brief: String =
            parts.into_iter().map(|part| if part.len() > 64 { digest(part) } else { part.into() }).collect();
        match brief.char_indices().nth(WIDTH) {
            Some((end, _)) => format!("{}…", &brief[..end]),
            None => brief,
        }
    }
}

/// `0123456789ab…` and what followed the digest.
fn digest(part: &str) -> String {
    let (digest, rest) = part.split_at(64);
    format!("{}…{rest}", &digest[..12])
}

fn quoted(argument: &str) -> String {
    if argument.contains(' ') { format!("'{argument}'") } else { argument.to_owned() }
}
