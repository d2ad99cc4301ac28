//! The table for people, and `target/bench.json` for programs.

use super::measure::{Bar, Row, Unit};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a row comes to.
struct Outcome<'a> {
    row: &'a Row,
    median: f64,
    p10: f64,
    ratio: Option<f64>,
    met: Option<bool>,
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "\nCPU time; medians of interleaved rounds; × is the median of the rounds' ratios to the row named there\n"
    );
    println!("{:<30} {:>9} {:>9} {:<9} {:>6} {:<21} {:>6}", "", "median", "p10", "", "×", "of", "bar");
    let (mut missed, mut unanswered) = (Vec::new(), Vec::new());
    for row in rows {
        let outcome = outcome(row, rows);
        match &outcome {
            Ok(outcome) => print_row(outcome),
            Err(reason) => println!("{:<30} {reason}", row.name),
        }
        match outcome.ok().and_then(|outcome| outcome.met) {
            Some(true) => {}
            Some(false) => missed.push(row.name.as_str()),
            None if row.bar.is_some() => unanswered.push(row.name.as_str()),
            None => {}
        }
    }
    println!();
    match missed.is_empty() {
        true => println!("no row is over its bar"),
        false => println!("over their bar: {}", missed.join(", ")),
    }
    if !unanswered.is_empty() {
        println!("with a bar and no answer: {}", unanswered.join(", "));
    }
}

/// Writes `target/bench.json`.
pub(crate) fn write(rows: &[Row]) {
    let value = |row: &Row| match outcome(row, rows) {
        Ok(outcome) => value(&outcome),
        Err(reason) => json!({ "about": row.about, "unit": unit(row.unit), "missing": reason }),
    };
    let file: Map<String, Value> = rows.iter().map(|row| (row.name.clone(), value(row))).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("target/bench.json");
    let text = serde_json::to_string_pretty(&file).expect("plain numbers");
    let folder = path.parent().expect("target");
    if let Err(error) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text + "\n")) {
        eprintln!("target/bench.json could not be written: {error}");
    }
}

fn outcome<'a>(row: &'a Row, rows: &[Row]) -> Result<Outcome<'a>, String> {
    let values = row.values.as_ref().map_err(String::clone)?;
    let base = row.base.as_ref().and_then(|base| rows.iter().find(|row| row.name == *base));
    // A base that is missing leaves the row without a ratio, and its bar unanswered.
    let ratio = (base.and_then(|base| base.values.as_ref().ok()))
        .map(|base| median(values.iter().zip(base).map(|(one, base)| one / base).collect()));
    let (median, p10) = (median(values.clone()), percentile(values.clone(), 10));
    let met = match row.bar {
        Some(Bar::Ratio(bar)) => ratio.map(|ratio| ratio <= bar),
        Some(Bar::Median(bar)) => Some(median <= bar),
        None => None,
    };
    Ok(Outcome { row, median, p10, ratio, met })
}

fn print_row(outcome: &Outcome<'_>) {
    let Outcome { row, median, p10, ratio, met } = outcome;
    let number = |value: &f64| match row.unit {
        Unit::NsPerRecord | Unit::NsPerCall => format!("{value:.0}"),
        Unit::Ms | Unit::Mib if *value < 1.0 => format!("{value:.3}"),
        Unit::Ms | Unit::Mib => format!("{value:.1}"),
    };
    let share = |ratio: f64| if ratio < 0.05 { format!("{ratio:.4}") } else { format!("{ratio:.2}") };
    let shown = ratio.map_or(String::new(), share);
    let base = ratio.and(row.base.as_deref()).unwrap_or("");
    let bar = match row.bar {
        Some(Bar::Ratio(bar)) => share(bar),
        Some(Bar::Median(bar)) => format!("{bar:.0} {}", unit(row.unit)),
        None => String::new(),
    };
    let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
    println!(
        "{:<30} {:>9} {:>9} {:<9} {shown:>6} {base:<21} {bar:>6} {met:<6} {}",
        row.name,
        number(median),
        number(p10),
        unit(row.unit),
        row.about
    );
}

fn value(outcome: &Outcome<'_>) -> Value {
    let Outcome { row, median, p10, ratio, met } = outcome;
    let (bar, bar_on) = match row.bar {
        Some(Bar::Ratio(bar)) => (Some(bar), Some("ratio")),
        Some(Bar::Median(bar)) => (Some(bar), Some("median")),
        None => (None, None),
    };
    json!({
        "about": row.about,
        "unit": unit(row.unit),
        "median": median,
        "p10": p10,
        "base": row.base,
        "ratio": ratio,
        "bar": bar,
        "bar_on": bar_on,
        "met": met,
    })
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::NsPerRecord => "ns/record",
        Unit::NsPerCall => "ns/call",
        Unit::Ms => "ms",
        Unit::Mib => "MiB",
    }
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}
