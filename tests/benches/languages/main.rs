//! `make languages`: what each language costs and what it passes, in one run. Prints a table, writes
//! `target/languages.json`, and puts the table into `docs/languages.md`.
//!
//! The time of an event is measured as in `make bench`: rows take turns, each in a process of its own, CPU time of all
//! threads, against plain `serde_json` in the same rounds. Before anything is measured, all rows must make the same
//! documents. The other figures are CPU time of this process, medians: compiling is done on all threads.
//!
//! Layout: `ready_made` (the job in each language, in a process), `figures` (size, loading, memory, cases), `page`
//! (table and files); the rest is that of the bench.

#[path = "../agree.rs"]
mod agree;
#[path = "../data.rs"]
mod data;
mod figures;
#[path = "../measure.rs"]
#[allow(dead_code, reason = "the bench measures more kinds of rows")]
mod measure;
mod page;
#[path = "../peers.rs"]
#[allow(dead_code, reason = "the bench has more peers")]
mod peers;
mod ready_made;
#[path = "../through.rs"]
mod through;

use figures::Figures;
use measure::{Bar, Bench, Row};
use peers::{Peer, Program};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tests::conformance::{LANGUAGES, build};
use toolchain::Language;

/// The allocator of `bootstrap`, as in the bench.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of one turn.
const RECORDS: usize = 1_000;

/// The row that all are compared with.
const NATIVE: &str = "native";

/// What an event may cost at most, as a multiple of a native `serde_json` tree.
fn bar(language: Language) -> f64 {
    match language {
        Language::Rust | Language::C => 0.6,
        Language::JavaScript | Language::TypeScript => 1.0,
        Language::Go => 2.3,
        Language::Python => 5.5,
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((serve, rest)) = arguments.split_first()
        && serve == peers::SERVE
    {
        ready_made::serve(rest);
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a folder for events and artifacts");
    std::fs::write(folder.path().join("s419.json"), data::event(RECORDS, None)).expect("a folder of our own");
    let mut figures = Vec::new();
    let mut benches = vec![native(folder.path())];
    for language in LANGUAGES {
        eprintln!("{}: building, loading, cases", language.name());
        match (build("mask", language), build("guests", language)) {
            (Ok(mask), Ok(interpreter)) => {
                ready_made::put(language, &mask, folder.path());
                figures.push((language, Ok(Figures::of(&mask, &interpreter))));
                benches.push(measured(language, folder.path()));
            }
            (Err((tool, needs)), _) | (_, Err((tool, needs))) => {
                figures.push((language, Err(format!("there is no {tool} (make tools needs {needs})"))));
            }
        }
    }
    if let Err(differences) = agree::check(&benches) {
        eprintln!("these rows do different work, so nothing was measured:\n{}", differences.join("\n"));
        return ExitCode::FAILURE;
    }
    measure::rounds(&mut benches);
    let rows: Vec<Row> = benches.into_iter().flat_map(|bench| bench.rows).collect();
    page::write(&rows, &figures)
}

/// The transform as people write it with `serde_json`, as `make bench` has it.
fn native(folder: &Path) -> Bench {
    let work = Program::steps(&built()).and_then(|program| Peer::start(program, folder, "t419"));
    Bench { rows: vec![Row::new(NATIVE, "plain serde_json", RECORDS)], same_as: Some(NATIVE.to_owned()), work }
}

fn measured(language: Language, folder: &Path) -> Bench {
    let row = Row {
        base: Some(NATIVE.to_owned()),
        bar: Some(Bar::Ratio(bar(language))),
        ..Row::new(language.id(), "drop DEBUG, mask two, add one", RECORDS)
    };
    let work = Program::ours(language.id()).and_then(|program| Peer::start(program, folder, "r419"));
    Bench { rows: vec![row], same_as: Some(NATIVE.to_owned()), work }
}

/// Where `make languages` puts the native program: `bench/` in the target folder that this program is in.
fn built() -> PathBuf {
    let program = std::env::current_exe().expect("this program is a file");
    program.ancestors().nth(3).expect("<target>/<profile>/deps/languages").join("bench")
}
