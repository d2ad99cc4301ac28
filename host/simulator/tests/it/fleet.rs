//! Many environments: as many as there are invocations at once, and no more than may be.

use crate::support::*;
use serde_json::json;
use simulator::runtime::{Fleet, Start};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invocations_at_once_have_an_environment_each() {
    const AT_ONCE: usize = 4;
    let fleet = Fleet::new(probe(&[]), 10).unwrap();
    let mut environments = BTreeSet::new();
    for round in 0..2 {
        let folder = Folder::new(&format!("meet-{round}"));
        // Each process answers only when all have come.
        let event = json!({"do": "meet", "folder": folder.0, "count": AT_ONCE}).to_string();
        let (a, b, c, d) = tokio::join!(
            fleet.invoke(event.as_bytes()),
            fleet.invoke(event.as_bytes()),
            fleet.invoke(event.as_bytes()),
            fleet.invoke(event.as_bytes()),
        );
        for invoked in [a, b, c, d].map(Result::unwrap) {
            assert_eq!(response(&invoked), json!(true));
            assert_eq!(invoked.start.is_cold(), round == 0);
            environments.insert(invoked.environment);
        }
    }
    assert_eq!(environments, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!((fleet.started(), fleet.idle()), (AT_ONCE, AT_ONCE));
    assert!(fleet.logs().iter().all(|lines| lines.len() == 3), "{:?}", fleet.logs());
    let processes: Vec<_> = fleet.ask_idle(|environment| environment.process_id().unwrap());
    fleet.shutdown().await;
    assert!(processes.into_iter().all(|process| !lives(process)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_may_run_wait_or_are_throttled() {
    let fleet = Fleet::new(probe(&[]), 1).unwrap();
    let folder = Folder::new("throttled");
    let event = json!({"do": "meet", "folder": folder.0, "count": 2}).to_string();
    let release = async {
        while std::fs::read_dir(&folder.0).unwrap().count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let throttled = fleet.try_invoke(b"{}").await.unwrap().is_none();
        std::fs::write(folder.0.join("free"), "").unwrap();
        throttled
    };
    let (first, second, throttled) =
        tokio::join!(fleet.invoke(event.as_bytes()), fleet.invoke(br#"{"do":"echo"}"#), release);
    assert!(throttled);
    let starts = [first.unwrap().start, second.unwrap().start];
    assert!(starts[0].is_cold() && starts[1] == Start::Warm);
    assert_eq!(fleet.started(), 1);
    assert!(Fleet::new(probe(&[]), 0).is_err() && Fleet::new(probe(&[]), 1001).is_err());
}

#[tokio::test]
async fn environments_are_prepared_and_reclaimed() {
    let fleet = Fleet::new(probe(&[]), 3).unwrap();
    fleet.prepare(2).await.unwrap();
    assert!(fleet.prepare(4).await.is_err());
    assert_eq!((fleet.started(), fleet.idle()), (2, 2));
    let first = fleet.invoke(br#"{"do":"echo"}"#).await.unwrap();
    assert!(matches!(first.start, Start::Cold { .. }));
    let processes: Vec<_> = fleet.ask_idle(|environment| environment.process_id().unwrap());
    fleet.reclaim().await;
    assert!(processes.into_iter().all(|process| !lives(process)));
    let next = fleet.invoke(br#"{"do":"echo"}"#).await.unwrap();
    assert!(matches!(next.start, Start::Cold { .. }));
    assert_eq!((next.environment, fleet.started()), (3, 3));
}

#[tokio::test]
async fn an_invocation_given_up_ends_its_environment() {
    let fleet = Fleet::new(probe(&[]), 1).unwrap();
    fleet.prepare(1).await.unwrap();
    let process = fleet.ask_idle(|environment| environment.process_id().unwrap())[0];
    assert!(tokio::time::timeout(SHORT, fleet.invoke(br#"{"do":"hang"}"#)).await.is_err());
    eventually(|| !lives(process));
    assert_eq!(fleet.invoke(br#"{"do":"echo"}"#).await.unwrap().environment, 2);
}
