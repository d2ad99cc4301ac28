//! What is found, what is left alone, and that nothing can be hidden from the scanners by what stands around it.

use super::{Kind, mask};
use proptest::prelude::*;
use std::cell::Cell;

thread_local! {
    /// Bytes that the scanners looked at, besides their one way through the text.
    pub(super) static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(mask(text, &Kind::ALL, "***").as_deref().unwrap_or(text), expected);
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
    check("No.4111111111111111.", "No.***.");
    check("in 3.4111 1111 1111 1111", "in 3.***");
    check("-4111111111111111", "-***");
}

#[test]
fn cards_of_every_issuer() {
    // Numbers that issuers and gateways give for tests.
    for number in [
        "4242424242424242",
        "4000056655665556",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "5105105105105100",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011981111111113",
        "30569309025904",
        "38520000023237",
        "36227206271667",
        "3566002020360505",
        "6200000000000005",
        "6205500000000000004",
        "2200000000000004",
        "9792030394440796",
        "6759649826438453",
        "5018000000000009",
        "6062826786276634",
    ] {
        check(number, "***");
        assert!(Kind::Card.is_in(&format!("card={number};")), "{number}");
    }
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
        // A right check digit, and no issuer: times in milli- and microseconds, ids.
        "1732406400009",
        "1732406400000008",
        "7992739871300008",
        "0000000000000000",
        // An issuer, and a length that its cards do not have.
        "42424242424242",
        "55555555555546",
        // Fractions, and numbers with one.
        "0.4111111111111111",
        "4111111111111111.5",
        "[52.5555555555554444,13.4]",
        // Part of a longer number: a sequence number of Kinesis.
        "49590338271490256608559692538361571095921575989136588898",
        "4111111111111111000000000000000000000000",
    ] {
        check(text, text);
    }
    assert!(right("1732406400009") && right("1732406400000008") && right("7992739871300008"));
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
        if let Some(masked) = mask(&text, &Kind::ALL, "***") {
            prop_assert_eq!(mask(&masked, &Kind::ALL, "***"), None);
        }
    }

    #[test]
    fn only_matches_change(before in "[^0-9A-Za-z@%]*", after in "[^0-9A-Za-z@%]*") {
        let after = format!("\n{after}");
        for secret in ["4111-1111-1111-1111", "DE89370400440532013000"] {
            let masked = mask(&format!("{before}{secret}{after}"), &Kind::ALL, "***");
            prop_assert_eq!(masked, Some(format!("{before}***{after}")));
        }
    }

    #[test]
    fn an_address_is_found_anywhere(before in "\\PC*", local in "[a-z]{1,8}", domain in "[a-z]{1,8}\\.[a-z]{2,4}") {
        let address = format!("{local}@{domain}");
        let masked = mask(&format!("{before} {address} x"), &Kind::ALL, "***").unwrap_or_default();
        prop_assert!(!masked.contains(&address));
    }

    #[test]
    fn a_card_of_any_length_is_found(
        digits in prop_oneof!["4[0-9]{14}", "4[0-9]{17}", "5[1-5][0-9]{13}", "3[47][0-9]{12}", "6[0-9]{11,17}"],
        separator in prop_oneof!["", " ", "-"],
    ) {
        let check_digit = (0..10).find(|digit| right(&format!("{digits}{digit}"))).expect("one of ten passes");
        let number = format!("{digits}{check_digit}");
        let groups: Vec<String> = number.as_bytes().chunks(4).map(|g| String::from_utf8_lossy(g).into_owned()).collect();
        let written = groups.join(&separator);
        prop_assert_eq!(mask(&format!("x {written} y"), &Kind::ALL, "***"), Some("x *** y".to_owned()));
    }

    #[test]
    fn what_is_masked_is_found_no_more(parts in prop::collection::vec(part(), 1..8), mask in "[*a-z@. -]{0,6}") {
        let text = parts.concat();
        let kinds_in = |text: &str| Kind::ALL.into_iter().any(|kind| kind.is_in(text));
        prop_assume!(!kinds_in(&mask));
        match super::mask(&text, &Kind::ALL, &mask) {
            Some(masked) => prop_assert!(!kinds_in(&masked), "{} became {}", text, masked),
            None => prop_assert!(!kinds_in(&text), "{}", text),
        }
    }

    #[test]
    fn hostile_texts_take_linear_time(unit in prop::collection::vec(part(), 1..4)) {
        linear(&unit.concat());
    }
}

/// What texts are put together from: things to find, and what may stand between them.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("4111 1111 1111 1111".to_owned()),
        Just("378282246310005".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("GB82 WEST 1234 5698 7654 32".to_owned()),
        Just("joe@example.com".to_owned()),
        Just("%40".to_owned()),
        "[0-9]{1,5}",
        "[-. @%:/]",
        "[a-zA-Z]{1,3}",
    ]
}

/// Bytes looked at for each byte of text, at most: a word is looked at by each scanner, and may be the start of a UUID,
/// a card number or an IBAN. The worst known takes 13.
const LOOKED_AT_MAX: usize = 40;

#[track_caller]
fn linear(unit: &str) {
    let text = unit.repeat(20_000 / unit.len().max(1));
    LOOKED_AT.set(0);
    for kind in Kind::ALL {
        kind.is_in(&text);
    }
    let looked_at = LOOKED_AT.get();
    assert!(looked_at <= text.len() * LOOKED_AT_MAX, "{looked_at} bytes looked at in {} of {unit:?}", text.len());
}

#[test]
fn known_hostile_texts_take_linear_time() {
    for unit in [
        "@",
        "a@",
        "a%40",
        "%40@",
        "a.",
        "a@.",
        "@a.b",
        "1",
        "1 ",
        "111 ",
        "4111-",
        "4111 1111 1111 111 ",
        "DE89",
        "DE89 ",
        "DE89 3704 0044 ",
        "a-",
        "-.",
        "12345678-1234-1234-1234-1234567890ab",
        "1a",
        "1a-",
        "\u{e9}@",
    ] {
        linear(unit);
    }
    linear(&format!("a@{}", "-.".repeat(9_000)));
    linear(&format!("a@{}.ab", "-".repeat(9_000)));
    linear(&format!("{}@", "a".repeat(9_000)));
}

/// The check as the standard words it, from the right.
fn right(number: &str) -> bool {
    let sum: u32 = number.bytes().rev().enumerate().fold(0, |sum, (index, byte)| {
        let digit = u32::from(byte - b'0') * if index % 2 == 1 { 2 } else { 1 };
        sum + digit / 10 + digit % 10
    });
    sum.is_multiple_of(10)
}
