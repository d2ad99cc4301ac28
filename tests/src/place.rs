//! Where a store of releases is, a folder or a bucket, with raw access for whoever may write there and has no key.

use crate::moto::Moto;
use std::collections::BTreeMap;

/// The bucket of [`Place::bucket`].
const BUCKET: &str = "releases";

/// A place for one store. Gone when it is dropped.
pub enum Place {
    Folder(tempfile::TempDir),
    Bucket(Moto),
}

impl Place {
    pub fn folder() -> Place {
        Place::Folder(tempfile::tempdir().expect("a folder"))
    }

    /// None where there is no moto.
    pub fn bucket() -> Option<Place> {
        let moto = Moto::start("following a bucket")?;
        moto.make_bucket(BUCKET);
        Some(Place::Bucket(moto))
    }

    /// The store's URL.
    pub fn url(&self) -> String {
        match self {
            Place::Folder(folder) => format!("file://{}/store", folder.path().display()),
            Place::Bucket(_) => format!("s3://{BUCKET}/store"),
        }
    }

    /// AWS's variables for it.
    pub fn aws(&self) -> BTreeMap<String, String> {
        let Place::Bucket(moto) = self else { return BTreeMap::new() };
        let own = [
            ("AWS_ENDPOINT_URL_S3", moto.url()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ];
        own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The object at a path below the store.
    pub fn get(&self, path: &str) -> Vec<u8> {
        match self {
            Place::Folder(folder) => std::fs::read(folder.path().join("store").join(path)).expect("it is there"),
            Place::Bucket(moto) => {
                let (status, body) = moto.request("GET", &format!("/{BUCKET}/store/{path}"), b"");
                assert!(status.contains("200"), "{path}: {status}");
                body
            }
        }
    }

    /// Puts an object there, whatever was there before.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        match self {
            Place::Folder(folder) => {
                let path = folder.path().join("store").join(path);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                // Whole at once, as in a bucket.
                let new = path.with_extension("new");
                std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, &path)).expect("written");
            }
            Place::Bucket(moto) => {
                let (status, _) = moto.request("PUT", &format!("/{BUCKET}/store/{path}"), bytes);
                assert!(status.contains("200"), "{path}: {status}");
            }
        }
    }

    /// Removes an object.
    pub fn remove(&self, path: &str) {
        match self {
            Place::Folder(folder) => std::fs::remove_file(folder.path().join("store").join(path)).expect("it is there"),
            Place::Bucket(moto) => {
                let (status, _) = moto.request("DELETE", &format!("/{BUCKET}/store/{path}"), b"");
                assert!(status.contains("204"), "{path}: {status}");
            }
        }
    }
}
