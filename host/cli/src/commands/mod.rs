//! One file a command.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod dead_letters;
pub(crate) mod dev;
pub(crate) mod inspect;
pub(crate) mod package;
pub(crate) mod plugins;
pub(crate) mod run;
pub(crate) mod test;
