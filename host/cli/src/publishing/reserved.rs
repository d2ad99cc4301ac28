//! What looks private and is nobody's: addresses under the domains that RFC 2606 sets aside for examples, and the
//! numbers that payment processors publish for testing. Test records are full of both.

use pii::Kind;

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

/// Whether what was found is set aside for examples.
pub(super) fn is_nobodys(kind: Kind, found: &str) -> bool {
    match kind {
        Kind::Email => is_reserved(domain(found)),
        Kind::Card => {
            let digits: String = found.chars().filter(char::is_ascii_digit).collect();
            CARDS.contains(&digits.as_str())
        }
        Kind::Iban => false,
    }
}

/// What stands behind the last at sign, which is `%40` in a URL.
fn domain(address: &str) -> &str {
    address.rsplit_once('@').or_else(|| address.rsplit_once("%40")).map_or("", |(_, domain)| domain)
}

fn is_reserved(domain: &str) -> bool {
    let name = domain.to_ascii_lowercase();
    let below =
        |reserved: &&str| name.strip_suffix(*reserved).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    DOMAINS.iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::{CARDS, is_nobodys};
    use pii::Kind;

    /// How many private things are in a text, and how many of them are nobody's.
    fn count(kind: Kind, text: &str) -> (usize, usize) {
        let mut found = Vec::new();
        kind.find(text, &mut found);
        (found.len(), found.into_iter().filter(|range| is_nobodys(kind, &text[range.clone()])).count())
    }

    #[test]
    fn reserved_domains_are_nobodys() {
        for address in [
            "ann@example.com",
            "a.b+c@mail.Example.ORG",
            "x@shop.test",
            "x@a.invalid",
            "x@b.localhost",
            "x@c.example",
            "cy%40example.net",
        ] {
            assert_eq!(count(Kind::Email, &format!("mail to {address}.")), (1, 1), "{address}");
        }
        for address in [
            "ann@example.com.shop.de",
            "ann@myexample.com",
            "ann@example.commerce.de",
            "ann@example.co",
            "ann@test.de",
            "ann@exämple.com",
            "ann%40shop.de",
        ] {
            assert_eq!(count(Kind::Email, address), (1, 0), "{address}");
        }
        assert_eq!(count(Kind::Email, "a@example.com, b@shop.de"), (2, 1));
    }

    #[test]
    fn test_cards_are_nobodys() {
        for card in CARDS {
            assert_eq!(count(Kind::Card, card), (1, 1), "{card}");
        }
        for text in [
            "card 4111 1111 1111 1111 declined",
            "4242-4242-4242-4242",
            "3782-822463-10005",
            "{\"n\":4242424242424242}",
        ] {
            assert_eq!(count(Kind::Card, text), (1, 1), "{text}");
        }
        assert_eq!(count(Kind::Card, "4539578763621486"), (1, 0));
        assert_eq!(count(Kind::Card, "4111 1111 1111 1111 and 4539 5787 6362 1486"), (2, 1));
    }
}
