//! E-mail addresses: `local@domain`, as people and logs write them. `%40`, the at sign in a URL, counts as one.
//!
//! Not found: a local part in quotes, a domain without a dot, an address of numbers.

use crate::looked_at;
use std::ops::Range;

/// The shortest last part of a domain, in characters.
const TOP_LEVEL_MIN: usize = 2;

/// Appends where the addresses are.
pub(crate) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some((at, sign_length)) = next_sign(text, from) {
        let after = at + sign_length;
        // What lies before `from` was looked at already, as part of the address before.
        let local = text[from..at].chars().rev().take_while(|c| is_local(*c)).map(char::len_utf8).sum::<usize>();
        let domain = domain_length(&text[after..]);
        looked_at(local + 1);
        match domain {
            Some(domain) if local > 0 => {
                found.push(at - local..after + domain);
                from = after + domain;
            }
            _ => from = after,
        }
    }
}

/// Where the next at sign is, and how many bytes it has.
fn next_sign(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let at = from
        + bytes[from..].iter().enumerate().position(|(i, byte)| match byte {
            b'@' => true,
            b'%' => bytes[from + i..].starts_with(b"%40"),
            _ => false,
        })?;
    Some((at, if bytes[at] == b'@' { 1 } else { 3 }))
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-')
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// The length of the domain at the start of a text, if there is one: names with a dot between them, the last of which
/// begins with a letter.
fn domain_length(text: &str) -> Option<usize> {
    let length: usize = text.chars().take_while(|c| is_domain(*c)).map(char::len_utf8).sum();
    let mut domain = &text[..length];
    looked_at(length);
    loop {
        domain = domain.trim_end_matches(['.', '-']);
        let (before, last) = domain.rsplit_once('.')?;
        let top_level = last.chars().count() >= TOP_LEVEL_MIN && last.starts_with(char::is_alphabetic);
        looked_at(last.len());
        if top_level && before.chars().inspect(|_| looked_at(1)).any(char::is_alphanumeric) {
            return Some(domain.len());
        }
        domain = before;
    }
}
