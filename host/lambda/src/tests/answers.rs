//! What AWS's client makes of the bytes that come back, from a server that writes them as they stand.

use super::shapes::{Ended, Shape, Wire};
use crate::firehose::{AwsFirehose, Firehose, SendError};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_firehose::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A configuration for tests, without an endpoint.
pub(super) fn config() -> aws_config::SdkConfig {
    let credentials = SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "tests"));
    let builder = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
    builder.region(Region::from_static("us-east-1")).credentials_provider(credentials).build()
}

/// Answers each request with the bytes whose number is the name of its delivery stream, and closes the connection.
fn serve(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(&connection.unwrap(), &answers));
        }
    });
    url
}

fn answer(mut connection: &TcpStream, answers: &[Vec<u8>]) {
    let mut reader = BufReader::new(connection);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let number: usize = request["DeliveryStreamName"].as_str().unwrap().parse().unwrap();
    connection.write_all(&answers[number]).unwrap();
}

fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n");
    if status != 204 {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// What is to come of it: for each record whether it is accepted, or how the whole request failed.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Entries(Vec<bool>),
    Refused,
    Configuration,
    Transient,
}

fn expected(shape: &Shape, ended: &Ended) -> Expected {
    if ended.is_refused {
        return Expected::Refused;
    }
    if shape.is_configuration() {
        return Expected::Configuration;
    }
    match ended.acknowledged.iter().any(|acknowledged| *acknowledged) {
        true => Expected::Entries(ended.acknowledged.clone()),
        false => Expected::Transient,
    }
}

/// The first bytes of a good answer to three records: this share of them, in percent.
fn cut(percent: usize) -> Vec<u8> {
    let Wire::Http(status, body) = Shape::Take.end(3).wire else { unreachable!("it is answered") };
    let whole = http(status, &body);
    whole[..whole.len() * percent / 100].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_proves_what_it_says_and_nothing_else() {
    let mut cases = Vec::new();
    for shape in [Shape::all(&[1]), Shape::all(&[0, 2])].concat() {
        let ended = shape.end(3);
        let bytes = match &ended.wire {
            Wire::Http(status, body) => http(*status, body),
            Wire::Break => Vec::new(),
            Wire::Hang => continue, // Its end is the client's own: `tests::oracle` has it, where time does not pass.
        };
        cases.push((format!("{shape:?}"), bytes, expected(&shape, &ended)));
    }
    let chunked = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, bytes) in [
        ("cut in the body", cut(99)),
        ("cut early in the body", cut(60)),
        ("cut in the head", b"HTTP/1.1 200 x\r\nContent-Le".to_vec()),
        ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("chunks without an end", [&chunked[..], b"10\r\n{\"FailedPutCount\"\r\n"].concat()),
        ("chunks of no size", [&chunked[..], b"zz\r\n{}\r\n0\r\n\r\n"].concat()),
    ] {
        cases.push((name.to_owned(), bytes, Expected::Transient));
    }
    let url = serve(cases.iter().map(|(_, bytes, _)| bytes.clone()).collect());
    let firehose = Arc::new(AwsFirehose::new(&config().into_builder().endpoint_url(url).build()));
    let mut answers = tokio::task::JoinSet::new();
    for number in 0..cases.len() {
        let firehose = Arc::clone(&firehose);
        answers.spawn(async move {
            let documents = vec![Bytes::from_static(b"{}"); 3];
            (number, firehose.put_record_batch(&number.to_string(), documents).await)
        });
    }
    while let Some(answer) = answers.join_next().await {
        let (number, answer) = answer.unwrap();
        let (name, _, expected) = &cases[number];
        let found = match &answer {
            Ok(entries) => {
                let accepted: Vec<bool> = (0..3).map(|at| matches!(entries.get(at), Some(Ok(())))).collect();
                // No entry that proves anything comes to the same as an answer that is none.
                if accepted.contains(&true) { Expected::Entries(accepted) } else { Expected::Transient }
            }
            Err(SendError::Refused(_)) => Expected::Refused,
            Err(SendError::Configuration(_)) => Expected::Configuration,
            Err(SendError::Transient(_)) => Expected::Transient,
        };
        assert_eq!(found, *expected, "{name}: {answer:?}");
    }
}
