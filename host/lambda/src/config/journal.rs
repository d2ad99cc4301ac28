//! Where the journal is: `PADDLE_JOURNAL`, or a folder that another process in the same environment finds again.

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What tells functions apart that share a machine. On Lambda none of these changes while an environment lives; the log
/// stream is not among them, since nobody says whether it is the same after a crash.
const NAMED_BY: [&str; 10] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_REGION",
    "LAMBDA_TASK_ROOT",
    "PADDLE_CONFIG",
    "PADDLE_DEAD_LETTERS",
    "PADDLE_ROUTES",
    "PADDLE_STORE",
    "PADDLE_PIPELINE",
    "PADDLE_CHANNEL",
];

/// The journal's folder; none for no journal.
pub(super) fn folder(variables: &BTreeMap<String, String>, on_lambda: bool) -> Result<Option<PathBuf>> {
    let get = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    match get("PADDLE_JOURNAL") {
        Some("off") => Ok(None),
        Some(folder) => {
            ensure!(
                Path::new(folder).is_absolute(),
                "PADDLE_JOURNAL is `{folder}`: set it to the path of a folder, from `/` on, or to `off`"
            );
            Ok(Some(folder.into()))
        }
        None if on_lambda => {
            let name = crate::journal::name(NAMED_BY.iter().map(|name| get(name).unwrap_or_default()));
            let name: String = name.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let temporary = get("TMPDIR").unwrap_or("/tmp");
            Ok(Some(Path::new(temporary).join(format!("paddlewheel-journal-{name}"))))
        }
        None => Ok(None),
    }
}
