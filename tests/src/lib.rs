//! What tests and benches share: guests, an S3, stores of releases and functions that follow them, a desk with `paddle`
//! on it, and the story that `make demo-swap` tells. The tests are in `it/`, one binary.

#![allow(missing_docs, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::io::Write;

pub mod conformance;
pub mod desk;
pub mod guests;
pub mod hostile;
pub mod moto;
pub mod place;
pub mod programs;
pub mod project;
pub mod shop;
pub mod swap;

/// Says that a test is skipped for want of a tool, past the test harness, which shows only what failing tests print.
/// With `PADDLE_TESTS_COMPLETE=1` that is a failure.
pub fn skip(test: &str, tool: &str, needs: &str) {
    let told = format!("skipped {test}: there is no {tool} (make tools needs {needs})");
    assert!(std::env::var_os("PADDLE_TESTS_COMPLETE").is_none_or(|asked| asked != "1"), "{told}");
    writeln!(std::io::stderr(), "{told}").unwrap_or_default();
}

/// A step's config as it stands; a secret in it is its own name.
pub fn filled(step: &pipeline::settings::Step) -> pipeline::Filled {
    pipeline::fill_secrets(&step.config, &|name| Ok(name.to_owned())).expect("names of secrets are long enough")
}
