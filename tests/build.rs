//! Builds the guests that tests run, and the ready-made plugins, and tells the tests where they are.

use std::path::{Path, PathBuf};
use toolchain::{Adapter, BuildError, Messages, Options};

/// The variable that names the guest, its folder, and who answers what it asks of WASI preview 1.
const GUESTS: [(&str, &str, Adapter); 12] = [
    ("GUEST_MISBEHAVE", "tests/guests/misbehave", Adapter::None),
    ("GUEST_WASI", "tests/guests/wasi", Adapter::None),
    ("GUEST_FOREIGN", "tests/guests/foreign", Adapter::None),
    ("GUEST_PREVIEW1", "tests/guests/preview1", Adapter::Preview1),
    ("GUEST_PREVIEW1_INSIDE", "tests/guests/preview1", Adapter::Inside),
    ("GUEST_MASK", "tests/guests/mask", Adapter::None),
    ("GUEST_EVERY", "tests/guests/every", Adapter::None),
    ("GUEST_CONFORMANCE", "tests/guests/conformance", Adapter::None),
    ("GUEST_CONFORMANCE_INSIDE", "tests/guests/conformance", Adapter::Inside),
    ("PLUGIN_FILTER", "plugins/filter", Adapter::None),
    ("PLUGIN_REDACT", "plugins/redact", Adapter::None),
    ("PLUGIN_SPLIT", "plugins/split", Adapter::None),
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its tests").to_owned();
    for source in ["tests/guests", "plugins", "wit", "host/pii"] {
        watch(&root.join(source));
    }
    // Their own target folders: the build that this script belongs to has locked the usual one.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let target = out.ancestors().nth(4).expect("target/<profile>/build/<package>/out").join("guests");
    for (variable, folder, wasi) in GUESTS {
        let workspace = folder.split('/').next().expect("a first part");
        let options =
            Options { target_dir: Some(target.join(workspace)), wasi, messages: Messages::Keep, ..Options::default() };
        match toolchain::build(&root.join(folder), &options) {
            Ok(built) => println!(
                "cargo:rustc-env={variable}={}",
                built.component().expect("Rust becomes a component").display()
            ),
            // Where only Debian's compiler has the other target, tests skip these.
            Err(BuildError::MissingTarget { command, .. }) if wasi != Adapter::None => {
                println!("cargo:rustc-env={variable}=");
                println!("cargo:warning={folder} is not built: run `{command}`");
            }
            Err(error) => panic!("build {folder}: {error}"),
        }
    }
}

/// Watches source files, and not what builds leave between them.
fn watch(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.file_name().is_some_and(|name| name == "target") => {}
            true => watch(&path),
            false => println!("cargo:rerun-if-changed={}", path.display()),
        }
    }
}
