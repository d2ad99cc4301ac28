//! `runtime-probe`: a Lambda function that misbehaves on request, for the simulator's own tests. Not part of the
//! product.
//!
//! It speaks the Runtime API with nothing but a socket, so that no library hides what the simulator answers. Each event
//! says what to do: `{"do": "…"}`; `PROBE_INIT` says how init goes, `PROBE_TICKS` starts a thread that prints without
//! end.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a panic is a misbehaviour too")]
#![allow(clippy::zombie_processes, reason = "a child that nobody waits for is one, too")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, abort, exit};
use std::time::Duration;

fn main() {
    let mut api = Api::connect();
    if std::env::var("PROBE_TICKS").is_ok() {
        std::thread::spawn(|| {
            for tick in 0_u64.. {
                println!("tick {tick}");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
    init(&mut api);
    loop {
        let event = api.call("GET", "invocation/next", &[], b"");
        assert_eq!(event.status, 200);
        handle(&mut api, &event);
    }
}

fn init(api: &mut Api) {
    println!("init");
    match std::env::var("PROBE_INIT").as_deref() {
        Ok("error") => {
            let body = br#"{"errorMessage":"no plugins","errorType":"Probe.Init"}"#;
            let kind = ("Lambda-Runtime-Function-Error-Type", "Runtime.InitError");
            println!("init error: {}", api.call("POST", "init/error", &[kind], body).status);
            exit(1);
        }
        Ok("exit") => exit(3),
        Ok("hang") => hang(),
        Ok("hang-once") => {
            let mark = std::env::temp_dir().join("hung");
            if !mark.exists() {
                std::fs::write(mark, "").unwrap();
                hang();
            }
        }
        _ => {}
    }
}

fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn handle(api: &mut Api, event: &Answer) {
    let id = event.headers["lambda-runtime-aws-request-id"].clone();
    let wanted: Value = serde_json::from_slice(&event.body).unwrap();
    let number = |name: &str| usize::try_from(wanted[name].as_u64().unwrap()).unwrap();
    println!("do {}", wanted["do"]);
    let answer = match wanted["do"].as_str().unwrap() {
        "echo" => json!({"event": wanted, "headers": event.headers, "process": std::process::id()}),
        "env" => json!(std::env::vars().collect::<BTreeMap<_, _>>()),
        "fail" => {
            let body = br#"{"errorMessage":"as asked","errorType":"Probe.Asked","stackTrace":[]}"#;
            let answer = api.call("POST", &format!("invocation/{id}/error"), &[], body);
            return println!("error: {}", answer.status);
        }
        "exit" => exit(i32::try_from(number("code")).unwrap()),
        "abort" => abort(),
        "hang" => hang(),
        "large" => {
            let answer = api.respond(&id, &vec![b' '; number("bytes")]);
            return println!("large: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        "say" => {
            (0..number("lines")).for_each(|line| println!("line {line}"));
            eprint!("no newline");
            std::io::stderr().flush().unwrap();
            json!("said")
        }
        "child" => {
            let child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
            json!(child.id())
        }
        "meet" => json!(meet(Path::new(wanted["folder"].as_str().unwrap()), number("count"))),
        "break-rules" => break_rules(api, &id),
        "exit-after" => {
            api.respond(&id, b"\"done\"");
            exit(0);
        }
        "hang-after" => {
            api.respond(&id, b"\"done\"");
            hang();
        }
        other => panic!("unknown: {other}"),
    };
    let answer = api.respond(&id, answer.to_string().as_bytes());
    assert_eq!((answer.status, answer.body.as_slice()), (202, &b"{\"status\":\"OK\"}"[..]));
    if wanted["twice"] == true {
        println!("twice: {}", api.respond(&id, b"1").status);
    }
}

/// Waits until as many processes have come here.
fn meet(folder: &Path, count: usize) -> bool {
    std::fs::write(folder.join(std::process::id().to_string()), "").unwrap();
    while std::fs::read_dir(folder).unwrap().count() < count {
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// What no runtime should do, and how it is answered.
fn break_rules(api: &mut Api, id: &str) -> Value {
    let mut seen = Vec::new();
    let init_error = api.call("POST", "init/error", &[], b"{}");
    let wrong_id = api.respond("00000000-0000-4000-8000-000000000000", b"1");
    let wrong_path = api.call("GET", "invocation/last", &[], b"");
    let wrong_method = api.call("GET", &format!("invocation/{id}/response"), &[], b"");
    for answer in [init_error, wrong_id, wrong_path, wrong_method] {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        seen.push(json!([answer.status, body["errorType"], body["errorMessage"]]));
    }
    let again = api.call("GET", "invocation/next", &[], b"");
    seen.push(json!([again.status, again.headers["lambda-runtime-aws-request-id"] == id]));
    json!(seen)
}

struct Api {
    host: String,
    socket: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Api {
    fn connect() -> Api {
        let host = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
        let socket = BufReader::new(TcpStream::connect(&host).unwrap());
        Api { host, socket }
    }

    fn respond(&mut self, id: &str, body: &[u8]) -> Answer {
        self.call("POST", &format!("invocation/{id}/response"), &[], body)
    }

    fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (host, length) = (&self.host, body.len());
        let mut head = format!("{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {host}\r\n");
        head.push_str(&format!("Content-Length: {length}\r\n"));
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let socket = self.socket.get_mut();
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(body).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            self.socket.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        self.socket.read_exact(&mut body).unwrap();
        Answer { status, headers, body }
    }
}
