//! What may be typed. Each command's own arguments stand in its file.

use crate::Context;
use crate::commands;
use crate::error::{Error, Status};
use crate::terminal::Format;
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  paddle new clickstream                   a project that runs at once
  paddle add enrich --language go          another step, with a test that passes
  paddle run -i events.ndjson              this folder's pipeline: records in, documents out
  paddle plugins                           the ready-made plugins
  paddle run -i events.ndjson --changes    what each step did to each event
  paddle test                              the cases in tests/
  paddle dev --once --web-events 10000     the whole system on this machine
  paddle publish --to live --wait          a release of it, onto every running host
  paddle status                            which host runs what; and if it is bad: paddle rollback

PIPELINE is a paddle.toml, its folder, or one plugin (a ready-made name, a .wasm, a .js
or .py, a plugin's folder). Without it, the current folder. RELEASE is the start of a
release's id, or a channel that holds it.

Exit codes: 0 done; 1 done, and something failed (a test, a host that refused, a setting
that loses data); 2 usage or configuration; 3 a plugin cannot be built or loaded; 4 a
store, AWS or the network; 5 refused, nothing was changed (a gate, a lost race, a key);
6 timed out waiting; 101 internal error (please report it); 130 interrupted.";

/// Runs your record transforms between Kinesis and Firehose: here, with the very code of the Lambda.
#[derive(Debug, Parser)]
#[command(name = "paddle", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// How reports are written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(commands::new::New),
    Add(commands::add::Add),
    Run(commands::run::Run),
    Test(commands::test::Test),
    Dev(commands::dev::Dev),
    Check(commands::check::Check),
    Build(commands::build::Build),
    Doctor(commands::doctor::Doctor),
    Inspect(commands::inspect::Inspect),
    Plugins(commands::plugins::Plugins),
    Package(commands::package::Package),
    Keygen(commands::keygen::Keygen),
    Publish(commands::publish::Publish),
    Releases(commands::releases::Releases),
    Diff(commands::diff::Diff),
    Promote(commands::promote::Promote),
    Rollback(commands::promote::Rollback),
    Status(commands::status::Status),
    Gc(commands::gc::Gc),
    #[command(subcommand)]
    DeadLetters(commands::dead_letters::DeadLetters),
    Completions(commands::completions::Completions),
}

impl Command {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        match self {
            Command::New(command) => command.exec(context),
            Command::Add(command) => command.exec(context),
            Command::Run(command) => command.exec(context),
            Command::Test(command) => command.exec(context),
            Command::Dev(command) => command.exec(context),
            Command::Check(command) => command.exec(context),
            Command::Build(command) => command.exec(context),
            Command::Doctor(command) => command.exec(context),
            Command::Inspect(command) => command.exec(context),
            Command::Plugins(command) => command.exec(context),
            Command::Package(command) => command.exec(context),
            Command::Keygen(command) => command.exec(context),
            Command::Publish(command) => command.exec(context),
            Command::Releases(command) => command.exec(context),
            Command::Diff(command) => command.exec(context),
            Command::Promote(command) => command.exec(context),
            Command::Rollback(command) => command.exec(context),
            Command::Status(command) => command.exec(context),
            Command::Gc(command) => command.exec(context),
            Command::DeadLetters(command) => command.exec(context),
            Command::Completions(command) => command.exec(context),
        }
    }
}
