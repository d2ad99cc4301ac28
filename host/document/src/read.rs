//! Reading a document: one field at a time, copied out as a plain value.

use crate::find::Beyond;
use crate::looks;
use crate::meter::{Exhausted, Meter};
use crate::number;
use crate::path::{self, PATH_BYTES_MAX, PATH_SEGMENTS_MAX, Path, Pattern};
use crate::spread::Visit;
use crate::text;
use crate::tree::{Document, Facts, Kind, NONE};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Most texts of a list that is answered with, and most bytes of them: a list is made whole before a plugin gets it.
pub const ANSWERS_MAX: usize = 10_000;
/// See [`ANSWERS_MAX`].
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Resolving an escape.
const ESCAPE: u64 = 12;

/// A key of so many bytes has a name that is longer than a path may be, however it is escaped.
const KEY_BYTES_MAX: usize = 6 * PATH_BYTES_MAX;

/// One JSON value. Arrays, objects and whatever no other arm holds exactly travel as JSON text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// An integer literal within a signed 64-bit.
    Integer(i64),
    /// A finite number with a point, an exponent, or a minus zero.
    Number(f64),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// The JSON text of anything else: arrays, objects, larger numbers, strings with a lone surrogate.
    Json(Cow<'a, str>),
}

impl Document {
    /// The value at `path`; of several spellings the first. None when there is nothing.
    ///
    /// # Errors
    /// More work or memory than the meter allows.
    pub fn get(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Option<Value<'_>>, Exhausted> {
        match self.find(path, meter)? {
            Some(node) => self.value(node, meter).map(Some),
            None => self.spelled_object(path, meter),
        }
    }

    /// The string at `path`. None when there is nothing, something else, or a string with a lone surrogate.
    ///
    /// # Errors
    /// As [`Document::get`].
    #[inline]
    pub fn text(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Option<Cow<'_, str>>, Exhausted> {
        let Some(node) = self.find(path, meter)? else { return Ok(None) };
        if self.node(node).kind != Kind::String {
            return Ok(None);
        }
        self.string(node, meter)
    }

    /// Whether anything is at `path`, or below it in a dotted spelling.
    ///
    /// # Errors
    /// As [`Document::get`].
    #[inline]
    pub fn has(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<bool, Exhausted> {
        if !self.has_spellings() {
            return Ok(self.find(path, meter)?.is_some());
        }
        let found = self.find_all(&path.segments(), meter)?;
        Ok(!found.exact.is_empty() || !found.beyond.is_empty())
    }

    /// The names in the object at `path`, each as a path needs it (quoted where it must be); empty for anything else. A
    /// name that stands in several spellings is answered for each.
    ///
    /// # Errors
    /// As [`Document::get`]; more names than an answer takes, or one that is longer than a path may be.
    pub fn keys(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Vec<String>, Exhausted> {
        let found = self.find_all(&path.segments(), meter)?;
        let mut answer = Answer::default();
        for &node in found.exact.iter().filter(|&&node| self.node(node).kind == Kind::Object) {
            let mut child = self.node(node).first;
            while child != NONE {
                meter.node()?;
                if self.node(child).key.len() > KEY_BYTES_MAX {
                    return Err(Exhausted::Name);
                }
                self.meter_whole_name(child, meter)?;
                answer.add(meter, |name| path::push_key(name, &self.name(child)))?;
                child = self.node(child).next;
            }
        }
        for &beyond in &found.beyond {
            if self.node(beyond.node).key.len() > 2 * KEY_BYTES_MAX {
                return Err(Exhausted::Name);
            }
            self.meter_whole_name(beyond.node, meter)?;
            answer.add(meter, |name| path::push_key(name, &self.rest_of_name(beyond)))?;
        }
        Ok(answer.texts)
    }

    /// Elements of an array, members of an object, or characters of a string at `path`.
    ///
    /// # Errors
    /// As [`Document::get`].
    pub fn length(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Option<u32>, Exhausted> {
        let Some(node) = self.find(path, meter)? else { return Ok(None) };
        let length = match self.node(node).kind {
            Kind::Array | Kind::Object => self.count_children(node, meter)?,
            Kind::String => {
                let raw = self.slice(self.node(node).value);
                self.meter_text(node, meter)?;
                text::characters(&raw[1..raw.len() - 1])
            }
            Kind::Null | Kind::True | Kind::False | Kind::Number => return Ok(None),
        };
        Ok(Some(length as u32))
    }

    /// The paths of all values that a pattern names, arrays being transparent, in document order.
    ///
    /// # Errors
    /// As [`Document::get`]; more paths than an answer takes, or one that is longer than a path may be.
    pub fn expand(&mut self, pattern: &Pattern<'_>, meter: &mut Meter) -> Result<Vec<String>, Exhausted> {
        let mut paths = Paths::default();
        self.visit(pattern, &mut paths, meter)?;
        Ok(paths.answer.texts)
    }

    fn value(&self, index: u32, meter: &mut Meter) -> Result<Value<'_>, Exhausted> {
        let node = self.node(index);
        Ok(match node.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Boolean(true),
            Kind::False => Value::Boolean(false),
            Kind::Number => {
                meter.work(node.value.len() as u64)?;
                looks::bytes(node.value.len());
                number::value(self.str(index))
            }
            Kind::String => match self.string(index, meter)? {
                Some(text) => Value::Text(text),
                None => Value::Json(self.str(index).into()),
            },
            Kind::Array | Kind::Object => Value::Json(match node.facts.has(Facts::DIRTY) {
                false => {
                    meter.read(node.value.len())?;
                    self.str(index).into()
                }
                true => {
                    let mut json = Vec::new();
                    self.write_value(index, &mut json, meter)?;
                    owned(json, meter)?
                }
            }),
        })
    }

    /// A string node's text; none with a lone surrogate.
    #[inline]
    fn string(&self, index: u32, meter: &mut Meter) -> Result<Option<Cow<'_, str>>, Exhausted> {
        let node = self.node(index);
        let raw = self.slice(node.value);
        let raw = &raw[1..raw.len() - 1];
        self.meter_text(index, meter)?;
        if node.facts.has(Facts::ESCAPED) {
            meter.take(raw.len())?;
            return Ok(text::unescape(raw));
        }
        Ok(Some(Cow::Borrowed(text::utf8(raw))))
    }

    /// Counts what reading a string takes.
    #[inline]
    fn meter_text(&self, index: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        let node = self.node(index);
        meter.read(node.value.len())?;
        if node.facts.has(Facts::ESCAPED) {
            looks::bytes(node.value.len());
            let escapes = self.slice(node.value).iter().filter(|&&byte| byte == b'\\').count();
            meter.work(ESCAPE * escapes as u64)?;
        }
        Ok(())
    }

    fn str(&self, node: u32) -> &str {
        text::utf8(self.slice(self.node(node).value))
    }

    /// The object that dotted keys spell at `path` when nothing stands there itself: `{"user.email":…}` has a `user`.
    fn spelled_object(&mut self, path: &Path<'_>, meter: &mut Meter) -> Result<Option<Value<'static>>, Exhausted> {
        if !self.facts.has(Facts::KEY_DOTTED) {
            return Ok(None);
        }
        let found = self.find_all(&path.segments(), meter)?;
        if found.beyond.is_empty() {
            return Ok(None);
        }
        let mut bytes = 2;
        for beyond in &found.beyond {
            bytes += self.node(beyond.node).key.len() + 4 + self.value_bytes(beyond.node, meter)?;
        }
        meter.room(bytes)?;
        let mut json = Vec::with_capacity(bytes);
        json.push(b'{');
        for (at, &beyond) in found.beyond.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            self.meter_whole_name(beyond.node, meter)?;
            meter.text(self.node(beyond.node).key.len() + 4)?;
            text::escape_into(&mut json, &self.rest_of_name(beyond));
            json.push(b':');
            self.write_value(beyond.node, &mut json, meter)?;
        }
        json.push(b'}');
        Ok(Some(Value::Json(owned(json, meter)?)))
    }

    /// What is left of a dotted name behind a path.
    fn rest_of_name(&self, Beyond { node, parts }: Beyond) -> Cow<'_, str> {
        let start = |name: &str| name.match_indices('.').nth(parts - 1).map_or(name.len(), |(at, _)| at + 1);
        match self.name(node) {
            Cow::Borrowed(name) => Cow::Borrowed(&name[start(name)..]),
            Cow::Owned(name) => Cow::Owned(name[start(&name)..].to_owned()),
        }
    }
}

/// What the writer wrote, as text.
fn owned(json: Vec<u8>, meter: &mut Meter) -> Result<Cow<'static, str>, Exhausted> {
    meter.read(json.len())?;
    looks::bytes(json.len());
    Ok(Cow::Owned(String::from_utf8(json).expect("written from validated text")))
}

/// A list of texts within the bounds of an answer.
#[derive(Default)]
struct Answer {
    texts: Vec<String>,
    bytes: usize,
}

impl Answer {
    /// Adds what `write` makes, which is looked at before the next is made.
    fn add(&mut self, meter: &mut Meter, write: impl FnOnce(&mut String)) -> Result<(), Exhausted> {
        if self.texts.len() >= ANSWERS_MAX {
            return Err(Exhausted::Answer);
        }
        let mut text = String::new();
        write(&mut text);
        if text.len() > PATH_BYTES_MAX {
            return Err(Exhausted::Name);
        }
        self.bytes += text.len();
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(Exhausted::Answer);
        }
        meter.text(text.len())?;
        self.texts.push(text);
        Ok(())
    }
}

/// Writes the paths of values, from the way that leads to each.
#[derive(Default)]
struct Paths {
    /// The path to where the search is.
    path: String,
    /// How long it was before each of its parts.
    parts: Vec<usize>,
    answer: Answer,
}

impl Visit for Paths {
    fn enter(&mut self, document: &Document, child: u32, index: usize, meter: &mut Meter) -> Result<(), Exhausted> {
        self.parts.push(self.path.len());
        let node = document.node(child);
        if document.node(node.parent).kind == Kind::Array {
            write!(self.path, "[{index}]").expect("writing to a string succeeds");
            return meter.node();
        }
        if self.path.len() > PATH_BYTES_MAX {
            return Ok(()); // It only gets longer.
        }
        if !self.path.is_empty() {
            self.path.push('.');
        }
        document.meter_whole_name(child, meter)?;
        let name = document.name(child);
        let name = &name[..name.ceil_char_boundary(PATH_BYTES_MAX + 1)];
        meter.read(name.len())?;
        path::push_key(&mut self.path, name);
        Ok(())
    }

    fn leave(&mut self) {
        self.path.truncate(self.parts.pop().unwrap_or_default());
    }

    fn find(&mut self, _: &Document, _: u32, meter: &mut Meter) -> Result<(), Exhausted> {
        if self.parts.len() > PATH_SEGMENTS_MAX {
            return Err(Exhausted::Name);
        }
        let path = &self.path;
        if path.len() > PATH_BYTES_MAX {
            return Err(Exhausted::Name);
        }
        self.answer.add(meter, |text| text.push_str(path))
    }
}
