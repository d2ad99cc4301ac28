//! `paddle`, the author's and operator's tool. Thin: it reads arguments, files and the environment, calls the host's
//! crates, and shows what they say. Data goes to standard output, everything else to standard error.
//!
//! Layout: `arguments` (what may be typed), `commands` (one file each), `error` (exit codes), `terminal`, `table` and
//! `text` (how things look), `environment` (the only reader of variables), `files` (written ones); `project` (a
//! pipeline found, built and loaded) with `ready_made` and `compiled` (a cache); `input` (records from files), `local`
//! (records through a pipeline, here), `changes` (what a step did), `report`, `sink`, `dead_letters`; `cases` (for
//! `test`); `web_events` (for `dev`); `templates` (for `new` and `add`); `releases` (stores, keys, moves), `publishing`
//! (from a project to a release), `aws` (AWS from a terminal), `function` (a live one, checked); `time`.

mod arguments;
mod aws;
mod bytecode;
mod cases;
mod changes;
mod commands;
mod compiled;
mod dead_letters;
mod environment;
mod error;
mod files;
mod function;
mod input;
mod local;
mod project;
mod publishing;
mod ready_made;
mod releases;
mod report;
mod sink;
mod table;
mod templates;
mod terminal;
mod text;
mod time;
mod web_events;

use arguments::Cli;
use clap::Parser;
use error::{Error, Status};
use std::process::ExitCode;
use terminal::Ui;

/// The process's exit code after Ctrl-C, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// What every command is given.
pub(crate) struct Context {
    pub(crate) ui: Ui,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// Ends the program at Ctrl-C, for commands that need no time to end.
    interrupts: Option<tokio::task::JoinHandle<()>>,
}

/// Runs the program with this process's arguments. The only place where errors are printed.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help, a version or a usage error; whoever closed the pipe does not want it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ui = Ui::new(cli.format);
    let result = Context::new(ui).and_then(|mut context| {
        context.end_at_interrupt();
        let status = cli.command.exec(&mut context)?;
        context.ui.flush()?;
        Ok(status)
    });
    match result {
        Ok(Status::Done) | Err(Error::Closed) => ExitCode::SUCCESS,
        Ok(Status::SomethingFailed) => ExitCode::from(1),
        Err(error) => {
            Ui::new(cli.format).error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

impl Context {
    fn new(ui: Ui) -> Result<Context, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Error::Bug(anyhow::Error::new(error).context("start the runtime")))?;
        Ok(Context { ui, runtime, interrupts: None })
    }

    /// A context of its own for a thread of its own.
    pub(crate) fn beside(&self) -> Result<Context, Error> {
        Context::new(Ui::new(self.ui.format()))
    }

    /// From here on Ctrl-C ends the program at once.
    pub(crate) fn end_at_interrupt(&mut self) {
        self.interrupts = Some(self.runtime.spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                terminal::leave_progress();
                std::process::exit(INTERRUPTED);
            }
        }));
    }

    /// From here on the command itself looks for Ctrl-C.
    pub(crate) fn take_interrupts(&mut self) {
        if let Some(task) = self.interrupts.take() {
            task.abort();
        }
    }
}
