//! The way out: what a real OpenSearch refuses or misreads is refused, repaired or counted, and the id is spliced in.
//!
//! Every rule stands for recorded answers of OpenSearch 3.8 (`tests/data/opensearch/ground-truth.jsonl`). A document
//! whose facts show nothing odd is not walked again: the pass that validated it has seen all that these rules need.

mod look;
mod spellings;

use crate::edit::EditError;
use crate::looks;
use crate::meter::{Exhausted, Meter};
use crate::path::Path;
use crate::text;
use crate::tree::{Document, Facts, Kind};
use std::borrow::Cow;
use std::fmt;

/// What to do with raw newlines between tokens. Sent as they are, they would end the line in a bulk request, and what
/// follows would be read as an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Newlines {
    /// The document is refused.
    #[default]
    Refuse,
    /// Each becomes a space.
    Space,
}

/// How documents are checked on the way out.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Refuse what OpenSearch would index in another way than the sender thinks, too.
    pub strict: bool,
    /// Raw newlines between tokens.
    pub newlines: Newlines,
    /// The field that gets the deterministic id.
    pub id_field: Option<String>,
    /// A field that gets the same text in every document.
    pub stamp: Option<(String, String)>,
}

/// Why a document must not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// OpenSearch would refuse it, or it would harm its neighbours; with the reason.
    Rule(String),
    /// Checking it would take more work or memory than the meter allows.
    Exhausted(Exhausted),
}

impl Refusal {
    fn new(message: impl Into<String>) -> Refusal {
        Refusal::Rule(message.into())
    }
}

impl From<Exhausted> for Refusal {
    fn from(exhausted: Exhausted) -> Refusal {
        Refusal::Exhausted(exhausted)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Rule(message) => f.write_str(message),
            Refusal::Exhausted(exhausted) => write!(f, "the document cannot be checked: {exhausted}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What OpenSearch takes, but not as its sender thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Warning {
    /// A whole number with an exponent: `1E5` makes the field a float, `100000` a long.
    ExponentInteger,
    /// `-0.0` and `0.0` are different terms.
    MinusZero,
    /// Spaces around a key, control characters in it, or stars and commas, which field lists cannot name.
    OddKey,
    /// With `.keyword` behind it the path is longer than OpenSearch's parser takes.
    LongKey,
    /// More than 256 characters: `.keyword` searches, sorts and aggregations never see the text.
    LongText,
    /// Two spellings of one field: both values go into it.
    TwoSpellings,
    /// `_doc_count`: aggregations count the document that many times.
    DocCount,
}

impl Warning {
    /// The warning in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Warning::ExponentInteger => "a whole number is written with an exponent",
            Warning::MinusZero => "a number is minus zero",
            Warning::OddKey => "a key has characters that field lists cannot name",
            Warning::LongKey => "a key is too long for .keyword",
            Warning::LongText => "a text is too long for .keyword",
            Warning::TwoSpellings => "a field stands in two spellings",
            Warning::DocCount => "_doc_count is set",
        }
    }
}

/// A document that may be sent.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// One JSON object on one line, without a newline.
    pub bytes: Vec<u8>,
    /// What OpenSearch will take oddly, each kind once.
    pub warnings: Vec<Warning>,
    /// Lone surrogates replaced, trailing dots dropped, newlines made spaces.
    pub repairs: u32,
    /// The id field was there already and was overwritten.
    pub id_overwritten: bool,
}

impl Rules {
    /// Checks and writes a document, with `id` in the id field if the rules have one. Repairs are made in it.
    ///
    /// # Errors
    /// What OpenSearch refuses under any usual mapping, or what would harm its neighbours in a bulk request; or a check
    /// that takes more than the meter allows.
    pub fn check(&self, document: &mut Document, id: &str, meter: &mut Meter) -> Result<Checked, Refusal> {
        if !document.is_object() {
            return Err(Refusal::new("a document is one JSON object; this is another value"));
        }
        let mut checked = Checked::default();
        let looks = Facts::KEY_ODD
            | Facts::KEY_DOTTED
            | Facts::KEY_TRAILING
            | Facts::NUMBER_ODD
            | Facts::SURROGATE
            | Facts::LONG
            | Facts::MIXED
            | Facts::DEEP;
        if document.facts.has(looks) {
            look::look(document, &mut checked, meter)?;
        }
        if self.strict
            && let Some(warning) = checked.warnings.first()
        {
            return Err(Refusal::new(format!("{} (refused because of strict = true)", warning.as_str())));
        }
        self.write(document, id, &mut checked, meter)?;
        Ok(checked)
    }

    fn write(
        &self,
        document: &mut Document,
        id: &str,
        checked: &mut Checked,
        meter: &mut Meter,
    ) -> Result<(), Refusal> {
        let stamp = self.stamp.as_ref().map(|(field, text)| (field.as_str(), text.as_str()));
        let mut own = [self.id_field.as_deref().map(|field| (field, id)), stamp];
        for (at, slot) in own.iter_mut().enumerate() {
            let Some((field, text)) = *slot else { continue };
            let path = Path::of_key(field);
            if document.has(&path, meter)? {
                let set = document.set_text(&path, text, None, meter);
                set.map_err(|error| match error {
                    EditError::Exhausted(exhausted) => exhausted.into(),
                    error => Refusal::new(format!("{error}, for the field {field}")),
                })?;
                checked.id_overwritten |= at == 0;
                *slot = None;
            }
        }
        let out = &mut checked.bytes;
        let own_bytes: usize = own.iter().flatten().map(|(field, text)| field.len() + text.len() + 8).sum();
        let bytes = document.node(document.root).value.len() + document.buffers.added.len() + own_bytes + 16;
        meter.room(bytes)?;
        out.reserve(bytes);
        document.write(out, meter)?;
        if document.facts.has(Facts::NEWLINE) {
            let first = u32::from(document.facts.has(Facts::NEWLINE_FIRST));
            checked.repairs += self.newlines_out(out, first)?;
        }
        let mut empty = document.children(document.root).next().is_none();
        for (field, text) in own.iter().flatten() {
            out.pop();
            if !std::mem::replace(&mut empty, false) {
                out.push(b',');
            }
            text::escape_into(out, field);
            out.push(b':');
            text::escape_into(out, text);
            out.push(b'}');
        }
        Ok(())
    }

    /// `cut`: newlines in front of the document, which the writer leaves out.
    fn newlines_out(&self, out: &mut [u8], cut: u32) -> Result<u32, Refusal> {
        looks::bytes(out.len());
        let mut count = cut;
        for byte in out.iter_mut().filter(|byte| **byte == b'\n') {
            *byte = b' ';
            count += 1;
        }
        match self.newlines {
            Newlines::Refuse if count > 0 => Err(Refusal::new(
                "a raw newline stands before or between tokens: in a bulk request the rest would be read as an action (see [document] newlines)",
            )),
            Newlines::Refuse | Newlines::Space => Ok(count),
        }
    }
}

impl Document {
    /// Whether `matches` holds for any string of the document, keys included; lone surrogates become U+FFFD.
    ///
    /// # Errors
    /// More work than the meter allows, what `matches` counts itself included.
    pub fn any_text(&self, matches: &mut Matches<'_>, meter: &mut Meter) -> Result<bool, Exhausted> {
        self.any_text_below(self.root, matches, meter)
    }

    fn any_text_below(&self, index: u32, matches: &mut Matches<'_>, meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.node()?;
        let node = self.node(index);
        if node.key.len() > 0 && matches(&text_of(self.slice(node.key), meter)?, meter)? {
            return Ok(true);
        }
        match node.kind {
            Kind::String => {
                let raw = self.slice(node.value);
                matches(&text_of(&raw[1..raw.len() - 1], meter)?, meter)
            }
            Kind::Array | Kind::Object => {
                for child in self.children(index) {
                    if self.any_text_below(child, matches, meter)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Kind::Null | Kind::True | Kind::False | Kind::Number => Ok(false),
        }
    }
}

/// Whether a text is one that is looked for; counts what looking takes.
pub(crate) type Matches<'a> = dyn FnMut(&str, &mut Meter) -> Result<bool, Exhausted> + 'a;

/// The text of a string or a key without its quotes. Lone surrogates become U+FFFD.
fn text_of<'t>(raw: &'t [u8], meter: &mut Meter) -> Result<Cow<'t, str>, Exhausted> {
    meter.read(raw.len())?;
    if memchr::memchr(b'\\', raw).is_some() {
        meter.work(look::UNESCAPE * raw.len() as u64)?;
    }
    Ok(match text::unescape_wtf8(raw) {
        Cow::Borrowed(bytes) => Cow::Borrowed(text::utf8(bytes)),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}
