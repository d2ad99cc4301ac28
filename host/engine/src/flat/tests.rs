//! What is taken apart, what is not, and artifacts.

mod damaged;
mod differential;

use super::contract::{self, ASSET_IMPORTS, IMPORTS, LOG_WRITE};
use super::host::DROP_EVENT;
use super::plan::{self, Item, Plan};
use super::{MAGIC, translate};
use crate::{Compiler, Engine, Settings, Target};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

const CONTRACT: &str = include_str!("../../../../wit/transform.wit");

/// A component that imports and exports all that a world has.
fn component(wit: &str, encoding: StringEncoding) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("transform.wit", wit).expect("WIT");
    let world = resolve.select_world(&[package], Some("transformer")).expect("a world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, encoding).expect("metadata");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("a component")
}

fn plan(wit: &str, encoding: StringEncoding) -> Option<Plan> {
    translate(&component(wit, encoding)).expect("it is valid").map(|parts| parts.plan)
}

#[test]
fn the_contract_is_the_one_that_is_spelled_out() {
    let plan = plan(CONTRACT, StringEncoding::UTF8).expect("each type is as it is spelled");
    let mut used: Vec<String> = (plan.parts.iter().flat_map(|part| &part.imports))
        .filter_map(|item| match item {
            Item::Host(name) => Some(name.clone()),
            Item::Export(_) => None,
        })
        .collect();
    let names = IMPORTS.iter().chain([&LOG_WRITE]).chain(&ASSET_IMPORTS).map(contract::in_plan);
    let mut offered: Vec<String> = names.chain([DROP_EVENT.to_owned()]).collect();
    used.sort_unstable();
    used.dedup();
    offered.sort_unstable();
    assert_eq!(used, offered);
}

#[test]
fn another_contract_and_another_encoding_are_left_to_wasmtime() {
    assert!(plan(CONTRACT, StringEncoding::UTF16).is_none());
    for (ours, theirs) in [
        ("integer(s64)", "integer(s32)"),
        ("text: func(path: string)", "text: func(path: string, more: u32)"),
        ("    debug,", "    debug,\n    trace,"),
        ("result<list<output>, failure>", "result<output, failure>"),
    ] {
        assert!(CONTRACT.contains(ours), "the contract has no `{ours}` any more");
        assert!(plan(&CONTRACT.replace(ours, theirs), StringEncoding::UTF8).is_none(), "{theirs}");
    }
}

/// What the flat way takes of WASI, as WASI has it.
const WASI: &str = "
    package wasi:clocks@0.2.6 {
        interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
        interface monotonic-clock { type instant = u64; now: func() -> instant; }
    }
    package wasi:random@0.2.6 {
        interface random { get-random-u64: func() -> u64; }
        interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
    }";

#[test]
fn clocks_and_randomness_of_wasi_run_flat_and_what_takes_handles_does_not() {
    let with = |imports: &str, packages: &str| {
        plan(
            &(CONTRACT.replace("world transformer {", &format!("world transformer {{ {imports}")) + packages),
            StringEncoding::UTF8,
        )
    };
    let four = "import wasi:clocks/wall-clock@0.2.6; import wasi:clocks/monotonic-clock@0.2.6;
        import wasi:random/random@0.2.6; import wasi:random/insecure-seed@0.2.6;";
    let hosts = |plan: Plan| {
        let items = plan.parts.into_iter().flat_map(|part| part.imports);
        items.filter(|item| matches!(item, Item::Host(name) if name.contains('.') && !name.contains(']') && !name.starts_with("assets"))).count()
    };
    assert_eq!(with(four, WASI).map(hosts), Some(contract::WASI_IMPORTS.len()));
    assert!(with(four, &WASI.replace("nanoseconds: u32", "nanoseconds: u64")).is_none(), "another type");
    assert!(with(&four.replace("0.2.6", "0.3.0"), &WASI.replace("0.2.6", "0.3.0")).is_none(), "another version");
    let poll = "package wasi:io@0.2.6 { interface poll { resource pollable { ready: func() -> bool; } } }";
    assert!(with("import wasi:io/poll@0.2.6;", poll).is_none(), "a resource");
}

#[test]
fn an_import_that_is_never_called_is_still_seen() {
    let more = "package other:things { interface door { type key = u32; open: func(key: key) -> bool; } }";
    let wit = CONTRACT.replace("world transformer {", "world transformer { import other:things/door;") + more;
    let component = component(&wit, StringEncoding::UTF8);
    assert!(translate(&component).expect("it is valid").is_none());
    let engine = Engine::new(&Settings { instances: 1, ..Settings::default() }).expect("an engine");
    let error = engine.compile(&component).err().expect("refused").to_string();
    assert!(error.contains("other:things/door"), "{error}");
}

#[test]
fn code_for_another_processor_is_made_here_and_not_loaded_here() {
    let component = component(CONTRACT, StringEncoding::UTF8);
    let engine = Engine::new(&Settings { instances: 1, ..Settings::default() }).expect("an engine");
    let targets = if cfg!(feature = "cross") { &Target::ALL[..] } else { &[] };
    for target in targets {
        let compiler = Compiler::new(*target).expect("both are built in");
        let artifact = compiler.precompile(&component).expect("compiled");
        let here = Target::here() == Some(*target);
        assert_eq!(compiler.fingerprint() == engine.fingerprint(), here, "{target:?}");
        assert_eq!(engine.load_precompiled(&artifact).is_ok(), here, "{target:?}");
    }
}

#[test]
fn artifacts_are_read_as_they_were_written_and_no_further() {
    let engine = Engine::new(&Settings { instances: 1, ..Settings::default() }).expect("an engine");
    let artifact = engine.precompile(&component(CONTRACT, StringEncoding::UTF8)).expect("compiled");
    assert!(artifact.starts_with(MAGIC));
    assert!(engine.load_precompiled(&artifact).expect("made by this engine").is_flat());
    for length in (0..artifact.len()).step_by(97).chain([artifact.len() - 1]) {
        assert!(plan::read(&artifact[..length]).is_err(), "cut at {length}");
    }
    let longer = [&artifact[..], b"x"].concat();
    assert!(engine.load_precompiled(&longer).is_err());
}
