//! What looks private and is nobody's: addresses under the domains that RFC 2606 sets aside for examples, and the numbers that
//! payment processors publish for testing. Test records are full of both.

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

/// The text with the `@` of reserved addresses and the digits of test cards blanked out: what is still found in it is real.
pub(super) fn blanked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len() {
        match bytes[at] {
            b'@' if is_reserved(domain(&text.as_bytes()[at + 1..])) => bytes[at] = b' ',
            b'0'..=b'9' if at == 0 || !bytes[at - 1].is_ascii_digit() => {
                let end = at + test_card(&bytes[at..]).unwrap_or(0);
                bytes[at..end].fill(b'x');
            }
            _ => {}
        }
    }
    // One byte of ASCII for another.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What a domain's characters go on for, without dots at its end.
fn domain(text: &[u8]) -> &[u8] {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || **byte >= 0x80;
    let mut name = &text[..text.iter().take_while(is_part).count()];
    while let Some(shorter) = name.strip_suffix(b".") {
        name = shorter;
    }
    name
}

fn is_reserved(domain: &[u8]) -> bool {
    let name = domain.to_ascii_lowercase();
    DOMAINS.iter().any(|reserved| {
        name.strip_suffix(reserved.as_bytes()).is_some_and(|before| before.is_empty() || before.ends_with(b"."))
    })
}

/// How long a test card's number is that begins here, as whole number, spaces and dashes between its digits included.
fn test_card(text: &[u8]) -> Option<usize> {
    CARDS.iter().find_map(|card| {
        let mut at = 0;
        for (place, digit) in card.bytes().enumerate() {
            at += usize::from(place > 0 && matches!(text.get(at), Some(b' ' | b'-')));
            if text.get(at) != Some(&digit) {
                return None;
            }
            at += 1;
        }
        (!text.get(at).is_some_and(u8::is_ascii_digit)).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::{CARDS, blanked};
    use pipeline::Forbidden;

    fn is_private(text: &str) -> bool {
        [Forbidden::Email, Forbidden::Card].iter().any(|kind| kind.is_in(&blanked(text)))
    }

    #[test]
    fn reserved_domains_are_nobodys() {
        for address in
            ["ann@example.com", "a.b+c@mail.Example.ORG", "x@shop.test", "x@a.invalid", "x@b.localhost", "x@c.example"]
        {
            let text = format!("mail to {address}.");
            assert!(Forbidden::Email.is_in(&text) && !is_private(&text), "{address}");
        }
        for address in [
            "ann@example.com.shop.de",
            "ann@myexample.com",
            "ann@example.commerce.de",
            "ann@example.co",
            "ann@test.de",
            "a@example.com@shop.de",
            "a@example.com, b@shop.de",
            "ann@exämple.com",
        ] {
            assert!(is_private(address), "{address}");
        }
    }

    #[test]
    fn test_cards_are_nobodys() {
        for card in CARDS {
            assert!(Forbidden::Card.is_in(card) && !is_private(card), "{card}");
        }
        for text in [
            "card 4111 1111 1111 1111 declined",
            "4242-4242-4242-4242",
            "3782-822463-10005",
            "{\"n\":4242424242424242}",
        ] {
            assert!(Forbidden::Card.is_in(text) && !is_private(text), "{text}");
        }
        for text in
            ["4539578763621486", "4111 1111 1111 1111 and 4539 5787 6362 1486", "4539578763621486 4242424242424242"]
        {
            assert!(is_private(text), "{text}");
        }
    }
}
