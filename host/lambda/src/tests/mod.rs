//! The handler among fakes: what it promises for any mix of outcomes and answers.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

pub(crate) mod fakes;
mod handler;
mod promises;
mod speed;
mod window;
