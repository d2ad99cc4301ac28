//! A store that fails as told.

use crate::store::directory::Directory;
use crate::{Options, Patience, Store};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A store whose requests fail as told: at the border where a kill, a slow network or a refusal would strike. Cheap to
/// clone; clones share the objects and the plan.
#[derive(Clone)]
pub struct FaultyStore {
    objects: Arc<dyn ObjectStore>,
    plan: Arc<Mutex<Plan>>,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// 403.
    Forbidden,
    /// 404.
    Missing,
    /// 409: another write was on its way; nothing was written. Reads are not touched.
    Busy,
    /// 412, whatever the version is. Reads are not touched.
    Stale,
    /// 503: nothing was done.
    Unavailable,
    /// The request was carried out, and its answer was lost.
    AnswerLost,
    /// The answer breaks off in the middle. For reads.
    HalfAnswer,
    /// The answer takes this long.
    Slow(Duration),
    /// The store's client panics.
    Panic,
}

#[derive(Debug, Default)]
struct Plan {
    /// Faults of the next requests, whatever they are.
    next: VecDeque<Fault>,
    /// Writes and removals that were asked for.
    writes: u64,
    /// Requests of any kind.
    requests: u64,
    /// From this write on (from 1) nothing happens any more: the process is dead. `true`: that write is still carried
    /// out.
    kill: Option<(u64, bool)>,
    dead: bool,
}

impl FaultyStore {
    /// Objects in memory.
    pub fn memory() -> FaultyStore {
        FaultyStore::over(Arc::new(InMemory::new()))
    }

    /// Objects in a folder that is there.
    ///
    /// # Panics
    /// Without the folder.
    pub fn folder(path: &std::path::Path) -> FaultyStore {
        FaultyStore::over(Arc::new(Directory::open(path).expect("the folder is there")))
    }

    /// Any other store's objects.
    pub fn over(objects: Arc<dyn ObjectStore>) -> FaultyStore {
        FaultyStore { objects, plan: Arc::default() }
    }

    /// The same objects, with faults of its own: another publisher.
    #[must_use]
    pub fn sibling(&self) -> FaultyStore {
        FaultyStore::over(Arc::clone(&self.objects))
    }

    /// The store as this crate uses it.
    pub fn store(&self) -> Store {
        let patience = Patience { object_timeout: Duration::from_secs(5), ..Patience::default() };
        Store::over(
            Arc::new(self.clone()),
            Path::default(),
            "test:",
            &Options { seed: Some(7), patience, ..Options::default() },
        )
    }

    /// Lets the next requests fail like this, one after the other.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.plan().next.extend(faults);
    }

    /// Kills the writer at its `nth` write from now (from 1): before it is carried out, or right after. Every later
    /// request fails too, until [`FaultyStore::revive`].
    pub fn kill_at_write(&self, nth: u64, carried_out: bool) {
        let mut plan = self.plan();
        plan.kill = Some((plan.writes + nth, carried_out));
    }

    /// Ends a kill; says whether it had struck.
    pub fn revive(&self) -> bool {
        let mut plan = self.plan();
        plan.kill = None;
        plan.next.clear();
        std::mem::take(&mut plan.dead)
    }

    /// Writes and removals so far.
    pub fn writes(&self) -> u64 {
        self.plan().writes
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.plan().requests
    }

    /// An object's bytes, past every fault.
    ///
    /// # Panics
    /// When it is not there.
    pub async fn read(&self, path: &str) -> Bytes {
        let found = self.objects.get(&Path::from(path)).await.expect("the object is there");
        found.bytes().await.expect("the object can be read")
    }

    /// Puts bytes in place of an object, past every fault and every condition: what somebody does who can write the
    /// bucket.
    ///
    /// # Panics
    /// When the store fails by itself.
    pub async fn tamper(&self, path: &str, bytes: impl Into<Bytes>) {
        self.objects.put(&Path::from(path), bytes.into().into()).await.expect("the object can be written");
    }

    /// Removes an object, past every fault.
    ///
    /// # Panics
    /// When the store fails by itself.
    pub async fn remove(&self, path: &str) {
        self.objects.delete(&Path::from(path)).await.expect("the object can be removed");
    }

    /// The paths of all objects, in order.
    ///
    /// # Panics
    /// When the store fails by itself.
    pub async fn paths(&self) -> Vec<String> {
        let listed: Vec<_> = self.objects.list(None).collect().await;
        let mut paths: Vec<String> =
            listed.into_iter().map(|meta| meta.expect("the listing works").location.to_string()).collect();
        paths.sort();
        paths
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next request, and whether it is the last one that is carried out.
    fn fault(&self, is_write: bool) -> (Fault, bool) {
        let mut plan = self.plan();
        plan.requests += 1;
        plan.writes += u64::from(is_write);
        if plan.dead {
            return (Fault::Unavailable, true);
        }
        if let Some((_, carried_out)) = plan.kill.filter(|(nth, _)| is_write && plan.writes == *nth) {
            plan.dead = true;
            return (if carried_out { Fault::AnswerLost } else { Fault::Unavailable }, true);
        }
        let next = plan.next.pop_front().unwrap_or(Fault::None);
        drop(plan);
        assert_ne!(next, Fault::Panic, "as told");
        (next, false)
    }
}

fn error(fault: &Fault, path: &Path) -> Error {
    let path = path.to_string();
    match fault {
        Fault::Forbidden => Error::PermissionDenied { path, source: "status 403".into() },
        Fault::Missing => Error::NotFound { path, source: "status 404".into() },
        Fault::Busy => Error::AlreadyExists { path, source: "status 409".into() },
        Fault::Stale => Error::Precondition { path, source: "status 412".into() },
        _ => Error::Generic { store: "Faulty", source: "status code: 503".into() },
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        match self.fault(true).0 {
            Fault::None | Fault::HalfAnswer => self.objects.put_opts(location, payload, options).await,
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                self.objects.put_opts(location, payload, options).await
            }
            fault @ Fault::AnswerLost => {
                self.objects.put_opts(location, payload, options).await?;
                Err(error(&fault, location))
            }
            fault => Err(error(&fault, location)),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        match self.fault(false).0 {
            Fault::None | Fault::Busy | Fault::Stale => self.objects.get_opts(location, options).await,
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                self.objects.get_opts(location, options).await
            }
            Fault::HalfAnswer => {
                let found = self.objects.get_opts(location, options).await?;
                let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
                let bytes = found.bytes().await?;
                let half = bytes.slice(..bytes.len() / 2);
                let payload = GetResultPayload::Stream(stream::once(async move { Ok(half) }).boxed());
                Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
            }
            fault => Err(error(&fault, location)),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let store = self.clone();
        let one = move |location: object_store::Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                match store.fault(true).0 {
                    Fault::None | Fault::HalfAnswer | Fault::Slow(_) => {}
                    fault @ Fault::AnswerLost => {
                        store.objects.delete(&location).await?;
                        return Err(error(&fault, &location));
                    }
                    fault => return Err(error(&fault, &location)),
                }
                store.objects.delete(&location).await?;
                Ok(location)
            }
        };
        locations.then(one).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.fault(false).0 {
            Fault::None | Fault::Busy | Fault::Stale | Fault::Slow(_) | Fault::HalfAnswer => self.objects.list(prefix),
            fault => {
                let failed = error(&fault, &prefix.cloned().unwrap_or_default());
                stream::once(async move { Err(failed) }).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        match self.fault(false).0 {
            Fault::None | Fault::Slow(_) | Fault::HalfAnswer => self.objects.list_with_delimiter(prefix).await,
            fault => Err(error(&fault, &prefix.cloned().unwrap_or_default())),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.objects)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
