//! Bytes again: what was not touched is copied as it came, in stretches as long as possible.

use crate::tree::{Document, Facts, Kind, Span};

impl Document {
    /// The document as it stands, as JSON text.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.node(self.root).value.len() + self.buffers.added.len());
        self.write_node(self.root, &mut out);
        out
    }

    /// Appends the document as it stands.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_node(self.root, out);
    }

    /// How long [`Document::json`] would be, in bytes, found without writing it.
    pub fn json_bytes(&self) -> usize {
        let mut length = Length(0);
        self.write_node(self.root, &mut length);
        length.0
    }

    /// A length that [`Document::json_bytes`] is surely not above, known without a walk.
    pub fn json_bytes_at_most(&self) -> usize {
        // Every byte stood in the source, was put in, is part of a key that was, or stands around a member or a container.
        self.source.len() + self.placed + self.buffers.added.len() + 6 * self.buffers.nodes.len()
    }

    pub(crate) fn write_node(&self, index: u32, out: &mut impl Sink) {
        if let Some(text) = self.clean_text(index) {
            out.put(text);
            return;
        }
        let in_object = self.node(index).kind == Kind::Object;
        let (open, close) = if in_object { (b"{", b"}") } else { (b"[", b"]") };
        out.put(open);
        let mut stretch = Stretch { document: self, out, span: None, first: true };
        for child in self.children(index) {
            let node = self.node(child);
            if !node.facts.has(Facts::DIRTY | Facts::MOVED) {
                let span = if in_object { node.key.quoted().through(node.value) } else { node.value };
                stretch.extend(span, node.facts.has(Facts::BREAK));
                continue;
            }
            stretch.flush();
            stretch.comma();
            if in_object {
                stretch.out.put(self.slice(node.key.quoted()));
                stretch.out.put(b":");
            }
            self.write_node(child, stretch.out);
        }
        stretch.flush();
        out.put(close);
    }
}

/// Where text goes: into a buffer, or nowhere but into its length.
pub(crate) trait Sink {
    /// Takes what comes next.
    fn put(&mut self, text: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }
}

/// Bytes that were put.
struct Length(usize);

impl Sink for Length {
    fn put(&mut self, text: &[u8]) {
        self.0 += text.len();
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
    fn extend(&mut self, span: Span, ends: bool) {
        self.span = Some(match self.span {
            Some(waiting) => waiting.through(span),
            None => span,
        });
        if ends {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(span) = self.span.take() {
            self.comma();
            self.out.put(self.document.slice(span));
        }
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.put(b",");
        }
        self.first = false;
    }
}
