//! A plugin that abuses WASI 0.2, called directly. The event's field `mode` names the fault; `tests/guests/README.md`
//! lists the modes.

wit_bindgen::generate!({ path: ["../../../wit", "wit"], world: "test:wasi/faults", generate_all });

use exports::paddlewheel::transform::plugin::{Event, Failure, Guest, Output};
use wasi::{cli, clocks, io, random};

/// More random bytes than any memory limit allows.
const RANDOM_BYTES: u64 = 4 << 30;

/// How many pollables, lines or streams the floods ask for.
const FLOOD: u32 = 100_000;

struct Faults;

impl Guest for Faults {
    fn init(_config: String) -> Result<(), String> {
        Ok(())
    }

    fn transform(event: Event) -> Result<Vec<Output>, Failure> {
        let answer = match event.text("mode").as_deref() {
            Some("exit") => {
                cli::exit::exit(Err(()));
                "went on after exit".to_owned()
            }
            Some("sleep") => slept(u64::MAX),
            Some("nap") => slept(50_000_000),
            Some("poll-nothing") => format!("{:?}", io::poll::poll(&[])),
            Some("poll-flood") => polled(),
            Some("random-4gb") => random::random::get_random_bytes(RANDOM_BYTES).len().to_string(),
            Some("random") => random::random::get_random_u64().to_string(),
            Some("clock") => format!("{:?} {}", clocks::wall_clock::now(), clocks::monotonic_clock::now()),
            Some("environment") => cli::environment::get_environment().len().to_string(),
            Some("print") => printed(1),
            Some("print-flood") => printed(FLOOD),
            Some("stream-leak") => leaked(),
            Some(_) | None => "nothing".to_owned(),
        };
        event.set_text("answer", &answer).map_err(Failure::Reject)?;
        Ok(vec![Output { event, route: None }])
    }
}

/// How long a sleep of so many nanoseconds took by the guest's own clock.
fn slept(nanoseconds: u64) -> String {
    let before = clocks::monotonic_clock::now();
    clocks::monotonic_clock::subscribe_duration(nanoseconds).block();
    (clocks::monotonic_clock::now() - before).to_string()
}

/// Polls many timers at once.
fn polled() -> String {
    let timers: Vec<_> = (0..FLOOD).map(|n| clocks::monotonic_clock::subscribe_duration(u64::from(n))).collect();
    let timers: Vec<_> = timers.iter().collect();
    io::poll::poll(&timers).len().to_string()
}

fn printed(lines: u32) -> String {
    let stdout = cli::stdout::get_stdout();
    let failed = (0..lines).find(|n| stdout.blocking_write_and_flush(format!("line {n}\n").as_bytes()).is_err());
    format!("failed at {failed:?}")
}

/// Takes many streams and gives none back.
fn leaked() -> String {
    for _ in 0..FLOOD {
        std::mem::forget(cli::stdout::get_stdout());
    }
    "leaked".to_owned()
}

export!(Faults);
