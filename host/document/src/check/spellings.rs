//! One field in two spellings: `{"a.b":1,"a":{"b":2}}`. OpenSearch puts both values into `a.b` when their types agree, and
//! refuses the document when they do not.

use super::{Look, Refusal, Warning};
use crate::path;
use crate::tree::{Facts, Kind};
use std::borrow::Cow;
use std::collections::HashMap;

/// Characters of a field's name that a refusal shows.
const NAME_BYTES_SHOWN: usize = 200;

/// Objects with more members than this are compared through a map, not pair by pair.
const PAIRS_MAX: usize = 64;

impl<'d> Look<'d> {
    /// Looks for fields that stand in two spellings, object by object.
    pub(super) fn spellings(&mut self, node: u32) -> Result<(), Refusal> {
        if self.document.node(node).kind == Kind::Object && self.may_clash(node) {
            return self.collect(node, At::default(), &mut Fields::default());
        }
        for child in self.document.children(node) {
            if self.document.node(child).kind.is_container() {
                self.spellings(child)?;
            }
        }
        Ok(())
    }

    /// Whether one member's parts begin another member's: only then can two spellings meet.
    fn may_clash(&self, object: u32) -> bool {
        let members: Vec<u32> = self.document.children(object).collect();
        let dotted = members.iter().filter(|&&child| self.document.node(child).facts.has(Facts::KEY_DOTTED)).count();
        if dotted == 0 || members.len() > PAIRS_MAX {
            return dotted > 0;
        }
        let keys: Vec<String> =
            members.iter().map(|&child| self.document.key(child).trim_end_matches('.').to_owned() + ".").collect();
        keys.iter().enumerate().any(|(at, key)| {
            keys.iter().enumerate().any(|(other, begun)| at != other && begun.starts_with(key.as_str()))
        })
    }

    /// Notes the type of every field below an object, arrays being transparent, and compares those that are spelled otherwise.
    fn collect(&mut self, node: u32, at: At, fields: &mut Fields<'d>) -> Result<(), Refusal> {
        let document = self.document;
        for child in document.children(node) {
            let mut here = at;
            if document.node(node).kind == Kind::Object {
                let key = document.key(child);
                here.spelling = fields.spellings.number(at.spelling, key.clone());
                for (at, part) in parts_of(key).into_iter().enumerate() {
                    if at > 0 {
                        self.field(here.field, Type::Object, None, fields)?;
                    }
                    here.field = fields.names.number(here.field, part);
                }
            }
            if let Some(field_type) = self.type_of(child) {
                self.field(here.field, field_type, Some(here.spelling), fields)?;
            }
            if document.node(child).kind.is_container() {
                self.collect(child, here, fields)?;
            }
        }
        Ok(())
    }

    /// `spelling`: none for an object that stands only in a dotted key.
    fn field(
        &mut self,
        field: u32,
        field_type: Type,
        spelling: Option<u32>,
        fields: &mut Fields<'d>,
    ) -> Result<(), Refusal> {
        let known = fields.known.entry(field).or_insert((field_type, spelling));
        let clash = (known.0 == Type::Object) != (field_type == Type::Object);
        // Elements of one array share their spelling: whether their types fit is the mapping's business.
        let elsewhere = known.1 != spelling;
        if elsewhere && (clash || (known.0 != field_type && field_type != Type::Object)) {
            let name = fields.names.text(field);
            return Err(Refusal::new(format!("`{name}` stands in two spellings with different types")));
        }
        if elsewhere && field_type != Type::Object {
            self.warnings.push(Warning::TwoSpellings);
        }
        Ok(())
    }

    /// The type OpenSearch would give a field; none for what makes no field, and for arrays, whose elements do.
    fn type_of(&self, node: u32) -> Option<Type> {
        Some(match self.document.node(node).kind {
            Kind::Null | Kind::Array => return None,
            Kind::True | Kind::False => Type::Boolean,
            Kind::String => Type::Text,
            Kind::Object => Type::Object,
            Kind::Number => {
                let raw = self.document.slice(self.document.node(node).value);
                if raw.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) { Type::Float } else { Type::Long }
            }
        })
    }
}

/// A place below the object where the look began: what OpenSearch calls it, and how it is written.
#[derive(Clone, Copy, Default)]
struct At {
    field: u32,
    spelling: u32,
}

/// The fields that were met. Names and spellings are numbers: a path may be as long as the document, and have as many fields
/// below it.
#[derive(Default)]
struct Fields<'d> {
    names: Paths<'d>,
    spellings: Paths<'d>,
    /// The type and the spelling in which a field was met first.
    known: HashMap<u32, (Type, Option<u32>)>,
}

/// Paths by number: each is another one and a part. 0 is the empty path.
#[derive(Default)]
struct Paths<'d> {
    numbers: HashMap<(u32, Cow<'d, str>), u32>,
}

impl<'d> Paths<'d> {
    fn number(&mut self, parent: u32, part: Cow<'d, str>) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        *self.numbers.entry((parent, part)).or_insert(next)
    }

    /// A path as text, for the one message that names it; its end, if it is long.
    fn text(&self, number: u32) -> String {
        let (mut parts, mut at, mut bytes) = (Vec::new(), number, 0);
        while bytes < NAME_BYTES_SHOWN {
            let Some(((parent, part), _)) = self.numbers.iter().find(|(_, number)| **number == at) else { break };
            bytes += part.len() + 1;
            parts.push(&**part);
            at = *parent;
        }
        parts.reverse();
        let text = parts.join(".");
        match text.char_indices().rev().nth(NAME_BYTES_SHOWN) {
            Some((cut, _)) => format!("…{}", &text[cut..]),
            None => text,
        }
    }
}

/// What OpenSearch makes of a key.
fn parts_of(key: Cow<'_, str>) -> Vec<Cow<'_, str>> {
    match key {
        Cow::Borrowed(key) => path::parts(key).map(Cow::Borrowed).collect(),
        Cow::Owned(key) => path::parts(&key).map(|part| Cow::Owned(part.to_owned())).collect(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Boolean,
    Long,
    Float,
    Text,
}
