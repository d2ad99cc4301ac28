//! Records from files and standard input, in whatever form people have them. Lines are read as a stream, so a file may
//! be larger than memory, and compressed with gzip.
//!
//! Recognised by the first line: one record a line; a JSON array of records; a Lambda's Kinesis event; what
//! `aws kinesis get-records` prints; JSON values printed over several lines.

mod envelope;
mod shape;
#[cfg(test)]
mod tests;

use crate::error::{Error, Trouble};
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use lambda::trial::minify;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use shape::Shape;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read};
use std::ops::ControlFlow;

/// Bytes of one line: the largest record of Kinesis, 10 MiB, in base64 and with room to spare.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Bytes read from a file at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How a gzip file begins (RFC 1952). No text does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its bytes.
    pub(crate) data: Data,
    /// `shardId-…:<sequence number>`.
    pub(crate) id: String,
    pub(crate) partition_key: String,
    /// Where it came from, when the input says so.
    pub(crate) stream: Option<String>,
    /// When it arrived, in milliseconds since the Unix epoch, when the input says so.
    pub(crate) arrived_at_ms: Option<u64>,
    /// Where a person finds it: `line 12 of web.ndjson`.
    pub(crate) place: String,
}

/// A record's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Bytes(Bytes),
    /// What stands in the event is no base64: the function makes it a dead letter, and so does this.
    Undecodable(Bytes, String),
}

/// Whether to go on.
pub(crate) type Flow = ControlFlow<()>;

/// Takes one record after the other.
pub(crate) type Take<'a> = dyn FnMut(Record) -> Result<Flow, Error> + 'a;

/// Reads inputs one after the other. Records that have no number of their own are numbered through.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    count: u64,
}

impl Reader {
    /// Reads the files, `-` being standard input, which is also read when there is no file and it is not a terminal.
    pub(crate) fn files(&mut self, names: &[String], take: &mut Take) -> Result<(), Error> {
        if names.is_empty() && io::stdin().is_terminal() {
            return Err(Error::usage("no records: name a file with -i, or pipe records in"));
        }
        let standard_input = ["-".to_owned()];
        for name in if names.is_empty() { &standard_input[..] } else { names } {
            if self.file(name, take)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, take: &mut Take) -> Result<Flow, Error> {
        if name == "-" {
            return self.read("standard input", BufReader::with_capacity(BUFFER_BYTES, io::stdin()), take);
        }
        let file = File::open(name).with_context(|| format!("read records from {name}")).or_usage()?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Error::usage(format!("read records from {name}: it is a folder; name a file")));
        }
        self.read(name, BufReader::with_capacity(BUFFER_BYTES, file), take)
    }

    /// Reads one input. `name` is for messages.
    pub(crate) fn read(&mut self, name: &str, input: impl BufRead, take: &mut Take) -> Result<Flow, Error> {
        let mut input = inflated(input).with_context(|| format!("read {name}")).or_usage()?;
        let mut skipped = 0;
        let head = loop {
            let line = read_line(&mut input, name, skipped + 1)?;
            match line {
                None => return Ok(Flow::Continue(())),
                Some(line) if line.trim_ascii().is_empty() => skipped += 1,
                Some(line) => break line,
            }
        };
        let head = head.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(head);
        let shape = shape::of(&head, &mut input).with_context(|| format!("read {name}")).or_usage()?;
        let input = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(input));
        let mut source = Source { name, skipped, reader: self, take, end: Ok(Flow::Continue(())) };
        match shape {
            Shape::Lines => source.lines(input),
            Shape::Array => source.array(input),
            Shape::Values => source.values(input),
        }
    }
}

/// What is in an input: itself, or what was compressed with gzip, by one program or several after each other.
pub(crate) fn inflated<'i>(mut input: impl BufRead + 'i) -> io::Result<Box<dyn BufRead + 'i>> {
    let compressed = input.fill_buf()?.starts_with(&GZIP);
    Ok(match compressed {
        true => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input))),
        false => Box::new(input),
    })
}

/// One input that is being read.
struct Source<'a, 't> {
    name: &'a str,
    /// Empty lines before the first record.
    skipped: u64,
    reader: &'a mut Reader,
    take: &'a mut Take<'t>,
    /// How a visitor ended that could only say that it did.
    end: Result<Flow, Error>,
}

impl Source<'_, '_> {
    fn lines(&mut self, mut input: impl BufRead) -> Result<Flow, Error> {
        let mut number = self.skipped;
        loop {
            number += 1;
            let Some(line) = read_line(&mut input, self.name, number)? else { return Ok(Flow::Continue(())) };
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let place = format!("line {number} of {}", self.name);
            let data = record_bytes(line).with_context(|| place.clone()).or_usage()?;
            if self.plain(data, place)?.is_break() {
                return Ok(Flow::Break(()));
            }
        }
    }

    /// One array of records, each taken as soon as it is read.
    fn array(mut self, input: impl Read) -> Result<Flow, Error> {
        let mut json = serde_json::Deserializer::from_reader(input);
        let (name, skipped) = (self.name, self.skipped);
        let read = Elements { source: &mut self }.deserialize(&mut json);
        match std::mem::replace(&mut self.end, Ok(Flow::Continue(()))) {
            Ok(Flow::Continue(())) => {}
            ended => return ended,
        }
        read.and_then(|()| json.end()).map(|()| Flow::Continue(())).map_err(|error| malformed(name, skipped, &error))
    }

    /// JSON values one after the other: envelopes with records in them, or records that are printed over several lines.
    fn values(&mut self, input: impl Read) -> Result<Flow, Error> {
        for (at, value) in serde_json::Deserializer::from_reader(input).into_iter::<Box<RawValue>>().enumerate() {
            let value = value.map_err(|error| malformed(self.name, self.skipped, &error))?;
            let place = |record: usize| format!("record {record} of {}", self.name);
            match envelope::records(value.get()) {
                None => {
                    let place = place(at + 1);
                    let data =
                        record_bytes(&minify(value.get().as_bytes())).with_context(|| place.clone()).or_usage()?;
                    if self.plain(data, place)?.is_break() {
                        return Ok(Flow::Break(()));
                    }
                }
                Some(records) => {
                    for (record, mut found) in
                        records.with_context(|| format!("read {}", self.name)).or_usage()?.into_iter().enumerate()
                    {
                        self.reader.count += 1;
                        found.place = place(record + 1);
                        if (self.take)(found)?.is_break() {
                            return Ok(Flow::Break(()));
                        }
                    }
                }
            }
        }
        Ok(Flow::Continue(()))
    }

    /// A record that is nothing but its bytes.
    fn plain(&mut self, data: Bytes, place: String) -> Result<Flow, Error> {
        self.reader.count += 1;
        let number = self.reader.count;
        let record = Record {
            data: Data::Bytes(data),
            id: format!("shardId-000000000000:{number}"),
            partition_key: number.to_string(),
            stream: None,
            arrived_at_ms: None,
            place,
        };
        (self.take)(record)
    }
}

/// Hands over the elements of an array one by one.
struct Elements<'s, 'a, 't> {
    source: &'s mut Source<'a, 't>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut at = 0;
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            at += 1;
            let place = format!("record {at} of {}", self.source.name);
            let data = record_bytes(&minify(element.get().as_bytes())).with_context(|| place.clone()).or_usage();
            let flow = data.and_then(|data| self.source.plain(data, place));
            if !matches!(flow, Ok(Flow::Continue(()))) {
                self.source.end = flow;
                return Err(serde::de::Error::custom("it was ended"));
            }
        }
        Ok(())
    }
}

/// A line with its newline; none at the end.
fn read_line(input: &mut impl BufRead, name: &str, number: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
    read.with_context(|| format!("read line {number} of {name}")).or_usage()?;
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(Error::usage(format!("line {number} of {name} is longer than 16 MiB: no record is")));
    }
    Ok(if line.is_empty() { None } else { Some(line) })
}

/// The bytes that a line means: itself, or what `{"$base64": "…"}` holds.
fn record_bytes(line: &[u8]) -> anyhow::Result<Bytes> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Encoded {
        #[serde(rename = "$base64")]
        base64: String,
    }
    if !line.starts_with(b"{") || !line[1..].trim_ascii_start().starts_with(b"\"$base64\"") {
        return Ok(Bytes::copy_from_slice(line));
    }
    let Ok(Encoded { base64 }) = serde_json::from_slice(line) else {
        bail!("`$base64` stands alone in its object, with the bytes as a string");
    };
    let bytes = base64_simd::STANDARD.decode_to_vec(base64.trim()).map_err(|_| anyhow!("`$base64` is not base64"))?;
    Ok(bytes.into())
}

fn malformed(name: &str, skipped: u64, error: &serde_json::Error) -> Error {
    let line = error.line() as u64 + skipped;
    let said = error.to_string();
    let reason = said.split(" at line ").next().unwrap_or(&said);
    Error::usage(format!("{name} is not JSON at line {line}, column {}: {reason}", error.column()))
}
