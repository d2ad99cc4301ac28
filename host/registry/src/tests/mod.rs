//! What the registry promises.

mod cache;
mod cut_points;
mod decoding;
mod directory;
mod gc;
mod hosts;
mod keys;
mod moves;
mod pointers;
mod races;
mod releases;
mod requests;
mod s3;
mod s3_server;
mod tampering;
mod verdicts;

use crate::testing::{FaultyStore, pipeline, publisher, trusting};
use crate::{Error, ErrorKind, Registry, Result, SigningKey, Untrusted};

/// A registry of this store's that trusts these keys.
fn registry(store: &FaultyStore, keys: &[&SigningKey]) -> Registry {
    Registry::new(store.store(), pipeline(), trusting(keys))
}

/// A registry over memory that trusts the first publisher.
fn memory() -> (FaultyStore, Registry) {
    let store = FaultyStore::memory();
    let registry = registry(&store, &[&publisher(1)]);
    (store, registry)
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => sentence(&error).kind(),
    }
}

fn untrusted<T>(result: Result<T>) -> Untrusted {
    match kind(result) {
        ErrorKind::Untrusted(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Checks that an error is one sentence: what was being done, what was wrong, what to do.
fn sentence(error: &Error) -> &Error {
    let text = error.to_string();
    assert!(text.contains(": ") && text.contains("; "), "{text}");
    assert!(!text.contains('\n') && !text.ends_with('.') && text.chars().count() < 1_000, "{text}");
    error
}

/// Servers spawn what they await. Compiling is the test.
#[allow(dead_code, reason = "only its types matter")]
fn every_future_can_be_spawned(
    registry: &'static Registry,
    key: &'static SigningKey,
    watch: &'static mut crate::Watch,
) {
    fn spawned<T: Send + 'static>(_: impl Future<Output = T> + Send + 'static) {}
    let (live, id) = (Box::leak(Box::new(crate::testing::live())), crate::testing::draft("x", 1).id());
    let (draft, how) = (Box::leak(Box::new(crate::testing::draft("x", 1))), crate::testing::publishing(key, 1));
    let moving: &'static crate::Move = Box::leak(Box::new(crate::testing::moving(1)));
    let cache: &'static crate::Cache = Box::leak(Box::new(crate::Cache::none()));
    let engine = crate::testing::engine();
    spawned(registry.publish(draft, how));
    spawned(registry.add_compiled(id, &[], how));
    spawned(registry.promote(id, crate::Action::Promote, moving, Some(key)));
    spawned(registry.rollback(moving, Some(key)));
    spawned(registry.fetch(id, Some(engine), u64::MAX, cache));
    spawned(registry.history(live, 1));
    spawned(registry.release_at(live, 1));
    spawned(registry.releases(0, 1));
    spawned(registry.find_release("x"));
    spawned(registry.hosts(1));
    spawned(registry.verdicts(live, 1));
    spawned(registry.channels());
    spawned(registry.cached_pointer(live, cache));
    spawned(crate::gc(registry.store(), 1, true));
    spawned(crate::pipelines(registry.store(), 1));
    spawned(watch.look(registry));
}
