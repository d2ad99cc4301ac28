//! The promise of the whole: any mix of outcomes and answers, against a model that shares no code with the host.

use super::fakes::{Bench, FakeFirehose, Reply, event, reported, settings};
use crate::HandleError;
use crate::firehose::SendError;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What one event is told to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Emit,
    Fan,
    Audit,
    Drop,
    Reject,
    NotJson,
    Poison,
    Retry(u64),
}

impl Told {
    fn data(&self, unique: usize) -> Vec<u8> {
        let json = |told: &str| json!({ "do": told, "unique": unique });
        let json = match self {
            Told::Emit => json("emit"),
            Told::Fan => json("fan"),
            Told::Audit => json("audit"),
            Told::Drop => json("drop"),
            Told::Reject => json("reject"),
            Told::NotJson => return format!("no json {unique}").into_bytes(),
            Told::Poison => json!({ "do": "emit", "is": "poison", "unique": unique }),
            Told::Retry(times) => json!({ "do": "retry", "times": times, "unique": unique }),
        };
        json.to_string().into_bytes()
    }

    /// What is behind the event's id in the ids of its documents.
    pub(super) fn documents(&self) -> &'static [&'static str] {
        match self {
            Told::Emit | Told::Audit | Told::Retry(_) => &[""],
            Told::Fan => &["", "/1", "/2"],
            Told::Drop | Told::Reject | Told::NotJson | Told::Poison => &[],
        }
    }

    pub(super) fn is_dead_letter(&self) -> bool {
        matches!(self, Told::Reject | Told::NotJson | Told::Poison)
    }
}

pub(super) fn event_told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => Just(Told::Emit), 1 => Just(Told::Fan), 1 => Just(Told::Audit), 1 => Just(Told::Drop),
        1 => Just(Told::Reject), 1 => Just(Told::NotJson), 1 => Just(Told::Poison), 1 => (0_u64..3).prop_map(Told::Retry),
    ]
}

/// A record: one event, or an aggregate of some.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) events: Vec<Told>,
    pub(super) aggregated: bool,
}

pub(super) fn given() -> impl Strategy<Value = Given> {
    let plain = event_told().prop_map(|told| Given { events: vec![told], aggregated: false });
    let aggregate = proptest::collection::vec(event_told(), 0..5).prop_map(|events| Given { events, aggregated: true });
    prop_oneof![4 => plain, 1 => aggregate]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        4 => Just(Reply::Take),
        3 => proptest::collection::vec(0_usize..500, 1..6).prop_map(Reply::FailAt),
        1 => (1_usize..4).prop_map(Reply::Short),
        1 => Just(Reply::Lose),
        2 => Just(Reply::Error(SendError::Transient("Slow down.".into()))),
        1 => Just(Reply::Error(SendError::Configuration("fix it".into()))),
        1 => Just(Reply::Hang),
    ]
}

pub(super) struct Model {
    /// Of each record: its events, by id.
    pub(super) records: Vec<Vec<(String, Told)>>,
    pub(super) data: Vec<(u64, Vec<u8>)>,
}

impl Model {
    pub(super) fn new(given: &[Given]) -> Model {
        let (mut records, mut data, mut unique) = (Vec::new(), Vec::new(), 0);
        for (at, given) in given.iter().enumerate() {
            // From 95 on: the numbers grow a digit on the way.
            let number = 95 + at as u64;
            let parts: Vec<Vec<u8>> = given
                .events
                .iter()
                .map(|told| {
                    unique += 1;
                    told.data(unique)
                })
                .collect();
            let id = |part| match given.aggregated {
                true => format!("shardId-000000000001:{number}/{part}"),
                false => format!("shardId-000000000001:{number}"),
            };
            records.push(given.events.iter().enumerate().map(|(part, told)| (id(part), told.clone())).collect());
            let bytes = match given.aggregated {
                true => unpack::build::aggregate(parts.iter().map(|part| ("k", &part[..]))),
                false => parts[0].clone(),
            };
            data.push((number, bytes));
        }
        Model { records, data }
    }

    pub(super) fn documents(&self, record: usize) -> impl Iterator<Item = String> {
        let of_event = |(id, told): &(String, Told)| {
            told.documents().iter().map(move |k| format!("clicks/{id}{k}")).collect::<Vec<_>>()
        };
        self.records[record].iter().flat_map(of_event).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn goes_back(&self, record: usize, retries: &BTreeMap<String, u64>) -> bool {
        self.records[record].iter().any(|(id, told)| match told {
            Told::Retry(times) => retries.get(id).copied().unwrap_or(*times) > 0,
            _ => false,
        })
    }

    /// The first record, from `from` on, of which something is missing.
    fn first_unsettled(
        &self,
        from: usize,
        retries: &BTreeMap<String, u64>,
        accepted: &BTreeSet<String>,
        dead: &[String],
    ) -> Option<usize> {
        (from..self.records.len()).find(|&record| {
            let unwritten = self.records[record].iter().any(|(id, told)| told.is_dead_letter() && !dead.contains(id));
            self.goes_back(record, retries) || unwritten || self.documents(record).any(|id| !accepted.contains(&id))
        })
    }
}

fn ids(documents: &[bytes::Bytes]) -> BTreeSet<String> {
    let id = |document: &bytes::Bytes| {
        serde_json::from_slice::<Value>(document).unwrap()["paddle_id"].as_str().unwrap().to_owned()
    };
    documents.iter().map(id).collect()
}

async fn check(given: Vec<Given>, script: Vec<Reply>, fails: Vec<bool>, workers: &str, concurrency: &str) {
    let model = Model::new(&given);
    let faults =
        script.iter().filter(|reply| **reply != Reply::Take).count() + fails.iter().filter(|fails| **fails).count();
    let firehose = FakeFirehose::scripted(script);
    let more = [("PADDLE_WORKERS", workers), ("PADDLE_DELIVERY_CONCURRENCY", concurrency)];
    let bench = Bench::new(settings(&more), firehose.clone());
    bench.dead_letters.fails.lock().unwrap().extend(fails);
    let retries_told: u64 =
        given.iter().flat_map(|given| &given.events).map(|told| if let Told::Retry(n) = told { *n } else { 0 }).sum();
    let (mut from, mut invocations) = (0, 0);
    loop {
        invocations += 1;
        assert!(invocations <= 1 + faults + retries_told as usize, "it does not end");
        firehose.next_invocation();
        let (taken_before, dead_before) = (firehose.taken.lock().unwrap().len(), bench.dead_letters.ids());
        let retries = bench.retries.lock().unwrap().clone();
        let request_id = format!("request-{invocations}");
        let invocation = crate::Invocation { request_id, ..bench.invocation() };
        let handled = bench.host.handle(event(&model.data[from..]), invocation).await;
        let broken = firehose.broken.lock().unwrap().clone();
        assert!(broken.is_empty(), "{broken:?}");
        let taken = ids(&firehose.taken.lock().unwrap()[taken_before..]);
        let first_back = (from..given.len()).find(|&record| model.goes_back(record, &retries)).unwrap_or(given.len());
        assert!((first_back..given.len()).flat_map(|record| model.documents(record)).all(|id| !taken.contains(&id)));
        let handled = match handled {
            Err(HandleError::Configuration(_)) => {
                assert!(firehose.acknowledged.lock().unwrap().is_empty(), "something was accepted");
                continue;
            }
            other => other.unwrap(),
        };
        let counts = handled.report.counts;
        assert_eq!(counts.events, counts.delivered + counts.dropped + counts.dead_letters + counts.returned);
        let mut dead = bench.dead_letters.ids();
        for id in &dead_before {
            dead.remove(dead.iter().position(|other| other == id).unwrap());
        }
        let accepted = ids(&firehose.acknowledged.lock().unwrap());
        let expected = model.first_unsettled(from, &retries, &accepted, &dead);
        let answered =
            reported(&handled.response).map(|number| model.data.iter().position(|(n, _)| *n == number).unwrap());
        assert_eq!(answered, expected);
        match answered {
            None => {
                let open = handled.report.counts.returned;
                assert_eq!(open, 0);
                break;
            }
            Some(record) => from = record,
        }
    }
    let (taken, dead) = (ids(&firehose.taken.lock().unwrap()), bench.dead_letters.ids());
    for (id, told) in model.records.iter().flatten() {
        assert_eq!(told.is_dead_letter(), dead.contains(id), "{id} {told:?}");
        assert!(told.documents().iter().all(|k| taken.contains(&format!("clicks/{id}{k}"))), "{id} {told:?}");
    }
    let all: BTreeSet<String> = (0..given.len()).flat_map(|record| model.documents(record)).collect();
    assert_eq!(taken, all, "and nothing else");
    assert!(faults + retries_told as usize > 0 || invocations == 1, "without faults, one invocation is enough");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_event_settles_as_a_whole_in_exactly_one_way(
        given in proptest::collection::vec(given(), 1..40),
        script in proptest::collection::vec(reply(), 0..12),
        fails in proptest::collection::vec(any::<bool>(), 0..4),
        workers in prop_oneof![Just("1"), Just("3")],
        concurrency in prop_oneof![Just("1"), Just("4")],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(given, script, fails, workers, concurrency));
    }
}
