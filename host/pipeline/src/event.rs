//! What a plugin is given: a record, or one part of an aggregated record, with its bytes read as JSON when somebody
//! asks.

use bytes::Bytes;
use bytestring::ByteString;
use document::{Document, Meter, ParseError};
use std::fmt::Write as _;
use std::sync::Arc;

/// What an event keeps from its arrival to its documents.
#[derive(Debug)]
pub struct Identity {
    /// `shardId-000000000000:<sequence number>`, with `/<n>` behind it for the n-th part of an aggregate.
    pub id: ByteString,
    /// The partition key it was sent with.
    pub partition_key: ByteString,
    /// When Kinesis took it, in milliseconds since the Unix epoch.
    pub arrived_at_ms: u64,
}

/// One event on its way through the steps. Small, since it is handed on often; its identity is shared by its copies.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The bytes as they stand.
    pub content: Content,
    /// The route a step named; it stays unless a later step names another. An index into the pipeline's routes.
    pub(crate) route: Option<u16>,
    pub(crate) lineage: Option<Box<Lineage>>,
}

impl Event {
    /// An event as it enters the pipeline.
    pub fn new(id: ByteString, partition_key: ByteString, arrived_at_ms: u64, data: Bytes) -> Event {
        let identity = Arc::new(Identity { id, partition_key, arrived_at_ms });
        Event { identity, content: Content::Unread(data), route: None, lineage: None }
    }

    /// The same identity around other bytes, for parsers of other formats.
    pub fn derive(&self, data: Bytes) -> Event {
        let (identity, lineage) = (Arc::clone(&self.identity), self.lineage.clone());
        Event { identity, content: Content::Unread(data), route: self.route, lineage }
    }

    /// What is behind the event's id in the id of a document: which outputs of which steps led here.
    pub fn lineage(&self) -> &str {
        self.lineage.as_deref().map_or("", |lineage| &lineage.text)
    }

    /// Notes that this is the `k`-th of `count` outputs of a step.
    pub(crate) fn note_output(&mut self, k: usize, count: usize) {
        if count > 1 {
            self.lineage.get_or_insert_default().output(k);
        }
    }
}

/// An event's bytes. Most are read as JSON once, by whoever asks first.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nobody has asked yet.
    Unread(Bytes),
    /// Valid JSON, with the changes made so far.
    Json(Box<Document>),
    /// Bytes that are not JSON, and why.
    Other(Bytes, ParseError),
}

impl Content {
    /// The document, if the bytes are JSON.
    #[inline]
    pub fn document(&mut self) -> Option<&mut Document> {
        if let Content::Unread(bytes) = self {
            *self = match Document::parse_or_return(std::mem::take(bytes)) {
                Ok(document) => Content::Json(Box::new(document)),
                Err((error, bytes)) => Content::Other(bytes, error),
            };
        }
        match self {
            Content::Json(document) => Some(document),
            Content::Unread(_) | Content::Other(..) => None,
        }
    }

    /// The bytes as they stand; written anew only if something was changed.
    pub fn bytes(&self) -> Bytes {
        match self {
            Content::Unread(bytes) | Content::Other(bytes, _) => bytes.clone(),
            Content::Json(document) if document.is_changed() => written(document),
            Content::Json(document) => document.source().clone(),
        }
    }

    /// [`Content::bytes`], without a copy of what was not changed.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Content::Unread(bytes) | Content::Other(bytes, _) => bytes,
            Content::Json(_) => self.bytes(),
        }
    }

    /// Bytes that came: copies share them.
    pub fn source_bytes(&self) -> usize {
        match self {
            Content::Unread(bytes) | Content::Other(bytes, _) => bytes.len(),
            Content::Json(document) => document.source().len(),
        }
    }

    /// Bytes held besides those: the tree and what was put in.
    #[inline]
    pub fn overlay_bytes(&self) -> usize {
        match self {
            Content::Unread(_) | Content::Other(..) => 0,
            Content::Json(document) => document.overlay_bytes(),
        }
    }
}

/// The bytes of a document that was changed. A step's `output_bytes` bounds what it may become, so no meter does.
pub(crate) fn written(document: &Document) -> Bytes {
    document.json(&mut Meter::unlimited()).expect("a meter that allows anything").into()
}

/// Which output of which step an event is, written so that no two documents of one event share it: a step's first
/// output keeps what it has, the k-th adds `/<k>`. A first output that has siblings notes a zero, which is written only
/// when a later step adds a number behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineage {
    text: String,
    zeros: u16,
}

impl Lineage {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn output(&mut self, k: usize) {
        if k == 0 {
            self.zeros += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.zeros) {
            self.text.push_str("/0");
        }
        write!(self.text, "/{k}").expect("writing to a string succeeds");
    }
}
