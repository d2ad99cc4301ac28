//! Dead letters on this machine: written by `run`, read by `dead-letters show`. The form is that of the function.

use crate::error::{Error, Trouble};
use crate::input::inflated;
use crate::local::Local;
use crate::time;
use anyhow::Context as _;
use lambda::walk::Entered;
use pipeline::Failed;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Where dead letters are kept, in a project's folder.
pub(crate) const FOLDER: &str = ".paddle/dead-letters";

/// Bytes of one line: 32 MiB of an inflated record in base64, twice, with its story.
const LINE_BYTES_MAX: u64 = 128 << 20;

/// Writes dead letters to a file that is made for the first of them.
pub(crate) struct Writer {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    /// Whether somebody named the folder: then it must be written.
    named: bool,
    /// Why the file could not be made.
    missing: Option<String>,
}

/// Where dead letters are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// There were none.
    None,
    /// In this file.
    In(PathBuf),
    /// Nowhere, for this reason: nobody named a folder, and the project's cannot be written.
    Nowhere(String),
}

impl Writer {
    /// For one run of a pipeline in a project's folder. `named`: where to keep them instead.
    pub(crate) fn new(folder: &Path, named: Option<&Path>, pipeline: &str, now_ms: u64) -> Writer {
        let stamp: String = lambda::date(now_ms).chars().filter(char::is_ascii_alphanumeric).collect();
        let place = named.map_or_else(|| folder.join(FOLDER).join(pipeline), Path::to_owned);
        let path = place.join(format!("run-{stamp}.ndjson"));
        Writer { path, file: None, named: named.is_some(), missing: None }
    }

    pub(crate) fn write(
        &mut self,
        entered: &Entered,
        failed: &Failed,
        local: &Local,
        loaded: &lambda::Loaded,
    ) -> Result<(), Error> {
        let (shard, sequence_number) = entered.id.split_once(':').unwrap_or(("", &entered.id));
        let origin = lambda::Origin {
            id: &entered.id,
            stream: local.stream(),
            shard,
            sequence_number: sequence_number.split('/').next().unwrap_or(sequence_number),
            partition_key: &entered.partition_key,
            arrived_at_ms: entered.arrived_at_ms,
            data: &entered.data,
        };
        let line = lambda::dead_letter(origin, failed, loaded, time::now_ms());
        let told = || format!("write dead letters to {}", self.path.display());
        let mut text = serde_json::to_vec(&line).with_context(told).or_outside()?;
        text.push(b'\n');
        if self.file.is_none() && self.missing.is_none() {
            match create(&self.path) {
                Ok(file) => self.file = Some(BufWriter::new(file)),
                Err(error) if self.named => return Err(error).with_context(told).or_outside(),
                Err(error) => self.missing = Some(format!("{}: {error}", told())),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(&text).with_context(told).or_outside()
    }

    /// Where they are now.
    pub(crate) fn finish(self) -> Result<Kept, Error> {
        if let Some(reason) = self.missing {
            return Ok(Kept::Nowhere(reason));
        }
        let Some(mut file) = self.file else { return Ok(Kept::None) };
        file.flush().with_context(|| format!("write dead letters to {}", self.path.display())).or_outside()?;
        Ok(Kept::In(self.path.strip_prefix(".").map(Path::to_owned).unwrap_or(self.path)))
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(path)
}

/// One dead letter, as far as people read it.
#[derive(Debug, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    pub(crate) arrived_at: String,
    pub(crate) step: Option<String>,
    pub(crate) kind: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) log: Vec<Log>,
    pub(crate) data: String,
    pub(crate) input: Option<String>,
}

/// A line that a plugin logged.
#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) message: String,
}

impl DeadLetter {
    /// The bytes as they entered the pipeline.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        decode(&self.data)
    }

    /// The bytes that the failing step was given, when they are others.
    pub(crate) fn input_bytes(&self) -> Option<Vec<u8>> {
        self.input.as_deref().map(decode)
    }
}

fn decode(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// Reads a file of dead letters, compressed or not, line by line.
pub(crate) fn read(path: &Path, take: &mut dyn FnMut(DeadLetter, &str) -> Result<(), Error>) -> Result<(), Error> {
    let told = || format!("read dead letters from {}", path.display());
    let file = BufReader::new(File::open(path).with_context(told).or_usage()?);
    let mut input = inflated(file).with_context(told).or_usage()?;
    for number in 1.. {
        let mut line = String::new();
        let read = input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
        if read.with_context(told).or_usage()? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let letter = serde_json::from_str(&line)
            .with_context(|| format!("{}: line {number} is not a dead letter", path.display()))
            .or_usage()?;
        take(letter, line.trim_end())?;
    }
    Ok(())
}
