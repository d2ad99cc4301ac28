//! What [`crate::plugin!`] calls. Not for plugins themselves.

use std::cell::OnceCell;
use std::panic;

use crate::{Answer, Event, Failure, Plugin, config, log};

/// Reads and checks the config. A second call replaces nothing: the host calls once.
pub fn init<P: Plugin>(cell: &OnceCell<P>, config: &str) -> Result<(), String> {
    // A panic ends the instance with a trap, which has no text. So the text goes to the log first.
    panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
    let plugin = config::read::<P>(config)?;
    plugin.check().map_err(|message| format!("config: {message}"))?;
    cell.set(plugin).map_err(|_| "init was called twice".to_owned())
}

/// Hands one event to the plugin.
pub fn transform<P: Plugin>(cell: &OnceCell<P>, event: Event) -> Answer {
    match cell.get() {
        Some(plugin) => plugin.transform(event),
        None => Err(Failure::Error("transform was called before init".to_owned())),
    }
}
