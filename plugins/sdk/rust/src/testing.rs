//! A stand-in for the host's events, for a plugin's unit tests.
//!
//! It knows plain JSON, paths and patterns, and arrays that are transparent to them. It does not know
//! other spellings of a name, permissions or bounds: those are the host's, and `paddle test` runs the host.

use std::cell::RefCell;

use serde_json::{Map, Value as Json};

use crate::{Fields, Value};

/// An event made from JSON.
#[derive(Clone, Debug)]
pub struct Fake(RefCell<Option<Json>>);

impl Fake {
    /// An event with this document.
    pub fn new(document: Json) -> Self {
        Fake(RefCell::new(Some(document)))
    }

    /// An event that is not JSON.
    pub fn not_json() -> Self {
        Fake(RefCell::new(None))
    }

    /// The document as it stands; `null` for an event that is not JSON.
    pub fn document(&self) -> Json {
        self.0.borrow().clone().unwrap_or(Json::Null)
    }

    fn look(&self, path: &str) -> Option<Json> {
        let document = self.0.borrow();
        parts(path).iter().try_fold(document.as_ref()?, |at, part| part.of(at)).cloned()
    }
}

impl Fields for Fake {
    fn get(&self, path: &str) -> Option<Value> {
        self.look(path).map(|json| to_value(&json))
    }

    fn text(&self, path: &str) -> Option<String> {
        self.look(path)?.as_str().map(str::to_owned)
    }

    fn has(&self, path: &str) -> bool {
        self.look(path).is_some()
    }

    fn keys(&self, path: &str) -> Vec<String> {
        match self.look(path) {
            Some(Json::Object(map)) => map.keys().map(|key| Part::Name(key.clone()).text()).collect(),
            _ => Vec::new(),
        }
    }

    fn length(&self, path: &str) -> Option<u32> {
        let length = match self.look(path)? {
            Json::Array(elements) => elements.len(),
            Json::Object(map) => map.len(),
            Json::String(text) => text.chars().count(),
            _ => return None,
        };
        u32::try_from(length).ok()
    }

    fn expand(&self, pattern: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(document) = self.0.borrow().as_ref() {
            matches(document, &parts(pattern), String::new(), &mut found);
        }
        found
    }

    fn set(&self, path: &str, value: &Value) -> Result<(), String> {
        let mut document = self.0.borrow_mut();
        let mut at = document.as_mut().ok_or("not JSON")?;
        for part in parts(path) {
            at = part.make(at).ok_or_else(|| format!("{path} leads through a value that is no object"))?;
        }
        *at = from_value(value)?;
        Ok(())
    }

    fn set_text(&self, path: &str, text: &str) -> Result<(), String> {
        self.set(path, &Value::Text(text.to_owned()))
    }

    fn replace_text(&self, pattern: &str, text: &str) -> u32 {
        let mut paths = self.expand(pattern);
        paths.retain(|path| !matches!(self.get(path), None | Some(Value::Null)));
        paths.iter().filter(|path| self.set_text(path, text).is_ok()).count() as u32
    }

    fn remove(&self, pattern: &str) -> u32 {
        let paths = self.expand(pattern);
        let mut document = self.0.borrow_mut();
        for path in paths.iter().rev() {
            let mut parts = parts(path);
            let last = parts.pop();
            let parent = document.as_mut().and_then(|root| parts.iter().try_fold(root, |at, part| part.of_mut(at)));
            match (parent, last) {
                (Some(Json::Object(map)), Some(Part::Name(name))) => drop(map.shift_remove(&name)),
                (Some(Json::Array(elements)), Some(Part::Index(index))) => drop(elements.remove(index)),
                _ => {}
            }
        }
        u32::try_from(paths.len()).unwrap_or(u32::MAX)
    }

    fn rename(&self, path: &str, to: &str) -> bool {
        let Some(moved) = self.look(path) else {
            return false;
        };
        self.remove(path);
        self.set(to, &Value::Json(moved.to_string())).is_ok()
    }

    fn json(&self) -> Option<String> {
        self.0.borrow().as_ref().map(Json::to_string)
    }

    fn copy(&self) -> Self {
        self.clone()
    }
}

/// One part of a path.
enum Part {
    Name(String),
    Index(usize),
    AnyName,
    AnyIndex,
}

impl Part {
    fn of<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        match self {
            Part::Name(name) => json.as_object()?.get(name),
            Part::Index(index) => json.as_array()?.get(*index),
            Part::AnyName | Part::AnyIndex => None,
        }
    }

    fn of_mut<'a>(&self, json: &'a mut Json) -> Option<&'a mut Json> {
        match self {
            Part::Name(name) => json.as_object_mut()?.get_mut(name),
            Part::Index(index) => json.as_array_mut()?.get_mut(*index),
            Part::AnyName | Part::AnyIndex => None,
        }
    }

    fn make(self, json: &mut Json) -> Option<&mut Json> {
        match self {
            Part::Name(name) => {
                if json.is_null() {
                    *json = Json::Object(Map::new());
                }
                Some(json.as_object_mut()?.entry(name).or_insert(Json::Null))
            }
            Part::Index(index) => {
                let elements = json.as_array_mut()?;
                if index == elements.len() {
                    elements.push(Json::Null);
                }
                elements.get_mut(index)
            }
            Part::AnyName | Part::AnyIndex => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Part::Name(name) if !name.is_empty() && !name.contains(['.', '[', ']', '"', '*', '\\']) => name.clone(),
            Part::Name(name) => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
            Part::Index(index) => format!("[{index}]"),
            Part::AnyName => "*".to_owned(),
            Part::AnyIndex => "[*]".to_owned(),
        }
    }
}

/// The parts of a path that is well formed.
fn parts(path: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = path.chars().peekable();
    while let Some(first) = characters.next() {
        let mut text = String::new();
        match first {
            '.' => continue,
            '[' => {
                text.extend(characters.by_ref().take_while(|c| *c != ']'));
                parts.push(text.parse().map_or(Part::AnyIndex, Part::Index));
            }
            '"' => {
                while let Some(c) = characters.next().filter(|c| *c != '"') {
                    text.extend(if c == '\\' { characters.next() } else { Some(c) });
                }
                parts.push(Part::Name(text));
            }
            first => {
                text.push(first);
                while let Some(c) = characters.next_if(|c| *c != '.' && *c != '[') {
                    text.push(c);
                }
                parts.push(if text == "*" { Part::AnyName } else { Part::Name(text) });
            }
        }
    }
    parts
}

fn matches(json: &Json, pattern: &[Part], at: String, found: &mut Vec<String>) {
    let Some((first, rest)) = pattern.split_first() else {
        found.push(at);
        return;
    };
    let dot = if at.is_empty() { "" } else { "." };
    match (json, first) {
        (Json::Object(map), Part::AnyName) => {
            for (key, value) in map {
                matches(value, rest, format!("{at}{dot}{}", Part::Name(key.clone()).text()), found);
            }
        }
        (Json::Object(_), Part::Name(_)) => {
            if let Some(value) = first.of(json) {
                matches(value, rest, format!("{at}{dot}{}", first.text()), found);
            }
        }
        (Json::Array(elements), Part::Index(index)) => {
            if let Some(value) = elements.get(*index) {
                matches(value, rest, format!("{at}[{index}]"), found);
            }
        }
        (Json::Array(elements), _) => {
            let rest = if matches!(first, Part::AnyIndex) { rest } else { pattern };
            for (index, value) in elements.iter().enumerate() {
                matches(value, rest, format!("{at}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, Some(float)) if number.is_f64() => Value::Number(float),
            _ => Value::Json(number.to_string()),
        },
        Json::Array(_) | Json::Object(_) => Value::Json(json.to_string()),
    }
}

fn from_value(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Number(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Json(text) => serde_json::from_str(text).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lengths_are_those_of_the_contract() {
        let event = Fake::new(json!({"text": "Zürich ✓", "list": [1, 2], "object": {"a": 1}, "number": 12}));
        let length = |path| event.length(path);
        assert_eq!([length("text"), length("list"), length("object")], [Some(8), Some(2), Some(1)]);
        assert_eq!([length("number"), length("nothing")], [None, None]);
    }

    #[test]
    fn values_are_read_into_types_and_written_from_them() {
        use crate::Fields as _;
        let event = Fake::new(json!({"user": {"id": 7, "name": "ä"}, "n": 1.5, "none": null, "ok": true}));
        let user: std::collections::BTreeMap<String, Json> = event.decode("user").expect("an object").expect("there");
        assert_eq!(user["name"], "ä");
        assert_eq!(event.decode::<f64>("n"), Ok(Some(1.5)));
        assert_eq!(event.decode::<Option<u8>>("none"), Ok(Some(None)));
        assert_eq!(event.decode::<bool>("missing"), Ok(None));
        let error = event.decode::<u8>("user.name").expect_err("it is a text");
        assert!(error.starts_with("`user.name`: invalid type: string"), "{error}");
        event.encode("tags", &["a", "b"]).expect("set");
        let whole: Json = event.decode("").expect("JSON").expect("there");
        assert_eq!(whole["tags"], json!(["a", "b"]));
        event.encode("", &json!({"all": "new"})).expect("set");
        assert_eq!(event.document(), json!({"all": "new"}));
    }

    #[test]
    fn a_text_is_replaced_in_every_element_but_not_where_there_is_null() {
        let event = Fake::new(json!({"to": [{"mail": "a"}, {"mail": null}, {"mail": "b"}]}));
        assert_eq!(event.replace_text("to.mail", "***"), 2);
        assert_eq!(event.document(), json!({"to": [{"mail": "***"}, {"mail": null}, {"mail": "***"}]}));
    }
}
