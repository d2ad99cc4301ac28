//! Card numbers: 13 to 19 digits with a right check digit, in one piece or in groups with a space or a dash between them.
//!
//! One number in ten passes the check by chance. So that ids and times survive: the first digit is 2 to 6, as on all
//! cards in use (a time since 1970 begins with 1); every group but the last has 3 digits or more; and digits in a
//! UUID, or among hexadecimal letters, are left alone.

use std::ops::Range;

/// How many digits a card number has (ISO/IEC 7812).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

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
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
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
    if !matches!(bytes[groups[0].digits.start], b'2'..=b'6') {
        return None;
    }
    // Which digits are doubled depends on how many there are. So both sums are kept: with the even places doubled, counted
    // from the left, and with the odd ones.
    let mut sums = [0_u32; 2];
    let mut length = 0;
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
            length += 1;
        }
        if DIGITS.contains(&length) && sums[length % 2].is_multiple_of(10) {
            best = Some(index + 1);
        }
    }
    best
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
    let ends = !bytes.get(UUID_LENGTH).is_some_and(u8::is_ascii_alphanumeric);
    let shaped = uuid
        .iter()
        .enumerate()
        .all(|(index, byte)| if UUID_DASHES.contains(&index) { *byte == b'-' } else { byte.is_ascii_hexdigit() });
    ends && shaped && uuid.iter().any(u8::is_ascii_alphabetic)
}
