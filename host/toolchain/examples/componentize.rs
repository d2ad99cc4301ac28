//! componentize CORE.wasm WORLD.wit WORLD PLUGIN.wasm: encodes a core module that imports no WASI preview 1.

use std::error::Error;
use toolchain::{Adapter, Encoding, Wit, componentize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [core, wit, world, plugin] = arguments.as_slice() else {
        return Err("usage: componentize CORE.wasm WORLD.wit WORLD PLUGIN.wasm".into());
    };
    let text = std::fs::read_to_string(wit).map_err(|error| format!("read {wit}: {error}"))?;
    let core = std::fs::read(core).map_err(|error| format!("read {core}: {error}"))?;
    let component = componentize(&core, &Encoding { wasi: Adapter::None, wit: Some(Wit { text: &text, world }) })?;
    std::fs::write(plugin, component).map_err(|error| format!("write {plugin}: {error}"))?;
    Ok(())
}
