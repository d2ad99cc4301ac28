//! The plugins that tests run, built by the build script.

/// The guest that misbehaves on request.
pub const MISBEHAVE: &str = env!("GUEST_MISBEHAVE");

/// Whether the guests of WASI preview 1 could be built; if not, a test that wants them says that it is skipped.
pub fn has_preview1(test: &str) -> bool {
    let has = !env!("GUEST_PREVIEW1").is_empty();
    if !has {
        crate::skip(test, "wasm32-wasip1", "rustup");
    }
    has
}

/// The file of a plugin by the name that test pipelines use; a path is itself.
pub fn file(plugin: &str) -> &str {
    match plugin {
        "misbehave" => MISBEHAVE,
        "wasi" => env!("GUEST_WASI"),
        "preview1" => env!("GUEST_PREVIEW1"),
        "preview1-inside" => env!("GUEST_PREVIEW1_INSIDE"),
        "foreign" => env!("GUEST_FOREIGN"),
        "mask" => env!("GUEST_MASK"),
        "every" => env!("GUEST_EVERY"),
        "conformance" => env!("GUEST_CONFORMANCE"),
        "conformance-inside" => env!("GUEST_CONFORMANCE_INSIDE"),
        "filter" => env!("PLUGIN_FILTER"),
        "redact" => env!("PLUGIN_REDACT"),
        "split" => env!("PLUGIN_SPLIT"),
        path if path.ends_with(".wasm") => path,
        other => panic!("there is no guest {other}"),
    }
}
