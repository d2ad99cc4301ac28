//! The function itself: whether it runs, and has the time and memory that batches need.

use super::facts::Facts;
use super::{Finding, Findings};

/// What `bootstrap` is built for.
const RUNTIME: &str = "provided.al2023";

/// In seconds: less leaves no room for a slow answer of Firehose and the reserve behind it.
const TIMEOUT_MIN: u64 = 15;

/// In seconds: a batch that hangs keeps its shard waiting for so long.
const TIMEOUT_MAX: u64 = 300;

/// In MB: engine and pool, the largest batch, a window of a quarter, and two releases during a swap.
const MEMORY_MIN: u64 = 512;

pub(super) fn check(facts: &Facts, all: &mut Vec<Finding>) {
    let mut found = Findings { about: "function".to_owned(), all };
    let configuration = &facts.configuration;
    // `Inactive` functions were idle for long and start with the next event.
    if !matches!(configuration.state.as_str(), "" | "Active" | "Inactive" | "Pending") {
        let (state, reason) = (&configuration.state, &configuration.state_reason);
        found.blocks(format!("its state is {state} ({reason})"), "deploy it again");
    }
    if configuration.last_update_status == "Failed" {
        let reason = &configuration.last_update_status_reason;
        found.blocks(format!("its last update failed ({reason})"), "correct that and deploy it again");
    }
    if configuration.package_type != "Image" && configuration.runtime != RUNTIME {
        let runtime = &configuration.runtime;
        found.blocks(format!("its runtime is `{runtime}`"), format!("set Runtime to {RUNTIME}"));
    }
    if facts.concurrency == Some(0) {
        found.blocks("its reserved concurrency is 0: it is never invoked", "raise or remove the reservation");
    }
    if configuration.timeout < TIMEOUT_MIN {
        let problem = format!("its timeout is {} s: batches are cut short and sent again", configuration.timeout);
        found.blocks(problem, "set Timeout to 60");
    } else if configuration.timeout > TIMEOUT_MAX {
        let problem =
            format!("its timeout is {} s: a batch that hangs blocks its shard as long", configuration.timeout);
        found.look(problem, "set Timeout to 60");
    }
    if configuration.memory_size < MEMORY_MIN {
        let problem = format!("it has {} MB: large batches and swaps may not fit", configuration.memory_size);
        found.blocks(problem, "set MemorySize to 1769, which is one vCPU");
    }
    if configuration.logging_config.log_format != "JSON" {
        found.look("its log lines are plain text", "set LoggingConfig.LogFormat to JSON, to query and filter them");
    }
}
