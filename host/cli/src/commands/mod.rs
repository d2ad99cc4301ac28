//! One file a command.

pub(crate) mod add;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod dead_letters;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod gc;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod new;
pub(crate) mod package;
pub(crate) mod plugins;
pub(crate) mod promote;
pub(crate) mod publish;
pub(crate) mod releases;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod test;
