//! Where things stand in a store.
//!
//! ```text
//! blobs/sha256/<digest>                                    plugins, compiled artifacts, assets, test records
//! pipelines/<pipeline>/releases/<id>/manifest.json         signed
//! pipelines/<pipeline>/releases/<id>/compiled/<engine>.json   signed
//! pipelines/<pipeline>/channels/<channel>.json             signed; the only object that changes under several writers
//! pipelines/<pipeline>/history/<channel>/<revision>.json   each pointer that the channel ever had, as it was
//! pipelines/<pipeline>/hosts/<host>.json                   what each host last said; each written by one host
//! pipelines/<pipeline>/hosts/verdicts/<channel>/<revision>/passed.json            its release passed on some host
//! pipelines/<pipeline>/hosts/verdicts/<channel>/<revision>/returned/<host>.json   this host went back from it
//! ```
//!
//! Every part is a [`Name`], a digest or a number, so no part can leave its folder.

use crate::hosts::Outcome;
use crate::ids::{Digest, Fingerprint, Name, ReleaseId};
use object_store::path::Path;

const VERDICTS: &str = "verdicts";
const PASSED: &str = "passed.json";
const RETURNED: &str = "returned";

pub(crate) fn blobs() -> Path {
    Path::from_iter(["blobs", "sha256"])
}

pub(crate) fn blob(digest: Digest) -> Path {
    Path::from_iter(["blobs".to_owned(), "sha256".to_owned(), digest.to_string()])
}

pub(crate) fn pipelines() -> Path {
    Path::from_iter(["pipelines"])
}

fn below(pipeline: &Name, parts: &[&str]) -> Path {
    Path::from_iter(["pipelines", pipeline.as_str()].into_iter().chain(parts.iter().copied()))
}

pub(crate) fn releases(pipeline: &Name) -> Path {
    below(pipeline, &["releases"])
}

pub(crate) fn release(pipeline: &Name, id: ReleaseId) -> Path {
    below(pipeline, &["releases", &id.to_string()])
}

pub(crate) fn manifest(pipeline: &Name, id: ReleaseId) -> Path {
    below(pipeline, &["releases", &id.to_string(), "manifest.json"])
}

pub(crate) fn compiled(pipeline: &Name, id: ReleaseId, engine: Fingerprint) -> Path {
    below(pipeline, &["releases", &id.to_string(), "compiled", &format!("{engine}.json")])
}

pub(crate) fn channels(pipeline: &Name) -> Path {
    below(pipeline, &["channels"])
}

pub(crate) fn channel(pipeline: &Name, channel: &Name) -> Path {
    below(pipeline, &["channels", &format!("{channel}.json")])
}

pub(crate) fn history(pipeline: &Name, channel: &Name) -> Path {
    below(pipeline, &["history", channel.as_str()])
}

/// Revisions are written with 16 digits, so that they are listed in order.
pub(crate) fn revision(pipeline: &Name, channel: &Name, revision: u64) -> Path {
    below(pipeline, &["history", channel.as_str(), &format!("{revision:016}.json")])
}

pub(crate) fn hosts(pipeline: &Name) -> Path {
    below(pipeline, &["hosts"])
}

pub(crate) fn host(pipeline: &Name, host: &Name) -> Path {
    below(pipeline, &["hosts", &format!("{host}.json")])
}

/// Verdicts stand below the hosts' files, so that whoever may write those may write these.
pub(crate) fn verdicts(pipeline: &Name, channel: &Name, revision: u64) -> Path {
    below(pipeline, &["hosts", VERDICTS, channel.as_str(), &format!("{revision:016}")])
}

pub(crate) fn passed(pipeline: &Name, channel: &Name, revision: u64) -> Path {
    verdicts(pipeline, channel, revision).join(PASSED)
}

pub(crate) fn returned(pipeline: &Name, channel: &Name, revision: u64, host: &Name) -> Path {
    verdicts(pipeline, channel, revision).join(RETURNED).join(format!("{host}.json"))
}

/// What a path below [`verdicts`] says.
pub(crate) fn outcome_of(path: &Path) -> Option<Outcome> {
    let parts: Vec<_> = path.parts().collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        ["pipelines", _, "hosts", VERDICTS, _, _, PASSED] => Some(Outcome::Passed),
        ["pipelines", _, "hosts", VERDICTS, _, _, RETURNED, _] => Some(Outcome::Returned),
        _ => None,
    }
}

/// The pipeline, the channel and the revision that an entry of a history or a verdict is about.
pub(crate) fn revision_of(path: &Path) -> Option<(String, String, u64)> {
    let parts: Vec<_> = path.parts().collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let (pipeline, channel, revision) = match parts.as_slice() {
        ["pipelines", pipeline, "history", channel, file] => (pipeline, channel, file.strip_suffix(".json")?),
        ["pipelines", pipeline, "hosts", VERDICTS, channel, revision, ..] => (pipeline, channel, *revision),
        _ => return None,
    };
    Some(((*pipeline).to_owned(), (*channel).to_owned(), revision.parse().ok()?))
}

/// What a path below `pipelines` is, as far as `gc` wants to know.
pub(crate) enum Kind {
    Manifest,
    Compiled,
    Host,
    Verdict,
    History,
    Other,
}

pub(crate) fn kind_of(path: &Path) -> Kind {
    let parts: Vec<_> = path.parts().collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        ["pipelines", _, "releases", _, "manifest.json"] => Kind::Manifest,
        ["pipelines", _, "releases", _, "compiled", _] => Kind::Compiled,
        ["pipelines", _, "hosts", _] => Kind::Host,
        ["pipelines", _, "hosts", VERDICTS, ..] => Kind::Verdict,
        ["pipelines", _, "history", _, _] => Kind::History,
        _ => Kind::Other,
    }
}

/// The name that a path's last part has before `.json`.
pub(crate) fn stem(path: &Path) -> Option<&str> {
    path.filename()?.strip_suffix(".json")
}

/// The release that a path below `releases` belongs to, and the engine when it is a list of compiled artifacts.
pub(crate) fn release_of(path: &Path) -> Option<(ReleaseId, Option<Fingerprint>)> {
    let parts: Vec<_> = path.parts().collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        ["pipelines", _, "releases", id, "manifest.json"] => Some((id.parse().ok()?, None)),
        ["pipelines", _, "releases", id, "compiled", file] => {
            Some((id.parse().ok()?, Some(file.strip_suffix(".json")?.parse().ok()?)))
        }
        _ => None,
    }
}
