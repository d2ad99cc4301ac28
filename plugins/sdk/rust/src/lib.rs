//! Write a Paddlewheel plugin in Rust.
//!
//! A plugin is a type that is read from the step's config and transforms one event at a time:
//!
//! ```
//! use paddlewheel::prelude::*;
//!
//! /// Drops events of one level and notes the region on the others.
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Enrich {
//!     drop_level: String,
//!     region: String,
//! }
//!
//! impl Plugin for Enrich {
//!     fn transform(&self, event: Event) -> Answer {
//!         if event.text("level").as_deref() == Some(&self.drop_level) {
//!             return drop_event();
//!         }
//!         event.set_text("region", &self.region)?;
//!         keep(event)
//!     }
//! }
//!
//! paddlewheel::plugin!(Enrich);
//! # fn main() {}
//! ```
//!
//! Its crate is a `cdylib`, compiled for `wasm32-unknown-unknown`. What paths, values and permissions are stands with
//! [`Event`], generated from the contract.

mod answer;
pub mod bindings;
mod config;
mod fields;
mod path;
#[doc(hidden)]
pub mod runtime;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::{Answer, drop_event, keep, reject, retry, send};
pub use bindings::paddlewheel::transform::events::{Event, Value};
pub use bindings::paddlewheel::transform::log;
pub use bindings::paddlewheel::transform::types::{Failure, Output};
pub use config::read as read_config;
pub use fields::Fields;
pub use path::{Path, Pattern};

/// What a plugin's file usually needs.
pub mod prelude {
    pub use crate::{
        Answer, Event, Failure, Fields, Output, Path, Pattern, Plugin, Value, drop_event, keep, log, reject, retry,
        send,
    };
    pub use serde::Deserialize;
}

/// A plugin. The value is its config: read once in each instance, then shared by all events.
///
/// Derive `Deserialize` with `deny_unknown_fields`: then a mistyped key is refused when the plugin is loaded, with a
/// message that lists the known ones.
pub trait Plugin: serde::de::DeserializeOwned + 'static {
    /// Checks the config, once, before the first event. What parsing alone cannot refuse is refused here.
    ///
    /// # Errors
    ///
    /// The text is shown to whoever wrote the config: say what is wrong and what would be right.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Transforms one event. See [`keep`], [`drop_event`], [`send`], [`reject`]; a `Vec` of [`Output`] fans out.
    ///
    /// # Errors
    ///
    /// [`Failure::Reject`] for an event that can never be processed, which is also what `?` makes of the host's
    /// messages; [`Failure::Retry`] for one that should come again.
    fn transform(&self, event: Event) -> Answer;
}

/// Makes a type that implements [`Plugin`] the crate's plugin. Once in a crate.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty) => {
        #[allow(unsafe_code, reason = "the exports of a component are foreign functions")]
        const _: () = {
            struct Component;

            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }

            impl $crate::bindings::exports::paddlewheel::transform::plugin::Guest for Component {
                fn init(config: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
                    PLUGIN.with(|plugin| $crate::runtime::init(plugin, &config))
                }

                fn transform(event: $crate::Event) -> $crate::Answer {
                    PLUGIN.with(|plugin| $crate::runtime::transform(plugin, event))
                }
            }

            // Natively there is no component: a plugin's tests link without the exports, whose names no linker likes.
            #[cfg(target_family = "wasm")]
    $crate::bindings::export_plugin!(Component with_types_in $crate::bindings);
            #[cfg(not(target_family = "wasm"))]
            const _: Option<Component> = None;
        };
    };
}
