//! What `wit-bindgen` makes of the contract, unchanged. Everything that a plugin needs is exported from the crate's root.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::all,
    reason = "generated; calls into the host are foreign functions"
)]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "transformer",
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "paddlewheel::bindings",
});
