//! Private text in test records: they are uploaded, and everybody who may read the store can read them. What is set
//! aside for examples (`reserved`) is nobody's.

use super::reserved;
use lambda::trial::{TrialCase, TrialRecords};
use pii::Kind;
use serde_json::Value;
use unpack::Unpacked;

/// What was found, one sentence part a case and kind: `an e-mail address in test \`a\``.
pub(super) fn found(records: &TrialRecords) -> Vec<String> {
    records.cases.iter().flat_map(of_case).collect()
}

fn of_case(case: &TrialCase) -> Vec<String> {
    let mut texts = case.expected.clone();
    for record in &case.records {
        let Ok(bytes) = base64_simd::STANDARD.decode_to_vec(record.as_bytes()) else { continue };
        // What is packed is as readable as what is not.
        if let (Ok(Unpacked::Parts(parts)), _) = unpack::unpack(&bytes.clone().into(), &unpack::Settings::default()) {
            texts.extend(parts.iter().map(|part| String::from_utf8_lossy(&part.data).into_owned()));
        }
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let has = |kind: &Kind| texts.iter().any(|text| is_in(*kind, text));
    Kind::ALL.into_iter().filter(has).map(|kind| format!("{} in test `{}`", told(kind), case.name)).collect()
}

fn told(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "an e-mail address",
        Kind::Card => "a card number",
        Kind::Iban => "an IBAN",
    }
}

/// Whether it occurs in a text as it stands, or in a string of its JSON once escapes are undone.
fn is_in(kind: Kind, text: &str) -> bool {
    occurs(kind, text) || serde_json::from_str::<Value>(text).is_ok_and(|value| is_in_value(kind, &value))
}

fn is_in_value(kind: Kind, value: &Value) -> bool {
    match value {
        Value::String(text) => occurs(kind, text),
        Value::Array(items) => items.iter().any(|item| is_in_value(kind, item)),
        Value::Object(members) => members.iter().any(|(key, value)| occurs(kind, key) || is_in_value(kind, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn occurs(kind: Kind, text: &str) -> bool {
    let mut found = Vec::new();
    kind.find(text, &mut found);
    found.into_iter().any(|range| !reserved::is_nobodys(kind, &text[range]))
}

#[cfg(test)]
mod tests {
    use super::found;
    use lambda::trial::{TrialCase, TrialRecords};

    fn check(record: &str, expected: &[&str]) {
        let records = vec![base64_simd::STANDARD.encode_to_string(record)];
        let case = TrialCase { name: "a".into(), records, expected: vec![r#"{"dropped_by":"x"}"#.into()] };
        assert_eq!(found(&TrialRecords { version: 1, cases: vec![case] }), expected, "{record}");
    }

    #[test]
    fn private_text_is_found_however_it_is_written() {
        check(r#"{"level":"INFO"}"#, &[]);
        check(r#"{"user":"ann@example.com","card":4111111111111111}"#, &[]);
        check(r#"{"user":"ann@shop.de"}"#, &["an e-mail address in test `a`"]);
        check(r#"{"user":"ann\u0040shop.de"}"#, &["an e-mail address in test `a`"]);
        check(r#"{"n":4539578763621486}"#, &["a card number in test `a`"]);
        check("mail ann@shop.de, DE89370400440532013000", &["an e-mail address in test `a`", "an IBAN in test `a`"]);
    }
}
