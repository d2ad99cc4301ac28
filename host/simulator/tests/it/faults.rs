//! Each fault, seen by a client that is nothing but a socket, in front of a server that is not much more.

use crate::support::*;
use simulator::faults::{Fault, Proxy, Request, Rule, S3Error, always, none, rules, script, seeded};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the server behind the proxy answers to every GET.
const BODY: &[u8] = b"0123456789abcdef";

/// A server that remembers requests as it reads them, and lives as long as the test's process.
struct Upstream {
    url: String,
    served: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = Upstream { url, served: Arc::default(), heads: Arc::default() };
        let (served, heads) = (upstream.served.clone(), upstream.heads.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let head = serve(socket.unwrap());
                heads.lock().unwrap().push(head);
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        upstream
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// Answers one request, and gives its head with the body behind it.
fn serve(socket: TcpStream) -> String {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0);
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let answer = match head.split(' ').next().unwrap() {
        "PUT" => "HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HEAD" => format!("HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: {}\r\n\r\n", BODY.len()),
        _ if head.to_lowercase().contains("if-none-match") => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        _ => {
            let body = String::from_utf8_lossy(BODY);
            format!("HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }
    };
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// All that came until the connection was closed or failed.
struct Came {
    head: String,
    body: Vec<u8>,
    error: Option<ErrorKind>,
}

fn send(url: &str, request: &str) -> Came {
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let error = socket.read_to_end(&mut bytes).err().map(|error| error.kind());
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(end);
    Came { head: String::from_utf8(bytes).unwrap().to_lowercase(), body, error }
}

fn line(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: bucket.example\r\nConnection: close\r\n{headers}\r\n")
}

/// Sends a request in a thread of its own, since the proxy runs in this one.
async fn call(proxy: &Proxy, request: String) -> Came {
    let url = proxy.url().to_owned();
    tokio::task::spawn_blocking(move || send(&url, &request)).await.unwrap()
}

async fn get(proxy: &Proxy) -> Came {
    call(proxy, line("GET", "/bucket/key", "")).await
}

impl Came {
    fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }

    #[track_caller]
    fn is_whole(&self, body: &[u8]) {
        assert_eq!((self.status(), self.body.as_slice(), self.error), (Some(200), body, None), "{}", self.head);
        assert!(self.head.contains(&format!("content-length: {}", body.len())), "{}", self.head);
    }

    #[track_caller]
    fn is_nothing(&self) {
        assert_eq!((self.head.as_str(), self.body.len()), ("", 0));
    }
}

async fn behind(fault: Fault) -> (Upstream, Proxy) {
    let upstream = Upstream::start();
    let proxy = Proxy::start(&upstream.url, always(fault)).await.unwrap();
    (upstream, proxy)
}

#[tokio::test]
async fn without_a_fault_everything_passes_as_it_is() {
    let (upstream, proxy) = behind(Fault::None).await;
    get(&proxy).await.is_whole(BODY);
    let put = "PUT /bucket/a%2Fb/./c?x-id=PutObject HTTP/1.1\r\nHost: bucket.example\r\nX-Amz-Date: now\r\n\
               Connection: close\r\nContent-Length: 5\r\n\r\nhello";
    let came = call(&proxy, put.to_owned()).await;
    assert!(came.status() == Some(200) && came.head.contains("etag: \"e2\""), "{}", came.head);
    let head = upstream.heads.lock().unwrap()[1].clone();
    assert!(head.starts_with("PUT /bucket/a%2Fb/./c?x-id=PutObject HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: bucket.example\r\n") && head.contains("x-amz-date: now\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\nhello"), "{head}");

    let came = call(&proxy, line("HEAD", "/bucket/key", "")).await;
    assert!(came.head.contains(&format!("content-length: {}", BODY.len())) && came.body.is_empty(), "{}", came.head);
    let came = call(&proxy, line("GET", "/bucket/key", "If-None-Match: \"e1\"\r\n")).await;
    assert_eq!((came.status(), came.body.len()), (Some(304), 0));
    let seen = proxy.seen();
    let statuses: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.status, seen.forwarded)).collect();
    let expected =
        [("GET", Some(200), true), ("PUT", Some(200), true), ("HEAD", Some(200), true), ("GET", Some(304), true)];
    assert_eq!(statuses, expected);
    assert_eq!((seen[1].path.as_str(), seen[1].query.as_str()), ("/bucket/a%2Fb/./c", "x-id=PutObject"));
    proxy.shutdown().await;
}

#[tokio::test]
async fn errors_are_those_of_s3() {
    let (upstream, proxy) = behind(Fault::None).await;
    let errors = [
        (S3Error::EXPIRED_TOKEN, 400, "ExpiredToken"),
        (S3Error::ACCESS_DENIED, 403, "AccessDenied"),
        (S3Error::NO_SUCH_KEY, 404, "NoSuchKey"),
        (S3Error::NO_SUCH_BUCKET, 404, "NoSuchBucket"),
        (S3Error::CONFLICT, 409, "ConditionalRequestConflict"),
        (S3Error::PRECONDITION_FAILED, 412, "PreconditionFailed"),
        (S3Error::INTERNAL_ERROR, 500, "InternalError"),
        (S3Error::SLOW_DOWN, 503, "SlowDown"),
        (S3Error::SERVICE_UNAVAILABLE, 503, "ServiceUnavailable"),
    ];
    for (error, status, code) in errors {
        proxy.set(always(Fault::Error(error)));
        let came = get(&proxy).await;
        let xml = String::from_utf8(came.body.clone()).unwrap();
        assert_eq!(came.status(), Some(status));
        assert!(xml.starts_with("<?xml ") && xml.contains(&format!("<Error><Code>{code}</Code><Message>")), "{xml}");
        assert!(came.head.contains("content-type: application/xml") && came.head.contains("x-amz-request-id: "));
    }
    assert!(call(&proxy, line("HEAD", "/bucket/key", "")).await.body.is_empty());
    assert_eq!(upstream.served(), 0);
    proxy.set(always(Fault::ErrorAfter(S3Error::INTERNAL_ERROR)));
    assert_eq!(get(&proxy).await.status(), Some(500));
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn an_answer_may_be_slow() {
    let (upstream, proxy) = behind(Fault::Slow(SHORT)).await;
    let began = Instant::now();
    get(&proxy).await.is_whole(BODY);
    assert!(began.elapsed() >= SHORT);
    proxy.set(always(Fault::Late(SHORT)));
    let began = Instant::now();
    let (came, ()) = tokio::join!(get(&proxy), async {
        while proxy.total() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Not forwarded yet, unless this took as long as the fault does.
        assert!(upstream.served() == 1 || began.elapsed() >= SHORT);
    });
    came.is_whole(BODY);
    assert!(began.elapsed() >= SHORT);
    let pause = Duration::from_millis(20);
    proxy.set(always(Fault::Trickle { piece_bytes: 5, pause }));
    let began = Instant::now();
    get(&proxy).await.is_whole(BODY);
    assert!(began.elapsed() >= 3 * pause);
}

#[tokio::test]
async fn a_body_may_be_cut_short_or_wrong() {
    let (upstream, proxy) = behind(Fault::Half).await;
    let came = get(&proxy).await;
    assert_eq!((came.status(), came.body.as_slice()), (Some(200), &BODY[..8]));
    assert!(came.head.contains("content-length: 16"), "{}", came.head);
    call(&proxy, line("PUT", "/bucket/key", "Content-Length: 0\r\n")).await.is_nothing();
    assert_eq!(upstream.served(), 2);
    proxy.set(always(Fault::Shortened(3)));
    get(&proxy).await.is_whole(b"012");
    proxy.set(always(Fault::Tampered { at: 17 }));
    get(&proxy).await.is_whole(b"0023456789abcdef");
    proxy.set(always(Fault::Replaced(b"other".to_vec())));
    get(&proxy).await.is_whole(b"other");
}

#[tokio::test]
async fn a_connection_may_end_without_an_answer() {
    let (upstream, proxy) = behind(Fault::Dropped).await;
    let came = get(&proxy).await;
    came.is_nothing();
    assert_eq!((came.error, upstream.served()), (None, 0));
    proxy.set(always(Fault::Reset));
    let came = get(&proxy).await;
    came.is_nothing();
    assert_eq!((came.error, upstream.served()), (Some(ErrorKind::ConnectionReset), 0));
    proxy.set(always(Fault::DroppedAfter));
    get(&proxy).await.is_nothing();
    assert_eq!(upstream.served(), 1);
    let ends: Vec<_> = proxy.seen().into_iter().map(|seen| (seen.fault, seen.status, seen.forwarded)).collect();
    assert_eq!(ends, [(Fault::Dropped, None, false), (Fault::Reset, None, false), (Fault::DroppedAfter, None, true)]);
}

#[tokio::test]
async fn an_answer_may_never_come() {
    let (upstream, proxy) = behind(Fault::Stall).await;
    let mut socket = TcpStream::connect(proxy.url().trim_start_matches("http://")).unwrap();
    socket.write_all(line("GET", "/bucket/key", "").as_bytes()).unwrap();
    while proxy.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let nothing = socket.read(&mut [0]).unwrap_err().kind();
    assert_eq!((nothing, upstream.served()), (ErrorKind::WouldBlock, 0));
    // Another client is not held up.
    proxy.set(none());
    get(&proxy).await.is_whole(BODY);
    // The end of the proxy is the end of the wait.
    proxy.shutdown().await;
    socket.set_read_timeout(Some(LONG)).unwrap();
    assert!(matches!(socket.read(&mut [0]), Ok(0)));
}

#[tokio::test]
async fn a_server_that_is_down_refuses_connections_until_it_is_up_again() {
    let (upstream, proxy) = behind(Fault::Stall).await;
    let address = proxy.url().trim_start_matches("http://").to_owned();
    for round in 1..=3 {
        proxy.set(always(Fault::Stall));
        let mut open = TcpStream::connect(&address).unwrap();
        open.set_read_timeout(Some(LONG)).unwrap();
        open.write_all(line("GET", "/bucket/key", "").as_bytes()).unwrap();
        while proxy.total() < 2 * round - 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxy.down().await;
        assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let closed = tokio::task::spawn_blocking(move || open.read(&mut [0])).await.unwrap();
        assert!(!matches!(closed, Ok(1..)), "{closed:?}");
        proxy.set(none());
        proxy.up().await.unwrap();
        get(&proxy).await.is_whole(BODY);
    }
    assert_eq!(upstream.served(), 3);
}

#[tokio::test]
async fn rules_count_the_requests_that_they_are_for() {
    let upstream = Upstream::start();
    let slow_down = Fault::Error(S3Error::SLOW_DOWN);
    let plan = rules([
        Rule::new("GET", "/bucket/channels/", slow_down.clone()).only(2..=3),
        Rule::new("*", "/bucket/blobs/", Fault::Error(S3Error::NO_SUCH_KEY)),
        Rule::new("GET", "/bucket/channels/", Fault::Error(S3Error::ACCESS_DENIED)).only(5..=5),
    ]);
    let proxy = Proxy::start(&upstream.url, plan).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(call(&proxy, line("GET", "/bucket/channels/live.json", "")).await.status().unwrap());
        call(&proxy, line("PUT", "/bucket/channels/live.json", "Content-Length: 0\r\n")).await;
    }
    assert_eq!(statuses, [200, 503, 503, 200, 403, 200]);
    assert_eq!(call(&proxy, line("PUT", "/bucket/blobs/x", "Content-Length: 0\r\n")).await.status(), Some(404));
    let counts = [("GET", "/bucket/channels/"), ("PUT", "/bucket/channels/"), ("*", "/"), ("DELETE", "/")];
    assert_eq!(counts.map(|(method, prefix)| proxy.count(method, prefix)), [6, 6, 13, 0]);
    proxy.forget();
    assert_eq!((proxy.seen().len(), proxy.total()), (0, 13));
    proxy.set(script([slow_down, Fault::None]));
    let statuses = [get(&proxy).await, get(&proxy).await, get(&proxy).await].map(|came| came.status().unwrap());
    assert_eq!(statuses, [503, 200, 200]);
    assert_eq!(proxy.seen()[0].number, 14);
}

#[test]
fn a_seed_gives_the_same_faults_again() {
    let faults = [Fault::Half, Fault::Reset, Fault::Error(S3Error::SLOW_DOWN)];
    let draw = |seed, percent| {
        let mut plan = seeded(seed, percent, faults.clone());
        let request = |number| Request { number, method: "GET", path: "/", query: "" };
        (1..=300).map(|number| plan(request(number))).collect::<Vec<_>>()
    };
    assert_eq!(draw(7, 50), draw(7, 50));
    assert_ne!(draw(7, 50), draw(8, 50));
    assert!(draw(7, 0).iter().all(|fault| *fault == Fault::None));
    assert!(draw(7, 100).iter().all(|fault| faults.contains(fault)));
    let drawn = draw(7, 50);
    assert!(faults.iter().all(|fault| drawn.contains(fault)) && drawn.contains(&Fault::None));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_bad_gateway() {
    assert!(Proxy::start("https://s3.amazonaws.com", none()).await.is_err());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let proxy = Proxy::start(&url, none()).await.unwrap();
    let came = get(&proxy).await;
    assert_eq!(came.status(), Some(502));
    assert!(String::from_utf8_lossy(&came.body).contains("failed to connect to 127.0.0.1"));
    assert!(!proxy.seen()[0].forwarded);
}
