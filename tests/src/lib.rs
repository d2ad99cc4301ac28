//! What tests and benches share: guests, an S3, stores of releases and functions that follow them. The tests are in `it/`, one
//! binary.

#![allow(missing_docs, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

pub mod guests;
pub mod moto;
pub mod place;
pub mod shop;

/// A step's config as it stands; a secret in it is its own name.
pub fn filled(step: &pipeline::settings::Step) -> pipeline::Filled {
    pipeline::fill_secrets(&step.config, &|name| Ok(name.to_owned())).expect("names of secrets are long enough")
}
