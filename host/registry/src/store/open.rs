//! From a URL to a store.

use super::directory::Directory;
use super::s3::{self, CredentialsHook};
use super::{Store, classify::classify};
use crate::error::{Error, ErrorKind, Result};
use object_store::memory::InMemory;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a store needs besides its URL. The environment is the caller's to read: nothing here does.
#[derive(Clone, Default)]
pub struct Options {
    /// AWS's settings by the names of their environment variables: `AWS_REGION` (or `AWS_DEFAULT_REGION`),
    /// `AWS_ENDPOINT_URL_S3` (or `AWS_ENDPOINT_URL`), and `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN` where there is no `credentials`. Others are ignored.
    pub settings: BTreeMap<String, String>,
    /// Where credentials come from. Asked again shortly before the ones it gave expire.
    pub credentials: Option<CredentialsHook>,
    /// How long to wait, and how often to try.
    pub patience: Patience,
    /// For the waits between tries; `None` for another one in each process. What must never repeat, such as what tells
    /// one's own writes from others', comes from the system in any case.
    pub seed: Option<u64>,
    /// Whether to make the folder of a directory store that is not there. For publishers.
    pub create_folder: bool,
    /// Whether to open a directory store whose folder is not there: until it is, the store does not answer. For hosts,
    /// which start without their store too.
    pub await_folder: bool,
}

/// How long to wait for the store, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one request, the first included.
    pub tries: u32,
    /// For one try of a request for a small object.
    pub object_timeout: Duration,
    /// For one try of a request for a blob, or of a listing.
    pub blob_timeout: Duration,
}

impl Default for Patience {
    /// For a person at a terminal: 4 tries, 10 seconds for a small object, 5 minutes for a blob.
    fn default() -> Patience {
        Patience { tries: 4, object_timeout: Duration::from_secs(10), blob_timeout: Duration::from_secs(300) }
    }
}

impl Store {
    /// Opens `s3://bucket/prefix`, `file:///folder` or a folder's path. Asks nothing of the network.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another URL or a plain-HTTP endpoint off this machine, [`ErrorKind::NoRegion`],
    /// [`ErrorKind::Unauthenticated`] without credentials, [`ErrorKind::NoBucket`] for a folder that is not there and
    /// is neither made nor awaited.
    pub fn open(url: &str, options: &Options) -> Result<Store> {
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = Path::parse(prefix)
                .map_err(|error| Error::invalid(format!("open the store {url}"), error.to_string()))?;
            let objects = s3::open(url, bucket, options)?;
            return Ok(Store::over(Arc::new(objects), prefix, url, options));
        }
        let folder = match url.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => path,
            Some(_) => {
                let problem = "`s3://bucket/prefix`, `file:///folder` or a folder's path is expected";
                return Err(Error::invalid(format!("open the store {url}"), problem));
            }
            None => url,
        };
        folder_store(folder, options)
    }

    /// An empty store that stands for one that is not there yet, and is called as that will be. Nothing put into it is
    /// kept.
    pub fn imagined(url: &str, options: &Options) -> Store {
        Store::over(Arc::new(InMemory::new()), Path::default(), url, options)
    }

    /// A store that lives as long as this process.
    pub fn memory(options: &Options) -> Store {
        Store::over(Arc::new(InMemory::new()), Path::default(), "memory:", options)
    }
}

fn folder_store(folder: &str, options: &Options) -> Result<Store> {
    let action = format!("open the store {folder}");
    if folder.is_empty() {
        return Err(Error::invalid(action, "the folder's path is empty"));
    }
    if options.create_folder {
        std::fs::create_dir_all(folder).map_err(|error| {
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            let kind = if denied { ErrorKind::PermissionDenied } else { ErrorKind::Store };
            Error::new(kind, &action, format!("the folder cannot be made ({error})"))
        })?;
    }
    let path = PathBuf::from(folder);
    if !path.is_dir() && !options.await_folder {
        return Err(Error::new(ErrorKind::NoBucket, action, "there is no such folder"));
    }
    let objects = match options.await_folder {
        true => Directory::awaited(&path),
        false => Directory::open(&path).map_err(|error| classify(&error, &action))?,
    };
    let mut store = Store::over(Arc::new(objects), Path::default(), folder, options);
    store.folder = Some(path);
    Ok(store)
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings' values may be secret.
        f.debug_struct("Options")
            .field("settings", &self.settings.keys())
            .field("patience", &self.patience)
            .field("create_folder", &self.create_folder)
            .field("await_folder", &self.await_folder)
            .finish_non_exhaustive()
    }
}
