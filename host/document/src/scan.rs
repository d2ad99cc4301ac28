//! The tokens of the pass: keys, strings and numbers, several bytes at a time.

use crate::bounds::MANY_ESCAPES;
use crate::keys::{self, CLASSES, DOT, Fingerprint, KEY_SHORT, ODD, STOP, swar};
use crate::parse::{Parse, Parser, Token};
use crate::text;
use crate::tree::Facts;
use std::borrow::Cow;

/// Digits that fit a signed 64-bit and a float's range whatever they are.
pub(crate) const SAFE_DIGITS: usize = 18;

/// Bytes of plain text after which more are likely to follow.
const FAR: usize = 64;

/// A key that was passed over.
pub(crate) struct Key {
    /// The first byte behind its closing quote.
    pub(crate) end: usize,
    pub(crate) facts: Facts,
    pub(crate) print: u64,
}

impl Parser<'_> {
    /// A key from its quote on. Nearly all are letters, digits and underscores: eight bytes a turn.
    #[inline]
    pub(crate) fn key(&mut self, start: usize) -> Parse<Key> {
        let mut print = self.print;
        let mut at = start + 1;
        while let Some(word) = self.word_at(at) {
            // Every byte that needs a look is below `0`, or a backslash.
            match swar::first(swar::below(word, b'0') | swar::equal(word, b'\\')) {
                None => {
                    print = print.word(word);
                    at += 8;
                }
                Some(behind) => {
                    let end = at + behind;
                    let length = end - start - 1;
                    let usual =
                        self.text[end] == b'"' && (1..KEY_SHORT).contains(&length) && self.text[start + 1] != b'_';
                    if !usual {
                        break;
                    }
                    let rest = word & ((1 << (8 * behind)) - 1);
                    let print = print.end(rest, length);
                    return Ok(Key { end: end + 1, facts: Facts::default(), print });
                }
            }
        }
        self.rare_key(start)
    }

    /// A key with dots, dashes or oddities, or at the end of the text.
    fn rare_key(&mut self, start: usize) -> Parse<Key> {
        let mut classes = 0;
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at) {
            let class = CLASSES[*byte as usize];
            classes |= class;
            if class & STOP != 0 {
                break;
            }
            at += 1;
        }
        if self.text.get(at) == Some(&b'"')
            && classes & ODD == 0
            && at > start + 1
            && at - start <= KEY_SHORT
            && self.text[start + 1] != b'_'
        {
            let raw = &self.text[start + 1..at];
            if raw.last() == Some(&b'.') {
                return Ok(self.named(start + 1, at, Facts::default()));
            }
            let facts = if classes & DOT == 0 { Facts::default() } else { Facts::KEY_DOTTED };
            self.facts.add(facts);
            return Ok(Key { end: at + 1, facts, print: Fingerprint::of(raw) });
        }
        self.odd_key(start)
    }

    #[cold]
    fn odd_key(&mut self, start: usize) -> Parse<Key> {
        let before = self.escapes;
        let Token { end, .. } = self.string(start)?;
        // A key is unescaped at once, which takes as long again.
        self.escapes += self.escapes - before;
        Ok(self.named(start + 1, end as usize - 1, Facts::KEY_ODD))
    }

    /// A key whose text is `start..end`: where its name ends, and what is to know of it besides `facts`.
    fn named(&mut self, start: usize, end: usize, facts: Facts) -> Key {
        let raw = &self.text[start..end];
        let key = text::unescape_wtf8(raw);
        let name = &key[..keys::name_bytes(&key)];
        let mut facts = facts;
        if name.len() < key.len() {
            facts.add(Facts::KEY_TRAILING);
        }
        if matches!(key, Cow::Owned(_)) {
            facts.add(Facts::KEY_ESCAPED);
        }
        if memchr::memchr(b'.', name).is_some() {
            facts.add(Facts::KEY_DOTTED);
        }
        self.facts.add(facts);
        Key { end: end + 1, facts, print: Fingerprint::of(&key) }
    }

    /// The first byte behind the name of a key whose text is `start..end`: of one with dots at its end, the first of
    /// those.
    #[cold]
    pub(crate) fn name_end(&self, start: usize, end: usize) -> usize {
        start + keys::written_name_bytes(&self.text[start..end])
    }

    /// Eight bytes from `at` on, if there are as many.
    #[inline]
    fn word_at(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.text.get(at..)?.first_chunk()?))
    }

    /// A string from its quote on, and whether it has escapes.
    #[inline]
    pub(crate) fn string(&mut self, start: usize) -> Parse<Token> {
        let mut at = start + 1;
        let (mut facts, mut halves) = (Facts::default(), false);
        at = self.plain_text(at);
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    facts.add(Facts::ESCAPED);
                    halves |= self.is_surrogate(at);
                    at = self.escape(at)?;
                    self.escapes += 1;
                    if self.escapes > self.bounds.escapes {
                        return self.fail(start, MANY_ESCAPES);
                    }
                    if !matches!(self.text.get(at), Some(b'"' | b'\\')) {
                        at = self.plain_text(at);
                    }
                }
                _ => return self.fail(at, "a raw control character stands in a string"),
            }
        }
        if halves && text::has_lone_surrogate(&self.text[start + 1..at]) {
            facts.add(Facts::SURROGATE);
        }
        Ok(Token { end: at as u32 + 1, facts })
    }

    /// Whether an escape is half of a surrogate pair.
    #[inline]
    fn is_surrogate(&self, at: usize) -> bool {
        matches!(self.text.get(at + 1..at + 4), Some([b'u', b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F']))
    }

    /// The first quote, backslash or control character from `at` on: eight bytes a turn, and more where it is far.
    #[inline]
    fn plain_text(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(word) = self.word_at(at) {
            let ends = swar::equal(word, b'"') | swar::equal(word, b'\\') | swar::below(word, b' ');
            if let Some(behind) = swar::first(ends) {
                return at + behind;
            }
            at += 8;
            if at - from > FAR {
                return self.far_text(at);
            }
        }
        while self.text.get(at).is_some_and(|byte| CLASSES[*byte as usize] & STOP == 0) {
            at += 1;
        }
        at
    }

    /// The same for long texts.
    fn far_text(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        // The least of all bytes, which the compiler finds sixteen at a time; a search that stops at the first could
        // not.
        match rest[..end].iter().fold(u8::MAX, |least, &byte| least.min(byte)) {
            0..b' ' => at + rest[..end].iter().position(|&byte| byte < b' ').unwrap_or(end),
            _ => at + end,
        }
    }

    fn escape(&mut self, at: usize) -> Parse<usize> {
        match self.text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.text.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => self.fail(at, "four hexadecimal digits are expected after \\u"),
            },
            _ => self.fail(at, "an unknown escape stands in a string"),
        }
    }

    fn digits(&mut self, mut at: usize) -> Parse<usize> {
        let start = at;
        while self.text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == start { self.fail(at, "a digit is expected") } else { Ok(at) }
    }

    pub(crate) fn number(&mut self, start: usize) -> Parse<Token> {
        let first = if self.text[start] == b'-' { start + 1 } else { start };
        let mut at = self.digits(first)?;
        if self.text[first] == b'0' && at > first + 1 {
            return self.fail(first, "a number begins with 0");
        }
        let mut odd = at - first > SAFE_DIGITS || (first > start && self.text[first] == b'0');
        if self.text.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if matches!(self.text.get(at), Some(b'e' | b'E')) {
            odd = true;
            let sign = usize::from(matches!(self.text.get(at + 1), Some(b'+' | b'-')));
            at = self.digits(at + 1 + sign)?;
        }
        odd |= at - start > SAFE_DIGITS;
        Ok(Token { end: at as u32, facts: if odd { Facts::NUMBER_ODD } else { Facts::default() } })
    }
}
