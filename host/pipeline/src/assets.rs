//! Read-only files of a step: scripts, tables. A plugin asks for them by name.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most files of one step.
pub const ASSETS_MAX: usize = 256;

/// Bytes of all files of one step: they are in the host's memory for as long as the step is loaded.
pub const ASSETS_BYTES_MAX: u64 = 64 << 20;

/// A step's files by name. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assets(Arc<BTreeMap<String, Asset>>);

/// One file.
#[derive(Clone, PartialEq, Eq)]
pub struct Asset {
    /// Where it came from, for people: a path as the pipeline names it.
    pub source: String,
    /// Its content.
    pub bytes: Bytes,
}

/// More files than a step may have, or more in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooMuch(String);

impl Assets {
    /// These files.
    ///
    /// # Errors
    /// More than [`ASSETS_MAX`] of them, or more than [`ASSETS_BYTES_MAX`] together.
    pub fn new(files: BTreeMap<String, Asset>) -> Result<Assets, TooMuch> {
        if files.len() > ASSETS_MAX {
            return Err(TooMuch(format!("{} files: a step has at most {ASSETS_MAX}", files.len())));
        }
        let bytes: u64 = files.values().map(|asset| asset.bytes.len() as u64).sum();
        if bytes > ASSETS_BYTES_MAX {
            let most = ASSETS_BYTES_MAX >> 20;
            return Err(TooMuch(format!("its files have {bytes} bytes together; a step has at most {most} MiB")));
        }
        Ok(Assets(Arc::new(files)))
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A file.
    pub fn get(&self, name: &str) -> Option<&Asset> {
        self.0.get(name)
    }

    /// Every file with its name, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Asset)> {
        self.0.iter().map(|(name, asset)| (name.as_str(), asset))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.source, self.bytes.len())
    }
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooMuch {}
