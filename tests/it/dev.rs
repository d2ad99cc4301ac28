//! `paddle dev` for as long as somebody works: records posted, read and followed; plugins saved; and how it ends.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tests::desk::Desk;

/// How long anything may take that is waited for here; far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIG: &str =
    "[pipeline]\nname = \"shop\"\n[[step]]\nplugin = \"./plugins/mark.js\"\n[document]\nid_field = false\n";

fn script(mark: &str) -> String {
    format!(
        "export function transform(event) {{\n  if (event.get(\"bad\")) event.get(\"no\").such;\n  event.set(\"mark\", \"{mark}\");\n}}\n"
    )
}

fn project() -> Desk {
    let desk = Desk::empty();
    desk.write("paddle.toml", CONFIG);
    desk.write("plugins/mark.js", &script("one"));
    desk
}

/// A running `paddle dev`.
pub(crate) struct Dev {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    url: String,
}

impl Dev {
    pub(crate) fn start(desk: &Desk, arguments: &[&str]) -> Dev {
        let all = [&["dev", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = desk.command(&all);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("paddle runs");
        let out = lines(child.stdout.take().expect("piped"));
        let err = lines(child.stderr.take().expect("piped"));
        let mut dev = Dev { child, out, err, url: String::new() };
        let said = dev.said("records by POST to");
        dev.url = said.split_whitespace().nth(4).expect("its address").to_owned();
        dev
    }

    fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("piped")
    }

    /// The next line on standard error that holds these words.
    pub(crate) fn said(&self, words: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.err.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("waiting for {words:?}: {error}; it said {before:#?}"));
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
    }

    /// The next document.
    fn document(&self) -> Value {
        let line = self.out.recv_timeout(PATIENCE).expect("a document comes");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Posts records; the status and the answer.
    pub(crate) fn post(&self, body: &str) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let sent = reqwest::Client::new().post(&self.url).body(body.to_owned()).timeout(PATIENCE).send();
            let response = sent.await.expect("it answers");
            let status = response.status().as_u16();
            let body = response.text().await.expect("a body");
            (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
        })
    }

    /// Sends a request as it stands; the status line and the body of the answer.
    fn raw(&self, request: &str) -> (String, String) {
        let address = self.url.strip_prefix("http://").expect("its address");
        let mut socket = std::net::TcpStream::connect(address).expect("it listens");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    /// Presses Ctrl-C.
    fn signal(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    }

    /// Presses Ctrl-C; the exit code, and what was written last.
    fn interrupt(mut self) -> (i32, Vec<String>) {
        self.signal();
        let code = self.child.wait().expect("it ends").code().expect("by itself");
        (code, self.out.iter().collect())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Most have ended.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let line = line.expect("it writes UTF-8");
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[test]
fn posted_records_become_documents_and_whoever_posted_is_told() {
    let desk = project();
    let dev = Dev::start(&desk, &[]);
    let (status, told) = dev.post("{\"a\":1}\n{\"bad\":1}\n{\"a\":2}\n");
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        (&told["records"], &told["documents"], &told["dead_letters"]),
        (&3.into(), &2.into(), &1.into()),
        "{told}"
    );
    let message = told["failures"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("TypeError: cannot read property 'such' of undefined")
            && message.contains("plugins/mark.js:2:"),
        "{message}"
    );
    let mut documents = [dev.document(), dev.document()].map(|document| document.to_string());
    documents.sort();
    assert_eq!(documents, ["{\"a\":1,\"mark\":\"one\"}", "{\"a\":2,\"mark\":\"one\"}"]);
    dev.said("dead letter mark: error: TypeError");
    dev.said("3 records: 2 documents, 1 dead letter");

    let (status, told) = dev.post("[{\"a\":1},");
    assert_eq!(status, 400, "{told}");
    assert!(told["error"].as_str().is_some_and(|error| error.contains("the request")), "{told}");
    assert_eq!(dev.post("").1["records"], 0);
    let (code, rest) = dev.interrupt();
    assert_eq!((code, rest.len()), (0, 0), "{rest:?}");
}

#[test]
fn a_record_that_is_given_up_is_told() {
    let desk = project();
    let later = "import { retry } from \"paddlewheel\";\nexport function transform() { throw retry(\"later\"); }\n";
    desk.write("plugins/mark.js", later);
    let dev = Dev::start(&desk, &[]);
    let (_, told) = dev.post("{}");
    assert_eq!(told["records"], 1, "however often it was sent: {told}");
    let given_up = "gave up 1 record (RetryAttemptsExhausted): .paddle/dev/function.log says why";
    assert!(told["errors"][0].as_str().is_some_and(|error| error.contains(given_up)), "{told}");
    dev.said(given_up);
    let log = std::fs::read_to_string(desk.path("project/.paddle/dev/function.log")).expect("there is a log");
    assert!(log.contains("reason=\"later\""), "{log}");
}

#[test]
fn what_is_saved_takes_effect_and_what_does_not_build_does_not() {
    let desk = project();
    let dev = Dev::start(&desk, &[]);
    dev.post("{}");
    assert_eq!(dev.document()["mark"], "one");

    desk.write("plugins/mark.js", &script("two"));
    dev.said("took plugins/mark.js");
    dev.post("{}");
    assert_eq!(dev.document()["mark"], "two");

    desk.write("plugins/mark.js", "export function transform(event) {\n  event.set(\"mark\", ;\n}\n");
    dev.said("SyntaxError");
    dev.said("plugins/mark.js:2:");
    dev.said("kept plugins/mark.js is not taken");
    dev.post("{}");
    assert_eq!(dev.document()["mark"], "two");

    // A module that was not there before is watched from then on, and so is a new route.
    desk.write("plugins/words.js", "export const mark = \"three\";\n");
    desk.write("plugins/mark.js", "import { mark } from \"./words.js\";\nimport { send } from \"paddlewheel\";\nexport const transform = (event) => { event.set(\"mark\", mark); return [send(event, \"audit\")]; };\n");
    desk.write("paddle.toml", &format!("{CONFIG}[routes]\naudit = \"audit-trail\"\n"));
    dev.said("took ");
    desk.write("plugins/words.js", "export const mark = \"four\";\n");
    dev.said("took plugins/words.js");
    let (_, told) = dev.post("{}");
    assert_eq!(told["documents"], 1, "{told}");
    assert_eq!(dev.document()["mark"], "four");

    desk.write("paddle.toml", "[pipeline]\nnme = \"shop\"\n");
    dev.said("unknown field `nme`");
    dev.said("kept paddle.toml");
    assert_eq!(dev.post("{}").1["documents"], 1);
}

#[test]
fn plugins_that_come_and_go_are_seen() {
    let desk = Desk::empty();
    let config = CONFIG.replace("mark.js", "mark");
    desk.write("paddle.toml", &config);
    desk.write("plugins/mark/plugin.js", &script("one"));
    let dev = Dev::start(&desk, &[]);
    let [here, away] = ["mark", "away"].map(|name| desk.path("project/plugins").join(name));
    let marked = |mark: &str| {
        dev.post("{}");
        assert_eq!(dev.document()["mark"], mark);
    };
    std::fs::rename(&here, &away).expect("moved");
    dev.said("there is no such file or folder");
    dev.said("kept plugins/mark");
    marked("one");
    std::fs::rename(&away, &here).expect("moved back");
    dev.said("took plugins/mark");
    desk.write("plugins/mark/plugin.js", &script("two"));
    dev.said("took plugins/mark/plugin.js");
    marked("two");
    // Another folder in its place, as when a branch is checked out.
    std::fs::remove_dir_all(&here).expect("removed");
    dev.said("kept plugins/mark");
    desk.write("plugins/mark/plugin.js", &script("three"));
    dev.said("took plugins/mark");
    marked("three");

    desk.write("paddle.toml", &format!("{config}[[step]]\nplugin = \"./later/new.js\"\n"));
    dev.said("plugin `./later/new.js`: there is no such file");
    dev.said("kept paddle.toml");
    desk.write("later/new.js", "export function transform(event) { event.set(\"new\", true); }\n");
    dev.said("took later");
    dev.post("{}");
    assert_eq!(dev.document()["new"], true);
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_batch_at_hand() {
    let desk = project();
    // An OpenSearch that never answers: the batch is at hand when it is asked.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", mute.local_addr().expect("its address"));
    let mut dev = Dev::start(&desk, &["--sink", &url, "-i", "-"]);
    writeln!(dev.stdin(), "{{}}").expect("it reads");
    let asked = mute.accept().expect("it is asked");
    dev.signal();
    dev.said("ending when the batch at hand is done; Ctrl-C again ends at once");
    assert_eq!(dev.interrupt().0, 130);
    drop(asked);
}

#[test]
fn documents_that_are_not_taken_are_told() {
    let desk = project();
    // A port that nobody listens at.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|open| open.local_addr()).expect("a port");
    let dev = Dev::start(&desk, &["--opensearch", &format!("http://{gone}")]);
    let (_, told) = dev.post("{}");
    assert_eq!(told["errors"].as_array().map(Vec::len), Some(1), "{told}");
    dev.said("warning:");
    assert_eq!(dev.interrupt().0, 1);
}

#[test]
fn what_a_run_leaves_is_not_emptied_by_another_one_beside_it() {
    let desk = project();
    let dev = Dev::start(&desk, &[]);
    dev.post("{\"bad\":1}");
    let letters = desk.path("project/.paddle/dev/dead-letters/shop");
    assert!(letters.is_dir());
    for more in [&["--listen", "127.0.0.1:0"][..], &["--once", "--web-events", "1"]] {
        desk.fails(
            &[&["dev"], more].concat(),
            2,
            "another paddle dev writes to .paddle/dev: end it, or name another folder",
        );
    }
    assert!(letters.is_dir());
    dev.interrupt();
    Dev::start(&desk, &[]);
    assert!(!letters.exists(), "an earlier run's are removed");
}

#[test]
fn a_growing_file_is_followed_and_so_is_the_one_that_takes_its_place() {
    let desk = project();
    desk.write("events.ndjson", "{\"n\":1}\n");
    let dev = Dev::start(&desk, &["-i", "events.ndjson", "--follow"]);
    assert_eq!(dev.document()["n"], 1);
    let file = desk.path("project/events.ndjson");
    let mut open = std::fs::File::options().append(true).open(&file).expect("there");
    open.write_all(b"{\"n\":2}\n{\"n\"").expect("written");
    assert_eq!(dev.document()["n"], 2);
    open.write_all(b":3}\n").expect("written");
    assert_eq!(dev.document()["n"], 3);
    std::fs::rename(&file, desk.path("project/events.ndjson.1")).expect("rotated");
    desk.write("events.ndjson", "{\"n\":4,\"longer\":true}\n");
    assert_eq!(dev.document()["n"], 4);
    desk.write("events.ndjson", "{\"n\":5}\n");
    assert_eq!(dev.document()["n"], 5);
}

#[test]
fn records_come_from_standard_input_and_all_of_them_end_as_whole_lines() {
    let desk = project();
    // What is piped in is read without being named, too.
    for named in [&["-i", "-"][..], &[]] {
        let mut dev = Dev::start(&desk, named);
        let mut stdin = dev.stdin();
        for n in 0..5_000 {
            writeln!(stdin, "{{\"n\":{n}}}").expect("it reads");
        }
        drop(stdin);
        dev.said("standard input was read to its end");
        let mut seen: Vec<u64> = (0..5_000).map(|_| dev.document()["n"].as_u64().expect("a number")).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..5_000));
        // It goes on: there is still HTTP.
        assert_eq!(dev.post("{\"n\":5000}").1["documents"], 1);
        assert_eq!(dev.document()["n"], 5_000);
        assert_eq!(dev.interrupt(), (0, Vec::new()));
    }
}

#[test]
fn web_pages_cannot_post_records() {
    let desk = project();
    let dev = Dev::start(&desk, &[]);
    let address = dev.url.strip_prefix("http://").expect("its address").to_owned();
    let port = address.rsplit(':').next().expect("its port").to_owned();
    let local = format!("Host: localhost:{port}");
    let ours = format!("Host: {address}");
    for (headers, status, words) in [
        // As curl does, by name and by address.
        (local.clone(), 200, "\"documents\":1"),
        (ours.clone(), 200, "\"documents\":1"),
        // A page elsewhere, which may send plain text without asking.
        (
            format!("{ours}\r\nOrigin: https://evil.example\r\nContent-Type: text/plain"),
            403,
            "the Origin of a web page",
        ),
        (format!("{local}\r\nOrigin: null"), 403, "the Origin of a web page"),
        // A page whose name leads here.
        (format!("Host: evil.example:{port}"), 403, "Host does not name this endpoint"),
        (format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}"), 403, "Host does not name"),
        (format!("Host: localhost:{port}\r\nHost: evil.example"), 403, "Host does not name this endpoint"),
    ] {
        let request =
            format!("POST / HTTP/1.1\r\n{headers}\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{{\"a\":1}}");
        let (first, body) = dev.raw(&request);
        assert!(first.starts_with(&format!("HTTP/1.1 {status} ")) && body.contains(words), "{headers}: {first} {body}");
    }
    let (first, _) = dev.raw(&format!("GET / HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n"));
    assert!(first.starts_with("HTTP/1.1 403 "), "{first}");
    let (code, documents) = dev.interrupt();
    assert_eq!((code, documents.len()), (0, 2), "{documents:?}");
}

#[test]
fn documents_go_to_a_folder_when_one_is_named_and_an_address_is_had_once() {
    let desk = project();
    let dev = Dev::start(&desk, &["--out", "run"]);
    dev.post("{\"a\":1}");
    let address = dev.url.strip_prefix("http://").expect("its address").to_owned();
    desk.fails(&["dev", "--listen", &address], 4, &format!("listen on {address}"));
    let (code, out) = dev.interrupt();
    assert_eq!((code, out.len()), (0, 0));
    let written = std::fs::read_to_string(desk.path("project/run/documents/default.ndjson")).expect("written");
    assert_eq!(written, "{\"a\":1,\"mark\":\"one\"}\n");
    desk.fails(&["dev", "-i", "missing.ndjson"], 2, "missing.ndjson");
    desk.fails(&["dev", "--listen", "127.0.0.1:0", "nowhere"], 2, "nowhere");
}
