//! One binary for all integration tests: it links once.
//!
//! `engine`, `hostile`, `javascript`, `python`, `memory`, `permissions`, `secrets` and `wasi` run guests through the
//! real engine; `languages` builds plugins in the languages that plugins are written in and runs them there,
//! `conformance` holds them to the same cases; `whole` goes all the way from a stream to documents; `releases` follows
//! a channel, `function` with the real program (`spoiled`: releases that must be refused), `emulator` that program
//! under AWS's own emulator, `death` when it dies; `authoring`, `dev` and `scripts` run `paddle` as authors do,
//! `tutorials` does what docs/ says; `publishing` runs `paddle`, `swap` tells the story of `make demo-swap`; `s3`
//! writes dead letters to a bucket; `terminal` what `paddle` prints; `tidy` keeps the rules of the house that a program
//! can check.

mod authoring;
mod conformance;
mod death;
mod dev;
mod emulator;
mod engine;
mod function;
mod hostile;
mod javascript;
mod languages;
mod memory;
mod permissions;
mod publishing;
mod python;
mod releases;
mod s3;
mod scripts;
mod secrets;
mod secrets_manager;
mod spoiled;
mod support;
mod swap;
mod terminal;
mod tidy;
mod tutorials;
mod wasi;
mod whole;
