//! `make demo-swap`: releases while records are on their way, told in a terminal. Exits with 1 when a fact is missed
//! and 130 when interrupted; either way every process and file is gone.

use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// As shells have it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(tell()),
        Err(error) => failed(&error.into()),
    }
}

async fn tell() -> ExitCode {
    let listeners = signal(SignalKind::interrupt()).and_then(|first| Ok((first, signal(SignalKind::terminate())?)));
    let (interrupt, terminate) = match listeners {
        Ok(listeners) => listeners,
        Err(error) => return failed(&error.into()),
    };
    let mut out = std::io::stdout();
    // Whichever is dropped takes its processes and files with it.
    tokio::select! {
        told = tests::swap::tell(&mut out) => match told {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        () = either(interrupt, terminate) => {
            eprintln!("\ninterrupted: the function is stopped, its files are gone");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn either(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("\nMISSED: {error:#}");
    ExitCode::FAILURE
}
