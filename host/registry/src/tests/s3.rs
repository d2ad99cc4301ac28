//! Over HTTP: what S3 answers, and what a caller is told.

use super::s3_server::{Answer, S3};
use super::{kind, sentence};
use crate::testing::{draft, life_of_a_channel, live, pipeline, publish_live, publisher, race, trusting};
use crate::{Credentials, CredentialsHook, ErrorKind, Fetching, Options, Patience, Registry, Store, Watch};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

fn hook(asked: &Arc<AtomicU32>, lasts: Option<Duration>) -> CredentialsHook {
    let asked = Arc::clone(asked);
    Arc::new(move || -> Fetching {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let expires = lasts.map(|lasts| SystemTime::now() + lasts);
        let credentials = Credentials { key_id: format!("key{number}"), secret: "secret".into(), token: None, expires };
        Box::pin(async move { Ok(credentials) })
    })
}

fn options(s3: &S3) -> Options {
    let settings = [
        ("AWS_ENDPOINT_URL_S3", s3.endpoint.as_str()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    Options {
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        patience: Patience { object_timeout: Duration::from_millis(500), ..Patience::default() },
        ..Options::default()
    }
}

fn open(options: &Options) -> Registry {
    let store = Store::open("s3://bucket/some/prefix", options).unwrap();
    Registry::new(store, pipeline(), trusting(&[&publisher(1)]))
}

#[tokio::test]
async fn a_channel_lives_in_a_bucket() {
    let s3 = S3::start().await;
    life_of_a_channel(open(&options(&s3))).await;
    assert!(s3.requests().iter().all(|request| request.contains(" /bucket")), "{:?}", s3.requests());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_bucket_nothing_is_lost_and_every_loser_is_told() {
    let s3 = S3::start().await;
    race(open(&options(&s3)), open(&options(&s3)), 200).await;
}

#[tokio::test]
async fn what_s3_answers_is_told_by_kind() {
    let s3 = S3::start().await;
    let registry = open(&options(&s3));
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    for (status, code, expected) in [
        (403, "AccessDenied", ErrorKind::PermissionDenied),
        (403, "InvalidAccessKeyId", ErrorKind::Unauthenticated),
        (403, "SignatureDoesNotMatch", ErrorKind::Unauthenticated),
        (403, "RequestTimeTooSkewed", ErrorKind::Unauthenticated),
        (400, "ExpiredToken", ErrorKind::Unauthenticated),
        (401, "Whatever", ErrorKind::Unauthenticated),
        (404, "NoSuchBucket", ErrorKind::NoBucket),
        (301, "PermanentRedirect", ErrorKind::WrongRegion),
        (400, "AuthorizationHeaderMalformed", ErrorKind::WrongRegion),
        (400, "InvalidRequest", ErrorKind::Store),
        (418, "Teapot", ErrorKind::Store),
        (501, "NotImplemented", ErrorKind::Store),
    ] {
        let before = s3.requests().len();
        s3.answer_next([Answer::Error(status, code)]);
        let error = registry.pointer(&live()).await.unwrap_err();
        assert_eq!(sentence(&error).kind(), expected, "{status} {code}: {error}");
        assert_eq!(s3.requests().len(), before + 1, "{status} {code}: asking again would not help");
    }
}

#[tokio::test]
async fn what_s3_cannot_now_is_tried_again() {
    let s3 = S3::start().await;
    let registry = open(&options(&s3));
    publish_live(&registry, &draft("one", 1), &publisher(1), 1).await.unwrap();
    let passing = [
        Answer::Error(503, "SlowDown"),
        Answer::Error(500, "InternalError"),
        Answer::Error(429, "TooManyRequests"),
        Answer::Error(408, "RequestTimeout"),
        Answer::Half,
        Answer::Lost,
        Answer::Dropped,
        Answer::Slow(Duration::from_secs(3)),
    ];
    for answer in passing {
        s3.answer_next([answer.clone()]);
        assert!(registry.pointer(&live()).await.is_ok(), "{answer:?}");
        s3.answer_next([answer.clone(), answer.clone(), answer.clone(), answer.clone()]);
        let error = registry.pointer(&live()).await.unwrap_err();
        assert_eq!(sentence(&error).kind(), ErrorKind::Unavailable, "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_write_meets_every_answer_and_the_channel_moves_once() {
    let s3 = S3::start().await;
    let registry = open(&options(&s3));
    let key = publisher(1);
    let id = publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    let promote = |revision| {
        let registry = &registry;
        let how = crate::Move { expected: Some(revision), ..crate::testing::moving(1) };
        async move { registry.promote(id, crate::Action::Promote, &how, Some(&publisher(1))).await }
    };
    // The pointer's write is the 8th request of a move: see `a_promote_costs_few_requests`.
    let nothing = || Answer::Slow(Duration::ZERO);
    let mut revision = 1;
    for answer in [
        Answer::Error(409, "ConditionalRequestConflict"),
        Answer::Error(503, "SlowDown"),
        Answer::Lost,
        Answer::Dropped,
        Answer::Slow(Duration::from_secs(2)),
        Answer::Error(412, "PreconditionFailed"),
    ] {
        s3.answer_next((0..7).map(|_| nothing()).chain([answer.clone()]));
        let moved = promote(revision).await.unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        revision += 1;
        assert_eq!(moved.pointer.revision, revision, "{answer:?}");
        assert_eq!(registry.pointer(&live()).await.unwrap().unwrap().revision, revision, "{answer:?}");
    }
    s3.answer_next((0..7).map(|_| nothing()).chain([Answer::Error(403, "AccessDenied")]));
    assert_eq!(kind(promote(revision).await), ErrorKind::PermissionDenied);
    assert_eq!(registry.history(&live(), 100).await.unwrap().len() as u64, revision);
}

#[tokio::test]
async fn a_promote_costs_few_requests() {
    let s3 = S3::start().await;
    let registry = open(&options(&s3));
    let key = publisher(1);
    let id = publish_live(&registry, &draft("one", 1), &key, 1).await.unwrap().pointer.release;
    let before = s3.requests().len();
    registry.promote(id, crate::Action::Promote, &crate::testing::moving(1), Some(&key)).await.unwrap();
    let requests = s3.requests()[before..].to_vec();
    let pointer = "/bucket/some/prefix/pipelines/clickstream/channels/live.json";
    assert_eq!(requests.iter().position(|request| *request == format!("PUT {pointer}")), Some(7), "{requests:?}");
    // And a look is one.
    let mut watch = Watch::new(live(), 0);
    watch.look(&registry).await.unwrap();
    let before = s3.requests().len();
    assert!(watch.look(&registry).await.unwrap().is_none());
    assert_eq!(s3.requests()[before..], [format!("GET {pointer}")]);
}

#[tokio::test]
async fn credentials_are_kept_until_they_expire() {
    let s3 = S3::start().await;
    for (lasts, asks) in [(None, 1), (Some(Duration::from_secs(3_600)), 1), (Some(Duration::from_secs(30)), 5)] {
        let asked = Arc::new(AtomicU32::new(0));
        let registry = open(&Options { credentials: Some(hook(&asked, lasts)), ..options(&s3) });
        for _ in 0..5 {
            assert!(registry.pointer(&live()).await.unwrap().is_none());
        }
        assert_eq!(asked.load(Ordering::SeqCst), asks, "{lasts:?}");
    }
    let failing: CredentialsHook = Arc::new(|| Box::pin(async { Err("the SSO session has ended".to_owned()) }));
    let registry = open(&Options { credentials: Some(failing), ..options(&s3) });
    let error = registry.pointer(&live()).await.unwrap_err();
    assert_eq!(sentence(&error).kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the SSO session has ended"), "{error}");
}

#[tokio::test]
async fn nobody_listens() {
    let mut s3 = S3::start().await;
    s3.endpoint = "http://127.0.0.1:9".to_owned();
    let patience = Patience { tries: 2, ..Patience::default() };
    let registry = open(&Options { patience, ..options(&s3) });
    assert_eq!(kind(registry.pointer(&live()).await), ErrorKind::Unavailable);
}
