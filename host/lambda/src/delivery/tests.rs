//! Delivery against a Firehose that fails as told (aws.md §5, 19–24 and 27).

use super::request::Room;
use super::{Delivered, FRUITLESS_MAX, State, Stopped, Terms, deliver};
use crate::firehose::{Firehose, SendError, classify};
use crate::record::Document;
use crate::tests::fakes::{FakeFirehose, Reply};
use crate::time::Clock;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn documents(sizes: &[usize]) -> Vec<Document> {
    let document = |(record, size): (usize, &usize)| {
        let mut bytes = format!("{record:08}").into_bytes();
        bytes.resize(*size, b'x');
        Document { record, event: 0, route: (record % 2) as u16, bytes: bytes.into() }
    };
    sizes.iter().enumerate().map(document).collect()
}

async fn run(firehose: &Arc<FakeFirehose>, documents: &[Document], concurrency: usize) -> Delivered {
    let clock = Clock::system();
    let terms = Terms {
        firehose: &(Arc::clone(firehose) as Arc<dyn Firehose>),
        streams: &["a".into(), "b".into()],
        concurrency,
        until: (clock.now)() + Duration::from_secs(60),
        clock: &clock,
    };
    let delivered = deliver(documents, &terms, &mut fastrand::Rng::with_seed(1)).await;
    assert_eq!(*firehose.broken.lock().unwrap(), Vec::<String>::new());
    delivered
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
