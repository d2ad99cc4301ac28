//! What no document may contain: e-mail addresses, card numbers, IBANs in any string, keys included. Numbers are not
//! searched: what looks like a card in them is mostly an id. `pii` finds them.

use document::{Document, Exhausted, Meter};
use serde::{Deserialize, Serialize};

/// Units of work that scanning a byte for one kind takes.
const SCAN: u64 = 8;

/// A kind of text that `[document] forbid` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forbidden {
    /// An e-mail address.
    Email,
    /// A payment card number.
    Card,
    /// An IBAN.
    Iban,
}

impl Forbidden {
    /// Its name in settings and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Forbidden::Email => "email",
            Forbidden::Card => "card",
            Forbidden::Iban => "iban",
        }
    }

    /// Whether it occurs in a text.
    fn is_in(self, text: &str) -> bool {
        let kind = match self {
            Forbidden::Email => pii::Kind::Email,
            Forbidden::Card => pii::Kind::Card,
            Forbidden::Iban => pii::Kind::Iban,
        };
        kind.is_in(text)
    }

    /// The first of `forbidden` that occurs in a document, if any.
    ///
    /// # Errors
    /// Looking takes more work than the meter allows.
    pub(crate) fn first_in(
        forbidden: &[Forbidden],
        document: &Document,
        meter: &mut Meter,
    ) -> Result<Option<Forbidden>, Exhausted> {
        let mut found = None;
        if !forbidden.is_empty() {
            let mut matches = |text: &str, meter: &mut Meter| {
                meter.work(SCAN * (text.len() * forbidden.len()) as u64)?;
                found = forbidden.iter().copied().find(|forbidden| forbidden.is_in(text));
                Ok(found.is_some())
            };
            document.any_text(&mut matches, meter)?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::Forbidden::{self, Card, Email, Iban};
    use document::{Document, Exhausted, Meter};

    #[test]
    fn strings_and_keys_are_searched_and_numbers_are_not() {
        let all = [Email, Card, Iban];
        for (text, found) in [
            (r#"{"a":{"b":["x","to a@b.de"]}}"#, Some(Email)),
            (r#"{"a":"ann\u0040example.com"}"#, Some(Email)),
            (r#"{"ann@example.com":1}"#, Some(Email)),
            (r#"{"a":"4111 1111 1111 1111"}"#, Some(Card)),
            (r#"{"a":4111111111111111}"#, None),
            (r#"{"a":"GB82 WEST 1234 5698 7654 32"}"#, Some(Iban)),
            (r#"{"a":"GB82 WEST 1234 5698 7654 33","b":"a@b"}"#, None),
        ] {
            let document = Document::parse(text.as_bytes().to_vec().into()).expect("JSON");
            let first =
                |kinds: &[Forbidden], work| Forbidden::first_in(kinds, &document, &mut Meter::new(work, usize::MAX));
            assert_eq!(first(&all, u64::MAX), Ok(found), "{text}");
            assert_eq!(first(&[], 0), Ok(None));
            assert_eq!(first(&all, 10), Err(Exhausted::Work));
        }
    }
}
