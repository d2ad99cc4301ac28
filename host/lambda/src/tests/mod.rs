//! The handler among fakes: what it promises for any mix of outcomes and answers.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;
pub(crate) mod fakes;
mod faults;
mod handler;
mod oracle;
mod promises;
mod shapes;
mod speed;
mod window;
