//! What a plugin says never shows a secret, whichever way it says it, through the real engine.

use crate::support::{NOW_MS, WAYS, Way, code, engine, event};
use pipeline::settings::Pipeline;
use pipeline::{Assets, Filled, Hidden, Outcome, Report, Runner};
use std::sync::Arc;
use tests::guests::file;

/// A step of a guest that was given `secret`, wherever in its config.
fn step(way: Way, plugin: &str, config: &str, secret: &str) -> (Pipeline, Result<engine::Loaded, engine::LoadError>) {
    let toml =
        format!("[[step]]\nplugin = \"{plugin}\"\nreads = [\"mode\", \"count\"]\nwrites = []\nmay = [\"route\"]\n");
    let pipeline = Pipeline::parse(&toml).unwrap_or_else(|error| panic!("{error}"));
    let filled = Filled { json: config.to_owned(), hidden: Hidden::new([secret.to_owned()]).expect("it is short") };
    let loaded = engine(way).load(&code(way, file(plugin)), &pipeline.steps[0], &filled, &Assets::default());
    (pipeline, loaded)
}

/// All that is told of one event in a mode: why it failed, what was logged, and which fields were asked for.
fn told(way: Way, plugin: &str, mode: &str, secret: &str) -> (String, Report) {
    let (pipeline, loaded) = step(way, plugin, "{}", secret);
    let loaded = loaded.unwrap_or_else(|error| panic!("{plugin}: {error}"));
    let mut runner = Runner::new(Arc::new(pipeline), vec![loaded.plugin()], "s");
    runner.observe_fields(true);
    let outcome = runner.process(event(0, format!(r#"{{"mode":"{mode}","count":1}}"#)), NOW_MS, None);
    let why = match outcome {
        Outcome::DeadLetter(failed) | Outcome::Retry(failed) => format!("{} {:?}", failed.failure, failed.log),
        Outcome::Emit(_) | Outcome::Drop(_) | Outcome::Unsettled(_) => String::new(),
    };
    let report = runner.take_report();
    (format!("{why} {:?} {:?}", report.said, report.steps[0].fields), report)
}

#[test]
fn no_way_of_telling_a_secret_shows_it() {
    for (mode, secret, masked) in [
        ("reject", "on request", "rejected ***"),
        ("retry", "on request", "not now, ***"),
        ("error", "on request", "broken ***"),
        ("panic", "on request", "a panic ***"),
        ("path-malformed", "a..[b", "malformed path `***`"),
        ("pattern-as-path", "items[*]", "***.sku"),
        ("denied-write", "secret", "may not change `***`"),
        ("route-unknown", "such-route", "no route `no-***`"),
        ("log-flood", "of a flood", "line 0 ***"),
        ("ok", "mode", "\"***\": 1"),
    ] {
        for way in WAYS {
            let (told, _) = self::told(way, "misbehave", mode, secret);
            assert!(told.contains(masked), "{mode} is not told: {told}");
            assert!(!told.contains(secret), "{mode}: {told}");
        }
    }
}

#[test]
fn what_a_plugin_prints_shows_no_secret() {
    let (open, report) = told(Way::Component, "preview1", "print", "no such text");
    let printed = report.said.first().unwrap_or_else(|| panic!("nothing was printed: {open}")).line.message.clone();
    let (hidden, _) = told(Way::Component, "preview1", "print", &printed);
    assert!(hidden.contains("***") && !hidden.contains(&printed), "{hidden}");
}

#[test]
fn an_init_that_tells_a_secret_is_told_without_it() {
    for way in WAYS {
        let (_, loaded) = step(way, "misbehave", r#"{"init":"init-error"}"#, "on request");
        assert_eq!(loaded.err().expect("refused").to_string(), "its `init` refused the config: config: init fails ***");
        let (_, loaded) = step(way, "misbehave", r#"{"hash_key":"of the key"}"#, "hash_key");
        let told = loaded.err().expect("refused").to_string();
        assert!(told.contains("***") && !told.contains("hash_key"), "{told}");
    }
}

/// Functions are named by whoever built the component, and the trace of a trap names them.
#[test]
fn the_trace_of_a_trap_shows_no_secret() {
    for way in WAYS {
        let (open, _) = told(way, "misbehave", "trap", "no such text");
        let (hidden, _) = told(way, "misbehave", "trap", "transform");
        assert!(open.contains("\n  at ") && open.contains("transform"), "{open}");
        assert!(hidden.contains("***") && !hidden.contains("transform"), "{hidden}");
    }
}
