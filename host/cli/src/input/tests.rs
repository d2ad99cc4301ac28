//! Every form in which people have records.

use super::{Data, Flow, Reader, Record};
use crate::error::Error;

fn records(text: &str) -> Vec<Record> {
    let mut found = Vec::new();
    let read = Reader::default().read("f", text.as_bytes(), &mut |record| {
        found.push(record);
        Ok(Flow::Continue(()))
    });
    assert!(read.is_ok(), "{read:?}");
    found
}

fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = records(text)
        .into_iter()
        .map(|record| match record.data {
            Data::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Data::Undecodable(text, why) => format!("{why}: {}", String::from_utf8_lossy(&text)),
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

fn refused(text: &str) -> String {
    let read = Reader::default().read("f", text.as_bytes(), &mut |_| Ok(Flow::Continue(())));
    match read {
        Err(error @ Error::Usage(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_no_record() {
    check("", &[]);
    check("\n \n", &[]);
    check("[]", &[]);
}

#[test]
fn lines_are_records_whatever_is_in_them() {
    check("{\"a\":1}\n\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("plain text\n{\"a\":", &["plain text", "{\"a\":"]);
    check("{\"a\":\n{\"b\":2}\n", &["{\"a\":", "{\"b\":2}"]);
    check("[error] no route\n[info] fine", &["[error] no route", "[info] fine"]);
    check("\u{feff}{\"a\":1}", &["{\"a\":1}"]);
    check("[1]\n[2]\n", &["[1]", "[2]"]);
    // Another service's event is a record like any other.
    check("{\"Records\":[{\"s3\":{}}]}", &["{\"Records\":[{\"s3\":{}}]}"]);
}

#[test]
fn bytes_can_be_written_as_base64() {
    check("{\"$base64\":\"cGxhaW4=\"}\n{ \"$base64\" : \"\" }", &["plain", ""]);
    assert_eq!(refused("{}\n{\"$base64\":\"?\"}"), "line 2 of f: `$base64` is not base64");
    assert!(refused("{\"$base64\":\"\",\"a\":1}").starts_with("line 1 of f: `$base64` stands alone"));
}

#[test]
fn an_array_holds_records() {
    check("[{\"a\":1},{\"b\": 2}]\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("\n[\n  {\n    \"a\": 1.0\n  },\n  {\"$base64\":\"eA==\"}\n]", &["{\"a\":1.0}", "x"]);
    let places: Vec<String> = records("[{},{}]").into_iter().map(|record| record.place).collect();
    assert_eq!(places, ["record 1 of f", "record 2 of f"]);
    assert_eq!(refused("\n[\n{},\n{]"), "f is not JSON at line 4, column 2: key must be a string");
}

#[test]
fn values_may_take_several_lines() {
    check("{\n \"a\": 1\n}\n{\n \"b\": \"x y\"\n}", &["{\"a\":1}", "{\"b\":\"x y\"}"]);
}

#[test]
fn a_lambda_event_is_taken_apart() {
    let event = include_str!("../../samples/kinesis-event.json");
    check(event, &["Hello, this is a test.", "This is only a test."]);
    let first = &records(event)[0];
    assert_eq!(first.id, "shardId-000000000006:49590338271490256608559692538361571095921575989136588898");
    assert_eq!(first.stream.as_deref(), Some("lambda-stream"));
    assert_eq!(first.arrived_at_ms, Some(1_545_084_650_987));
    assert_eq!(first.place, "record 1 of f");
    let one_line = String::from_utf8(lambda::trial::minify(event.as_bytes()));
    check(&one_line.unwrap_or_default(), &["Hello, this is a test.", "This is only a test."]);
}

#[test]
fn what_get_records_prints_is_taken_apart() {
    let printed = include_str!("../../samples/get-records.json");
    check(printed, &["{\"level\":\"INFO\",\"message\":\"from get-records\"}"]);
    assert_eq!(records(printed)[0].arrived_at_ms, Some(1_545_084_650_987));
    for escaped in ["\"\\u0052ecords\"", "\"Record\\u0073\""] {
        let printed = printed.replace("\"Records\"", escaped);
        check(&printed, &["{\"level\":\"INFO\",\"message\":\"from get-records\"}"]);
        let one_line = printed.replace('\n', " ");
        check(&one_line, &["{\"level\":\"INFO\",\"message\":\"from get-records\"}"]);
        // An object that is printed from its first key on.
        let begun = printed.replacen("{\n", "{", 1);
        check(&begun, &["{\"level\":\"INFO\",\"message\":\"from get-records\"}"]);
    }
    check("{\"Records\":[],\"NextShardIterator\":\"x\",\"MillisBehindLatest\":0}", &[]);
    let seconds = "{\"Records\":[{\"SequenceNumber\":\"7\",\"Data\":\"?\",\"ApproximateArrivalTimestamp\":1.5}]}";
    check(seconds, &["the data is not base64: ?"]);
    assert_eq!(
        (records(seconds)[0].id.as_str(), records(seconds)[0].arrived_at_ms),
        ("shardId-000000000000:7", Some(1500))
    );
}

#[test]
fn whoever_has_enough_ends_it() {
    for text in ["1\n2\n3", "[1,2,3]", "[\"1\",\n\"2\",\"3\"]", "{\n}{\n}{\n}"] {
        let mut count = 0;
        let read = Reader::default().read("f", text.as_bytes(), &mut |_| {
            count += 1;
            Ok(if count == 2 { Flow::Break(()) } else { Flow::Continue(()) })
        });
        assert!(matches!(read, Ok(Flow::Break(()))) && count == 2, "{text}: {read:?} {count}");
    }
}

#[test]
fn a_compressed_file_is_read_as_what_is_in_it() {
    use std::io::Write as _;
    let gzip = |text: &str| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text.as_bytes()).expect("in memory");
        writer.finish().expect("in memory")
    };
    // Two files in one, as `cat` makes them.
    let both = [gzip("{\"a\":1}\n"), gzip("{\"b\":2}\n")].concat();
    let mut found = Vec::new();
    let mut take = |record: Record| {
        found.push((record.data, record.place));
        Ok(Flow::Continue(()))
    };
    assert!(Reader::default().read("f.gz", &both[..], &mut take).expect("it is read").is_continue());
    let expected = [("{\"a\":1}", "line 1 of f.gz"), ("{\"b\":2}", "line 2 of f.gz")];
    assert_eq!(found, expected.map(|(text, place)| (Data::Bytes(text.into()), place.to_owned())));
    let cut = &both[..both.len() - 9];
    let told = Reader::default().read("f.gz", cut, &mut |_| Ok(Flow::Continue(()))).expect_err("it is cut").to_string();
    assert_eq!(told, "read line 3 of f.gz: incomplete deflate stream");
}
