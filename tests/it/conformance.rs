//! The conformance suite in each language: cases in `tests/conformance/cases`, carried out by the interpreters beside
//! them.

use crate::support::{WAYS, Way, engine, event, settle};
use tests::conformance::{Case, Guest, NOW_MS, build, cases, plain_rust, run};
use toolchain::Language;

/// Holds the interpreter of a language to the cases; if it cannot be built here, the test says that it is skipped.
fn conforms(language: Language) {
    match build("guests", language) {
        Ok(guest) => passes(&guest),
        Err((tool, needs)) => tests::skip(&format!("conformance of {}", language.name()), &tool, needs),
    }
}

/// Carries all cases out, both ways where the component runs flat, and tells all that differ at once.
fn passes(guest: &Guest) {
    let language = guest.language;
    let mut wrong = String::new();
    for way in WAYS {
        let code = engine(way).compile(&guest.wasm).expect("it is a plugin");
        if way == Way::Flat && !code.is_flat() {
            continue;
        }
        for case in cases().iter().filter(|case| case.lacking(guest).is_none()) {
            if let Err(told) = run(case, guest, engine(way), &code) {
                wrong += &format!("{}, {way:?}: {} ({})\n{told}\n", language.name(), case.name, case.about);
            }
        }
        grows_nothing(guest, way, &code);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// 100,000 events in one instance: it is not replaced, and its memory stays as it was after the first 10,000.
fn grows_nothing(guest: &Guest, way: Way, code: &engine::Code) {
    const EVENTS: [usize; 2] = [10_000, 90_000];
    let program =
        "get tags copied\\nexpand tags[*] paths\\nreplace email masked ***\\ntry n.x why\\nforget 1\\ncount seen";
    let step = format!("config = {{ program = \"{program}\" }}");
    let mut runner = guest.start(engine(way), code, &step).unwrap_or_else(|error| panic!("{error}"));
    let mut memory = [0; 2];
    let mut seen = 0;
    for (turn, events) in EVENTS.into_iter().enumerate() {
        runner.begin_batch(crate::support::STREAM);
        for k in 0..events {
            let settled = settle(&mut runner, event(k, r#"{"n":1,"tags":["a","b"],"email":"a@example.com"}"#));
            seen += 1;
            let expected = format!("\"seen\":{seen}}}");
            assert!(settled.ends_with(&expected), "{}: the instance was replaced: {settled}", guest.language.name());
        }
        memory[turn] = runner.take_report().steps[0].memory_bytes_max;
    }
    println!("{}, {way:?}: {} KiB, then {} KiB", guest.language.name(), memory[0] >> 10, memory[1] >> 10);
    assert!(
        memory[1] <= memory[0] + GROWTH_BYTES_MAX,
        "{}: {} bytes after 10,000 events, {} after 100,000",
        guest.language.name(),
        memory[0],
        memory[1]
    );
}

/// What 90,000 more events may add: a page, which is less than a byte an event.
const GROWTH_BYTES_MAX: u64 = 64 << 10;

#[test]
fn rust_conforms() {
    if tests::guests::has_preview1("conformance of Rust with a system") {
        conforms(Language::Rust);
    }
}

#[test]
fn rust_without_a_system_conforms() {
    passes(&plain_rust());
}

#[test]
fn c_conforms() {
    conforms(Language::C);
}

#[test]
fn go_conforms() {
    conforms(Language::Go);
}

#[test]
fn javascript_conforms() {
    conforms(Language::JavaScript);
}

#[test]
fn typescript_conforms() {
    conforms(Language::TypeScript);
}

#[test]
fn python_conforms() {
    conforms(Language::Python);
}

#[test]
fn the_cases_are_forty_or_more_and_no_language_lacks_one_without_a_reason() {
    let all = cases();
    assert!(all.len() >= 40, "{} cases", all.len());
    let known: Vec<&str> = Language::ALL.iter().map(|language| language.id()).chain(["systemless"]).collect();
    for Case { name, about, lacks, but, .. } in &all {
        assert!(!about.is_empty(), "{name}");
        for (language, why) in lacks.iter().chain(but.iter().map(|(language, but)| (language, &but.why))) {
            assert!(known.contains(&language.as_str()) && !why.is_empty(), "{name}: {language}");
        }
    }
    assert_eq!(NOW_MS, crate::support::NOW_MS, "the suite's clock is that of the engines");
}
