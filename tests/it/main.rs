//! One binary for all integration tests: it links once.
//!
//! `engine` and `permissions` run guests through the real engine; `tidy` keeps the rules of the house that a program can
//! check.

mod engine;
mod permissions;
mod support;
mod tidy;
mod wasi;
