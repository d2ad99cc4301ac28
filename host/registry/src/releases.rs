//! The releases of a pipeline: listing them, and finding one by the start of its id.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Fingerprint, ReleaseId};
use crate::layout;
use crate::manifest::Release;
use crate::registry::{PARALLEL_SMALL_MAX, Registry};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;

/// Objects that are listed in one go: ten years of ten releases a day.
const LISTED_MAX: usize = 100_000;

/// Engines that a release is compiled for: some of each processor, over the years.
const ENGINES_MAX: usize = 1_000;

/// Releases on one page, at most.
pub const PAGE_MAX: usize = 200;

/// The shortest start of an id that is looked up.
const PREFIX_CHARS_MIN: usize = 4;

/// A release in a listing.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// Its id.
    pub id: ReleaseId,
    /// When its manifest was written, in milliseconds since the Unix epoch, by the store's clock.
    pub written_ms: u64,
    /// The engines that it was compiled for, as the listing says: unverified.
    pub engines: Vec<Fingerprint>,
    /// Its manifest, or why it cannot be told.
    pub release: Result<Release>,
}

/// Some releases.
#[derive(Debug, Clone)]
pub struct ReleasePage {
    /// Newest first.
    pub rows: Vec<ReleaseRow>,
    /// How many the pipeline has, as far as was listed.
    pub total: usize,
    /// Whether there are more than are ever listed.
    pub more: bool,
}

struct Listing {
    /// By id: when the manifest was written, and the engines.
    releases: BTreeMap<ReleaseId, (Option<u64>, Vec<Fingerprint>)>,
    more: bool,
}

impl Registry {
    /// The pipeline's releases, newest first: `count` of them (at most [`PAGE_MAX`]) after the first `skip`.
    ///
    /// # Errors
    /// Whatever the store refuses about listing. A manifest that cannot be read stands in its row with the reason.
    pub async fn releases(&self, skip: usize, count: usize) -> Result<ReleasePage> {
        let listing = self.list_releases().await?;
        let whole = |(id, (written, engines)): (ReleaseId, (Option<u64>, Vec<Fingerprint>))| {
            Some((written?, id, engines)) // Without a manifest it is no release yet.
        };
        let mut found: Vec<_> = listing.releases.into_iter().filter_map(whole).collect();
        found.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let total = found.len();
        let page = found.into_iter().skip(skip).take(count.min(PAGE_MAX));
        let rows = page.map(|(written_ms, id, engines)| async move {
            ReleaseRow { id, written_ms, engines, release: self.release(id).await }
        });
        let rows = stream::iter(rows).buffered(PARALLEL_SMALL_MAX).collect().await;
        Ok(ReleasePage { rows, total, more: listing.more })
    }

    /// The engines that a release was compiled for, as the listing of its folder says: unverified.
    ///
    /// # Errors
    /// Whatever the store refuses about listing.
    pub async fn engines(&self, id: ReleaseId) -> Result<Vec<Fingerprint>> {
        let (listed, _) = self.store.list(&layout::release(&self.pipeline, id), ENGINES_MAX).await?;
        Ok(listed.iter().filter_map(|object| layout::release_of(&object.path)?.1).collect())
    }

    /// The release whose id starts with `prefix`, of at least 4 digits; a whole id is not looked up.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Invalid`] when it is no start of an id or of several, and whatever the
    /// store refuses.
    pub async fn find_release(&self, prefix: &str) -> Result<ReleaseId> {
        if let Ok(id) = prefix.parse() {
            return Ok(id);
        }
        let shown: String = prefix.chars().take(64).collect();
        let action = format!("find release `{}` of `{}`", shown.escape_debug(), self.pipeline);
        if prefix.len() < PREFIX_CHARS_MIN || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let problem = format!("at least {PREFIX_CHARS_MIN} hexadecimal digits are expected");
            return Err(Error::invalid(action, problem));
        }
        let prefix = prefix.to_ascii_lowercase();
        let releases = self.list_releases().await?.releases;
        let mut found = releases.keys().filter(|id| id.to_string().starts_with(&prefix));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(*id),
            (None, _) => Err(Error::new(ErrorKind::NotFound, action, "there is no such release")),
            (Some(a), Some(b)) => Err(Error::invalid(action, format!("{} and {} both start so", a.short(), b.short()))),
        }
    }

    async fn list_releases(&self) -> Result<Listing> {
        let (listed, more) = self.store.list(&layout::releases(&self.pipeline), LISTED_MAX).await?;
        let mut releases: BTreeMap<ReleaseId, (Option<u64>, Vec<Fingerprint>)> = BTreeMap::new();
        for object in listed {
            match layout::release_of(&object.path) {
                Some((id, None)) => releases.entry(id).or_default().0 = Some(object.written_ms),
                Some((id, Some(engine))) => releases.entry(id).or_default().1.push(engine),
                None => {}
            }
        }
        Ok(Listing { releases, more })
    }
}
