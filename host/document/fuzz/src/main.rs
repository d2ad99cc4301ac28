//! Any bytes: read as `serde_json` reads them, changed at random, and written as JSON again.

#![no_main]

use document::{Document, Meter, Path, Pattern, Rules, Value};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    // The first bytes say what to do, the rest is the document.
    let Some((plan, text)) = bytes.split_at_checked(8) else { return };
    let known = serde_json::from_slice::<&RawValue>(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)).is_ok();
    let Ok(mut document) = Document::parse(text.to_vec().into()) else { return };
    assert!(known, "taken, though it is no JSON");
    const PATHS: [&str; 8] = ["a", "a.b", "a[0]", "b", "", "a.b.c", "\"a.b\"", "b[1].c"];
    // Nothing is bounded here: what is too much for a meter is another matter.
    let meter = &mut Meter::unlimited();
    for step in plan {
        let path = PATHS[usize::from(step & 7)];
        match step >> 5 {
            0 => drop(document.set_text(&Path::parse(path).expect("a path"), "x", None, meter)),
            1 => drop(document.set(&Path::parse(path).expect("a path"), &Value::Json(r#"{"a":{"b":1}}"#.into()), None, meter)),
            2 => drop(document.remove(&Pattern::parse(path).expect("a path"), None, meter)),
            3 => {
                let to = PATHS[usize::from(step >> 2 & 7)];
                drop(document.rename(&Path::parse(path).expect("a path"), &Path::parse(to).expect("a path"), None, meter));
            }
            4 => drop(document.get(&Path::parse(path).expect("a path"), meter)),
            5 => document = document.clone(),
            6 => drop(document.replace_text(&Pattern::parse(path).expect("a path"), "\"", None, meter)),
            _ => drop(document.expand(&Pattern::parse("*").expect("a pattern"), meter)),
        }
    }
    let written = document.json(meter).expect("no limit");
    assert_eq!(written.len(), document.json_bytes(meter).expect("no limit"), "a wrong length was foretold");
    assert!(written.len() <= document.json_bytes_at_most(), "a bound that does not hold");
    let again = Document::parse(written.clone().into()).expect("what is written is read again");
    assert_eq!(again.json(meter).expect("no limit"), written);
    if let Ok(checked) = Rules::default().check(&mut document, "id", meter) {
        assert!(!checked.bytes.contains(&b'\n'));
        Document::parse(checked.bytes.into()).expect("a document is JSON");
    }
});
