//! Documents into a real OpenSearch, the way Firehose puts them there: `_bulk`, and a backup of what was refused.

use super::folder::append;
use super::{Clock, Summary, cut};
use anyhow::{Context, anyhow, bail};
use chrono::DateTime;
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of one `_bulk` body: half of what small Amazon OpenSearch instances take. A single larger document goes alone.
const BULK_BYTES_MAX: usize = 5 << 20;
/// Documents of one `_bulk` request.
const BULK_DOCUMENTS_MAX: usize = 5_000;
/// How often a request is sent when the node is too busy (429, 502, 503, 504), and a document when its queue is full.
const ATTEMPTS_MAX: u32 = 5;
/// The first pause before another attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long one request may take: what clients of OpenSearch wait by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How a node is reached.
pub struct Settings {
    /// Its URL; user and password may stand in it.
    pub url: String,
    /// User and password; they go before those in the URL.
    pub login: Option<(String, String)>,
    /// Takes any certificate, for nodes that made their own.
    pub insecure: bool,
    /// Refused documents are written below it, in the backup format of Firehose; `None`: they are only counted.
    pub failed_folder: Option<PathBuf>,
    /// For the times in the backup.
    pub clock: Clock,
}

/// Sends documents to one node or cluster. The index is the stream's name in lower case.
pub struct OpenSearch {
    client: Client,
    bulk: Url,
    login: Option<(String, String)>,
    failed_folder: Option<PathBuf>,
    clock: Clock,
    summary: Summary,
}

/// One document on its way.
struct Document<'a> {
    bytes: &'a [u8],
    attempts: u32,
}

/// A document that was refused, and how.
struct Failed<'a> {
    document: Document<'a>,
    status: u64,
    kind: String,
    message: String,
}

impl OpenSearch {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the URL is none, or is not `http` or `https`.
    pub fn new(settings: Settings) -> anyhow::Result<OpenSearch> {
        let mut url = settings.url;
        if !url.ends_with('/') {
            url.push('/');
        }
        // The URL may hold a password, so no error quotes it.
        let mut url = Url::parse(&url).context("read the URL of OpenSearch")?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!("the URL of OpenSearch must begin with http:// or https://");
        }
        if settings.login.is_some() {
            // The client would send both. These fail for URLs without a host only, which http has not.
            let _ = (url.set_username(""), url.set_password(None));
        }
        let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let builder = Client::builder().timeout(REQUEST_TIMEOUT).tls_danger_accept_invalid_certs(settings.insecure);
        let builder = if local { builder.no_proxy() } else { builder };
        Ok(OpenSearch {
            client: builder.build().context("make an HTTP client")?,
            bulk: url.join("_bulk").context("make the URL of _bulk")?,
            login: settings.login,
            failed_folder: settings.failed_folder,
            clock: settings.clock,
            summary: Summary::default(),
        })
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    pub(super) async fn deliver<'a>(
        &mut self,
        stream: &str,
        records: impl Iterator<Item = &'a [u8]>,
    ) -> anyhow::Result<()> {
        let index = stream.to_lowercase();
        let mut failed = Vec::new();
        let mut documents = Vec::new();
        for record in records {
            let document = Document { bytes: record.trim_ascii_end(), attempts: 0 };
            // A raw newline would end the document, and what follows would be obeyed as an action.
            if document.bytes.contains(&b'\n') {
                failed.push(local_failure(document, "it holds a raw newline"));
            } else if document.bytes.is_empty() {
                failed.push(local_failure(document, "it is empty"));
            } else {
                documents.push(document);
            }
        }
        let sent = self.send_all(&index, documents, &mut failed).await;
        for Failed { document, kind, message, .. } in &failed {
            self.summary.refuse(kind, document.bytes, message);
        }
        self.back_up(stream, &index, &failed).await?;
        sent
    }

    /// Sends everything, in bodies of bounded size. A body that is refused whole is halved until the culprit stands
    /// alone.
    async fn send_all<'a>(
        &mut self,
        index: &str,
        documents: Vec<Document<'a>>,
        failed: &mut Vec<Failed<'a>>,
    ) -> anyhow::Result<()> {
        let mut open = bodies(index, documents);
        open.reverse();
        while let Some(mut documents) = open.pop() {
            let (status, answer) = self.bulk(index, &mut documents).await?;
            match status {
                StatusCode::OK => {
                    let again = self.settle(documents, &answer, failed)?;
                    if !again.is_empty() {
                        tokio::time::sleep(pause(again[0].attempts)).await;
                        open.push(again);
                    }
                }
                StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE if documents.len() > 1 => {
                    let second = documents.split_off(documents.len() / 2);
                    open.extend([second, documents]);
                }
                StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
                    let (kind, message) = reason(&answer["error"], status);
                    let status = u64::from(status.as_u16());
                    let refused = |document| Failed { document, status, kind: kind.clone(), message: message.clone() };
                    failed.extend(documents.into_iter().map(refused));
                }
                other => bail!("OpenSearch answered _bulk with {other}: {}", cut(&answer.to_string())),
            }
        }
        Ok(())
    }

    /// One request, sent again while the node is too busy. An answer that is not JSON is given back as a JSON string.
    async fn bulk(&self, index: &str, documents: &mut [Document<'_>]) -> anyhow::Result<(StatusCode, Value)> {
        let body = body(index, documents);
        let mut attempt = 1;
        loop {
            let request = self.client.post(self.bulk.clone()).header("content-type", "application/x-ndjson");
            let request = match &self.login {
                Some((user, password)) => request.basic_auth(user, Some(password)),
                None => request,
            };
            documents.iter_mut().for_each(|document| document.attempts += 1);
            let answer = request.body(body.clone()).send().await.context("send _bulk to OpenSearch")?;
            let status = answer.status();
            let busy = matches!(status.as_u16(), 429 | 502 | 503 | 504);
            if !busy || attempt == ATTEMPTS_MAX {
                let text = answer.text().await.context("read OpenSearch's answer to _bulk")?;
                return Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))));
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    /// Sorts the documents of an answered request: stored, refused, or to be sent again because a queue was full.
    fn settle<'a>(
        &mut self,
        documents: Vec<Document<'a>>,
        answer: &Value,
        failed: &mut Vec<Failed<'a>>,
    ) -> anyhow::Result<Vec<Document<'a>>> {
        let items = answer["items"].as_array().ok_or_else(|| anyhow!("OpenSearch's answer to _bulk has no items"))?;
        if items.len() != documents.len() {
            bail!("OpenSearch answered {} items for {} documents", items.len(), documents.len());
        }
        let mut again = Vec::new();
        for (document, item) in documents.into_iter().zip(items) {
            let result = &item["index"];
            let status = result["status"].as_u64().unwrap_or_default();
            match status {
                200..300 => self.summary.indexed += 1,
                429 if document.attempts < ATTEMPTS_MAX => again.push(document),
                _ => {
                    let (kind, message) = reason(&result["error"], StatusCode::BAD_REQUEST);
                    failed.push(Failed { document, status, kind, message });
                }
            }
        }
        Ok(again)
    }

    /// Writes refused documents as Firehose backs them up in S3.
    async fn back_up(&self, stream: &str, index: &str, failed: &[Failed<'_>]) -> anyhow::Result<()> {
        let Some(folder) = &self.failed_folder else {
            return Ok(());
        };
        if failed.is_empty() {
            return Ok(());
        }
        let now_ms = (self.clock)();
        let mut lines = String::new();
        for Failed { document, status, message, .. } in failed {
            let line = json!({
                "attemptsMade": document.attempts,
                "arrivalTimestamp": now_ms,
                "errorCode": status.to_string(),
                "errorMessage": message,
                "attemptEndingTimestamp": now_ms,
                "esDocumentId": "",
                "esIndexName": index,
                "esTypeName": "",
                "rawData": base64_simd::STANDARD.encode_to_string(document.bytes),
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        let now = i64::try_from(now_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        let name = format!("AmazonOpenSearchService_failed/{}/{stream}.ndjson", now.format("%Y/%m/%d/%H"));
        append(&folder.join(name), lines.as_bytes()).await
    }
}

fn local_failure<'a>(document: Document<'a>, message: &str) -> Failed<'a> {
    Failed { document, status: 400, kind: "not_one_line".to_owned(), message: message.to_owned() }
}

fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE * 2u32.pow(attempts.saturating_sub(1).min(ATTEMPTS_MAX))
}

/// The line before every document.
fn action(index: &str) -> String {
    format!("{}\n", json!({"index": {"_index": index}}))
}

/// The documents of each body, in order.
fn bodies<'a>(index: &str, documents: Vec<Document<'a>>) -> Vec<Vec<Document<'a>>> {
    let action_bytes = action(index).len();
    let mut bodies: Vec<Vec<Document>> = Vec::new();
    let mut bytes = 0;
    for document in documents {
        let more = action_bytes + document.bytes.len() + 1;
        match bodies.last_mut() {
            Some(body) if bytes + more <= BULK_BYTES_MAX && body.len() < BULK_DOCUMENTS_MAX => {
                bytes += more;
                body.push(document);
            }
            _ => {
                bytes = more;
                bodies.push(vec![document]);
            }
        }
    }
    bodies
}

/// The body of a request; it ends in a newline, as all its lines do.
fn body(index: &str, documents: &[Document]) -> Vec<u8> {
    let action = action(index);
    let mut body = Vec::new();
    for document in documents {
        body.extend_from_slice(action.as_bytes());
        body.extend_from_slice(document.bytes);
        body.push(b'\n');
    }
    body
}

/// An error's type, and what it says with its innermost cause.
fn reason(error: &Value, status: StatusCode) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = match error["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None => format!("http_{}", status.as_u16()),
    };
    let mut message = text(&error["reason"]);
    let mut cause = &error["caused_by"];
    while cause["caused_by"].is_object() {
        cause = &cause["caused_by"];
    }
    if cause.is_object() {
        message = format!("{message}: {}", text(&cause["reason"]));
    }
    (kind, message)
}

impl std::fmt::Debug for OpenSearch {
    /// Without the URL and the login, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSearch").field("summary", &self.summary).finish_non_exhaustive()
    }
}
