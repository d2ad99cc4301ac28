//! WASI 0.2, made up: what language runtimes ask of a system, answered without touching one.
//!
//! There are no files, no network, no environment and no arguments. What a plugin prints becomes lines of its log; time
//! begins where the host says and moves on only when the plugin sleeps, which takes no time; random numbers come from
//! a seed or the host's source. Nothing here waits, and everything has a bound. A misuse is an error that ends the call
//! as a trap does; two of them have types, since the engine tells them apart: [`Exit`] and [`SleptTooLong`].
//!
//! Left to the engine: refusing other imports, the size of what a plugin passes in (`set_hostcall_fuel`), and replacing
//! an instance after any of these errors.

mod bindings;
mod cli;
mod clocks;
mod filesystem;
mod handles;
mod output;
mod poll;
mod random;
mod sockets;
mod streams;
#[cfg(test)]
mod tests;

use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Result, bail};

pub(crate) use self::cli::Exit;
pub(crate) use self::clocks::SleptTooLong;
pub(crate) use self::output::{Line, Stream};
pub(crate) use self::random::Random;

/// The interfaces answered here, without their version.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Whether `import`, a name as a component spells it (`wasi:io/poll@0.2.6`), is answered here: any version 0.2.
pub(crate) fn answers(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else {
        return false;
    };
    // A pre-release such as 0.2.0-rc-2023-11-10 is compatible with nothing but itself.
    let compatible = version.starts_with("0.2.") && !version.contains('-');
    compatible && INTERFACES.contains(&interface)
}

/// What the engine decides once for all calls of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Where random numbers come from.
    pub(crate) random: Random,
    /// How long one call may sleep in all, in virtual time; beyond it the call ends with [`SleptTooLong`].
    pub(crate) sleep_max: Duration,
    /// Lines kept of what one call prints, both streams together; the rest is counted.
    pub(crate) lines_max: u32,
    /// Bytes kept of one line; the rest is counted.
    pub(crate) line_bytes_max: usize,
}

/// The system that one store's plugin sees. Making one allocates nothing.
#[derive(Debug)]
pub(crate) struct Wasi {
    clock: clocks::Clock,
    random: random::Generator,
    output: output::Output,
    handles: handles::Handles,
}

impl Wasi {
    pub(crate) fn new(settings: Settings) -> Wasi {
        Wasi {
            clock: clocks::Clock::new(settings.sleep_max),
            random: random::Generator::new(settings.random),
            output: output::Output::new(settings.lines_max, settings.line_bytes_max),
            handles: handles::Handles::default(),
        }
    }

    /// To be called before each call into the plugin and before it is instantiated. Time begins at `now_ms` since the
    /// Unix epoch, random numbers begin with `seed` (ignored when they come from the host), and what one call may
    /// sleep, print and draw is available anew. Lines not taken are gone. Only the monotonic clock remembers: it
    /// never goes back, so after an earlier call that saw later it begins there.
    pub(crate) fn begin_call(&mut self, now_ms: u64, seed: u64) {
        self.clock.begin_call(now_ms);
        self.random.begin_call(seed);
        self.output.begin_call();
    }

    /// What the plugin printed since the call began or lines were last taken, and how many lines beyond the bound.
    pub(crate) fn take_lines(&mut self) -> (Vec<Line>, u64) {
        self.output.take()
    }

    /// How many WASI handles the plugin holds. A few are normal after a call (runtimes keep their standard streams); a
    /// number that grows with every call is a leak, and ends in an error at a thousand.
    pub(crate) fn handles(&self) -> u32 {
        self.handles.open()
    }
}

/// Adds all [`INTERFACES`] to `linker`; `get` finds the store's [`Wasi`].
pub(crate) fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: fn(&mut T) -> &mut Wasi) -> Result<()> {
    // Nothing unstable: time zones and error codes of sockets stay unknown.
    let stable = bindings::LinkOptions::default();
    bindings::Virtual::add_to_linker::<T, HasSelf<Wasi>>(linker, &stable, get)
}

/// The end of a method of something that no plugin was ever given, so that none can call it.
fn never_given<R>(what: &str) -> Result<R> {
    bail!("the plugin uses a {what}, and the host never gave it one")
}

/// The methods of a resource that no plugin is ever given, one a line.
macro_rules! never_given_methods {
    ($what:literal, $resource:ty: $($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, _: Resource<$resource>, $(_: $argument),*) -> $result {
            never_given($what)
        })*
    };
}
use never_given_methods;
