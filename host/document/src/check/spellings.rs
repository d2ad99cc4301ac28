//! One field in two spellings: `{"a.b":1,"a":{"b":2}}`. OpenSearch puts both values into `a.b` when their types agree,
//! and refuses the document when they do not.

use super::look::Look;
use super::{Refusal, Warning};
use crate::looks;
use crate::meter::{CHANGE, Exhausted};
use crate::tree::{Facts, Kind};
use hashbrown::HashMap;
use std::borrow::Cow;

/// Characters of a field's name that a refusal shows.
const NAME_BYTES_SHOWN: usize = 200;

/// Objects with more members than this are compared through a map, not pair by pair.
const PAIRS_MAX: usize = 64;

impl<'d> Look<'d, '_> {
    /// Looks for fields that stand in two spellings, object by object.
    pub(super) fn spellings(&mut self, node: u32) -> Result<(), Refusal> {
        if self.document.node(node).kind == Kind::Object && self.may_clash(node)? {
            return self.collect(node, At::default(), &mut Fields::default());
        }
        for child in self.document.children(node) {
            self.meter.node()?;
            if self.document.node(child).kind.is_container() {
                self.spellings(child)?;
            }
        }
        Ok(())
    }

    /// Whether one member's parts begin another member's: only then can two spellings meet.
    fn may_clash(&mut self, object: u32) -> Result<bool, Exhausted> {
        let (mut members, mut dotted) = (0, 0);
        for child in self.document.children(object) {
            self.meter.node()?;
            members += 1;
            dotted += usize::from(self.document.node(child).facts.has(Facts::KEY_DOTTED | Facts::KEY_TRAILING));
        }
        if dotted == 0 || members > PAIRS_MAX {
            return Ok(dotted > 0);
        }
        let mut names = Vec::with_capacity(members);
        for child in self.document.children(object) {
            self.meter_name(child)?;
            names.push(self.document.name_bytes(child));
        }
        self.meter.work((CHANGE as usize * members * members) as u64)?;
        let begins = |name: &[u8], other: &[u8]| {
            looks::nodes(1);
            other.starts_with(name) && other.get(name.len()).is_none_or(|&byte| byte == b'.')
        };
        Ok(names
            .iter()
            .enumerate()
            .any(|(at, name)| names.iter().enumerate().any(|(other, begun)| at != other && begins(name, begun))))
    }

    /// Notes the type of every field below an object, arrays being transparent, and compares those that are spelled
    /// otherwise.
    fn collect(&mut self, node: u32, at: At, fields: &mut Fields<'d>) -> Result<(), Refusal> {
        let document = self.document;
        for child in document.children(node) {
            let mut here = at;
            if document.node(node).kind == Kind::Object {
                self.meter_name(child)?;
                let name = document.name(child);
                // Dots behind the name spell the field in another way.
                let member = document.node(child);
                let written = document.written_key(member, &mut |bytes| self.meter.read(bytes))?;
                let dots = written.len() - member.key.len();
                here.spelling = fields.spellings.number(at.spelling, Key { text: name.clone(), dots });
                for (at, part) in parts_of(name).enumerate() {
                    self.meter.work(2 * CHANGE)?;
                    if at > 0 {
                        self.field(here.field, Type::Object, None, fields)?;
                    }
                    here.field = fields.names.number(here.field, Key { text: part, dots: 0 });
                }
            }
            if let Some(field_type) = self.type_of(child)? {
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
        let known = *fields.known.entry(field).or_insert((field_type, spelling));
        let clash = (known.0 == Type::Object) != (field_type == Type::Object);
        // Elements of one array share their spelling: whether their types fit is the mapping's business.
        let elsewhere = known.1 != spelling;
        if elsewhere && (clash || (known.0 != field_type && field_type != Type::Object)) {
            let name = fields.names.text(field);
            return Err(Refusal::new(format!("`{name}` stands in two spellings with different types")));
        }
        if elsewhere && field_type != Type::Object {
            self.warn(Warning::TwoSpellings);
        }
        Ok(())
    }

    /// The type OpenSearch would give a field; none for what makes no field, and for arrays, whose elements do.
    fn type_of(&mut self, node: u32) -> Result<Option<Type>, Exhausted> {
        self.meter.node()?;
        Ok(Some(match self.document.node(node).kind {
            Kind::Null | Kind::Array => return Ok(None),
            Kind::True | Kind::False => Type::Boolean,
            Kind::String => Type::Text,
            Kind::Object => Type::Object,
            Kind::Number => {
                let raw = self.document.slice(self.document.node(node).value);
                self.meter.work(raw.len() as u64)?;
                looks::bytes(raw.len());
                if raw.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) { Type::Float } else { Type::Long }
            }
        }))
    }
}

/// A place below the object where the look began: what OpenSearch calls it, and how it is written.
#[derive(Clone, Copy, Default)]
struct At {
    field: u32,
    spelling: u32,
}

/// The fields that were met. Names and spellings are numbers: a path may be as long as the document, and have as many
/// fields below it.
#[derive(Default)]
struct Fields<'d> {
    names: Paths<'d>,
    spellings: Paths<'d>,
    /// The type and the spelling in which a field was met first.
    known: HashMap<u32, (Type, Option<u32>)>,
}

/// A part of a name, or a whole key.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key<'d> {
    text: Cow<'d, str>,
    /// Bytes of dots behind it.
    dots: usize,
}

/// Paths by number: each is another one and a part. 0 is the empty path.
#[derive(Default)]
struct Paths<'d> {
    numbers: HashMap<(u32, Key<'d>), u32>,
    /// What each number from 1 on stands for.
    paths: Vec<(u32, Key<'d>)>,
}

impl<'d> Paths<'d> {
    fn number(&mut self, parent: u32, part: Key<'d>) -> u32 {
        looks::bytes(part.text.len());
        let paths = &mut self.paths;
        *self.numbers.entry((parent, part)).or_insert_with_key(|path| {
            paths.push(path.clone());
            paths.len() as u32
        })
    }

    /// A path as text, for the one message that names it; its end, if it is long.
    fn text(&self, number: u32) -> String {
        let (mut parts, mut at, mut bytes) = (Vec::new(), number, 0);
        while bytes < NAME_BYTES_SHOWN {
            let Some((parent, part)) = (at as usize).checked_sub(1).and_then(|at| self.paths.get(at)) else { break };
            bytes += part.text.len() + 1;
            parts.push(&*part.text);
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

/// What OpenSearch makes of a name.
fn parts_of(name: Cow<'_, str>) -> impl Iterator<Item = Cow<'_, str>> {
    let (borrowed, owned) = match name {
        Cow::Borrowed(name) => (Some(name.split('.').map(Cow::Borrowed)), None),
        Cow::Owned(name) => {
            let parts: Vec<Cow<'_, str>> = name.split('.').map(|part| Cow::Owned(part.to_owned())).collect();
            (None, Some(parts))
        }
    };
    borrowed.into_iter().flatten().chain(owned.into_iter().flatten())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Boolean,
    Long,
    Float,
    Text,
}
