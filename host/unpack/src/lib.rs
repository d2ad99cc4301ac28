//! Records into events: KPL aggregates, gzip and CloudWatch Logs envelopes.
//!
//! Pure: bytes in, bytes out, no I/O and no clock. A record that is none of the three is left alone at the cost of a
//! few comparisons. What is inside an event is somebody else's question: nothing here says whether it is valid JSON.
//!
//! ```
//! let aggregate = unpack::build::aggregate([("key", &b"{\"a\":1}"[..])]);
//! let (unpacked, _) = unpack::unpack(&aggregate.into(), &unpack::Settings::default());
//! let Ok(unpack::Unpacked::Parts(parts)) = unpacked else { panic!("it is an aggregate") };
//! assert_eq!(parts[0].partition_key.as_deref(), Some("key"));
//! ```

pub mod build;
mod cloudwatch;
mod gzip;
mod kpl;
mod protobuf;
mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;

pub use settings::{
    CloudwatchMessage, Format, INFLATED_BYTES_MAX, Limits, PARTS_MAX, RATIO_FREE_BYTES, RATIO_MAX, Settings,
};

use bytes::Bytes;
use std::fmt;

/// What a record turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpacked {
    /// None of the formats: the record is its own single event.
    Plain,
    /// The record's events, in order. Empty is legal: an aggregate of nothing, a control message.
    Parts(Vec<Part>),
}

/// One event of a record that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The event's bytes; they share the record's memory, or that of what was inflated from it.
    pub data: Bytes,
    /// The part's own partition key, when it comes from a KPL aggregate.
    pub partition_key: Option<String>,
    /// Set when this part could not be unpacked further (a damaged gzip stream among good ones): `data` is then the
    /// part as far as it could be read, the part is a failed event, and its siblings are none the worse.
    pub refusal: Option<Refusal>,
}

/// Why a record, or one part of it, cannot be unpacked. Deterministic: the same bytes are refused again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule was broken.
    pub kind: RefusalKind,
    /// What was wrong, for people: one sentence part, lower case, without data from the record.
    pub message: String,
}

/// The kinds of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// An aggregate with a good MD5 whose protobuf is wrong.
    Kpl,
    /// A gzip stream that is cut short or damaged.
    Gzip,
    /// A limit was reached; the record is refused as a whole.
    Oversize,
}

/// What should be counted about a record, whether it was unpacked or refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// KPL aggregates taken apart.
    pub kpl_aggregates: u32,
    /// Records with KPL's magic and another MD5: plain records, or damaged ones.
    pub kpl_bad_md5: u32,
    /// Gzip streams inflated.
    pub gzip_streams: u32,
    /// CloudWatch Logs envelopes taken apart.
    pub cloudwatch_envelopes: u32,
    /// CloudWatch Logs control messages: reachability probes, dropped.
    pub control_messages: u32,
    /// Bytes made by inflating.
    pub inflated_bytes: u64,
}

/// Takes `record` apart as `settings` say: each format once, in their order, what one yields being given to the next.
///
/// # Errors
/// The record is refused as a whole when it is over a limit, or when it is damaged and holds no other part; a damaged
/// part beside others carries its own [`Part::refusal`].
pub fn unpack(record: &Bytes, settings: &Settings) -> (Result<Unpacked, Refusal>, Notes) {
    let mut work = Work::new(record.len(), settings);
    let result = work.all_formats(record);
    (result, work.notes)
}

/// The state of one record: what it may still use up, and what has been counted.
struct Work<'a> {
    settings: &'a Settings,
    notes: Notes,
    /// Bytes that may still be inflated from this record.
    inflatable_bytes: usize,
    /// Bytes that may still be written for its CloudWatch events.
    writable_bytes: usize,
}

impl<'a> Work<'a> {
    fn new(record_bytes: usize, settings: &'a Settings) -> Work<'a> {
        Work {
            settings,
            notes: Notes::default(),
            inflatable_bytes: settings.limits.inflatable_bytes(record_bytes),
            writable_bytes: settings.limits.inflated_bytes_max,
        }
    }

    fn all_formats(&mut self, record: &Bytes) -> Result<Unpacked, Refusal> {
        let formats = &self.settings.formats;
        let mut parts: Option<Vec<Part>> = None;
        for (at, format) in formats.iter().enumerate() {
            if formats[..at].contains(format) {
                continue; // Each format once.
            }
            match &mut parts {
                None if recognised(*format, record) => parts = self.expand(*format, record, None)?,
                None => {}
                Some(parts) => self.next_format(*format, parts)?,
            }
        }
        match parts {
            None => Ok(Unpacked::Plain),
            Some(parts) => match parts.as_slice() {
                [Part { refusal: Some(refusal), .. }] => Err(refusal.clone()),
                _ => Ok(Unpacked::Parts(parts)),
            },
        }
    }

    /// Looks for `format` in every part; what is not in it stays as it is.
    fn next_format(&mut self, format: Format, parts: &mut Vec<Part>) -> Result<(), Refusal> {
        let open = |part: &Part| part.refusal.is_none() && recognised(format, &part.data);
        if !parts.iter().any(open) {
            return Ok(());
        }
        let mut next = Vec::with_capacity(parts.len());
        for part in parts.drain(..) {
            if open(&part) {
                match self.expand(format, &part.data, part.partition_key.as_deref()) {
                    Ok(Some(inner)) => next.extend(inner),
                    Ok(None) => next.push(part),
                    Err(refusal) if refusal.kind == RefusalKind::Oversize => return Err(refusal),
                    Err(refusal) => next.push(Part { refusal: Some(refusal), ..part }),
                }
            } else {
                next.push(part);
            }
            if next.len() > self.settings.limits.parts_max {
                return Err(too_many_parts(&self.settings.limits));
            }
        }
        *parts = next;
        Ok(())
    }

    /// Takes `data` apart, which was [`recognised`] as `format`; `None` when a closer look says that it is not in it.
    fn expand(
        &mut self,
        format: Format,
        data: &Bytes,
        partition_key: Option<&str>,
    ) -> Result<Option<Vec<Part>>, Refusal> {
        match format {
            Format::Kpl => self.expand_kpl(data),
            Format::Gzip => self.expand_gzip(data, partition_key).map(Some),
            Format::CloudwatchLogs => self.expand_cloudwatch(data, partition_key),
        }
    }

    fn expand_kpl(&mut self, data: &Bytes) -> Result<Option<Vec<Part>>, Refusal> {
        if !kpl::md5_is_good(data) {
            self.notes.kpl_bad_md5 += 1;
            return Ok(None);
        }
        let parts = kpl::parts(data, &self.settings.limits)?;
        self.notes.kpl_aggregates += 1;
        Ok(Some(parts))
    }

    fn expand_gzip(&mut self, data: &Bytes, partition_key: Option<&str>) -> Result<Vec<Part>, Refusal> {
        let inflated = gzip::inflate(data, self.inflatable_bytes)?;
        self.notes.gzip_streams += 1;
        self.notes.inflated_bytes += inflated.len() as u64;
        self.inflatable_bytes -= inflated.len();
        Ok(vec![Part { data: inflated.into(), partition_key: partition_key.map(str::to_owned), refusal: None }])
    }

    fn expand_cloudwatch(&mut self, data: &Bytes, partition_key: Option<&str>) -> Result<Option<Vec<Part>>, Refusal> {
        let Some(envelope) = cloudwatch::Envelope::parse(data, self.settings.limits.parts_max)? else {
            return Ok(None);
        };
        if envelope.is_control() {
            self.notes.control_messages += 1;
            return Ok(Some(Vec::new()));
        }
        let events = envelope.events(self.settings.cloudwatch_message, self.writable_bytes)?;
        self.notes.cloudwatch_envelopes += 1;
        self.writable_bytes -= events.iter().map(Bytes::len).sum::<usize>();
        let part = |data| Part { data, partition_key: partition_key.map(str::to_owned), refusal: None };
        Ok(Some(events.into_iter().map(part).collect()))
    }
}

/// Whether a look at its first bytes says that `data` may be in `format`.
fn recognised(format: Format, data: &[u8]) -> bool {
    match format {
        Format::Kpl => kpl::recognised(data),
        Format::Gzip => gzip::recognised(data),
        Format::CloudwatchLogs => cloudwatch::recognised(data),
    }
}

fn too_many_parts(limits: &Limits) -> Refusal {
    Refusal { kind: RefusalKind::Oversize, message: format!("more than {} events in one record", limits.parts_max) }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
