//! Card numbers: 13 to 19 digits with a right check digit, in one piece or in groups with a space or a dash between
//! them.
//!
//! One number in ten passes the check by chance. So that ids and times survive, it must begin as an issuer's numbers do
//! and be as long as they are (a time since 1970 in milli- or microseconds begins with 1, and no card does); every
//! group but the last has 3 digits or more; and digits of a longer number, of a decimal fraction or one with a
//! fraction, of a UUID, or among hexadecimal letters are left alone.

use crate::looked_at;
use std::ops::Range;

/// How many digits a card number has (ISO/IEC 7812).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// How numbers begin, from and to by their first four digits, and how many digits they have. Issuers' own lists are
/// finer, and change; where they give ranges away by the month, the whole is here.
const ISSUERS: &[(u16, u16, std::ops::RangeInclusive<usize>)] = &[
    (2200, 2204, 16..=19), // Mir
    (2221, 2720, 16..=16), // Mastercard
    (3000, 3059, 14..=19), // Diners Club
    (3095, 3095, 14..=19), // Diners Club
    (3400, 3499, 15..=15), // American Express
    (3528, 3589, 16..=19), // JCB
    (3600, 3699, 14..=19), // Diners Club
    (3700, 3799, 15..=15), // American Express
    (3800, 3999, 14..=19), // Diners Club
    (4000, 4999, 13..=13), // Visa, as it was
    (4000, 4999, 16..=16), // Visa
    (4000, 4999, 19..=19), // Visa
    (5000, 5099, 13..=19), // Maestro, Elo, RuPay
    (5100, 5599, 16..=16), // Mastercard
    (5600, 5899, 13..=19), // Maestro
    (6000, 6999, 13..=19), // Discover, UnionPay, Maestro, RuPay, Hipercard, InterPayment
    (8100, 8299, 16..=19), // UnionPay, RuPay
    (9792, 9792, 16..=16), // Troy
];

/// The fewest digits of a group that another follows.
const GROUP_DIGITS_MIN: usize = 3;

/// The length of a UUID, and where its dashes are.
const UUID_LENGTH: usize = 36;
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

/// Digits that stand together.
struct Group {
    digits: Range<usize>,
    /// Only a space or a dash is between this group and the one before.
    joined: bool,
}

/// Appends where the numbers are.
pub(crate) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < *DIGITS.start() {
        return;
    }
    let groups = groups(bytes);
    let mut first = 0;
    while first < groups.len() {
        match longest(bytes, &groups[first..]) {
            Some(count) => {
                found.push(groups[first].digits.start..groups[first + count - 1].digits.end);
                first += count;
            }
            None => first += 1,
        }
    }
}

/// How many groups, from the first on, make the longest card number.
fn longest(bytes: &[u8], groups: &[Group]) -> Option<usize> {
    // Which digits are doubled depends on how many there are. So both sums are kept: with the even places doubled,
    // counted from the left, and with the odd ones.
    let mut sums = [0_u32; 2];
    let (mut length, mut prefix) = (0, 0);
    let mut best = None;
    for (index, group) in groups.iter().enumerate() {
        let follows = index == 0 || group.joined && groups[index - 1].digits.len() >= GROUP_DIGITS_MIN;
        if !follows || length + group.digits.len() > *DIGITS.end() {
            break;
        }
        for digit in bytes[group.digits.clone()].iter().map(|byte| u32::from(byte - b'0')) {
            let doubled = if digit > 4 { digit * 2 - 9 } else { digit * 2 };
            sums[length % 2] += doubled;
            sums[1 - length % 2] += digit;
            if length < 4 {
                prefix = prefix * 10 + digit as u16;
            }
            length += 1;
        }
        looked_at(group.digits.len());
        let fits = DIGITS.contains(&length) && sums[length % 2].is_multiple_of(10) && is_issued(prefix, length);
        if fits && !(index == 0 && is_fraction(bytes, &group.digits)) {
            best = Some(index + 1);
        }
    }
    best
}

fn is_issued(prefix: u16, length: usize) -> bool {
    ISSUERS.iter().any(|(from, to, lengths)| (*from..=*to).contains(&prefix) && lengths.contains(&length))
}

/// Whether these digits are what is behind or before a decimal point.
fn is_fraction(bytes: &[u8], digits: &Range<usize>) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let is_point = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&b'.');
    let (before, after) = (digits.start.checked_sub(1), Some(digits.end));
    is_point(before) && is_digit(digits.start.checked_sub(2)) || is_point(after) && is_digit(Some(digits.end + 1))
}

/// All digits of a text in groups, but for those that belong to ids.
fn groups(bytes: &[u8]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
        } else if is_uuid(&bytes[at..]) {
            at += UUID_LENGTH;
        } else {
            let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            looked_at(length);
            let word = at..at + length;
            if !is_hexadecimal(&bytes[word.clone()]) {
                digits_of(bytes, word.clone(), &mut groups);
            }
            at = word.end;
        }
    }
    groups
}

/// Appends the runs of digits in a word.
fn digits_of(bytes: &[u8], word: Range<usize>, groups: &mut Vec<Group>) {
    let mut at = word.start;
    while at < word.end {
        let length = bytes[at..word.end].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let joined = at > 0
            && matches!(bytes[at - 1], b' ' | b'-')
            && groups.last().is_some_and(|before: &Group| before.digits.end == at - 1);
        groups.push(Group { digits: at..at + length, joined });
        at += length;
    }
}

/// Whether a word mixes digits with letters that are all hexadecimal digits.
fn is_hexadecimal(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_hexdigit) && !word.iter().all(u8::is_ascii_digit)
}

/// Whether a text begins with a UUID: five groups of hexadecimal digits, with a letter among them.
fn is_uuid(bytes: &[u8]) -> bool {
    if bytes.get(UUID_DASHES[0]) != Some(&b'-') {
        return false;
    }
    let Some(uuid) = bytes.get(..UUID_LENGTH) else { return false };
    looked_at(UUID_LENGTH);
    let ends = !bytes.get(UUID_LENGTH).is_some_and(u8::is_ascii_alphanumeric);
    let shaped = uuid
        .iter()
        .enumerate()
        .all(|(index, byte)| if UUID_DASHES.contains(&index) { *byte == b'-' } else { byte.is_ascii_hexdigit() });
    ends && shaped && uuid.iter().any(u8::is_ascii_alphabetic)
}
