//! `paddle completions`: what a shell needs to complete commands.

use crate::Context;
use crate::arguments::Cli;
use crate::error::{Error, Status};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a shell's completions
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  paddle completions bash > ~/.local/share/bash-completion/completions/paddle")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "paddle", &mut text);
        context.ui.data(&text)?;
        Ok(Status::Done)
    }
}
