//! One field in two spellings: `{"a.b":1,"a":{"b":2}}`. OpenSearch puts both values into `a.b` when their types agree, and
//! refuses the document when they do not.

use super::{Look, Refusal, Warning};
use crate::path;
use crate::tree::{Facts, Kind};
use std::collections::HashMap;

/// Objects with more members than this are compared through a map, not pair by pair.
const PAIRS_MAX: usize = 64;

impl Look<'_> {
    /// Looks for fields that stand in two spellings, object by object.
    pub(super) fn spellings(&mut self, node: u32) -> Result<(), Refusal> {
        if self.document.node(node).kind == Kind::Object && self.may_clash(node) {
            let mut fields = HashMap::new();
            return self.collect(node, &mut String::new(), &mut String::new(), &mut fields);
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
    fn collect(
        &mut self,
        node: u32,
        name: &mut String,
        spelling: &mut String,
        fields: &mut HashMap<String, (Type, String)>,
    ) -> Result<(), Refusal> {
        for child in self.document.children(node) {
            let (name_length, spelling_length) = (name.len(), spelling.len());
            if self.document.node(node).kind == Kind::Object {
                let key = self.document.key(child);
                for part in path::parts(&key) {
                    if !name.is_empty() {
                        self.field(name, Type::Object, "", fields)?;
                        name.push('.');
                    }
                    name.push_str(part);
                }
                spelling.push('\0');
                spelling.push_str(&key);
            }
            let field_type = self.type_of(child);
            if let Some(field_type) = field_type {
                self.field(name, field_type, spelling, fields)?;
            }
            if self.document.node(child).kind.is_container() {
                self.collect(child, name, spelling, fields)?;
            }
            name.truncate(name_length);
            spelling.truncate(spelling_length);
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: &str,
        field_type: Type,
        spelling: &str,
        fields: &mut HashMap<String, (Type, String)>,
    ) -> Result<(), Refusal> {
        let Some((known, known_spelling)) = fields.get(name) else {
            fields.insert(name.to_owned(), (field_type, spelling.to_owned()));
            return Ok(());
        };
        let clash = (*known == Type::Object) != (field_type == Type::Object);
        // Elements of one array share their spelling: whether their types fit is the mapping's business.
        if known_spelling != spelling && (clash || (*known != field_type && field_type != Type::Object)) {
            return Err(Refusal::new(format!("`{name}` stands in two spellings with different types")));
        }
        if known_spelling != spelling && field_type != Type::Object {
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Boolean,
    Long,
    Float,
    Text,
}
