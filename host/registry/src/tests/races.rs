//! Two publishers at one channel, at once.

use super::registry;
use crate::testing::{
    FaultyStore, draft, life_of_a_channel, live, moving, pipeline, publisher, publishing, race, trusting,
};
use crate::{Action, Options, Registry, Store};

const ROUNDS: u64 = 200;

fn two(store: &FaultyStore) -> (Registry, Registry) {
    (registry(store, &[&publisher(1)]), registry(store, &[&publisher(1)]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory_nothing_is_lost_and_every_loser_is_told() {
    let (one, other) = two(&FaultyStore::memory());
    race(one, other, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_folder_nothing_is_lost_and_every_loser_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let options = Options { create_folder: true, ..Options::default() };
        let store = Store::open(folder.path().join("store").to_str().unwrap(), &options).unwrap();
        Registry::new(store, pipeline(), trusting(&[&publisher(1)]))
    };
    race(open(), open(), ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn movers_who_do_not_care_all_move() {
    let store = FaultyStore::memory();
    let registry = registry(&store, &[&publisher(1)]);
    let id = registry.publish(&draft("one", 1), publishing(&publisher(1), 1)).await.unwrap();
    let movers: Vec<_> = (0..4)
        .map(|_| {
            let registry = self::registry(&store, &[&publisher(1)]);
            tokio::spawn(async move {
                for _ in 0..5 {
                    registry.promote(id, Action::Promote, &moving(1), Some(&publisher(1))).await.unwrap();
                }
            })
        })
        .collect();
    for mover in movers {
        mover.await.unwrap();
    }
    let history = registry.history(&live(), 100).await.unwrap();
    assert_eq!(history.len(), 20, "every move is there once");
    assert!(history.iter().all(|entry| entry.pointer.is_ok()));
}

#[tokio::test]
async fn a_channel_lives_in_memory_and_in_a_folder() {
    life_of_a_channel(two(&FaultyStore::memory()).0).await;
    let folder = tempfile::tempdir().unwrap();
    life_of_a_channel(two(&FaultyStore::folder(folder.path())).0).await;
}
