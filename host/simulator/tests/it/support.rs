//! The probe as a function, and waiting for what must come.

use serde_json::{Value, json};
use simulator::runtime::{Environment, Failure, Function, Invoked, Outcome, Source};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longer than anything takes that is to happen, also on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// For what is to run into its limit.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// The probe with these variables.
pub(crate) fn probe(env: &[(&str, &str)]) -> Function {
    let mut function = Function::new(env!("CARGO_BIN_EXE_runtime-probe"));
    function.env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    function.init_limit = LONG;
    function.timeout = LONG;
    function
}

pub(crate) async fn start(function: &Function) -> Environment {
    Environment::start(function).await.unwrap()
}

pub(crate) async fn echo(environment: &mut Environment) -> Invoked {
    environment.invoke(br#"{"do":"echo"}"#).await.unwrap()
}

/// The response, which must be JSON.
pub(crate) fn response(invoked: &Invoked) -> Value {
    let Outcome::Response(body) = &invoked.outcome else { panic!("{invoked:#?}") };
    serde_json::from_slice(body).unwrap()
}

/// The error, which must be one that Lambda makes up or that says the same in its payload.
pub(crate) fn failure(invoked: &Invoked) -> Failure {
    let failure = invoked.outcome.failure().unwrap_or_else(|| panic!("{invoked:#?}")).clone();
    let body: Value = serde_json::from_slice(&failure.body).unwrap();
    assert_eq!([&body["errorType"], &body["errorMessage"]], [&json!(failure.error_type), &json!(failure.message)]);
    failure
}

/// The lines of an invocation from one source.
pub(crate) fn lines(invoked: &Invoked, source: Source) -> Vec<&str> {
    invoked.log.iter().filter(|line| line.source == source).map(|line| line.text.as_str()).collect()
}

/// Waits until it is so, and fails after a long time.
#[track_caller]
pub(crate) fn eventually(mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < LONG, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether there is a process with this number which is not a zombie.
pub(crate) fn lives(process: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !status.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}

/// A new folder, removed when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("simulator-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
