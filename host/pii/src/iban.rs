//! IBANs: the country, two check digits and the account, with the country's length and a right remainder. In one piece,
//! or in groups of four with a space or a dash between them.

use crate::looked_at;
use std::ops::Range;

/// How many characters an IBAN has in each country (SWIFT's registry).
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 \
    DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 \
    KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 \
    PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 \
    YE30";

/// How many characters stand together in the written form.
const GROUP: usize = 4;

/// Appends where the IBANs are.
pub(crate) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match end_of_iban(&bytes[at..]) {
            Some(length) => {
                found.push(at..at + length);
                at += length;
            }
            // Only the beginning of a word can begin an IBAN.
            None if bytes[at].is_ascii_alphanumeric() => {
                let word = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                looked_at(word);
                at += word;
            }
            None => at += 1,
        }
    }
}

/// The length of the IBAN that a text begins with.
fn end_of_iban(text: &[u8]) -> Option<usize> {
    let [a, b, c, d, ..] = text else { return None };
    if !c.is_ascii_digit() || !d.is_ascii_digit() {
        return None;
    }
    let wanted = length_in(a.to_ascii_uppercase(), b.to_ascii_uppercase())?;
    let mut characters = Vec::with_capacity(wanted);
    let mut at = 0;
    while characters.len() < wanted {
        let between = !characters.is_empty() && characters.len().is_multiple_of(GROUP);
        match text.get(at)? {
            b' ' | b'-' if between && text[at - 1].is_ascii_alphanumeric() => {}
            byte if byte.is_ascii_alphanumeric() => characters.push(byte.to_ascii_uppercase()),
            _ => return None,
        }
        looked_at(1);
        at += 1;
    }
    let ends = !text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (ends && remainder(&characters) == 1).then_some(at)
}

fn length_in(a: u8, b: u8) -> Option<usize> {
    looked_at(1);
    let entry = LENGTHS.split(' ').find(|entry| entry.as_bytes()[..2] == [a, b])?;
    entry[2..].parse().ok()
}

/// The whole as a number, the first four characters moved to the end and letters as 10 to 35, modulo 97 (ISO 7064).
fn remainder(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at(GROUP);
    tail.iter().chain(head).fold(0, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        letter => (sum * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    })
}
