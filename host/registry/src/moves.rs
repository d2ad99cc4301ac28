//! Moving a channel: promote and roll back.
//!
//! **The order of writes.** A move (1) reads the pointer, (2) makes sure that the history has this pointer, (3)
//! replaces the pointer on condition that nobody else has, (4) adds the new pointer to the history. Step 3 alone
//! decides. A kill before it leaves the old release; a kill after it leaves the new one and a history that lacks its
//! newest entry, which is the pointer itself and is added by step 2 of the next move. So the history never has what the
//! channel never held, and never lacks what it held before.
//!
//! **A lost race** is told. The mover may say which revision it looked at: if the channel has another one by then,
//! nothing is written. If it does not care, a promotion is made anew on top of the other move; a rollback never is.

use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::hosts::tally;
use crate::ids::{Name, ReleaseId};
use crate::keys::SigningKey;
use crate::layout;
use crate::pointer::{
    self, Action, BAD_MAX, Left, OPERATOR_MOVES_MAX, POINTER_BYTES_MAX, Pointer, PointerBody, Proof, Tally,
};
use crate::registry::Registry;
use crate::store::Version;
use bytes::Bytes;
use std::collections::BTreeMap;

/// How often a lost race is run again before the mover is told. Eight people at one channel are a conversation.
const RACES_MAX: u32 = 8;

/// How far back a rollback looks for a good release.
const ROLLBACK_REVISIONS_MAX: u64 = 1_000;

/// A move of a channel.
#[derive(Debug, Clone)]
pub struct Move {
    /// The channel. One that nobody ever moved is made.
    pub channel: Name,
    /// The time, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// By whom, for people: a line.
    pub by: String,
    /// Why, for people: a line.
    pub why: String,
    /// The revision that the mover looked at, 0 for a channel that held nothing: at any other nothing is moved. `None`:
    /// move whatever it holds.
    pub expected: Option<u64>,
    /// Move even to a release that the channel, or another one, was rolled back from, and let hosts take it without a
    /// probation, whatever other hosts have said about it. A rollback is never forced.
    pub force: bool,
    /// Move even if the pointer that is there is not trusted here: to repair a channel that somebody tampered with. It
    /// goes on from the newest revision of its history that is trusted.
    pub replace_untrusted: bool,
}

/// A move that was made.
#[derive(Debug, Clone)]
pub struct Moved {
    /// What the channel holds now.
    pub pointer: Pointer,
    /// What it held before.
    pub before: Option<Pointer>,
}

/// What is known when a move is decided.
struct State {
    /// The version of the pointer that is there, trusted or not.
    version: Option<Version>,
    /// The newest revision that is known: the pointer, unless somebody took it back or away.
    newest: Option<Pointer>,
    /// What hosts say about it.
    tally: Option<Tally>,
}

/// What a move decides.
struct Plan {
    release: ReleaseId,
    previous: Option<ReleaseId>,
    action: Action,
    held: Vec<String>,
}

impl Registry {
    /// Puts a release that is in the store on a channel. `action` is [`Action::Publish`] for the end of a publish, else
    /// [`Action::Promote`]; moving to the release that the channel holds already is a move too: hosts that refused it
    /// try again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] for a lost race, [`Refusal::BadRelease`], [`Refusal::NeedsPublisher`],
    /// [`Refusal::KeyPurpose`], [`ErrorKind::NotFound`] without the release, [`ErrorKind::Untrusted`] when the release
    /// or the pointer that is there is not trusted here, and whatever the store refuses. Nothing was moved then, except
    /// after [`ErrorKind::Unavailable`]: whether the last request was carried out is not known, and the channel will
    /// tell.
    pub async fn promote(
        &self,
        to: ReleaseId,
        action: Action,
        how: &Move,
        signer: Option<&SigningKey>,
    ) -> Result<Moved> {
        self.release(to).await?;
        if !how.force {
            self.refuse_bad_elsewhere(to, &how.channel).await?;
        }
        let mut race = 0;
        loop {
            race += 1;
            let state = self.state(how).await?;
            if let Some(newest) = state.newest.as_ref().filter(|_| !how.force) {
                refuse_bad(to, newest)?;
            }
            let previous = fallback(&state, to);
            let (previous, held) = self.proofs(&state, &how.channel, to, previous, signer).await?;
            let plan = Plan { release: to, previous, action, held };
            match self.carry_out(plan, state, how, signer).await {
                Err(error) if is_race(&error, how, race) => self.store.wait_a_little().await,
                moved => return moved,
            }
        }
    }

    /// Moves a channel back to the last release that passed its probation and that it was never rolled back from; if
    /// none is known to have passed, to the last one that is not known to have failed. What it leaves is bad from then
    /// on. A lost race is always told: whoever wants to leave a release does not want to leave the one that came in its
    /// place.
    ///
    /// # Errors
    /// [`Refusal::NothingToRollBackTo`], and as for [`Registry::promote`].
    pub async fn rollback(&self, how: &Move, signer: Option<&SigningKey>) -> Result<Moved> {
        let state = self.state(how).await?;
        let (release, previous) = self.rollback_targets(&state, &how.channel).await?;
        self.release(release).await?;
        let (previous, held) = self.proofs(&state, &how.channel, release, previous, signer).await?;
        let plan = Plan { release, previous, action: Action::RollBack, held };
        self.carry_out(plan, state, how, signer).await
    }

    /// Steps 1 and 2.
    async fn state(&self, how: &Move) -> Result<State> {
        let channel = &how.channel;
        let (pointer, version) = match self.pointer_object(channel).await? {
            None => (None, None),
            Some(object) => match self.read_pointer(&object.bytes, channel) {
                Err(error) if how.replace_untrusted && matches!(error.kind(), ErrorKind::Untrusted(_)) => {
                    (None, Some(object.version))
                }
                pointer => (Some(pointer?), Some(object.version)),
            },
        };
        let at = pointer.as_ref().map_or(0, |pointer| pointer.revision);
        if let Some(expected) = how.expected.filter(|expected| *expected != at) {
            return Err(other_revision(channel, pointer.as_ref(), expected));
        }
        if let Some(pointer) = &pointer {
            self.keep(pointer).await?;
        }
        // Somebody who can write the bucket can take the pointer back or away, but cannot make up a revision: the
        // channel goes on from the newest one that is known, so that hosts which saw it take the next.
        let newest = self.newest_beyond(channel, at).await?.or(pointer);
        let tally = match &newest {
            Some(newest) => self.tally(newest, how.now_ms).await,
            None => None,
        };
        Ok(State { version, newest, tally })
    }

    /// Steps 3 and 4.
    async fn carry_out(&self, plan: Plan, state: State, how: &Move, signer: Option<&SigningKey>) -> Result<Moved> {
        let before = state.newest;
        let mut bad = before.as_ref().map(|pointer| pointer.bad.clone()).unwrap_or_default();
        if let Some(left) = before.as_ref().filter(|_| plan.action == Action::RollBack) {
            bad.retain(|id| *id != left.release);
            bad.push(left.release);
            bad.drain(..bad.len().saturating_sub(BAD_MAX));
        }
        let body = PointerBody {
            revision: before.as_ref().map_or(0, |pointer| pointer.revision) + 1,
            release: plan.release,
            previous: plan.previous,
            left: before.as_ref().map(|pointer| Left { release: pointer.release, probation: state.tally }),
            action: plan.action,
            at_ms: before.as_ref().map_or(how.now_ms, |pointer| how.now_ms.max(pointer.at_ms)),
            by: how.by.clone(),
            why: how.why.clone(),
            nonce: nonce()?,
            bad,
            forced: how.force && plan.action != Action::RollBack,
            held: plan.held,
        };
        let text = pointer::seal(&self.pipeline, &how.channel, body, signer)?;
        let pointer = self.read_own(&text, &how.channel, signer)?;
        let path = layout::channel(&self.pipeline, &how.channel);
        let written = match &state.version {
            None => self.store.create(&path, Bytes::from(text)).await,
            Some(version) => self.store.replace(&path, Bytes::from(text), version).await,
        };
        if let Err(error) = written
            && (error.kind() != ErrorKind::Conflict || !self.was_ours(&pointer).await?)
        {
            return Err(error);
        }
        // The channel is moved. If this last write fails, the next move makes up for it.
        self.keep(&pointer).await.unwrap_or_default();
        Ok(Moved { pointer, before })
    }

    /// Reads back what was just signed, as a host would. A publisher whose key no host trusts learns it here, unless it
    /// does not know whom hosts trust either.
    fn read_own(&self, text: &str, channel: &Name, signer: Option<&SigningKey>) -> Result<Pointer> {
        let trust = self.believing(signer);
        Pointer::verify(text.as_bytes(), &trust, &self.pipeline, channel)
    }

    /// Whether a lost race was won after all: the answer to our write was lost, and somebody has moved on from there.
    /// Who does, first adds what they found to the history.
    async fn was_ours(&self, pointer: &Pointer) -> Result<bool> {
        let kept = self.kept(pointer).await?;
        Ok(kept.is_some_and(|bytes| bytes == pointer.text.as_bytes()))
    }

    /// Makes sure that the history has a pointer. Another text in its place stays there: somebody tampered with the
    /// history, which shows it as that, and it is the pointer that counts.
    async fn keep(&self, pointer: &Pointer) -> Result<()> {
        if self.kept(pointer).await?.is_some() {
            return Ok(());
        }
        let path = layout::revision(&self.pipeline, &pointer.channel, pointer.revision);
        match self.store.create(&path, Bytes::from(pointer.text.clone())).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            kept => kept,
        }
    }

    /// What the history has in the place of a pointer.
    async fn kept(&self, pointer: &Pointer) -> Result<Option<Bytes>> {
        let path = layout::revision(&self.pipeline, &pointer.channel, pointer.revision);
        match self.store.get(&path, POINTER_BYTES_MAX).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) if error.kind() == ErrorKind::TooLarge => Ok(Some(Bytes::new())),
            object => object.map(|object| Some(object.bytes)),
        }
    }

    /// What hosts say about the probation of what the channel holds: those that are running, and those that have left a
    /// verdict. Nothing that fails here stops a move.
    async fn tally(&self, pointer: &Pointer, now_ms: u64) -> Option<Tally> {
        let verdicts = self.verdicts(&pointer.channel, pointer.revision);
        let (hosts, verdicts) = futures_util::join!(self.hosts(now_ms), verdicts);
        let reports = hosts.as_ref().map(|hosts| hosts.live.iter().map(|(_, report)| report));
        let reported = reports.map(|reports| tally(reports, &pointer.channel, pointer.release, pointer.revision));
        match (reported, verdicts) {
            (Ok(reported), Ok(verdicts)) => Some(reported.or_more(verdicts)),
            (Ok(tally), Err(_)) | (Err(_), Ok(tally)) => Some(tally),
            (Err(_), Err(_)) => None,
        }
    }

    /// Refuses a release that another channel of the pipeline was rolled back from. Its own channel is looked at with
    /// each try.
    async fn refuse_bad_elsewhere(&self, release: ReleaseId, channel: &Name) -> Result<()> {
        for other in self.channels().await?.iter().filter(|other| *other != channel) {
            match self.pointer(other).await {
                Ok(Some(pointer)) => refuse_bad(release, &pointer)?,
                Ok(None) => {}
                // A channel that cannot be trusted has no say.
                Err(error) if matches!(error.kind(), ErrorKind::Untrusted(_) | ErrorKind::TooLarge) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where a rollback goes, and what hosts take if that turns out bad too.
    async fn rollback_targets(&self, state: &State, channel: &Name) -> Result<(ReleaseId, Option<ReleaseId>)> {
        let nothing = |problem: &str| {
            Err(Error::refused(Refusal::NothingToRollBackTo, format!("roll back channel `{channel}`"), problem))
        };
        let Some(current) = &state.newest else { return nothing("it holds nothing") };
        // From newest to oldest: what is bad is known before the older revisions that held it are met.
        let mut bad = current.bad.clone();
        bad.push(current.release);
        let mut probations: BTreeMap<ReleaseId, Tally> = BTreeMap::new();
        let mut candidates: Vec<ReleaseId> = Vec::new();
        let mut walk = self.walk(current.clone(), ROLLBACK_REVISIONS_MAX);
        while let Some(entry) = walk.next(self).await {
            let Ok(pointer) = entry.pointer else { continue };
            if let Some(left) = &pointer.left {
                if pointer.action == Action::RollBack {
                    bad.push(left.release);
                }
                if let Some(tally) = left.probation {
                    let sum = probations.entry(left.release).or_default();
                    *sum = sum.or_more(tally);
                }
            }
            if !bad.contains(&pointer.release) && !candidates.contains(&pointer.release) {
                candidates.push(pointer.release);
            }
            let passed = |id: &&ReleaseId| probations.get(id).is_some_and(Tally::has_passed);
            if candidates.iter().filter(passed).count() == 2 {
                break;
            }
        }
        // What was rolled back from longer ago than the pointer remembers, and put back by force since.
        candidates.retain(|id| !bad.contains(id));
        let tally = |id: &ReleaseId| probations.get(id).copied().unwrap_or_default();
        let (passed, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|id| tally(id).has_passed());
        let unknown = others.into_iter().filter(|id| !tally(id).has_failed());
        let mut best = passed.into_iter().chain(unknown);
        match best.next() {
            Some(release) => Ok((release, best.next())),
            None => nothing("no earlier release of it is good"),
        }
    }

    /// What an operator's pointer must carry: publishers' pointers that prove that the channel has held the release,
    /// and the one that hosts may fall back to, and one that is new enough for the revision. Without proof, the
    /// fallback is left out. A publisher's pointer carries nothing.
    async fn proofs(
        &self,
        state: &State,
        channel: &Name,
        release: ReleaseId,
        previous: Option<ReleaseId>,
        signer: Option<&SigningKey>,
    ) -> Result<(Option<ReleaseId>, Vec<String>)> {
        if signer.is_none_or(|key| key.purposes().channel) {
            return Ok((previous, Vec::new()));
        }
        let revision = state.newest.as_ref().map_or(0, |newest| newest.revision) + 1;
        let is_new = |proof: &Proof| revision <= proof.revision.saturating_add(OPERATOR_MOVES_MAX);
        let mut wanted: Vec<ReleaseId> = [Some(release), previous].into_iter().flatten().collect();
        let (mut held, mut wants_new) = (Vec::with_capacity(wanted.len() + 1), true);
        let mut walk = state.newest.clone().map(|newest| self.walk(newest, ROLLBACK_REVISIONS_MAX));
        while let Some(walk) = walk.as_mut().filter(|_| !wanted.is_empty() || wants_new) {
            let Some(entry) = walk.next(self).await else { break };
            for text in entry.pointer.iter().flat_map(Pointer::proofs) {
                let Ok(proof) = Proof::read(&text, &self.trust, &self.pipeline, channel) else { continue };
                let known = wanted.len();
                wanted.retain(|id| *id != proof.release);
                if wanted.len() < known || (wants_new && is_new(&proof)) {
                    wants_new &= !is_new(&proof);
                    held.push(text);
                }
            }
        }
        let refused =
            |problem| Err(Error::refused(Refusal::NeedsPublisher, format!("move channel `{channel}`"), problem));
        if wanted.contains(&release) {
            return refused(format!(
                "no publisher ever put release {} on it, and the key is an operator's",
                release.short()
            ));
        }
        if wants_new {
            return refused(format!("operators have moved it {OPERATOR_MOVES_MAX} times since a publisher did"));
        }
        Ok((previous.filter(|id| !wanted.contains(id)), held))
    }
}

/// 128 random bits.
fn nonce() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::invalid("write a pointer", "the system gives no random bytes"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn refuse_bad(release: ReleaseId, pointer: &Pointer) -> Result<()> {
    if !pointer.calls_bad(release) {
        return Ok(());
    }
    let problem = format!("channel `{}` was rolled back from it", pointer.channel);
    Err(Error::refused(Refusal::BadRelease, format!("promote release {}", release.short()), problem))
}

fn other_revision(channel: &Name, pointer: Option<&Pointer>, expected: u64) -> Error {
    let problem = match pointer {
        None => format!("it holds nothing that is trusted here, and revision {expected} was looked at"),
        Some(pointer) => format!(
            "it was moved to release {} (revision {}) by {}, and revision {expected} was looked at",
            pointer.release.short(),
            pointer.revision,
            pointer.by
        ),
    };
    Error::new(ErrorKind::Conflict, format!("move channel `{channel}`"), problem)
}

/// Whether a failed move is to be made anew: it lost a race, and the mover does not care what the channel held.
fn is_race(error: &Error, how: &Move, race: u32) -> bool {
    error.kind() == ErrorKind::Conflict && how.expected.is_none() && race < RACES_MAX
}

/// What hosts take when the release that the channel is moved to turns out bad: what it holds now, or, if hosts have
/// gone back from that or are still trying it, what that one would have fallen back to. Of what nothing is known, the
/// newer one.
fn fallback(state: &State, to: ReleaseId) -> Option<ReleaseId> {
    let current = state.newest.as_ref()?;
    let tally = state.tally.unwrap_or_default();
    let good = |id: &ReleaseId| *id != to && !current.calls_bad(*id);
    let (held, before) = (Some(current.release).filter(good), current.previous.filter(good));
    if tally.has_failed() || tally.is_open() { before.or(held) } else { held.or(before) }
}
