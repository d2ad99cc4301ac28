//! The plugins that are shipped inside the program.

use crate::text;
use bytes::Bytes;
use flate2::read::GzDecoder;
use std::io::Read as _;
use std::sync::LazyLock;

/// One of them.
pub(crate) struct ReadyMade {
    /// What `plugin = "…"` says.
    pub(crate) name: &'static str,
    component: Component,
    /// What people read about it.
    pub(crate) readme: &'static str,
}

/// How a component is kept in the program.
enum Component {
    Plain(&'static [u8]),
    /// Too large to be kept as it is; unpacked when somebody asks for it.
    Packed(&'static LazyLock<Bytes>),
}

/// The runtime of Python scripts.
static PYTHON: LazyLock<Bytes> = LazyLock::new(|| {
    let packed = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/python/python.wasm.gz"));
    let mut wasm = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut wasm).expect("`make python` packed it; tests unpack it");
    wasm.into()
});

impl ReadyMade {
    /// The component.
    pub(crate) fn wasm(&self) -> Bytes {
        match self.component {
            Component::Plain(wasm) => Bytes::from_static(wasm),
            Component::Packed(wasm) => Bytes::clone(wasm),
        }
    }

    /// The first sentence of its README.
    pub(crate) fn summary(&self) -> String {
        let line = self.readme.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        text::one_line(line.unwrap_or_default())
    }
}

/// All of them, by name.
pub(crate) static ALL: [ReadyMade; 5] = [
    ReadyMade {
        name: "filter",
        component: Component::Plain(include_bytes!(env!("PLUGIN_FILTER"))),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/filter/README.md")),
    },
    ReadyMade {
        name: "javascript",
        component: Component::Plain(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../plugins/javascript/javascript.wasm"
        ))),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/javascript/README.md")),
    },
    ReadyMade {
        name: "python",
        component: Component::Packed(&PYTHON),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/python/README.md")),
    },
    ReadyMade {
        name: "redact",
        component: Component::Plain(include_bytes!(env!("PLUGIN_REDACT"))),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/redact/README.md")),
    },
    ReadyMade {
        name: "split",
        component: Component::Plain(include_bytes!(env!("PLUGIN_SPLIT"))),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/split/README.md")),
    },
];

/// The one of this name.
pub(crate) fn find(name: &str) -> Option<&'static ReadyMade> {
    ALL.iter().find(|plugin| plugin.name == name)
}

/// The component of this name, as the host's loader asks for it.
pub(crate) fn wasm(name: &str) -> Option<Bytes> {
    find(name).map(ReadyMade::wasm)
}

/// Their names, for people.
pub(crate) fn names() -> String {
    ALL.each_ref().map(|plugin| plugin.name).join(", ")
}
