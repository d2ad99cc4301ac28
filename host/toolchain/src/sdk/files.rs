//! The table of what is embedded.

use super::File;

/// A file of a library, at the place where it also goes.
macro_rules! library {
    ($language:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../plugins/sdk/", $language, "/", $file)))),*]
    };
}

pub(crate) const GO: &[File] = library!("go":
    "README.md", "call.go", "event.go", "go.mod", "host_native.go", "host_wasm.go", "json.go", "paddlewheel.go", "text.go");

pub(crate) const C: &[File] = library!("c": "README.md", "member.c", "paddlewheel.c", "paddlewheel.h", "random.c");

pub(crate) const PYTHON: &[File] = library!("python":
    "README.md",
    "paddlewheel/__init__.py",
    "paddlewheel/_answers.py",
    "paddlewheel/_assets.py",
    "paddlewheel/_event.py",
    "paddlewheel/_failures.py",
    "paddlewheel/_host.py",
    "paddlewheel/_values.py",
    "paddlewheel/log.py",
    "paddlewheel/py.typed",
    "pyproject.toml");

pub(crate) const JAVASCRIPT: &[File] =
    library!("javascript": "README.md", "event.js", "index.d.ts", "index.js", "json.js", "package.json", "path.js");

pub(crate) const RUST: &[File] = library!("rust":
    "Cargo.toml",
    "README.md",
    "src/answer.rs",
    "src/bindings.rs",
    "src/config.rs",
    "src/fields.rs",
    "src/lib.rs",
    "src/path.rs",
    "src/runtime.rs",
    "src/testing.rs");

/// Rust's library is a member of a workspace here and takes the contract from beside it. What stands there in place of
/// what stands here, in a project.
pub(crate) const ALONE: [(&str, &str); 9] = [
    ("version.workspace = true", "version = \"0.1.0\""),
    ("edition.workspace = true", "edition = \"2024\""),
    ("rust-version.workspace = true", "rust-version = \"1.95\""),
    ("license.workspace = true", "license = \"Apache-2.0\""),
    ("publish.workspace = true\n", ""),
    ("serde.workspace = true", "serde = { version = \"1\", features = [\"derive\"] }"),
    ("serde_json.workspace = true", "serde_json = \"1.0.154\""),
    (
        "\n[lints]\nworkspace = true\n",
        "\n[lints.rust]\nunexpected_cfgs = { level = \"warn\", check-cfg = ['cfg(paddlewheel_inside)'] }\n",
    ),
    ("path: \"../../../wit\"", "path: \"wit\""),
];
