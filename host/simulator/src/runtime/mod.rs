//! The Lambda service around a real binary: the Runtime API on 127.0.0.1, execution environments that are started,
//! frozen, thawed, killed at their deadline and started again, and fleets of them.
//!
//! It does what AWS documents ("Using the Lambda runtime API", "Understanding the Lambda execution environment
//! lifecycle") and answers a runtime as AWS's own emulator of the Runtime API does. Not simulated: extensions (their
//! paths are answered with 404, so a runtime that registers one fails), streamed answers, the memory limit, and a CPU
//! share that depends on it.
//!
//! ```no_run
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use simulator::runtime::{Environment, Function, Outcome};
//! use std::time::Duration;
//!
//! let mut function = Function::new("target/release/bootstrap");
//! function.env = vec![("AWS_ENDPOINT_URL_S3".into(), "http://127.0.0.1:5555".into())];
//! function.timeout = Duration::from_secs(10);
//! let mut environment = Environment::start(&function).await?;
//! let invoked = environment.invoke(br#"{"Records":[]}"#).await?;
//! assert!(invoked.start.is_cold() && matches!(invoked.outcome, Outcome::Response(_)), "{:?}", invoked.log);
//! environment.idle(Duration::from_secs(2)).await; // frozen
//! assert!(!environment.invoke(b"{}").await?.start.is_cold());
//! environment.shutdown().await;
//! # Ok::<(), anyhow::Error>(()) }).unwrap();
//! ```

mod api;
mod environment;
mod exchange;
mod fleet;
mod function;
mod invoked;
mod log;
mod pipe;
mod process;

pub use environment::{Environment, Init};
pub use fleet::{ENVIRONMENTS_MAX, Fleet};
pub use function::{ENV_BYTES_MAX, Freeze, Function, INIT_LIMIT};
pub use invoked::{Failure, FailureKind, Invoked, Outcome, Start};
pub use log::{LINE_BYTES_MAX, LINES_KEPT_MAX, Line, Source};
pub use process::Memory;

/// The most bytes of an event and of a response (6 MB and a little, as AWS's own runtime interface has it).
pub const PAYLOAD_BYTES_MAX: usize = 6_291_556;
