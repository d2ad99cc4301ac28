//! The table: printed, in `target/languages.json`, and between the marks in `docs/languages.md`.

use super::NATIVE;
use super::figures::Figures;
use super::measure::{Bar, Row};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::ExitCode;
use tests::project::root;
use toolchain::Language;

/// Between these the page is written by this program.
const MARKS: [&str; 2] = ["<!-- make languages -->\n", "<!-- end of make languages -->"];

type Told = (Language, Result<Figures, String>);

/// Writes all of it. A failure when a language fails a case or misses its bar.
pub(crate) fn write(rows: &[Row], figures: &[Told]) -> ExitCode {
    let table = table(rows, figures);
    println!("\n{table}");
    let complete = figures.iter().all(|(_, figures)| figures.is_ok());
    save(&root().join("target/languages.json"), &(file(rows, figures) + "\n"));
    if complete {
        let page = root().join("docs/languages.md");
        let text = std::fs::read_to_string(&page).expect("the page is there");
        let (before, rest) = text.split_once(MARKS[0]).expect("the page has the first mark");
        let (_, after) = rest.split_once(MARKS[1]).expect("the page has the second mark");
        save(&page, &format!("{before}{}\n{table}\n{}{after}", MARKS[0], MARKS[1]));
    } else {
        eprintln!("docs/languages.md stays as it is: not all languages could be measured here");
    }
    let failed = |(_, figures): &Told| figures.as_ref().is_ok_and(|figures| !figures.failed.is_empty());
    if figures.iter().any(failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn save(path: &Path, text: &str) {
    let folder = path.parent().expect("a file is in a folder");
    if let Err(error) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text)) {
        eprintln!("{} could not be written: {error}", path.display());
    }
}

fn row<'r>(rows: &'r [Row], name: &str) -> Option<(&'r Row, &'r [f64])> {
    let row = rows.iter().find(|row| row.name == name)?;
    Some((row, row.values.as_deref().ok()?))
}

/// Nanoseconds of an event, and the ratio to the native row in the same rounds.
fn time(rows: &[Row], name: &str) -> Option<(f64, Option<f64>)> {
    let (_, values) = row(rows, name)?;
    let ratio = row(rows, NATIVE).map(|(_, native)| median(values.iter().zip(native).map(|(one, base)| one / base)));
    Some((median(values.iter().copied()), ratio))
}

fn bar(rows: &[Row], name: &str) -> Option<f64> {
    match row(rows, name)?.0.bar? {
        Bar::Ratio(bar) => Some(bar),
        Bar::Median(_) => None,
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn table(rows: &[Row], figures: &[Told]) -> String {
    let mut lines: Vec<String> = vec![
        "| | component | compile | load | start | an event | × native | bar | memory | cases |".to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    if let Some((native, _)) = time(rows, NATIVE) {
        lines.push(format!("| native `serde_json` tree | | | | | {:.2} µs | 1.00 | | | |", native / 1e3));
    }
    lines.extend(figures.iter().map(|(language, figures)| match figures {
        Ok(figures) => line(rows, *language, figures),
        Err(missing) => format!("| {} | {missing} | | | | | | | | |", language.name()),
    }));
    lines.join("\n") + "\n" + &notes(figures)
}

fn line(rows: &[Row], language: Language, figures: &Figures) -> String {
    let (event, ratio) = time(rows, language.id()).unwrap_or((f64::NAN, None));
    let bar = bar(rows, language.id());
    let met = match (ratio, bar) {
        (Some(ratio), Some(bar)) if ratio <= bar => format!("{bar:.1}"),
        (_, Some(bar)) => format!("{bar:.1}, missed"),
        (_, None) => String::new(),
    };
    let script = figures.script_bytes.map_or(String::new(), |bytes| format!(" + {}", size(bytes)));
    format!(
        "| {} | {}{script} | {} | {} | {} | {:.2} µs | {} | {met} | {} | {} of {} |",
        language.name(),
        size(figures.component_bytes),
        duration(figures.compile),
        duration(figures.load),
        duration(figures.start),
        event / 1e3,
        ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
        size(usize::try_from(figures.memory_bytes).expect("an instance fits this machine")),
        figures.passed,
        figures.cases,
    )
}

/// What is not offered, and what differs.
fn notes(figures: &[Told]) -> String {
    let mut notes = String::new();
    for (language, figures) in figures {
        let Ok(figures) = figures else { continue };
        let listed = |title: &str, cases: &[(String, String)]| match cases {
            [] => String::new(),
            cases => {
                let lines: Vec<_> = cases.iter().map(|(case, why)| format!("`{case}` ({why})")).collect();
                format!("\n- {} {title}: {}.", language.name(), lines.join("; "))
            }
        };
        notes += &listed("does not offer", &figures.lacks);
        notes += &listed("passes in its own way", &figures.differs);
        let failed: Vec<_> = figures.failed.iter().map(|case| (case.clone(), "see the run".to_owned())).collect();
        notes += &listed("fails", &failed);
    }
    notes
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn duration(time: std::time::Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        ms if ms < 1.0 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}

fn file(rows: &[Row], figures: &[Told]) -> String {
    let mut file = Map::new();
    if let Some((native, _)) = time(rows, NATIVE) {
        file.insert(NATIVE.to_owned(), json!({ "event_ns": native }));
    }
    for (language, figures) in figures {
        let value = match figures {
            Ok(figures) => value(rows, *language, figures),
            Err(missing) => json!({ "missing": missing }),
        };
        file.insert(language.id().to_owned(), value);
    }
    serde_json::to_string_pretty(&Value::Object(file)).expect("plain numbers")
}

fn value(rows: &[Row], language: Language, figures: &Figures) -> Value {
    let (event, ratio) = time(rows, language.id()).unwrap_or((f64::NAN, None));
    let pairs = |pairs: &[(String, String)]| -> Map<String, Value> {
        pairs.iter().map(|(case, why)| (case.clone(), json!(why))).collect()
    };
    json!({
        "component_bytes": figures.component_bytes,
        "script_bytes": figures.script_bytes,
        "compile_ms": figures.compile.as_secs_f64() * 1e3,
        "load_ms": figures.load.as_secs_f64() * 1e3,
        "start_us": figures.start.as_secs_f64() * 1e6,
        "event_ns": event,
        "times_native": ratio,
        "bar": bar(rows, language.id()),
        "memory_bytes": figures.memory_bytes,
        "cases": figures.cases,
        "passed": figures.passed,
        "failed": figures.failed,
        "not_offered": pairs(&figures.lacks),
        "in_its_own_way": pairs(&figures.differs),
    })
}
