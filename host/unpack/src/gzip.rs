//! Inflates gzip: any number of members, never more than it may.

use crate::{Refusal, RefusalKind};
use flate2::bufread::GzDecoder;
use std::io::Read;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Members of one stream. Writers that flush make a member for each line or block; starting one costs microseconds.
const MEMBERS_MAX: usize = 10_000;
/// Bytes that the first buffer has for each compressed byte: most logs fit without growing it.
const FIRST_BUFFER_RATIO: usize = 8;
/// Bytes of the smallest buffer.
const BUFFER_BYTES_MIN: usize = 4096;

/// Whether `data` starts as gzip does.
#[inline]
pub(crate) fn recognised(data: &[u8]) -> bool {
    data.starts_with(&MAGIC)
}

/// Inflates all members of `data`. Zeros after the last one are padding, as tape and block writers leave it.
/// Stops as soon as the output would pass `bytes_max`, and never allocates more than that.
pub(crate) fn inflate(data: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut output = Output { bytes: Vec::new(), filled: 0, bytes_max };
    output.grow(data.len().saturating_mul(FIRST_BUFFER_RATIO));
    let mut rest = data;
    for _ in 0..MEMBERS_MAX {
        let mut decoder = GzDecoder::new(rest);
        output.read_all(&mut decoder)?;
        rest = decoder.into_inner();
        if !recognised(rest) {
            if rest.iter().any(|byte| *byte != 0) {
                return Err(damaged("it is followed by something else"));
            }
            output.bytes.truncate(output.filled);
            return Ok(output.bytes);
        }
    }
    Err(Refusal { kind: RefusalKind::Oversize, message: format!("more than {MEMBERS_MAX} gzip members in one record") })
}

/// What was inflated so far: `bytes[..filled]`.
struct Output {
    bytes: Vec<u8>,
    filled: usize,
    bytes_max: usize,
}

impl Output {
    fn read_all(&mut self, decoder: &mut impl Read) -> Result<(), Refusal> {
        loop {
            if self.filled == self.bytes.len() && self.filled < self.bytes_max {
                self.grow(self.filled.saturating_mul(2));
            }
            let mut one_more = [0u8];
            let full = self.filled == self.bytes_max;
            let space = if full { &mut one_more[..] } else { &mut self.bytes[self.filled..] };
            match decoder.read(space) {
                Ok(0) => return Ok(()),
                Ok(_) if full => return Err(self.oversize()),
                Ok(count) => self.filled += count,
                Err(error) => return Err(damaged(&error.to_string())),
            }
        }
    }

    /// Makes room for `bytes` in all, or as much as is allowed.
    fn grow(&mut self, bytes: usize) {
        let length = bytes.max(BUFFER_BYTES_MIN).min(self.bytes_max);
        self.bytes.reserve_exact(length.saturating_sub(self.bytes.len()));
        self.bytes.resize(length, 0);
    }

    fn oversize(&self) -> Refusal {
        let message = format!("it inflates to more than the {} bytes that this record may", self.bytes_max);
        Refusal { kind: RefusalKind::Oversize, message }
    }
}

fn damaged(what: &str) -> Refusal {
    Refusal { kind: RefusalKind::Gzip, message: format!("the gzip stream is damaged or cut short: {what}") }
}
