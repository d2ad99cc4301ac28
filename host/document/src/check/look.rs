//! The walk past every value of a document in which something is odd: what must be refused, repaired or counted.

use super::{Checked, Refusal, Warning};
use crate::looks;
use crate::meter::{CHANGE, Exhausted, Meter};
use crate::path;
use crate::text;
use crate::tree::{Document, Facts, Kind};
use hashbrown::HashMap;
use std::borrow::Cow;

/// Objects in one another, the root included; parts of a path; arrays in a row: OpenSearch takes 20 of each.
const LEVELS_MAX: usize = 20;

/// Longest key, in bytes: the limit of OpenSearch's parser.
const KEY_BYTES_MAX: usize = 50_000;

/// Longest path that may still get its `.keyword` behind it.
const KEYWORD_PATH_BYTES_MAX: usize = KEY_BYTES_MAX - ".keyword".len();

/// Digits of one number: the limit of OpenSearch's parser.
const DIGITS_MAX: usize = 1_000;

/// Characters that `.keyword` sees (`ignore_above` of the default mapping).
const KEYWORD_CHARACTERS_MAX: usize = 256;

/// Bytes of a text that show whether it is longer than that, twelve for each character.
const LONG_BYTES: usize = 12 * KEYWORD_CHARACTERS_MAX;

/// Reading a number.
const NUMBER: u64 = 60;

/// Names that OpenSearch keeps for itself at the top of a document.
const RESERVED: [&str; 10] = [
    "_id",
    "_index",
    "_source",
    "_routing",
    "_version",
    "_seq_no",
    "_field_names",
    "_ignored",
    "_nested_path",
    "_data_stream_timestamp",
];

/// Resolving the escapes of a string, a byte.
pub(super) const UNESCAPE: u64 = 6;

/// Walks the whole document: something in it is odd.
pub(super) fn look(document: &mut Document, checked: &mut Checked, meter: &mut Meter) -> Result<(), Refusal> {
    let mut look = Look {
        document,
        meter,
        warnings: Vec::new(),
        lone_surrogates: Vec::new(),
        trailing_dots: Vec::new(),
        name_bytes: 0,
    };
    look.object(look.document.root, 0)?;
    if look.document.has_spellings() {
        look.spellings(look.document.root)?;
    }
    let Look { mut warnings, lone_surrogates, trailing_dots, .. } = look;
    checked.repairs = (lone_surrogates.len() + trailing_dots.len()) as u32;
    for node in lone_surrogates {
        let raw = document.slice(document.node(node).value);
        meter.work(UNESCAPE * raw.len() as u64)?;
        let repaired = text::without_lone_surrogates(raw);
        document.replace(node, &repaired, Kind::String, meter)?;
    }
    // A name is without dots at its end.
    document.rekey(&trailing_dots, str::to_owned, meter)?;
    warnings.sort_unstable();
    checked.warnings = warnings;
    Ok(())
}

/// Whether a text has more characters than `.keyword` sees.
fn is_long(raw: &[u8], escaped: bool) -> bool {
    // One character takes four bytes at most, or two escapes of six.
    raw.len() > KEYWORD_CHARACTERS_MAX * if escaped { 12 } else { 4 } || text::characters(raw) > KEYWORD_CHARACTERS_MAX
}

pub(super) struct Look<'d, 'm> {
    pub(super) document: &'d Document,
    pub(super) meter: &'m mut Meter,
    /// Each once.
    warnings: Vec<Warning>,
    lone_surrogates: Vec<u32>,
    trailing_dots: Vec<u32>,
    /// Bytes of the path so far.
    name_bytes: usize,
}

impl<'d> Look<'d, '_> {
    pub(super) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// `parts`: parts of the path that leads to the object.
    fn object(&mut self, object: u32, parts: usize) -> Result<(), Refusal> {
        if parts + 1 > LEVELS_MAX {
            return Err(Refusal::new("objects are nested deeper than 20 levels"));
        }
        let mut dots = false;
        for child in self.document.children(object) {
            self.meter.node()?;
            let facts = self.document.node(child).facts;
            let mut below = parts + 1;
            let key_bytes = self.document.node(child).key.len() + 1;
            self.name_bytes += key_bytes;
            if facts.has(Facts::KEY_ODD | Facts::KEY_DOTTED | Facts::KEY_TRAILING) {
                below = parts + self.key(object, child, &mut dots)?;
            }
            self.value(child, below, 0)?;
            self.name_bytes -= key_bytes;
        }
        if dots {
            self.trailing_dots_of(object)?;
        }
        Ok(())
    }

    fn value(&mut self, node: u32, parts: usize, arrays: usize) -> Result<(), Refusal> {
        let facts = self.document.node(node).facts;
        match self.document.node(node).kind {
            Kind::Object => return self.object(node, parts),
            Kind::Array => {
                if arrays + 1 > LEVELS_MAX {
                    return Err(Refusal::new("arrays are nested deeper than 20 levels"));
                }
                if facts.has(Facts::MIXED) {
                    self.mixed(node)?;
                }
                for child in self.document.children(node) {
                    self.meter.node()?;
                    self.value(child, parts, arrays + 1)?;
                }
            }
            Kind::Number if facts.has(Facts::NUMBER_ODD) => self.number(node)?,
            Kind::String => self.string(node, facts)?,
            Kind::Number | Kind::Null | Kind::True | Kind::False => {}
        }
        Ok(())
    }

    fn string(&mut self, node: u32, facts: Facts) -> Result<(), Exhausted> {
        if facts.has(Facts::SURROGATE) {
            self.lone_surrogates.push(node);
        }
        if facts.has(Facts::LONG) {
            let raw = self.document.slice(self.document.node(node).value);
            self.meter.read(raw.len().min(LONG_BYTES))?;
            if is_long(&raw[1..raw.len() - 1], facts.has(Facts::ESCAPED)) {
                self.warn(Warning::LongText);
            }
        }
        if self.name_bytes > KEYWORD_PATH_BYTES_MAX {
            self.warn(Warning::LongKey);
        }
        Ok(())
    }

    fn number(&mut self, node: u32) -> Result<(), Refusal> {
        let raw = self.document.slice(self.document.node(node).value);
        self.meter.work(NUMBER + raw.len() as u64)?;
        let raw = text::utf8(raw);
        looks::bytes(2 * raw.len());
        let mantissa = raw.find(['e', 'E']).unwrap_or(raw.len());
        if raw[..mantissa].bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX {
            return Err(Refusal::new("a number has more than 1,000 digits"));
        }
        match raw.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                if number == 0.0 && raw.starts_with('-') && raw != "-0" {
                    self.warn(Warning::MinusZero);
                } else if mantissa < raw.len() && !raw.contains('.') {
                    self.warn(Warning::ExponentInteger);
                }
                Ok(())
            }
            // Whether an integer of many digits fits is the mapping's business; one with an exponent fits nowhere.
            _ if mantissa == raw.len() => Ok(()),
            _ => Err(Refusal::new("a number is too large for a double")),
        }
    }

    /// A boolean first fixes the field's type; other strings than its two words are refused then.
    fn mixed(&mut self, array: u32) -> Result<(), Refusal> {
        let mut boolean = false;
        for child in self.document.children(array) {
            self.meter.node()?;
            let node = self.document.node(child);
            match node.kind {
                Kind::True | Kind::False => boolean = true,
                Kind::String
                    if boolean && !matches!(self.document.slice(node.value), b"\"true\"" | b"\"false\"" | b"\"\"") =>
                {
                    return Err(Refusal::new("an array mixes booleans with other strings"));
                }
                Kind::String if !boolean => return Ok(()),
                Kind::String | Kind::Null | Kind::Number | Kind::Array | Kind::Object => {}
            }
        }
        Ok(())
    }

    /// An odd or dotted key; says how many parts it spells, and whether it ends with a dot.
    fn key(&mut self, object: u32, child: u32, dots: &mut bool) -> Result<usize, Refusal> {
        let node = self.document.node(child);
        let key = self.document.written_key(node, &mut |bytes| self.meter.read(bytes))?;
        let raw = self.document.slice(key);
        self.meter.work(UNESCAPE * raw.len() as u64)?;
        if raw.len() > KEY_BYTES_MAX && text::unescape_wtf8(raw).len() > KEY_BYTES_MAX {
            return Err(Refusal::new("a key is longer than 50,000 bytes"));
        }
        let Some(key) = text::unescape(raw) else {
            return Err(Refusal::new("a key has a surrogate without its partner"));
        };
        let mut count = 0;
        for part in path::parts(&key) {
            if part.is_empty() {
                return Err(Refusal::new("a key is empty, or has an empty part between dots"));
            }
            count += 1;
        }
        if count > 1 && path::parts(&key).any(|part| part.trim_matches(' ').is_empty()) {
            return Err(Refusal::new("a key has a part of spaces only between dots"));
        }
        if object == self.document.root {
            self.reserved(path::parts(&key).next().unwrap_or_default(), child)?;
        }
        if key.trim_matches(' ') != key || key.contains(|c: char| c.is_control() || matches!(c, '*' | ',')) {
            self.warn(Warning::OddKey);
        }
        *dots |= node.facts.has(Facts::KEY_TRAILING);
        Ok(count)
    }

    /// Dots at the end of keys can go, unless that would make a key stand twice: then both values go into one field.
    fn trailing_dots_of(&mut self, object: u32) -> Result<(), Refusal> {
        let document = self.document;
        let mut spellings: HashMap<Cow<'_, str>, u32> = HashMap::new();
        let mut members = 0;
        for child in document.children(object) {
            members += 1;
            self.meter_name(child)?;
            *spellings.entry(document.name(child)).or_default() += 1;
        }
        self.meter.nodes(members)?;
        let dotted = document.children(object).filter(|&child| document.node(child).facts.has(Facts::KEY_TRAILING));
        let (alone, twins): (Vec<u32>, Vec<u32>) =
            dotted.partition(|&child| spellings.get(&document.name(child)) == Some(&1));
        if !twins.is_empty() {
            self.warn(Warning::TwoSpellings);
        }
        self.trailing_dots.extend(alone);
        Ok(())
    }

    /// Counts what it takes to look a member's name up.
    pub(super) fn meter_name(&mut self, child: u32) -> Result<(), Exhausted> {
        self.meter.work(3 * CHANGE)?;
        self.meter.read(2 * self.document.node(child).key.len())?;
        self.document.meter_name(child, self.meter)
    }

    fn reserved(&mut self, name: &str, child: u32) -> Result<(), Refusal> {
        if RESERVED.contains(&name) {
            return Err(Refusal::new(format!(
                "`{name}` is reserved at the top of a document: move it below an object"
            )));
        }
        if name == "_doc_count" {
            let value = self.document.slice(self.document.node(child).value);
            let positive = value.iter().all(u8::is_ascii_digit) && value != b"0";
            if self.document.node(child).kind != Kind::Number || !positive {
                return Err(Refusal::new("`_doc_count` must be a positive integer"));
            }
            self.warn(Warning::DocCount);
        }
        Ok(())
    }
}
