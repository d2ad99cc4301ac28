//! Just enough of protobuf's wire format to read an aggregate: tags, varints, and length-delimited fields.
//!
//! Groups, which proto2 deprecates and no producer writes, are refused; every other unknown field can be skipped.

use std::ops::Range;

/// Bytes of a varint at most: 64 bits, 7 in a byte.
const VARINT_BYTES_MAX: usize = 10;

/// A field as it stands on the wire. Positions are those of the bytes the reader was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Varint(u64),
    Fixed64,
    Fixed32,
    Delimited(Range<usize>),
}

/// Reads one message, which is a range of `bytes`.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader for the message at `range`, which lies within `bytes`.
    pub(crate) fn new(bytes: &'a [u8], range: Range<usize>) -> Reader<'a> {
        Reader { bytes, at: range.start, end: range.end }
    }

    /// The next field and its number, or `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Field)>, &'static str> {
        if self.at == self.end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err("a field has the number 0");
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.skip(8).map(|_| Field::Fixed64)?,
            2 => {
                let length = self.varint()?;
                Field::Delimited(self.skip(length)?)
            }
            5 => self.skip(4).map(|_| Field::Fixed32)?,
            _ => return Err("a field has a wire type that is not in use"),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for index in 0..VARINT_BYTES_MAX {
            let Some(byte) = self.bytes[self.at..self.end].first() else {
                return Err("it ends within a number");
            };
            self.at += 1;
            if index == VARINT_BYTES_MAX - 1 && *byte > 1 {
                break; // The tenth byte holds only the highest bit.
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than 64 bits")
    }

    fn skip(&mut self, length: u64) -> Result<Range<usize>, &'static str> {
        let left = self.end - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                let start = self.at;
                self.at += length;
                Ok(start..self.at)
            }
            _ => Err("a field reaches beyond the end"),
        }
    }
}
