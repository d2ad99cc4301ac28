//! A folder, and OpenSearch played by a small server that is told what to answer.

use super::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const NOW_MS: u64 = 1_573_691_886_021;

/// What the server was sent: authorization and body.
type Seen = Arc<Mutex<Vec<(Option<String>, String)>>>;

/// A server on loopback, which ends when it is dropped.
struct Node {
    url: String,
    serving: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers each body with what `answer` makes of its lines.
async fn node(answer: impl Fn(&[&str], usize) -> (u16, String) + Send + Sync + 'static) -> (Node, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let (headers, body) = request(&mut stream).await;
            assert_eq!(headers["content-type"], "application/x-ndjson");
            assert!(body.ends_with('\n'));
            let (status, text) = answer(&body.lines().collect::<Vec<_>>(), log.lock().unwrap().len());
            log.lock().unwrap().push((headers.get("authorization").cloned(), body));
            let length = text.len();
            let text = format!("HTTP/1.1 {status} Told\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (Node { url, serving }, seen)
}

/// The headers and the body of a request for `_bulk`.
async fn request(stream: &mut BufReader<TcpStream>) -> (HashMap<String, String>, String) {
    let (mut headers, mut line) = (HashMap::new(), String::new());
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "POST /_bulk HTTP/1.1\r\n");
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (headers, String::from_utf8(body).unwrap())
}

/// The answer of a healthy node: documents with `"bad"` do not fit the mapping.
fn healthy(lines: &[&str]) -> (u16, String) {
    let item = |document: &&str| match document.contains("bad") {
        false => json!({"index": {"status": 201}}),
        true => json!({"index": {"status": 400, "error": {
            "type": "mapper_parsing_exception", "reason": "failed to parse field [n]",
            "caused_by": {"type": "x", "reason": "outer", "caused_by": {"type": "y", "reason": "For input string"}}}}}),
    };
    let items: Vec<Value> = lines.iter().skip(1).step_by(2).map(item).collect();
    (200, json!({"took": 1, "errors": true, "items": items}).to_string())
}

fn opensearch(url: &str, failed_folder: Option<PathBuf>) -> Destination {
    let clock: crate::Clock = Arc::new(|| NOW_MS);
    let settings = Settings { url: url.to_owned(), login: None, insecure: false, failed_folder, clock };
    Destination::OpenSearch(OpenSearch::new(settings).unwrap())
}

async fn deliver(destination: &mut Destination, records: &[&[u8]]) -> anyhow::Result<()> {
    destination.deliver("Clicks", records.iter().copied()).await
}

#[tokio::test]
async fn a_folder_gets_one_line_for_each_document() {
    let scratch = tempfile::tempdir().unwrap();
    let mut destination = Destination::Folder(Folder::new(scratch.path()));
    deliver(&mut destination, &[b"{\"a\":1}", b"{}"]).await.unwrap();
    deliver(&mut destination, &[b"{\"b\":2}"]).await.unwrap();
    destination.deliver("audit", [&b"{}"[..]].into_iter()).await.unwrap();
    assert_eq!(std::fs::read_to_string(scratch.path().join("Clicks.ndjson")).unwrap(), "{\"a\":1}\n{}\n{\"b\":2}\n");
    assert_eq!(std::fs::read_to_string(scratch.path().join("audit.ndjson")).unwrap(), "{}\n");
    assert_eq!(destination.summary().indexed, 4);
}

#[tokio::test]
async fn documents_are_indexed_under_the_lower_case_name() {
    let (server, seen) = node(|lines, _| healthy(lines)).await;
    let mut destination = opensearch(&server.url, None);
    deliver(&mut destination, &[b"{\"a\":1}\n", b"{}"]).await.unwrap();
    let action = "{\"index\":{\"_index\":\"clicks\"}}\n";
    assert_eq!(seen.lock().unwrap()[0], (None, format!("{action}{{\"a\":1}}\n{action}{{}}\n")));
    assert_eq!(destination.summary(), Summary { indexed: 2, ..Summary::default() });
    deliver(&mut destination, &[]).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn refused_documents_are_summed_up_and_backed_up() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, seen) = node(|lines, _| healthy(lines)).await;
    let mut destination = opensearch(&server.url, Some(scratch.path().to_owned()));
    let newline = b"{}\n{\"delete\":{\"_index\":\"clicks\",\"_id\":\"1\"}}";
    deliver(&mut destination, &[b"{\"n\":\"bad\"}", b"{}", newline, b"{\"n\":\"bad 2\"}", b""]).await.unwrap();
    assert!(!seen.lock().unwrap()[0].1.contains("delete"));
    let summary = destination.summary();
    assert_eq!((summary.indexed, summary.refused), (1, 4));
    let refused = &summary.reasons["mapper_parsing_exception"];
    assert_eq!((refused.count, refused.document.as_str()), (2, "{\"n\":\"bad\"}"));
    assert_eq!(refused.message, "failed to parse field [n]: For input string");
    assert_eq!(summary.reasons["not_one_line"].count, 2);

    let path = scratch.path().join("AmazonOpenSearchService_failed/2019/11/14/00/Clicks.ndjson");
    let lines = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    let expected = json!({
        "attemptsMade": 1, "arrivalTimestamp": NOW_MS, "errorCode": "400",
        "errorMessage": "failed to parse field [n]: For input string", "attemptEndingTimestamp": NOW_MS,
        "esDocumentId": "", "esIndexName": "clicks", "esTypeName": "", "rawData": "eyJuIjoiYmFkIn0=",
    });
    assert!(lines.contains(&expected), "{lines:?}");
}

#[tokio::test]
async fn a_body_that_is_refused_whole_is_halved_to_its_culprit() {
    let (server, seen) = node(|lines, _| match lines.iter().any(|line| line.contains("poison")) {
        true => (413, String::new()),
        false => healthy(lines),
    })
    .await;
    let mut destination = opensearch(&server.url, None);
    let documents: Vec<String> =
        (0..9).map(|n| format!("{{\"n\":\"{}\"}}", if n == 5 { "poison" } else { "" })).collect();
    destination.deliver("clicks", documents.iter().map(|document| document.as_bytes())).await.unwrap();
    let summary = destination.summary();
    assert_eq!((summary.indexed, summary.refused, summary.reasons["http_413"].count), (8, 1, 1));
    assert!(seen.lock().unwrap().len() < 10);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let (server, seen) = node(|lines, _| healthy(lines)).await;
    let mut destination = opensearch(&server.url, None);
    let document = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
    destination.deliver("clicks", std::iter::repeat_n(document.as_bytes(), 12)).await.unwrap();
    let sizes: Vec<usize> = seen.lock().unwrap().iter().map(|(_, body)| body.len()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 5 << 20), "{sizes:?}");
    assert_eq!(destination.summary().indexed, 12);
}

#[tokio::test]
async fn a_busy_node_is_asked_again() {
    let busy =
        json!({"items": [{"index": {"status": 429, "error": {"type": "queue_full"}}}, {"index": {"status": 201}}]});
    let (server, seen) = node(move |lines, count| match count {
        0 => (503, "busy".to_owned()),
        1 => (200, busy.to_string()),
        _ => healthy(lines),
    })
    .await;
    let mut destination = opensearch(&server.url, None);
    deliver(&mut destination, &[b"{\"a\":1}", b"{\"a\":2}"]).await.unwrap();
    assert_eq!(destination.summary(), Summary { indexed: 2, ..Summary::default() });
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3 && seen[2].1.contains("\"a\":1") && !seen[2].1.contains("\"a\":2"));
}

#[tokio::test]
async fn answers_that_do_not_fit_are_errors() {
    for (answer, message) in [
        ((200, r#"{"items":[]}"#), "0 items for 1 documents"),
        ((200, r#"{}"#), "has no items"),
        ((401, "who are you"), "401 Unauthorized: \"who are you\""),
    ] {
        let (server, _) = node(move |_, _| (answer.0, answer.1.to_owned())).await;
        let error = deliver(&mut opensearch(&server.url, None), &[b"{}"]).await.unwrap_err();
        assert!(format!("{error:#}").contains(message), "{error:#}");
    }
}

#[tokio::test]
async fn logins_come_from_the_url_or_from_settings_and_are_never_shown() {
    let (server, seen) = node(|lines, _| healthy(lines)).await;
    let url = server.url.replace("//", "//user:pass%40word@");
    let mut from_url = opensearch(&url, None);
    deliver(&mut from_url, &[b"{}"]).await.unwrap();
    let login = Some(("admin".to_owned(), "secret".to_owned()));
    let clock: crate::Clock = Arc::new(|| NOW_MS);
    let settings = Settings { url, login, insecure: true, failed_folder: None, clock };
    let mut given = Destination::OpenSearch(OpenSearch::new(settings).unwrap());
    deliver(&mut given, &[b"{}"]).await.unwrap();
    let basic = |text: &str| Some(format!("Basic {}", base64_simd::STANDARD.encode_to_string(text)));
    let logins: Vec<_> = seen.lock().unwrap().iter().map(|(login, _)| login.clone()).collect();
    assert_eq!(logins, [basic("user:pass@word"), basic("admin:secret")]);
    drop(server);
    let error = format!("{:#}", deliver(&mut from_url, &[b"{}"]).await.unwrap_err());
    assert!(!error.contains("word"), "{error}");
    assert!(!format!("{given:?}").contains("secret"));
}

#[test]
fn urls_of_other_kinds_are_refused() {
    for url in ["", "localhost:9200", "ftp://x/"] {
        let clock: crate::Clock = Arc::new(|| NOW_MS);
        let settings = Settings { url: url.to_owned(), login: None, insecure: false, failed_folder: None, clock };
        assert!(OpenSearch::new(settings).is_err(), "{url}");
    }
}

#[test]
fn a_summary_keeps_a_bounded_number_of_reasons_and_short_examples() {
    let mut summary = Summary::default();
    for n in 0..60 {
        summary.refuse(&format!("reason {n}"), "é".repeat(1000).as_bytes(), "why");
    }
    assert_eq!((summary.refused, summary.reasons.len(), summary.reasons["other"].count), (60, 51, 10));
    assert!(summary.reasons["reason 1"].document.len() <= EXAMPLE_BYTES_MAX);
}

/// Needs a node: `OPENSEARCH_URL=http://127.0.0.1:9411 cargo test -p destination`. Skipped without one.
#[tokio::test]
async fn a_real_node_agrees() {
    let Ok(url) = std::env::var("OPENSEARCH_URL") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut destination = opensearch(&url, Some(scratch.path().to_owned()));
    let stream = format!("Simulator-{}", std::process::id());
    let records: [&[u8]; 6] = [b"{\"n\":1}", b"{\"n\":\"x\"}", b"{\"n\":2}\n", b"{\"n\":3}{}", b"{\n}", b"{\"\":1}"];
    destination.deliver(&stream, records.iter().copied()).await.unwrap();
    let summary = destination.summary();
    assert_eq!((summary.indexed, summary.refused), (2, 4), "{summary:?}");
    assert_eq!(summary.reasons["mapper_parsing_exception"].count, 3, "{summary:?}");
}
