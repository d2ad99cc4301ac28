//! Compilers and other programs: found, run, and their messages kept or shown.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::environment::clean;
use crate::{BuildError, Messages};

/// The program of this name on the `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether a file is there and may be run.
pub(crate) fn is_program(file: &Path) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    #[cfg(unix)]
    let runs = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let runs = true;
    metadata.is_file() && runs
}

/// A command that forgets the build it may be called from.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    clean(&mut command);
    command.stdin(Stdio::null());
    command
}

/// What a compiler said, once it was content.
pub(crate) struct Said {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error; empty when it was shown.
    pub(crate) stderr: String,
}

/// Runs a compiler.
///
/// # Errors
///
/// [`BuildError::Compile`] with all it said when it refuses, [`BuildError::MissingTool`] when it does not run.
pub(crate) fn compile(command: &mut Command, messages: Messages) -> Result<Said, BuildError> {
    let stderr = match messages {
        Messages::Keep => Stdio::piped(),
        Messages::Show => Stdio::inherit(),
    };
    let output = command.stdout(Stdio::piped()).stderr(stderr).spawn().and_then(Child::wait_with_output);
    let output = output.map_err(|error| not_run(command, &error))?;
    let said = Said { stdout: text(&output.stdout), stderr: text(&output.stderr) };
    match output.status.success() {
        true => Ok(said),
        false => Err(BuildError::Compile { messages: said.stdout + &said.stderr }),
    }
}

/// What a program answers, trimmed: its version, or a path. None when it fails or is not there.
pub(crate) fn ask(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| text(&output.stdout).trim().to_owned())
}

fn not_run(command: &Command, error: &std::io::Error) -> BuildError {
    let tool = command.get_program().to_string_lossy().into_owned();
    let hint = match error.kind() {
        ErrorKind::NotFound => "there is no such program".to_owned(),
        _ => error.to_string(),
    };
    BuildError::MissingTool { tool, hint }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A text file, as far as it can be read.
pub(crate) fn read_text(file: &Path) -> Result<String, BuildError> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes));
    opened.map_err(BuildError::io(format!("read {}", file.display())))?;
    Ok(text(&bytes))
}
