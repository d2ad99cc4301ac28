//! Why a plugin could not be built, in kinds that a program can act on and words that an author can.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::Language;
use crate::output::COMPONENT_BYTES_MAX;
use crate::script::MODULES_MAX;

/// Why a plugin could not be built. The text says what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder holds no plugin in a language that is supported.
    Unsupported {
        /// The folder that was looked at.
        folder: PathBuf,
    },
    /// The folder is in a supported language, but is not a plugin.
    NotAPlugin {
        /// The folder that was looked at.
        folder: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The compiler cannot compile for WebAssembly yet.
    MissingTarget {
        /// The target's name.
        target: String,
        /// The one command that brings it.
        command: String,
    },
    /// Something that the build needs is not installed.
    Missing {
        /// What it is, with the version that is wanted.
        what: String,
        /// The one command that installs it.
        command: String,
    },
    /// A program that the build needs cannot be run.
    MissingTool {
        /// The program.
        tool: String,
        /// Where it comes from, or why it did not run.
        hint: String,
    },
    /// The compiler refused the source.
    Compile {
        /// The compiler's messages, unchanged. Empty when they were shown already.
        messages: String,
    },
    /// What the compiler made cannot become a component of the contract.
    Encode {
        /// Why not.
        reason: String,
    },
    /// A script imports more modules than a step may have files.
    TooManyModules {
        /// The script that was to be taken.
        script: PathBuf,
    },
    /// What was made has more bytes than a component may have.
    TooLarge {
        /// How many.
        bytes: u64,
    },
    /// A file could not be read or written.
    Io {
        /// What was tried, to complete "failed to …".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
        let doing = doing.into();
        move |source| BuildError::Io { doing, source }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Unsupported { folder } => {
                write!(f, "{} is not a plugin: it needs one of these files:", folder.display())?;
                for (at, language) in Language::ALL.into_iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma} {} ({})", language.marker(), language.name())?;
                }
                Ok(())
            }
            BuildError::NotAPlugin { folder, reason } => {
                write!(f, "{} is not a plugin: {reason}", folder.display())
            }
            BuildError::MissingTarget { target, command } => {
                write!(f, "the compiler lacks the target {target}; run: {command}")
            }
            BuildError::Missing { what, command } => write!(f, "{what} is missing; run: {command}"),
            BuildError::MissingTool { tool, hint } => write!(f, "cannot run {tool}: {hint}"),
            BuildError::Compile { messages } if messages.is_empty() => {
                write!(f, "the plugin does not compile")
            }
            BuildError::Compile { messages } => {
                write!(f, "the plugin does not compile:\n{}", messages.trim_end())
            }
            BuildError::Encode { reason } => write!(f, "the plugin is not a component: {reason}"),
            BuildError::TooManyModules { script } => {
                let name = script.file_name().unwrap_or_default().to_string_lossy();
                write!(
                    f,
                    "{name} imports more than {} modules; bundle them into one file, for example with esbuild",
                    MODULES_MAX - 1
                )
            }
            BuildError::TooLarge { bytes } => {
                let mib = |bytes: u64| bytes.div_ceil(1 << 20);
                write!(f, "the component has {} MiB; the most is {}", mib(*bytes), mib(COMPONENT_BYTES_MAX))
            }
            BuildError::Io { doing, source: _ } => write!(f, "failed to {doing}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Io { source, .. } => Some(source),
            BuildError::Unsupported { .. }
            | BuildError::NotAPlugin { .. }
            | BuildError::MissingTarget { .. }
            | BuildError::Missing { .. }
            | BuildError::MissingTool { .. }
            | BuildError::Compile { .. }
            | BuildError::Encode { .. }
            | BuildError::TooManyModules { .. }
            | BuildError::TooLarge { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BuildError;
    use crate::output;

    /// The exact words that a person sees.
    #[test]
    fn each_is_one_sentence_that_says_what_to_do() {
        let missing =
            |what: &str, command: &str| BuildError::Missing { what: what.to_owned(), command: command.to_owned() };
        for (error, expected) in [
            (
                missing(crate::javascript::WANTED, crate::javascript::INSTALL),
                "esbuild is missing; run: npm install --save-dev esbuild@0.28.2",
            ),
            (
                BuildError::MissingTarget {
                    target: "wasm32-unknown-unknown".to_owned(),
                    command: "rustup target add wasm32-unknown-unknown".to_owned(),
                },
                "the compiler lacks the target wasm32-unknown-unknown; run: rustup target add wasm32-unknown-unknown",
            ),
            (
                BuildError::Compile { messages: "plugin.go:3:1: syntax error\n".to_owned() },
                "the plugin does not compile:\nplugin.go:3:1: syntax error",
            ),
            (
                BuildError::TooManyModules { script: "./plugins/x.js".into() },
                "x.js imports more than 255 modules; bundle them into one file, for example with esbuild",
            ),
            (output::bounded(300 << 20).expect_err("it is too large"), "the component has 300 MiB; the most is 128"),
            (
                BuildError::io("write /x/.paddle")(std::io::ErrorKind::PermissionDenied.into()),
                "failed to write /x/.paddle",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        assert!(output::bounded(output::COMPONENT_BYTES_MAX).is_ok());
    }
}
