//! A small S3 on loopback: conditional requests, listings, and answers that fail as told. It speaks HTTP as it is on
//! the wire, so that what `object_store` makes of it is part of the tests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// This status with this S3 error code, nothing done.
    Error(u16, &'static str),
    /// Half of the body, then the connection ends.
    Half,
    /// The request is carried out and the connection ends without an answer.
    Lost,
    /// The connection ends before anything was done.
    Dropped,
    /// Nothing for this long, then the right answer.
    Slow(Duration),
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    version: u64,
    next: VecDeque<Answer>,
    requests: Vec<String>,
}

/// The server; it lives as long as the runtime of its test.
#[derive(Clone)]
pub(super) struct S3 {
    state: Arc<Mutex<State>>,
    /// `http://127.0.0.1:<port>`.
    pub(super) endpoint: String,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl S3 {
    pub(super) async fn start() -> S3 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let s3 = S3 { state: Arc::default(), endpoint };
        let server = s3.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await.unwrap_or_default() });
            }
        });
        s3
    }

    pub(super) fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().next.extend(answers);
    }

    /// Method and path of every request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await? {
            let fault = {
                let mut state = self.state.lock().unwrap();
                state.requests.push(format!("{} {}", request.method, request.path));
                state.next.pop_front()
            };
            let response = match &fault {
                Some(Answer::Dropped) => return Ok(()),
                Some(Answer::Error(status, code)) => error(*status, code),
                Some(Answer::Slow(time)) => {
                    tokio::time::sleep(*time).await;
                    self.handle(&request)
                }
                _ => self.handle(&request),
            };
            if matches!(fault, Some(Answer::Lost)) {
                return Ok(());
            }
            let half = matches!(fault, Some(Answer::Half));
            write(&mut stream, &request, response, half).await?;
            if half {
                return Ok(());
            }
        }
        Ok(())
    }

    fn handle(&self, request: &Request) -> Response {
        let mut state = self.state.lock().unwrap();
        let Some(key) = request.path.strip_prefix("/bucket").map(|key| key.trim_start_matches('/').to_owned()) else {
            return error(404, "NoSuchBucket");
        };
        match request.method.as_str() {
            "GET" if request.query.contains("list-type=2") => state.list(&request.query),
            "GET" | "HEAD" => state.get(&key, request),
            "PUT" => state.put(key, request),
            _ => error(405, "MethodNotAllowed"),
        }
    }
}

impl State {
    fn get(&self, key: &str, request: &Request) -> Response {
        let Some((version, body)) = self.objects.get(key) else { return error(404, "NoSuchKey") };
        let etag = format!("\"v{version}\"");
        let headers = vec![("ETag", etag.clone()), ("Last-Modified", "Tue, 24 Nov 2026 03:00:00 GMT".to_owned())];
        if request.headers.get("if-none-match") == Some(&etag) {
            return Response { status: 304, headers, body: Vec::new() };
        }
        Response { status: 200, headers, body: body.clone() }
    }

    fn put(&mut self, key: String, request: &Request) -> Response {
        let there = self.objects.get(&key).map(|(version, _)| format!("\"v{version}\""));
        match (request.headers.get("if-none-match"), request.headers.get("if-match"), there) {
            (Some(_), _, Some(_)) => return error(412, "PreconditionFailed"),
            (_, Some(_), None) => return error(404, "NoSuchKey"),
            (_, Some(wanted), Some(there)) if *wanted != there => return error(412, "PreconditionFailed"),
            _ => {}
        }
        self.version += 1;
        self.objects.insert(key, (self.version, request.body.clone()));
        Response { status: 200, headers: vec![("ETag", format!("\"v{}\"", self.version))], body: Vec::new() }
    }

    fn list(&self, query: &str) -> Response {
        let value = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default().replace("%2F", "/")
        };
        let (prefix, after) = (value("prefix"), value("start-after"));
        let mut body = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, (version, bytes)) in self.objects.range(prefix.clone()..) {
            if key.starts_with(&prefix) && *key > after {
                body += &format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-11-24T03:00:00.000Z</LastModified>\
                     <ETag>\"v{version}\"</ETag><Size>{}</Size></Contents>",
                    bytes.len()
                );
            }
        }
        body += "</ListBucketResult>";
        Response { status: 200, headers: Vec::new(), body: body.into_bytes() }
    }
}

fn error(status: u16, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>").into_bytes();
    Response { status, headers: Vec::new(), body }
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Ok(Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body }))
}

async fn write(
    stream: &mut BufReader<TcpStream>,
    request: &Request,
    response: Response,
    half: bool,
) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {} Status\r\nContent-Length: {}\r\n", response.status, response.body.len());
    for (name, value) in response.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    if request.method != "HEAD" && response.status != 304 {
        bytes.extend(&response.body[..if half { response.body.len() / 2 } else { response.body.len() }]);
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}
