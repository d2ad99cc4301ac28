//! moto, which plays S3 and Secrets Manager.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the server may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A running moto, ended by its process id.
pub struct Moto {
    process: Child,
    address: String,
}

impl Moto {
    /// Starts the server that `make tools` installed; where there is none, says that the test is skipped.
    pub fn start(test: &str) -> Option<Moto> {
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(".tools/moto");
        if !packages.join("version").is_file() {
            crate::skip(test, "moto", "Python with pip");
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut process = Command::new("python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("PYTHONPATH", &packages)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let address = format!("127.0.0.1:{port}");
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(process.try_wait().expect("a child").is_none(), "moto ended before it was ready");
            assert!(begun.elapsed() < START_TIME_MAX, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Moto { process, address })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket.
    pub fn make_bucket(&self, name: &str) {
        let (status, _) = self.request("PUT", &format!("/{name}"), b"");
        assert!(status.contains("200"), "{status}");
    }

    /// Puts a secret into Secrets Manager; its ARN.
    pub fn make_secret(&self, name: &str, value: &str) -> String {
        let body = serde_json::json!({"Name": name, "SecretString": value}).to_string();
        let target = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: secretsmanager.CreateSecret\r\n";
        let (status, answer) = self.request_to("secretsmanager", target, "POST", "/", body.as_bytes());
        assert!(status.contains("200"), "{status}");
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        answer["ARN"].as_str().expect("an ARN").to_owned()
    }

    /// One request to S3, signed by nobody, which moto does not mind: its status and body.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        self.request_to("s3", "", method, path, body)
    }

    fn request_to(&self, service: &str, more: &str, method: &str, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut connection = TcpStream::connect(&self.address).expect("moto listens");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        let address = &self.address;
        let credential =
            format!("Credential=test/20261124/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let length = body.len();
        let head = format!(
            "Host: {address}\r\n{more}Authorization: AWS4-HMAC-SHA256 {credential}\r\nContent-Length: {length}"
        );
        write!(connection, "{method} {path} HTTP/1.0\r\n{head}\r\n\r\n").expect("sent");
        connection.write_all(body).expect("sent");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        (head.lines().next().expect("a status").to_owned(), answer[end + 4..].to_vec())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
