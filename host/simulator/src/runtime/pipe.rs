//! One of a process's two outputs, read line by line as it comes, and up to the last byte when an invocation ends.

use super::log::{LINE_BYTES_MAX, Log, Source};
use anyhow::Context;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::unix::pipe::Receiver;

/// Bytes read in one go. A pipe holds 64 KiB, so that all that was written before a moment is read, and a process that
/// writes without end cannot hold us.
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// The reading end of a pipe.
pub(super) struct Pipe {
    receiver: Receiver,
    source: Source,
    log: Arc<Log>,
    /// The bytes of a line that has not ended.
    begun: Mutex<Vec<u8>>,
}

/// Where reading stopped.
enum Drained {
    /// There is nothing more for now.
    Empty,
    /// There may be more.
    Partly,
    /// Nobody can write any more.
    Closed,
}

impl Pipe {
    /// Starts to read in the background, until everybody who could write is gone.
    pub(super) fn read(descriptor: OwnedFd, source: Source, log: Arc<Log>) -> anyhow::Result<Arc<Pipe>> {
        let receiver = Receiver::from_owned_fd(descriptor).context("watch a pipe")?;
        let pipe = Arc::new(Pipe { receiver, source, log, begun: Mutex::default() });
        let reader = pipe.clone();
        tokio::spawn(async move { reader.read_all().await });
        Ok(pipe)
    }

    /// Reads what was written up to now.
    pub(super) fn flush(&self) {
        // Straight from the pipe: the runtime may not know yet that there is something to read. What cannot be read any
        // more is not there; the background task sees the same.
        let _ = self.drain(|buffer| Ok(rustix::io::read(&self.receiver, buffer)?));
    }

    async fn read_all(&self) {
        while self.receiver.readable().await.is_ok() {
            match self.drain(|buffer| self.receiver.try_read(buffer)) {
                Ok(Drained::Empty) => {}
                Ok(Drained::Partly) => tokio::task::yield_now().await,
                Ok(Drained::Closed) | Err(_) => return,
            }
        }
    }

    fn drain(&self, read: impl Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<Drained> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 16 << 10];
        let mut bytes = 0;
        while bytes < DRAIN_BYTES_MAX {
            match read(&mut buffer) {
                Ok(0) => {
                    if !begun.is_empty() {
                        self.push(&mut begun);
                    }
                    return Ok(Drained::Closed);
                }
                Ok(read) => {
                    bytes += read;
                    self.split(&mut begun, &buffer[..read]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Drained::Empty),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Drained::Partly)
    }

    fn split(&self, begun: &mut Vec<u8>, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            begun.extend_from_slice(text);
            while begun.len() > LINE_BYTES_MAX {
                let rest = begun.split_off(LINE_BYTES_MAX);
                self.push(begun);
                *begun = rest;
            }
            if piece.len() > text.len() {
                self.push(begun);
            }
        }
    }

    fn push(&self, line: &mut Vec<u8>) {
        self.log.push(self.source, String::from_utf8_lossy(line).into_owned());
        line.clear();
    }
}
