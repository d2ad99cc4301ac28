//! The answer to the event source mapping. Serialised here and nowhere else: a misspelt key would read as success.

use serde::Serialize;

#[derive(Serialize)]
struct Response<'a> {
    #[serde(rename = "batchItemFailures")]
    batch_item_failures: &'a [Failure<'a>],
}

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(rename = "itemIdentifier")]
    item_identifier: &'a str,
}

/// Everything is settled, or everything from this sequence number on is to be sent again. One entry says it: Kinesis
/// rewinds to the lowest.
pub(crate) fn response(first_unsettled: Option<&str>) -> Vec<u8> {
    let failure = first_unsettled.map(|item_identifier| Failure { item_identifier });
    let response = Response { batch_item_failures: failure.as_slice() };
    serde_json::to_vec(&response).expect("strings are JSON")
}

#[cfg(test)]
mod tests {
    use super::response;

    #[test]
    fn bytes_are_exactly_what_aws_reads() {
        assert_eq!(response(None), br#"{"batchItemFailures":[]}"#);
        let expected =
            br#"{"batchItemFailures":[{"itemIdentifier":"49590338271490256608559692538361571095921575989136588898"}]}"#;
        assert_eq!(response(Some("49590338271490256608559692538361571095921575989136588898")), expected);
    }
}
