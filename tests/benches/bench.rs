//! `make bench`: what the host costs beside plain native code, in one run.
//!
//! Rows take turns, so that a noisy machine touches all of them alike; a ratio is the median over the rounds of this
//! row by its base row. Times are CPU time of all threads. Every row has a process of its own, which does one turn at
//! a time: ours with the function's allocator, plain handlers (`tests/peers`) in their own profile and with the
//! allocator that people get by default. Before anything is measured, the documents that rows make are compared: rows
//! that do different work are an error. Neither criterion nor divan interleaves its benches, and ratios between rows
//! that ran minutes apart say more about the machine than about the code: hence this loop.
//!
//! Layout: `rows` (what is measured, and against what), `peers` (the processes), `ours` and `split` (what ours do),
//! `lifecycle` (swaps and cold starts), `small` (a function of 128 MB), `worst` (the dearest calls), `sizes` (of
//! binaries), `data` (the records), `agree` (the same documents everywhere), `measure` (the loop), `report` (table and
//! file).

mod agree;
mod data;
mod lifecycle;
mod measure;
mod ours;
mod peers;
mod report;
mod rows;
mod sizes;
mod small;
mod split;
mod through;
mod worst;

use std::path::PathBuf;
use std::process::ExitCode;

/// The allocator of `bootstrap`, so that our rows allocate as the function does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((serve, rest)) = arguments.split_first()
        && serve == peers::SERVE
    {
        ours::serve(rest);
        return ExitCode::SUCCESS;
    }
    // `cargo bench --package tests -- plugin`: only rows whose name has the word and what they are compared with,
    // and no file.
    let words: Vec<String> = arguments.into_iter().filter(|word| !word.starts_with('-')).collect();
    let folder = tempfile::tempdir().expect("a folder for the events");
    let mut benches = rows::all(folder.path(), &built());
    rows::keep(&mut benches, &words);
    if let Err(differences) = agree::check(&benches) {
        eprintln!("these rows do different work, so nothing was measured:\n{}", differences.join("\n"));
        return ExitCode::FAILURE;
    }
    measure::rounds(&mut benches);
    let mut rows: Vec<_> = benches.into_iter().flat_map(|bench| bench.rows).collect();
    rows.extend(lifecycle::rows(&built(), &words));
    rows.extend(small::rows(&built(), &words));
    rows.extend(worst::rows(&words));
    if words.is_empty() {
        rows.extend(sizes::rows(&built()));
        report::write(&rows);
    }
    report::print(&rows);
    ExitCode::SUCCESS
}

/// Where `make bench` puts what it builds for this program: `bench/` in the target folder that this program is in.
fn built() -> PathBuf {
    let program = std::env::current_exe().expect("this program is a file");
    program.ancestors().nth(3).expect("<target>/release/deps/bench").join("bench")
}
