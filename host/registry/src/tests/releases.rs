//! Listing, finding and comparing releases.

use super::{kind, memory};
use crate::testing::{draft, engine, publisher, publishing};
use crate::{Asset, Blob, Difference, Draft, ErrorKind, Observed, Untrusted, diff};
use std::time::Duration;

#[tokio::test]
async fn releases_are_listed_newest_first_page_by_page() {
    let (store, registry) = memory();
    let mut ids = Vec::new();
    for number in 0..7_u64 {
        let id = registry.publish(&draft(&format!("{number}"), number), publishing(&publisher(1), 1)).await.unwrap();
        ids.insert(0, id);
        tokio::time::sleep(Duration::from_millis(2)).await; // The store's clock tells them apart.
    }
    // Artifacts without a manifest: a publisher that died, no release.
    let other = "b".repeat(64);
    store.tamper(&format!("pipelines/clickstream/releases/{other}/compiled/{}.json", engine()), "x").await;
    store.tamper("pipelines/clickstream/releases/strange", "x").await;
    store.tamper(&format!("pipelines/clickstream/releases/{}/manifest.json", ids[1]), "damaged").await;
    let page = registry.releases(0, 3).await.unwrap();
    assert_eq!((page.total, page.more), (7, false));
    // Tampering made it the newest.
    let shown: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    assert_eq!(shown, [ids[1], ids[0], ids[2]]);
    let damaged = page.rows[0].release.as_ref().map_err(crate::Error::kind).err();
    assert_eq!(damaged, Some(ErrorKind::Untrusted(Untrusted::Malformed)));
    assert_eq!(page.rows[1].engines, [engine()]);
    assert_eq!(page.rows[1].release.as_ref().unwrap().manifest.why, "6 is better");
    let rest: Vec<_> = registry.releases(3, 100).await.unwrap().rows.iter().map(|row| row.id).collect();
    assert_eq!(rest, ids[3..]);
    assert!(registry.releases(7, 3).await.unwrap().rows.is_empty());
    let pipelines = crate::pipelines(registry.store(), 10).await.unwrap();
    assert_eq!(pipelines, [crate::testing::pipeline()]);
}

#[tokio::test]
async fn a_release_is_found_by_the_start_of_its_id() {
    let (store, registry) = memory();
    let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
    for prefix in [id.to_string(), id.short(), id.to_string()[..4].to_uppercase()] {
        assert_eq!(registry.find_release(&prefix).await.unwrap(), id);
    }
    let twin = format!("{}{}", &id.to_string()[..6], "0".repeat(58));
    store.tamper(&format!("pipelines/clickstream/releases/{twin}/manifest.json"), "x").await;
    assert_eq!(kind(registry.find_release(&twin[..5]).await), ErrorKind::Invalid);
    for nonsense in ["", "abc", "../x", "zzzz", "ééé"] {
        assert_eq!(kind(registry.find_release(nonsense).await), ErrorKind::Invalid, "{nonsense}");
    }
    assert_eq!(kind(registry.find_release("00000000").await), ErrorKind::NotFound);
}

#[test]
fn a_difference_names_what_changed_and_nothing_else() {
    let old = draft("one", 1).manifest().clone();
    let mut same = old.clone();
    (same.at_ms, same.by, same.why, same.paddle) = (9, "bob".into(), "another day".into(), "0.2.0".into());
    same.plugins[0].fuel_per_event = Some(2_000);
    assert!(diff(&old, &same).is_empty(), "who, when and what was measured are no difference");

    let mut new = old.clone();
    new.config.push_str("# more\n");
    new.plugins[0].wasm = Blob::of(b"another component");
    new.plugins[0].imports.push("wasi:clocks/wall-clock@0.2.0".into());
    new.plugins[0].observed =
        Some(Observed { reads: ["user.email".to_owned()].into(), writes: ["user.segment".to_owned()].into() });
    new.plugins.push(crate::Plugin { step: "split".into(), ..old.plugins[0].clone() });
    new.plugins.remove(1);
    new.assets.push(Asset {
        step: "mask".into(),
        name: "words.txt".into(),
        source: "data/words.txt".into(),
        blob: Blob::of(b"words"),
    });
    new.test_records = None;
    let found = diff(&old, &new);
    assert!(found.config.is_some() && found.test_records.is_some() && !found.reordered);
    let steps: Vec<_> =
        found.steps.iter().map(|step| (step.step.as_str(), step.from.is_some(), step.to.is_some())).collect();
    assert_eq!(steps, [("mask", true, true), ("split", false, true), ("enrich", true, false)]);
    assert_eq!(found.steps[0].imports_added.iter().collect::<Vec<_>>(), ["wasi:clocks/wall-clock@0.2.0"]);
    assert_eq!(found.steps[0].reads_added.iter().collect::<Vec<_>>(), ["user.email"]);
    assert_eq!(found.steps[0].writes_added.iter().collect::<Vec<_>>(), ["user.segment"]);
    let back = diff(&new, &old);
    let mask = back.steps.iter().find(|step| step.step == "mask").unwrap();
    assert_eq!((mask.imports_removed.len(), mask.reads_removed.len(), mask.writes_removed.len()), (1, 1, 1));
    let asset = &found.assets[0];
    assert_eq!((asset.name.as_str(), asset.from.is_none(), asset.to.is_some()), ("words.txt", true, true));

    let mut turned = old.clone();
    turned.plugins.reverse();
    assert_eq!(diff(&old, &turned), Difference { reordered: true, ..Difference::default() });
}

#[test]
fn a_draft_has_all_its_bytes() {
    let good = draft("one", 1);
    assert_eq!(kind(Draft::new(good.manifest().clone(), [])), ErrorKind::Invalid);
    let strange = crate::DraftCompiled {
        engine: engine(),
        artifacts: [(crate::Digest::of(b"no component of it"), bytes::Bytes::new())].into(),
        at_ms: 1,
        by: "ann".into(),
    };
    assert_eq!(kind(good.with_compiled(strange)), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_id_is_the_digest_of_what_is_stored() {
    let (store, registry) = memory();
    let draft = draft("one", 1);
    let id = registry.publish(&draft, publishing(&publisher(1), 1)).await.unwrap();
    assert_eq!(id, draft.id());
    let text = store.read(&format!("pipelines/clickstream/releases/{id}/manifest.json")).await;
    let line = text.iter().position(|byte| *byte == b'\n').unwrap();
    assert_eq!(crate::Digest::of(&text[line + 1..]).to_string(), id.to_string());
    for json in text.split(|byte| *byte == b'\n') {
        assert!(serde_json::from_slice::<serde_json::Value>(json).unwrap().is_object());
    }
    let again = registry.publish(&draft, publishing(&publisher(1), 1)).await.unwrap();
    assert_eq!(again, id);
}

#[tokio::test]
async fn progress_is_told_and_ends_at_its_totals() {
    let (_store, registry) = memory();
    let seen = std::sync::Mutex::new(Vec::new());
    let tell = |progress| seen.lock().unwrap().push(progress);
    let key = publisher(1);
    let how = crate::Publishing { progress: &tell, ..publishing(&key, 1) };
    registry.publish(&draft("one", 1), how).await.unwrap();
    let seen = seen.into_inner().unwrap();
    let last = seen.last().unwrap();
    assert_eq!((seen.len(), last.objects, last.objects_total), (7, 7, 7));
    assert_eq!((last.bytes, last.bytes_written), (last.bytes_total, last.bytes_total));
    assert!(seen.windows(2).all(|pair| pair[0].objects < pair[1].objects && pair[0].bytes <= pair[1].bytes));
}
