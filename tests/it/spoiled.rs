//! Releases that no host may take, put on a channel all the same: by a publisher's mistake, or by whoever may write the
//! store and has no key, or the wrong one.

use registry::testing::{publisher, sign};
use registry::{Digest, ReleaseId};
use serde_json::{Value, json};
use tests::place::Place;
use tests::shop::{Recipe, Shop};

/// What is wrong with a release, and what a host calls it.
pub const KINDS: [(&str, &str); 19] = [
    // A publisher's mistakes.
    ("test records that come to something else", "test-records"),
    ("a config that cannot be read", "config"),
    ("a plugin that refuses its config", "load"),
    ("a plugin that never ends its init", "load"),
    ("a plugin with a foreign import", "load"),
    ("more steps than the pool has room for", "pool"),
    ("a missing blob", "not-found"),
    ("more bytes than the function takes", "too-large"),
    ("a manifest of the future", "unknown-version"),
    // Whoever may write the store.
    ("a flipped bit in the signature", "bad-signature"),
    ("a changed manifest", "bad-signature"),
    ("a key that nobody trusts", "unknown-key"),
    ("no signature", "unsigned"),
    ("another release's manifest", "wrong-digest"),
    ("another pipeline's release", "wrong-place"),
    ("no JSON", "malformed"),
    ("a changed blob", "wrong-digest"),
    ("a blob cut short", "wrong-size"),
    ("a swollen blob", "wrong-size"),
];

/// Steps of a release that fits into no pool beside another: a host has room for two of 16 steps.
const STEPS: usize = 40;

/// Publishes a release with such a fault and puts it on the channel. `mark` makes it another one than any other.
pub async fn publish(shop: &Shop, place: &Place, how: &str, mark: &str) -> ReleaseId {
    let good = Recipe::good(mark);
    let bare = |steps: &str| Recipe { steps: steps.to_owned(), tried: false };
    match how {
        "a plugin that refuses its config" => promoted(shop, &bare("[[step]]\nplugin = \"filter\"\n"), mark).await,
        "a plugin that never ends its init" => {
            let steps = "[[step]]\nplugin = \"misbehave\"\nconfig = { init = \"slow-init\" }\n";
            promoted(shop, &bare(steps), mark).await
        }
        "more steps than the pool has room for" => {
            let step = |n| format!("[[step]]\nname = \"s{n}\"\nplugin = \"split\"\nconfig = {{ path = \"items\" }}\n");
            promoted(shop, &bare(&(0..STEPS).map(step).collect::<String>()), mark).await
        }
        "a plugin with a foreign import" => promoted(shop, &bare("[[step]]\nplugin = \"foreign\"\n"), mark).await,
        "a missing blob" | "a changed blob" | "a blob cut short" | "a swollen blob" => {
            let id = shop.shelve(&good, mark).await;
            spoil_blob(place, &records_of(place, id), how);
            shop.promote(id).await;
            id
        }
        _ => {
            let id = spoil_manifest(shop, place, shop.shelve(&good, mark).await, how);
            point_to(shop, place, id);
            id
        }
    }
}

async fn promoted(shop: &Shop, recipe: &Recipe, mark: &str) -> ReleaseId {
    let id = shop.shelve(recipe, mark).await;
    shop.promote(id).await;
    id
}

fn manifest_path(id: ReleaseId) -> String {
    format!("pipelines/clickstream/releases/{id}/manifest.json")
}

/// Who signed, and what was signed.
fn parts(signed: &[u8]) -> (String, String) {
    let text = String::from_utf8(signed.to_vec()).expect("text");
    let (who, what) = text.split_once('\n').expect("two lines");
    (who.to_owned(), what.to_owned())
}

/// The blob with a release's test records, which no other release has.
fn records_of(place: &Place, id: ReleaseId) -> String {
    let manifest: Value = serde_json::from_str(&parts(&place.get(&manifest_path(id))).1).expect("JSON");
    format!("blobs/sha256/{}", manifest["test_records"]["digest"].as_str().expect("it has some"))
}

fn spoil_blob(place: &Place, path: &str, how: &str) {
    let mut bytes = place.get(path);
    match how {
        "a missing blob" => return place.remove(path),
        "a changed blob" => bytes[7] ^= 1,
        "a blob cut short" => bytes.truncate(bytes.len() / 2),
        "a swollen blob" => bytes.extend_from_slice(b" "),
        other => panic!("there is no fault `{other}`"),
    }
    place.put(path, &bytes);
}

/// Writes a manifest with a fault; gives the release that it stands under.
fn spoil_manifest(shop: &Shop, place: &Place, id: ReleaseId, how: &str) -> ReleaseId {
    let (who, what) = parts(&place.get(&manifest_path(id)));
    let manifest: Value = serde_json::from_str(&what).expect("JSON");
    let changed = |key: &str, value: Value| {
        let mut manifest = manifest.clone();
        manifest[key] = value;
        manifest.to_string()
    };
    let resigned = |payload: &str| sign("release", payload, Some(&shop.key)).expect("a publisher's key signs");
    // Signed as it should be; what is signed is wrong.
    let payload = match how {
        "test records that come to something else" => {
            let config = manifest["config"].as_str().expect("text").replace("drop_if", "keep_if");
            changed("config", json!(config))
        }
        "a config that cannot be read" => changed("config", json!("[pipeline]\nname = \"clickstream\"\n[stap]\n")),
        "more bytes than the function takes" => {
            changed("test_records", json!({"digest": Digest::of(b"x"), "bytes": 250 << 20}))
        }
        "a manifest of the future" => changed("version", json!(2)),
        "another pipeline's release" => changed("pipeline", json!("other")),
        "no JSON" => format!("{{ this is no JSON {id}"),
        _ => {
            let signed = match how {
                "a flipped bit in the signature" => {
                    let at = who.find("\"signature\":\"").expect("it is signed") + 20;
                    let other = if who.as_bytes()[at] == b'A' { "B" } else { "A" };
                    format!("{}{other}{}\n{what}", &who[..at], &who[at + 1..])
                }
                "a changed manifest" => format!("{who}\n{}", what.replace("\"by\":\"ann\"", "\"by\":\"eve\"")),
                "a key that nobody trusts" => sign("release", &what, Some(&publisher(9))).expect("it signs"),
                "no signature" => format!("{{\"paddlewheel\":1}}\n{what}"),
                "another release's manifest" => {
                    let other: ReleaseId = Digest::of(id.to_string().as_bytes()).to_string().parse().expect("an id");
                    place.put(&manifest_path(other), &place.get(&manifest_path(id)));
                    return other;
                }
                other => panic!("there is no fault `{other}`"),
            };
            place.put(&manifest_path(id), signed.as_bytes());
            return id;
        }
    };
    let id: ReleaseId = Digest::of(payload.as_bytes()).to_string().parse().expect("an id");
    place.put(&manifest_path(id), resigned(&payload).as_bytes());
    id
}

/// Moves the channel with a publisher's key and no look at the release, as a careless or hostile tool would.
fn point_to(shop: &Shop, place: &Place, id: ReleaseId) {
    const LIVE: &str = "pipelines/clickstream/channels/live.json";
    let mut pointer: Value = serde_json::from_str(&parts(&place.get(LIVE)).1).expect("JSON");
    let revision = pointer["revision"].as_u64().expect("a number") + 1;
    pointer["revision"] = json!(revision);
    pointer["previous"] = pointer["release"].take();
    pointer["release"] = json!(id);
    let signed = sign("channel", &pointer.to_string(), Some(&shop.key)).expect("a publisher's key signs");
    place.put(&format!("pipelines/clickstream/history/live/{revision:016}.json"), signed.as_bytes());
    place.put(LIVE, signed.as_bytes());
}
