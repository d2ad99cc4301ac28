//! One case in one language: carried out and compared.

use super::guest::ROUTES;
use super::{Case, Expected, Guest, Outcome};
use bytes::Bytes;
use bytestring::ByteString;
use engine::{Code, Engine};
use pipeline::{Event, Level, Runner};
use std::fmt::Write as _;

/// What the machine's clock says, and when events arrived.
pub const NOW_MS: u64 = 1_795_341_600_000;

/// Carries a case out. Nothing when all came as it must; else what differs, an event a paragraph.
pub fn run(case: &Case, guest: &Guest, engine: &Engine, code: &Code) -> Result<(), String> {
    let but = case.but(guest.language);
    let program = serde_json::to_string(&case.program).expect("a text");
    // JSON's escapes are TOML's, but for those of characters beyond the 16-bit ones, which serde_json does not write.
    let step = format!("config = {{ program = {program} }}\n{}", case.step);
    if case.chance {
        return chance(guest, engine, code, &step);
    }
    let refused = but.and_then(|but| but.refused.as_ref()).or(case.refused.as_ref());
    let mut runner = match (guest.start(engine, code, &step), refused) {
        (Ok(runner), None) => runner,
        (Ok(_), Some(expected)) => return Err(format!("expected: refused: {expected}\ngot: it starts")),
        (Err(got), Some(expected)) if agrees(&got, expected) => return Ok(()),
        (Err(got), expected) => return Err(format!("expected: refused: {expected:?}\ngot: {got}")),
    };
    let mut wrong = String::new();
    let mut seen = 0;
    for (k, expected) in case.event.iter().enumerate() {
        let outcome = but.and_then(|but| but.event.get(&k.to_string())).unwrap_or(&expected.outcome);
        for _ in 0..expected.times.unwrap_or(1) {
            seen += 1;
            let input = input(expected);
            let wanted = wanted(outcome, &input, seen);
            let got = carry_out(&mut runner, k, input.into());
            if !same(&got, &wanted) {
                write!(wrong, "event {k}:\n  expected: {}\n  got:      {}\n", shown(&wanted), shown(&got))
                    .expect("writing to a string succeeds");
                break;
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Two events in one order and in the other: what each of them meets must not depend on what came before.
fn chance(guest: &Guest, engine: &Engine, code: &Code, step: &str) -> Result<(), String> {
    let numbers = |order: [usize; 2]| -> Result<Vec<String>, String> {
        let mut runner = guest.start(engine, code, step)?;
        Ok(order.iter().map(|k| shown(&carry_out(&mut runner, *k, "{}".into()))).collect())
    };
    let (first, second) = (numbers([0, 1])?, numbers([1, 0])?);
    let same = first[0] == second[1] && first[1] == second[0];
    match same && first[0] != first[1] {
        true => Ok(()),
        false => Err(format!("in one order: {first:?}\nin the other: {second:?}\n")),
    }
}

/// The bytes of an event.
fn input(expected: &Expected) -> Vec<u8> {
    let made = |make: &str| {
        let (what, count) = make.split_once(' ').expect("what to make, and how much of it");
        let count: usize = count.parse().expect("a number");
        match what {
            "deep" => format!("{{\"a\":{}1{}}}", "[".repeat(count), "]".repeat(count)),
            "long" => format!("{{\"a\":\"{}\"}}", "ö".repeat(count / 2)),
            "wide" => format!("{{\"a\":[{}]}}", vec!["1"; count].join(",")),
            other => panic!("nobody knows how to make something {other}"),
        }
    };
    match (&expected.text, &expected.base64, &expected.make) {
        (Some(text), None, None) => text.clone().into_bytes(),
        (None, Some(base64), None) => base64_simd::STANDARD.decode_to_vec(base64).expect("base64"),
        (None, None, Some(make)) => made(make).into_bytes(),
        _ => panic!("an event has one of text, base64, make"),
    }
}

/// What must come, its placeholders filled in.
fn wanted(outcome: &Outcome, input: &[u8], seen: usize) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let escaped = serde_json::to_string(&text).expect("a text");
    let escaped = &escaped[1..escaped.len() - 1];
    let fill = |out: &String| out.replace("$event", &text).replace("$json", escaped).replace("$n", &seen.to_string());
    Outcome { out: outcome.out.iter().map(fill).collect(), ..outcome.clone() }
}

/// The `k`-th event of a case, with these bytes.
pub(super) fn event(k: usize, data: Bytes) -> Event {
    let id = ByteString::from(format!("shardId-000000000000:{}", 1_000 + k));
    Event::new(id, ByteString::from(format!("key-{k}")), NOW_MS, data)
}

fn carry_out(runner: &mut Runner, k: usize, data: Bytes) -> Outcome {
    use pipeline::Outcome as Came;
    runner.begin_batch("clicks");
    let came = runner.process(event(k, data), NOW_MS, None);
    let said = runner.take_report().said;
    let mut lines: Vec<String> =
        said.iter().map(|said| format!("{} {}", level(said.line.level), said.line.message)).collect();
    let mut outcome = Outcome::default();
    match came {
        Came::Emit(documents) => {
            for document in documents {
                let text = without_id(&document.bytes);
                outcome.out.push(match document.route {
                    0 => text,
                    route => format!("{}: {text}", ROUTES[usize::from(route)]),
                });
            }
        }
        Came::Drop(_) => {}
        Came::DeadLetter(failed) => {
            outcome.fails = Some(format!("{}: {}", failed.failure.kind, failed.failure.message()));
            if lines.is_empty() {
                lines = failed.log.iter().map(|line| format!("{} {}", level(line.level), line.message)).collect();
            }
        }
        Came::Retry(failed) => outcome.fails = Some(format!("retry: {}", failed.failure.message())),
        Came::Unsettled(why) => outcome.fails = Some(format!("unsettled: {why}")),
    }
    outcome.log = Some(lines);
    outcome
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// A document as it is spelled, without the id that the host puts at its end.
fn without_id(document: &[u8]) -> String {
    let document = String::from_utf8_lossy(document);
    let end = document.rfind("\"paddle_id\"").expect("the host gives each document an id");
    format!("{}}}", document[..end].trim_end_matches(','))
}

fn same(got: &Outcome, wanted: &Outcome) -> bool {
    let fails = match (&got.fails, &wanted.fails) {
        (Some(got), Some(wanted)) => agrees(got, wanted),
        (got, wanted) => got == wanted,
    };
    let log = wanted.log.as_ref().is_none_or(|wanted| {
        let got = got.log.as_deref().unwrap_or_default();
        got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| agrees(got, wanted))
    });
    fails && log && got.out == wanted.out
}

/// Whether a message is the expected one, or begins as one that ends with `…`.
fn agrees(got: &str, expected: &str) -> bool {
    match expected.strip_suffix('…') {
        Some(beginning) => got.starts_with(beginning),
        None => got == expected,
    }
}

/// An outcome for people: long texts are cut.
fn shown(outcome: &Outcome) -> String {
    let text = match &outcome.fails {
        Some(fails) => fails.clone(),
        None if outcome.out.is_empty() => "dropped".to_owned(),
        None => outcome.out.join("\n            "),
    };
    let log = outcome.log.iter().flatten().map(|line| format!("\n            log: {line}")).collect::<String>();
    let text: String = text + &log;
    match text.char_indices().nth(1_500) {
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
