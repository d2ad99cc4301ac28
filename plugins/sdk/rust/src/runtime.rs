//! What [`crate::plugin!`] calls. Not for plugins themselves.

use std::cell::OnceCell;
use std::panic;

use crate::{Answer, Event, Failure, Plugin, config, log};

/// Reads and checks the config. A second call replaces nothing: the host calls once.
pub fn init<P: Plugin>(cell: &OnceCell<P>, config: &str) -> Result<(), String> {
    // A panic ends the instance with a trap, which has no text. So the text goes to the log first.
    panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
    system::is_set_up();
    let plugin = config::read::<P>(config)?;
    plugin.check().map_err(|message| format!("config: {message}"))?;
    cell.set(plugin).map_err(|_| "init was called twice".to_owned())
}

/// WASI preview 1, where the component answers it itself.
#[cfg(all(target_os = "wasi", paddlewheel_inside))]
#[allow(unsafe_code, reason = "a foreign function that takes a number")]
mod system {
    use std::hash::{BuildHasher as _, RandomState};

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        #[link_name = "adapter_monotonic_clock_set_paused"]
        fn set_paused(paused: i32);
    }

    /// Says that the plugin is set up: from now on random numbers are the host's, which depend on the event alone in tests. Those
    /// that maps are keyed with are drawn before, and are the same in each instance: a plugin that goes through a map does not
    /// answer in another order when it is started anew.
    pub(super) fn is_set_up() {
        std::hint::black_box(RandomState::new().hash_one(0));
        // SAFETY: it takes a number, sets a flag of the component's own, and touches no memory.
        unsafe { set_paused(0) };
    }
}

#[cfg(not(all(target_os = "wasi", paddlewheel_inside)))]
mod system {
    pub(super) fn is_set_up() {}
}

/// Hands one event to the plugin.
pub fn transform<P: Plugin>(cell: &OnceCell<P>, event: Event) -> Answer {
    match cell.get() {
        Some(plugin) => plugin.transform(event),
        None => Err(Failure::Error("transform was called before init".to_owned())),
    }
}
