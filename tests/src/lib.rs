//! What tests and benches share: guests, an S3, stores of releases and functions that follow them, a desk with `paddle` on it, and
//! the story that `make demo-swap` tells. The tests are in `it/`, one binary.

#![allow(missing_docs, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

pub mod desk;
pub mod guests;
pub mod moto;
pub mod place;
pub mod programs;
pub mod shop;
pub mod swap;
