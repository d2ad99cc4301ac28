//! Builds the ready-made plugins, which are shipped inside the program.

use std::path::{Path, PathBuf};
use toolchain::{Messages, Options};

/// The variable that says where the component is, and the plugin's folder.
const READY_MADE: [(&str, &str); 3] =
    [("PLUGIN_FILTER", "filter"), ("PLUGIN_REDACT", "redact"), ("PLUGIN_SPLIT", "split")];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace is two above").to_owned();
    let plugins = root.join("plugins");
    for source in [
        plugins.join("sdk"),
        plugins.join("Cargo.toml"),
        plugins.join("Cargo.lock"),
        root.join("wit"),
        root.join("host/pii"),
    ] {
        watch(&source);
    }
    // A target folder of its own: the build that this script belongs to has locked the usual one.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let target = out.ancestors().nth(4).expect("target/<profile>/build/<package>/out").join("guests/plugins");
    for (variable, name) in READY_MADE {
        watch(&plugins.join(name));
        let options = Options { target_dir: Some(target.clone()), messages: Messages::Keep, ..Options::default() };
        match toolchain::build(&plugins.join(name), &options) {
            Ok(built) => println!(
                "cargo:rustc-env={variable}={}",
                built.component().expect("Rust becomes a component").display()
            ),
            Err(error) => panic!("build the plugin {name}: {error}"),
        }
    }
}

/// Watches source files, and not what builds leave between them.
fn watch(path: &Path) {
    if path.is_file() {
        println!("cargo:rerun-if-changed={}", path.display());
    } else if path.file_name().is_some_and(|name| name != "target") {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            watch(&entry.path());
        }
    }
}
