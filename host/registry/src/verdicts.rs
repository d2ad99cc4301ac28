//! What hosts concluded about a revision of their channel: that its release passed its probation, or that they went
//! back from it.
//!
//! A host's report says the same, but is gone a quarter of an hour after its host. A verdict stays for as long as the
//! channel holds the revision, so a host that starts later learns it with one listing. Promoting the release again
//! makes a revision without verdicts.
//!
//! Nothing of it is signed, since hosts have no key. Whoever may write `hosts/` can forge any verdict. A host that
//! believes one runs what the channel's signed pointers name beside the live release, and nothing else.

use crate::error::Result;
use crate::hosts::{Outcome, Probation};
use crate::ids::Name;
use crate::layout;
use crate::pointer::Tally;
use crate::registry::Registry;
use bytes::Bytes;

/// Verdicts that are listed in one go: a page of S3's. Two that went back decide, so more would not change anything.
const LISTED_MAX: usize = 1_000;

impl Registry {
    /// Writes how a probation ended on a host. One that has not ended is no verdict, and nothing is written.
    ///
    /// # Errors
    /// Whatever the store refuses.
    pub async fn write_verdict(&self, channel: &Name, host: &Name, probation: &Probation) -> Result<()> {
        let path = match probation.outcome {
            Outcome::Passed => layout::passed(&self.pipeline, channel, probation.revision),
            Outcome::Returned => layout::returned(&self.pipeline, channel, probation.revision, host),
            Outcome::Running => return Ok(()),
        };
        let text = serde_json::to_vec(&probation.bounded()).expect("a probation becomes JSON");
        self.store.overwrite(&path, Bytes::from(text)).await
    }

    /// How many hosts said what about a revision, however long ago. That it passed is counted once, on however many
    /// hosts it did.
    ///
    /// # Errors
    /// Whatever the store refuses about listing.
    pub async fn verdicts(&self, channel: &Name, revision: u64) -> Result<Tally> {
        let folder = layout::verdicts(&self.pipeline, channel, revision);
        let (listed, _) = self.store.list(&folder, LISTED_MAX).await?;
        let mut tally = Tally::default();
        for listed in listed {
            match layout::outcome_of(&listed.path) {
                Some(Outcome::Passed) => tally.passed += 1,
                Some(Outcome::Returned) => tally.returned += 1,
                Some(Outcome::Running) | None => {}
            }
        }
        Ok(tally)
    }
}
