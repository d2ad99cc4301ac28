//! Every recorded case of `tests/data/opensearch/ground-truth.jsonl` against the check on the way out.

use crate::{Document, Meter, Newlines, Rules};
use serde_json::Value;

/// Cases that the bytes of one document cannot decide, with the reason. They pass.
const UNDECIDABLE: &[(&str, &str)] = &[
    ("no-final-newline", "about the body of a bulk request"),
    ("http-10mb-20mb", "about the size of a bulk request"),
    ("http-10mb-over", "about the size of a bulk request"),
    ("http-10mb-many", "about the size of a bulk request"),
    ("text-50000001", "larger than any Firehose record: refused by size"),
    ("stream-missing", "about a data stream"),
    ("stream-null", "about a data stream"),
    ("stream-bad", "about a data stream"),
    ("stream-empty", "about a data stream"),
    ("stream-array", "about a data stream"),
    ("stream-space", "about a data stream"),
    ("stream-nested", "about a data stream"),
    ("stream-number", "about a data stream"),
    ("id-513", "about an _id, which Firehose lets nobody set"),
    ("id-empty", "about an _id, which Firehose lets nobody set"),
    ("index-twice", "about an _id, which Firehose lets nobody set"),
    ("same-event-id", "a field of the user's own"),
    ("bulk-missing-document", "about the body of a bulk request"),
    ("bulk-empty-body", "about the body of a bulk request"),
    ("bulk-only-newline", "about the body of a bulk request"),
    ("bulk-no-final-newline", "about the body of a bulk request"),
    ("bulk-inject-half-last", "about the last action of a bulk request; its document is checked as bulk-inject-half"),
    ("ip-zone", "an ordinary text unless the mapping says ip"),
    ("date-epoch", "an ordinary number unless the mapping says date"),
    ("date-epoch-fraction", "an ordinary number unless the mapping says date"),
    ("date-broken-lenient", "an ordinary text; depends on ignore_malformed"),
];

/// Cases that passed only because of a mapping that is not the usual one; documents like them are refused.
const REFUSED_ALL_THE_SAME: &[(&str, &str)] = &[
    ("dot-double-unmapped", "passes below an object that is not indexed"),
    ("depth-unmapped", "passes below an object that is not indexed"),
    ("keyword-2^64", "1e400 passes where the field is mapped as keyword"),
    ("lenient-range", "1e400 passes under ignore_malformed"),
    ("lenient-first", "1e400 passes under ignore_malformed"),
    ("array-of-objects", "not one JSON object: Firehose refuses it whatever the mapping"),
    ("array-empty", "not one JSON object: Firehose refuses it whatever the mapping"),
    ("dynamic-false-dotted", "passes under dynamic: false"),
    ("dynamic-false-array", "passes under dynamic: false"),
];

struct Case {
    id: String,
    verdict: String,
    documents: Vec<Vec<u8>>,
    /// The bytes alone do not decide: several documents, a mapping, or a listed reason.
    undecidable: bool,
}

fn base64(text: &str) -> Vec<u8> {
    let sextet =
        |byte: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&b| b == byte);
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let bits = chunk.iter().fold(0, |bits, &byte| bits << 6 | sextet(byte).unwrap_or(0));
        let length = 3 - chunk.iter().filter(|&&byte| byte == b'=').count();
        bytes.extend_from_slice(&(bits as u32).to_be_bytes()[1..1 + length]);
    }
    bytes
}

fn bytes(document: &Value) -> Vec<u8> {
    match document {
        Value::String(text) => base64(text),
        Value::Array(pieces) => {
            let piece = |piece: &Value| {
                base64(piece[0].as_str().expect("base64")).repeat(piece[1].as_u64().expect("a count") as usize)
            };
            pieces.iter().flat_map(piece).collect()
        }
        other => panic!("no document: {other}"),
    }
}

fn cases() -> Vec<Case> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/opensearch/ground-truth.jsonl");
    let text = std::fs::read_to_string(file).expect("the recorded cases");
    let case = |line: &str| {
        let case: Value = serde_json::from_str(line).expect("a case");
        let id = case["id"].as_str().expect("an id").to_owned();
        let verdict = case["verdict"].as_str().expect("a verdict").to_owned();
        let documents: Vec<_> = case["documents"].as_array().expect("documents").iter().map(bytes).collect();
        let raw = case["bulk"] == "raw";
        let needs_history = verdict == "warn" && (documents.len() > 1 || !case["setup"].is_null());
        let undecidable = raw
            || needs_history
            || matches!(&*verdict, "mapping" | "config")
            || UNDECIDABLE.iter().chain(REFUSED_ALL_THE_SAME).any(|(known, _)| *known == id);
        Case { id, verdict, documents, undecidable }
    };
    text.lines().map(case).collect()
}

/// What becomes of a document: the refusal, or the bytes sent and how many warnings and repairs.
fn check(bytes: &[u8], strict: bool) -> Result<(Vec<u8>, usize, u32), String> {
    let mut document = Document::parse(bytes.to_vec().into()).map_err(|error| error.to_string())?;
    let rules = Rules { strict, newlines: Newlines::Refuse, id_field: None, stamp: None };
    let checked = rules.check(&mut document, "", &mut Meter::unlimited()).map_err(|refusal| refusal.to_string())?;
    Ok((checked.bytes, checked.warnings.len(), checked.repairs))
}

#[test]
fn every_verdict_is_obeyed() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| !case.undecidable) {
        let results: Vec<_> = case.documents.iter().map(|document| check(document, false)).collect();
        let strict: Vec<_> = case.documents.iter().map(|document| check(document, true)).collect();
        let fits = match &*case.verdict {
            // One bad document among several is enough; the others may pass.
            "refuse" | "batch" => results.iter().any(Result::is_err),
            "repair" => {
                case.documents
                    .iter()
                    .zip(&results)
                    .any(|(sent, result)| result.as_ref().is_ok_and(|(bytes, ..)| bytes != sent))
                    && results.iter().all(Result::is_ok)
            }
            "pass" => case
                .documents
                .iter()
                .zip(&results)
                .all(|(sent, result)| result.as_ref().is_ok_and(|(bytes, ..)| bytes == sent.trim_ascii())),
            "warn" => {
                case.documents.iter().zip(&results).all(|(sent, result)| {
                    result.as_ref().is_ok_and(|(bytes, warnings, _)| bytes == sent && *warnings > 0)
                }) && strict.iter().all(Result::is_err)
            }
            other => panic!("unknown verdict {other}"),
        };
        if !fits {
            let shown: Vec<_> = results
                .iter()
                .map(|r| {
                    r.as_ref().map(|(b, w, p)| (String::from_utf8_lossy(&b[..b.len().min(60)]).into_owned(), w, p))
                })
                .collect();
            wrong.push(format!(
                "{} ({}): {shown:?} strict {:?}",
                case.id,
                case.verdict,
                strict.iter().map(Result::is_err).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_bytes_cannot_decide_passes() {
    let mut refused = Vec::new();
    let refused_all_the_same = |id: &str| REFUSED_ALL_THE_SAME.iter().any(|(known, _)| *known == id);
    for case in cases()
        .iter()
        .filter(|case| matches!(&*case.verdict, "mapping" | "config" | "warn") && !refused_all_the_same(&case.id))
    {
        for document in &case.documents {
            if let Err(error) = check(document, false) {
                refused.push(format!(
                    "{} ({}): {error}: {}",
                    case.id,
                    case.verdict,
                    String::from_utf8_lossy(&document[..document.len().min(80)])
                ));
            }
        }
    }
    assert!(refused.is_empty(), "{} documents:\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn the_list_of_undecidable_cases_names_recorded_ones() {
    let cases = cases();
    for (id, _) in UNDECIDABLE {
        assert!(cases.iter().any(|case| case.id == *id), "{id} is not recorded");
    }
}

#[test]
fn a_raw_newline_can_become_a_space() {
    let mut document = Document::parse((&b"{\n  \"n\": 2\n}\n"[..]).into()).expect("JSON");
    let rules = Rules { newlines: Newlines::Space, ..Rules::default() };
    let checked = rules.check(&mut document, "", &mut Meter::unlimited()).expect("repaired");
    assert_eq!(checked.bytes, b"{   \"n\": 2 }");
    assert_eq!(checked.repairs, 2);
}

#[test]
fn a_stamp_stands_behind_the_id_in_every_document() {
    let stamp = Some(("release".to_owned(), "r1".to_owned()));
    let rules = Rules { id_field: Some("id".into()), stamp, ..Rules::default() };
    for (text, expected) in [
        ("{}", r#"{"id":"x","release":"r1"}"#),
        (r#"{"a":1}"#, r#"{"a":1,"id":"x","release":"r1"}"#),
        (r#"{"release":{"of":1},"a":1}"#, r#"{"release":"r1","a":1,"id":"x"}"#),
        (r#"{"id":1,"release":2}"#, r#"{"id":"x","release":"r1"}"#),
    ] {
        let checked = rules.check(&mut super::document(text).0, "x", &mut Meter::unlimited()).expect("a document");
        assert_eq!(String::from_utf8(checked.bytes).expect("text"), expected);
    }
}

#[test]
fn the_id_is_spliced_or_overwritten() {
    let rules = Rules { id_field: Some("paddle_id".into()), ..Rules::default() };
    for (text, expected, overwritten) in [
        (r#"{"a":1}"#, r#"{"a":1,"paddle_id":"s/1"}"#, false),
        (r#"{ }"#, r#"{ "paddle_id":"s/1"}"#, false),
        (r#"{"paddle_id":{"x":1},"a":1}"#, r#"{"paddle_id":"s/1","a":1}"#, true),
        (r#"{"paddle\u005fid":0}"#, r#"{"paddle\u005fid":"s/1"}"#, true),
        (r#"{"paddle_id.x":0}"#, r#"{"paddle_id":"s/1"}"#, true),
    ] {
        let checked = rules.check(&mut super::document(text).0, "s/1", &mut Meter::unlimited()).expect("accepted");
        assert_eq!(String::from_utf8_lossy(&checked.bytes), expected);
        assert_eq!(checked.id_overwritten, overwritten, "{text}");
    }
}
