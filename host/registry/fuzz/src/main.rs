//! Any bytes, and texts near to real ones, as a manifest, a list of artifacts and a pointer: bare, and in an envelope
//! whose signature fits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::testing::{engine, live, operator, pipeline, publisher, sign, trusting};
use registry::{BAD_MAX, BLOB_BYTES_MAX, Compiled, Digest, Manifest, PARTS_MAX, Pointer, Release, ReleaseId, Trust};

/// Real texts; `D` stands for a digest.
const TEXTS: [&str; 3] = [
    r#"{"kind":"release","version":1,"pipeline":"clickstream","config":"","plugins":[{"step":"m","plugin":"./m","wasm":
{"digest":"D","bytes":5},"imports":["i"],"observed":{"reads":["a"],"writes":[]},"fuel_per_event":1,"load_us":null}],"assets":
[{"step":"m","name":"w","blob":{"digest":"D","bytes":5}}],"test_records":{"digest":"D","bytes":9},"at_ms":1,"by":"","why":"",
"paddle":"0.1.0"}"#,
    r#"{"kind":"compiled","version":1,"pipeline":"clickstream","release":"D","engine":"D","artifacts":[{"wasm":"D","artifact":
{"digest":"D","bytes":5}}],"at_ms":1,"by":""}"#,
    r#"{"kind":"channel","version":1,"pipeline":"clickstream","channel":"live","revision":1,"release":"D","previous":null,"left":
{"release":"D","probation":{"passed":1,"returned":0}},"action":"roll-back","at_ms":1,"by":"","why":"","nonce":"","bad":["D"],
"held":["{\"paddlewheel\":1}\n{}"]}"#,
];

/// A real text with some edits: each takes a place (two bytes), how much goes, how much comes, and what comes.
fn edited(bytes: &[u8]) -> Option<String> {
    let (which, mut edits) = bytes.split_first()?;
    let text = TEXTS[usize::from(*which) % TEXTS.len()].replace('D', &engine().to_string());
    let mut text = text.into_bytes();
    while let Some(([high, low, gone, come], rest)) = edits.split_first_chunk::<4>() {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % text.len();
        let (new, rest) = rest.split_at(rest.len().min(usize::from(*come)));
        text.splice(at..text.len().min(at + usize::from(*gone)), new.iter().copied());
        if text.is_empty() {
            return None;
        }
        edits = rest;
    }
    String::from_utf8(text).ok()
}

/// The id of whatever is signed.
fn id(payload: &str) -> ReleaseId {
    Digest::of(payload.as_bytes()).to_string().parse().expect("a digest is an id")
}

fn manifest(text: &[u8], payload: &str, trust: &Trust) {
    let Ok(release) = Release::verify(text, trust, &pipeline(), id(payload)) else { return };
    assert_eq!(release.manifest.pipeline, pipeline());
    assert!(release.manifest.plugins.len() <= PARTS_MAX);
    assert!(release.manifest.blobs().iter().all(|blob| blob.bytes <= BLOB_BYTES_MAX));
    let again = serde_json::to_string(&release.manifest).expect("a manifest becomes JSON");
    assert_eq!(serde_json::from_str::<Manifest>(&again).expect("and is read again"), release.manifest);
}

fn compiled(text: &[u8], trust: &Trust) {
    let release = engine().to_string().parse().expect("64 digits");
    let Ok(list) = Compiled::verify(text, trust, &pipeline(), release, engine()) else { return };
    assert!(list.artifacts.len() <= PARTS_MAX);
    assert!(list.artifacts.values().all(|blob| blob.bytes <= BLOB_BYTES_MAX));
}

fn pointer(text: &[u8], trust: &Trust, by_publisher: bool) {
    let Ok(pointer) = Pointer::verify(text, trust, &pipeline(), &live()) else { return };
    assert!(by_publisher, "an operator's pointer needs proofs, which nobody can make up");
    assert!(pointer.revision > 0 && pointer.bad.len() <= BAD_MAX);
    assert_eq!((pointer.pipeline, pointer.channel), (pipeline(), live()));
}

fn signed(payload: &str, trust: &Trust) {
    for form in ["release", "compiled", "channel"] {
        let text = sign(form, payload, Some(&publisher(1))).expect("a publisher signs all forms");
        manifest(text.as_bytes(), payload, trust);
        compiled(text.as_bytes(), trust);
        pointer(text.as_bytes(), trust, true);
    }
    let text = sign("channel", payload, Some(&operator(2))).expect("an operator signs pointers");
    pointer(text.as_bytes(), trust, false);
}

fuzz_target!(|bytes: &[u8]| {
    let trust = trusting(&[&publisher(1), &operator(2)]);
    // Nobody can make up a signature.
    assert!(Pointer::verify(bytes, &trust, &pipeline(), &live()).is_err());
    compiled(bytes, &Trust::Unsigned);
    pointer(bytes, &Trust::Unsigned, true);
    if let Ok(payload) = str::from_utf8(bytes) {
        signed(payload, &trust);
    }
    if let Some(payload) = edited(bytes) {
        signed(&payload, &trust);
    }
});
