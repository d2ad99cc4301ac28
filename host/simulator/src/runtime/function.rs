//! A function as it is configured, and the environment variables that Lambda makes of that.

use crate::time;
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time that Lambda gives the init phase: after it, init is repeated inside the first invocation.
pub const INIT_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of names and values that a function may configure.
pub const ENV_BYTES_MAX: usize = 4096;
/// The account that every ARN names.
const ACCOUNT: &str = "123456789012";

/// What a function may not configure, because Lambda sets it ("Defined runtime environment variables").
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// When the process is stopped (SIGSTOP), to be continued by the next invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freeze {
    /// Never: it goes on running between invocations.
    Never,
    /// When it asks for the next event, which ends an invocation for AWS.
    #[default]
    AfterNext,
    /// When its response is there. Harsher than AWS: what it would do before it asks for the next event waits, too.
    AfterResponse,
}

/// A function: a program and its configuration.
#[derive(Debug, Clone)]
pub struct Function {
    /// The program, `bootstrap` for AWS. A relative path is taken from the current folder.
    pub program: PathBuf,
    /// Its arguments; AWS gives none.
    pub arguments: Vec<String>,
    /// The configured environment variables; nothing is inherited. Names that Lambda reserves are refused, as are more
    /// than [`ENV_BYTES_MAX`] bytes.
    pub env: Vec<(String, String)>,
    /// The function's name.
    pub name: String,
    /// The region.
    pub region: String,
    /// Access key id, secret access key and session token of the function's role.
    pub credentials: [String; 3],
    /// The configured memory; it is told, and not enforced.
    pub memory_mib: u32,
    /// The time for an invocation: at most 15 minutes.
    pub timeout: Duration,
    /// The time for init: [`INIT_LIMIT`], or less in a test that wants to see its end.
    pub init_limit: Duration,
    /// When the process is frozen.
    pub freeze: Freeze,
    /// Where each environment gets a folder of its own, named by its number, which stands for its `/tmp`: the process
    /// sees it as `TMPDIR`, and it survives restarts. Without one, all use the machine's. Whoever made the folder
    /// clears it away.
    pub scratch: Option<PathBuf>,
}

impl Function {
    /// This program with AWS's defaults, except for memory (1,769 MB: one CPU) and the timeout (a minute).
    pub fn new(program: impl Into<PathBuf>) -> Function {
        Function {
            program: program.into(),
            arguments: Vec::new(),
            env: Vec::new(),
            name: "function".to_owned(),
            region: "us-east-1".to_owned(),
            credentials: ["ASIASIMULATED0000000", "simulated-secret", "simulated-session"].map(str::to_owned),
            memory_mib: 1769,
            timeout: Duration::from_secs(60),
            init_limit: INIT_LIMIT,
            freeze: Freeze::default(),
            scratch: None,
        }
    }

    /// The ARN that invocations name.
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", self.region, self.name)
    }

    /// The program's absolute path: its working directory is another one.
    pub(super) fn absolute_program(&self) -> anyhow::Result<PathBuf> {
        self.program.canonicalize().with_context(|| format!("find the function's program {}", self.program.display()))
    }

    /// The folder of one environment, created.
    pub(super) fn scratch(&self, environment: u64) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = &self.scratch else { return Ok(None) };
        let folder = folder.join(environment.to_string());
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Ok(Some(folder))
    }

    /// Refuses what AWS refuses to configure.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let reserved = self.env.iter().find(|(name, _)| RESERVED.contains(&name.as_str()));
        if let Some((name, _)) = reserved {
            bail!("Lambda sets {name} itself and refuses to have it configured");
        }
        let bytes: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        ensure!(bytes <= ENV_BYTES_MAX, "{bytes} bytes of environment variables, where Lambda takes {ENV_BYTES_MAX}");
        ensure!(self.timeout <= Duration::from_secs(900), "Lambda's longest timeout is 900 seconds");
        Ok(())
    }

    /// Everything that the process finds in its environment. `runtime_api` is `127.0.0.1:<port>`, `stream` the
    /// hexadecimal end of the log stream's name, `task_root` the folder of the program.
    pub(super) fn variables(
        &self,
        runtime_api: &str,
        stream: &str,
        task_root: &Path,
        scratch: Option<&Path>,
    ) -> Vec<(String, String)> {
        let day = time::day_path((time::system_clock())());
        let [key, secret, session] = &self.credentials;
        let lambdas = [
            ("_HANDLER", "bootstrap"),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &self.memory_mib.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", &self.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &format!("{day}/[$LATEST]{stream}")),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_REGION", &self.region),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", session),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("LAMBDA_TASK_ROOT", &task_root.to_string_lossy()),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
            ("TZ", ":UTC"),
        ];
        let mut all: Vec<_> = lambdas.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        all.extend(scratch.map(|folder| ("TMPDIR".to_owned(), folder.to_string_lossy().into_owned())));
        // The function's own come last: what is not reserved may be configured, PATH too.
        all.extend(self.env.iter().cloned());
        all
    }
}
