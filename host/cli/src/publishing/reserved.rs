//! What looks private and is nobody's: addresses under the domains that RFC 2606 sets aside for examples, and the numbers that
//! payment processors publish for testing. Test records are full of both.

use pii::Kind;
use std::ops::Range;

/// Domains that nobody can register, with all below them.
const DOMAINS: [&str; 7] = ["example", "test", "invalid", "localhost", "example.com", "example.net", "example.org"];

/// Test numbers of Stripe, Adyen, Braintree and PayPal: nobody is charged.
const CARDS: [&str; 23] = [
    "4242424242424242", // Visa
    "4111111111111111",
    "4012888888881881",
    "4000056655665556",
    "4000000000000002",
    "4000000000009995",
    "4222222222222",
    "5555555555554444", // Mastercard
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005", // American Express
    "371449635398431",
    "378734493671000",
    "6011111111111117", // Discover
    "6011000990139424",
    "6011981111111113",
    "3056930009020004", // Diners Club
    "30569309025904",
    "38520000023237",
    "3566002020360505", // JCB
    "3530111333300000",
    "6200000000000005", // UnionPay
];

/// Whether what was found in a text is nobody's.
pub(super) fn is_nobodys(kind: Kind, text: &str, found: Range<usize>) -> bool {
    let (address, rest) = (&text[found.clone()], &text[found.end..]);
    match kind {
        // Before another at sign it is the beginning of something else.
        Kind::Email => is_reserved(domain(address)) && !rest.starts_with('@') && !rest.starts_with("%40"),
        Kind::Card => CARDS.contains(&address.replace([' ', '-'], "").as_str()),
        Kind::Iban => false,
    }
}

/// What is behind the at sign, which may be written as in a URL.
fn domain(address: &str) -> &str {
    let address = address.rsplit('@').next().unwrap_or(address);
    address.rsplit("%40").next().unwrap_or(address)
}

fn is_reserved(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    DOMAINS
        .iter()
        .any(|reserved| domain.strip_suffix(reserved).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::{CARDS, is_nobodys};
    use pii::Kind;

    /// Whether something is found, and whether something of it is somebody's.
    fn look(kind: Kind, text: &str) -> (bool, bool) {
        let mut found = Vec::new();
        kind.find(text, &mut found);
        (!found.is_empty(), found.into_iter().any(|range| !is_nobodys(kind, text, range)))
    }

    #[test]
    fn reserved_domains_are_nobodys() {
        for address in [
            "ann@example.com",
            "a.b+c@mail.Example.ORG",
            "ann%40example.net",
            "x@shop.test",
            "x@a.invalid",
            "x@b.localhost",
            "x@c.example",
        ] {
            assert_eq!(look(Kind::Email, &format!("mail to {address}.")), (true, false), "{address}");
        }
        for address in [
            "ann@example.com.shop.de",
            "ann@myexample.com",
            "ann@example.commerce.de",
            "ann@example.co",
            "ann@test.de",
            "ann%40shop.de",
            "a@example.com@shop.de",
            "a@example.com, b@shop.de",
            "ann@exämple.com",
        ] {
            assert_eq!(look(Kind::Email, address), (true, true), "{address}");
        }
    }

    #[test]
    fn test_cards_are_nobodys() {
        for card in CARDS {
            assert_eq!(look(Kind::Card, card), (true, false), "{card}");
        }
        for text in [
            "card 4111 1111 1111 1111 declined",
            "4242-4242-4242-4242",
            "3782-822463-10005",
            "{\"n\":4242424242424242}",
        ] {
            assert_eq!(look(Kind::Card, text), (true, false), "{text}");
        }
        for text in
            ["4539578763621486", "4111 1111 1111 1111 and 4539 5787 6362 1486", "4539578763621486 4242424242424242"]
        {
            assert_eq!(look(Kind::Card, text), (true, true), "{text}");
        }
    }
}
