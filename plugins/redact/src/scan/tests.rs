//! What is found, what is left alone, and that nothing can be hidden from the scanners by what stands around it.

use proptest::prelude::*;

use super::{Kind, mask};

const ALL: [Kind; 3] = [Kind::Email, Kind::Card, Kind::Iban];

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(mask(text, &ALL, "***").as_deref().unwrap_or(text), expected);
}

#[test]
fn email_addresses() {
    check("from joe.bloggs+tag@mail.example.com.", "from ***.");
    check("<joe@example.com>,ann@example.org", "<***>,***");
    check("email=joe@example.com&x", "email=***&x");
    check("?u=joe%40example.com&x=1", "?u=***&x=1");
    check("jürgen@bücher.example", "***");
    check("a@b@example.com", "a@***");
    check("joe@example.com-", "***-");
    for text in ["@", "a@", "@b.com", "a@b", "a@1.2.3.4", "a@b.c", "user@localhost", "100%40", "a@.com"] {
        check(text, text);
    }
}

#[test]
fn card_numbers() {
    check("paid with 4111 1111 1111 1111 on", "paid with *** on");
    check("4111-1111-1111-1111", "***");
    check("card:5500005555555559,cvv", "card:***,cvv");
    check("378282246310005", "***");
    check("3782 822463 10005", "***");
    check("4222222222222", "***");
    check("6304 0000 0000 0000 000", "***");
    check("card4111111111111111", "card***");
    check("\\n4111111111111111", "\\n***");
    check("4111 1111 1111 1111 12/26", "*** 12/26");
    check("17 4111 1111 1111 1111", "17 ***");
}

#[test]
fn digits_that_are_no_card() {
    for text in [
        "4111 1111 1111 1112",
        "1732406400000",
        "0000000000000000",
        "41111111111111111111111111111111",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "a4111111111111111f",
        "41111111-1111-4111-8111-11111111111f",
        "4111  1111  1111  1111",
        "sizes 40 12 34 56 78 90 12 34",
    ] {
        check(text, text);
    }
}

#[test]
fn ibans() {
    check("DE89 3704 0044 0532 0130 00 bitte", "*** bitte");
    check("IBAN:GB82WEST12345698765432.", "IBAN:***.");
    check("de89370400440532013000", "***");
    check("NO9386011117947", "***");
    check("MT84-MALT-0110-0001-2345-MTLC-AST0-01S", "***");
    for text in ["DE88370400440532013000", "DE8937040044053201300", "XX89370400440532013000", "EU27 MEMB ERSS TATE"] {
        check(text, text);
    }
}

#[test]
fn overlapping_matches_are_one() {
    check("4111111111111111@example.com", "***");
}

proptest! {
    #[test]
    fn masked_text_holds_no_match(text in "\\PC*|[0-9 -]*|[a-z0-9@. %-]*|[A-Z0-9 ]*") {
        if let Some(masked) = mask(&text, &ALL, "***") {
            prop_assert_eq!(mask(&masked, &ALL, "***"), None);
        }
    }

    #[test]
    fn only_matches_change(before in "[^0-9A-Za-z@%]*", after in "[^0-9A-Za-z@%]*") {
        let after = format!("\n{after}");
        for secret in ["4111-1111-1111-1111", "DE89370400440532013000"] {
            let masked = mask(&format!("{before}{secret}{after}"), &ALL, "***");
            prop_assert_eq!(masked, Some(format!("{before}***{after}")));
        }
    }

    #[test]
    fn an_address_is_found_anywhere(before in "\\PC*", local in "[a-z]{1,8}", domain in "[a-z]{1,8}\\.[a-z]{2,4}") {
        let address = format!("{local}@{domain}");
        let masked = mask(&format!("{before} {address} x"), &ALL, "***").unwrap_or_default();
        prop_assert!(!masked.contains(&address));
    }

    #[test]
    fn a_card_of_any_length_is_found(digits in "[2-6][0-9]{11,17}", separator in prop_oneof!["", " ", "-"]) {
        let check_digit = (0..10).find(|digit| luhn(&format!("{digits}{digit}"))).expect("one of ten passes");
        let number = format!("{digits}{check_digit}");
        let groups: Vec<String> = number.as_bytes().chunks(4).map(|g| String::from_utf8_lossy(g).into_owned()).collect();
        let written = groups.join(&separator);
        prop_assert_eq!(mask(&format!("x {written} y"), &ALL, "***"), Some("x *** y".to_owned()));
    }
}

/// The check as the standard words it, from the right.
fn luhn(number: &str) -> bool {
    let sum: u32 = number.bytes().rev().enumerate().fold(0, |sum, (index, byte)| {
        let digit = u32::from(byte - b'0') * if index % 2 == 1 { 2 } else { 1 };
        sum + digit / 10 + digit % 10
    });
    sum.is_multiple_of(10)
}
