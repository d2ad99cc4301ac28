//! How a command ends, and the one table of exit codes.

use registry::ErrorKind;
use std::fmt;

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All is well.
    Done,
    /// It is done, and the report says that something failed: a test, an event.
    SomethingFailed,
}

impl Status {
    pub(crate) fn failed_if(failed: bool) -> Status {
        if failed { Status::SomethingFailed } else { Status::Done }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Error {
    /// What was typed, a `paddle.toml`, or an input file is wrong.
    Usage(anyhow::Error),
    /// A plugin cannot be built or loaded.
    Plugin(anyhow::Error),
    /// Something outside did not work: a folder that cannot be written, a store or a server that does not answer.
    Outside(anyhow::Error),
    /// A rule forbids it, or somebody else was faster: nothing was changed.
    Refused(anyhow::Error),
    /// What was waited for did not come in time.
    Waited(anyhow::Error),
    /// Our fault.
    Bug(anyhow::Error),
    /// Whoever read our output wants no more of it: no error at all.
    Closed,
}

impl Error {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Closed => 0,
            Error::Usage(_) => 2,
            Error::Plugin(_) => 3,
            Error::Outside(_) => 4,
            Error::Refused(_) => 5,
            Error::Waited(_) => 6,
            Error::Bug(_) => 101,
        }
    }

    /// A usage error of one sentence.
    pub(crate) fn usage(message: impl fmt::Display) -> Error {
        Error::Usage(anyhow::anyhow!("{message}"))
    }

    /// The same error, after what was done nevertheless.
    pub(crate) fn but(self, done: impl fmt::Display) -> Error {
        let told = |error: anyhow::Error| anyhow::anyhow!("{done}, but: {error:#}");
        match self {
            Error::Usage(error) => Error::Usage(told(error)),
            Error::Plugin(error) => Error::Plugin(told(error)),
            Error::Outside(error) => Error::Outside(told(error)),
            Error::Refused(error) => Error::Refused(told(error)),
            Error::Waited(error) => Error::Waited(told(error)),
            Error::Bug(error) => Error::Bug(told(error)),
            Error::Closed => Error::Closed,
        }
    }

    /// A refusal of one sentence.
    pub(crate) fn refused(message: impl fmt::Display) -> Error {
        Error::Refused(anyhow::anyhow!("{message}"))
    }
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Error {
        match error.kind() {
            ErrorKind::Invalid => Error::Usage(error.into()),
            ErrorKind::Conflict | ErrorKind::Refused(_) | ErrorKind::Untrusted(_) => Error::Refused(error.into()),
            ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::Unauthenticated
            | ErrorKind::NoRegion
            | ErrorKind::WrongRegion
            | ErrorKind::NoBucket
            | ErrorKind::Unavailable
            | ErrorKind::TooLarge
            | ErrorKind::Store => Error::Outside(error.into()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(error)
            | Error::Plugin(error)
            | Error::Outside(error)
            | Error::Refused(error)
            | Error::Waited(error) => write!(f, "{error:#}"),
            Error::Bug(error) => write!(f, "a bug in paddle: {error:#}"),
            Error::Closed => f.write_str("the output was closed"),
        }
    }
}

/// Says what kind of trouble an error is.
pub(crate) trait Trouble<T> {
    fn or_usage(self) -> Result<T, Error>;
    fn or_plugin(self) -> Result<T, Error>;
    fn or_outside(self) -> Result<T, Error>;
}

impl<T, E: Into<anyhow::Error>> Trouble<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Error> {
        self.map_err(|error| Error::Usage(error.into()))
    }

    fn or_plugin(self) -> Result<T, Error> {
        self.map_err(|error| Error::Plugin(error.into()))
    }

    fn or_outside(self) -> Result<T, Error> {
        self.map_err(|error| Error::Outside(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use anyhow::anyhow;

    #[test]
    fn each_trouble_has_its_exit_code() {
        let codes = [
            Error::Closed,
            Error::usage(""),
            Error::Plugin(anyhow!("")),
            Error::Outside(anyhow!("")),
            Error::refused(""),
            Error::Waited(anyhow!("")),
            Error::Bug(anyhow!("")),
        ]
        .map(|error| error.exit_code());
        assert_eq!(codes, [0, 2, 3, 4, 5, 6, 101]);
    }

    #[test]
    fn an_error_is_one_chain() {
        let error = Error::Outside(anyhow!("no such host").context("send _bulk").context("deliver documents"));
        assert_eq!(error.to_string(), "deliver documents: send _bulk: no such host");
    }
}
