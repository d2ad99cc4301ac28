//! The built `paddle`, as a person uses it: releases made, shown, moved and watched. With a home of its own, so that
//! nothing of this machine's is seen.
//!
//! `gates` (what changes, and what is refused), `channels` (moves, history, keys), `hosts` (a real host that follows),
//! `bucket` (the same over S3, and what is told when it cannot be reached), `function` (a live function, by recorded
//! answers), `package` (a zip, a template, and the commands that deploy them), `projects` (tests, builds and dead
//! letters).

mod bucket;
mod channels;
mod function;
mod gates;
mod hosts;
mod package;
mod projects;

use tests::desk::Desk;
