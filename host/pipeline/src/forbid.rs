//! What no document may contain: e-mail addresses, card numbers, IBANs in any string, keys included.
//!
//! Linear in the text, and quick where there is nothing: an address needs an `@`, a card thirteen digits, an IBAN two letters
//! and two digits.

use document::Document;
use serde::{Deserialize, Serialize};

/// A kind of text that `[document] forbid` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forbidden {
    /// An e-mail address: a local part, `@`, and a domain with a dot.
    Email,
    /// A payment card number: 13 to 19 digits, spaces and dashes between them allowed, with a right Luhn sum.
    Card,
    /// An IBAN with right check digits, spaces allowed.
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
    pub fn is_in(self, text: &str) -> bool {
        match self {
            Forbidden::Email => has_email(text.as_bytes()),
            Forbidden::Card => has_card(text.as_bytes()),
            Forbidden::Iban => has_iban(text.as_bytes()),
        }
    }

    /// The first of `forbidden` that occurs in a document, if any.
    pub(crate) fn first_in(forbidden: &[Forbidden], document: &Document) -> Option<Forbidden> {
        let mut found = None;
        if !forbidden.is_empty() {
            document.any_text(&mut |text| {
                found = forbidden.iter().copied().find(|forbidden| forbidden.is_in(text));
                found.is_some()
            });
        }
        found
    }
}

fn has_email(text: &[u8]) -> bool {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte) || byte >= 0x80;
    let domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || *byte >= 0x80;
    text.iter().enumerate().filter(|(_, byte)| **byte == b'@').any(|(at, _)| {
        let before = at > 0 && local(text[at - 1]);
        let length = text[at + 1..].iter().take_while(|byte| domain(byte)).count();
        let name = &text[at + 1..at + 1 + length];
        let dot = name.iter().rposition(|&byte| byte == b'.' && !name.ends_with(b"."));
        let dot = dot.or_else(|| name.iter().position(|&byte| byte == b'.').filter(|&dot| dot + 2 < name.len()));
        before && dot.is_some_and(|dot| dot > 0 && name.len() - dot > 2)
    })
}

/// Digits of a card number: the shortest and the longest that ISO/IEC 7812 allows in use.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

fn has_card(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() || (at > 0 && text[at - 1].is_ascii_digit()) {
            at += 1;
            continue;
        }
        let mut digits = Vec::new();
        let mut end = at;
        while end < text.len() && digits.len() <= *CARD_DIGITS.end() {
            match text[end] {
                digit @ b'0'..=b'9' => digits.push(digit - b'0'),
                b' ' | b'-' if text.get(end + 1).is_some_and(u8::is_ascii_digit) => {}
                _ => break,
            }
            end += 1;
        }
        let longest = digits.len().min(*CARD_DIGITS.end());
        if (*CARD_DIGITS.start()..=longest).any(|length| luhn(&digits[..length])) {
            return true;
        }
        at += 1;
    }
    false
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| match (at % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|&digit| digit != 0)
}

/// Characters of an IBAN, spaces left out.
const IBAN_CHARACTERS: std::ops::RangeInclusive<usize> = 15..=34;

fn has_iban(text: &[u8]) -> bool {
    (0..text.len().saturating_sub(*IBAN_CHARACTERS.start() - 1)).any(|at| {
        let starts = text[at].is_ascii_alphabetic()
            && text[at + 1].is_ascii_alphabetic()
            && text[at + 2].is_ascii_digit()
            && text[at + 3].is_ascii_digit()
            && (at == 0 || !text[at - 1].is_ascii_alphanumeric());
        starts && iban_lengths(&text[at..])
    })
}

/// Whether any admissible length of what begins here has right check digits.
fn iban_lengths(text: &[u8]) -> bool {
    let mut characters = Vec::new();
    for &byte in text {
        match byte {
            b' ' => continue,
            byte if byte.is_ascii_alphanumeric() && characters.len() < *IBAN_CHARACTERS.end() => characters.push(byte),
            _ => break,
        }
    }
    (*IBAN_CHARACTERS.start()..=characters.len()).any(|length| {
        let (head, body) = characters[..length].split_at(4);
        let remainder = body.iter().chain(head).fold(0, |remainder: u32, byte| match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => (remainder * 10 + u32::from(digit - b'0')) % 97,
            letter => (remainder * 100 + u32::from(letter - b'A') + 10) % 97,
        });
        remainder == 1
    })
}

#[cfg(test)]
mod tests {
    use super::Forbidden::{Card, Email, Iban};

    #[test]
    fn finds_what_it_names_and_nothing_else() {
        for (kind, yes, no) in [
            (
                Email,
                &["a@b.de", "mail to first.last+tag@sub.example.com.", "<x@y.io>", "ä@ö.de"][..],
                &["a@b", "@b.de", "a @b.de", "a@.de", "x@y.", "no mail"][..],
            ),
            (
                Card,
                &["4111111111111111", "card 4111 1111 1111 1111 paid", "5500-0000-0000-0004", "id:4111111111111111."],
                &["4111111111111112", "0000000000000000", "12345", "2026-11-22T10:00:00"],
            ),
            (
                Iban,
                &["DE89370400440532013000", "to GB82 WEST 1234 5698 7654 32 now", "de89370400440532013000"],
                &["DE89370400440532013001", "DE8937", "XDE89370400440532013000"],
            ),
        ] {
            yes.iter().for_each(|text| assert!(kind.is_in(text), "{} in {text}", kind.as_str()));
            no.iter().for_each(|text| assert!(!kind.is_in(text), "{} not in {text}", kind.as_str()));
        }
    }
}
