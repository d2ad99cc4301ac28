//! Streams: standard input is at its end, standard output and error become lines. There are no others.

use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use super::bindings::wasi::io::error::{self, Error};
use super::bindings::wasi::io::poll::Pollable;
use super::bindings::wasi::io::streams::{
    self, HostInputStream, HostOutputStream, InputStream, OutputStream, StreamError,
};
use super::output::Stream;
use super::{Wasi, never_given};

/// What one write may carry. WASI sets it for the blocking writes, and a plugin writes as often as it likes.
const WRITE_BYTES_MAX: u64 = 4_096;

/// Streams have no state, so each is known by one number, whichever handle it is used through.
pub(super) const STDIN: u32 = 0;
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

type StreamResult<T> = Result<std::result::Result<T, StreamError>>;

impl Wasi {
    fn print(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) -> StreamResult<()> {
        let stream = match stream.rep() {
            STDOUT => Stream::Stdout,
            STDERR => Stream::Stderr,
            _ => return never_given("output stream but stdout and stderr"),
        };
        check_len(bytes.len() as u64)?;
        self.output.write(stream, bytes);
        Ok(Ok(()))
    }

    fn print_zeroes(&mut self, stream: &Resource<OutputStream>, len: u64) -> StreamResult<()> {
        check_len(len)?;
        self.print(stream, &[0; WRITE_BYTES_MAX as usize][..len as usize])
    }
}

fn check_len(len: u64) -> Result<()> {
    if len > WRITE_BYTES_MAX {
        bail!("the plugin writes {len} bytes to a stream at once, {WRITE_BYTES_MAX} are permitted");
    }
    Ok(())
}

impl streams::Host for Wasi {}

impl HostInputStream for Wasi {
    fn read(&mut self, _: Resource<InputStream>, _len: u64) -> StreamResult<Vec<u8>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_read(&mut self, _: Resource<InputStream>, _len: u64) -> StreamResult<Vec<u8>> {
        Ok(Err(StreamError::Closed))
    }

    fn skip(&mut self, _: Resource<InputStream>, _len: u64) -> StreamResult<u64> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_skip(&mut self, _: Resource<InputStream>, _len: u64) -> StreamResult<u64> {
        Ok(Err(StreamError::Closed))
    }

    fn subscribe(&mut self, _: Resource<InputStream>) -> Result<Resource<Pollable>> {
        self.handles.open_ready()
    }

    fn drop(&mut self, _: Resource<InputStream>) -> Result<()> {
        self.handles.close();
        Ok(())
    }
}

impl HostOutputStream for Wasi {
    fn check_write(&mut self, _: Resource<OutputStream>) -> StreamResult<u64> {
        Ok(Ok(WRITE_BYTES_MAX))
    }

    fn write(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.print(&stream, &bytes)
    }

    fn blocking_write_and_flush(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.print(&stream, &bytes)
    }

    /// A flush ends no line: many programs flush in the middle of one.
    fn flush(&mut self, _: Resource<OutputStream>) -> StreamResult<()> {
        Ok(Ok(()))
    }

    fn blocking_flush(&mut self, _: Resource<OutputStream>) -> StreamResult<()> {
        Ok(Ok(()))
    }

    fn subscribe(&mut self, _: Resource<OutputStream>) -> Result<Resource<Pollable>> {
        self.handles.open_ready()
    }

    fn write_zeroes(&mut self, stream: Resource<OutputStream>, len: u64) -> StreamResult<()> {
        self.print_zeroes(&stream, len)
    }

    fn blocking_write_zeroes_and_flush(&mut self, stream: Resource<OutputStream>, len: u64) -> StreamResult<()> {
        self.print_zeroes(&stream, len)
    }

    /// The only input stream is at its end, and a splice reports what its read does.
    fn splice(&mut self, _: Resource<OutputStream>, _: Resource<InputStream>, _len: u64) -> StreamResult<u64> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_splice(&mut self, _: Resource<OutputStream>, _: Resource<InputStream>, _len: u64) -> StreamResult<u64> {
        Ok(Err(StreamError::Closed))
    }

    fn drop(&mut self, _: Resource<OutputStream>) -> Result<()> {
        self.handles.close();
        Ok(())
    }
}

impl error::Host for Wasi {}

impl error::HostError for Wasi {
    fn to_debug_string(&mut self, _: Resource<Error>) -> Result<String> {
        never_given("error")
    }

    fn drop(&mut self, _: Resource<Error>) -> Result<()> {
        never_given("error")
    }
}
