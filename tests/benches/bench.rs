//! `make bench`: what the host costs beside plain native code, in one run.
//!
//! Rows take turns, so that a noisy machine touches all of them alike; a ratio is the median over the rounds of this row by
//! its base row. Times are CPU time of the one thread that works. Neither criterion nor divan interleaves its benches, and
//! ratios between rows that ran minutes apart say more about the machine than about the code: hence this loop.

mod data;
mod native;
mod rows;

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Rounds that count, and rounds before them that warm up caches and branch predictors.
const ROUNDS: usize = 41;
const WARM_UP: usize = 5;

/// One thing to measure: `run` does its work once over all records.
pub struct Row {
    /// What it is called in the table and in `target/bench.json`.
    pub name: &'static str,
    /// The row it is compared with.
    pub base: Option<&'static str>,
    /// Units of work of one run: records, or calls.
    pub units: usize,
    /// The ratio to the base that the row must keep under, if there is one.
    pub bar: Option<f64>,
    /// Does the work; returns something that depends on all of it.
    pub run: Box<dyn FnMut() -> usize>,
}

fn main() {
    // `cargo bench --package tests -- plugin`: only rows whose name has the word, and their bases.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut rows = rows::all();
    let wanted = |row: &Row| words.is_empty() || words.iter().any(|word| row.name.contains(word.as_str()));
    let bases: Vec<_> = rows.iter().filter(|row| wanted(row)).filter_map(|row| row.base).collect();
    rows.retain(|row| wanted(row) || bases.contains(&row.name));
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for round in 0..ROUNDS + WARM_UP {
        for at in 0..rows.len() {
            let at = (at + round) % rows.len();
            let row = &mut rows[at];
            let before = cpu();
            std::hint::black_box((row.run)());
            let time = (cpu() - before).as_secs_f64() / row.units as f64;
            if round >= WARM_UP {
                times[at].push(time * 1e9);
            }
        }
    }
    report(&rows, &times);
}

fn report(rows: &[Row], times: &[Vec<f64>]) {
    let mut results = serde_json::Map::new();
    println!("{:<28} {:>10} {:>10} {:>8} {:>6}", "", "ns median", "ns p10", "ratio", "bar");
    let mut missed = Vec::new();
    for (row, measured) in rows.iter().zip(times) {
        let base = row.base.map(|base| rows.iter().position(|row| row.name == base).expect("a base is a row"));
        let ratio = base.map(|base| median(measured.iter().zip(&times[base]).map(|(a, b)| a / b).collect()));
        let (middle, low) = (median(measured.clone()), percentile(measured.clone(), 10));
        let shown = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        println!("{:<28} {middle:>10.0} {low:>10.0} {:>8} {:>6}", row.name, shown(ratio), shown(row.bar));
        results.insert(
            row.name.to_owned(),
            serde_json::json!({"ns": middle, "ns_p10": low, "ratio": ratio, "bar": row.bar}),
        );
        if let (Some(ratio), Some(bar)) = (ratio, row.bar)
            && ratio > bar
        {
            missed.push(row.name);
        }
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    let text = serde_json::to_string_pretty(&results).expect("plain numbers");
    if let Err(error) =
        std::fs::create_dir_all(file.parent().expect("target")).and_then(|()| std::fs::write(&file, text))
    {
        println!("could not write target/bench.json: {error}");
    }
    match missed.is_empty() {
        true => println!("every row is under its bar"),
        false => println!("over their bar: {}", missed.join(", ")),
    }
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
