//! A compiler's surroundings: what a nested `cargo` must not inherit.
//!
//! A build script is handed the outer build's flags, wrappers and target. Were they passed on, a plugin would be linted
//! in place of being compiled, be given the host's linker flags, or wait for the outer build's lock for ever.

use std::process::Command;

/// Variables that begin like this are cargo's own account of the outer build, or settings meant for it.
const OUTER: &str = "CARGO";

/// Of those, the ones that say where things are and how to fetch them. They hold for every build.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// What else a build script is handed. `RUSTUP_TOOLCHAIN`, `PATH` and `RUSTC_WRAPPER` stay.
const DROPPED: [&str; 18] = [
    "DEBUG",
    "HOST",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
    "TARGET",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// Makes a command forget the build that it is called from.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| !inherited(name)) {
            command.env_remove(name);
        }
    }
}

fn inherited(name: &str) -> bool {
    if DROPPED.contains(&name) {
        return false;
    }
    !name.starts_with(OUTER) || KEPT.iter().any(|kept| name.starts_with(kept))
}

#[cfg(test)]
mod tests {
    use super::inherited;

    #[test]
    fn flags_of_the_outer_build_stay_outside() {
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "CARGO"]
        {
            assert!(!inherited(name), "{name} must not reach the plugin's build");
        }
    }

    #[test]
    fn where_things_are_is_inherited() {
        for name in ["PATH", "HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME", "CARGO_REGISTRIES_INTERNAL_INDEX"] {
            assert!(inherited(name), "{name} must reach the plugin's build");
        }
    }
}
