//! Delivery against a Firehose that fails on request (docs/aws-checklist.md, 19 to 24 and 27).

use super::progress::Progress;
use super::request::Room;
use super::{Delivery, DeliveryOptions, FRUITLESS_MAX, Refusal, State, Stopped};
use crate::firehose::{Firehose, SendError, classify};
use crate::outcomes::Document;
use crate::tests::fakes::{FakeFirehose, Reply};
use crate::time::Clock;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn documents(sizes: &[usize]) -> Vec<Document> {
    let document = |(record, size): (usize, &usize)| {
        let mut bytes = format!("{record:08}").into_bytes();
        bytes.resize(*size, b'x');
        Document { record, event: 0, route: (record % 2) as u16, bytes: bytes.into() }
    };
    sizes.iter().enumerate().map(document).collect()
}

/// What came of a delivery.
struct Delivered {
    states: Vec<State>,
    requests: u64,
    resent: u64,
    stopped: Option<Stopped>,
    refused: Vec<Refusal>,
}

/// Delivers to the end; dead letters of refused documents are written at once.
async fn run(firehose: &Arc<FakeFirehose>, documents: &[Document], concurrency: usize) -> Delivered {
    let clock = Clock::system();
    let options = DeliveryOptions {
        firehose: &(Arc::clone(firehose) as Arc<dyn Firehose>),
        streams: &["a".into(), "b".into()],
        concurrency,
        until: (clock.now)() + Duration::from_secs(60),
        clock: &clock,
        on_settled: None,
    };
    let mut delivery = Delivery::new(documents, options, fastrand::Rng::with_seed(1));
    let mut refused = Vec::new();
    loop {
        delivery.run().await;
        if delivery.refused().is_empty() {
            break;
        }
        refused.extend_from_slice(delivery.refused());
        delivery.dead_lettered(usize::MAX);
    }
    assert_eq!(*firehose.broken.lock().unwrap(), Vec::<String>::new());
    let stopped = delivery.stopped().cloned();
    let super::Delivered { states, requests, resent } = delivery.end();
    Delivered { states, requests, resent, stopped, refused }
}

fn sent(firehose: &FakeFirehose) -> Vec<Vec<usize>> {
    let number = |document: &Bytes| std::str::from_utf8(&document[..8]).unwrap().parse().unwrap();
    firehose.requests.lock().unwrap().iter().map(|(_, documents)| documents.iter().map(number).collect()).collect()
}

#[tokio::test(start_paused = true)]
async fn exactly_the_failed_entries_are_sent_again_before_anything_new() {
    let firehose = FakeFirehose::scripted([Reply::FailAt(vec![1, 3]), Reply::FailAt(vec![0]), Reply::Take]);
    let delivered = run(&firehose, &documents(&[10; 10]), 1).await;
    assert_eq!(sent(&firehose), [vec![0, 2, 4, 6, 8], vec![2, 6], vec![2], vec![1, 3, 5, 7, 9]]);
    assert!(delivered.states.iter().all(|state| *state == State::Accepted) && delivered.resent == 3);
}

#[tokio::test(start_paused = true)]
async fn entries_that_are_missing_from_an_answer_count_as_failed() {
    let firehose = FakeFirehose::scripted([Reply::Short(2)]);
    run(&firehose, &documents(&[10; 6]), 1).await;
    assert_eq!(sent(&firehose)[..2], [vec![0, 2, 4], vec![2, 4]]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_sent_again_not_dropped() {
    let firehose = FakeFirehose::scripted([Reply::Lose]);
    let delivered = run(&firehose, &documents(&[10; 3]), 1).await;
    assert_eq!(sent(&firehose), [vec![0, 2], vec![0, 2], vec![1]]);
    assert!(delivered.states.iter().all(|state| *state == State::Accepted));
}

#[tokio::test(start_paused = true)]
async fn throttling_without_end_gives_up_without_an_error_and_leaves_the_prefix() {
    let firehose = FakeFirehose::scripted([Reply::FailAt(vec![2])]);
    *firehose.then.lock().unwrap() = Some(Reply::Error(SendError::Transient("Slow down.".into())));
    let begun = tokio::time::Instant::now();
    let delivered = run(&firehose, &documents(&[10; 10]), 1).await;
    assert_eq!(delivered.stopped, Some(Stopped::Transient("Slow down.".into())));
    assert_eq!(delivered.states[4], State::Open);
    assert_eq!((delivered.states[2], delivered.states[1]), (State::Accepted, State::Waiting));
    assert!(delivered.requests <= u64::from(FRUITLESS_MAX) + 2);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pauses_end_at_the_deadline() {
    let firehose = FakeFirehose::scripted([]);
    *firehose.then.lock().unwrap() = Some(Reply::FailAt(vec![0]));
    let begun = tokio::time::Instant::now();
    // One of two is accepted each time, so there is always progress until there is one left.
    let delivered = run(&firehose, &documents(&[10; 3]), 4).await;
    assert!(delivered.stopped.is_some() && begun.elapsed() <= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_ends_with_the_time() {
    let firehose = FakeFirehose::scripted([Reply::Hang, Reply::Take]);
    let begun = tokio::time::Instant::now();
    let delivered = run(&firehose, &documents(&[10; 2]), 4).await;
    assert_eq!((delivered.states[0], delivered.states[1]), (State::Open, State::Accepted));
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn configuration_stops_everything_at_once() {
    let firehose = FakeFirehose::scripted([Reply::Error(SendError::Configuration("fix it".into()))]);
    let delivered = run(&firehose, &documents(&[10; 2_000]), 1).await;
    assert_eq!((delivered.stopped, delivered.requests), (Some(Stopped::Configuration("fix it".into())), 1));
}

fn too_large() -> Reply {
    Reply::Error(SendError::Refused("InvalidArgumentException: Records size exceeds 4 MB limit".into()))
}

/// One request at a time, documents in their order: what is refused whole is halved, and no half overtakes what failed.
#[tokio::test(start_paused = true)]
async fn with_one_request_at_a_time_nothing_overtakes_a_failed_document() {
    let fail = |places: &[usize]| Reply::FailAt(places.to_vec());
    let slow_down = || Reply::Error(SendError::Transient("Slow down.".into()));
    let odd = vec![1, 3, 5, 7];
    for (name, script, expected) in [
        (
            "an entry of the first half",
            vec![too_large(), fail(&[1])],
            vec![vec![0, 2, 4, 6], vec![0, 2], vec![2], vec![4, 6], odd.clone()],
        ),
        (
            "the first half, twice",
            vec![too_large(), slow_down(), fail(&[0])],
            vec![vec![0, 2, 4, 6], vec![0, 2], vec![0, 2], vec![0], vec![4, 6], odd.clone()],
        ),
        (
            "a half that is halved",
            vec![too_large(), too_large(), fail(&[0]), Reply::Lose],
            vec![vec![0, 2, 4, 6], vec![0, 2], vec![0], vec![0], vec![0], vec![2], vec![4, 6], odd.clone()],
        ),
        (
            "what failed is refused next",
            vec![fail(&[0, 1]), too_large(), fail(&[0])],
            vec![vec![0, 2, 4, 6], vec![0, 2], vec![0], vec![0], vec![2], odd],
        ),
    ] {
        let firehose = FakeFirehose::scripted(script);
        let delivered = run(&firehose, &documents(&[10; 8]), 1).await;
        assert_eq!(sent(&firehose), expected, "{name}");
        assert!(delivered.states.iter().all(|state| *state == State::Accepted), "{name}");
    }
}

/// Of two requests at once the first is refused whole and an entry of the second fails; then one of the first half
/// fails.
#[tokio::test(start_paused = true)]
async fn what_failed_does_not_overtake_a_part_of_a_refused_request() {
    let mut documents = documents(&[10; 1_000]);
    documents.iter_mut().for_each(|document| document.route = 0);
    let script = [too_large(), Reply::FailAt(vec![200]), Reply::FailAt(vec![5])];
    let firehose = FakeFirehose::scripted(script);
    run(&firehose, &documents, 2).await;
    let sent: Vec<(usize, usize)> = sent(&firehose).iter().map(|request| (request[0], request.len())).collect();
    assert_eq!(sent, [(0, 500), (500, 500), (0, 250), (5, 1), (250, 250), (700, 1)]);
}

/// The first event has two documents on two routes, whose requests are in flight at once: one is refused for good, and
/// the request of the other is refused whole.
#[tokio::test(start_paused = true)]
async fn what_another_request_gave_up_is_not_sent_in_parts() {
    let document = |record, event, route, text: &'static str| Document { record, event, route, bytes: text.into() };
    let documents = [
        document(0, 0, 0, "00000000 poison"),
        document(0, 0, 1, "00000001"),
        document(1, 0, 1, "00000002"),
        document(2, 0, 1, "00000003"),
    ];
    for (last, expected) in
        [(3, vec![vec![0], vec![1, 2], vec![2]]), (4, vec![vec![0], vec![1, 2, 3], vec![2], vec![3]])]
    {
        let firehose = FakeFirehose::scripted([too_large(), too_large()]);
        let delivered = run(&firehose, &documents[..last], 2).await;
        assert_eq!(sent(&firehose), expected);
        assert_eq!(delivered.refused.iter().map(|refusal| refusal.document).collect::<Vec<_>>(), [0]);
        let given_up = [State::DeadLettered; 2].into_iter();
        let expected: Vec<State> = given_up.chain(std::iter::repeat_n(State::Accepted, last - 2)).collect();
        assert_eq!(delivered.states, expected);
    }
}

/// A refused document is open until its dead letter is written: what lies far behind it waits for that.
#[tokio::test(start_paused = true)]
async fn a_refused_document_holds_back_what_is_far_behind_it() {
    let mut documents = documents(&[10; 3_000]);
    documents.iter_mut().for_each(|document| document.route = 0);
    documents[7].bytes = "00000007 poison".into();
    let clock = Clock::system();
    let (firehose, settled) = (FakeFirehose::scripted([]), Mutex::new(Vec::new()));
    let on_settled = |count| settled.lock().unwrap().push(count);
    let options = DeliveryOptions {
        firehose: &(Arc::clone(&firehose) as Arc<dyn Firehose>),
        streams: &["a".into()],
        concurrency: 2,
        until: (clock.now)() + Duration::from_secs(60),
        clock: &clock,
        on_settled: Some(&on_settled),
    };
    let mut delivery = Delivery::new(&documents, options, fastrand::Rng::with_seed(1));
    delivery.run().await;
    assert_eq!((delivery.refused()[0].document, delivery.refused().len(), delivery.stopped()), (7, 1, None));
    assert_eq!(delivery.first_undecided(), Some(1_007));
    assert_eq!(firehose.acknowledged.lock().unwrap().len(), 7 + 999);
    assert_eq!(settled.lock().unwrap().last(), Some(&7));
    delivery.dead_lettered(7);
    assert_eq!((delivery.refused().len(), settled.lock().unwrap().last().copied()), (1, Some(7)), "not that record");
    delivery.dead_lettered(8);
    assert_eq!((delivery.refused().len(), settled.lock().unwrap().last().copied()), (0, Some(1_007)));
    delivery.run().await;
    assert_eq!(settled.lock().unwrap().last(), Some(&3_000));
    assert!(settled.lock().unwrap().is_sorted_by(|one, next| one < next));
    assert_eq!(delivery.stopped(), None);
}

#[test]
fn of_two_reasons_to_stop_the_more_serious_is_reported() {
    let transient = |reason: &str| Stopped::Transient(reason.into());
    let configuration = |reason: &str| Stopped::Configuration(reason.into());
    for (before, later, reported) in [
        (None, transient("2"), transient("2")),
        (None, configuration("2"), configuration("2")),
        (Some(transient("1")), transient("2"), transient("2")),
        (Some(transient("1")), configuration("2"), configuration("2")),
        (Some(configuration("1")), transient("2"), configuration("1")),
        (Some(configuration("1")), configuration("2"), configuration("2")),
    ] {
        assert_eq!(Stopped::worse(before, later), reported);
    }
}

/// Records that became so many documents; so many of these are settled; the bound; where a request has to end.
#[test]
fn the_bound_counts_from_the_record_that_comes_again() {
    for (records, settled, ahead_max, limit) in [
        (&[1; 10][..], 0, 4, 4),
        (&[1; 10], 3, 4, 7),
        (&[1; 10], 10, 4, 10),
        (&[3, 3, 4], 0, 4, 4),
        (&[3, 3, 4], 2, 4, 4),
        (&[3, 3, 4], 3, 4, 7),
        (&[2, 9, 1], 1, 4, 4),
        (&[2, 9, 1], 2, 4, 6),
        (&[2, 9, 1], 5, 4, 9),
        (&[2, 9, 1], 10, 4, 11),
        (&[2, 9, 1], 11, 4, 15),
    ] {
        let document = |record| Document { record, event: 0, route: 0, bytes: Bytes::new() };
        let documents: Vec<Document> =
            records.iter().enumerate().flat_map(|(record, &count)| (0..count).map(move |_| document(record))).collect();
        let mut progress = Progress::new(&documents);
        (0..settled).for_each(|at| progress.set(at, State::Accepted));
        assert_eq!((progress.advance(), progress.settled()), (settled > 0, settled));
        assert_eq!(progress.limit(ahead_max), limit, "{records:?}, {settled} settled");
    }
}

#[tokio::test(start_paused = true)]
async fn several_requests_are_in_flight_but_none_starts_after_a_failure() {
    let mut script = vec![Reply::Take, Reply::FailAt(vec![0]), Reply::Take, Reply::Take];
    script.push(Reply::Take);
    let firehose = FakeFirehose::scripted(script);
    run(&firehose, &documents(&[10; 10_000]), 4).await;
    let sent = sent(&firehose);
    let resent = sent.iter().position(|request| request.len() == 1).unwrap();
    assert!(resent <= 5, "sent again as request {resent}");
    assert_eq!(sent.iter().map(Vec::len).sum::<usize>(), 10_001);
}

#[test]
fn errors_of_the_service_mean_what_they_mean() {
    for (status, code, message, expected) in [
        (400, "ResourceNotFoundException", "", "config"),
        (400, "AccessDeniedException", "", "config"),
        (400, "InvalidKMSResourceException", "", "config"),
        (400, "InvalidSourceException", "", "config"),
        (400, "InvalidArgumentException", "not permitted on KinesisStreamAsSource delivery stream type", "config"),
        (400, "InvalidArgumentException", "Records size exceeds 4 MB limit", "refused"),
        (400, "ValidationException", "must have length less than or equal to 1024000", "refused"),
        (
            400,
            "ValidationException",
            "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less \
             than or equal to 64",
            "config",
        ),
        (400, "ValidationException", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", "config"),
        (400, "InvalidArgumentException", "Something nobody has seen yet", "config"),
        (400, "SerializationException", "", "config"),
        (413, "", "", "refused"),
        (503, "ServiceUnavailableException", "Slow down.", "transient"),
        (400, "ThrottlingException", "", "transient"),
        (400, "RequestLimitExceeded", "", "transient"),
        (400, "TooManyRequestsException", "", "transient"),
        (500, "", "", "transient"),
        (429, "", "", "transient"),
        (404, "", "", "config"),
        (302, "", "", "config"),
        (400, "SomethingNew", "", "config"),
        (403, "UnrecognizedClientException", "", "config"),
    ] {
        let kind = match classify("s", status, code, message) {
            SendError::Refused(_) => "refused",
            SendError::Configuration(_) => "config",
            SendError::Transient(_) => "transient",
        };
        assert_eq!(kind, expected, "{code}: {message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_mix_of_sizes_breaks_a_limit(
        sizes in proptest::collection::vec(prop_oneof![8_usize..400, 8_usize..20_000, Just(1_024_000), 900_000_usize..1_024_001], 0..60),
        small in 0_usize..1_500,
        concurrency in 1_usize..5,
    ) {
        let sizes: Vec<usize> = sizes.into_iter().chain(std::iter::repeat_n(20, small)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let firehose = FakeFirehose::scripted([]);
        let delivered = runtime.block_on(run(&firehose, &documents(&sizes), concurrency));
        prop_assert!(delivered.states.iter().all(|state| *state == State::Accepted));
        prop_assert_eq!(firehose.acknowledged.lock().unwrap().len(), sizes.len());
    }
}

#[test]
fn the_next_document_is_measured_not_the_last() {
    let mut room = Room::of_a_request();
    assert!((0..3).all(|_| room.take(1_024_000)));
    assert!(!room.take(1_024_000) && room.take(8));
}
