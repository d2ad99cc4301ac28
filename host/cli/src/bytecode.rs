//! Bytecode of the packages that a plugin in Python imports when it starts: made once, where it is built, so that no
//! instance compiles them again.
//!
//! It is made by the interpreter that will read it. A script of ours imports the author's, in a pipeline of one step,
//! and answers with what that has imported. What is imported later, or not at all here, is compiled where it is
//! imported.
//!
//! A release ships bytecode in place of sources that people have read, so an archive in the project's folder, which may
//! have been committed or come out of a CI's cache, is not believed by what stands beside it. It is used again only
//! with a mark that is made of its own bytes, of all that went into it, and of this user's seal (`compiled::seal`).
//! Otherwise it is made again.

use crate::Context;
use crate::compiled;
use crate::error::{Error, Trouble as _};
use anyhow::{Context as _, Result};
use base64_simd::STANDARD;
use bytes::Bytes;
use engine::{Clock, Engine};
use pipeline::{Asset, Assets, Event, Outcome, Pipeline, Runner};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use toolchain::{MAIN, PACKAGES};
use zip::{ZipArchive, ZipWriter};

/// Imports the author's script and answers with bytecode.
const COMPILER: &str = include_str!("bytecode.py");

/// What the author's script is called there.
const AUTHORS: &str = "paddlewheel_main.py";

/// A package may be more than a plugin may otherwise do in one event.
const PIPELINE: &str =
    "[[step]]\nplugin = \"python\"\nlimits = { time_ms = 10_000, memory_mib = 1_024, output_bytes = 16_777_216 }\n";

/// What the compiler answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    file: String,
    #[serde(default)]
    bytecode: String,
}

/// The files of a script, its packages with bytecode; as they are when it has none. `wasm`: its runtime.
pub(crate) fn add(
    mut files: BTreeMap<String, PathBuf>,
    wasm: &Bytes,
    name: &str,
    context: &mut Context,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let Some(packages) = files.get(PACKAGES).cloned() else { return Ok(files) };
    let told = || format!("compile the packages of {name}");
    let (with, marker) = (packages.with_extension("bytecode.zip"), packages.with_extension("bytecode.inputs"));
    let parts = read(&files).with_context(told).or_outside()?;
    let (inputs, seal) = (inputs(&parts, wasm), compiled::seal());
    let mark = |archive: &[u8]| Some(toolchain::mark(seal.as_deref()?, &inputs, archive));
    let known = fs::read(&with).ok().and_then(|archive| mark(&archive));
    if known.is_none() || fs::read_to_string(&marker).ok() != known {
        let archive = parts[PACKAGES].bytes.clone();
        let made = make(parts, wasm, name, context).with_context(told).or_plugin()?;
        let archive = extended(&archive, made).with_context(told).or_outside()?;
        toolchain::write_if_changed(&with, &archive).or_outside()?;
        if let Some(mark) = mark(&archive) {
            toolchain::write_if_changed(&marker, mark.as_bytes()).or_outside()?;
        }
    }
    files.insert(PACKAGES.to_owned(), with);
    Ok(files)
}

fn read(files: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, Asset>> {
    let asset = |(name, file): (&String, &PathBuf)| {
        let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let name = if name == MAIN { AUTHORS } else { name };
        Ok((name.to_owned(), Asset { source: name.to_owned(), bytes: bytes.into() }))
    };
    files.iter().map(asset).collect()
}

/// All that decides what is made, as a digest.
fn inputs(parts: &BTreeMap<String, Asset>, wasm: &Bytes) -> String {
    let digest = |bytes: &[u8]| registry::Digest::of(bytes).to_string();
    let files = parts.iter().map(|(name, asset)| format!("{} {name}\n", digest(&asset.bytes)));
    let all = [digest(wasm), digest(COMPILER.as_bytes())].into_iter().chain(files);
    digest(all.collect::<String>().as_bytes())
}

/// Bytecode by its place in the archive. Nothing where the script cannot be imported: starting the plugin says why.
fn make(
    mut parts: BTreeMap<String, Asset>,
    wasm: &Bytes,
    name: &str,
    context: &mut Context,
) -> Result<BTreeMap<String, Vec<u8>>> {
    parts.insert(MAIN.to_owned(), Asset { source: "bytecode.py".to_owned(), bytes: COMPILER.into() });
    let pipeline = Pipeline::parse(PIPELINE)?;
    // The same time and the same random numbers whenever it is made.
    let engine = Engine::new(&engine::Settings { clock: Clock::Fixed(0), instances: 2, ..Default::default() })?;
    let code = compiled::code(&engine, wasm, name, context)?;
    let filled = pipeline::fill_secrets(&pipeline.steps[0].config, &|_| Ok(String::new()))?;
    let Ok(loaded) = engine.load(&code, &pipeline.steps[0], &filled, &Assets::new(parts)?) else {
        return Ok(BTreeMap::new());
    };
    let mut runner = Runner::new(Arc::new(pipeline), vec![loaded.plugin()], "");
    let mut ask = |question: serde_json::Value| -> Result<Option<Answer>> {
        let event = Event::new("bytecode".into(), "".into(), 0, question.to_string().into());
        match runner.process(event, 0, None) {
            Outcome::Emit(documents) => Ok(Some(serde_json::from_slice(&documents[0].bytes)?)),
            // A module that is too much for one event stays as it is.
            _ => Ok(None),
        }
    };
    let mut made = BTreeMap::new();
    for module in ask(json!({}))?.map(|answer| answer.modules).unwrap_or_default() {
        if let Some(answer) = ask(json!({ "module": module }))? {
            made.insert(answer.file, STANDARD.decode_to_vec(answer.bytecode)?);
        }
    }
    Ok(made)
}

/// The archive with these files in it too.
fn extended(archive: &[u8], files: BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut extended = ZipWriter::new(Cursor::new(&mut bytes));
    let mut packed = ZipArchive::new(Cursor::new(archive))?;
    for at in 0..packed.len() {
        extended.raw_copy_file(packed.by_index_raw(at)?)?;
    }
    for (name, bytes) in files {
        extended.start_file(name, toolchain::zip_options(0o644))?;
        extended.write_all(&bytes)?;
    }
    extended.finish()?;
    Ok(bytes)
}
