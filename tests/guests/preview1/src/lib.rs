//! A plugin that uses the system the way ordinary programs do, through WASI preview 1. The event's field `mode` says
//! what it does; `tests/guests/README.md` lists the modes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant, SystemTime};

use paddlewheel::prelude::*;

/// The step's config: nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {}

impl Plugin for System {
    fn transform(&self, event: Event) -> Answer {
        let answer = match event.text("mode").as_deref() {
            Some("exit") => std::process::exit(3),
            Some("sleep") => slept(Duration::from_secs(1 << 40)),
            Some("nap") => slept(Duration::from_millis(50)),
            Some("print") => printed(),
            Some("clock") => format!("{:?}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)),
            Some("random") => RandomState::new().hash_one("seed").to_string(),
            Some("environment") => {
                std::env::vars().chain(std::env::args().map(|a| (a, String::new()))).count().to_string()
            }
            Some("file") => format!("{:?}", std::fs::read_to_string("/etc/passwd").map_err(|error| error.kind())),
            Some("stdin") => std::io::read_to_string(std::io::stdin()).unwrap_or_else(|error| error.to_string()),
            Some(_) | None => return keep(event),
        };
        event.set_text("answer", &answer)?;
        keep(event)
    }
}

/// How long a sleep took by the guest's own clock.
fn slept(duration: Duration) -> String {
    let before = Instant::now();
    std::thread::sleep(duration);
    format!("{:?}", before.elapsed())
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what becomes of it is the question")]
fn printed() -> String {
    println!("a line on standard output");
    eprintln!("a line on standard error");
    "printed".to_owned()
}

paddlewheel::plugin!(System);
