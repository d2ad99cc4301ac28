//! Reading a document: one field at a time, copied out as a plain value.

use crate::number;
use crate::path::{self, Path, Pattern};
use crate::text;
use crate::tree::{Document, Facts, Kind, NONE};
use std::borrow::Cow;
use std::collections::HashMap;

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

impl Value<'_> {
    /// Bytes that its text takes, roughly: enough to bound what is added.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => 32,
            Value::Text(text) => text.len() * 2,
            Value::Json(json) => json.len(),
        }
    }
}

/// A pattern names more values than the caller wants to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Document {
    /// The value at `path`; of several spellings the first. None when there is nothing.
    pub fn get(&mut self, path: &Path<'_>) -> Option<Value<'_>> {
        if let Some(node) = self.find(path) {
            return Some(self.value(node));
        }
        self.spelled_object(path)
    }

    /// The string at `path`. None when there is nothing, something else, or a string with a lone surrogate.
    #[inline]
    pub fn text(&mut self, path: &Path<'_>) -> Option<Cow<'_, str>> {
        let node = self.find(path)?;
        let node = self.node(node);
        if node.kind != Kind::String {
            return None;
        }
        let raw = self.slice(node.value);
        let raw = &raw[1..raw.len() - 1];
        if node.facts.has(Facts::ESCAPED) {
            return text::unescape(raw);
        }
        Some(Cow::Borrowed(std::str::from_utf8(raw).expect("validated as UTF-8 and cut at quotes")))
    }

    /// Whether anything is at `path`, or below it in a dotted spelling.
    #[inline]
    pub fn has(&mut self, path: &Path<'_>) -> bool {
        if !self.facts.has(Facts::KEY_DOTTED) {
            return self.find(path).is_some();
        }
        let found = self.find_all(&path.segments());
        !found.exact.is_empty() || !found.beyond.is_empty()
    }

    /// The keys of the object at `path`, each as a path needs it (quoted where it must be); empty for anything else.
    pub fn keys(&mut self, path: &Path<'_>) -> Vec<String> {
        let found = self.find_all(&path.segments());
        let mut keys = Vec::new();
        for &node in found.exact.iter().filter(|&&node| self.node(node).kind == Kind::Object) {
            for child in self.children(node) {
                let mut key = String::new();
                path::push_key(&mut key, &self.key(child));
                keys.push(key);
            }
        }
        for &node in &found.beyond {
            let mut key = String::new();
            path::push_key(&mut key, &self.rest_of_key(node, path));
            keys.push(key);
        }
        self.visited += keys.len() as u64;
        keys
    }

    /// Elements of an array, members of an object, or characters of a string at `path`.
    pub fn length(&mut self, path: &Path<'_>) -> Option<u32> {
        let node = self.find(path)?;
        let length = match self.node(node).kind {
            Kind::Array | Kind::Object => self.children(node).count(),
            Kind::String => {
                let raw = self.slice(self.node(node).value);
                // Half of a surrogate pair is one character: three bytes, of which the first begins it.
                let text = text::unescape_wtf8(&raw[1..raw.len() - 1]);
                text.iter().filter(|byte| *byte & 0xC0 != 0x80).count()
            }
            Kind::Null | Kind::True | Kind::False | Kind::Number => return None,
        };
        self.visited += length as u64;
        Some(length as u32)
    }

    /// The paths of all values that a pattern names, arrays being transparent, in document order.
    ///
    /// # Errors
    /// More than `most` values.
    pub fn expand(&mut self, pattern: &Pattern<'_>, most: usize) -> Result<Vec<String>, TooMany> {
        let nodes = self.expand_nodes(pattern, most);
        if nodes.len() > most {
            return Err(TooMany);
        }
        let mut indexes = HashMap::new();
        Ok(nodes.into_iter().map(|node| self.path_of(node, &mut indexes)).collect())
    }

    /// The path of a node, as [`Path::parse`] reads it. `indexes` remembers the places of elements from call to call.
    fn path_of(&self, node: u32, indexes: &mut HashMap<u32, usize>) -> String {
        let mut up = Vec::new();
        let mut at = node;
        while self.node(at).parent != NONE {
            up.push(at);
            at = self.node(at).parent;
        }
        let mut path = String::new();
        for &node in up.iter().rev() {
            let parent = self.node(node).parent;
            if self.node(parent).kind == Kind::Array {
                if !indexes.contains_key(&node) {
                    indexes.extend(self.children(parent).enumerate().map(|(index, child)| (child, index)));
                }
                path.push_str(&format!("[{}]", indexes[&node]));
            } else {
                if !path.is_empty() {
                    path.push('.');
                }
                path::push_key(&mut path, &self.key(node));
            }
        }
        path
    }

    fn value(&self, index: u32) -> Value<'_> {
        let node = self.node(index);
        match node.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Boolean(true),
            Kind::False => Value::Boolean(false),
            Kind::Number => number::value(self.str(index)),
            Kind::String => {
                let raw = self.slice(node.value);
                match text::unescape(&raw[1..raw.len() - 1]) {
                    Some(text) => Value::Text(text),
                    None => Value::Json(self.str(index).into()),
                }
            }
            Kind::Array | Kind::Object => Value::Json(match node.facts.has(Facts::DIRTY) {
                false => self.str(index).into(),
                true => {
                    let mut json = Vec::new();
                    self.write_node(index, &mut json);
                    String::from_utf8(json).expect("written from validated text").into()
                }
            }),
        }
    }

    fn str(&self, node: u32) -> &str {
        std::str::from_utf8(self.slice(self.node(node).value)).expect("validated as UTF-8 and cut between tokens")
    }

    /// The object that dotted keys spell at `path` when nothing stands there itself: `{"user.email":…}` has a `user`.
    fn spelled_object(&mut self, path: &Path<'_>) -> Option<Value<'static>> {
        if !self.facts.has(Facts::KEY_DOTTED) {
            return None;
        }
        let found = self.find_all(&path.segments());
        if found.beyond.is_empty() {
            return None;
        }
        let mut json = vec![b'{'];
        for (at, &node) in found.beyond.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            text::escape_into(&mut json, &self.rest_of_key(node, path));
            json.push(b':');
            self.write_node(node, &mut json);
        }
        json.push(b'}');
        Some(Value::Json(String::from_utf8(json).expect("written from validated text").into()))
    }

    /// What is left of a dotted key behind the last part of `path`.
    fn rest_of_key(&self, node: u32, path: &Path<'_>) -> String {
        let above = self.name_of_node(self.node(node).parent).len();
        let taken = path.segments().iter().filter(|segment| segment.key().is_some()).count() - above;
        let key = self.key(node);
        path::parts(&key).skip(taken).collect::<Vec<_>>().join(".")
    }
}
