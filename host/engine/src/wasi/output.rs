//! What a plugin prints, cut into lines. Every line has a bound, and so has their number; what is beyond is counted.

use std::mem;

/// Which stream a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line a plugin printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it was printed.
    pub(crate) stream: Stream,
    /// The line without its end; bytes that are not UTF-8 became U+FFFD. Control characters are the plugin's: escape
    /// them before a terminal sees them.
    pub(crate) text: String,
    /// How many bytes were cut off its end, being beyond the bound.
    pub(crate) bytes_cut: u64,
}

#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    bytes_cut: u64,
}

#[derive(Debug)]
pub(super) struct Output {
    lines: Vec<Line>,
    stdout: Partial,
    stderr: Partial,
    lines_left: u32,
    lines_dropped: u64,
    lines_max: u32,
    line_bytes_max: usize,
}

impl Output {
    pub(super) fn new(lines_max: u32, line_bytes_max: usize) -> Output {
        Output {
            lines: Vec::new(),
            stdout: Partial::default(),
            stderr: Partial::default(),
            lines_left: lines_max,
            lines_dropped: 0,
            lines_max,
            line_bytes_max,
        }
    }

    /// Forgets what an earlier call printed and was not taken.
    pub(super) fn begin_call(&mut self) {
        self.lines.clear();
        self.stdout.clear();
        self.stderr.clear();
        self.lines_left = self.lines_max;
        self.lines_dropped = 0;
    }

    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.append(stream, end);
                    self.end_line(stream);
                }
                None => self.append(stream, piece),
            }
        }
    }

    /// The lines so far, an unfinished last one of each stream among them, and how many more there were.
    pub(super) fn take(&mut self) -> (Vec<Line>, u64) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.partial(stream).is_empty() {
                self.end_line(stream);
            }
        }
        (mem::take(&mut self.lines), mem::take(&mut self.lines_dropped))
    }

    fn append(&mut self, stream: Stream, bytes: &[u8]) {
        // A line that will be dropped needs no text, only to be known as begun.
        let bytes_max = if self.lines_left == 0 { 0 } else { self.line_bytes_max };
        let partial = self.partial(stream);
        let kept = bytes.len().min(bytes_max.saturating_sub(partial.bytes.len()));
        partial.bytes.extend_from_slice(&bytes[..kept]);
        partial.bytes_cut += (bytes.len() - kept) as u64;
    }

    fn end_line(&mut self, stream: Stream) {
        if self.lines_left == 0 {
            self.lines_dropped += 1;
            self.partial(stream).clear();
            return;
        }
        self.lines_left -= 1;
        let line = self.partial(stream).take(stream);
        self.lines.push(line);
    }

    fn partial(&mut self, stream: Stream) -> &mut Partial {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.bytes_cut == 0
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes_cut = 0;
    }

    fn take(&mut self, stream: Stream) -> Line {
        if self.bytes_cut == 0 && self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        if self.bytes_cut > 0 {
            let whole = whole_characters(&self.bytes);
            self.bytes_cut += (self.bytes.len() - whole) as u64;
            self.bytes.truncate(whole);
        }
        let line = Line { stream, text: String::from_utf8_lossy(&self.bytes).into_owned(), bytes_cut: self.bytes_cut };
        self.clear();
        line
    }
}

/// How many of `bytes` there are before a character that the cut went through; all when it went through none.
fn whole_characters(bytes: &[u8]) -> usize {
    let cut_through = |chunk: &std::str::Utf8Chunk<'_>| match std::str::from_utf8(chunk.invalid()) {
        Err(error) if error.error_len().is_none() => chunk.invalid().len(),
        Ok(_) | Err(_) => 0,
    };
    bytes.len() - bytes.utf8_chunks().last().map_or(0, |chunk| cut_through(&chunk))
}
