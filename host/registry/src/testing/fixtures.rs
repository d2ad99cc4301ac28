//! Keys, a small release, and a channel that holds it.

use crate::envelope::{Form, seal};
use crate::{
    Action, Blob, Digest, Draft, DraftCompiled, Fingerprint, Manifest, Move, Moved, Name, Plugin, Progress, Publishing,
    Purposes, Registry, Result, SigningKey, Trust, TrustedKeys,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A publisher's key: always the same one for the same number.
///
/// # Panics
/// Never.
pub fn publisher(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32], Purposes::PUBLISHER).expect("a publisher's key has purposes")
}

/// An operator's key: always the same one for the same number.
///
/// # Panics
/// Never.
pub fn operator(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32], Purposes::OPERATOR).expect("an operator's key has purposes")
}

/// Trusts these keys for what they were made for.
pub fn trusting(keys: &[&SigningKey]) -> Trust {
    Trust::Keys(keys.iter().fold(TrustedKeys::default(), |trusted, key| trusted.with(key)))
}

/// The name of the pipeline of [`draft`].
///
/// # Panics
/// Never.
pub fn pipeline() -> Name {
    Name::new("clickstream").expect("a name")
}

/// The name `live`.
///
/// # Panics
/// Never.
pub fn live() -> Name {
    Name::new("live").expect("a name")
}

/// The engine of [`draft`]'s compiled artifacts.
///
/// # Panics
/// Never.
pub fn engine() -> Fingerprint {
    "e".repeat(64).parse().expect("64 digits")
}

/// A release of two plugins, test records and compiled artifacts, made at `at_ms`; another `text` makes other plugins.
///
/// # Panics
/// Never.
pub fn draft(text: &str, at_ms: u64) -> Draft {
    let component = |step: &str| Bytes::from(format!("\0asm {step} {text}"));
    let records = Bytes::from(format!("records {text}"));
    let (mask, enrich) = (component("mask"), component("enrich"));
    let plugin = |step: &str, wasm: &Bytes| Plugin {
        step: step.to_owned(),
        plugin: format!("./plugins/{step}"),
        wasm: Blob::of(wasm),
        imports: vec!["paddlewheel:transform/events@0.1.0".to_owned()],
        observed: None,
        fuel_per_event: Some(1_000),
        load_us: Some(1_500),
    };
    let manifest = Manifest {
        pipeline: pipeline(),
        config: format!("[pipeline]\nname = \"clickstream\"\n# {text}\n"),
        plugins: vec![plugin("mask", &mask), plugin("enrich", &enrich)],
        assets: Vec::new(),
        test_records: Some(Blob::of(&records)),
        at_ms,
        by: "ann".to_owned(),
        why: format!("{text} is better"),
        paddle: "0.1.0".to_owned(),
    };
    let artifact = |wasm: &Bytes| (Digest::of(wasm), Bytes::from([b"compiled ", &wasm[..]].concat()));
    let compiled = DraftCompiled {
        engine: engine(),
        artifacts: BTreeMap::from([artifact(&mask), artifact(&enrich)]),
        at_ms,
        by: "ann".to_owned(),
    };
    Draft::new(manifest, [mask, enrich, records])
        .and_then(|draft| draft.with_compiled(compiled))
        .expect("the draft is whole")
}

/// How tests publish: nothing is known to be there, nobody watches.
pub fn publishing(signer: &SigningKey, now_ms: u64) -> Publishing<'_> {
    const NOTHING: &BTreeSet<Blob> = &BTreeSet::new();
    Publishing { signer: Some(signer), now_ms, referred: NOTHING, rewrite: false, progress: &|_: Progress| {} }
}

/// A move of the channel `live` whatever it holds.
pub fn moving(now_ms: u64) -> Move {
    Move {
        channel: live(),
        now_ms,
        by: "ann".to_owned(),
        why: "a test".to_owned(),
        expected: None,
        force: false,
        replace_untrusted: false,
    }
}

/// Publishes a draft and puts it on `live`.
///
/// # Errors
/// As for [`crate::Registry::publish`] and [`crate::Registry::promote`].
pub async fn publish_live(registry: &Registry, draft: &Draft, signer: &SigningKey, now_ms: u64) -> Result<Moved> {
    let id = registry.publish(draft, publishing(signer, now_ms)).await?;
    registry.promote(id, Action::Publish, &moving(now_ms), Some(signer)).await
}

/// Any text in an envelope, signed as `release`, `compiled` or `channel`: what a broken or hostile tool with a key
/// writes.
///
/// # Errors
/// When the key may not sign that form.
///
/// # Panics
/// For another form.
pub fn sign(form: &str, payload: &str, signer: Option<&SigningKey>) -> Result<String> {
    let forms = [Form::Release, Form::Compiled, Form::Channel];
    let form = forms.into_iter().find(|known| known.as_str() == form).expect("one of the three forms");
    seal(form, payload, signer)
}
