//! Bytes again: what was not touched is copied as it came, in stretches as long as possible.
//!
//! One text may stand in many places, so how long a document is shows only when it is walked. A large one is walked
//! twice: first for its length, which the meter allows or not, then to write it.

use crate::looks;
use crate::meter::{Exhausted, Meter, STRIDE};
use crate::tree::{Document, Facts, Kind, Span};

/// What putting a stretch costs besides its bytes.
const PUT: u64 = 10;

/// Bytes up to which a document is written without asking how long it is.
const SMALL: usize = 64 << 10;

/// Bytes of a small one that are written in a unit of work, walking it included.
const SMALL_BYTES: usize = 2;

impl Document {
    /// The document as it stands, as JSON text.
    ///
    /// # Errors
    /// More text, or more nodes, than the meter allows.
    pub fn json(&self, meter: &mut Meter) -> Result<Vec<u8>, Exhausted> {
        let mut out = Vec::new();
        self.write(&mut out, meter)?;
        Ok(out)
    }

    /// Appends the document as it stands.
    ///
    /// # Errors
    /// As [`Document::json`].
    pub fn write(&self, out: &mut Vec<u8>, meter: &mut Meter) -> Result<(), Exhausted> {
        self.write_value(self.root, out, meter)
    }

    /// How long [`Document::json`] would be, in bytes, found without writing it.
    ///
    /// # Errors
    /// As [`Document::json`], but for memory.
    pub fn json_bytes(&self, meter: &mut Meter) -> Result<usize, Exhausted> {
        self.value_bytes(self.root, meter)
    }

    /// How long a value would be written.
    pub(crate) fn value_bytes(&self, node: u32, meter: &mut Meter) -> Result<usize, Exhausted> {
        let mut length = Length { bytes: 0, meter };
        self.write_node(node, &mut length)?;
        Ok(length.bytes)
    }

    /// A length that [`Document::json_bytes`] is surely not above, known without a walk.
    pub fn json_bytes_at_most(&self) -> usize {
        // Every byte stood in the source, was put in, is part of a key that was, or stands around a member or a
        // container.
        self.source.len() + self.placed + self.buffers.added.len() + 6 * self.buffers.nodes.len()
    }

    /// Appends one value as it stands.
    pub(crate) fn write_value(&self, node: u32, out: &mut Vec<u8>, meter: &mut Meter) -> Result<(), Exhausted> {
        if let Some(text) = self.clean_text(node) {
            meter.take(text.len())?;
            looks::bytes(text.len());
            out.extend_from_slice(text);
            return Ok(());
        }
        let bytes = match self.json_bytes_at_most() {
            bytes @ 0..=SMALL => {
                meter.room(bytes)?;
                meter.work((bytes / SMALL_BYTES) as u64)?;
                self.node(node).value.len() + self.buffers.added.len()
            }
            _ => {
                let before = meter.work_left();
                let bytes = self.value_bytes(node, meter)?;
                // Writing is a walk as long as the first.
                meter.take_for(bytes, before - meter.work_left())?;
                bytes
            }
        };
        // A buffer that grows is copied, and there twice for that moment.
        out.reserve_exact(bytes);
        self.write_node(node, out)
    }

    fn write_node(&self, index: u32, out: &mut impl Sink) -> Result<(), Exhausted> {
        if let Some(text) = self.clean_text(index) {
            return out.put(text);
        }
        let in_object = self.node(index).kind == Kind::Object;
        let (open, close) = if in_object { (b"{", b"}") } else { (b"[", b"]") };
        out.put(open)?;
        let mut stretch = Stretch { document: self, out, span: None, first: true };
        let mut passed = 0;
        for child in self.children(index) {
            passed += 1;
            if passed % STRIDE == 0 {
                stretch.out.nodes(STRIDE)?;
            }
            let node = self.node(child);
            if !node.facts.has(Facts::DIRTY | Facts::MOVED) {
                let span = if in_object { node.key.quoted().through(node.value) } else { node.value };
                stretch.extend(span, node.facts.has(Facts::BREAK))?;
                continue;
            }
            stretch.flush()?;
            stretch.comma()?;
            if in_object {
                let key = self.written_key(node, &mut |bytes| stretch.out.read(bytes))?;
                stretch.out.put(self.slice(key.quoted()))?;
                stretch.out.put(b":")?;
            }
            self.write_node(child, stretch.out)?;
        }
        stretch.flush()?;
        out.nodes(passed % STRIDE)?;
        out.put(close)
    }
}

/// Where text goes: into a buffer, or nowhere but into its length.
trait Sink {
    /// Takes what comes next.
    fn put(&mut self, text: &[u8]) -> Result<(), Exhausted>;

    /// Counts nodes that are looked at.
    fn nodes(&mut self, count: usize) -> Result<(), Exhausted>;

    /// Counts bytes that are looked at.
    fn read(&mut self, bytes: usize) -> Result<(), Exhausted>;
}

/// A buffer, for what the meter has allowed.
impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, text: &[u8]) -> Result<(), Exhausted> {
        looks::bytes(text.len());
        self.extend_from_slice(text);
        Ok(())
    }

    #[inline]
    fn nodes(&mut self, _: usize) -> Result<(), Exhausted> {
        Ok(())
    }

    #[inline]
    fn read(&mut self, _: usize) -> Result<(), Exhausted> {
        Ok(())
    }
}

/// Bytes that were put.
struct Length<'a> {
    bytes: usize,
    meter: &'a mut Meter,
}

impl Sink for Length<'_> {
    #[inline]
    fn put(&mut self, text: &[u8]) -> Result<(), Exhausted> {
        self.meter.work(PUT)?;
        self.bytes += text.len();
        Ok(())
    }

    #[inline]
    fn nodes(&mut self, count: usize) -> Result<(), Exhausted> {
        self.meter.nodes(count)
    }

    #[inline]
    fn read(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.meter.read(bytes)
    }
}

/// Neighbours that still stand side by side in their buffer, copied in one go.
struct Stretch<'a, S> {
    document: &'a Document,
    out: &'a mut S,
    /// What is waiting to be copied.
    span: Option<Span>,
    first: bool,
}

impl<S: Sink> Stretch<'_, S> {
    /// Adds a child that is as it was. `ends`: the text behind it does not lead to the next child.
    fn extend(&mut self, span: Span, ends: bool) -> Result<(), Exhausted> {
        self.span = Some(match self.span {
            Some(waiting) => waiting.through(span),
            None => span,
        });
        if ends { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Exhausted> {
        match self.span.take() {
            Some(span) => {
                self.comma()?;
                self.out.put(self.document.slice(span))
            }
            None => Ok(()),
        }
    }

    fn comma(&mut self) -> Result<(), Exhausted> {
        match std::mem::replace(&mut self.first, false) {
            true => Ok(()),
            false => self.out.put(b","),
        }
    }
}
