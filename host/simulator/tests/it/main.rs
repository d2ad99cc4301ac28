//! The simulator against programs and sockets: the Runtime API with the misbehaving `runtime-probe`, faults with a bare
//! client.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod environment;
mod faults;
mod fleet;
mod support;
