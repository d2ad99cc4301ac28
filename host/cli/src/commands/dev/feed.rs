//! Records on their way in: posted over HTTP, from files that may grow, from standard input.

use crate::error::{Error, Trouble};
use crate::input::{Flow, Reader, Record};
use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Value, json};
use simulator::intake::{Intake, Wrong};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What waits to be handled; whoever sends more is made to wait too.
const WAITING_MAX: usize = 1_024;

/// How often a file is looked at again that may have grown.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// Something came in.
pub(super) enum Arrived {
    /// Records, and where to say what became of them.
    Records(Vec<Record>, Option<oneshot::Sender<Value>>),
    /// An input ended.
    Ended(String),
    /// An input cannot be read.
    Failed(Error),
}

pub(super) type Sender = mpsc::Sender<Arrived>;
pub(super) type Receiver = mpsc::Receiver<Arrived>;

/// Where what comes in meets.
pub(super) fn channel() -> (Sender, Receiver) {
    mpsc::channel(WAITING_MAX)
}

/// Takes records that are posted to an address, and answers with what became of them.
pub(super) async fn listen(address: SocketAddr, to: Sender) -> Result<Intake, Error> {
    let ending = || Wrong("paddle dev is ending".to_owned());
    let take = move |body: Bytes| {
        let to = to.clone();
        async move {
            let read = tokio::task::spawn_blocking(move || posted(&body)).await;
            let records = read.map_err(|_| ending())?.map_err(|error| Wrong(error.to_string()))?;
            if records.is_empty() {
                return Ok(json!({"records": 0}));
            }
            let (reply, answer) = oneshot::channel();
            to.send(Arrived::Records(records, Some(reply))).await.map_err(|_| ending())?;
            answer.await.map_err(|_| ending())
        }
    };
    let told = "end what listens there, or take another address with --listen";
    Intake::start(address, take).await.map_err(|error| anyhow::anyhow!("{error:#}: {told}")).or_outside()
}

fn posted(body: &[u8]) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let _ = Reader::default().read("the request", body, &mut |record| {
        records.push(record);
        Ok(Flow::Continue(()))
    })?;
    Ok(records)
}

/// Whether standard input is what somebody piped in, and not a terminal or nothing.
#[cfg(unix)]
pub(super) fn is_piped() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;
    let kind = io::stdin().as_fd().try_clone_to_owned().and_then(|input| File::from(input).metadata());
    kind.is_ok_and(|input| input.file_type().is_fifo() || input.is_file())
}

/// Elsewhere it has to be named.
#[cfg(not(unix))]
pub(super) fn is_piped() -> bool {
    false
}

/// Reads inputs, each on a thread of its own, `-` being standard input. With `follow` a file that was read goes on to
/// be looked at: what is written behind its end comes too.
pub(super) fn read(names: &[String], follow: bool, to: &Sender) -> Result<(), Error> {
    for name in names {
        let input: Box<dyn Read + Send> = match name.as_str() {
            "-" => Box::new(io::stdin()),
            path if follow => Box::new(Followed::open(path.into()).or_usage()?),
            path => Box::new(File::open(path).with_context(|| format!("read records from {path}")).or_usage()?),
        };
        let (name, to) = (name.clone(), to.clone());
        let read = move || {
            let mut put = |record| match to.blocking_send(Arrived::Records(vec![record], None)) {
                Ok(()) => Ok(Flow::Continue(())),
                Err(_) => Ok(Flow::Break(())),
            };
            let ended = Reader::default().read(&name, BufReader::new(input), &mut put);
            // If nobody listens, the program is ending.
            let _ = to.blocking_send(match ended {
                Ok(_) => Arrived::Ended(name),
                Err(error) => Arrived::Failed(error),
            });
        };
        std::thread::Builder::new().name("records".into()).spawn(read).context("start a thread").or_outside()?;
    }
    Ok(())
}

/// A file that has no end: what is not there yet is waited for. One that was cut off or replaced is read from its
/// beginning.
struct Followed {
    path: PathBuf,
    file: File,
    at: u64,
}

impl Followed {
    fn open(path: PathBuf) -> anyhow::Result<Followed> {
        let file = File::open(&path).with_context(|| format!("read records from {}", path.display()))?;
        Ok(Followed { path, file, at: 0 })
    }

    /// Whether another file stands at the path, or less of this one.
    fn is_new(&self) -> bool {
        let (Ok(there), Ok(ours)) = (fs::metadata(&self.path), self.file.metadata()) else { return false };
        there.len() < self.at || !is_same(&there, &ours)
    }
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.at += read as u64;
                return Ok(read);
            }
            if self.is_new() {
                (self.file, self.at) = (File::open(&self.path)?, 0);
                continue;
            }
            std::thread::sleep(FOLLOW_EVERY);
        }
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Where files have no numbers, only a shorter file is a new one.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
