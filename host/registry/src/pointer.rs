//! A channel's pointer: which release the channel holds, signed, with what a reader needs to judge it alone.
//!
//! **Who may move a channel.** A key with `channel` may move it anywhere. A key with `operate` may only go back and
//! forth: its pointer carries, in `held`, earlier pointers of the same pipeline and channel whole, each signed by a key
//! with `channel`, and is taken only if they name every release it wants run (`release`, and `previous` if there is
//! one). So a reader checks an operator's move with one or two more signatures and without another request; whoever
//! steals an operator's key and the bucket can choose among what a publisher put on this channel, and nothing else. A
//! proof may be of any age: an operator goes back on purpose.
//!
//! **Revisions** start at 1 and grow by 1 with each move. A reader refuses what goes back, and two pointers of one
//! revision. An operator's pointer also carries the newest pointer of a publisher, and its revision may exceed that
//! one's by at most [`OPERATOR_MOVES_MAX`]. So an operator's key cannot use up the revisions of a channel, and a reader
//! that has seen nothing before, or nothing for years, can check that from the pointer alone: honest revisions grow by
//! one, and each publish raises the bound.

use crate::envelope::{self, Form};
use crate::error::{Error, Result, Untrusted};
use crate::ids::{Digest, Name, ReleaseId};
use crate::keys::{KeyId, SigningKey, Trust};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// A pointer has a kilobyte, 70 bytes more for each bad release, and twice that for each pointer in `held`.
pub(crate) const POINTER_BYTES_MAX: u64 = 64 * 1024;

/// How many releases a pointer remembers as bad: those that were left last by a rollback.
pub const BAD_MAX: usize = 64;

/// Who and why, each: a line for people.
pub const REASON_CHARS_MAX: usize = 500;

/// Revisions stay exact in any JSON reader.
pub const REVISION_MAX: u64 = 1 << 53;

/// How far the revision of an operator's pointer may exceed that of the newest publisher's pointer that it carries: a
/// move a day for almost three years without a publish.
pub const OPERATOR_MOVES_MAX: u64 = 1_000;

/// An operator's pointer proves two releases at most, and how far publishers have come.
const HELD_MAX: usize = 3;

/// What a channel holds, and how it came to it. Made only by reading and checking a signed pointer.
#[derive(Debug, Clone, Serialize)]
pub struct Pointer {
    /// The pipeline.
    pub pipeline: Name,
    /// The channel.
    pub channel: Name,
    /// Grows by 1 with each move, from 1.
    pub revision: u64,
    /// The release that the channel holds.
    pub release: ReleaseId,
    /// What a host takes when it starts and `release` turns out bad: the last release before it that nobody rolled back
    /// from, and that passed its probation as far as the mover could see.
    pub previous: Option<ReleaseId>,
    /// What the channel held in the revision before, and what hosts said about it.
    pub left: Option<Left>,
    /// How the channel came here.
    pub action: Action,
    /// When, in milliseconds since the Unix epoch; never before the revision before.
    pub at_ms: u64,
    /// By whom, for people.
    pub by: String,
    /// Why, for people.
    pub why: String,
    /// Releases that this channel was rolled back from, newest last, at most [`BAD_MAX`].
    pub bad: Vec<ReleaseId>,
    /// The mover insists: hosts take the release whatever other hosts have said about it, and without a probation.
    pub forced: bool,
    /// Who signed it; `None` from an unsigned store.
    #[serde(skip)]
    pub signer: Option<KeyId>,
    /// Whether a key with `channel` signed it, and not an operator's: then it proves that the channel held `release`.
    #[serde(skip)]
    pub by_publisher: bool,
    #[serde(skip)]
    pub(crate) digest: Digest,
    /// The signed text it was read from.
    #[serde(skip)]
    pub(crate) text: String,
    #[serde(skip)]
    pub(crate) held: Vec<String>,
}

/// How a channel was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A new release was published to the channel.
    Publish,
    /// A release of the store was put on the channel.
    Promote,
    /// The channel went back; what it left is bad.
    RollBack,
}

/// What a channel held before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The release.
    pub release: ReleaseId,
    /// How its probation went, as far as the mover could see.
    pub probation: Option<Tally>,
}

/// How many hosts said what about a release's probation. Hosts have no key: whoever may write the bucket may have
/// written this, so it only ever chooses among releases that the channel has held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Hosts on which it passed.
    pub passed: u32,
    /// Hosts that went back from it by themselves.
    pub returned: u32,
    /// Hosts on which it had not come to an end.
    #[serde(default)]
    pub running: u32,
}

/// From this many hosts on, going back is the release's fault, whatever other hosts say. One host that went back may be
/// to blame itself if the release passed on another.
pub const RETURNS_MIN: u32 = 2;

impl Tally {
    /// Whether the release passed: on one host at least, and hosts that went back are fewer than [`RETURNS_MIN`].
    pub fn has_passed(&self) -> bool {
        self.passed > 0 && self.returned < RETURNS_MIN
    }

    /// Whether the release failed: a host went back from it, and it has not passed.
    pub fn has_failed(&self) -> bool {
        self.returned > 0 && !self.has_passed()
    }

    /// Whether hosts are still trying the release, and it has neither passed nor failed on any.
    pub fn is_open(&self) -> bool {
        self.running > 0 && self.passed == 0 && self.returned == 0
    }

    /// The higher count of each kind: both were counted on the same hosts, in two ways.
    pub(crate) fn or_more(self, other: Tally) -> Tally {
        Tally {
            passed: self.passed.max(other.passed),
            returned: self.returned.max(other.returned),
            running: self.running.max(other.running),
        }
    }
}

/// What a pointer says, before it is signed: the place that it is for, and the move.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) kind: String,
    pub(crate) version: u32,
    pub(crate) pipeline: Name,
    pub(crate) channel: Name,
    #[serde(flatten)]
    pub(crate) body: PointerBody,
}

/// What a move decides; the rest of the pointer follows from the place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PointerBody {
    pub(crate) revision: u64,
    pub(crate) release: ReleaseId,
    pub(crate) previous: Option<ReleaseId>,
    #[serde(default)]
    pub(crate) left: Option<Left>,
    pub(crate) action: Action,
    pub(crate) at_ms: u64,
    pub(crate) by: String,
    pub(crate) why: String,
    /// Two moves never have the same bytes, so a mover recognises its own.
    pub(crate) nonce: String,
    #[serde(default)]
    pub(crate) bad: Vec<ReleaseId>,
    #[serde(default)]
    pub(crate) forced: bool,
    #[serde(default)]
    pub(crate) held: Vec<String>,
}

/// Writes a pointer in its envelope.
pub(crate) fn seal(pipeline: &Name, channel: &Name, body: PointerBody, signer: Option<&SigningKey>) -> Result<String> {
    let action = format!("write the pointer of channel `{channel}`");
    for text in [&body.by, &body.why] {
        if text.chars().count() > REASON_CHARS_MAX || text.chars().any(char::is_control) {
            let problem = format!("who and why are at most {REASON_CHARS_MAX} printable characters each");
            return Err(Error::invalid(action, problem));
        }
    }
    if body.revision > REVISION_MAX {
        return Err(Error::invalid(action, "its revisions are used up: use another channel"));
    }
    let payload = Payload {
        kind: Form::Channel.as_str().to_owned(),
        version: VERSION,
        pipeline: pipeline.clone(),
        channel: channel.clone(),
        body,
    };
    let text = serde_json::to_string(&payload).expect("names and digests become JSON");
    envelope::seal(Form::Channel, &text, signer)
}

impl Pointer {
    /// Reads a pointer and checks that it is one of this pipeline and channel, and that its signer may have moved the
    /// channel there. Whether it is newer than one seen before is the caller's to check: see [`Watch`](crate::Watch).
    ///
    /// # Errors
    /// [`Untrusted`](crate::ErrorKind::Untrusted), by kind.
    pub fn verify(bytes: &[u8], trust: &Trust, pipeline: &Name, channel: &Name) -> Result<Pointer> {
        let what = format!("channel `{channel}` of `{pipeline}`");
        let opened = envelope::open(Form::Channel, bytes, trust, &what)?;
        let payload: Payload = envelope::decode(Form::Channel, opened.payload, VERSION, &what)?;
        payload.check_place(pipeline, channel, &what)?;
        if !opened.purposes.channel {
            payload.check_held(trust, &what)?;
        }
        let text = String::from_utf8(bytes.to_vec()).expect("the envelope was read as text");
        let Payload { pipeline, channel, body, .. } = payload;
        // Two moves never have the same bytes; that is all that the nonce is for.
        let PointerBody { revision, release, previous, left, action, at_ms, by, why, nonce: _, bad, forced, held } =
            body;
        Ok(Pointer {
            pipeline,
            channel,
            revision,
            release,
            previous,
            left,
            action,
            at_ms,
            by,
            why,
            bad,
            forced,
            held,
            signer: opened.signer,
            by_publisher: opened.purposes.channel,
            digest: opened.digest,
            text,
        })
    }

    /// Signed texts that prove which releases this channel has held, as far as this pointer knows.
    pub(crate) fn proofs(&self) -> Vec<String> {
        if self.by_publisher { vec![self.text.clone()] } else { self.held.clone() }
    }

    /// Whether the channel was rolled back from this release, as far as the pointer remembers.
    pub fn calls_bad(&self, release: ReleaseId) -> bool {
        self.bad.contains(&release)
    }
}

impl Payload {
    fn check_place(&self, pipeline: &Name, channel: &Name, what: &str) -> Result<()> {
        let wrong = |why, problem| Err(Error::untrusted(why, format!("verify {what}"), problem));
        if self.pipeline != *pipeline || self.channel != *channel {
            let problem = format!("it is the pointer of channel `{}` of `{}`", self.channel, self.pipeline);
            return wrong(Untrusted::Place, problem);
        }
        let PointerBody { revision, bad, held, .. } = &self.body;
        if *revision == 0 || *revision > REVISION_MAX || bad.len() > BAD_MAX || held.len() > HELD_MAX {
            return wrong(Untrusted::Malformed, "its revision or one of its lists is out of bounds".to_owned());
        }
        Ok(())
    }

    /// Whether the pointers in `held` prove every release that this one wants run, and that its revision may be so
    /// high.
    fn check_held(&self, trust: &Trust, what: &str) -> Result<()> {
        let mut held = Vec::with_capacity(HELD_MAX);
        for text in &self.body.held {
            held.push(Proof::read(text, trust, &self.pipeline, &self.channel)?);
        }
        let wrong = |why, problem| Err(Error::untrusted(why, format!("verify {what}"), problem));
        let proven = |id: &ReleaseId| held.iter().any(|proof| proof.release == *id);
        let missing = [Some(self.body.release), self.body.previous].into_iter().flatten().find(|id| !proven(id));
        if let Some(id) = missing {
            return wrong(
                Untrusted::NeverHeld,
                format!("an operator's key moved it to release {}, without proof that it was there before", id.short()),
            );
        }
        let newest = held.iter().map(|proof| proof.revision).max().unwrap_or(0);
        if self.body.revision > newest.saturating_add(OPERATOR_MOVES_MAX) {
            return wrong(
                Untrusted::Jumped,
                format!(
                    "an operator's key gave it revision {}, and the newest publisher's pointer that it carries is \
                     revision {newest}: at most {OPERATOR_MOVES_MAX} more are allowed",
                    self.body.revision
                ),
            );
        }
        Ok(())
    }
}

/// What a publisher's pointer proves to whoever is handed its text: that the channel held a release at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) release: ReleaseId,
    pub(crate) revision: u64,
}

impl Proof {
    /// Reads the publisher's pointer that is whole in `text`. Looks no deeper: what such a pointer itself holds proves
    /// nothing.
    pub(crate) fn read(text: &str, trust: &Trust, pipeline: &Name, channel: &Name) -> Result<Proof> {
        let what = format!("an earlier pointer of channel `{channel}` of `{pipeline}`");
        let opened = envelope::open(Form::Channel, text.as_bytes(), trust, &what)?;
        let payload: Payload = envelope::decode(Form::Channel, opened.payload, VERSION, &what)?;
        payload.check_place(pipeline, channel, &what)?;
        if !opened.purposes.channel {
            let problem = "an operator's pointer proves nothing about another".to_owned();
            return Err(Error::untrusted(Untrusted::NeverHeld, format!("verify {what}"), problem));
        }
        Ok(Proof { release: payload.body.release, revision: payload.body.revision })
    }
}
