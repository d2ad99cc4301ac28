//! Makes fields of a text such as: level=info msg="user logged in"

use paddlewheel::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parse {
    field: String,
}

impl Plugin for Parse {
    fn transform(&self, event: Event) -> Answer {
        let Some(text) = event.text(&self.field) else {
            return reject(format!("there is no text in `{}`", self.field));
        };
        let pairs = pairs(&text);
        if pairs.is_empty() {
            return reject(format!("`{}` has no key=value pairs", self.field));
        }
        event.remove(&self.field);
        for (key, value) in pairs {
            event.set_text(key, value)?;
        }
        keep(event)
    }
}

/// The pairs of a text; values may stand in quotes.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let is_key = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        let key = &before[before.trim_end_matches(is_key).len()..];
        let quoted = after.strip_prefix('"').and_then(|inner| inner.split_once('"'));
        let (value, behind) = quoted.unwrap_or_else(|| {
            after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()))
        });
        if !key.is_empty() && (quoted.is_some() || !value.is_empty()) {
            found.push((key, value));
        }
        rest = behind;
    }
    found
}

paddlewheel::plugin!(Parse);
