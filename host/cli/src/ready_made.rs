//! The plugins that are shipped inside the program.

use crate::text;
use bytes::Bytes;

/// One of them.
pub(crate) struct ReadyMade {
    /// What `plugin = "…"` says.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) wasm: &'static [u8],
    /// What people read about it.
    pub(crate) readme: &'static str,
}

impl ReadyMade {
    /// The first sentence of its README.
    pub(crate) fn summary(&self) -> String {
        let line = self.readme.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        text::one_line(line.unwrap_or_default())
    }
}

/// All of them, by name.
pub(crate) static ALL: [ReadyMade; 4] = [
    ReadyMade {
        name: "filter",
        wasm: include_bytes!(env!("PLUGIN_FILTER")),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/filter/README.md")),
    },
    ReadyMade {
        name: "javascript",
        wasm: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/javascript/javascript.wasm")),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/javascript/README.md")),
    },
    ReadyMade {
        name: "redact",
        wasm: include_bytes!(env!("PLUGIN_REDACT")),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/redact/README.md")),
    },
    ReadyMade {
        name: "split",
        wasm: include_bytes!(env!("PLUGIN_SPLIT")),
        readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/split/README.md")),
    },
];

/// The one of this name.
pub(crate) fn find(name: &str) -> Option<&'static ReadyMade> {
    ALL.iter().find(|plugin| plugin.name == name)
}

/// The component of this name, as the host's loader asks for it.
pub(crate) fn wasm(name: &str) -> Option<Bytes> {
    find(name).map(|plugin| Bytes::from_static(plugin.wasm))
}

/// Their names, for people.
pub(crate) fn names() -> String {
    ALL.each_ref().map(|plugin| plugin.name).join(", ")
}
