//! One pipeline's releases and channels in a store.

use crate::compiled::{COMPILED_BYTES_MAX, Compiled};
use crate::error::{Error, ErrorKind, Result, Untrusted};
use crate::ids::{Fingerprint, Name, ReleaseId};
use crate::keys::Trust;
use crate::layout;
use crate::manifest::{MANIFEST_BYTES_MAX, Release};
use crate::pointer::{POINTER_BYTES_MAX, Pointer};
use crate::store::{Object, Store, Version};

/// Requests on their way at once, wherever several objects are read or written. S3 takes thousands a second; a laptop's
/// uplink and a small function's memory do not.
pub(crate) const PARALLEL_MAX: usize = 8;

/// The same for objects of some kilobytes.
pub(crate) const PARALLEL_SMALL_MAX: usize = 32;

/// One pipeline in a store, read by somebody who trusts certain keys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) store: Store,
    pub(crate) pipeline: Name,
    pub(crate) trust: Trust,
}

impl Registry {
    /// Nothing is read yet.
    pub fn new(store: Store, pipeline: Name, trust: Trust) -> Registry {
        Registry { store, pipeline, trust }
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Name {
        &self.pipeline
    }

    /// Whom this reader believes.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The same registry, with other limits for waiting.
    #[must_use]
    pub fn with_patience(&self, patience: crate::Patience) -> Registry {
        Registry { store: self.store.with_patience(patience), ..self.clone() }
    }

    /// The same registry without its store: only what a [`Cache`](crate::Cache) has kept is found, and nothing is asked
    /// of the network.
    #[must_use]
    pub fn without_store(&self) -> Registry {
        Registry { store: Store::imagined(&self.store.to_string(), &crate::Options::default()), ..self.clone() }
    }

    /// What a channel holds; `None` when nothing was ever put on it.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], and whatever the store refuses.
    pub async fn pointer(&self, channel: &Name) -> Result<Option<Pointer>> {
        let object = self.pointer_object(channel).await?;
        object.map(|object| self.read_pointer(&object.bytes, channel)).transpose()
    }

    pub(crate) async fn pointer_object(&self, channel: &Name) -> Result<Option<Object>> {
        let path = layout::channel(&self.pipeline, channel);
        match self.store.get(&path, POINTER_BYTES_MAX).await {
            Err(error) if error.is_not_found() => Ok(None),
            object => object.map(Some),
        }
    }

    pub(crate) fn read_pointer(&self, bytes: &[u8], channel: &Name) -> Result<Pointer> {
        Pointer::verify(bytes, &self.trust, &self.pipeline, channel)
    }

    /// A release's manifest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Untrusted`], and whatever the store refuses.
    pub async fn release(&self, id: ReleaseId) -> Result<Release> {
        let object = self.store.get(&layout::manifest(&self.pipeline, id), MANIFEST_BYTES_MAX).await?;
        Release::verify(&object.bytes, &self.trust, &self.pipeline, id)
    }

    /// What was compiled of a release for an engine; `None` when nothing was, or when this reader takes no compiled
    /// code.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], and whatever the store refuses.
    pub async fn compiled(&self, id: ReleaseId, engine: Fingerprint) -> Result<Option<Compiled>> {
        if !self.trust.takes_compiled() {
            return Ok(None);
        }
        let path = layout::compiled(&self.pipeline, id, engine);
        match self.store.get(&path, COMPILED_BYTES_MAX).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(object) => Compiled::verify(&object.bytes, &self.trust, &self.pipeline, id, engine).map(Some),
        }
    }
}

/// What a host has accepted of a channel, so that it never goes back.
#[derive(Debug, Clone)]
pub struct Watch {
    channel: Name,
    revision_min: u64,
    seen: Option<Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    pointer: Pointer,
    /// `None` when the pointer came from the cache: its version in the store is not known then.
    version: Option<Version>,
}

impl Watch {
    /// Watches a channel. A revision below `revision_min` is refused: a cold host cannot know by itself that a pointer
    /// with a good signature is an old one.
    pub fn new(channel: Name, revision_min: u64) -> Watch {
        Watch { channel, revision_min, seen: None }
    }

    /// The channel.
    pub fn channel(&self) -> &Name {
        &self.channel
    }

    /// The pointer that was accepted last.
    pub fn pointer(&self) -> Option<&Pointer> {
        self.seen.as_ref().map(|seen| &seen.pointer)
    }

    /// Looks at the channel: the new pointer, or `None` when it is the one accepted last. One conditional request; when
    /// nothing moved its answer has no body. A pointer that is refused changes nothing: the next look reads it again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the channel holds nothing, [`ErrorKind::Untrusted`] with [`Untrusted::WentBack`],
    /// [`Untrusted::BelowFloor`], [`Untrusted::Fork`] and all that [`Pointer::verify`] finds, and whatever the store
    /// refuses.
    pub async fn look(&mut self, registry: &Registry) -> Result<Option<Pointer>> {
        let path = layout::channel(&registry.pipeline, &self.channel);
        let object = match self.seen.as_ref().and_then(|seen| seen.version.as_ref()) {
            None => Some(registry.store.get(&path, POINTER_BYTES_MAX).await?),
            Some(version) => registry.store.get_if_changed(&path, version, POINTER_BYTES_MAX).await?,
        };
        let Some(object) = object else { return Ok(None) };
        let pointer = registry.read_pointer(&object.bytes, &self.channel)?;
        self.accept(pointer, Some(object.version))
    }

    /// Accepts a pointer from somewhere else than the store, such as the cache; the same rules hold.
    ///
    /// # Errors
    /// As for [`Watch::look`].
    pub fn take(&mut self, pointer: Pointer) -> Result<Option<Pointer>> {
        self.accept(pointer, None)
    }

    fn accept(&mut self, pointer: Pointer, version: Option<Version>) -> Result<Option<Pointer>> {
        self.check(&pointer)?;
        let same = self.seen.as_ref().is_some_and(|seen| seen.pointer.digest == pointer.digest);
        self.seen = Some(Seen { pointer: pointer.clone(), version });
        Ok((!same).then_some(pointer))
    }

    fn check(&self, pointer: &Pointer) -> Result<()> {
        let wrong = |why, problem: String| {
            let action = format!("take channel `{}` of `{}`", pointer.channel, pointer.pipeline);
            Err(Error::new(ErrorKind::Untrusted(why), action, problem))
        };
        let revision = pointer.revision;
        if revision < self.revision_min {
            return wrong(
                Untrusted::BelowFloor,
                format!("its revision is {revision}, and {} is the least that this host may take", self.revision_min),
            );
        }
        match &self.seen {
            Some(seen) if revision < seen.pointer.revision => wrong(
                Untrusted::WentBack,
                format!("its revision is {revision}, and {} was seen before", seen.pointer.revision),
            ),
            Some(seen) if revision == seen.pointer.revision && seen.pointer.digest != pointer.digest => {
                wrong(Untrusted::Fork, format!("it is another pointer of revision {revision} than was seen before"))
            }
            _ => Ok(()),
        }
    }
}
