//! Every rule of unpacking, and properties over any bytes.

use super::*;
use crate::build::{LogEvent, aggregate, cloudwatch_control, cloudwatch_logs, framed, gzip};
use proptest::prelude::*;

fn with(formats: &[Format]) -> Settings {
    Settings { formats: formats.to_vec(), ..Settings::default() }
}

fn run(record: impl Into<Bytes>, settings: &Settings) -> (Result<Unpacked, Refusal>, Notes) {
    unpack(&record.into(), settings)
}

/// The parts of a record under the default settings, as text.
#[track_caller]
fn parts(record: impl Into<Bytes>) -> Vec<String> {
    texts(run(record, &Settings::default()).0)
}

#[track_caller]
fn texts(unpacked: Result<Unpacked, Refusal>) -> Vec<String> {
    match unpacked.expect("not refused") {
        Unpacked::Plain => panic!("plain"),
        Unpacked::Parts(parts) => parts
            .into_iter()
            .map(|part| {
                assert_eq!(part.refusal, None);
                String::from_utf8_lossy(&part.data).into_owned()
            })
            .collect(),
    }
}

#[track_caller]
fn plain(record: impl Into<Bytes>) -> Notes {
    let (unpacked, notes) = run(record, &Settings::default());
    assert_eq!(unpacked, Ok(Unpacked::Plain));
    notes
}

#[track_caller]
fn refused(record: impl Into<Bytes>, kind: RefusalKind, message: &str) {
    refused_with(record, &Settings::default(), kind, message);
}

#[track_caller]
fn refused_with(record: impl Into<Bytes>, settings: &Settings, kind: RefusalKind, message: &str) {
    let refusal = run(record, settings).0.expect_err("refused");
    assert_eq!(refusal.kind, kind, "{refusal}");
    assert!(refusal.message.contains(message), "{refusal}");
}

#[test]
fn ordinary_records_are_plain() {
    for record in [&b""[..], b"{}", b"{\"a\":1}", b"text", b"\xff\xfe", b"\xf3", b"\x1f", b"\xf3\x89\x9a\xc2", b"[1]"] {
        assert_eq!(plain(record), Notes::default());
    }
}

#[test]
fn no_format_is_looked_for_unless_asked() {
    for record in [aggregate([("k", &b"x"[..])]), gzip(b"x"), cloudwatch_control()] {
        assert_eq!(run(record, &with(&[])).0, Ok(Unpacked::Plain));
    }
}

#[test]
fn an_aggregate_gives_its_records_in_order_with_their_keys() {
    let record = Bytes::from(aggregate([("a", &b"one"[..]), ("b", b"two"), ("a", b"")]));
    let (unpacked, notes) = unpack(&record, &Settings::default());
    let part =
        |data, key: &str| Part { data: Bytes::from_static(data), partition_key: Some(key.to_owned()), refusal: None };
    assert_eq!(unpacked, Ok(Unpacked::Parts(vec![part(b"one", "a"), part(b"two", "b"), part(b"", "a")])));
    assert_eq!(notes, Notes { kpl_aggregates: 1, ..Notes::default() });
}

#[test]
fn parts_share_the_memory_of_the_record() {
    let record = Bytes::from(aggregate([("a", &b"one"[..])]));
    let (Ok(Unpacked::Parts(parts)), _) = unpack(&record, &Settings::default()) else { panic!("parts") };
    assert!(record.as_ptr_range().contains(&parts[0].data.as_ptr()));
}

#[test]
fn an_aggregate_of_nothing_has_no_events() {
    assert_eq!(parts(aggregate([])), Vec::<String>::new());
    let only_keys = framed(b"\x0a\x01k");
    assert_eq!(parts(only_keys), Vec::<String>::new());
}

#[test]
fn a_bad_md5_makes_a_plain_record_that_is_counted() {
    let mut record = aggregate([("a", &b"one"[..])]);
    *record.last_mut().unwrap() ^= 1;
    assert_eq!(plain(record).kpl_bad_md5, 1);
    assert_eq!(plain([&kpl::MAGIC[..], &[b'x'; 40]].concat()).kpl_bad_md5, 1);
    // Shorter than 20 bytes was never an aggregate, so nothing is counted.
    assert_eq!(plain([&kpl::MAGIC[..], &[b'x'; 15]].concat()), Notes::default());
}

#[test]
fn a_good_md5_with_bad_protobuf_is_refused() {
    let cases: [(&[u8], &str); 15] = [
        (b"\x0a\x05ab", "beyond the end"),
        (b"\x0a", "within a number"),
        (b"\x0a\x80", "within a number"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more than 64 bits"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "more than 64 bits"),
        (b"\x02\x00", "number 0"),
        (b"\x0b\x0c", "wire type"),
        (b"\x0f", "wire type"),
        (b"\x08\x01", "aggregate has the wrong type"),
        (b"\x0a\x01k\x1a\x02\x08\x00", "no data"),
        (b"\x0a\x01k\x1a\x03\x1a\x01x", "no partition key"),
        (b"\x0a\x01k\x1a\x05\x08\x01\x1a\x01x", "partition key that is not in the table"),
        (b"\x0a\x01k\x1a\x07\x08\x00\x10\x00\x1a\x01x", "hash key that is not in the table"),
        (b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x", "not UTF-8"),
        (b"\x0a\x01k\x1a\x04\x08\x00\x18\x01", "sub-record has the wrong type"),
    ];
    for (message, why) in cases {
        refused(framed(message), RefusalKind::Kpl, why);
    }
    let long_key = "k".repeat(1025);
    refused(aggregate([(long_key.as_str(), &b"x"[..])]), RefusalKind::Kpl, "longer than Kinesis allows");
    assert_eq!(parts(aggregate([(&long_key[1..], &b"x"[..])])), ["x"]);
}

#[test]
fn unknown_fields_tags_and_tables_in_any_order_are_read() {
    // Record first, then the key table, a hash key table; a tag (field 4) and unknown fields of each wire type.
    let record = b"\x1a\x10\x08\x00\x10\x00\x1a\x01x\x22\x02zz\x2d\0\0\0\0";
    let unknown = b"\x29\0\0\0\0\0\0\0\0\x30\x05\x3a\x01q";
    let message = [&record[..], b"\x0a\x01k", b"\x12\x010", unknown].concat();
    assert_eq!(parts(framed(&message)), ["x"]);
}

#[test]
fn the_last_of_a_repeated_scalar_counts() {
    assert_eq!(parts(framed(b"\x0a\x01k\x1a\x0a\x08\x07\x08\x00\x1a\x01x\x1a\x01y")), ["y"]);
}

#[test]
fn an_aggregate_within_an_aggregate_is_not_taken_apart() {
    let inner = aggregate([("a", &b"one"[..])]);
    let outer = Bytes::from(aggregate([("b", inner.as_slice())]));
    for formats in [&[Format::Kpl][..], &[Format::Kpl, Format::Kpl], &[Format::Kpl, Format::Gzip, Format::Kpl]] {
        let (Ok(Unpacked::Parts(parts)), _) = unpack(&outer, &with(formats)) else { panic!("parts") };
        assert_eq!(parts[0].data, inner);
    }
}

#[test]
fn gzip_is_inflated_member_after_member() {
    assert_eq!(parts(gzip(b"one")), ["one"]);
    assert_eq!(parts(gzip(b"")), [""]);
    let both = [gzip(b"one,"), gzip(b""), gzip(b"two")].concat();
    assert_eq!(parts(both.clone()), ["one,two"]);
    assert_eq!(parts([both, vec![0; 512]].concat()), ["one,two"]);
    let large = "line of a log\n".repeat(20_000);
    assert_eq!(parts(gzip(large.as_bytes())), [large]);
}

#[test]
fn gzip_that_is_cut_or_damaged_is_refused() {
    let whole = gzip(b"some text, some text, some text");
    for length in 2..whole.len() {
        refused(whole[..length].to_vec(), RefusalKind::Gzip, "damaged or cut short");
    }
    refused([&whole[..], b"x"].concat(), RefusalKind::Gzip, "followed by something else");
    refused([&whole[..], &[0, 0], &whole[..]].concat(), RefusalKind::Gzip, "followed by something else");
    refused([&whole[..], &whole[..9]].concat(), RefusalKind::Gzip, "cut short");
    refused(b"\x1f\x8b".to_vec(), RefusalKind::Gzip, "cut short");
    let mut checksum = whole.clone();
    let at = whole.len() - 8;
    checksum[at] ^= 1;
    refused(checksum, RefusalKind::Gzip, "damaged");
}

#[test]
fn gzip_is_not_inflated_twice() {
    let twice = gzip(&gzip(b"x"));
    let (Ok(Unpacked::Parts(parts)), notes) = run(twice, &Settings::default()) else { panic!("parts") };
    assert_eq!(parts[0].data, gzip(b"x"));
    assert_eq!(notes.gzip_streams, 1);
}

#[test]
fn inflated_bytes_are_limited_to_the_byte() {
    let limits = Limits { inflated_bytes_max: 1000, ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    assert_eq!(texts(run(gzip(&[b'x'; 1000]), &settings).0)[0].len(), 1000);
    refused_with(gzip(&[b'x'; 1001]), &settings, RefusalKind::Oversize, "more than the 1000 bytes");
    let members = [gzip(&[b'x'; 600]), gzip(&[b'x'; 401])].concat();
    refused_with(members, &settings, RefusalKind::Oversize, "more than the 1000 bytes");
    // Over the whole record, not over each part.
    let half = gzip(&[b'x'; 501]);
    let both = aggregate([("a", half.as_slice()), ("b", &half)]);
    refused_with(both, &settings, RefusalKind::Oversize, "more than the 499 bytes");
}

#[test]
fn the_ratio_is_limited_beyond_the_first_mebibyte() {
    assert_eq!(parts(gzip(&vec![0; RATIO_FREE_BYTES]))[0].len(), RATIO_FREE_BYTES);
    refused(gzip(&vec![0; 4 * RATIO_FREE_BYTES]), RefusalKind::Oversize, "this record may");
    assert_eq!(Limits::default().inflatable_bytes(10_000), 3_000_000);
    assert_eq!(Limits::default().inflatable_bytes(usize::MAX), INFLATED_BYTES_MAX);
}

#[test]
fn members_and_parts_are_limited() {
    refused(gzip(b"").repeat(10_001), RefusalKind::Oversize, "10000 gzip members");
    assert_eq!(parts(aggregate(vec![("k", &b"x"[..]); PARTS_MAX])).len(), PARTS_MAX);
    refused(aggregate(vec![("k", &b"x"[..]); PARTS_MAX + 1]), RefusalKind::Oversize, "10000 events");
    refused(framed(&b"\x0a\0".repeat(PARTS_MAX + 1)), RefusalKind::Oversize, "10000 events");
    let event = LogEvent { id: "1", timestamp: 2, message: "x" };
    assert_eq!(parts(cloudwatch_logs("g", "s", &vec![event.clone(); PARTS_MAX])).len(), PARTS_MAX);
    let over = cloudwatch_logs("g", "s", &vec![event.clone(); PARTS_MAX + 1]);
    refused(over, RefusalKind::Oversize, "10000 log events");
    // Each envelope is within the limit, the record is not.
    let half = cloudwatch_logs("g", "s", &vec![event; PARTS_MAX / 2 + 1]);
    refused(aggregate([("a", half.as_slice()), ("b", &half)]), RefusalKind::Oversize, "10000 events");
}

#[test]
fn long_names_times_many_events_are_limited() {
    let name = "n".repeat(200_000);
    let event = LogEvent { id: "1", timestamp: 2, message: "x" };
    let record = cloudwatch_logs(&name, "s", &vec![event; 1000]);
    refused(record, RefusalKind::Oversize, "log events take more than");
}

const LOG_EVENTS: [LogEvent; 2] = [
    LogEvent { id: "1", timestamp: 1_700_000_000_000, message: "plain \"text\"\n" },
    LogEvent { id: "2", timestamp: -5, message: " {\"level\": \"info\",\"n\":1.0} \n" },
];

#[test]
fn a_data_message_gives_one_part_for_each_log_event() {
    let (unpacked, notes) = run(cloudwatch_logs("/aws/λ", "s", &LOG_EVENTS), &Settings::default());
    let expected = [
        r#"{"id":"1","timestamp":1700000000000,"message":"plain \"text\"\n","logGroup":"/aws/λ","logStream":"s","owner":"123456789012"}"#,
        r#"{"id":"2","timestamp":-5,"message":" {\"level\": \"info\",\"n\":1.0} \n","logGroup":"/aws/λ","logStream":"s","owner":"123456789012"}"#,
    ];
    assert_eq!(texts(unpacked), expected);
    assert_eq!(notes, Notes { cloudwatch_envelopes: 1, ..Notes::default() });
}

#[test]
fn a_message_that_is_an_object_may_stand_in_its_place() {
    let settings = Settings { cloudwatch_message: CloudwatchMessage::Json, ..Settings::default() };
    let texts = texts(run(cloudwatch_logs("g", "s", &LOG_EVENTS), &settings).0);
    assert!(texts[0].contains(r#""message":"plain \"text\"\n","#));
    assert!(texts[1].contains(r#""message":{"level": "info","n":1.0},"#));
    for message in ["[1]", "1", "\"x\"", "{", "{}x", "{\"a\":}", ""] {
        let event = LogEvent { id: "1", timestamp: 0, message };
        let part = &super::tests::texts(run(cloudwatch_logs("g", "s", &[event]), &settings).0)[0];
        let value: serde_json::Value = serde_json::from_str(part).unwrap();
        assert_eq!(value["message"], message);
    }
}

#[test]
fn a_control_message_is_dropped_and_counted() {
    let (unpacked, notes) = run(cloudwatch_control(), &Settings::default());
    assert_eq!(unpacked, Ok(Unpacked::Parts(vec![])));
    assert_eq!(notes, Notes { control_messages: 1, ..Notes::default() });
}

#[test]
fn escapes_and_the_order_of_members_do_not_matter() {
    let record = br#" {"logEvents" : [{"message":"\u00e9\ud800","extractedFields":{"a":"b"},"id":"x\/y","timestamp":1}],
        "policyLevel":"ACCOUNT_LEVEL_POLICY","subscriptionFilters":[],"logStream":"s","logGroup":"g","owner":"o","messageType":"DATA_MESSAGE"}"#;
    assert_eq!(
        parts(&record[..]),
        [r#"{"id":"x\/y","timestamp":1,"message":"\u00e9\ud800","logGroup":"g","logStream":"s","owner":"o"}"#]
    );
}

#[test]
fn json_that_only_looks_like_an_envelope_is_plain() {
    let whole = String::from_utf8(cloudwatch_logs("g", "s", &LOG_EVENTS)).unwrap();
    assert_eq!(parts(whole.clone()).len(), 2);
    let spoilt = [
        ("DATA_MESSAGE", "OTHER_MESSAGE"),
        ("\"messageType\"", "\"messagetype\""),
        ("\"owner\":", "\"proprietor\":"),
        ("\"logGroup\":\"g\"", "\"logGroup\":1"),
        ("\"logStream\":", "\"logStreams\":"),
        ("[\"all\"]", "\"all\""),
        ("\"logEvents\":", "\"logEvent\":"),
        ("\"id\":\"1\"", "\"id\":1"),
        ("1700000000000", "1.5"),
        ("\"timestamp\":", "\"time\":"),
        ("\"owner\":", "\"owner\":\"twice\",\"owner\":"),
        ("}]}", "}]"),
        ("}]}", "}]}x"),
    ];
    for (from, to) in spoilt {
        assert_eq!(plain(whole.replacen(from, to, 1)), Notes::default(), "{from} {to}");
    }
    plain(format!("[{whole}]"));
    plain(format!("{{\"event\":{whole}}}"));
    plain(br#"{"owner":"me","text":"\"messageType\" \"logEvents\""}"#.to_vec());
    plain([&b"{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[],\"owner\":\"\xff\"}"[..]].concat());
}

#[test]
fn formats_combine_all_the_way_down() {
    let logs = gzip(&cloudwatch_logs("g", "s", &LOG_EVENTS));
    let control = gzip(&cloudwatch_control());
    let record = aggregate([("a", logs.as_slice()), ("b", b"{}"), ("c", &control), ("d", &logs)]);
    let (unpacked, notes) = run(record, &Settings::default());
    let Ok(Unpacked::Parts(parts)) = unpacked else { panic!("parts") };
    let keys: Vec<_> = parts.iter().filter_map(|part| part.partition_key.as_deref()).collect();
    assert_eq!(keys, ["a", "a", "b", "d", "d"]);
    assert_eq!(notes.kpl_aggregates, 1);
    assert_eq!((notes.gzip_streams, notes.cloudwatch_envelopes, notes.control_messages), (3, 2, 1));
}

#[test]
fn the_order_of_formats_is_the_order_of_looking() {
    let record = gzip(&aggregate([("a", &b"one"[..]), ("b", b"two")]));
    let gzip_first = with(&[Format::Gzip, Format::Kpl]);
    assert_eq!(texts(run(record.clone(), &gzip_first).0), ["one", "two"]);
    let (Ok(Unpacked::Parts(parts)), _) = run(record, &with(&[Format::Kpl, Format::Gzip])) else { panic!("parts") };
    assert_eq!(parts.len(), 1);
    refused_with(gzip(&framed(b"\x0a\x05")), &gzip_first, RefusalKind::Kpl, "beyond the end");
}

#[test]
fn a_damaged_part_does_not_harm_its_siblings() {
    let cut = &gzip(b"some text")[..12];
    let record = aggregate([("a", &b"{}"[..]), ("b", cut), ("c", b"{}")]);
    let (Ok(Unpacked::Parts(parts)), _) = run(record, &Settings::default()) else { panic!("parts") };
    let kinds: Vec<_> = parts.iter().map(|part| part.refusal.as_ref().map(|refusal| refusal.kind)).collect();
    assert_eq!(kinds, [None, Some(RefusalKind::Gzip), None]);
    assert_eq!(parts[1].data, cut);
    refused(aggregate([("b", cut)]), RefusalKind::Gzip, "cut short");
}

#[test]
fn settings_read_their_names() {
    let formats: Vec<Format> = serde_json::from_str(r#"["kpl","gzip","cloudwatch-logs"]"#).unwrap();
    assert_eq!(formats, Settings::default().formats);
    assert_eq!(serde_json::from_str::<CloudwatchMessage>("\"json\"").unwrap(), CloudwatchMessage::Json);
}

/// What holds for every record: no panic, and no limit passed.
fn check_limits(record: Vec<u8>, settings: &Settings) {
    let (unpacked, notes) = run(record, settings);
    let limits = &settings.limits;
    assert!(notes.inflated_bytes <= limits.inflated_bytes_max as u64);
    if let Ok(Unpacked::Parts(parts)) = unpacked {
        assert!(parts.len() <= limits.parts_max);
        let bytes: usize = parts.iter().map(|part| part.data.len()).sum();
        assert!(bytes <= 3 * limits.inflated_bytes_max, "{bytes}");
    }
}

fn small() -> Settings {
    let limits = Limits { inflated_bytes_max: 4096, ratio_max: 20, parts_max: 20 };
    Settings { limits, ..Settings::default() }
}

fn sub_records() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    // The first byte keeps the data from being gzip, an envelope or an aggregate.
    let data = proptest::collection::vec(any::<u8>(), 0..40).prop_map(|data| [vec![b'-'], data].concat());
    proptest::collection::vec(("[a-d]{1,3}", data), 0..60)
}

proptest! {
    #[test]
    fn what_was_aggregated_comes_out(records in sub_records()) {
        let record = aggregate(records.iter().map(|(key, data)| (key.as_str(), data.as_slice())));
        let (unpacked, _) = run(record, &Settings::default());
        let Ok(Unpacked::Parts(parts)) = unpacked else { panic!("parts") };
        let back: Vec<_> = parts.into_iter().map(|part| (part.partition_key.unwrap(), part.data.to_vec())).collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn what_was_zipped_comes_out(data in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let (unpacked, _) = run(gzip(&data), &with(&[Format::Gzip]));
        let Ok(Unpacked::Parts(parts)) = unpacked else { panic!("parts") };
        prop_assert_eq!(&parts[0].data[..], &data[..]);
    }

    #[test]
    fn any_bytes_after_any_magic_are_survived(magic in 0..5usize, data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let starts: [&[u8]; 5] = [b"", &kpl::MAGIC, b"\x1f\x8b\x08", b"{\"messageType\":", b"{\"owner\":"];
        check_limits([starts[magic], &data].concat(), &small());
        check_limits(framed(&data), &small());
    }

    #[test]
    fn a_mutated_aggregate_is_survived(
        records in sub_records(),
        spots in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        let zipped = gzip(&cloudwatch_logs("g", "s", &LOG_EVENTS));
        let all = records.iter().map(|(key, data)| (key.as_str(), data.as_slice())).chain([("z", zipped.as_slice())]);
        let mut record = aggregate(all);
        for (spot, byte) in &spots {
            let at = spot.index(record.len());
            record[at] ^= byte;
        }
        check_limits(record.clone(), &small());
        // Under a good MD5, so that the reader sees the damage.
        let message = &record[4..record.len() - 16];
        check_limits(framed(message), &small());
        check_limits(framed(&message[..cut.index(message.len())]), &small());
    }
}
