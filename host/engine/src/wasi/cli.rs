//! The command line: no arguments, an empty environment, no terminal; `exit` ends the call.

use std::fmt;

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::wasi::cli::terminal_input::{self, TerminalInput};
use super::bindings::wasi::cli::terminal_output::{self, TerminalOutput};
use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout,
};
use super::bindings::wasi::io::streams::{InputStream, OutputStream};
use super::streams::{STDERR, STDIN, STDOUT};
use super::{Wasi, never_given};

/// The plugin called `exit`: the call is over and the instance cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Whether it said that all was well.
    pub(crate) ok: bool,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = if self.ok { "success" } else { "failure" };
        write!(f, "the plugin called exit, with {status}")
    }
}

impl std::error::Error for Exit {}

impl exit::Host for Wasi {
    fn exit(&mut self, status: std::result::Result<(), ()>) -> Result<()> {
        Err(Exit { ok: status.is_ok() }.into())
    }

    fn exit_with_code(&mut self, status_code: u8) -> Result<()> {
        let ok = status_code == 0;
        Err(Exit { ok }.into())
    }
}

impl environment::Host for Wasi {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl stdin::Host for Wasi {
    fn get_stdin(&mut self) -> Result<Resource<InputStream>> {
        self.handles.open_fixed(STDIN)
    }
}

impl stdout::Host for Wasi {
    fn get_stdout(&mut self) -> Result<Resource<OutputStream>> {
        self.handles.open_fixed(STDOUT)
    }
}

impl stderr::Host for Wasi {
    fn get_stderr(&mut self) -> Result<Resource<OutputStream>> {
        self.handles.open_fixed(STDERR)
    }
}

impl terminal_stdin::Host for Wasi {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for Wasi {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for Wasi {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_input::Host for Wasi {}

impl terminal_input::HostTerminalInput for Wasi {
    fn drop(&mut self, _: Resource<TerminalInput>) -> Result<()> {
        never_given("terminal")
    }
}

impl terminal_output::Host for Wasi {}

impl terminal_output::HostTerminalOutput for Wasi {
    fn drop(&mut self, _: Resource<TerminalOutput>) -> Result<()> {
        never_given("terminal")
    }
}
