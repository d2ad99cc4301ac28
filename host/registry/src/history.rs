//! What a channel has held: each of its pointers, as it was.

use crate::error::{ErrorKind, Result};
use crate::ids::{Fingerprint, Name, ReleaseId};
use crate::layout;
use crate::pointer::{Left, POINTER_BYTES_MAX, Pointer};
use crate::registry::{PARALLEL_MAX, Registry};
use crate::{Error, Untrusted};
use futures_util::{StreamExt as _, stream};
use std::collections::VecDeque;

/// A channel that is moved ten times a day for ten years has 36,500 revisions; so many are never read in one go.
pub const HISTORY_MAX: u64 = 10_000;

/// Channels of one pipeline: `live`, `staging` and a few more.
const CHANNELS_MAX: usize = 100;

/// Revisions beyond the pointer's that are looked at. There are none unless somebody took the pointer back.
const BEYOND_MAX: usize = 1_000;

/// One revision of a channel.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The revision.
    pub revision: u64,
    /// Its pointer, or why it cannot be told: the entry is missing, damaged, or signed by nobody who is trusted here.
    pub pointer: Result<Pointer>,
}

/// Goes back through a channel's history, some revisions at a time.
pub(crate) struct Walk {
    channel: Name,
    /// Revisions that were read and not yet handed out.
    read: VecDeque<Revision>,
    /// The newest revision that was not read.
    next: u64,
    left: u64,
}

impl Walk {
    /// The next older revision.
    pub(crate) async fn next(&mut self, registry: &Registry) -> Option<Revision> {
        if self.read.is_empty() {
            let count = self.left.min(self.next).min(PARALLEL_MAX as u64);
            let revisions = (self.next - count + 1..=self.next).rev();
            let read = revisions.map(|revision| registry.revision(&self.channel, revision));
            self.read.extend(stream::iter(read).buffered(PARALLEL_MAX).collect::<Vec<_>>().await);
            self.next -= count;
            self.left -= count;
        }
        self.read.pop_front()
    }
}

impl Registry {
    /// A channel's revisions, newest first, at most `count_max` and [`HISTORY_MAX`]. The newest is what it holds. A
    /// revision that cannot be read stands there with the reason: nothing is left out silently.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when nothing was ever put on the channel, and as for
    /// [`Registry::pointer`](crate::Registry::pointer).
    pub async fn history(&self, channel: &Name, count_max: u64) -> Result<Vec<Revision>> {
        let mut walk = self.walk(self.held(channel).await?, count_max.min(HISTORY_MAX));
        let mut revisions = Vec::new();
        while let Some(revision) = walk.next(self).await {
            revisions.push(revision);
        }
        Ok(revisions)
    }

    /// What a channel held at a time, in milliseconds since the Unix epoch; `None` when it held nothing then, or when
    /// that is more than [`HISTORY_MAX`] revisions ago. By the movers' clocks, which never go back within a channel.
    ///
    /// # Errors
    /// As for [`Registry::history`], and that of the revision in question if it cannot be read.
    pub async fn release_at(&self, channel: &Name, at_ms: u64) -> Result<Option<Pointer>> {
        let mut walk = self.walk(self.held(channel).await?, HISTORY_MAX);
        let mut unreadable = None;
        while let Some(revision) = walk.next(self).await {
            match revision.pointer {
                // The one in between may be the answer.
                Ok(pointer) if pointer.at_ms <= at_ms => return unreadable.map_or(Ok(Some(pointer)), Err),
                Ok(_) => unreadable = None,
                Err(error) => unreadable = Some(error),
            }
        }
        unreadable.map_or(Ok(None), Err)
    }

    /// The newest release of a channel that was compiled for an engine, among its last `revisions_max` revisions: not
    /// one that the channel was rolled back from, that hosts had gone back from when it was moved on, or that is in
    /// `except`. For a host that cannot afford to compile at start.
    ///
    /// # Errors
    /// Whatever the store refuses. Releases and lists that are not trusted here are passed over.
    pub async fn newest_compiled(
        &self,
        pointer: &Pointer,
        engine: Fingerprint,
        revisions_max: u64,
        except: &[ReleaseId],
    ) -> Result<Option<ReleaseId>> {
        let mut bad = [&pointer.bad, except].concat();
        let mut walk = self.walk(pointer.clone(), revisions_max.min(HISTORY_MAX));
        while let Some(revision) = walk.next(self).await {
            let Ok(held) = revision.pointer else { continue };
            if !bad.contains(&held.release) {
                match self.compiled(held.release, engine).await {
                    Ok(Some(_)) => return Ok(Some(held.release)),
                    Ok(None) => {}
                    Err(error) if matches!(error.kind(), ErrorKind::Untrusted(_)) => {}
                    Err(error) => return Err(error),
                }
                // Each release is looked at once.
                bad.push(held.release);
            }
            // What comes next, which is the revision before.
            let failed = |left: &Left| left.probation.is_some_and(|tally| tally.has_failed());
            bad.extend(held.left.filter(failed).map(|left| left.release));
        }
        Ok(None)
    }

    /// The pipeline's channels, by name.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub async fn channels(&self) -> Result<Vec<Name>> {
        let (listed, _) = self.store.list(&layout::channels(&self.pipeline), CHANNELS_MAX).await?;
        let mut names: Vec<Name> =
            listed.iter().filter_map(|listed| Name::new(layout::stem(&listed.path)?).ok()).collect();
        names.sort();
        Ok(names)
    }

    pub(crate) fn walk(&self, newest: Pointer, count_max: u64) -> Walk {
        let channel = newest.channel.clone();
        let (next, left) = (newest.revision - 1, count_max.saturating_sub(1));
        let read = VecDeque::from([Revision { revision: newest.revision, pointer: Ok(newest) }]);
        Walk { channel, read, next, left }
    }

    /// The newest trusted entry of a channel's history beyond revision `at`, if there is one.
    pub(crate) async fn newest_beyond(&self, channel: &Name, at: u64) -> Result<Option<Pointer>> {
        let (history, after) =
            (layout::history(&self.pipeline, channel), layout::revision(&self.pipeline, channel, at));
        let (listed, _) = self.store.list_after(&history, &after, BEYOND_MAX).await?;
        let mut beyond: Vec<u64> = listed
            .iter()
            .filter_map(|listed| layout::stem(&listed.path)?.parse().ok())
            .filter(|revision| *revision > at)
            .collect();
        beyond.sort_unstable();
        while let Some(revision) = beyond.pop() {
            match self.revision(channel, revision).await.pointer {
                // What nobody trusted signed is no revision.
                Err(error) if matches!(error.kind(), ErrorKind::Untrusted(_) | ErrorKind::TooLarge) => {}
                pointer => return pointer.map(Some),
            }
        }
        Ok(None)
    }

    async fn held(&self, channel: &Name) -> Result<Pointer> {
        self.pointer(channel).await?.ok_or_else(|| {
            let action = format!("read the history of channel `{channel}` of `{}`", self.pipeline);
            Error::new(ErrorKind::NotFound, action, "nothing was ever put on it")
        })
    }

    async fn revision(&self, channel: &Name, revision: u64) -> Revision {
        let read = async {
            let path = layout::revision(&self.pipeline, channel, revision);
            let object = self.store.get(&path, POINTER_BYTES_MAX).await?;
            let pointer = self.read_pointer(&object.bytes, channel)?;
            if pointer.revision == revision {
                return Ok(pointer);
            }
            let problem = format!("it is revision {}", pointer.revision);
            Err(Error::untrusted(Untrusted::Place, format!("read revision {revision} of channel `{channel}`"), problem))
        };
        Revision { revision, pointer: read.await }
    }
}
