//! Any bytes: refused or read, never a panic.

use crate::envelope::{Form, open, seal};
use crate::testing::{draft, engine, live, operator, pipeline, publisher, trusting};
use crate::{Compiled, Digest, HostReport, Pointer, PublicKey, Release, ReleaseId, SigningKey, Trust, TrustedKeys};
use proptest::prelude::*;

/// Reads bytes as everything that is ever read; under nobody's signature and under one that fits.
fn read_as_everything(bytes: &[u8], trust: &Trust) {
    let id = ReleaseId(Digest::of(bytes));
    drop(Release::verify(bytes, trust, &pipeline(), id));
    drop(Pointer::verify(bytes, trust, &pipeline(), &live()));
    drop(Compiled::verify(bytes, trust, &pipeline(), id, engine()));
    drop(crate::manifest::named_blobs(bytes, "x"));
    drop(crate::compiled::named_blobs(bytes, "x"));
    drop(serde_json::from_slice::<HostReport>(bytes));
}

/// JSON that is near to what is expected.
fn near() -> impl Strategy<Value = String> {
    let draft = draft("one", 1);
    let (release, _) = draft.manifest().payload().unwrap();
    let pointer = format!(
        "{{\"kind\":\"channel\",\"version\":1,\"pipeline\":\"clickstream\",\"channel\":\"live\",\"revision\":1,\
         \"release\":\"{0}\",\"previous\":null,\"left\":null,\"action\":\"promote\",\"at_ms\":1,\"by\":\"\",\"why\":\"\",\
         \"nonce\":\"\",\"bad\":[\"{0}\"],\"held\":[\"x\"]}}",
        draft.id()
    );
    let compiled = format!(
        "{{\"kind\":\"compiled\",\"version\":1,\"pipeline\":\"clickstream\",\"release\":\"{0}\",\"engine\":\"{1}\",\
         \"artifacts\":[{{\"wasm\":\"{0}\",\"artifact\":{{\"digest\":\"{0}\",\"bytes\":5}}}}],\"at_ms\":1,\"by\":\"\"}}",
        draft.id(),
        engine()
    );
    let text = prop_oneof![Just(release), Just(pointer), Just(compiled)];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,4}|-1|1e99|null|\\[\\]|\u{0}|é"), 0..4);
    (text, edits).prop_map(|(mut text, edits)| {
        for (at, with) in edits {
            let at = at.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..=at, &with);
            }
        }
        text
    })
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let trust = trusting(&[&publisher(1)]);
        prop_assert!(Pointer::verify(&bytes, &trust, &pipeline(), &live()).is_err());
        read_as_everything(&bytes, &trust);
        read_as_everything(&bytes, &Trust::Unsigned);
    }

    #[test]
    fn any_signed_text_is_read_or_refused(payload in near()) {
        for (key, trust) in [
            (publisher(1), trusting(&[&publisher(1)])),
            (operator(2), trusting(&[&operator(2), &publisher(1)])),
        ] {
            for form in [Form::Release, Form::Compiled, Form::Channel] {
                let Ok(text) = seal(form, &payload, Some(&key)) else { continue };
                let opened = open(form, text.as_bytes(), &trust, "x").unwrap();
                prop_assert_eq!(opened.payload, &payload);
                read_as_everything(text.as_bytes(), &trust);
                read_as_everything(text.as_bytes(), &Trust::Unsigned);
                if let Ok(pointer) = Pointer::verify(text.as_bytes(), &trust, &pipeline(), &live()) {
                    prop_assert!(pointer.by_publisher, "an operator's pointer needs proof");
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_key_or_not(text in "[ -~\n]{0,120}") {
        drop(text.parse::<TrustedKeys>());
        drop(text.parse::<PublicKey>());
        drop(SigningKey::parse(&text));
    }

    #[test]
    fn what_is_signed_as_one_form_is_no_other(payload in "[ -~\n]{0,60}") {
        let key = publisher(1);
        let trust = trusting(&[&key]);
        let forms = [Form::Release, Form::Compiled, Form::Channel];
        for form in forms {
            let text = seal(form, &payload, Some(&key)).unwrap();
            for other in forms {
                prop_assert_eq!(open(other, text.as_bytes(), &trust, "x").is_ok(), other == form);
            }
        }
    }
}
